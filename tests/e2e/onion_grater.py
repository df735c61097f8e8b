# SPDX-License-Identifier: BSD-3-Clause
"""The filter that Tails has in front of tor's control port, made from its documented behaviour.

  * Who connects is found by the TCP connection: the process that holds its other end, the path of its program, its user. Only IPv4
    sockets are found; an IPv6 one is closed at once.
  * The profiles are read anew at each connection: a list of maps with `apparmor-profiles`, `users`, `commands`, `events`. No profile
    that fits: every command is answered "510 Command filtered". Two: the connection ends.
  * PROTOCOLINFO says METHODS=NULL; AUTHENTICATE is always right; AUTHCHALLENGE is filtered. A rule of a command is a regular expression
    over the whole of its arguments, anchored at both ends, or a map with `pattern`, `replacement`, `response`.
  * A line has 10 KiB at most.
  * When tor starts anew the filter connects again and says nothing: no end of the connection, no event, the subscriptions go on.

Tests run under another path and user than on Tails: `stands_for` says which path and user those stand for.
"""
import os
import pwd
import re
import socket
import threading
import time

import yaml

from private_tor import Control

HOST = "127.0.0.1"
LONGEST_LINE = 10 << 10
FILTERED = b"510 Command filtered\r\n"
INFO = b'250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL\r\n250-VERSION Tor="%s"\r\n250 OK\r\n'


def owner_of(client, server):
    """(inode, uid) of the client's end of an IPv4 connection; None for what is no IPv4 socket."""
    def packed(address):
        host, port = address
        return "%s:%04X" % ("".join("%02X" % int(x) for x in reversed(host.split("."))), port)
    with open("/proc/net/tcp") as file:
        for line in file.read().splitlines()[1:]:
            words = line.split()
            if words[1] == packed(client) and words[2] == packed(server):
                return words[9], int(words[7])
    return None


def program_of(inode):
    """The path of the program that holds the socket; None where this user may not look."""
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            for fd in os.listdir("/proc/%s/fd" % name):
                if os.readlink("/proc/%s/fd/%s" % (name, fd)) == "socket:[%s]" % inode:
                    return os.readlink("/proc/%s/exe" % name)
        except OSError:
            continue
    return None


def load_profiles(folder):
    found = []
    for name in sorted(os.listdir(folder)):
        if name.endswith(".yml"):
            with open(os.path.join(folder, name)) as file:
                found += yaml.safe_load(file) or []
    return found


def rules_of(profile, command):
    """(pattern, replacement, response) of each rule for a command."""
    for rule in (profile.get("commands") or {}).get(command) or []:
        if isinstance(rule, str):
            yield rule, None, None
        else:
            yield rule["pattern"], rule.get("replacement"), rule.get("response")


class OnionGrater:
    """Listens at .address until stop(); `tor` is a private_tor.Tor."""

    def __init__(self, tor, folder, stands_for, port=0):
        self.tor, self.folder, self.stands_for = tor, folder, stands_for
        self.passed, self.refused, self.matched, self.closed = [], [], set(), []
        self.clients = []
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((HOST, port))
        self.listener.listen(16)
        self.address = "%s:%d" % (HOST, self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.close()
        for client in self.clients:
            client.close()

    def _accept(self):
        while True:
            try:
                peer, address = self.listener.accept()
            except OSError:
                return
            owner = owner_of(address, self.listener.getsockname())
            if owner is None:
                self.closed.append("no IPv4 socket")
                peer.close()
                continue
            profiles = self._profiles(owner)
            if len(profiles) > 1:
                self.closed.append("two profiles")
                peer.close()
                continue
            client = Client(self, peer, profiles[0] if profiles else {})
            self.clients.append(client)
            threading.Thread(target=client.run, daemon=True).start()

    def _profiles(self, owner):
        inode, uid = owner
        real_program, program, user = self.stands_for
        found = program_of(inode)
        if found is not None:
            program = program if os.path.realpath(found) == os.path.realpath(real_program) else found
        if uid != os.getuid():
            user = pwd.getpwuid(uid).pw_name
        return [p for p in load_profiles(self.folder) if program in p.get("apparmor-profiles", []) and user in p.get("users", [])]


class Client:
    """One connection of a program, and the one to tor that stands behind it."""

    def __init__(self, filter_, peer, profile):
        self.filter, self.peer, self.profile = filter_, peer, profile
        self.events = []
        self.lock = threading.Condition()
        self.control = None
        self.reply = None
        self.open = True

    def close(self):
        self.open = False
        for sock in (self.peer, self.control and self.control.sock):
            try:
                if sock:
                    sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.peer.close()

    def run(self):
        threading.Thread(target=self._stay_connected, daemon=True).start()
        got = b""
        try:
            while True:
                while b"\n" in got:
                    line, _, got = got.partition(b"\n")
                    if len(line) > LONGEST_LINE:
                        return
                    self._send(self._answer(line.rstrip(b"\r").decode("utf-8", "replace")))
                if len(got) > LONGEST_LINE:
                    return
                more = self.peer.recv(4096)
                if not more:
                    return
                got += more
        except OSError:
            pass
        finally:
            self.close()

    def _send(self, data):
        with self.lock:
            self.peer.sendall(data)

    def _answer(self, line):
        command, _, arguments = line.partition(" ")
        command = command.upper()
        if command == "PROTOCOLINFO" and self.profile:
            return INFO % b"0.4.8.21"
        if command == "AUTHENTICATE" and self.profile:
            return b"250 OK\r\n"
        if command == "SETEVENTS":
            return self._set_events(line, [e.upper() for e in arguments.split()])
        for pattern, replacement, response in rules_of(self.profile, command):
            if not re.fullmatch(pattern, arguments):
                continue
            self.filter.matched.add((command, pattern))
            if response is not None:
                return (response + "\r\n").encode()
            return self._ask(line if replacement is None else "%s %s" % (command, re.sub(pattern, replacement, arguments)))
        self.filter.refused.append(line)
        return FILTERED

    def _set_events(self, line, events):
        known = self.profile.get("events") or {}
        if any(e not in known for e in events):
            self.filter.refused.append(line)
            return FILTERED
        self.filter.matched |= {("event", e) for e in events}
        self.events = [e for e in events if not (known[e] or {}).get("suppress")]
        return self._ask("SETEVENTS " + " ".join(self.events))

    def _ask(self, line):
        """Passes a command on; while tor is away it waits."""
        self.filter.passed.append(line)
        while self.open:
            with self.lock:
                control = self.control
            if not control:
                time.sleep(0.05)
                continue
            reply = control.exchange(line)
            if reply is not None:
                return reply
        raise OSError("closed")

    def _stay_connected(self):
        while self.open:
            try:
                control = Behind(self.filter.tor, self._event)
            except Exception:
                time.sleep(0.1)
                continue
            if self.events:
                control.exchange("SETEVENTS " + " ".join(self.events))
            with self.lock:
                self.control = control
            control.ended.wait()
            with self.lock:
                self.control = None

    def _event(self, data):
        try:
            self._send(data)
        except OSError:
            pass


class Behind:
    """The filter's own connection to tor: logged in by cookie, replies and events kept apart."""

    def __init__(self, tor, event):
        login = Control(tor.control_port, tor.cookie_file)
        self.sock, self.rest = login.sock, b""
        self.sock.settimeout(None)
        self.event, self.ended = event, threading.Event()
        self.replies, self.arrived = [], threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def exchange(self, line):
        """The reply's bytes; None: tor has ended."""
        try:
            self.sock.sendall(line.encode() + b"\r\n")
        except OSError:
            return None
        with self.arrived:
            self.arrived.wait_for(lambda: self.replies or self.ended.is_set(), 30)
            return self.replies.pop(0) if self.replies else None

    def _read(self):
        reply, event, block = b"", b"", None
        while True:
            try:
                more = self.sock.recv(65536)
            except OSError:
                more = b""
            if not more:
                break
            self.rest += more
            while b"\r\n" in self.rest:
                line, _, self.rest = self.rest.partition(b"\r\n")
                of_event = block == "event" if block else line.startswith(b"650")
                if of_event:
                    event += line + b"\r\n"
                else:
                    reply += line + b"\r\n"
                if block:
                    block = None if line == b"." else block
                    continue
                if line[3:4] == b"+":
                    block = "event" if of_event else "reply"
                elif line[3:4] == b" " and of_event:
                    self.event(event)
                    event = b""
                elif line[3:4] == b" ":
                    with self.arrived:
                        self.replies.append(reply)
                        self.arrived.notify_all()
                    reply = b""
        with self.arrived:
            self.ended.set()
            self.arrived.notify_all()

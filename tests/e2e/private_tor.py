# SPDX-License-Identifier: BSD-3-Clause
"""A private Tor network on 127.0.0.1: one authority, four relays, as many clients as a test wants.

Real tors that know of nobody but each other: the only authority is ours, there are no fallback
directories, every listener and every outgoing socket is bound to 127.0.0.1.  It works the same inside
a network namespace that has nothing but the loopback device.

The public network needs an hour for its first consensus.  Here it takes two seconds: the first vote is
planned far away, and once the authority knows every relay its voting offset is set to "in two
seconds".  Then the relays are told to reload, which makes them forget that they have been turned away
so far.  Clients keep the ordinary timers, because the testing ones replace introduction points so
often that the onion services become restless.

`python3 tests/e2e/private_tor.py` starts one and reaches an onion service through it.
"""
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

from harness import HOST, Failed, Process, clean_env, free_ports, private_dir, remove, tail, wait_until

RELAYS = 4
INTERVAL = 1800  # of the first vote; a divisor of half an hour
CONSENSUS = "/tor/status-vote/current/consensus-microdesc"

EVERYBODY = """\
UseDefaultFallbackDirs 0
AddressDisableIPv6 1
OutboundBindAddress 127.0.0.1
"""

PROCESS = """\
ShutdownWaitLength 0
SafeLogging 0
CookieAuthentication 1
"""

RELAY = """\
TestingTorNetwork 1
SocksPort 0
Address 127.0.0.1
AssumeReachable 1
ExitRelay 0
ExitPolicy reject *:*
ServerDNSDetectHijacking 0
MaxMemInQueues 256 MB
"""

AUTHORITY = """\
AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
UseEntryGuards 0
ContactInfo nobody
TestingAuthDirTimeToLearnReachability 0
AuthDirTestReachability 0
TestingDirAuthVoteGuard *
TestingDirAuthVoteHSDir *
TestingMinFastFlagThreshold 1
MinUptimeHidServDirectoryV2 0
V3AuthVotingInterval 3600
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingV3AuthInitialVotingInterval %d
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
""" % INTERVAL

CLIENT = """\
ClientOnly 1
ClientUseIPv6 0
ReachableAddresses accept 127.0.0.0/8:*, reject *:*
ExtendAllowPrivateAddresses 1
EnforceDistinctSubnets 0
"""


def program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not path:
        raise Failed("%s is not installed (package tor)" % name)
    return path


def write(path, text):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


class Control:
    """A control connection, cookie login, one command at a time; events are dropped."""

    def __init__(self, port, cookie_file, timeout=10.0):
        self.sock = socket.create_connection((HOST, port), timeout=timeout)
        try:
            self.file = self.sock.makefile("rb")
            with open(cookie_file, "rb") as file:
                self.ask("AUTHENTICATE " + file.read().hex())
        except BaseException:
            self.sock.close()
            raise

    def close(self):
        self.file.close()
        self.sock.close()

    def _line(self):
        raw = self.file.readline()
        if not raw.endswith(b"\n"):
            raise Failed("the control connection ended")
        return raw.decode("utf-8", "replace").rstrip("\r\n")

    def ask(self, command):
        """The texts of a good reply; Failed with tor's words otherwise."""
        self.sock.sendall(command.encode() + b"\r\n")
        texts = []
        while True:
            line = self._line()
            code, mark, text = line[:3], line[3:4], line[4:]
            if mark == "+":
                block = []
                while True:
                    more = self._line()
                    if more == ".":
                        break
                    block.append(more)
                text += "\n".join(block)
            if code == "650":
                continue
            texts.append(text)
            if mark == " ":
                if code[0] != "2":
                    raise Failed("tor refused %s: %s %s" % (command.split()[0], code, text))
                return texts

    def info(self, key):
        return self.ask("GETINFO " + key)[0].split("=", 1)[1]

    def progress(self):
        return int(self.info("status/bootstrap-phase").split("PROGRESS=")[1].split()[0])


class Tor:
    """One tor process: relay, authority or client."""

    def __init__(self, net, name):
        self.net, self.name = net, name
        self.dir = os.path.join(net.top, name)
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        self.control_port, self.or_port, self.dir_port, self.socks_port = free_ports(4)
        self.process = None

    @property
    def cookie_file(self):
        return os.path.join(self.dir, "control_auth_cookie")

    @property
    def control_address(self):
        return "%s:%d" % (HOST, self.control_port)

    @property
    def pid(self):
        return self.process.pid if self.process else None

    def base(self):
        return EVERYBODY + PROCESS + "Nickname %s\nDataDirectory %s\nControlPort %s:%d\nLog notice file %s/notice.log\n" % (
            self.name, self.dir, HOST, self.control_port, self.dir)

    def write_torrc(self, text):
        write(os.path.join(self.dir, "torrc"), self.base() + text)

    def launch(self):
        try:
            os.unlink(self.cookie_file)  # one from an earlier life must not be taken for the new one
        except FileNotFoundError:
            pass
        command = [program("tor"), "--defaults-torrc", self.net.empty, "-f", os.path.join(self.dir, "torrc")]
        self.process = Process(command, os.path.join(self.dir, "output.log"), self.net.top, cwd=self.dir)

    def need_alive(self):
        if not self.process or not self.process.alive():
            raise Failed("tor %s ended:\n%s" % (self.name, self.log_tail()))

    def log_tail(self):
        return tail(os.path.join(self.dir, "notice.log")) or tail(os.path.join(self.dir, "output.log"))

    def control(self, timeout=30.0):
        """A control connection, as soon as tor accepts one."""
        def attempt():
            self.need_alive()
            try:
                return Control(self.control_port, self.cookie_file)
            except (OSError, Failed):
                return None
        return wait_until(attempt, timeout, "control port of " + self.name, 0.02)

    def wait_bootstrapped(self, timeout=60.0, percent=100):
        control = self.control(timeout)
        try:
            def done():
                self.need_alive()
                return control.progress() >= percent
            wait_until(done, timeout, lambda: "%s at %d %%\n%s" % (self.name, percent, self.log_tail()))
        finally:
            control.close()

    def kill(self):
        """SIGKILL: a crash."""
        self.process.kill()

    def end(self):
        self.process.end()

    def restart(self, wait=True):
        """Same keys, same ports."""
        if self.process and self.process.alive():
            self.process.end()
        self.launch()
        if wait:
            self.wait_bootstrapped()


class PrivateTor:
    def __init__(self, top_dir=None, say=lambda text: None):
        self.own_top = top_dir is None
        self.top = os.path.abspath(top_dir) if top_dir else private_dir("bivouac-tor-")
        os.makedirs(self.top, mode=0o700, exist_ok=True)
        self.say = say
        self.empty = os.path.join(self.top, "empty")
        self.authority_line = ""
        self.nodes = []
        self.clients = {}

    # ---- start

    def start(self, timeout=90.0):
        begin = time.monotonic()
        until = begin + timeout

        def left():
            return max(0.1, until - time.monotonic())

        write(self.empty, "")
        write(os.path.join(self.top, "resolv.conf"), "nameserver 127.0.0.1\n")  # answers nobody: relays need no names
        authority = Tor(self, "auth0")
        relays = [Tor(self, "relay%d" % i) for i in range(RELAYS)]
        self.nodes = [authority] + relays
        try:
            self.say("keys of the directory authority")
            self.authority_line = self._authority_keys(authority)
            for node in self.nodes:
                self._write_relay(node, authority)
            self.say("authority and relays")
            authority.launch()
            control = authority.control(left())
            for node in relays:  # a relay that finds no authority waits longer and longer
                node.launch()
            controls = [node.control(left()) for node in relays]
            self._wait_descriptors(control, controls, left)
            self.say("first consensus")
            self._vote(authority, control, left)
            for c in controls:
                c.ask("SIGNAL RELOAD")
            self.say("relays take it over")
            for node, c in zip(self.nodes, [control] + controls):
                def ready():
                    node.need_alive()
                    return c.progress() >= 75  # has the consensus and serves it
                wait_until(ready, left(), lambda: "%s ready\n%s" % (node.name, node.log_tail()))
                c.close()
        except BaseException:
            self.stop()
            raise
        self.seconds = time.monotonic() - begin
        return self

    def _authority_keys(self, node):
        """Makes all the authority's keys off line; returns the DirAuthority line that names them."""
        keys = os.path.join(node.dir, "keys")
        os.makedirs(keys, mode=0o700, exist_ok=True)
        certificate = os.path.join(keys, "authority_certificate")
        done = subprocess.run(
            [program("tor-gencert"), "--create-identity-key", "--passphrase-fd", "0", "-m", "12", "-a",
             "%s:%d" % (HOST, node.dir_port), "-i", os.path.join(keys, "authority_identity_key"), "-s",
             os.path.join(keys, "authority_signing_key"), "-c", certificate],
            input=b"private network\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=clean_env(node.dir),
            timeout=60)
        if done.returncode:
            raise Failed("tor-gencert: " + done.stdout.decode("utf-8", "replace"))
        with open(certificate) as file:
            identity = [line.split()[1] for line in file if line.startswith("fingerprint ")][0]
        torrc = os.path.join(node.dir, "torrc.keys")
        write(torrc, "UseDefaultFallbackDirs 0\nAddressDisableIPv6 1\nSocksPort 0\nExitRelay 0\nMaxMemInQueues 256 MB\n"
              "Address 127.0.0.1\nNickname %s\nDataDirectory %s\nORPort %s:%d IPv4Only\n" % (node.name, node.dir, HOST, node.or_port))
        done = subprocess.run([program("tor"), "--defaults-torrc", self.empty, "-f", torrc, "--list-fingerprint", "--quiet"],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=node.dir,
                              env=clean_env(node.dir), timeout=60)
        os.unlink(torrc)
        try:
            with open(os.path.join(node.dir, "fingerprint")) as file:
                fingerprint = file.read().split()[1]
        except OSError:
            raise Failed("tor --list-fingerprint: " + done.stdout.decode("utf-8", "replace"))
        return "DirAuthority %s orport=%d no-v2 v3ident=%s %s:%d %s\n" % (
            node.name, node.or_port, identity, HOST, node.dir_port, fingerprint)

    def _write_relay(self, node, authority):
        text = self.authority_line + RELAY + "ServerDNSResolvConfFile %s/resolv.conf\nORPort %s:%d IPv4Only\n" % (
            self.top, HOST, node.or_port)
        if node is authority:
            far = (int(time.time()) + INTERVAL // 2) % INTERVAL
            text += AUTHORITY + "DirPort %s:%d\nTestingV3AuthVotingStartOffset %d\n" % (HOST, node.dir_port, far)
        node.write_torrc(text)

    def _wait_descriptors(self, control, relay_controls, left):
        def fingerprint(c):
            try:
                return c.info("fingerprint")
            except Failed:
                return None  # its keys are being made

        def known(print_):
            try:
                return control.info("desc/id/" + print_)
            except Failed:
                return None
        for c in [control] + relay_controls:
            print_ = wait_until(lambda: fingerprint(c), left(), "a relay has its keys")
            wait_until(lambda: known(print_), left(), "the authority knows " + print_)

    def _vote(self, authority, control, left):
        """Puts the vote two seconds from now, again if a slow machine missed the moment."""
        path = os.path.join(authority.dir, "torrc")
        while True:
            offset = (int(time.time()) + 2) % INTERVAL
            control.ask("SETCONF TestingV3AuthVotingStartOffset=%d" % offset)
            with open(path) as file:
                kept = [line for line in file if not line.startswith("TestingV3AuthVotingStartOffset")]
            write(path, "".join(kept) + "TestingV3AuthVotingStartOffset %d\n" % offset)
            patience = min(5.0, left())
            end = time.monotonic() + patience
            while time.monotonic() < end:
                authority.need_alive()
                text = self._consensus(authority.dir_port)
                if text:
                    count = sum(line.startswith("r ") for line in text.splitlines())
                    if count != len(self.nodes):
                        raise Failed("the consensus names %d of %d nodes" % (count, len(self.nodes)))
                    return
                time.sleep(0.05)
            if left() < 1:
                raise Failed("no consensus\n" + authority.log_tail())

    @staticmethod
    def _consensus(port):
        """What the directory port serves; None until it does. Published is not yet served."""
        try:
            with socket.create_connection((HOST, port), timeout=5) as sock:
                sock.sendall(("GET %s HTTP/1.0\r\n\r\n" % CONSENSUS).encode())
                got = b""
                while True:
                    more = sock.recv(65536)
                    if not more:
                        break
                    got += more
        except OSError:
            return None
        head, _, body = got.partition(b"\r\n\r\n")
        return body.decode("ascii", "replace") if b" 200 " in head.split(b"\r\n")[0] else None

    # ---- clients

    def client_torrc_lines(self):
        """What `bivouac run --tor-extra FILE` needs so that its own tor joins this network."""
        return EVERYBODY + self.authority_line + CLIENT

    def write_extra(self, path=None):
        path = path or os.path.join(self.top, "client.torrc")
        write(path, self.client_torrc_lines())
        return path

    def start_client(self, name, wait=True):
        """A tor beside the node, as a system tor would be: .control_address, .cookie_file, .socks_port."""
        node = Tor(self, name)
        node.write_torrc(self.authority_line + CLIENT + "SocksPort %s:%d\n" % (HOST, node.socks_port))
        node.launch()
        self.clients[name] = node
        if wait:
            node.wait_bootstrapped()
        return node

    def processes(self):
        return [(n.process.pid, n.process.started) for n in self.nodes + list(self.clients.values()) if n.process]

    def stop(self):
        everyone = [n for n in self.nodes + list(self.clients.values()) if n.process]
        for node in everyone:
            node.process.send(signal.SIGTERM)
        for node in everyone:
            node.process.end(10)
        if self.own_top:
            remove(self.top)


def probe(net):
    """Reaches a fresh onion service from one client through another; returns the seconds it took."""
    from tent import socks_connect
    service, visitor = net.start_client("probe1", wait=False), net.start_client("probe2", wait=False)
    service.wait_bootstrapped()
    visitor.wait_bootstrapped()
    word = secrets.token_hex(8).encode()
    listener = socket.socket()
    listener.bind((HOST, 0))
    listener.listen(16)

    def greet():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.sendall(word)
    threading.Thread(target=greet, daemon=True).start()
    begin = time.monotonic()
    control = service.control()
    try:
        onion = control.ask("ADD_ONION NEW:ED25519-V3 Flags=DiscardPK Port=80,%s:%d" % listener.getsockname())[0]
        onion = onion.split("=", 1)[1]

        def reached():
            try:
                with socks_connect((HOST, visitor.socks_port), onion + ".onion", 80, secrets.token_hex(4)) as sock:
                    return sock.recv(64) == word
            except OSError:
                return False
        wait_until(reached, 40, "the onion service is reached", 0.2)
    finally:
        control.close()
        listener.close()
    return time.monotonic() - begin


def main():
    begin = time.monotonic()
    net = PrivateTor(say=lambda text: print("%5.1f s  %s" % (time.monotonic() - begin, text), flush=True))
    try:
        net.start()
        print("%5.1f s  network up" % (time.monotonic() - begin), flush=True)
        took = probe(net)
        print("%5.1f s  an onion service was reached %.1f s after it was added" % (time.monotonic() - begin, took))
    finally:
        net.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""Drives the real program: Node is one bivouac with its data directory, Stage is all that one test uses."""
import ctypes
import json
import os
import signal
import struct
import subprocess
import time
import zlib

import fake_tor
import private_tor
import tent
from harness import (HOST, PATIENCE, Failed, Process, binary, check, check_equal, clean_env, tail,
                     start_time, wait_until)

PASSPHRASE = "correct horse battery staple nine"
STOP_SECONDS = 5.0


def picture(size=48, note=b"", seed=7):
    """A small PNG, valid and full of colour; note goes into a text chunk."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * seed + y * c) & 255 for x in range(size) for c in (3, 5, 11)) for y in range(size))
    text = chunk(b"tEXt", b"Comment\0" + note) if note else b""
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)) + text
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def noise(size):
    """Bytes that no program takes for anything, so they go only with --as-is, as file-N.bin."""
    return b"\0\1" + os.urandom(size - 2)


class Node:
    """tor: a FakeTor or private_tor.Tor (used through its control port), a PrivateTor (the node starts its own
    tor in that network), or None (--no-tor)."""

    def __init__(self, program, top_dir, name, tor=None, passphrase=PASSPHRASE, data=None, wrap=()):
        self.program, self.top, self.name, self.tor, self.passphrase = program, top_dir, name, tor, passphrase
        self.data = data or os.path.join(top_dir, name)
        self.log = os.path.join(top_dir, name + ".log")
        self.wrap = list(wrap)
        self.process = None
        self.extra_args = []
        self.env = clean_env(top_dir)
        self.env["TMPDIR"] = os.path.join(top_dir, name + ".tmp")
        os.makedirs(self.env["TMPDIR"], mode=0o700, exist_ok=True)
        self.entity = None
        self.app = None

    # ---- verbs

    def raw(self, *args, stdin=b"", timeout=30.0):
        """(exit code, standard output as bytes, standard error as text) of `bivouac VERB --data DIR ...`."""
        command = [self.program, args[0], "--data", self.data] + [str(a) for a in args[1:]]
        timeout *= PATIENCE
        try:
            done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=timeout,
                                  env=self.env, cwd=self.top)
        except subprocess.TimeoutExpired:
            raise Failed("%s: `%s` gave no answer within %g s" % (self.name, " ".join(map(str, args)), timeout))
        return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")

    def cli(self, *args, **more):
        code, out, err = self.raw(*args, **more)
        return code, out.decode("utf-8", "replace"), err

    def json(self, *args, **more):
        """What a verb prints with --json; Failed unless it exits 0."""
        code, out, err = self.cli(*args, "--json", **more)
        check_equal(code, 0, "%s: `%s` failed: %s" % (self.name, " ".join(map(str, args)), err.strip() or out.strip()))
        try:
            return json.loads(out)
        except ValueError:
            raise Failed("%s: `%s` printed no JSON: %r" % (self.name, " ".join(map(str, args)), out[:300]))

    def do(self, *args, **more):
        code, out, err = self.cli(*args, **more)
        check_equal(code, 0, "%s: `%s` failed: %s" % (self.name, " ".join(map(str, args)), err.strip() or out.strip()))
        return out

    def refused(self, *args, code=1, **more):
        """The one line that a refusal puts on standard error."""
        got, out, err = self.cli(*args, **more)
        check_equal(got, code, "%s: exit code of `%s` (%s)" % (self.name, " ".join(map(str, args)), err.strip() or out.strip()))
        check(err.strip(), "%s: `%s` failed without a word" % (self.name, " ".join(map(str, args))))
        return err.strip()

    # ---- life

    def init(self):
        code, out, err = self.cli("init", "--passphrase-file", "-", stdin=(self.passphrase + "\n").encode(), timeout=60)
        check_equal(code, 0, "%s: init failed: %s" % (self.name, err.strip() or out.strip()))
        return self

    def run_args(self):
        args = ["run", "--data", self.data, "--passphrase-file", "-"]
        if isinstance(self.tor, private_tor.PrivateTor):
            args += ["--tor-extra", self.tor.write_extra()]
        elif self.tor is not None:
            args += ["--tor-control", self.tor.control_address]
        else:
            args += ["--no-tor"]
        return args + self.extra_args

    def launch(self, passphrase=None):
        """Starts it without waiting for anything."""
        secret = (self.passphrase if passphrase is None else passphrase) + "\n"
        self.process = Process(self.wrap + [self.program] + self.run_args(), self.log, self.top, env=self.env,
                               stdin=secret.encode())
        return self

    def start(self, published=True, timeout=60.0):
        self.launch()
        self.wait_answering(timeout)
        if published and self.tor is not None:
            self.wait_published(timeout)
        return self

    def need_alive(self):
        if not self.process or not self.process.alive():
            raise Failed("%s ended (exit %s):\n%s" % (self.name, self.process and self.process.exit, self.log_tail()))

    def wait_answering(self, timeout=60.0):
        def answers():
            self.need_alive()
            code, out, _ = self.cli("status", "--json")
            return code == 0 and out
        self.entity = json.loads(wait_until(answers, timeout, "%s answers `status`" % self.name, 0.05))["entity"]
        return self

    def wait_published(self, timeout=60.0):
        def published():
            self.need_alive()
            return self.status().get("published")
        wait_until(published, timeout,
                   lambda: "%s published: %s\n%s" % (self.name, self.status(), self.log_tail()), 0.1)
        return self

    def stop(self):
        """SIGTERM; it must end within five seconds of a machine of its own and say that it ended well."""
        begin = time.monotonic()
        self.process.send(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS * PATIENCE)
        took = time.monotonic() - begin
        if code is None:
            self.process.kill()
            raise Failed("%s did not end within %g s of SIGTERM:\n%s" % (self.name, STOP_SECONDS * PATIENCE, self.log_tail()))
        check_equal(code, 0, "%s: exit code after SIGTERM\n%s" % (self.name, self.log_tail()))
        return took

    @property
    def pid(self):
        """Of the process that does the work: run's child."""
        return self.pids()[-1]

    def pids(self):
        """From the one that was started down to the one that does the work."""
        found = [self.process.pid]
        while True:
            below = []
            try:
                with open("/proc/%d/task/%d/children" % (found[-1], found[-1])) as file:
                    below = file.read().split()
            except OSError:
                pass
            for child in below:
                try:
                    with open("/proc/%s/comm" % child) as file:
                        name = file.read().strip()
                        if name.startswith("bivouac") and name != "bivouac-broker":
                            found.append(int(child))
                            break
                except OSError:
                    pass
            else:
                return found

    @property
    def broker(self):
        """The pid of the process that opens sockets for it."""
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as file:
            for child in file.read().split():
                with open("/proc/%s/comm" % child) as name:
                    if name.read().strip() == "bivouac-broker":
                        return int(child)
        raise Failed("%s has no broker" % self.name)

    def signal_all(self, number):
        for pid in self.pids():
            os.kill(pid, number)

    def kill9(self):
        self.process.kill()

    def restart(self, **more):
        if self.process and self.process.alive():
            self.stop()
        return self.start(**more)

    def log_tail(self, lines=25):
        return tail(self.log, lines)

    # ---- what it knows

    def status(self):
        return self.json("status")

    def is_locked(self):
        """False also in the moment between two processes, when nobody answers."""
        code, out, _ = self.cli("status", "--json")
        return code == 0 and json.loads(out).get("locked", False)

    @property
    def host(self):
        return self.entity[len("http://"):]

    @property
    def onion(self):
        return self.host[:-len(".onion")]

    @property
    def listen(self):
        name, _, port = self.status()["listen"].rpartition(":")
        return name, int(port)

    def post(self, text, *args, timeout=30.0):
        return self.json("post", text, *args, timeout=timeout)["post"]

    def feed(self):
        return self.json("feed", "--limit", "200")["posts"]

    def texts(self, entity=None):
        """Texts of the status posts (of one entity), oldest first."""
        return [p.get("content", {}).get("text") for p in reversed(self.feed())
                if p["type"].startswith(tent.STATUS) and (entity is None or p["entity"] == entity)]

    def has_text(self, text):
        return text in self.texts()

    def wait_text(self, text, seconds=30.0):
        """The post with this text, once the feed shows it."""
        def found():
            self.need_alive()
            return [p for p in self.feed() if p.get("content", {}).get("text") == text]
        return wait_until(found, seconds, lambda: "%s has %r; it has %r\n%s" % (
            self.name, text, self.texts(), self.log_tail()), 0.1)[0]

    def attachment(self, entity, post, name, seconds=60.0):
        """The bytes of an attachment, once the node holds all of it."""
        def whole():
            self.need_alive()
            code, out, error = self.raw("attachment", entity, post, name, timeout=60)
            last.append(error.strip())
            return code == 0 and (out,)
        last = []
        return wait_until(whole, seconds, lambda: "%s holds %s: %s\n%s" % (self.name, name, last[-1], self.log_tail()), 0.2)[0]

    def followers(self):
        return {f["entity"]: f["state"] for f in self.json("followers")["followers"]}

    def following(self):
        return {f["entity"]: f["state"] for f in self.json("following")["following"]}

    def wait_follower(self, entity, state, seconds=30.0):
        wait_until(lambda: self.followers().get(entity) == state, seconds,
                   lambda: "%s has %s as %s: %s\n%s" % (self.name, entity, state, self.followers(), self.log_tail()), 0.1)

    def wait_following(self, entity, state, seconds=30.0):
        wait_until(lambda: self.following().get(entity) == state, seconds,
                   lambda: "%s follows %s, %s: %s\n%s" % (self.name, entity, state, self.following(), self.log_tail()), 0.1)

    def outbox_waiting(self):
        return self.status()["outbox"]["waiting"]

    def get(self, target, host=None, **more):
        """One anonymous request straight to the onion's listener."""
        return tent.request(self.listen, more.pop("method", "GET"), target, host or self.host, **more)

    def api(self, method, target, **more):
        """One request to the local API (run --local-api), signed by an app that may do everything."""
        if not self.app:
            made = self.json("app", "create", "--name", "Tests", "--read", "all", "--write", "all")
            self.app = tent.Credentials(made["id"], made["hawk_key"], made["app"])
        host = self.status()["local_api"][len("http://"):]
        address = (HOST, int(host.rsplit(":", 1)[1]))
        return tent.request(address, method, target, host, credentials=self.app, **more)

    def all_posts(self, type_="https://tent.io/types/status/v0"):
        """Every post of a type, oldest first, through the API's own paging."""
        found, before = [], ""
        while True:
            answer = self.api("GET", "/posts?limit=200&types=%s%s" % (tent.escape(type_), before))
            check_equal(answer.status, 200, "%s: feed over the API: %r" % (self.name, answer.body[:200]))
            check(answer.authentic, "%s: Server-Authorization of the feed" % self.name)
            feed = answer.json()
            found += feed["posts"]
            if "next" not in feed["pages"]:
                return found[::-1]
            last = feed["posts"][-1]
            before = "&before=%d+%s" % (last["received_at"], last["version"]["id"])

    def tor_child(self):
        """(pid, start time) of the tor that this node's broker started."""
        for name in os.listdir("/proc"):
            if name.isdigit():
                try:
                    with open("/proc/%s/stat" % name) as file:
                        text = file.read()
                except OSError:
                    continue
                if "(tor)" in text and int(text.rsplit(")", 1)[1].split()[1]) == self.broker:
                    return int(name), start_time(int(name))
        return None


class Stage:
    """Nodes and networks of one test; close() ends them all."""

    def __init__(self, top, verbose=False):
        self.top, self.verbose = top, verbose
        self.nodes, self._fake, self._private = [], None, None
        self.afterwards = []  # what to do when all the processes have ended
        self.begin = time.monotonic()

    def say(self, text):
        if self.verbose:
            print("  %6.1f s  %s" % (time.monotonic() - self.begin, text), flush=True)

    @property
    def fake(self):
        if not self._fake:
            self._fake = fake_tor.FakeTorNet(top_dir=self.sub("fake"))
        return self._fake

    @property
    def private(self):
        if not self._private:
            self.say("private Tor network")
            self._private = private_tor.PrivateTor(self.sub("tor")).start()
        return self._private

    def sub(self, name):
        path = os.path.join(self.top, name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def file(self, name, data):
        path = os.path.join(self.top, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def node(self, name, tor="fake", start=True, **more):
        """tor: "fake", "child" (own tor in the private network), "client" (a tor of the private network beside
        it), "none", or a tor."""
        if tor == "fake":
            tor = self.fake.node(name)
        elif tor == "child":
            tor = self.private
        elif tor == "client":
            tor = self.private.start_client(name + "tor")
        elif tor == "none":
            tor = None
        node = Node(binary(), self.top, name, tor, **more)
        self.nodes.append(node)
        node.init()
        if start:
            self.say("start " + name)
            node.start()
        return node

    def pair(self, tor="fake", approved=True):
        """alice and bob, running; bob follows alice, and alice has approved it."""
        if tor == "fake":
            self.fake
        elif tor in ("child", "client"):
            self.private
        alice, bob = self.node("alice", tor, start=False), self.node("bob", tor, start=False)
        for node in (alice, bob):
            node.launch()
        for node in (alice, bob):
            node.wait_answering()
        for node in (alice, bob):
            node.wait_published()
        if approved:
            follow(alice, bob)
        return alice, bob

    def close(self):
        for node in self.nodes:
            if node.process:
                node.process.send(signal.SIGTERM)
        for node in self.nodes:
            if node.process:
                node.process.end(6)
        if self._fake:
            self._fake.stop()
        if self._private:
            self._private.stop()
        for function in self.afterwards:
            function()


def follow(alice, bob, seconds=60.0):
    """bob asks to follow alice, and she approves."""
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending", seconds)
    alice.do("followers", "approve", bob.entity)
    alice.wait_follower(bob.entity, "approved", seconds)
    bob.wait_following(alice.entity, "approved", seconds)


def limit(seconds):
    """How long a test may take; the runner ends it after that."""
    def mark(function):
        function.limit = seconds
        return function
    return mark


def check_post(post, entity, text=None):
    """A post as the protocol wants it: its version id is that of its canonical form."""
    check_equal(post["entity"], entity, "entity of the post")
    check_equal(post["version"]["id"], tent.version_id(post), "version id of the post")
    if text is not None:
        check_equal(post["content"]["text"], text, "text of the post")


CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000


def isolate(net=False, mount=False):
    """Takes this process, and what it starts, into namespaces of its own: no network but loopback, own mounts."""
    flags = (CLONE_NEWNET if net else 0) | (CLONE_NEWNS if mount else 0)
    user, group = os.getuid(), os.getgid()
    if user != 0:
        flags |= CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare: " + os.strerror(ctypes.get_errno()))
    if user != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", "0 %d 1" % user), ("gid_map", "0 %d 1" % group)):
            with open("/proc/self/" + name, "w") as file:
                file.write(text)
    if net:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True, timeout=10, env=clean_env("/"))
    if mount:
        # Fails where / is no mount point (in a chroot); the namespace is a copy all the same.
        subprocess.run(["mount", "--make-rprivate", "/"], stderr=subprocess.DEVNULL, timeout=10, env=clean_env("/"))

# SPDX-License-Identifier: BSD-3-Clause
"""Nothing leaves: the whole story where there is no network but loopback, with a look at every socket.

The test's process moves into a network namespace of its own that has only `lo`, and starts everything
there: relays, tors, nodes.  Two witnesses look on.  One reads the kernel's socket tables all the time.
The other is strace on both nodes and their tors: it sees each connect, bind and send, also those that
failed because there is no way out.
"""
import os
import re
import shutil
import socket
import threading
import time

from harness import check, wait_until
from node import follow, isolate, limit, picture


class Watcher(threading.Thread):
    """Reads the socket tables of this namespace until told to stop."""

    def __init__(self, tors):
        """tors: real ones run here, and may for a moment have the datagram socket of TOR_ASKS, not connected."""
        super().__init__(daemon=True)
        self.tors = tors
        self.bad, self.samples, self.seen, self.over = set(), 0, 0, False

    @staticmethod
    def table(name):
        try:
            with open("/proc/thread-self/net/" + name) as file:
                return [line.split() for line in file.readlines()[1:]]
        except FileNotFoundError:
            return []

    @staticmethod
    def address(text):
        host, port = text.split(":")
        return ".".join(str(b) for b in reversed(bytes.fromhex(host))), int(port, 16)

    def run(self):
        while not self.over:
            for row in self.table("tcp"):
                local, remote, state = self.address(row[1]), self.address(row[2]), row[3]
                self.seen += 1
                idle = state == "07" and remote == ("0.0.0.0", 0)  # bound or made, not connected
                if not local[0].startswith("127.") and not (idle and local[0] == "0.0.0.0"):
                    self.bad.add("tcp local %s:%d state %s" % (local + (state,)))
                if not remote[0].startswith("127.") and remote != ("0.0.0.0", 0):
                    self.bad.add("tcp to %s:%d" % remote)
                if remote[1] == 53:
                    self.bad.add("tcp to a name server")
            for name in ("tcp6", "udp", "udp6", "udplite", "raw", "raw6", "icmp", "icmp6", "packet"):
                for row in self.table(name):
                    if self.tors and name in ("udp", "udp6") and set(row[2]) <= set("0:"):
                        continue  # the traces show whose it is and that nothing was sent
                    self.bad.add("a %s socket: %s" % (name, " ".join(row[:4])))
            self.samples += 1
            time.sleep(0.01)


# Where no interface but loopback exists, tor asks the kernel which address it would use towards these: a datagram
# socket is connected, which sends nothing. Only tor may do that.
TOR_ASKS = ('sin_port=htons(9), sin_addr=inet_addr("18.0.0.1")', 'sin6_port=htons(9)')


def check_trace(path):
    """Every address that was connected to, bound or sent to. Returns how many calls there were."""
    calls, tors, programs = 0, set(), {}
    with open(path, errors="replace") as file:
        for line in file:
            who = line.split(None, 1)[0]
            started = re.search(r'execve\("([^"]*)"', line)
            if started:  # the call and its result may stand on different lines
                programs[who] = os.path.basename(started.group(1))
            if "execve" in line and line.rstrip().endswith("= 0"):
                (tors.add if programs.get(who) == "tor" else tors.discard)(who)
            made = re.search(r"(?:clone3?|v?fork)\b.*= (\d+)$", line)
            if made and who in tors:
                tors.add(made.group(1))
            if "sa_family=" not in line:
                continue
            calls += 1
            if who in tors and "connect(" in line and any(asked in line for asked in TOR_ASKS):
                continue
            family = re.search(r"sa_family=(\w+)", line).group(1)
            if family == "AF_INET":
                address = re.search(r'inet_addr\("([^"]*)"\)', line)
                port = re.search(r"htons\((\d+)\)", line)
                check(address and address.group(1).startswith("127."), "a call names another machine: " + line.strip())
                check(port and port.group(1) != "53", "a call to a name server: " + line.strip())
            else:
                check(family in ("AF_UNIX", "AF_NETLINK", "AF_UNSPEC"), "a call of another family: " + line.strip())
    return calls


def wrap(stage, name):
    check(shutil.which("strace"), "strace is not installed")
    path = os.path.join(stage.top, name + ".strace")
    return ["strace", "-D", "-f", "-qq", "-s", "64", "-e", "trace=connect,bind,sendto,sendmsg,sendmmsg,execve,clone,clone3,fork,vfork", "-o", path], path


def check_no_way_out():
    """The namespace really has no way out."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.settimeout(5)
        try:
            sock.connect(("192.0.2.1", 80))
        except OSError:
            return
    check(False, "there is a way out of the namespace")


def story(stage, tor):
    watcher = Watcher(tor != "fake")
    watcher.start()
    traces = []
    nodes = []
    for name in ("alice", "bob"):
        command, path = wrap(stage, name)
        traces.append(path)
        nodes.append(stage.node(name, tor, start=False, wrap=command))
    alice, bob = nodes
    for node in nodes:
        node.launch()
    for node in nodes:
        node.wait_answering(90)
    for node in nodes:
        node.wait_published(120)
        check(os.readlink("/proc/%d/ns/net" % node.pid) == os.readlink("/proc/self/ns/net"), "another namespace")
    follow(alice, bob, 90)
    path = stage.file("dot.png", picture())
    # A text full of things that a careless program would fetch or look up.
    text = "see http://example.com/a.png and https://tent.io/types/status/v0# [x](http://192.0.2.7/) ftp://a.example"
    post = alice.post(text, "--attach", path)
    bob.wait_text(text, 90)

    check(bob.attachment(alice.entity, post["id"], "picture-1.png") == picture(), "the picture at bob")
    for wrong in ("http://example.com", "https://tent.example", "http://192.0.2.1", "http://localhost", "http://127.0.0.1:80"):
        for args in (["follow", wrong], ["post", "to the outside", "--to", wrong], ["show", wrong, "abc"]):
            alice.cli(*args, timeout=60)
    bob.do("unfollow", alice.entity)
    bob.cli("follow", "http://" + "a" * 55 + "d.onion")
    time.sleep(3)
    for node in nodes:
        node.stop()
    watcher.over = True
    watcher.join(5)
    check(not watcher.bad, "sockets that reach beyond loopback: %s" % "; ".join(sorted(watcher.bad)[:5]))
    check(watcher.samples > 100 and watcher.seen > 100, "the watcher saw hardly anything")
    for path in traces:
        wait_until(lambda: os.path.exists(path), 5, "the trace is there")
        calls = check_trace(path)
        check(calls >= 3, "the trace of %s has %d calls" % (path, calls))
        stage.say("%s: %d calls with an address, all on loopback" % (os.path.basename(path), calls))
    stage.say("%d looks at the socket tables, %d sockets" % (watcher.samples, watcher.seen))


@limit(240)
def test_nothing_leaves_on_real_tors(stage):
    isolate(net=True)
    check_no_way_out()
    story(stage, "child")


@limit(180)
def test_nothing_leaves_on_the_fake_tor(stage):
    """And every SOCKS request named an onion, under a user name of its own (the fake Tor keeps a list of others)."""
    isolate(net=True)
    check_no_way_out()
    story(stage, "fake")
    check(stage.fake.violations == [], "violations: %r" % stage.fake.violations)


@limit(60)
def test_without_tor_only_the_local_api_listens(stage):
    isolate(net=True)
    watcher = Watcher(False)
    watcher.start()
    command, path = wrap(stage, "alice")
    alice = stage.node("alice", "none", start=False, wrap=command)
    alice.extra_args = ["--local-api"]
    alice.start()
    alice.post("nobody will fetch this")
    time.sleep(1)
    alice.stop()
    watcher.over = True
    watcher.join(5)
    check(not watcher.bad, "sockets that reach beyond loopback: %r" % watcher.bad)
    check_trace(path)

# SPDX-License-Identifier: BSD-3-Clause
"""The story that quickstart tells: a private Tor network, two nodes, a follow, an approval, a post with a picture.

Everything in it is the real program and real tors, on loopback only.  It ends with exit code 0 only if
bob's node really holds what alice posted, byte for byte, less the comment that was taken out of the picture.  --keep leaves all running and writes down the
processes (pid and start time), so that --stop ends exactly those.
"""
import argparse
import json
import os
import secrets
import signal
import sys
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, os.path.join(ROOT, "tests", "e2e"))

from harness import Failed, binary, end_recorded, private_dir, read_record, remove, same_process  # noqa: E402
from node import Node, check_post, picture  # noqa: E402
from private_tor import PrivateTor  # noqa: E402

STATE = os.path.join(ROOT, "build", "quickstart.json")
TEXT = "Hello from one onion to another."
PICTURE = "sunrise.png"


class Teller:
    """One line a step with the seconds since the start; while it waits, a mark that turns (on a terminal)."""

    def __init__(self, since):
        self.begin = time.monotonic() - since
        self.tty = sys.stdout.isatty()
        self.text = ""

    def seconds(self):
        return time.monotonic() - self.begin

    def _turn(self, done):
        marks, i = "|/-\\", 0
        while not done.wait(0.15):
            sys.stdout.write("\r\033[K%5d s  %s %s" % (self.seconds(), self.text, marks[i % 4]))
            sys.stdout.flush()
            i += 1

    def step(self, text, function, result=None):
        """Shows text while function runs, then the result in its place."""
        self.text, done = text, threading.Event()
        turner = threading.Thread(target=self._turn, args=(done,), daemon=True)
        if self.tty:
            turner.start()
        try:
            value = function()
        finally:
            done.set()
            if self.tty:
                turner.join()
                sys.stdout.write("\r\033[K")
        self.line(result(value) if callable(result) else result or text)
        return value

    def line(self, text):
        print("%5d s  %s" % (self.seconds(), text), flush=True)


def short(entity):
    """An onion address as a person can tell it apart."""
    return entity[:len("http://") + 12] + "...onion"


def tell(teller, top, nodes, nets):
    program = binary()
    net = PrivateTor(os.path.join(top, "tor"))
    nets.append(net)

    def detail(text):
        teller.text = "a private Tor network on this machine: " + text
    net.say = detail
    teller.step("a private Tor network on this machine", net.start,
                "Tor     a private network is up: one authority, four relays, nothing but loopback")
    words = {name: secrets.token_urlsafe(12) for name in ("alice", "bob")}
    alice, bob = [Node(program, top, name, net, passphrase=words[name]) for name in ("alice", "bob")]
    nodes.extend([alice, bob])

    def make():
        for node in nodes:
            node.init()
        for node in nodes:
            node.launch()
        for node in nodes:
            node.wait_answering()
    teller.step("two nodes make their keys and encrypted files", make,
                "nodes   alice and bob have keys, an encrypted file each, and run")
    for node in nodes:
        teller.step("%s's onion is being published" % node.name, lambda: node.wait_published(90),
                    lambda _: "%-7s is published: %s" % (node.name, short(node.entity)))
    bob.do("follow", alice.entity)
    teller.line("bob     asks to follow alice")
    teller.step("the request travels", lambda: alice.wait_follower(bob.entity, "pending", 90),
                lambda _: "alice   sees the request, pending: nothing is shown to bob yet")
    alice.do("followers", "approve", bob.entity)
    teller.line("alice   approves it")
    teller.step("bob hears of it", lambda: bob.wait_following(alice.entity, "approved", 90), "bob     follows alice")
    image = picture(96, note=b"made for the quickstart, not for bob")
    path = os.path.join(top, PICTURE)
    with open(path, "wb") as file:
        file.write(image)
    post = alice.post(TEXT, "--attach", path)
    teller.line("alice   posts a text and a picture; its name is replaced and the comment in it taken out")
    got = teller.step("the post travels", lambda: bob.wait_text(TEXT, 90), "bob     has the post in his feed: \"%s\"" % TEXT)
    check_post(got, alice.entity, TEXT)
    if got["id"] != post["id"] or got["version"]["id"] != post["version"]["id"]:
        raise Failed("bob's copy is not the post that alice made")

    data = teller.step("the picture travels", lambda: bob.attachment(alice.entity, post["id"], "picture-1.png", 90),
                       "bob     opens the picture")
    if data != picture(96):
        raise Failed("the picture differs: %d bytes sent, %d bytes arrived" % (len(image), len(data)))
    teller.line("        it is the same, byte for byte, without the comment: the post is really there")
    return words


def stop():
    try:
        with open(STATE) as file:
            state = json.load(file)
    except FileNotFoundError:
        print("nothing was left running")
        return 0
    pairs = [tuple(p) for p in state["processes"]]
    running = sum(same_process(*p) for p in pairs)
    end_recorded(pairs, 8)
    top = state["top"]
    if os.path.isdir(top) and os.lstat(top).st_uid == os.getuid():
        remove(top)
    os.unlink(STATE)
    print("ended %d processes and removed %s" % (running, top))
    return 0


def kept(top, words):
    with open(os.open(STATE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"top": top, "processes": read_record(top)}, file)
    program = os.path.relpath(binary(), ROOT)
    print("""
All of it goes on running. To look around, from %(root)s:

  %(program)s status --data %(top)s/alice
  %(program)s feed --data %(top)s/bob
  %(program)s followers --data %(top)s/alice
  %(program)s post "another one" --data %(top)s/alice
  %(program)s --help

Data, logs and the tors are in %(top)s (passphrases: alice %(alice)s, bob %(bob)s).
To end it and remove all of that:

  packaging/quickstart --stop
""" % dict(words, root=ROOT, program=program, top=top))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--stop", action="store_true")
    parser.add_argument("--since", type=float, default=0.0, help="seconds that went by before")
    options = parser.parse_args()
    if options.stop:
        return stop()
    if options.keep and os.path.exists(STATE):
        print("an earlier --keep has left its state: end it first with packaging/quickstart --stop", file=sys.stderr)
        return 1

    def interrupted(number, frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, interrupted)
    top = private_dir("bivouac-quickstart-")
    teller, nodes, nets, keep, code = Teller(options.since), [], [], False, 1
    try:
        words = tell(teller, top, nodes, nets)
        code, keep = 0, options.keep
        if keep:
            kept(top, words)
    except KeyboardInterrupt:
        print("\nended on request", file=sys.stderr)
        code = 130
    except (Failed, OSError) as error:
        print("\nquickstart: %s" % error, file=sys.stderr)
        for node in nodes:
            print("--- the end of %s's log\n%s" % (node.name, node.log_tail(20)), file=sys.stderr)
    finally:
        if not keep:
            for node in nodes:
                if node.process:
                    node.process.send(signal.SIGTERM)
            for node in nodes:
                if node.process:
                    node.process.end(6)
            for net in nets:
                net.stop()
            end_recorded(read_record(top))
            remove(top)
    if code == 0 and not keep:
        teller.line("everything has been ended and removed; --keep leaves it running, --public runs a node of yours")
    return code


if __name__ == "__main__":
    sys.exit(main())

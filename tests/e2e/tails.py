# SPDX-License-Identifier: BSD-3-Clause
"""Behind the filter that Tails has in front of tor (onion_grater.py), with a real tor and the profile that the package installs."""
import os
import shutil
import socket
import subprocess
import time

from harness import Failed, binary, check, check_equal, wait_until
from node import follow, limit
from onion_grater import OnionGrater, load_profiles

PROFILE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "packaging", "onion-grater",
                       "bivouac.yml")


class Filtered:
    """What a node takes for its tor: the filter's port, the tor behind it."""

    def __init__(self, stage, name, with_profile=True):
        self.tor = stage.private.start_client(name + "tor")
        self.folder = stage.sub(name + "-onion-grater.d")
        self.filter = OnionGrater(self.tor, self.folder, (binary(), "/usr/bin/bivouac", "amnesia"))
        stage.afterwards.append(self.filter.stop)
        self.control_address = self.filter.address
        if with_profile:
            self.install()

    def install(self):
        shutil.copy(PROFILE, os.path.join(self.folder, "bivouac.yml"))


def speak(address, *lines, family=socket.AF_INET):
    """What the filter answers to somebody who is no bivouac."""
    host, port = address.split(":")
    with socket.socket(family) as sock:
        sock.settimeout(10)
        sock.connect(("::ffff:" + host if family == socket.AF_INET6 else host, int(port)))
        got = b""
        for line in lines:
            try:
                sock.sendall(line + b"\r\n")
                more = sock.recv(4096)
            except ConnectionError:
                more = b""
            if not more:
                return got + b"<closed>"
            got += more
        return got


@limit(240)
def test_a_node_behind_the_filter(stage):
    """It publishes, a follower works; tor starts anew without a sign, and the onion comes back; nothing was said that the profile
    does not know."""
    behind = Filtered(stage, "alice")
    alice = stage.node("alice", behind)
    bob = stage.node("bob", "child")
    check_equal(alice.status()["tor"]["mode"], "control", "whose tor")
    check_equal(alice.status()["tor"]["socks"], "127.0.0.1:%d" % behind.tor.socks_port, "the SOCKS port that tor told")
    check(alice.tor_child() is None, "no tor of its own")
    follow(alice, bob, 100)
    alice.post("from behind the filter")
    bob.wait_text("from behind the filter", 60)

    connections = len(behind.filter.clients)
    behind.tor.kill()
    behind.tor.launch()
    behind.tor.wait_bootstrapped()
    begin = time.monotonic()
    wait_until(lambda: alice.status()["tor"]["restarts"] >= 1, 40, "it sees that its onion is gone", 0.2)
    alice.wait_published(60)
    stage.say("published again %.1f s after tor was back" % (time.monotonic() - begin))
    check(time.monotonic() - begin < 60, "soon")
    check_equal(len(behind.filter.clients), connections, "the connection of the node never ended")
    alice.post("after tor came back")
    bob.wait_text("after tor came back", 100)
    check_equal(behind.filter.refused, [], "what the profile did not let through")
    check_equal(behind.filter.closed, [], "connections that the filter ended")

    # And nothing is allowed that nobody sends, but for the word that takes an onion down: a unit test has that.
    profile = load_profiles(behind.folder)[0]
    allowed = {(command, rule) for command, rules in profile["commands"].items() for rule in rules}
    allowed |= {("event", name) for name in profile["events"]}
    unused = allowed - behind.filter.matched
    check_equal({command for command, _ in unused} - {"DEL_ONION"}, set(), "allowed, and never said")


@limit(240)
def test_a_missing_profile_is_told_and_mended(stage):
    behind = Filtered(stage, "alice", with_profile=False)
    alice = stage.node("alice", behind, start=False)
    alice.launch().wait_answering()

    def problem():
        return alice.status()["tor"].get("problem", "")
    said = wait_until(lambda: "510" in problem() and problem(), 20, "the words: %r" % problem())
    for word in ("510 Command filtered", "/etc/onion-grater.d/bivouac.yml", "missing or was changed", "Restart Tails", "docs/tails.md"):
        check(word in said, "%r in %r" % (word, said))
    check(word in alice.do("status"), "in `status`")
    behind.install()
    alice.wait_published(90)
    check_equal(problem(), "", "after it was installed, without starting anything anew")

    # One of an older version, which does not know the onion's line.
    alice.stop()
    with open(PROFILE) as file:
        text = file.read()
    with open(os.path.join(behind.folder, "bivouac.yml"), "w") as file:
        file.write(text.replace("MaxStreams=64", "MaxStreams=32"))
    alice.launch().wait_answering()
    wait_until(lambda: "does not take the onion" in problem() and "docs/tails.md" in problem(), 30, lambda: "the words: %r" % problem())
    for _ in range(40):  # it stays said while it tries again and again
        check("docs/tails.md" in problem(), "the words went away: %r" % problem())
        time.sleep(0.1)
    behind.install()
    alice.wait_published(90)


@limit(120)
def test_the_filter_itself(stage):
    """Others than bivouac, other users, other words, long lines, IPv6: as documented."""
    behind = Filtered(stage, "alice")
    address = behind.control_address
    if os.geteuid() == 0:  # nobody else may see whose socket it is
        check_equal(speak(address, b"PROTOCOLINFO 1", b"GETINFO version"), b"510 Command filtered\r\n" * 2, "to another program")
        behind.filter.stands_for = (os.path.realpath("/proc/self/exe"), "/usr/bin/bivouac", "somebody")
        check_equal(speak(address, b"GETINFO version"), b"510 Command filtered\r\n", "to another user")
    behind.filter.stands_for = (os.path.realpath("/proc/self/exe"), "/usr/bin/bivouac", "amnesia")
    answers = speak(address, b"PROTOCOLINFO 1", b"AUTHENTICATE", b"GETINFO version", b"GETINFO version x", b"AUTHCHALLENGE SAFECOOKIE 00",
                    b"SIGNAL SHUTDOWN", b"SETEVENTS HS_DESC CIRC", b"SETEVENTS HS_DESC").decode()
    check("METHODS=NULL" in answers and "250-version=0.4" in answers, answers)
    check_equal(answers.count("510 Command filtered"), 4, answers)
    check_equal(speak(address, b"GETINFO " + b"x" * 11000), b"<closed>", "a long line")
    check_equal(speak(address, b"GETINFO version", family=socket.AF_INET6), b"<closed>", "an IPv6 socket")
    shutil.copy(PROFILE, os.path.join(behind.folder, "another.yml"))
    check_equal(speak(address, b"GETINFO version"), b"<closed>", "two profiles for one program")


@limit(90)
def test_on_tails_its_port_is_the_default(stage):
    """Known by /etc/os-release: then no other port is tried, and no tor is started."""
    alice = stage.node("alice", "none", start=False)
    release = stage.file("os-release", b'PRETTY_NAME="Tails"\nID=tails\nVERSION_ID="7.3"\n')
    done = subprocess.run(["unshare", "--map-root-user", "--mount", "true"], capture_output=True)
    if done.returncode != 0:
        raise Failed("this test needs a mount namespace of its own: " + done.stderr.decode())
    alice.wrap = ["unshare", "--map-root-user", "--mount", "sh", "-c", 'mount --bind "$0" /etc/os-release && exec "$@"', release]
    alice.run_args = lambda: ["run", "--data", alice.data, "--passphrase-file", "-"]
    alice.launch().wait_answering()
    wait_until(lambda: "127.0.0.1:951" in alice.status()["tor"].get("problem", ""), 20,
               lambda: "the port of Tails: %r" % alice.status()["tor"])
    check_equal(alice.status()["tor"]["mode"], "control", "whose tor")
    check(alice.tor_child() is None, "no tor of its own")
    check(not alice.status()["sandbox"]["broker"]["may_start_tor"], "nor can it start one")
    alice.stop()
    extra = stage.file("extra", b"DisableNetwork 1\n")
    done = subprocess.run(alice.wrap + [alice.program, "run", "--data", alice.data, "--passphrase-file", "-", "--tor-extra", extra],
                          input=b"x\n", capture_output=True, env=alice.env, timeout=20)
    check_equal(done.returncode, 1, "a second tor on Tails")
    check(b"Tails" in done.stderr, "the refusal: %r" % done.stderr)

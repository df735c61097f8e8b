# SPDX-License-Identifier: BSD-3-Clause
"""The ways tor can hand over connections, a peer who shows up while a delivery hangs, and large attachments."""
import os
import stat
import time

import fake_tor
import tent
from harness import Failed, check, check_equal, free_ports, wait_until
from node import follow, limit, noise


def test_listen_on_a_given_port_and_on_a_unix_socket(stage):
    alice = stage.node("alice", start=False)
    port = free_ports(1)[0]
    alice.extra_args = ["--listen", "127.0.0.1:%d" % port]
    alice.start()
    check_equal(alice.status()["listen"], "127.0.0.1:%d" % port, "where alice listens")
    bob = stage.node("bob", start=False)
    path = os.path.join(stage.top, "onion.sock")
    bob.extra_args = ["--listen", "unix:" + path]
    bob.start()
    check(stat.S_ISSOCK(os.stat(path).st_mode), "bob listens on a unix socket")
    follow(alice, bob)
    alice.post("through a socket")
    bob.wait_text("through a socket", 30)


def test_other_listen_addresses_are_refused(stage):
    node = stage.node("alice", "none", start=False)
    for address in ("0.0.0.0:0", "[::]:0", "192.168.1.1:80", "localhost:0", "127.0.0.1", "unix:relative", "nonsense"):
        words = node.refused("run", "--passphrase-file", "-", "--tor-control", "127.0.0.1:1", "--listen", address,
                             stdin=(node.passphrase + "\n").encode())
        check("listen" in words, "the refusal of %s: %s" % (address, words))


@limit(60)
def test_a_peer_who_shows_up_is_served_at_once(stage):
    """A delivery hangs in the network; bob comes back and greets; it is sent again without waiting for the hanging one."""
    alice, bob = stage.pair()
    alice.tor.towards[bob.tor.onions()[0]] = fake_tor.Faults()
    alice.tor.towards[bob.tor.onions()[0]].stall = 600
    alice.tor.drop_streams()
    alice.post("hangs at first")
    time.sleep(11)
    check(not bob.has_text("hangs at first"), "the stalled connection carried a post")
    alice.tor.towards.clear()
    bob.stop()
    bob.start()
    bob.wait_text("hangs at first", 15)
    check_equal(bob.texts(alice.entity).count("hangs at first"), 1, "how often it is there")


@limit(180)
def test_onion_from_torrc(stage):
    """tor configured by hand: the onion's key written out, HiddenServiceDir, no control connection."""
    net = stage.private
    alice = stage.node("alice", "none")
    folder = os.path.join(stage.top, "onion")
    alice.do("onion-key", folder)
    check_equal(stat.S_IMODE(os.stat(folder).st_mode), 0o700, "mode of the key directory")
    check_equal(open(os.path.join(folder, "hostname")).read().strip(), alice.entity[len("http://"):], "hostname file")
    alice.refused("onion-key", folder)
    alice.stop()
    port = free_ports(1)[0]
    tor = net.start_client("byhand", wait=False)
    torrc = os.path.join(tor.dir, "torrc")
    tor.end()
    with open(torrc, "a") as file:
        file.write("HiddenServiceDir %s\nHiddenServicePort 80 127.0.0.1:%d\n" % (folder, port))
    tor.restart()
    bob = stage.node("bob", "child")

    alice.tor = None
    alice.run_args = lambda: ["run", "--data", alice.data, "--passphrase-file", "-", "--onion-from-torrc", "--listen",
                              "127.0.0.1:%d" % port, "--tor-socks", "127.0.0.1:%d" % tor.socks_port]
    alice.launch().wait_answering()
    wait_until(lambda: alice.status()["published"], 20, "alice counts as published", 0.1)
    follow(alice, bob, 100)
    alice.post("by hand")
    bob.wait_text("by hand", 60)

    # The same with circuits: tor puts a line before each connection, and only with it is anything served.
    alice.stop()
    tor.end()
    with open(torrc, "a") as file:
        file.write("HiddenServiceExportCircuitID haproxy\n")
    tor.restart()
    usual = alice.run_args
    alice.run_args = lambda: usual() + ["--circuit-ids"]
    alice.launch().wait_answering()
    alice.post("with circuits")
    bob.wait_text("with circuits", 100)
    bob.post("seen")
    alice.refused("run", "--circuit-ids", code=2)
    try:
        answered = alice.get("/")
    except (OSError, Failed):
        answered = None
    check(answered is None, "without the line there is no answer")
    carol = stage.node("carol", "child")
    follow(alice, carol, 100)


def forget_peak(pid):
    """The peak begins anew, as that of checking a passphrase would hide everything after it; and where it begins."""
    try:
        with open("/proc/%d/clear_refs" % pid, "w") as file:
            file.write("5")
    except PermissionError:  # the node lets nobody but root look
        pass
    return resident(pid)


def resident(pid):
    """The peak."""
    with open("/proc/%d/status" % pid) as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@limit(120)
def test_a_large_attachment_passes_in_bounded_memory(stage):
    """48 MiB from alice's disk to bob's node: neither holds it in memory."""
    alice, bob = stage.pair()
    before = {node.name: forget_peak(node.pid) for node in (alice, bob)}
    data = noise(1 << 20) * 48
    path = stage.file("large.bin", data)
    post = alice.post("large", "--as-is", path)
    check_equal(post["attachments"][0]["digest"], tent.digest(data), "digest at alice")
    bob.wait_text("large", 30)

    def whole():
        code, out, _ = bob.raw("attachment", alice.entity, post["id"], "file-1.bin", timeout=60)
        return code == 0 and (out,)
    got = wait_until(whole, 60, "bob holds it", 0.3)[0]
    check(got == data, "the bytes differ")
    for node in (alice, bob):
        grown = resident(node.pid) - before[node.name]
        stage.say("%s grew by %.1f MiB" % (node.name, grown / (1 << 20)))
        check(grown < 40 << 20, "%s grew by %d MiB" % (node.name, grown >> 20))


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(stage):
    alice = stage.node("alice", "none")
    path = os.path.join(stage.top, "huge.bin")
    with open(path, "wb") as file:
        file.truncate(101 << 20)
    words = alice.refused("post", "too large", "--as-is", path, timeout=90)
    check("100 MiB" in words, words)
    check_equal(alice.json("feed")["posts"], [], "the feed afterwards")
    alice.refused("post", "x", "--attach", os.path.join(stage.top, "missing"))
    alice.refused("post", "x", "--attach", stage.top)

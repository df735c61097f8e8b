# SPDX-License-Identifier: BSD-3-Clause
"""Outages: a peer that is away, a tor that dies, a network that refuses, stalls and cuts. Nothing is lost."""
import os
import time

import fake_tor
import tent
from harness import HOST, check, check_equal, same_process, wait_until
from node import limit


def check_all_once(node, entity, wanted, seconds, what):
    """All the texts arrive, once each, in the order in which they were posted."""
    def there():
        return set(wanted) <= set(node.texts(entity))
    wait_until(there, seconds, lambda: "%s: %s has %r of %r, status %r\n%s" % (
        what, node.name, node.texts(entity), wanted, node.status(), node.log_tail()), 0.2)
    check_equal([t for t in node.texts(entity) if t in set(wanted)], wanted, what)


def reach(node, proxy_port, seconds=60):
    """Seconds until the node's onion answers through that SOCKS port."""
    begin = time.monotonic()

    def answered():
        try:
            return tent.request((node.host, 80), "GET", "/", node.host, socks=(HOST, proxy_port),
                                socks_user=os.urandom(4).hex(), timeout=20).status == 200
        except OSError:
            return False
    wait_until(answered, seconds, lambda: "%s is reachable: %s\n%s" % (node.name, node.status(), node.log_tail()), 0.2)
    return time.monotonic() - begin


def peer_away(stage, tor, kill, back, seconds):
    alice, bob = stage.pair(tor)
    alice.post("before")
    bob.wait_text("before", 60)
    kill(bob)
    wait_until(lambda: not bob.status().get("published"), 60, "bob's node notices that its tor is gone")
    wanted = ["one while away", "two while away", "three while away"]
    for text in wanted:
        alice.post(text)
    time.sleep(2)
    check(not set(wanted) & set(bob.texts()), "posts at bob while his tor is stopped")
    check(alice.outbox_waiting() >= 1, "alice's outbox: %r" % alice.status()["outbox"])
    back(bob)
    bob.wait_published(90)
    check_all_once(bob, alice.entity, wanted, seconds, "after bob came back")
    wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "alice's outbox is empty: %r" % alice.status()["outbox"])


@limit(180)
def test_three_posts_while_bob_is_away(stage):
    peer_away(stage, "fake", lambda bob: bob.tor.kill(), lambda bob: bob.tor.start(), 90)


@limit(300)
def test_three_posts_while_bob_is_away_on_real_tors(stage):
    peer_away(stage, "client", lambda bob: bob.tor.end(), lambda bob: bob.tor.restart(), 150)


@limit(120)
def test_three_posts_while_bobs_node_is_stopped(stage):
    alice, bob = stage.pair()
    bob.stop()
    wanted = ["one", "two", "three"]
    for text in wanted:
        alice.post(text)
    bob.start()
    check_all_once(bob, alice.entity, wanted, 90, "after bob's node came back")


@limit(120)
def test_alices_tor_dies_under_her(stage):
    alice, bob = stage.pair()
    reach(alice, bob.tor.socks_port)
    pid = alice.pid
    for turn in range(3):
        alice.tor.kill()
        wait_until(lambda: not alice.status()["published"], 20, "alice's node notices")
        alice.tor.start()
        alice.wait_published(40)
        reach(alice, bob.tor.socks_port)
    alice.post("after three deaths")
    bob.wait_text("after three deaths", 60)
    check_equal(alice.pid, pid, "alice's node")


@limit(300)
def test_alices_tor_dies_under_her_on_real_tors(stage):
    """Once a tor beside her, once the one that she has started herself."""
    private = stage.private
    bob = stage.node("bob", "client")
    for kind in ("client", "child"):
        alice = stage.node("alice" + kind, kind)
        reach(alice, bob.tor.socks_port)
        stage.say("%s: reachable" % kind)
        if kind == "client":
            alice.tor.kill()
            wait_until(lambda: not alice.status()["published"], 20, "alice's node notices")
            alice.tor.restart(wait=False)
        else:
            old = alice.tor_child()
            check(old, "alice has a tor of her own")
            # The child of a process that we have started: ours to end.
            os.kill(old[0], 9)
            wait_until(lambda: not same_process(*old), 5, "it has ended")
            wait_until(lambda: alice.tor_child() not in (None, old), 60, "alice starts another tor")
        alice.wait_published(90)
        # A visitor's tor keeps the old descriptor for a moment.
        reach(alice, bob.tor.socks_port, 90)
        stage.say("%s: reachable again" % kind)
        alice.need_alive()
        alice.stop()
    check(private, "the network")


@limit(120)
def test_control_connection_drops(stage):
    alice, bob = stage.pair()
    for _ in range(3):
        before = alice.tor.logins
        alice.tor.drop_control()
        wait_until(lambda: alice.tor.logins > before, 40, "a new login")
        alice.wait_published(40)
        reach(alice, bob.tor.socks_port)


@limit(120)
def test_onions_vanish_behind_a_filter(stage):
    """As on Tails: tor restarts, the filter's connection stays, nobody says a word."""
    stage.fake
    alice = stage.node("alice", stage.fake.node("alice", "NULL"))
    bob = stage.node("bob")
    reach(alice, bob.tor.socks_port)
    alice.tor.forget_onions()
    reach(alice, bob.tor.socks_port, 60)


def test_one_circuit_for_each_peer(stage):
    """The isolation user names: stable for one peer, different for another, never empty."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    bob.do("follow", carol.entity)
    carol.wait_follower(bob.entity, "pending")
    for user, onions in bob.tor.users().items():
        check_equal(len(onions), 1, "peers that shared the SOCKS user %r" % user)
        check(not user.startswith("<torS0X>"), "a reserved user name")
    names = {n.tor.name: set(n.tor.users()) for n in (alice, bob, carol)}
    check(not names["alice"] & names["bob"], "user names that two nodes share")


@limit(240)
def test_a_bad_network_loses_nothing(stage):
    """Attempts that fail, connections refused, stalled, cut in either direction: each post arrives once."""
    alice, bob = stage.pair()
    wanted = []

    def post(count):
        for _ in range(count):
            wanted.append("post %d of a bad day" % len(wanted))
            alice.post(wanted[-1])

    faults = alice.tor.faults
    for name, values in (("cut_up", (0, 60, 400, 900)), ("cut_down", (0, 20, 150))):
        for value in values:
            setattr(faults, name, value)
            faults.cut_times = 1
            alice.tor.drop_streams()
            post(1)
            wait_until(lambda: faults.cut_times == 0, 30, "a connection was cut (%s %d)" % (name, value))
            faults.clear()
            # Only after a success does a peer's waiting time start anew.
            wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "delivered after the cut: %r" % alice.status())
    stage.say("cut")
    faults.refuse = 5
    alice.tor.drop_streams()
    post(1)
    time.sleep(1)
    faults.clear()
    faults.fail_fraction = 0.5
    for _ in range(4):
        alice.tor.drop_streams()
        post(1)
        time.sleep(0.5)
    faults.clear()
    faults.latency = 0.2
    post(2)
    check_all_once(bob, alice.entity, wanted, 150, "after a bad day")
    wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "alice's outbox is empty: %r" % alice.status()["outbox"])


@limit(120)
def test_a_stalled_peer_holds_nobody_up(stage):
    """One peer's circuit hangs; another one gets the posts meanwhile, and SIGTERM still takes at most 5 s."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    carol.do("follow", alice.entity)
    alice.wait_follower(carol.entity, "pending")
    alice.do("followers", "approve", carol.entity)
    carol.wait_following(alice.entity, "approved")
    alice.tor.towards[bob.onion] = fake_tor.Faults()
    alice.tor.towards[bob.onion].stall = 600
    alice.tor.drop_streams()
    for i in range(5):
        alice.post("post %d past a stalled peer" % i)
    begin = time.monotonic()
    carol.wait_text("post 4 past a stalled peer", 20)
    stage.say("carol had all of it after %.1f s" % (time.monotonic() - begin))
    check(not bob.has_text("post 0 past a stalled peer"), "a post came through a stalled connection")
    alice.stop()
    alice.tor.towards.clear()
    alice.start()
    check_all_once(bob, alice.entity, ["post %d past a stalled peer" % i for i in range(5)], 60, "after the stall")


@limit(90)
def test_sigterm_with_a_full_outbox(stage):
    """It ends in time, and what was waiting is still waiting afterwards."""
    alice, bob = stage.pair()
    bob.tor.kill()
    for i in range(20):
        alice.post("waiting %d" % i)
    stage.say("ended in %.1f s" % alice.stop())
    alice.start()
    check(alice.outbox_waiting() >= 1, "the outbox after a restart: %r" % alice.status()["outbox"])
    bob.tor.start()
    bob.wait_published(40)
    check_all_once(bob, alice.entity, ["waiting %d" % i for i in range(20)], 60, "after the restart")


@limit(60)
def test_a_tor_that_comes_late(stage):
    """The node starts before its tor does, and before the tor has bootstrapped."""
    tor = stage.fake.node("alice")
    tor.kill()
    alice = stage.node("alice", tor, start=False)
    alice.launch().wait_answering()
    check(not alice.status()["published"], "published without any tor")
    tor.bootstrap = 40
    tor.start()
    wait_until(lambda: alice.status()["tor"]["bootstrap"] == 40, 30, lambda: "status shows 40 %%: %r" % alice.status())
    check(not alice.status()["published"], "published at 40 %")
    tor.bootstrap = 100
    alice.wait_published(40)

# SPDX-License-Identifier: BSD-3-Clause
"""SIGKILL at many moments: what `post` has acknowledged is there, and arrives exactly once.

The moments are random with a seed that is printed, so that a failure can be had again:
BIVOUAC_SEED=N python3 tests/e2e/run.py crash
"""
import json
import os
import random
import threading
import time

from harness import check, check_equal, wait_until
from node import follow, limit, picture


def seed():
    value = int(os.environ.get("BIVOUAC_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 31)
    print("seed %d" % value)
    return random.Random(value)


class Poster(threading.Thread):
    """Posts until told to stop; remembers which texts were acknowledged, under which id."""

    def __init__(self, node, turn, picture_path):
        super().__init__(daemon=True)
        self.node, self.turn, self.picture = node, turn, picture_path
        self.tried, self.acknowledged = [], {}
        self.over = False

    def run(self):
        count = 0
        while not self.over and count < 40:
            text = "round %d post %d" % (self.turn, count)
            self.tried.append(text)
            extra = ["--attach", self.picture] if count % 3 == 2 else []
            try:
                code, out, _ = self.node.cli("post", text, "--json", *extra, timeout=20)
            except Exception:
                return
            if code == 0:
                self.acknowledged[text] = json.loads(out)["post"]["id"]
            count += 1


def everything(node):
    """(text, id) of every status post, however long the feed has become."""
    return [(p["content"].get("text"), p["id"]) for p in node.all_posts()]


def killable_pair(stage):
    """alice and bob with a local API each, which is how everything() sees more than one page."""
    alice, bob = [stage.node(name, "fake", start=False) for name in ("alice", "bob")]
    for node in (alice, bob):
        node.extra_args = ["--local-api"]
        node.start()
    follow(alice, bob)
    return alice, bob


def check_exact(alice, bob, tried, acknowledged, seconds):
    """Acknowledged: at both, once. Not acknowledged: at most once, and at bob exactly if at alice."""
    mine = everything(alice)
    texts = [t for t, _ in mine]
    for text, id_ in acknowledged.items():
        check((text, id_) in mine, "%r was acknowledged and is gone" % text)
    check_equal(sorted(t for t in set(texts) if texts.count(t) > 1), [], "posts that alice has twice")

    def complete():
        return set(texts) <= {t for t, _ in everything(bob)}
    wait_until(complete, seconds, lambda: "bob has all of alice's posts; he lacks %r; alice: %r\n%s" % (
        sorted(set(texts) - {t for t, _ in everything(bob)}), alice.status(), alice.log_tail()), 0.5)
    time.sleep(1)
    at_bob = everything(bob)
    check_equal(sorted(at_bob), sorted(mine), "bob's posts against alice's")
    check(set(texts) <= set(tried), "posts that nobody made")


def kill_rounds(stage, rounds, victim_of):
    choice = seed()
    alice, bob = killable_pair(stage)
    path = stage.file("picture.png", picture(32))
    tried, acknowledged = [], {}
    for turn in range(rounds):
        victim = victim_of(turn, alice, bob)
        poster = Poster(alice, turn, path)
        poster.start()
        # From the first moment of posting to well into delivering.
        time.sleep(choice.uniform(0.0, 0.25) if turn % 3 else choice.uniform(0.0, 1.0))
        victim.kill9()
        poster.over = True
        poster.join(30)
        tried += poster.tried
        acknowledged.update(poster.acknowledged)
        victim.start(published=False)
        stage.say("round %d: %d tried, %d acknowledged" % (turn, len(poster.tried), len(poster.acknowledged)))
    for node in (alice, bob):
        node.wait_published()
    check(len(acknowledged) >= rounds // 3, "hardly anything was acknowledged (%d)" % len(acknowledged))
    check_exact(alice, bob, tried, acknowledged, 120)
    print("%d rounds, %d posts tried, %d acknowledged" % (rounds, len(tried), len(acknowledged)))


@limit(300)
def test_alice_is_killed_at_thirty_two_moments(stage):
    kill_rounds(stage, 32, lambda turn, alice, bob: alice)


@limit(240)
def test_bob_is_killed_at_twelve_moments(stage):
    """The receiver: what it has acknowledged to alice it must still have."""
    kill_rounds(stage, 12, lambda turn, alice, bob: bob)


@limit(120)
def test_killed_while_the_answer_is_on_its_way(stage):
    """bob has stored the post, alice never hears of it: she sends it again, and it is there once."""
    alice, bob = killable_pair(stage)
    alice.tor.faults.cut_down = 10
    alice.tor.faults.cut_times = 1
    alice.tor.drop_streams()
    post = alice.post("heard, but not answered")
    bob.wait_text("heard, but not answered")
    check_equal(alice.tor.faults.cut_times, 0, "connections to cut")
    alice.kill9()
    alice.tor.faults.clear()
    alice.start()
    wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "the outbox is empty: %r" % alice.status())
    check_equal([i for t, i in everything(bob) if t == "heard, but not answered"], [post["id"]], "the post at bob")


@limit(120)
def test_killed_during_the_handshake(stage):
    """Follow requests survive the death of either side at any step."""
    choice = seed()
    alice, bob = stage.pair(approved=False)
    bob.do("follow", alice.entity)
    for turn in range(6):
        time.sleep(choice.uniform(0.0, 0.15))
        victim = (bob, alice)[turn % 2]
        victim.kill9()
        victim.start(published=False)
    alice.wait_follower(bob.entity, "pending", 60)
    alice.do("followers", "approve", bob.entity)
    bob.wait_following(alice.entity, "approved", 60)
    alice.post("after the handshake")
    bob.wait_text("after the handshake", 60)

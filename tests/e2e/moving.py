# SPDX-License-Identifier: BSD-3-Clause
"""A new address, with followers (section 1.6): who is told, what stays as it was, what is refused."""
import json
import os
import random
import signal
import subprocess
import time

import tent
from entities import Face, add
from failures import SUBSCRIPTION, peer
from fake_server import META
from harness import HOST, check, check_equal, wait_until
from keys import exported, file_of, key_tool, restore
from node import Node, PASSPHRASE, follow, limit, noise

KILLS = 50


def verified(node, entity):
    """All posts by that entity at a node: each version id is that of its text, and none is there twice."""
    posts = [p for p in node.json("feed", "--limit", "200", "--all")["posts"] if p["entity"] == entity]
    seen = set()
    for post in posts:
        check_equal(tent.version_id(post), post["version"]["id"], "%s: version id of %r" % (node.name, post))
        key = (post["id"], post["version"]["id"])
        check(key not in seen, "%s: twice: %r" % (node.name, key))
        seen.add(key)
    return posts


def meta_at(node, onion, entity):
    """What anybody finds who asks for an address: discovery, then the meta post."""
    target = node.tor.net.routes[onion].ports[80]
    address = (target[0], int(target[1])) if isinstance(target, tuple) else (HOST, int(str(target).rpartition(":")[2]))
    found = tent.request(address, "HEAD", "/", onion + ".onion")
    link = tent.link(found, tent.REL_META)
    check(link, "a link to the meta post")
    target = link[link.index("/posts/"):]
    return tent.request(address, "GET", target, onion + ".onion")


@limit(300)
def test_five_followers_two_of_them_away(stage):
    alice = stage.node("alice")
    names = ["bob", "carol", "dora", "erik", "fred"]
    people = [stage.node(name) for name in names]
    bob, carol, dora, erik, fred = people
    for one in people:
        follow(alice, one)
    follow(bob, alice)
    alice.do("group", "add", "Close")
    alice.do("followers", "approve", carol.entity, "--group", "Close")
    stranger, blocked = stage.node("stranger"), stage.node("blocked")
    blocked.do("follow", alice.entity)
    alice.wait_follower(blocked.entity, "pending")
    alice.do("followers", "block", blocked.entity)
    link = alice.json("invite", "--group", "Close")["link"]
    picture = stage.file("picture.png", noise(40_000))
    old_post = alice.json("post", "before the move", "--as-is", picture)["post"]
    secret = alice.json("post", "for the close ones", "--to", "group:Close")["post"]
    to_bob = alice.json("post", "to bob alone", "--to", bob.entity)["post"]
    for one in people:
        one.wait_text("before the move")
    bob.do("post", "an answer", "--reply-to", alice.entity + "/" + old_post["id"])
    alice.wait_text("an answer")
    bob.post("by bob")
    alice.wait_text("by bob")
    texts = alice.texts()
    dora.stop()
    erik.stop()

    old = alice.entity
    check("nothing was done" in alice.refused("move"), "asked once")
    new = alice.json("move", "--yes", timeout=90)["entity"]
    check(new != old, "a new address")
    alice.entity = new
    alice.wait_published()
    check_equal(alice.texts(), texts, "her posts")
    check_equal({state for entity, state in alice.followers().items() if entity != blocked.entity}, {"approved"}, "her followers")
    for post in verified(alice, new):
        check(post["type"].startswith("https://tent.io/types/meta") or post.get("original_entity") == old or post["published_at"] >= old_post["published_at"],
              "the old address in %r" % post)
    check_equal([p for p in alice.feed() if p["entity"] == old], [], "none by the old address")

    alice.post("after the move")
    for one in (bob, carol, fred):
        one.wait_text("after the move", 60)
        check_equal(one.following(), {new: "approved"}, "%s: whom she follows" % one.name)
        moved = one.json("following")["following"][0]["moved"]
        check_equal(moved["from"], old, "%s is told" % one.name)
        check(old in one.do("following"), "in words")
    check_equal(alice.followers()[bob.entity], "approved", "nobody was asked again")
    alice.post("for the close ones again", "--to", "group:Close")
    carol.wait_text("for the close ones again")
    check_equal(bob.followers()[new], "approved", "bob's follower has moved, too")
    bob.post("by bob, later")
    alice.wait_text("by bob, later")
    for one in (bob, carol, fred):
        wait_until(lambda: not [p for p in one.feed() if p["entity"] == old], 30, "%s: posts by the old address" % one.name)
        posts = verified(one, new)
        check_equal(sum(1 for p in posts if p.get("content", {}).get("text") == "before the move"), 1, "%s: no post twice" % one.name)
        check_equal(one.attachment(new, old_post["id"], "file-1.bin"), open(picture, "rb").read(), "the picture")
    answers = bob.json("show", new, old_post["id"])["about_it"]
    check_equal([a["content"]["text"] for a in answers], ["an answer"], "the thread holds together")
    check_equal([a["content"]["text"] for a in alice.json("show", new, old_post["id"])["about_it"]], ["an answer"], "at alice's as well")
    alice.do("post", "an answer to the answer", "--reply-to", bob.entity + "/" + answers[0]["id"])
    bob.wait_text("an answer to the answer")
    check_equal(bob.json("show", old, to_bob["id"])["post"]["entity"], new, "the old address names her still")

    # Those who were away.
    dora.start()
    erik.start()
    for one in (dora, erik):
        one.wait_text("after the move", 60)
        check_equal(one.following(), {new: "approved"}, one.name)
        verified(one, new)
    wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "all delivered: %s" % alice.do("deliveries"))

    # Whoever comes by the old address.
    answer = meta_at(alice, old[len("http://"):-len(".onion")], old)
    check_equal(answer.status, 200, "the meta post at the old address")
    meta = answer.json()["post"]
    check_equal((meta["content"]["entity"], meta["content"]["previous_entities"]), (new, [old]), "it says where she is")
    check(all(url.startswith(new) for server in meta["content"]["servers"] for url in server["urls"].values()), "her servers")
    stranger.do("follow", old)
    alice.wait_follower(stranger.entity, "pending", 60)
    wait_until(lambda: new in stranger.following(), 60, lambda: "the stranger follows the new one: %r" % stranger.following())
    guest = stage.node("guest")
    guest.do("follow", link)
    alice.wait_follower(guest.entity, "approved", 60)
    check_equal(blocked.following().get(new), None, "who is blocked is not told")
    check(secret["id"] and bob.refused("show", new, secret["id"]), "what bob may not see")

    # And once more, by whoever has the data only.
    alice.stop()
    bob.stop()
    alice.do("move", "--yes", "--passphrase-file", file_of(stage, alice.passphrase), timeout=90)
    alice.start()
    third = alice.entity
    check(third not in (old, new), "a third address")
    alice.post("from the third address")
    for one in (carol, dora, erik, fred):
        one.wait_text("from the third address", 60)
    bob.start()
    bob.wait_text("from the third address", 60)
    verified(bob, third)
    check_equal(bob.following(), {third: "approved"}, "bob")


@limit(240)
def test_from_a_backup_when_the_machine_is_gone(stage):
    """The old machine is gone, its last backup has the key of the address: a follower who was away through two moves finds her."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    follow(alice, carol)
    alice.post("before")
    for one in (bob, carol):
        one.wait_text("before")
    file = os.path.join(stage.top, "a.backup")
    code, out, err = alice.cli("backup", file, "--passphrase-file", file_of(stage, PASSPHRASE), "--backup-passphrase-file",
                               file_of(stage, "words of the backup"), timeout=60)
    check_equal(code, 0, err)
    old = alice.entity
    alice.kill9()
    carol.stop()
    again = Node(alice.program, stage.top, "again", stage.fake.node("again"))
    stage.nodes.append(again)
    check_equal(restore(stage, again, file)[0], 0, "restored")
    words = ["--passphrase-file", file_of(stage, again.passphrase)]
    first = again.json("move", "--yes", *words, timeout=60)["entity"]
    again.start()
    check_equal(again.entity, first, "the new address")
    again.post("from elsewhere")
    bob.wait_text("from elsewhere", 60)
    second = again.json("move", "--yes", "--keep-old", "0", timeout=90)["entity"]
    again.entity = second
    again.wait_published()
    again.post("from the second one")
    bob.wait_text("from the second one", 60)
    carol.start()
    carol.wait_text("from the second one", 90)
    check_equal(carol.following(), {second: "approved"}, "carol, who missed both")
    check_equal(sorted(carol.texts()), ["before", "from elsewhere", "from the second one"], "and lost nothing")
    for one in (bob, carol):
        verified(one, second)


@limit(300)
def test_a_move_that_is_killed(stage):
    """The old or the new address with everything, never something between."""
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    alice.start()
    for number in range(60):
        alice.post("post %d" % number)
    texts = alice.texts()
    alice.stop()
    words = ["--passphrase-file", file_of(stage, PASSPHRASE)]
    chance, moved = random.Random(3), 0
    begin = time.monotonic()
    now = alice.json("move", "--yes", *words)["entity"]
    usual = (time.monotonic() - begin) * 1.2
    for turn in range(KILLS):
        process = subprocess.Popen([alice.program, "move", "--data", alice.data, "--yes"] + words, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0.2, 1) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
        listed = alice.json("entity", "list", *words)["entities"][0]["entity"]
        moved += listed != now
        now = listed
    check(0 < moved < KILLS, "both happened: %d moves of %d" % (moved, KILLS))
    alice.start()
    check_equal((alice.entity, alice.texts()), (now, texts), "whole")
    posts = verified(alice, now)
    check_equal(len([p for p in posts if p["type"].startswith(tent.STATUS)]), 60, "all by the address of today")


@limit(240)
def test_one_of_two_moves(stage):
    """Of two entities of a node one moves; the other one's followers, posts and address stay."""
    alice, bob = stage.node("alice"), stage.node("bob")
    club = add(alice, "club")
    follow(club, bob)
    follow(alice, bob)
    club.post("from the club")
    bob.wait_text("from the club")
    old, other = club.entity, alice.entity
    new = club.json("move", "--yes", timeout=90)["entity"]
    club = Face(alice, "club")
    check_equal((club.entity, alice.status()["entity"]), (new, other), "addresses")
    club.wait_published()
    club.post("from the new address")
    bob.wait_text("from the new address", 60)
    check_equal(bob.following(), {new: "approved", other: "approved"}, "whom bob follows")
    alice.post("not moved")
    bob.wait_text("not moved", 60)
    check(old != new, "moved")
    # Whoever is to be left out is left out by an address that she has left as well.
    posts = exported(stage, bob, "--without", old)[1]
    check([p for p in posts if p["entity"] == other] and not [p for p in posts if p["entity"] in (old, new)], "an export without her")


@limit(180)
def test_a_server_that_knows_nothing_of_moves(stage):
    """Section 1.6, the plain form: the meta post in the name of the old address, signed as before; then a new handshake."""
    alice = stage.node("alice")
    server = peer(stage, "plain")
    try:
        alice.do("follow", server.entity)
        alice.wait_following(server.entity, "requested")
        server.deliver(alice.entity, server.publish(SUBSCRIPTION + "all", {"type": "all"}, mentions=[{"entity": alice.entity}]))
        alice.wait_follower(server.entity, "pending")
        alice.do("followers", "approve", server.entity)
        alice.post("before")
        server.wait_received(lambda p: p.get("content", {}).get("text") == "before")
        old = alice.entity
        new = alice.json("move", "--yes", timeout=90)["entity"]
        alice.entity = new
        told = server.wait_received(lambda p: p["type"].startswith(META[:-1]) and p["content"].get("entity") == new, 60)
        check_equal((told["entity"], told["content"]["previous_entities"], "original_entity" in told), (old, [old], False), "in the old name")
        alice.post("after")
        got = server.wait_received(lambda p: p.get("content", {}).get("text") == "after", 90)
        check_equal(got["entity"], new, "by the new address, after a handshake")
        again = server.wait_received(lambda p: p["type"].startswith(SUBSCRIPTION) and p["entity"] == new and p["content"]["type"] == "all", 60)
        check_equal(again["original_entity"], old, "whom she follows is told again")
        check_equal(server.problems, [], "what was wrong with her requests")
    finally:
        server.stop()

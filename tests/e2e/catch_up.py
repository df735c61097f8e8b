# SPDX-License-Identifier: BSD-3-Clause
"""Whoever was away pulls what she missed from those whom she follows (sections 4.2 and 7.3)."""
import collections
import json
import time

import tent
from fake_server import META, Reply
from failures import peer
from harness import check, check_equal, wait_until
from node import follow, limit
from sharing import STATUS, AnApp

DELETE = "https://tent.io/types/delete/v0#"
PHOTO = "https://tent.io/types/photo/v0#"


def followed(stage, name="alice"):
    """A node bob that follows a server which has posts and never brings any."""
    bob, alice = stage.node("bob"), peer(stage, name)
    bob.do("follow", alice.entity)
    bob.wait_following(alice.entity, "requested")
    wait_until(lambda: caught_up(bob, alice.entity), 20, "the first catch-up")
    return bob, alice


def caught_up(node, entity):
    return {f["entity"]: f["caught_up_at"] for f in node.json("following")["following"]}[entity]


def catch_up(node, entity):
    answer = node.json("catch-up", entity, timeout=200)["catch_ups"]
    check_equal([a["entity"] for a in answer], [entity], "who was asked")
    return answer[0]["got"]


def all_texts(node, entity):
    return collections.Counter(p["content"].get("text") for p in node.all_posts() if p["entity"] == entity)


@limit(180)
def test_what_was_missed_is_pulled(stage):
    """Posts over several pages, new versions, deletions, a new profile, files; what is delivered later is not there twice."""
    bob, alice = followed(stage)
    bob.stop()
    bob.extra_args = ["--local-api"]
    bob.start()
    now = int(time.time() * 1000) - 3600_000
    posts = [alice.publish(STATUS, {"text": "post %d" % i}, published_at=now + i // 7) for i in range(230)]
    time.sleep(0.01)  # posts of one millisecond have no order
    private = alice.publish(STATUS, {"text": "for bob"}, permissions={"public": False, "entities": [bob.entity]})
    alice.publish(STATUS, {"text": "for somebody else"}, permissions={"public": False, "entities": ["http://carol.example"]})
    file = alice.publish(PHOTO, {}, attachments=[alice.attach(b"bytes" * 99, "a.png", "image/png", "photo")])
    alice.publish(META, alice.meta_content(profile={"name": "Alice"}), id="meta", version={
        "parents": [{"version": alice.latest(alice.entity, "meta")["version"]["id"]}]})
    got = catch_up(bob, alice.entity)
    check_equal(got, 233, "new versions")
    check_equal(all_texts(bob, alice.entity), collections.Counter(["post %d" % i for i in range(230)] + ["for bob"]), "posts at bob")
    feed = [p["content"]["text"] for p in bob.all_posts() if p["entity"] == alice.entity]
    check_equal(feed[-1], "for bob", "what was posted last arrived last")
    check_equal(bob.attachment(alice.entity, file["id"], "a.png"), b"bytes" * 99, "the file")
    meta = AnApp(bob).get(alice.entity, "meta", headers=[("Cache-Control", "no-proxy")]).json()["post"]
    check_equal(meta["content"]["profile"], {"name": "Alice"}, "the profile")

    edited = alice.publish(STATUS, {"text": "post 3, better"}, id=posts[3]["id"], published_at=posts[3]["published_at"],
                           version={"parents": [{"version": posts[3]["version"]["id"]}], "published_at": int(time.time() * 1000)})
    gone = alice.publish(DELETE, refs=[{"post": posts[5]["id"]}])
    del alice.posts[(alice.entity, posts[5]["id"])]
    check_equal(catch_up(bob, alice.entity), 2, "a version and a deletion")
    texts = all_texts(bob, alice.entity)
    check("post 3, better" in texts and "post 3" not in texts and "post 5" not in texts, "edited and deleted")
    check_equal(sum(texts.values()), 230, "nothing else has changed")
    for post in (posts[7], posts[5], edited, private, gone):
        check_equal(alice.deliver(bob.entity, post).status, 200, "a delivery that comes late")
    check_equal(all_texts(bob, alice.entity), texts, "late deliveries change nothing")
    check_equal(catch_up(bob, alice.entity), 0, "nothing new")
    bob.do("unfollow", alice.entity)
    check("do not follow" in bob.refused("catch-up", alice.entity), "whom one does not follow one does not ask")


@limit(150)
def test_killed_in_the_middle_it_goes_on(stage):
    bob, alice = followed(stage)
    bob.stop()
    bob.extra_args = ["--local-api"]
    bob.start()
    now = int(time.time() * 1000) - 3600_000
    for i in range(450):
        alice.publish(STATUS, {"text": "post %d" % i}, published_at=now + i)
    alice.faults["feed"] = lambda asked: time.sleep(0.7)
    for turn in range(3):
        before = sum(all_texts(bob, alice.entity).values())
        try:
            bob.do("catch-up", "--wait", "1")
        except Exception:  # it goes on behind the verb's back
            pass
        wait_until(lambda: sum(all_texts(bob, alice.entity).values()) > before, 30, "some have come")
        bob.kill9()
        bob.start()
    alice.faults.clear()
    catch_up(bob, alice.entity)
    check_equal(all_texts(bob, alice.entity), collections.Counter("post %d" % i for i in range(450)), "each once")


@limit(180)
def test_servers_that_lie(stage):
    """Endless pages, the same page again, other people's posts, wrong version ids, much at once: bounded, harmless, and over
    when it is over."""
    bob, alice = followed(stage)
    good = alice.publish(STATUS, {"text": "good"})
    forged = dict(alice.make(STATUS, {"text": "before"}), content={"text": "forged"})
    foreign = alice.make(STATUS, {"text": "foreign"}, entity="http://" + "b" * 56 + ".onion")
    key = alice.make("https://tent.io/types/credentials/v0#https://tent.io/types/relationship/v0",
                     {"hawk_key": "x", "hawk_algorithm": "sha256"})
    turn = [0]

    def says(*posts, **more):
        def fault(asked):
            raise Reply(200, dict({"posts": list(posts), "pages": {"next": "?before=1", "prev": "?since=0"}}, **more), tent.FEED_TYPE)
        return fault

    def endless(asked):
        turn[0] += 1
        begin = int(time.time() * 1000) - 100
        raise Reply(200, {"posts": [{"entity": alice.entity, "id": "x%d-%d" % (turn[0], i), "type": STATUS, "version": {
            "id": "v", "published_at": begin + i}} for i in range(100)]}, tent.FEED_TYPE)
    alice.faults["feed"] = says(forged, foreign, key, 7, {"id": 7}, {"entity": alice.entity}, good)
    check_equal(catch_up(bob, alice.entity), 1, "the one that is true")
    check_equal(bob.texts(alice.entity), ["good"], "what is kept")
    same = [dict(good)] * 100
    alice.faults["feed"] = says(*same)
    check_equal(catch_up(bob, alice.entity), 0, "the same page again and again")
    alice.faults["feed"] = endless
    bob.refused("catch-up", alice.entity, "--wait", "15", timeout=60)
    check(50 <= turn[0] <= 60, "pages without end are left after a while: %d" % turn[0])
    for what, body in {"not JSON": b"<html>", "nothing": b"", "no feed": b'{"posts": 7}', "much": b'{"posts":["' + b"x" * (5 << 20) + b'"]}'}.items():
        def fault(asked, body=body):
            raise Reply(200, body, tent.FEED_TYPE)
        alice.faults["feed"] = fault
        said = bob.refused("catch-up", alice.entity, "--wait", "60", timeout=90)
        check("asked" in said or "answered" in said, "%s: %r" % (what, said))
    alice.faults.clear()
    later = alice.publish(STATUS, {"text": "the truth again"})
    catch_up(bob, alice.entity)
    check_equal(sorted(bob.texts(alice.entity)), ["good", "the truth again"], "and then she is heard")
    check_equal(later["entity"], alice.entity, "hers")


def given_up(stage, tor, seconds):
    """alice takes back what waits for bob, who is away; back again, he pulls it."""
    alice, bob = stage.pair(tor)
    alice.post("before")
    bob.wait_text("before", seconds)
    bob.stop()
    app = AnApp(alice)
    wanted = [alice.post("missed %d" % i) for i in range(3)]
    app.write("PUT", app.where(alice.entity, wanted[1]["id"]), dict(
        {"type": STATUS, "content": {"text": "missed 1, better"}, "permissions": wanted[1]["permissions"]},
        version={"parents": [{"version": wanted[1]["version"]["id"]}]}))
    check_equal(app.ask("DELETE", app.where(alice.entity, wanted[2]["id"])).status, 200, "one is deleted")
    check(alice.json("deliveries", "--to", bob.entity, "--cancel")["cancelled"] >= 3, "nothing waits for bob any more")
    bob.start()
    wait_until(lambda: catch_up(bob, alice.entity) >= 0, seconds, "bob asks")
    check_equal(sorted(bob.texts(alice.entity)), ["before", "missed 0", "missed 1, better"], "what bob has")


@limit(120)
def test_what_the_other_side_had_given_up(stage):
    given_up(stage, "fake", 30)


@limit(240)
def test_what_the_other_side_had_given_up_on_real_tors(stage):
    given_up(stage, "child", 90)


@limit(120)
def test_a_new_follower_gets_the_last_posts(stage):
    alice, bob = stage.pair(approved=False)
    for i in range(3):
        alice.post("earlier %d" % i)
    alice.post("earlier and open", "--to", "public")
    alice.post("earlier and mine", "--to", "me")
    follow(alice, bob)
    for i in range(3):
        bob.wait_text("earlier %d" % i)
    bob.wait_text("earlier and open")
    alice.post("now")
    bob.wait_text("now")
    check(not bob.has_text("earlier and mine"), "what is not for followers")
    check_equal(len(bob.texts(alice.entity)), 5, "each once: %r" % bob.texts())
    check(json.dumps(bob.json("following")).count("caught_up_at") == 1, "bob knows since when nothing is missing")

# SPDX-License-Identifier: BSD-3-Clause
"""Who asks, what each may see, and what reached whom: desk, doors, groups, audiences, the ledger of deliveries."""
import json
import threading
import time

import tent
from failures import peer
from fake_tor import Faults
from harness import check, check_equal, wait_until
from node import follow, limit
from sharing import META, QUIET, STATUS, AnApp

STRANGERS_AT_ONCE = 24  # limits::kInboundHandshakes
MENTIONS = "application/vnd.tent.post-mentions.v0+json"


def desk(node, entity):
    return {f["entity"]: f for f in node.json("followers")["followers"]}[entity]


def set_name(app, name):
    meta = app.get(app.node.entity, "meta").json()["post"]
    return app.write("PUT", app.where(app.node.entity, "meta"), {
        "type": META, "content": dict(meta["content"], profile={"name": name}),
        "version": {"parents": [{"version": meta["version"]["id"]}]}})


@limit(150)
def test_the_desk_from_asking_to_removing(stage):
    """Section 7.4: a note, a phrase to compare, groups; removed, she gets nothing further, and the owner learns what she holds."""
    alice, bob = stage.pair(approved=False)
    set_name(AnApp(bob), "Bob")
    said = bob.do("follow", alice.entity, "--note", "we met at the march")
    alice.wait_follower(bob.entity, "pending")
    asks = desk(alice, bob.entity)
    check_equal((asks["name"], asks["note"], asks["verified_at"], asks["groups"]), ("Bob", "we met at the march", None, []), "the desk")
    check(asks["safety_phrase"] in said, "both sides are shown the same phrase: %r" % said)
    check(asks["safety_phrase"] in alice.do("followers") and "Bob" in alice.do("followers"), "the desk in words")
    alice.do("followers", "verify", bob.entity)
    check(desk(alice, bob.entity)["verified_at"] > 1_600_000_000_000, "compared")
    alice.do("followers", "verify", bob.entity, "--undo")
    check_equal(desk(alice, bob.entity)["verified_at"], None, "taken back")

    alice.do("group", "add", "Close")
    check("something else" in alice.refused("group", "add", "followers"), "a name that means something else")
    alice.do("followers", "approve", bob.entity, "--group", "Close")
    bob.wait_following(alice.entity, "approved")
    check_equal(sorted(desk(alice, bob.entity)["groups"]), ["Close", "followers"], "her groups")
    before = alice.json("audience", "--to", "group:Close")["audience"]
    check_equal([r["entity"] for r in before["readers"]], [bob.entity], "readers, before posting")
    made = alice.json("post", "for the close ones", "--to", "group:Close")
    check_equal([(r["entity"], r["because"]) for r in made["audience"]["readers"]], [(bob.entity, ["group:Close"])], "readers")
    bob.wait_text("for the close ones")
    wait_until(lambda: "delivered_at" in alice.json("audience", made["post"]["id"])["audience"]["readers"][0], 20, "delivered")
    check("delivered" in alice.do("audience", made["post"]["id"]), "the audience in words")
    alice.post("to myself", "--to", "me")
    alice.post("to a few", "--to", "followers,group:Close," + bob.entity)
    shown = alice.do("feed")
    for words in ("(to group:Close)", "(to nobody but you)", "(to followers, group:Close, %s)" % bob.entity):
        check(alice.entity + " " + words in shown, "whom a post is for: %r in %r" % (words, shown))
    check("(to group:Close)" in alice.do("show", alice.entity, made["post"]["id"]), "of one post")
    bob.wait_text("to a few")
    check(alice.entity + " (to some)" in bob.do("feed"), "her other readers are not told to bob")
    wait_until(lambda: alice.outbox_waiting() == 0, 20, "nothing waits")

    gone = alice.json("followers", "remove", bob.entity)
    check_equal((gone["follower"]["state"], gone["held"]["delivered"], gone["held"]["readable"]), ("removed", 2, 2), "what she holds")
    alice.post("after she left")
    alice.post("to the group", "--to", "group:Close")
    alice.post("open", "--to", "public")
    time.sleep(QUIET)
    check(not set(bob.texts()) & {"after she left", "to the group", "open"}, "a removed follower gets something: %r" % bob.texts())
    check_equal(alice.json("group", "members", "Close")["group"]["members"], [], "the group is empty")
    reader = AnApp(bob)
    answer = reader.get(alice.entity, made["post"]["id"], headers=[("Cache-Control", "proxy")])
    check_equal(answer.status, 404, "what she could read once: %r" % answer.body[:200])
    # Undone: she gets what is new from now on.
    alice.do("followers", "approve", bob.entity)
    alice.post("back again")
    bob.wait_text("back again", 60)


@limit(120)
def test_who_left_a_group_does_not_get_what_waits(stage):
    """Membership is looked at again when a post goes out, and the group post has a version for each change (section 8.2)."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    follow(alice, carol)
    alice.do("group", "add", "Close")
    alice.do("group", "members", "Close", "--add", bob.entity, "--add", carol.entity)
    app = AnApp(alice)
    group = alice.json("group", "members", "Close")["group"]["id"]

    def changes():
        return app.ask("HEAD", app.where(alice.entity, group), headers=[("Accept", MENTIONS.replace("mentions", "versions"))]).header("count")
    check_equal(changes(), "3", "versions of the group: made, and one for each who joined")
    bob.stop()
    wait_until(lambda: bob.onion not in stage.fake.routes or not stage.fake.routes[bob.onion].published, 20, "bob's onion is down")
    alice.post("for the close ones", "--to", "group:Close")
    alice.post("for all")
    carol.wait_text("for the close ones")
    alice.do("group", "members", "Close", "--remove", bob.entity)
    check_equal(changes(), "4", "and one for who left")
    bob.start()
    bob.wait_text("for all", 60)
    time.sleep(QUIET)
    check(not bob.has_text("for the close ones"), "who left gets what had waited")
    bob.do("catch-up", alice.entity)
    check(not bob.has_text("for the close ones"), "or finds it by asking")
    alice.do("group", "members", "Close", "--add", bob.entity)
    alice.post("once more", "--to", "group:Close")
    bob.wait_text("once more")


@limit(60)
def test_what_is_under_way_does_not_reach_a_removed_follower(stage):
    """The attempt began before she was removed; nothing of the post has left this node by then."""
    alice, bob = stage.pair()
    alice.post("before")
    bob.wait_text("before")
    alice.tor.drop_streams()
    alice.tor.faults.latency = 4
    alice.post("under way")
    time.sleep(0.3)
    gone = alice.json("followers", "remove", bob.entity)
    check_equal(gone["held"]["delivered"], 1, "what the owner is told that she holds")
    alice.tor.faults.clear()
    time.sleep(4 + QUIET)
    check_equal(bob.texts(alice.entity), ["before"], "what she has")


@limit(150)
def test_a_block_hides_and_is_taken_back(stage):
    alice, bob = stage.pair()
    follow(bob, alice)
    bob.post("from bob", "--to", "public")
    alice.wait_text("from bob")
    post = [p for p in alice.json("feed")["posts"] if p["content"].get("text") == "from bob"][0]
    app = AnApp(alice)
    check_equal(app.get(bob.entity, post["id"]).status, 200, "an app reads it")
    alice.do("followers", "block", bob.entity)
    check("from bob" not in alice.texts() and "from bob" not in app.texts(), "what she sent is hidden")
    no_proxy = [("Cache-Control", "no-proxy")]
    check_equal(app.get(bob.entity, post["id"], headers=no_proxy).status, 404, "also by its address")
    check("blocked" in alice.refused("show", bob.entity, post["id"]), "the command line says why")
    bob.post("more", "--to", "public")
    time.sleep(QUIET)
    alice.do("followers", "unblock", bob.entity)
    check_equal(desk(alice, bob.entity)["state"], "removed", "she is no follower any more")
    check_equal(app.get(bob.entity, post["id"], headers=no_proxy).status, 200, "seen again")
    check("not blocked" in alice.refused("followers", "unblock", bob.entity), "once is enough")


@limit(150)
def test_behind_a_sealed_door(stage):
    """Strangers learn where to ask and nothing else: no post, count, profile, list, file, or difference between them."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    app = AnApp(alice)
    set_name(app, "Alice")
    post = alice.post("open to all", "--to", "public", "--attach", stage.file("a.txt", b"attached"))
    digest = post["attachments"][0]["digest"]
    reply = app.post(STATUS + "reply", {"text": "an answer"}, mentions=[{"entity": alice.entity, "post": post["id"]}])
    where, absent = app.where(alice.entity, post["id"]), app.where(alice.entity, "there-is-none")
    check_equal(alice.get(where).status, 200, "before")
    check("vetted" in alice.do("door"), "how it is")
    check("sealed" in alice.do("door", "sealed"), "sealed")
    check_equal((alice.json("door")["door"], alice.json("status")["door"]), ("sealed", "sealed"), "said")

    def shut(ask, whom):
        none = ask("GET", absent)
        for method, target, headers in (
                ("GET", where, []), ("HEAD", where, []), ("GET", where + "?version=" + post["version"]["id"], []),
                ("GET", where, [("Accept", MENTIONS)]), ("GET", where, [("Accept", MENTIONS.replace("mentions", "versions"))]),
                ("GET", where, [("Accept", MENTIONS.replace("mentions", "children"))]),
                ("GET", app.where(alice.entity, reply["id"]), []), ("GET", where + "/attachments/text-1.txt", []),
                ("GET", "/attachments/%s/%s" % (tent.escape(alice.entity), digest), [])):
            answer = ask(method, target, headers=headers)
            check_equal(answer.status, 404, "%s: %s %s" % (whom, method, target))
            if method == "GET":
                check_equal(answer.body, none.body, "forbidden and absent look the same")
        feed = ask("GET", "/posts")
        check_equal(feed.json()["posts"], [], whom + ": the feed")
        check_equal(ask("HEAD", "/posts").header("count"), "0", whom + ": the count")
        meta = ask("GET", app.where(alice.entity, "meta")).json()["post"]
        check_equal(meta["content"]["profile"], {}, whom + ": the profile")
        check_equal(meta["version"]["id"], tent.version_id(meta), "the meta post is whole")
        versions = ask("GET", app.where(alice.entity, "meta"), headers=[("Accept", MENTIONS.replace("mentions", "versions"))]).json()
        check_equal([v["id"] for v in versions["versions"]], [meta["version"]["id"]], whom + ": versions of the meta post")
        check("Alice" not in json.dumps(versions), "the name")

    shut(lambda method, target, **more: alice.get(target, method=method, **more), "a stranger")
    # Somebody who asks, with keys of a relationship.
    carol.do("follow", alice.entity, "--note", "let me in")
    alice.wait_follower(carol.entity, "pending")
    reader = AnApp(carol)
    check_equal(reader.get(alice.entity, post["id"]).status, 404, "who waits sees no post")
    feed = reader.ask("GET", "/posts?entities=" + tent.escape(alice.entity), headers=[("Cache-Control", "proxy")]).json()["posts"]
    check("open to all" not in json.dumps(feed), "who waits sees no feed: %r" % feed)
    found = reader.ask("GET", "/discover?entity=" + tent.escape(alice.entity)).json()["post"]
    check_equal(found["content"]["profile"], {}, "who waits sees no profile")
    # Followers lose nothing.
    check_equal(AnApp(bob).get(alice.entity, post["id"], headers=[("Cache-Control", "proxy")]).status, 200, "an approved follower")
    bob_sees = AnApp(bob)
    wait_until(lambda: bob_sees.get(alice.entity, "meta", headers=[("Cache-Control", "no-proxy")]).json()["post"]["content"][
        "profile"] == {"name": "Alice"}, 20, "a follower has the profile")
    alice.do("followers", "approve", carol.entity)
    alice.post("to followers")
    carol.wait_text("to followers")
    alice.do("door", "vetted")
    check_equal(alice.get(where).status, 200, "open again")
    check_equal(alice.get(app.where(alice.entity, "meta")).json()["post"]["content"]["profile"], {"name": "Alice"}, "the profile again")
    alice.do("door", "sealed")
    alice.stop()
    alice.start()
    check_equal(alice.get(where).status, 404, "sealed after a restart")


@limit(120)
def test_an_open_door(stage):
    alice, bob = stage.pair(approved=False)
    alice.do("door", "open")
    bob.do("follow", alice.entity)
    bob.wait_following(alice.entity, "approved", 60)
    alice.post("for whoever asked")
    bob.wait_text("for whoever asked")
    check("open" in alice.refused("door", "ajar", code=2), "a word that is none")


@limit(150)
def test_the_ledger_says_what_reached_whom(stage):
    """Section 7.7: waiting, delivered, refused; taken back while it waits, tried at once, tried again."""
    alice, bob = stage.pair()
    first = alice.post("first")
    bob.wait_text("first")

    def ledger(*args):
        return alice.json("deliveries", *args)["deliveries"]
    wait_until(lambda: [d["state"] for d in ledger(first["id"])] == ["delivered"], 20, lambda: "delivered: %r" % ledger(first["id"]))
    check(ledger(first["id"])[0]["ended_at"] >= first["published_at"], "when")
    bob.stop()
    wait_until(lambda: bob.onion not in stage.fake.routes or not stage.fake.routes[bob.onion].published, 20, "bob's onion is down")
    second, third = alice.post("second"), alice.post("third")
    wait_until(lambda: ledger(second["id"])[0]["tries"] >= 1, 40, lambda: "tried: %r" % ledger(second["id"]))
    row = ledger(second["id"])[0]
    check_equal((row["state"], row["entity"]), ("waiting", bob.entity), "waiting")
    check("know nothing of it" in row["problem"], "tor's own reason: %r" % row)
    check(row["problem"] and row["next_try_at"] > row["queued_at"], "why, and when again: %r" % row)
    words = alice.do("deliveries", second["id"])
    check("waiting" in words and row["problem"] in words, "in words: %r" % words)
    check_equal(alice.json("deliveries", second["id"], "--cancel")["cancelled"], 1, "taken back")
    check("post" in alice.refused("deliveries", "--cancel"), "all of it is not taken back by a slip")
    for more in ([], ["--cancel"], ["--retry-now"]):
        check("no such post" in alice.refused("deliveries", second["id"][:-1], *more), "a slip in the id")
    for whom in ("", " ,"):
        for verb in (["post", "to nobody"], ["audience"]):
            check("--to me" in alice.refused(*verb, "--to", whom), "nobody is not oneself")
    bob.start()
    check(alice.json("deliveries", "--retry-now")["waiting"] in (0, 1), "tried now, unless it is there already")
    bob.wait_text("third", 60)
    time.sleep(QUIET)
    check(not bob.has_text("second"), "what was taken back arrived")
    check_equal([d["state"] for d in ledger("--to", bob.entity, "--state", "cancelled")], ["cancelled"], "by state")
    check_equal(alice.json("deliveries", second["id"], "--retry-now")["waiting"], 1, "again after all")
    bob.wait_text("second", 60)
    wait_until(lambda: [d["state"] for d in ledger(second["id"])] == ["delivered"], 20, "delivered after all")
    check_equal(len(ledger("--limit", "1")), 1, "--limit")
    check_equal(third["id"] in alice.do("deliveries"), True, "the list")


@limit(150)
def test_answers_reach_those_who_may_see_the_thread(stage):
    alice, bob = stage.pair()
    carol = stage.node("carol")
    follow(alice, carol)
    root = alice.post("what shall we do?")
    for node in (bob, carol):
        node.wait_text("what shall we do?")
    own = alice.json("post", "I think: dance", "--reply-to", root["id"])
    check_equal(sorted(r["entity"] for r in own["audience"]["readers"]), sorted([bob.entity, carol.entity]), "one's own thread")
    carol.wait_text("I think: dance")
    answer = bob.json("post", "agreed", "--reply-to", alice.entity + "/" + root["id"])
    check_equal([r["entity"] for r in answer["audience"]["readers"]], [alice.entity], "bob knows of alice only")
    check_equal(answer["post"]["permissions"]["public"], False, "and it is not public")
    wait_until(lambda: "agreed" in [p["content"].get("text") for p in alice.json("show", alice.entity, root["id"])["about_it"]], 30,
               "it shows under the post")
    check("agreed" in alice.do("show", alice.entity, root["id"]), "in words")
    time.sleep(QUIET)
    check(not carol.has_text("agreed"), "nobody else has it")
    check("no such post" in bob.refused("post", "x", "--reply-to", "there-is-none"), "an answer to nothing")


@limit(120)
def test_a_flood_of_wishes_leaves_the_desk_readable(stage):
    """Many strangers who ask at once: the desk lists a bounded number, those who waited longest first."""
    alice = stage.node("alice")
    first = peer(stage, "first")
    asking = [first] + [peer(stage, "p%d" % i) for i in range(12)]
    for one in asking:
        one.relate(alice.entity)
        subscription = one.publish("https://tent.io/types/subscription/v0#all", {"type": "all"}, mentions=[{"entity": alice.entity}])
        check_equal(one.deliver(alice.entity, subscription).status, 200, "asking")
    listed = alice.json("followers", "--state", "pending", "--limit", "5")
    check_equal(([f["entity"] for f in listed["followers"]], listed["counts"]["pending"]), ([p.entity for p in asking[:5]], 13), "the desk")
    check("--limit" in alice.do("followers", "--limit", "5"), "that there are more is said")
    alice.do("followers", "approve", asking[3].entity)
    check_equal(alice.do("followers", "deny", "--all-waiting").strip(), "12 denied; they are not told", "all at once")
    counts = alice.json("followers")["counts"]
    check_equal(counts, {"approved": 1, "denied": 12}, "the desk afterwards")
    alice.do("followers", "approve", asking[4].entity)
    alice.refused("followers", "deny", code=2)  # nobody named


@limit(150)
def test_strangers_who_waste_time_keep_nobody_out(stage):
    """Section 7.2 lets whoever likes make us ask back; the onions here never answer. Those who are known, and what the
    owner does, go on meanwhile."""
    alice, bob = stage.pair()
    known = peer(stage, "known")
    known.relate(alice.entity)
    slow = [peer(stage, "slow%d" % i) for i in range(STRANGERS_AT_ONCE + 4)]
    for one in slow:
        alice.tor.towards[one.entity[len("http://"):-len(".onion")]] = stalling = Faults()
        stalling.stall = 100.0
    answers, begin = {}, time.monotonic()

    def ask(one):
        answer, _, _ = one.start_handshake(alice.entity)
        answers[one.entity] = (answer.status, time.monotonic() - begin)
    threads = [threading.Thread(target=ask, args=(one,), daemon=True) for one in slow]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(answers) == 4, 20, "too many at once are told so")
    check_equal({status for status, _ in answers.values()}, {503}, "how")
    check_equal(alice.get("/").status, 200, "her page")
    alice.post("in spite of all")
    bob.wait_text("in spite of all")
    known.relate(alice.entity)  # a second handshake of somebody who lost her data
    check_equal(len(answers), 4, "they are still being asked back")
    for thread in threads:
        thread.join(60)
    check_equal(sorted(status for status, _ in answers.values()), [400] * STRANGERS_AT_ONCE + [503] * 4, "in the end")
    check(max(seconds for _, seconds in answers.values()) < 60, "none is waited for any longer than a step may take")
    late = peer(stage, "late")
    late.relate(alice.entity)
    today = alice.status()["strangers_today"]
    check_equal((today["contacts"], today["refused"]), (3, False), "bob, known and late")
    check("3 made themselves known" in alice.do("status"), "in words")

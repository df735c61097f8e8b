# SPDX-License-Identifier: BSD-3-Clause
"""An app reads other people's servers through its own (sections 4.9 and 4.10): servers with and without a relationship,
servers that go away, lie or stall."""
import threading
import time
import urllib.parse

import tent
from attachments import form
from fake_server import META, FakeServer, Reply, refusal
from failures import peer
from harness import check, check_equal, wait_until
from node import follow, limit
from sharing import GROUP, MEMBER, AnApp

STATUS = "https://tent.io/types/status/v0#"
PHOTO = "https://tent.io/types/photo/v0#"
LISTS = {"mentions": "application/vnd.tent.post-mentions.v0+json", "versions": "application/vnd.tent.post-versions.v0+json",
         "children": "application/vnd.tent.post-children.v0+json"}


class Reader(AnApp):
    """An app that looks at others through this node."""

    def look(self, entity, id_, mode=None, path="", query="", accept=None, method="GET"):
        headers = ([("Cache-Control", mode)] if mode else []) + ([("Accept", accept)] if accept else [])
        return self.ask(method, self.where(entity, id_) + path + query, headers=headers, timeout=120.0)

    def text(self, entity, id_, mode=None):
        answer = self.look(entity, id_, mode)
        check_equal(answer.status, 200, "%s of %s: %r" % (id_, entity, answer.body[:300]))
        post = answer.json()["post"]
        check_equal((post["entity"], post["id"]), (entity, id_), "whose post it is")
        check_equal(post["version"]["id"], tent.version_id(post), "its version id")
        return post["content"].get("text")

    def feed(self, *entities, mode=None):
        answer = self.ask("GET", "/posts?types=%s&entities=%s" % (tent.escape(STATUS[:-1]), tent.escape(",".join(entities))),
                          headers=[("Cache-Control", mode)] if mode else [], timeout=120.0)
        check_equal(answer.status, 200, "a feed: %r" % answer.body[:300])
        return [p["content"]["text"] for p in answer.json()["posts"]]

    def file(self, entity, id_, name):
        """By name, then where that leads to: here, whoever has the bytes."""
        answer = self.look(entity, id_, path="/attachments/" + name)
        check_equal(answer.status, 302, "an attachment by its name: %r" % answer.body[:300])
        target = urllib.parse.urlsplit(urllib.parse.urljoin(self.node.entity, answer.header("location")))
        check_equal(target.netloc, self.node.host, "it leads to one's own server")
        answer = self.ask("GET", target.path + ("?" + target.query if target.query else ""), timeout=120.0)
        check_equal(answer.status, 200, "the bytes: %r" % answer.body[:300])
        return answer.body

    def discovered(self, entity):
        return self.ask("GET", "/discover?entity=" + tent.escape(entity), timeout=120.0)


def refused(answer, status, what):
    check_equal(answer.status, status, "%s: %r" % (what, answer.body[:300]))
    check(answer.json()["error"], "it says why")
    return answer.json()["error"]


def reading_of_a_stranger(stage, tor, seconds):
    """bob has no relationship with carol and reads her through his own node: then she goes, and what he read stays."""
    carol, bob = stage.node("carol", tor), stage.node("bob", tor)
    author, app = AnApp(carol), Reader(bob)
    meta = author.get(carol.entity, "meta").json()["post"]
    author.write("PUT", author.where(carol.entity, "meta"), {
        "type": META, "content": dict(meta["content"], profile={"name": "Carol"}),
        "version": {"parents": [{"version": meta["version"]["id"]}]}})
    picture = b"\x89PNG not much of a picture" * 4000
    body, media = form({"type": PHOTO, "content": {}}, [("photo[0]", "one.png", "image/png", picture)])
    answer = author.ask("POST", "/posts", body=body, content_type=media)
    check_equal(answer.status, 200, "a photo: %r" % answer.body[:300])
    photo = answer.json()["post"]
    post = author.post(STATUS, {"text": "to everybody"})
    quiet = author.post(STATUS, {"text": "to nobody"}, permissions={"public": False})
    unread = author.post(STATUS, {"text": "never asked for"})
    author.post(STATUS + "reply", {"text": "an answer"}, mentions=[{"entity": carol.entity, "post": post["id"]}])

    # On Tor an onion that has just been published takes a while to be found.
    wait_until(lambda: app.discovered(carol.entity).status == 200, seconds, "carol is found", 0.5)
    meta = app.discovered(carol.entity).json()["post"]
    check_equal((meta["type"], meta["content"]["entity"], meta["content"]["profile"]), (META, carol.entity, {"name": "Carol"}),
                "what discovery gives")
    refused(app.look(carol.entity, post["id"], "no-proxy"), 404, "what is not here, and nobody is to be asked")
    check_equal(app.text(carol.entity, post["id"]), "to everybody", "a post of somebody else")
    refused(app.look(carol.entity, quiet["id"]), 404, "what carol keeps to herself")
    refused(bob.get(app.where(carol.entity, unread["id"])), 404, "strangers make nobody ask")
    replies = app.look(carol.entity, post["id"], "proxy", accept=LISTS["mentions"])
    check_equal(len(replies.json()["mentions"]), 1, "the replies there")
    check_equal(app.look(carol.entity, post["id"], "proxy", accept=LISTS["mentions"], method="HEAD").header("count"), "1", "Count")
    check_equal(app.file(carol.entity, photo["id"], "one.png"), picture, "an attachment of a post that is not here")
    app.text(carol.entity, photo["id"])
    check_equal(app.feed(carol.entity), ["to everybody"], "of her posts only what was read")
    return carol, bob, author, app, {"photo": photo, "post": post, "unread": unread, "picture": picture}


@limit(150)
def test_a_stranger_is_read_and_what_was_read_stays(stage):
    """Section 4.9: by mode; posts, lists, files, feeds; 404, 502; and everything that was fetched is here from then on."""
    carol, bob, author, app, there = reading_of_a_stranger(stage, "fake", 20)
    post, unread = there["post"], there["unread"]
    first = app.look(carol.entity, post["id"]).json()["post"]
    edited = author.write("PUT", author.where(carol.entity, post["id"]), {
        "type": STATUS, "content": {"text": "to all"}, "version": {"parents": [{"version": post["version"]["id"]}]}})
    check_equal(app.text(carol.entity, post["id"]), "to everybody", "what is here is given without asking")
    check_equal(app.text(carol.entity, post["id"], "proxy"), "to all", "what is there, if that is asked for")
    versions = app.look(carol.entity, post["id"], "no-proxy", accept=LISTS["versions"]).json()["versions"]
    check_equal({v["id"] for v in versions}, {first["version"]["id"], edited["version"]["id"]}, "both are here now")
    own = app.post(STATUS, {"text": "of bob"})
    check_equal(sorted(app.feed(carol.entity, bob.entity)), ["of bob", "to all"], "a feed without asking")
    check_equal(sorted(app.feed(carol.entity, bob.entity, mode="proxy")), ["an answer", "never asked for", "of bob", "to all"],
                "a feed of here and there")
    check_equal(app.text(carol.entity, unread["id"], "no-proxy"), "never asked for", "which is here now")
    refused(app.look(carol.entity, "there-is-no-such"), 404, "what carol does not have")

    with_refs = app.post(STATUS, {"text": "look at this"}, refs=[{"entity": carol.entity, "post": there["photo"]["id"]}])
    shown = app.look(bob.entity, with_refs["id"], query="?max_refs=5&profiles=refs").json()
    check_equal(([r["id"] for r in shown["refs"]], list(shown["profiles"])), ([there["photo"]["id"]], [carol.entity]), "refs and profiles")

    carol.stop()
    check_equal(app.text(carol.entity, post["id"]), "to all", "carol is gone, her post is here")
    check_equal(app.file(carol.entity, there["photo"]["id"], "one.png"), there["picture"], "and her picture")
    # The servers of carol are still known, so nobody is found anew: that she does not answer shows.
    said = refused(app.look(carol.entity, post["id"], "proxy"), 502, "only carol's own server can answer this")
    check("Failed to proxy request: GET " + carol.entity in said, "what it says: " + said)
    check_equal(sorted(app.feed(carol.entity, bob.entity, mode="proxy")), ["an answer", "look at this", "never asked for", "of bob", "to all"],
                "a feed leaves out who does not answer")
    check_equal(own["entity"], bob.entity, "whose post")
    bob.stop()
    bob.start()
    check_equal(app.text(carol.entity, unread["id"]), "never asked for", "what was read outlives the node")


@limit(240)
def test_a_stranger_is_read_on_real_tors(stage):
    """The same path with a tor of its own at each node."""
    carol, bob, _, app, there = reading_of_a_stranger(stage, "child", 90)
    carol.stop()
    check_equal(app.text(carol.entity, there["post"]["id"]), "to everybody", "what was read stays")
    check_equal(app.file(carol.entity, there["photo"]["id"], "one.png"), there["picture"], "with its files")


@limit(120)
def test_a_relationship_opens_what_strangers_may_not_see(stage):
    """Section 4.9: asked with the keys of the relationship; what a private post is, is decided where it is kept."""
    alice, bob = stage.pair(approved=False)
    author, app = AnApp(alice), Reader(bob)
    group = author.post(GROUP, {"name": "Close"}, permissions={"public": False})
    post = author.post(STATUS, {"text": "for bob"}, permissions={"public": False, "groups": [{"post": group["id"]}]})
    other = author.post(STATUS, {"text": "for somebody else"}, permissions={"public": False})
    refused(app.look(alice.entity, post["id"]), 404, "before there is a relationship")
    follow(alice, bob)
    refused(app.look(alice.entity, post["id"]), 404, "before bob is in the group")
    wait_until(lambda: bob.json("following")["following"][0]["caught_up_at"], 20, "bob has the last posts")
    author.post(MEMBER, {"entity": bob.entity}, mentions=[{"post": group["id"], "type": GROUP}], permissions={"public": False})
    check(not bob.has_text("for bob"), "an older post is not delivered")
    check_equal(app.text(alice.entity, post["id"]), "for bob", "read with the keys of the relationship")
    refused(app.look(alice.entity, other["id"]), 404, "what is not for bob")
    refused(bob.get(app.where(alice.entity, post["id"])), 404, "a stranger at bob")
    narrow = bob.json("app", "create", "--name", "Narrow", "--read", PHOTO[:-1])
    answer = tent.request(bob.listen, "GET", app.where(alice.entity, post["id"]), bob.host,
                          credentials=tent.Credentials(narrow["id"], narrow["hawk_key"]))
    refused(answer, 404, "an app that may not read the type")
    check_equal(app.feed(alice.entity), ["for bob"], "it is in her feed now")


@limit(150)
def test_servers_that_lie(stage):
    """Section 4.9: what is not what was asked for, or does not have the version id that it claims, is neither shown nor kept."""
    bob, eve = stage.node("bob"), peer(stage, "eve")
    app = Reader(bob)
    honest = eve.publish(STATUS, {"text": "as it is"})
    wanted = eve.publish(STATUS, {"text": "wanted"})
    alice = stage.node("alice")
    forged = dict(honest, content={"text": "as it is not"})
    foreign = eve.make(STATUS, {"text": "words in alice's mouth"}, entity=alice.entity)
    deep = b'{"post":' + b'{"a":' * 5000 + b"1" + b"}" * 5001
    kind = tent.post_media_type(STATUS)

    def says(body):
        def fault(asked):
            raise Reply(200, body, kind)
        return fault
    lies = {"another content": {"post": forged}, "another post": {"post": honest}, "another author": {"post": foreign},
            "no post": {"posts": []}, "not an object": b"[]", "not JSON": b"<html>", "nothing": b"", "depth": deep,
            "invalid UTF-8": b'{"post":{"id":"\xff"}}', "five mebibytes": b'{"post":"' + b"x" * (5 << 20) + b'"}'}
    for what, body in lies.items():
        eve.faults["post"] = says(body)
        target = honest if what in ("another content", "another author") else wanted
        said = refused(app.look(eve.entity, target["id"]), 502, what)
        check(said.startswith("Failed to proxy request: GET " + eve.entity), "what it says of %s: %s" % (what, said))
    eve.faults["feed"] = says({"posts": [forged, foreign, {"id": 7}, 7, dict(wanted, id="other")], "pages": {}})
    check_equal(app.feed(eve.entity, mode="proxy"), [], "a feed of lies")
    for status, shown in ((403, 403), (404, 404), (429, 429), (500, 500), (503, 503)):
        def fault(asked, status=status):
            raise refusal(status, "said by eve")
        eve.faults["post"] = fault
        check_equal(refused(app.look(eve.entity, wanted["id"]), shown, "eve's own error"), "said by eve", "it passes")
    for where in ("http://127.0.0.1:%d/x" % eve.port, "https://example.com/", "http://" + "a" * 56 + ".onion/x"):
        def fault(asked, where=where):
            raise Reply(302, b"", None, [("Location", where)])
        eve.faults["post"] = fault
        check_equal(app.look(eve.entity, wanted["id"]).status, 502, "a redirect to " + where)

    eve.faults.clear()
    data = b"what eve has" * 100
    file = eve.publish(PHOTO, {}, attachments=[eve.attach(data, "a.png", "image/png", "photo")])
    digest = file["attachments"][0]["digest"]
    eve.files[digest] = (b"not that at all" * 80, "image/png", "a.png")
    path = "/attachments/%s/%s" % (tent.escape(eve.entity), digest)
    refused(app.ask("GET", path), 502, "bytes that do not have their digest")
    eve.files[digest] = (data, "image/png", "a.png")
    check_equal(app.ask("GET", path).body, data, "the right ones")
    for id_, version in ((honest["id"], ""), (wanted["id"], ""), (foreign["id"], "")):
        for entity in (eve.entity, alice.entity):
            refused(app.look(entity, id_, "no-proxy"), 404, "nothing of it was kept")
    check_equal((app.text(eve.entity, honest["id"]), app.text(eve.entity, wanted["id"])), ("as it is", "wanted"), "the truth")
    for entity in ("https://example.com", "http://127.0.0.1:%d" % eve.port, "http://localhost", "http://" + "a" * 56 + ".onion"):
        refused(app.discovered(entity), 404, "discover " + entity)
        refused(app.look(entity, wanted["id"]), 404, "a post of " + entity)


@limit(200)
def test_a_server_that_stalls_holds_up_nobody_else(stage):
    """Section 4.9: 504 when it is too late, refs without what does not come, and meanwhile everybody else is served."""
    bob, eve, carol = stage.node("bob"), peer(stage, "eve"), peer(stage, "carol")
    app = Reader(bob)
    slow, quick = eve.publish(STATUS, {"text": "slow"}), [carol.publish(STATUS, {"text": "quick"}) for _ in range(20)]
    check_equal(app.discovered(eve.entity).status, 200, "eve is found")
    end = threading.Event()
    eve.faults["post"] = lambda asked: end.wait(150) and None
    answers, took = [], []

    def wait():
        begin = time.monotonic()
        answers.append(app.look(eve.entity, slow["id"]))
        took.append(time.monotonic() - begin)
    threads = [threading.Thread(target=wait) for _ in range(12)]  # twice as many as may be under way at one server
    for thread in threads:
        thread.start()
    wait_until(lambda: len(eve.got("post")) >= 6, 20, "eve is asked")
    for post in quick:
        check_equal(app.text(carol.entity, post["id"]), "quick", "carol's server answers at once")
    with_ref = app.post(STATUS, {"text": "refers"}, refs=[{"entity": eve.entity, "post": slow["id"]}, {"entity": carol.entity, "post": quick[0]["id"]}])
    check_equal(len(eve.got("post")), 6, "no more than this many requests at one server")
    shown = app.look(bob.entity, with_ref["id"], query="?max_refs=5").json()
    check_equal([r["entity"] for r in shown["refs"]], [carol.entity], "refs without those that do not come")
    for thread in threads:
        thread.join(110)
    end.set()
    check_equal(len(answers), 12, "everybody is answered")
    for answer in answers:
        check("Failed to proxy request: GET " + eve.entity in refused(answer, 504, "too late"), "what it says")
    check(55 < min(took) and max(took) < 110, "those who waited for a turn do not wait twice as long: %r" % took)
    check_equal(app.text(eve.entity, slow["id"]), "slow", "when eve answers again")

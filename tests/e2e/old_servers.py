# SPDX-License-Identifier: BSD-3-Clause
"""Two older forms of a Tent server, both ways: as the first documents had it (ids and digests without prefix, links in HTML), and
as the reference server of 2013 was (unsigned answers, another canonical text); sections 1.2, 1.3, 3.1, 3.5, 5.4 and 7.5."""
import json
import time

import tent
from fake_server import META, FakeServer, Reply
from harness import HOST, check, check_equal, free_ports, wait_until
from node import limit
from sharing import STATUS, AnApp

DELETE = "https://tent.io/types/delete/v0#"
SUBSCRIPTION = "https://tent.io/types/subscription/v0#"
PHOTO = "https://tent.io/types/photo/v0#"
ODD = "one\ntwo\ttabbed \"quoted\" back\\slash \u2603"
PREFIX = "sha512t256-"


class First(FakeServer):
    """Version ids and digests are bare hex. The meta post is found by the HTML page alone, has no `discover`, and its template
    for files ends as it did before the first release."""

    def make(self, type_, content=None, **members):
        post = super().make(type_, content, **members)
        post["version"]["id"] = post["version"]["id"][len(PREFIX):]
        return post

    def attach(self, data, name, content_type, category):
        item = super().attach(data, name, content_type, category)
        bare = item["digest"][len(PREFIX):]
        self.files[bare] = self.files[item["digest"]]
        return dict(item, digest=bare)

    def meta_content(self, **members):
        content = super().meta_content(**members)
        for server in content["servers"]:
            del server["urls"]["discover"]
            server["urls"]["post_attachment"] += "?version={version}"
        return content

    def _serve(self, asked):
        if self._split(asked.target)[0] == "entity" and asked.method in ("GET", "HEAD"):
            page = '<html><head><link href="/posts/%s/meta" rel="%s" /></head></html>' % (tent.escape(self.entity), tent.REL_META)
            raise Reply(200, page.encode(), "text/html; charset=utf-8")
        super()._serve(asked)


class Second(FakeServer):
    """Signs no answer; escapes control characters where it hashes; its meta post has an id like any other; a new version has
    times of its own and names the post in its parents; feeds are application/json."""

    def start(self):
        super().start()
        if self.posts[self.entity, "meta"][0]["id"] == "meta":
            meta = self.make(META, self.meta_content())
            self.posts[self.entity, "meta"] = self.posts[self.entity, meta["id"]] = [meta]
        return self

    def make(self, type_, content=None, **members):
        post = super().make(type_, content, **members)
        text = json.dumps(tent.reduce(post), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        post["version"]["id"] = tent.digest(text.encode())
        return post

    def _who(self, asked):
        super()._who(asked)

    def _serve(self, asked):
        if self._split(asked.target)[0] == "entity" and asked.method in ("GET", "HEAD"):
            link = "%s/posts/%s/%s" % (self.entity, tent.escape(self.entity), self.posts[self.entity, "meta"][0]["id"])
            raise Reply(200, b"", "text/html", [("Link", '<%s>; rel="%s"' % (link, tent.REL_META))])
        try:
            super()._serve(asked)
        except Reply as reply:
            if reply.content_type == tent.FEED_TYPE:
                reply.content_type = "application/json"
            raise


def another(stage, kind, name):
    port = free_ports(1)[0]
    entity = "http://%s.onion" % stage.fake.service(name, port)
    return kind(port, entity, (HOST, stage.fake.tors[name + "-tor"].socks_port))


def there_and_back(stage, kind):
    alice, old = stage.node("alice"), another(stage, kind, "old")
    app = AnApp(alice)

    # It is followed: by a handshake that alice begins, then deliveries, a new version, a file, a deletion.
    alice.do("follow", old.entity, "--note", "hello")
    old.wait_received(lambda p: p["type"].startswith(SUBSCRIPTION[:-1]), 40)
    alice.wait_following(old.entity, "requested", 40)
    first = old.publish(STATUS, {"text": ODD})
    check(kind is not Second or first["version"]["id"] != tent.version_id(first), "the text is hashed in another way")
    check_equal(old.deliver(alice.entity, first).status, 200, "a delivery")
    check_equal(alice.texts(old.entity), [ODD], "what alice has")
    shown = app.get(old.entity, first["id"], headers=[("Cache-Control", "no-proxy")]).json()["post"]
    check_equal(shown["version"]["id"], first["version"]["id"], "its id stays as it came")
    for form in (first["version"]["id"], PREFIX + first["version"]["id"].replace(PREFIX, "")):
        found = app.ask("GET", app.where(old.entity, first["id"]) + "?version=" + form, headers=[("Cache-Control", "no-proxy")])
        check_equal(found.status, 200, "found by " + form)
    forged = dict(first, id="forged", content={"text": "forged"})
    check_equal(old.deliver(alice.entity, forged).status, 400, "an id that is not that of the post")
    again = dict(version={"parents": [{"version": first["version"]["id"], "post": first["id"]}]}, id=first["id"])
    if kind is First:
        again["published_at"] = first["published_at"]
    time.sleep(0.01)
    second = old.publish(STATUS, {"text": "better\tnow"}, **again)
    check_equal(old.deliver(alice.entity, second).status, 200, "a new version")
    check_equal(alice.texts(old.entity), ["better\tnow"], "the newest one shows")
    picture = old.publish(PHOTO, {}, attachments=[old.attach(b"bytes" * 999, "a b.png", "image/png", "photo")])
    check_equal(old.deliver(alice.entity, picture).status, 200, "a post with a file")
    check_equal(alice.attachment(old.entity, picture["id"], "a b.png"), b"bytes" * 999, "the file")
    gone = old.publish(DELETE, refs=[{"post": first["id"]}])
    check_equal(old.deliver(alice.entity, gone).status, 200, "a deletion")
    check_equal(alice.texts(old.entity), [], "it is gone")

    # What was never delivered is pulled, once; what is not here is read through alice.
    for n in range(3):
        old.publish(STATUS, {"text": "missed\n%d" % n}, published_at=int(time.time() * 1000) + n)
    alice.do("catch-up", old.entity, timeout=200)
    check_equal(sorted(alice.texts(old.entity)), ["missed\n0", "missed\n1", "missed\n2"], "pulled")
    check_equal(alice.json("catch-up", old.entity, timeout=200)["catch_ups"][0]["got"], 0, "nothing twice")
    other = another(stage, kind, "other")
    told = other.publish(STATUS, {"text": ODD}, attachments=[other.attach(b"other bytes", "x", "text/plain", "file")])
    read = app.get(other.entity, told["id"])
    check_equal((read.status, read.json()["post"]["content"]["text"]), (200, ODD), "read through alice's server")
    meta = app.ask("GET", "/discover?entity=" + tent.escape(other.entity)).json()["post"]
    check_equal(meta["content"]["entity"], other.entity, "discovered")

    # It follows: the handshake is its own, alice lets it in, and has it told.
    if old.entity not in old.theirs:
        old.relate(alice.entity)
    wish = old.publish(SUBSCRIPTION + "all", {"type": "all"}, mentions=[{"entity": alice.entity, "public": True}])
    check_equal(old.deliver(alice.entity, wish).status, 200, "it asks to follow")
    alice.wait_follower(old.entity, "pending")
    alice.do("followers", "approve", old.entity)
    mine = alice.post(ODD)
    got = old.wait_received(lambda p: p["id"] == mine["id"], 40)
    check_equal((got["content"]["text"], got["permissions"]), (ODD, {"public": False}), "alice's post")
    check_equal(app.ask("DELETE", app.where(alice.entity, mine["id"])).status, 200, "alice deletes it")
    wait_until(lambda: (alice.entity, mine["id"]) in old.deleted, 40, "the deletion arrives")
    wait_until(lambda: alice.outbox_waiting() == 0, 40, lambda: "nothing waits: %r" % alice.json("deliveries", "--state", "waiting"))
    check_equal(old.problems + other.problems, [], "what they found wrong")


@limit(150)
def test_as_the_first_documents_had_it(stage):
    there_and_back(stage, First)


@limit(150)
def test_as_the_reference_server_was(stage):
    there_and_back(stage, Second)

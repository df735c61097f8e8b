# SPDX-License-Identifier: BSD-3-Clause
"""What an app writes on one server arrives on others as it should: groups, new versions, deletions."""
import json
import threading
import time

import tent
from failures import peer
from harness import check, check_equal, wait_until
from node import follow, limit

STATUS = "https://tent.io/types/status/v0#"
META = "https://tent.io/types/meta/v0#"
SUBSCRIPTION = "https://tent.io/types/subscription/v0#"
GROUP = "https://tent.io/types/group/v0#"
MEMBER = "https://tent.io/types/group-member/v0#"
QUIET = 3.0  # on the fake Tor a delivery takes a fraction of a second: after this much it will not come


class AnApp:
    """An app of this node that may do everything."""

    def __init__(self, node):
        made = node.json("app", "create", "--name", "Tests", "--read", "all", "--write", "all")
        self.node, self.key = node, tent.Credentials(made["id"], made["hawk_key"])

    def ask(self, method, target, **more):
        return tent.request(self.node.listen, method, target, self.node.host, credentials=self.key, **more)

    def write(self, method, target, post):
        answer = self.ask(method, target, body=json.dumps(post).encode(), content_type=tent.post_media_type(post["type"]))
        check_equal(answer.status, 200, "%s %s: %r" % (method, target, answer.body[:300]))
        return answer.json()["post"]

    def post(self, type_, content, **more):
        return self.write("POST", "/posts", dict({"type": type_, "content": content}, **more))

    def where(self, entity, id_):
        return "/posts/%s/%s" % (tent.escape(entity), id_)

    def texts(self):
        return [p["content"].get("text") for p in self.ask("GET", "/posts?types=" + tent.escape(STATUS[:-1])).json()["posts"]]

    def get(self, entity, id_, **more):
        return self.ask("GET", self.where(entity, id_), **more)


@limit(180)
def test_a_group_gets_what_is_for_it_and_nobody_else_does(stage):
    """Section 8.2: membership is looked at when a post is written and whenever one is read."""
    alice, bob = stage.pair()
    carol = stage.node("carol")
    follow(alice, carol)
    app = AnApp(alice)
    group = app.post(GROUP, {"name": "Close"}, permissions={"public": False})

    def join(who):
        return app.post(MEMBER, {"entity": who.entity}, mentions=[{"post": group["id"], "type": GROUP}],
                        permissions={"public": False})

    def say(text):
        return app.post(STATUS, {"text": text}, permissions={"public": False, "groups": [{"post": group["id"]}]})

    member = join(bob)
    first = say("for the group")
    bob.wait_text("for the group")
    time.sleep(QUIET)
    check(not carol.has_text("for the group"), "somebody outside the group got its post")
    said = carol.refused("show", alice.entity, first["id"])
    check("for the group" not in said, "and could read it: %r" % said)
    names = json.dumps(bob.json("show", alice.entity, first["id"]))
    check(group["id"] not in names, "a reader learns of the group: %r" % names)

    answer = app.ask("DELETE", app.where(alice.entity, member["id"]))
    check_equal(answer.status, 200, "the member leaves")
    join(carol)
    say("after the change")
    carol.wait_text("after the change")
    time.sleep(QUIET)
    check(not bob.has_text("after the change"), "who left the group got its next post")
    check(not carol.has_text("for the group"), "older posts are not delivered to new members")
    unknown = app.ask("POST", "/posts", content_type=tent.post_media_type(STATUS), body=json.dumps(
        {"type": STATUS, "content": {"text": "x"}, "permissions": {"public": False, "groups": [{"post": "unknown"}]}}).encode())
    check_equal(unknown.status, 400, "a group that there is not")


@limit(120)
def test_a_new_version_reaches_the_followers_and_a_deletion_too(stage):
    """Sections 2.6, 7.5 and 7.8: a copy has the versions of the original, and goes with it."""
    alice, bob = stage.pair()
    app, reader = AnApp(alice), AnApp(bob)
    first = app.post(STATUS, {"text": "frist"}, licenses=[{"url": "https://license.example/by"}])
    bob.wait_text("frist")
    where = app.where(alice.entity, first["id"])
    second = app.write("PUT", where, {"type": STATUS, "content": {"text": "first"}, "version": {
        "parents": [{"version": first["version"]["id"]}], "message": "a letter"}})
    bob.wait_text("first")
    got = reader.get(alice.entity, first["id"]).json()["post"]
    check_equal(got["version"]["id"], second["version"]["id"], "the version at bob")
    check_equal(got["version"]["message"], "a letter", "its message")
    check_equal(tent.version_id(got), second["version"]["id"], "its id is that of what is read there")
    old = reader.ask("GET", where + "?version=" + first["version"]["id"]).json()["post"]
    check_equal((old["content"]["text"], old["licenses"]), ("frist", [{"url": "https://license.example/by"}]), "the old version")
    listed = reader.get(alice.entity, first["id"], headers=[("Accept", "application/vnd.tent.post-versions.v0+json")]).json()
    check_equal({v["id"] for v in listed["versions"]}, {first["version"]["id"], second["version"]["id"]},
                "the versions at bob: %r" % listed)
    check_equal(bob.texts(alice.entity).count("frist"), 0, "the old text in the feed")

    # One version goes, then all.
    check_equal(app.ask("DELETE", where + "?version=" + second["version"]["id"]).status, 200, "the second version goes")
    wait_until(lambda: "frist" in bob.texts(alice.entity), 30, lambda: "one version less: %r" % bob.texts())
    check_equal(app.ask("DELETE", where).status, 200, "the post goes")
    wait_until(lambda: reader.get(alice.entity, first["id"], headers=[("Cache-Control", "no-proxy")]).status == 404, 30,
               "the copy goes")
    check(not bob.has_text("frist"), "the feed still has it")


@limit(120)
def test_replies_that_arrive_are_listed_under_the_post(stage):
    """Mention lists (section 7.6): made of what reached this server, with private ones for its owner's apps only."""
    alice, bob = stage.pair()
    app, other = AnApp(alice), AnApp(bob)
    first = app.post(STATUS, {"text": "what do you think?"})
    bob.wait_text("what do you think?")
    about = {"entity": alice.entity, "post": first["id"]}
    reply = other.post(STATUS + "reply", {"text": "good"}, mentions=[about])
    quiet = other.post(STATUS + "reply", {"text": "between us"}, mentions=[dict(about, public=False)],
                       permissions={"public": False, "entities": [alice.entity]})
    for text in ("good", "between us"):
        wait_until(lambda: text in app.texts(), 30, "%r arrives" % text)
    accept = [("Accept", "application/vnd.tent.post-mentions.v0+json")]

    def listed(answer):
        check_equal(answer.status, 200, "the list: %r" % answer.body[:300])
        return {m["post"]: m for m in answer.json()["mentions"]}

    owner = listed(app.get(alice.entity, first["id"], headers=accept))
    check_equal(owner[reply["id"]], {"entity": bob.entity, "post": reply["id"], "type": STATUS + "reply"}, "the public reply")
    strangers = listed(alice.get(app.where(alice.entity, first["id"]), headers=accept))
    check_equal(sorted(strangers), [reply["id"]], "what strangers see")
    check(quiet["id"] not in strangers, "a private mention is nobody else's business")

    # As the old clients make them: a ref and a mention, no text (section 9).
    ref = {"entity": alice.entity, "post": first["id"]}
    for kind, words in (("repost", "passed on"), ("favorite", "likes")):
        type_ = "https://tent.io/types/%s/v0#%s" % (kind, STATUS[:-1])
        made = other.post(type_, {}, mentions=[about], refs=[ref])
        wait_until(lambda: made["id"] in [p["id"] for p in alice.json("show", alice.entity, first["id"])["about_it"]], 30,
                   lambda: "the %s shows under the post: %r" % (kind, alice.json("show", alice.entity, first["id"])))
        check("%s %s %s" % (words, alice.entity, first["id"]) in alice.do("show", alice.entity, first["id"]), "in words: " + words)
    check_equal(len(alice.json("show", alice.entity, first["id"])["about_it"]), 4, "all that is about it")


@limit(60)
def test_a_deletion_follows_a_post_that_is_on_its_way(stage):
    """The other server has the post in its hands and has not answered yet when it is deleted."""
    alice, bob = stage.node("alice"), peer(stage, "bob")
    app = AnApp(alice)
    bob.relate(alice.entity)
    wish = bob.publish(SUBSCRIPTION + "all", {"type": "all"}, mentions=[{"entity": alice.entity}])
    check_equal(bob.deliver(alice.entity, wish).status, 200, "bob asks to follow")
    alice.wait_follower(bob.entity, "pending")
    alice.do("followers", "approve", bob.entity)
    first = alice.post("the first one")
    bob.wait_received(lambda p: p["id"] == first["id"], 40)
    wait_until(lambda: alice.outbox_waiting() == 0, 20, "nothing is on its way")
    there, answer = threading.Event(), threading.Event()

    def hold(asked):
        there.set()
        answer.wait(60)
    bob.faults["notify"] = hold
    post = app.post(STATUS, {"text": "said too early"}, permissions={"public": True})
    check(there.wait(40), "the post is with bob's server")
    check_equal(app.ask("DELETE", app.where(alice.entity, post["id"])).status, 200, "deleted meanwhile")
    answer.set()
    wait_until(lambda: (alice.entity, post["id"]) in bob.deleted, 20, "the deletion arrives")
    check((alice.entity, post["id"]) not in bob.posts, "nothing is left of it at bob's")
    check_equal(bob.problems, [], "what his server found wrong")

# SPDX-License-Identifier: BSD-3-Clause
"""Deliveries that fail are told to the owner's apps as posts (sections 7.7 and 9): each reason, once for each status, and
only of those whom the post mentions.  The peer is fake_server.py behind an onion of the fake Tor."""
import json

import apps
import fake_tor
import notifications
import tent
from fake_server import META, FakeServer, refusal
from harness import HOST, check, check_equal, free_ports, wait_until
from node import limit

FAILURE = "https://tent.io/types/delivery-failure/v0"
SUBSCRIPTION = "https://tent.io/types/subscription/v0#"
STATUS = "https://tent.io/types/status/v0"


class Told:
    """A node with an app that writes, reads, and is told of every post at its notification URL."""

    def __init__(self, stage):
        self.node = stage.node("alice")
        self.hook = notifications.Webhook()
        app = apps.App(self.node, notification_url=self.hook.url, notification_types=["all"],
                       types={"read": ["all"], "write": ["all"]}).register()
        self.key = app.take_token(app.allowed()).token

    def ask(self, method, target, **more):
        return tent.request(self.node.listen, method, target, self.node.host, credentials=self.key, **more)

    def write(self, *mentioned, text="are you there?", permissions=None):
        post = {"type": STATUS + "#", "content": {"text": text}, "mentions": [{"entity": m.entity} for m in mentioned],
                "permissions": permissions or {"public": True}}
        answer = self.ask("POST", "/posts", body=json.dumps(post).encode(), content_type=tent.post_media_type(post["type"]))
        check_equal(answer.status, 200, "a post: %r" % answer.body[:300])
        return answer.json()["post"]

    def of(self, peer=None):
        """The failures in the feed, oldest first; of one peer."""
        feed = self.ask("GET", "/posts?limit=200&types=" + tent.escape(FAILURE)).json()["posts"]
        return [p for p in reversed(feed) if peer is None or p["content"]["entity"] == peer.entity]

    def hooked(self, peer):
        return [p for p in self.hook.got if p["type"].startswith(FAILURE) and p["content"]["entity"] == peer.entity]

    def expect(self, peer, post, *outcomes):
        """These (status, reason) were told of a post that did not arrive, in the feed and at the notification URL, and
        nothing else of this peer."""
        def contents(posts):
            return [(p["content"]["status"], p["content"].get("reason")) for p in posts]
        wait_until(lambda: len(self.hooked(peer)) >= len(outcomes), 40, lambda: "%r of %s is told; told %r; it was asked %r\n%s" % (
            outcomes, peer.entity, self.hooked(peer), peer.asked[-6:], self.node.log_tail()))
        check_equal(contents(self.hooked(peer)), list(outcomes), "what the app was told of " + peer.entity)
        check_equal(contents(self.of(peer)), list(outcomes), "what the feed holds of " + peer.entity)
        about = [{"post": post["id"], "version": post["version"]["id"], "type": post["type"]}]
        for failure in self.of(peer):
            check_equal(failure["type"], FAILURE + "#" + STATUS, "type")
            check_equal(set(failure["content"]), {"entity", "status", "reason"}, "content")
            check_equal((failure["refs"], failure["mentions"]), (about, about), "what it is about")
            check_equal(failure["permissions"], {"public": False}, "permissions")
            check_equal(failure["version"]["id"], tent.version_id(failure), "version id")
            target = "/posts/%s/%s" % (tent.escape(self.node.entity), failure["id"])
            check_equal(self.node.get(target).status, 404, "a stranger looks at it")
            check(failure["id"] not in [p["id"] for p in peer.received()], "it is delivered to nobody")


def peer(stage, name):
    """Another Tent server behind an onion."""
    port = free_ports(1)[0]
    entity = "http://%s.onion" % stage.fake.service(name, port)
    return FakeServer(port, entity, (HOST, stage.fake.tors[name + "-tor"].socks_port))


def statuses(status):
    """A fault of deliveries of status posts only."""
    def fault(asked):
        if '"%s#"' % STATUS in asked.headers["Content-Type"]:
            raise refusal(status, "out of order")
    return fault


def heal(server):
    server.faults, server.meta_links = {}, True
    server.posts[server.entity, "meta"] = server.posts[server.entity, "meta"][:1]
    if not server.server:
        server.start()


def broken_meta(server, **members):
    server.keep(server.make(META, server.meta_content(**members), id="meta"))


def comes(server, post, seconds=60):
    server.wait_received(lambda p: p["id"] == post["id"], seconds)


@limit(200)
def test_unreachable(stage):
    """Nobody answers, or only 503, before and within a relationship (section 7.7)."""
    told = Told(stage)
    refused, closed, busy, known = (peer(stage, n) for n in ("refused", "closed", "busy", "known"))
    known.relate(told.node.entity)
    away = told.node.tor.towards[refused.entity[len("http://"):-len(".onion")]] = fake_tor.Faults()
    away.refuse = 4
    closed.stop()
    busy.faults["entity"] = 503
    known.faults["notify"] = statuses(503)
    posts = [(p, told.write(p)) for p in (refused, closed, busy, known)]
    for server, post in posts:
        told.expect(server, post, ("temporary", "unreachable"))
    away.clear()
    for server, post in posts:
        heal(server)
        comes(server, post)
        told.expect(server, post, ("temporary", "unreachable"))


@limit(200)
def test_discovery_fails(stage):
    """No link, an invalid meta post, one of somebody else, no usable servers; an address that is no onion is refused for
    good (section 7.7)."""
    told = Told(stage)
    no_link, other, no_servers, clearnet = (peer(stage, n) for n in ("nolink", "other", "noservers", "clearnet"))
    no_link.meta_links = False
    broken_meta(other, entity="http://carol.example")
    broken_meta(no_servers, servers=[])
    broken_meta(clearnet, servers=json.loads(json.dumps(clearnet.meta_content()["servers"]).replace(
        clearnet.entity, "https://carol.example")))
    posts = [(p, told.write(p)) for p in (no_link, other, no_servers, clearnet)]
    for server, post in posts:
        told.expect(server, post, ("temporary", "discovery_failed"))
    for server, post in posts:
        heal(server)
        comes(server, post)
        told.expect(server, post, ("temporary", "discovery_failed"))
    nobody = FakeServer(entity="http://nobody.example")
    told.expect(nobody, told.write(nobody), ("permanent", "discovery_failed"))
    check_equal(nobody.asked, [], "nothing leaves outside Tor")


@limit(200)
def test_relationship_fails(stage):
    """The other side refuses the first step, or does not show its credentials or its relationship post (section 7.7)."""
    told = Told(stage)
    refusing, hiding, half = (peer(stage, n) for n in ("refusing", "hiding", "half"))
    refusing.faults["initial"] = 500
    hiding.faults["credentials"] = 404
    half.faults["relationship"] = 404
    posts = [(p, told.write(p)) for p in (refusing, hiding, half)]
    for server, post in posts:
        told.expect(server, post, ("temporary", "relationship_failed"))
    for server, post in posts:
        heal(server)
        comes(server, post)
        told.expect(server, post, ("temporary", "relationship_failed"))


@limit(200)
def test_delivery_fails(stage):
    """An answer that is worth another try is told as temporary, one that is final as permanent; each once, however often
    it is tried and through a restart (section 7.7)."""
    told = Told(stage)
    again, final = peer(stage, "again"), peer(stage, "final")
    again.relate(told.node.entity)
    again.faults["notify"] = statuses(404)
    final.faults["notify"] = statuses(400)
    posts = [(p, told.write(p)) for p in (again, final)]
    told.expect(again, posts[0][1], ("temporary", "delivery_failed"))
    told.expect(final, posts[1][1], ("permanent", "delivery_failed"))
    wait_until(lambda: len(again.got("notify", status=404)) >= 2, 40, "another try")
    told.node.restart()
    tries = len(again.got("notify", status=404))
    wait_until(lambda: len(again.got("notify", status=404)) > tries, 60, "a try after the restart")
    told.expect(again, posts[0][1], ("temporary", "delivery_failed"))
    again.faults["notify"] = statuses(400)
    told.expect(again, posts[0][1], ("temporary", "delivery_failed"), ("permanent", "delivery_failed"))
    heal(again)
    heal(final)
    later = [(p, told.write(p, text="and now?")) for p in (again, final)]
    for server, post in later:
        comes(server, post)
    check_equal([len(told.of(p)) for p, _ in posts], [2, 1], "nothing is told of what arrives")
    for server, post in posts:
        check(post["id"] not in [p["id"] for p in server.received()], "what was refused for good is not sent again")


@limit(200)
def test_only_of_those_who_are_mentioned(stage):
    """Nothing is told of a subscriber, nor of somebody who is only permitted (section 7.7); the same failure is told when
    the post mentions her."""
    told = Told(stage)
    subscriber, permitted = peer(stage, "subscriber"), peer(stage, "permitted")
    for each in (subscriber, permitted):
        each.relate(told.node.entity)
    follow = subscriber.publish(SUBSCRIPTION + STATUS, {"type": STATUS}, mentions=[{"entity": told.node.entity}])
    check_equal(subscriber.deliver(told.node.entity, follow).status, 200, "a subscription")
    told.node.wait_follower(subscriber.entity, "pending")
    told.node.do("followers", "approve", subscriber.entity)
    before = told.write(text="before")
    comes(subscriber, before)
    for each in (subscriber, permitted):
        each.faults["notify"] = statuses(404)
    post = told.write(text="to my followers")
    private = told.write(text="for one", permissions={"public": False, "entities": [permitted.entity]})
    wait_until(lambda: len(subscriber.got("notify", status=404)) >= 2, 40, "the delivery to the subscriber is tried again")
    check_equal(told.of(), [], "failures of a post that mentions nobody")
    heal(subscriber)
    comes(subscriber, post)
    subscriber.faults["notify"] = statuses(404)
    mentioning = told.write(subscriber, text="you")
    told.expect(subscriber, mentioning, ("temporary", "delivery_failed"))
    check_equal(len(told.of()), 1, "all the failures")
    check(private["id"] not in [p["id"] for p in permitted.received()] and not permitted.got("notify", status=404),
          "who is only permitted is not sent it")

# SPDX-License-Identifier: BSD-3-Clause
"""Following: a request is pending until the owner approves; deny, block and unfollow do what they say."""
import time

import tent
from harness import check, check_equal, wait_until
from node import check_post, follow, limit, noise, picture

QUIET = 3.0  # on the fake Tor a delivery takes a fraction of a second: after this much it will not come


def whole_story(stage, tor):
    """Follow, pending with nothing readable, approve, a post with attachments arrives byte for byte."""
    alice, bob = stage.pair(tor, approved=False)
    early = alice.post("said before anybody followed")
    open_ = alice.post("said to everybody", "--to", "public")
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending", 60)
    bob.wait_following(alice.entity, "requested", 60)
    stage.say("pending")

    hidden = alice.post("not for those who are pending")
    time.sleep(QUIET)
    check_equal(bob.texts(alice.entity).count("not for those who are pending"), 0, "a pending follower got a post")
    for post in (early, hidden):
        said = bob.refused("show", alice.entity, post["id"])
        check(post["content"]["text"] not in said, "a pending follower could read a post: %r" % said)
        path = "/posts/%s/%s" % (tent.escape(alice.entity), post["id"])
        check_equal(alice.get(path).status, 404, "a post for followers, asked for by nobody in particular")
    public = alice.get("/posts/%s/%s" % (tent.escape(alice.entity), open_["id"]))
    check_equal(public.status, 200, "a public post")
    listed = [p["id"] for p in alice.get("/posts").json()["posts"]]
    check(open_["id"] in listed and early["id"] not in listed and hidden["id"] not in listed, "the public feed: %r" % listed)

    alice.do("followers", "approve", bob.entity)
    bob.wait_following(alice.entity, "approved", 60)
    stage.say("approved")
    files = {"picture-1.png": picture(), "file-2.bin": noise(700_001)}
    paths = [stage.file("own " + name, data) for name, data in files.items()]
    text = "Grüße über Tor: \"quotes\", back\\slash,\nand a second line ～ 𝄞"
    post = alice.post(text, "--attach", paths[0], "--as-is", paths[1])
    check_post(post, alice.entity, text)
    got = bob.wait_text(text, 60)
    stage.say("arrived")
    check_post(got, alice.entity, text)
    check_equal(got["id"], post["id"], "id of the post at bob")
    check_equal(got["version"]["id"], post["version"]["id"], "version of the post at bob")
    check_equal({a["name"]: (a["digest"], a["size"]) for a in got["attachments"]},
                {n: (tent.digest(d), len(d)) for n, d in files.items()}, "attachments of the post at bob")
    for name, data in files.items():
        check(bob.attachment(alice.entity, post["id"], name) == data, "%s differs at bob" % name)
        check(alice.attachment(alice.entity, post["id"], name) == data, "%s differs at alice" % name)
    shown = bob.json("show", alice.entity, post["id"])
    shown = shown.get("post", shown)
    check_equal(shown["version"]["id"], post["version"]["id"], "`show` at bob")
    check_equal(bob.texts(alice.entity).count(text), 1, "the post is there once")
    return alice, bob, post


@limit(120)
def test_follow_pending_approve_post(stage):
    whole_story(stage, "fake")


@limit(240)
def test_follow_pending_approve_post_on_real_tors(stage):
    """Each node with a tor of its own that it has started itself."""
    alice, bob, _ = whole_story(stage, "child")
    for node in (alice, bob):
        child = node.tor_child()
        check(child, "%s runs a tor of its own" % node.name)
        node.stop()
        from harness import same_process
        wait_until(lambda: not same_process(*child), 5, "%s's tor has ended with it" % node.name)


def test_deny_is_silent(stage):
    alice, bob = stage.pair(approved=False)
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending")
    bob.wait_following(alice.entity, "requested")
    alice.do("followers", "deny", bob.entity)
    check_equal(alice.followers().get(bob.entity), "denied", "what alice decided")
    post = alice.post("not for bob")
    time.sleep(QUIET)
    check(not bob.has_text("not for bob"), "a denied follower got a post")
    check("not for bob" not in bob.refused("show", alice.entity, post["id"]), "a denied follower could read a post")
    check_equal(bob.following().get(alice.entity), "requested", "what bob is told of it")
    # She may change her mind.
    alice.do("followers", "approve", bob.entity)
    bob.wait_following(alice.entity, "approved")
    alice.post("now for bob")
    bob.wait_text("now for bob")


def test_block_refuses_from_then_on(stage):
    alice, bob = stage.pair()
    alice.post("while all was well")
    bob.wait_text("while all was well")
    alice.do("followers", "block", bob.entity)
    check_equal(alice.followers().get(bob.entity), "blocked", "what alice decided")
    post = alice.post("after the block")
    bob.cli("unfollow", alice.entity)
    bob.cli("follow", alice.entity)
    mention = bob.post("hey alice", "--to", alice.entity)
    time.sleep(QUIET)
    check(not bob.has_text("after the block"), "a blocked follower got a post")
    check("after the block" not in bob.refused("show", alice.entity, post["id"]), "a blocked follower could read a post")
    check_equal(alice.followers().get(bob.entity), "blocked", "the block after another request to follow")
    check(not alice.has_text("hey alice"), "alice got a post of somebody she has blocked: %s" % mention["id"])


def test_block_of_a_request(stage):
    alice, bob = stage.pair(approved=False)
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending")
    alice.do("followers", "block", bob.entity)
    alice.post("not for the blocked")
    time.sleep(QUIET)
    check(not bob.has_text("not for the blocked"), "a blocked follower got a post")
    check_equal(alice.status()["pending_followers"], 0, "pending followers after the block")


def test_unfollow_ends_it(stage):
    alice, bob = stage.pair()
    first = alice.post("the first")
    bob.wait_text("the first")
    bob.do("unfollow", alice.entity)
    check(alice.entity not in bob.following(), "bob's list after unfollow: %r" % bob.following())
    wait_until(lambda: alice.followers().get(bob.entity) != "approved", 30,
               lambda: "alice hears that bob has left: %r" % alice.followers())
    alice.post("the second")
    time.sleep(QUIET)
    check(not bob.has_text("the second"), "a post reached somebody who unfollowed")
    # The feed shows those whom he follows; what has arrived stays.
    check("the first" in bob.do("show", alice.entity, first["id"]), "what had arrived is gone")
    # To come back he has to ask again.
    bob.do("follow", alice.entity)
    wait_until(lambda: alice.followers().get(bob.entity) in ("pending", "approved"), 30,
               lambda: "the second request arrives: %r" % alice.followers())


def test_both_follow_each_other_at_once(stage):
    """Two handshakes that cross."""
    alice, bob = stage.pair(approved=False)
    alice.do("follow", bob.entity)
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending")
    bob.wait_follower(alice.entity, "pending")
    alice.do("followers", "approve", bob.entity)
    bob.do("followers", "approve", alice.entity)
    alice.wait_following(bob.entity, "approved")
    bob.wait_following(alice.entity, "approved")
    alice.post("from alice")
    bob.post("from bob")
    bob.wait_text("from alice")
    alice.wait_text("from bob")


def test_a_post_to_one_person_reaches_only_her(stage):
    alice, bob = stage.pair()
    carol = stage.node("carol")
    follow(alice, carol)
    alice.post("for carol only", "--to", carol.entity)
    carol.wait_text("for carol only")
    alice.post("for all followers")
    bob.wait_text("for all followers")
    carol.wait_text("for all followers")
    check(not bob.has_text("for carol only"), "a post to one person reached another")


def test_follow_of_nobody(stage):
    """What is no entity is refused at once; a request to oneself, too."""
    alice = stage.node("alice")
    for wrong in ("http://example.com", "ftp://" + alice.host, "http://short.onion", "http://%sa.onion" % alice.onion[:-1],
                  "", alice.entity):
        code, _, err = alice.cli("follow", wrong)
        check(code in (1, 2) and err.strip(), "follow %r was accepted (%d)" % (wrong, code))
    check_equal(alice.following(), {}, "who alice follows")


def test_only_the_onions_name_is_answered(stage):
    alice = stage.node("alice")
    check_equal(alice.get("/").status, 200, "the entity's page")
    for host in ("127.0.0.1:%d" % alice.listen[1], "localhost", "a" * 56 + ".onion", "example.com"):
        status = alice.get("/", host=host).status
        check(status >= 400, "Host %s was answered with %d" % (host, status))


def test_discovery_gives_a_valid_meta_post(stage):
    alice = stage.node("alice")
    head = alice.get("/", method="HEAD")
    link = tent.link(head, tent.REL_META)
    check(head.status == 200 and link and "," not in link, "Link header of the entity URL: %r" % (head.headers,))
    page = alice.get("/")
    check('rel="%s" />' % tent.REL_META in page.body.decode(), "the HTML form of the link")
    if link.startswith("http://"):
        link = link[len(alice.entity):]
    answer = alice.get(link, headers=[("Accept", tent.POST_TYPE)])
    check_equal(answer.status, 200, "the meta post")
    check(answer.header("content-type").startswith(tent.post_media_type("https://tent.io/types/meta/v0#")),
          "media type of the meta post: %r" % answer.header("content-type"))
    post = answer.json()["post"]
    check_post(post, alice.entity)
    check_equal(post["content"]["entity"], alice.entity, "entity in the meta post")
    urls = post["content"]["servers"][0]["urls"]
    check_equal(sorted(urls), sorted(["oauth_auth", "oauth_token", "posts_feed", "new_post", "post", "post_attachment",
                                      "attachment", "batch", "server_info", "discover"]), "URLs of the meta post")
    check(all(u.startswith(alice.entity + "/") for u in urls.values()), "URLs on the onion itself: %r" % urls)
    for name in ("server", "date", "last-modified", "x-powered-by"):
        check(not answer.header(name), "the answer has a %s header" % name)


def test_a_local_app_posts_and_reads_with_hawk(stage):
    """`app create` and --local-api; our own Hawk against the server's, both ways."""
    alice = stage.node("alice", "none", start=False)
    alice.extra_args = ["--local-api"]
    alice.start()
    app = alice.json("app", "create", "--name", "Test", "--read", "all", "--write", "all")
    check_equal(app["entity"], alice.entity, "entity of the app")
    host = app["api_root"][len("http://"):]
    address = ("127.0.0.1", int(host.rsplit(":", 1)[1]))
    good = tent.Credentials(app["id"], app["hawk_key"], app.get("app"))
    body = '{"type":"https://tent.io/types/status/v0#","content":{"text":"by an app, café"}}'.encode()
    kind = tent.post_media_type(tent.STATUS)

    answer = tent.request(address, "POST", "/posts", host, body=body, content_type=kind, credentials=good)
    check_equal(answer.status, 200, "a post by the app: %r" % answer.body[:300])
    check(answer.authentic, "Server-Authorization of the answer: %r" % answer.header("server-authorization"))
    post = answer.json()["post"]
    check_post(post, alice.entity, "by an app, café")
    feed = tent.request(address, "GET", "/posts?limit=5", host, credentials=good)
    check(feed.status == 200 and feed.authentic, "the feed for the app")
    check(post["id"] in [p["id"] for p in feed.json()["posts"]], "the app's post in the feed")
    check("by an app, café" in alice.texts(), "the app's post in `feed`")

    wrong = tent.Credentials(app["id"], app["hawk_key"] + "x", app.get("app"))
    check_equal(tent.request(address, "POST", "/posts", host, body=body, content_type=kind, credentials=wrong).status, 403,
                "a wrong key")
    nobody = tent.Credentials("nobody", app["hawk_key"])
    check_equal(tent.request(address, "GET", "/posts", host, credentials=nobody).status, 403, "an unknown id")
    check_equal(tent.request(address, "POST", "/posts", host, body=body, content_type=kind).status, 401, "nobody posts")
    old = tent.request(address, "GET", "/posts", host, credentials=good, ts=int(time.time()) - 90)
    given = tent.attributes(old.header("www-authenticate"))
    check_equal(old.status, 401, "a clock that is 90 seconds late")
    check_equal(given.get("tsm"), tent.hawk_tsm(good.key, given.get("ts")), "the server's time, signed")
    now, nonce = int(time.time()) + good.offset, "once1234"
    check_equal(tent.request(address, "GET", "/posts", host, credentials=good, ts=now, nonce=nonce).status, 200, "a nonce")
    check_equal(tent.request(address, "GET", "/posts", host, credentials=good, ts=now, nonce=nonce).status, 403,
                "the same nonce again")
    for other in (alice.host, "example.com", "127.0.0.1"):
        check(tent.request(address, "GET", "/posts", other, hawk_host=other).status >= 400, "Host %s at the local API" % other)

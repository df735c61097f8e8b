# SPDX-License-Identifier: BSD-3-Clause
"""The JSON that others rely on, and what a visitor sees of an onion: names of members, headers, no more."""
import os
import socket
import stat

import tent
from harness import check, check_equal, wait_until
from node import Node, follow


def test_status_of_a_running_node(stage):
    alice, bob = stage.pair(approved=False)
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending")
    status = alice.status()
    check_equal(status["entity"], alice.entity, "entity")
    check_equal(status["onion"], alice.entity[len("http://"):], "onion")
    check(status["listen"].startswith("127.0.0.1:"), "listen: %r" % status["listen"])
    check_equal(status["tor"]["bootstrap"], 100, "bootstrap")
    check(status["published"] is True, "published")
    check_equal(status["pending_followers"], 1, "pending followers")
    check(isinstance(status["outbox"]["waiting"], int), "outbox")
    check(status["local_api"] is None, "the local API is off unless asked for")


def test_lists_of_followers_and_following(stage):
    alice, bob = stage.pair(approved=False)
    follow(alice, bob)
    followers = alice.json("followers")["followers"]
    check_equal([(f["entity"], f["state"]) for f in followers], [(bob.entity, "approved")], "followers")
    check(isinstance(followers[0]["since"], int) and followers[0]["since"] > 1_600_000_000_000, "since, in ms")
    following = bob.json("following")["following"]
    check_equal([(f["entity"], f["state"]) for f in following], [(alice.entity, "approved")], "following")
    check_equal(set(following[0]), {"entity", "state", "safety_phrase", "verified_at", "caught_up_at"}, "members of `following`")
    check_equal(set(followers[0]), {"entity", "state", "since", "first_seen", "verified_at", "safety_phrase", "groups"},
                "members of `followers`")
    check_equal(following[0]["safety_phrase"], followers[0]["safety_phrase"], "both sides read the same words")
    decided = alice.json("followers", "deny", bob.entity)["follower"]
    check_equal((decided["entity"], decided["state"]), (bob.entity, "denied"), "the answer of deny")


def test_posts_feed_and_app(stage):
    alice = stage.node("alice", "none")
    first = alice.json("post", "first")["post"]
    second = alice.json("post", "second", "--to", "public")["post"]
    check_equal([p["id"] for p in alice.json("feed")["posts"]], [second["id"], first["id"]], "newest first")
    check("permissions" not in second, "a public post carries no permissions")
    check(first["permissions"]["public"] is False, "a post to followers is not public")
    check_equal(alice.json("show", alice.entity, first["id"])["post"], first, "show")
    check_equal([p["id"] for p in alice.json("feed", "--limit", "1")["posts"]], [second["id"]], "feed --limit")
    check("followers" in alice.refused("post", "x", "--to", "follower"), "the refusal of a mistyped audience")
    app = alice.json("app", "create", "--name", "N")
    check_equal(set(app), {"id", "hawk_key", "hawk_algorithm", "app", "entity", "api_root"}, "members of `app create`")
    check_equal(app["hawk_algorithm"], "sha256", "algorithm")
    check(app["api_root"].startswith("http://127.0.0.1:"), "api_root: %r" % app["api_root"])


def test_a_narrow_app_gets_what_it_was_granted(stage):
    alice = stage.node("alice", "none")
    status = "https://tent.io/types/status/v0"
    private = alice.json("post", "for followers")["post"]
    app = alice.json("app", "create", "--name", "reader", "--read", "https://vendor.example/note/v0", "--write",
                     "https://vendor.example/note/v0")
    host = app["api_root"][len("http://"):]
    address = ("127.0.0.1", int(host.rsplit(":", 1)[1]))
    credentials = tent.Credentials(app["id"], app["hawk_key"], app["app"])
    path = "/posts/%s/%s" % (tent.escape(alice.entity), private["id"])
    check_equal(tent.request(address, "GET", path, host, credentials=credentials).status, 404, "a type it was not granted")
    refused = tent.request(address, "POST", "/posts", host, credentials=credentials,
                           body=('{"type":"%s#","content":{"text":"x"}}' % status).encode(),
                           content_type=tent.post_media_type(status + "#"))
    check_equal(refused.status, 403, "a type it may not write")
    made = tent.request(address, "POST", "/posts", host, credentials=credentials,
                        body=b'{"type":"https://vendor.example/note/v0#","content":{"any":[1,null]}}',
                        content_type=tent.post_media_type("https://vendor.example/note/v0#"))
    check_equal(made.status, 200, "a type it may write: %r" % made.body[:200])
    check_equal(made.json()["post"]["content"], {"any": [1, None]}, "its content")
    mismatch = tent.request(address, "POST", "/posts", host, credentials=credentials,
                            body=b'{"type":"https://vendor.example/note/v0#"}', content_type="application/json")
    check_equal(mismatch.status, 415, "a wrong Content-Type")


def test_what_a_visitor_learns(stage):
    """No software, no clock, no path; absent, forbidden and nonsense look alike."""
    alice = stage.node("alice")
    secret = alice.post("for followers only")
    answers = [alice.get(target) for target in
               ("/posts/%s/%s" % (tent.escape(alice.entity), secret["id"]),
                "/posts/%s/%s" % (tent.escape(alice.entity), "A" * 22), "/nonsense", "/posts/x")]
    for answer in answers:
        check_equal((answer.status, answer.body), (404, b'{"error":"Not Found"}'), "what is not there or not for strangers")
    for answer in answers + [alice.get("/"), alice.get("/posts")]:
        for name in ("server", "date", "last-modified", "x-powered-by", "set-cookie", "exception_what"):
            check(not answer.header(name), "a %s header: %r" % (name, answer.header(name)))
    check_equal(alice.get("/posts").json()["posts"][0]["type"], "https://tent.io/types/meta/v0#", "the public feed")


def test_files_are_private(stage):
    alice = stage.node("alice", "none")
    check_equal(stat.S_IMODE(os.stat(alice.data).st_mode), 0o700, "mode of the data directory")
    for name in ("bivouac.db", "bivouac.keys", "control.sock", "lock"):
        check_equal(stat.S_IMODE(os.stat(os.path.join(alice.data, name)).st_mode), 0o600, "mode of " + name)
    open_ = stage.sub("open")
    os.chmod(open_, 0o755)
    words = Node(alice.program, stage.top, "open").refused("init", "--passphrase-file", "-", stdin=b"x y z\n")
    check("chmod 700" in words, words)
    check_equal(stat.S_IMODE(os.stat(open_).st_mode), 0o755, "the mode of a directory that was refused")


def test_tors_own_words_stay_out_of_the_log(stage):
    """They may repeat a line of the person's torrc; `status` shows them, the log does not."""
    extra = stage.file("extra", b"NoSuchOption 192.0.2.77\n")
    alice = stage.node("alice", "none", start=False)
    alice.run_args = lambda: ["run", "--data", alice.data, "--passphrase-file", "-", "--tor-extra", extra]
    alice.launch().wait_answering()
    words = wait_until(lambda: alice.status()["tor"].get("problem"), 20, "tor's end is told", 0.2)
    check("NoSuchOption" in words, "status: %r" % words)
    with open(alice.log) as file:
        log = file.read()
    check("bivouac status" in log and "NoSuchOption" not in log, "the log: %r" % log)


def ask_status(path):
    """What the control socket answers to whoever this process is; empty when it hangs up."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(path)
        try:
            s.sendall(b"GET /status HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n")
            return s.recv(4096)
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_the_control_socket_is_for_its_user_only(stage):
    """Another user is turned away even where the file modes would let her in. (Only root can become another user;
    for everybody else the modes are all there is to look at.)"""
    alice = stage.node("alice", "none")
    path = os.path.join(alice.data, "control.sock")
    check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, "mode of the control socket")
    check(ask_status(path).startswith(b"HTTP/1.1 200"), "its own user is answered")
    if os.getuid() != 0:
        return
    for place, mode in ((stage.top, 0o711), (alice.data, 0o711), (path, 0o666)):
        os.chmod(place, mode)
    child = os.fork()
    if child == 0:
        code = 2
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            code = 0 if ask_status(path) == b"" else 1
        finally:
            os._exit(code)
    check_equal(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 0, "another user at the control socket (1: answered)")
    os.chmod(alice.data, 0o700)
    check(ask_status(path).startswith(b"HTTP/1.1 200"), "its own user is still answered")

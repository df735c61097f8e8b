# SPDX-License-Identifier: BSD-3-Clause
"""Apps are told of posts at their notification URLs (section 6.7): programs on this machine and behind onions."""
import http.server
import json
import threading

import apps
import tent
from apps import NOTE, STATUS
from harness import HOST, check, check_equal, wait_until
from node import follow, limit

REPLY = STATUS + "#reply"
STATUS_TYPE = STATUS + "#"


class Webhook:
    """A small program that takes notifications; .got holds (type, body) in the order in which they came."""

    def __init__(self, port=0):
        self.got, self.requests, self.status = [], [], 200
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                hook.requests.append((self.path, self.headers, body))
                if hook.status == 200:
                    hook.got.append(json.loads(body))
                self.send_response(hook.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((HOST, port), Handler)
        self.port = self.server.server_address[1]
        self.url = "http://%s:%d/hook?for=me" % (HOST, self.port)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def types(self):
        return [p["type"] for p in self.got]

    def texts(self):
        return [p["content"]["text"] for p in self.got if p["type"].startswith(STATUS)]

    def wait_text(self, text, seconds=20):
        wait_until(lambda: text in self.texts(), seconds, lambda: "%r was told; only %r" % (text, self.texts()), 0.05)


def app(node, hook, types, read=("all",), write=("all",), url=None):
    """An app of this node: registered, allowed by its owner, told at the webhook."""
    made = apps.App(node, notification_url=url or hook.url, notification_types=types,
                    types={"read": list(read), "write": list(write)}).register()
    made.allowed()
    made.id = made.post["id"]
    return made


def write(node, type_, text, public=True):
    content = {"text": text} if type_.startswith(STATUS) else {"note": text}
    answer = node.api("POST", "/posts", content_type=tent.post_media_type(type_), body=json.dumps(
        {"type": type_, "content": content, "permissions": {"public": public}}).encode())
    check_equal(answer.status, 200, "a post of the test's app: %r" % answer.body[:300])
    return answer.json()["post"]


def alone(stage):
    alice = stage.node("alice", "none")
    alice.api("GET", "/posts")  # its own app comes before the apps that are told
    return alice


def test_all_base_and_exact_types_public_and_private(stage):
    alice = alone(stage)
    hooks = [Webhook() for _ in range(4)]
    every, base, exact, other = hooks
    app(alice, every, ["all"])
    app(alice, base, [STATUS])
    exact_app = app(alice, exact, [REPLY])
    app(alice, other, [NOTE])
    for number, public in enumerate((True, False)):
        for type_ in (STATUS_TYPE, REPLY, NOTE + "#"):
            write(alice, type_, "%s %d" % (type_, number), public)
    count = 2
    wait_until(lambda: every.types().count(NOTE + "#") == count and other.types().count(NOTE + "#") == count, 20,
               lambda: "the last one: %r" % every.types())
    base.wait_text(REPLY + " 1")
    exact.wait_text(REPLY + " 1")
    told = [t for t in every.types() if t.startswith(STATUS) or t.startswith(NOTE)]
    check_equal(told, [STATUS_TYPE, REPLY, NOTE + "#"] * count, "what the app of all types was told, in order")
    check_equal(base.types(), [STATUS_TYPE, REPLY] * count, "by the base")
    check_equal(exact.types(), [REPLY] * count, "by the fragment")
    check_equal(other.types(), [NOTE + "#"] * count, "another type")

    # On the wire: the bare post as its owner sees it, signed with the app's own credentials.
    path, headers, body = exact.requests[1]
    check_equal(path, "/hook?for=me", "path")
    check_equal(headers["Content-Type"],
                'application/vnd.tent.post.v0+json; type="%s"; rel="https://tent.io/rels/notification"' % REPLY, "Content-Type")
    post = json.loads(body)
    check_equal(post["permissions"], {"public": False}, "permissions are shown")
    check("received_at" in post and "id" in post["app"], "the app's view: %r" % sorted(post))
    given = tent.attributes(headers["Authorization"])
    key = exact_app.credentials
    check_equal(given["id"], key.id, "the id that signs")
    check_equal(given["hash"], tent.hawk_hash(headers["Content-Type"], body), "the hash of the body")
    check_equal(given["mac"], tent.hawk_mac(key.key, "header", int(given["ts"]), given["nonce"], "PUT", path, HOST,
                                            exact.port, given["hash"]), "the MAC")


def test_a_narrowed_and_a_revoked_app(stage):
    alice = alone(stage)
    hook, witness = Webhook(), Webhook()
    narrow = app(alice, hook, ["all"], read=(STATUS,), write=())
    app(alice, witness, ["all"])
    write(alice, NOTE + "#", "not to be read", public=True)
    write(alice, STATUS_TYPE, "first")
    hook.wait_text("first")
    check_equal(hook.types(), [STATUS_TYPE], "a public post outside the read types is not sent")
    alice.do("app", "allow", narrow.id, "--read", NOTE)
    write(alice, STATUS_TYPE, "narrowed")
    witness.wait_text("narrowed")
    write(alice, NOTE + "#", "told")
    wait_until(lambda: NOTE + "#" in hook.types(), 20, "the other type is told")
    check_equal(hook.texts(), ["first"], "what is granted no longer")
    alice.do("app", "revoke", narrow.id)
    write(alice, NOTE + "#", "revoked")
    write(alice, STATUS_TYPE, "last")
    witness.wait_text("last")
    check_equal(hook.types(), [STATUS_TYPE, NOTE + "#"], "after revocation")


def test_a_webhook_that_was_down_hears_of_everything_in_order(stage):
    alice = alone(stage)
    hook = Webhook()
    app(alice, hook, [STATUS])
    write(alice, STATUS_TYPE, "before")
    hook.wait_text("before")
    hook.close()
    for text in ("one", "two"):
        write(alice, STATUS_TYPE, text)
    alice.restart()
    again = Webhook(hook.port)
    again.wait_text("two", 30)
    check_equal(again.texts(), ["one", "two"], "in order, each once")

    again.status = 503
    write(alice, STATUS_TYPE, "three")
    wait_until(lambda: any(b"three" in r[2] for r in again.requests), 20, "the attempt that fails")
    again.status = 200
    again.wait_text("three", 30)
    again.status = 410
    write(alice, STATUS_TYPE, "refused for good")
    wait_until(lambda: any(b"for good" in r[2] for r in again.requests), 20, "the attempt that is refused")
    again.status = 200
    write(alice, STATUS_TYPE, "four")
    again.wait_text("four")
    check_equal(again.texts(), ["one", "two", "three", "four"], "what is refused for good is not sent again")


def test_our_own_listeners_are_no_webhooks(stage):
    alice = alone(stage)
    own, hook = Webhook(), Webhook()
    app(alice, own, ["all"], url="http://127.0.0.1:%d/posts/x/y" % alice.listen[1])
    app(alice, hook, ["all"])
    write(alice, STATUS_TYPE, "hello")
    hook.wait_text("hello")
    check_equal(own.requests, [], "nothing comes to another place")


@limit(120)
def test_delivered_posts_and_an_app_behind_an_onion(stage):
    alice, bob = stage.pair(approved=False)
    hook = Webhook()
    onion = stage.fake.service("webhook", hook.port)
    app(bob, hook, ["all"], url="http://%s.onion/hook" % onion)
    follow(alice, bob)
    alice.post("for bob")
    hook.wait_text("for bob", 40)
    kinds = {t.split("#")[0] for t in hook.types()}
    check("https://tent.io/types/relationship/v0" in kinds, "relationship posts are told as well: %r" % kinds)
    check("https://tent.io/types/credentials/v0" not in kinds, "keys are not: %r" % kinds)
    path, headers, _ = hook.requests[-1]
    check_equal(headers["Host"], onion + ".onion", "Host")
    circuits = [where for where in bob.tor.users().values() if onion in where]
    check_equal(circuits, [{onion}], "one circuit for the app, and for nobody else")


def test_a_delivery_that_fails_is_told(stage):
    alice = stage.node("alice")
    hook = Webhook()
    app(alice, hook, ["https://tent.io/types/delivery-failure/v0"])
    made = alice.json("app", "create", "--name", "Tests", "--read", "all", "--write", "all")
    key = tent.Credentials(made["id"], made["hawk_key"])
    gone = stage.node("gone")
    entity = gone.entity
    gone.kill9()
    answer = tent.request(alice.listen, "POST", "/posts", alice.host, credentials=key,
                          content_type=tent.post_media_type(STATUS_TYPE), body=json.dumps(
                              {"type": STATUS_TYPE, "content": {"text": "are you there?"},
                               "mentions": [{"entity": entity}]}).encode())
    check_equal(answer.status, 200, "the post")
    failed = answer.json()["post"]
    wait_until(lambda: hook.got, 40, "the failure is told")
    failure = hook.got[0]
    check_equal(failure["type"], "https://tent.io/types/delivery-failure/v0#" + STATUS, "type")
    check_equal(failure["content"], {"entity": entity, "status": "temporary", "reason": "unreachable"}, "content")
    check_equal(failure["permissions"], {"public": False}, "permissions")
    about = [{"post": failed["id"], "version": failed["version"]["id"], "type": STATUS_TYPE}]
    check_equal((failure["mentions"], failure["refs"]), (about, about), "what it is about")

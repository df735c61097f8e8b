# SPDX-License-Identifier: BSD-3-Clause
"""The checklist of the conformance suite (section 14.1) and the minimum list of the old clients (section 15.1), run
against `bivouac-conformance conformance-server`.  The other server in it is fake_server.py.

Each point is named by number in the docstring of the test that covers it; test_every_point_has_a_test counts them.
"""
import copy
import io
import itertools
import json
import os
import re
import socket
import sys
import time
import urllib.parse

import notifications
import tent
from fake_server import INITIAL, META, RELATIONSHIP, FakeServer, address_of, new_id, now_ms, refusal
from harness import HOST, PATIENCE, Failed, Process, binary, check, check_equal, free_ports, root, wait_until
from node import limit, picture
from tent import POST_TYPE, STATUS, escape, post_media_type

APP = "https://tent.io/types/app/v0#"
APP_AUTH = "https://tent.io/types/app-auth/v0#"
CREDENTIALS = "https://tent.io/types/credentials/v0#"
DELETE = "https://tent.io/types/delete/v0#"
PHOTO = "https://tent.io/types/photo/v0#"
FAILURE = "https://tent.io/types/delivery-failure/v0#"
SUBSCRIPTION = "https://tent.io/types/subscription/v0#"
NOTE = "https://vendor.example/types/note/v0#"
OTHER = "https://vendor.example/types/other/v0#"
REL_IMPORT = "https://tent.io/rels/import"
ERROR_TYPE = "application/vnd.tent.error.v0+json"
MENTIONS, VERSIONS, CHILDREN = ("application/vnd.tent.post-%s.v0+json" % kind for kind in ("mentions", "versions", "children"))
REDIRECT = "http://127.0.0.1:9/back?from=tent"
STARTED_MS = 1_700_000_000_000


def program():
    """$BIVOUAC_CONFORMANCE, or what stands beside the ordinary program in the build directory."""
    path = os.environ.get("BIVOUAC_CONFORMANCE") or os.path.join(
        os.path.dirname(os.environ.get("BIVOUAC") or os.path.join(root(), os.environ.get("BIVOUAC_BUILD", "build"), "src", "x")),
        "bivouac-conformance")
    if not (os.path.isfile(path) and os.access(path, os.X_OK)):
        raise Failed("no conformance program at %s: build it (ninja -C build src/bivouac-conformance) or set "
                     "BIVOUAC_CONFORMANCE=PATH" % path)
    return path


class Server:
    """One conformance server; in Stage.nodes, so that it ends with the test."""

    def __init__(self, stage, name="server"):
        self.port = free_ports(1)[0]
        self.host = "%s:%d" % (HOST, self.port)
        self.entity = "http://" + self.host
        self.log = os.path.join(stage.top, name + ".log")
        self.process = Process([program(), "conformance-server", "--port", str(self.port), "--data",
                                os.path.join(stage.top, name)], self.log, stage.top)
        stage.nodes.append(self)

        def answers():
            if not self.process.alive():
                raise Failed("the conformance server ended (exit %s)" % self.process.exit)
            try:
                return self.ask("HEAD", "/").status == 200
            except OSError:
                return False
        wait_until(answers, 30, "the conformance server answers")

    def ask(self, method, target, credentials=None, **more):
        return tent.request((HOST, self.port), method, target, self.host, credentials=credentials, **more)

    def path(self, id_, entity=None, **query):
        text = "/posts/%s/%s" % (escape(entity or self.entity), id_)
        return text + ("?" + urllib.parse.urlencode(query) if query else "")

    def send(self, post, credentials=None, files=(), **more):
        """POST of a post; files: (category, name, media type, bytes)."""
        body, content_type = upload(post, files)
        return self.ask("POST", "/posts", credentials, body=body, content_type=content_type, **more)

    def put(self, id_, post, credentials=None, files=(), rel=None, entity=None, **more):
        body, content_type = upload(post, files, rel)
        return self.ask("PUT", self.path(id_, entity), credentials, body=body, content_type=content_type, **more)

    def get(self, id_, credentials=None, accept=None, entity=None, method="GET", **query):
        headers = [("Accept", accept)] if accept else []
        return self.ask(method, self.path(id_, entity, **query), credentials, headers=headers)

    def create(self, app, type_=STATUS, content=None, public=True, files=(), **members):
        """A post of the app: as stored."""
        if content is None:
            content = {"text": "hello"} if type_.startswith(STATUS) else {"a": 1}
        answer = self.send(dict({"type": type_, "content": content, "permissions": {"public": public}}, **members), app.token,
                           files)
        return whole(answer, type_)

    def version(self, app, post, content=None, public=True, files=(), **members):
        """A new version of a post."""
        body = {"type": post["type"], "content": content or {"text": "newer"}, "permissions": {"public": public},
                "version": {"parents": [{"version": post["version"]["id"]}]}}
        body.update(members)
        return whole(self.put(post["id"], body, app.token, files), body["type"])

    def bring(self, app, post, files=()):
        """An import; the post as it is stored."""
        return whole(self.put(post["id"], post, app.token, files, REL_IMPORT, post["entity"]), post["type"])

    def feed(self, app=None, path="/posts", method="GET", **query):
        query = [(k, v) for k, given in query.items() for v in (given if isinstance(given, list) else [given])]
        return self.ask(method, path + ("?" + urllib.parse.urlencode(query) if query else ""), app and app.token)

    def ids(self, app=None, **query):
        answer = self.feed(app, **query)
        check_equal(answer.status, 200, "feed %r: %r" % (query, answer.body[:200]))
        check_equal(answer.header("content-type"), tent.FEED_TYPE, "Content-Type of the feed")
        return [p["id"] for p in answer.json()["posts"]]


class App:
    """An app that registered, was let through by oauth_auth, and has its keys."""

    def __init__(self, server, read=("all",), write=("all",), scopes=("permissions", "import"), **content):
        self.server = server
        self.content = dict({"name": "Validator", "url": "http://127.0.0.1:9", "redirect_uri": REDIRECT,
                             "types": {"read": list(read), "write": list(write)}, "scopes": list(scopes)}, **content)
        made = server.send({"type": APP, "content": self.content, "permissions": {"public": False}})
        self.post = whole(made, APP)
        self.credentials = linked(made)
        self.token = self.exchange(self.code())

    def code(self):
        return code_of(self.server.ask("GET", "/oauth/authorize?client_id=" + self.post["id"]))

    def exchange(self, code):
        body = json.dumps({"code": code, "token_type": "https://tent.io/oauth/hawk-token"}).encode()
        answer = self.server.ask("POST", "/oauth/token", self.credentials, body=body, content_type="application/json")
        check_equal(answer.status, 200, "oauth_token: %r" % answer.body[:200])
        self.given = answer.json()
        return tent.Credentials(self.given["access_token"], self.given["hawk_key"])


def code_of(answer):
    check_equal(answer.status, 302, "oauth_auth redirects at once")
    location = urllib.parse.urlsplit(answer.header("location"))
    check(answer.header("location").startswith(REDIRECT + "&"), "Location: " + answer.header("location"))
    return urllib.parse.parse_qs(location.query)["code"][0]


def upload(post, files=(), rel=None):
    """(body, Content-Type) of a post, by multipart if files come with it."""
    text = json.dumps(post).encode()
    if not files:
        return text, post_media_type(post.get("type", ""), rel)
    parts = [("post", "post.json", post_media_type(post["type"], rel), text)] + list(files)
    body = b"".join(b'--b7\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n' % (
        c.encode(), n.encode(), t.encode(), d) for c, n, t, d in parts)
    return body + b"--b7--\r\n", "multipart/form-data; boundary=b7"


def whole(answer, type_):
    """The post of an answer, with what every answer with a post must have."""
    check_equal(answer.status, 200, "a post of %s: %r" % (type_, answer.body[:300]))
    check_equal(answer.header("content-type"), post_media_type(type_), "Content-Type")
    check(set(answer.json()) <= {"post", "refs", "profiles"}, "members of the envelope: %r" % sorted(answer.json()))
    post = answer.json()["post"]
    for member in ("id", "entity", "type", "published_at", "version"):
        check(member in post, "the post has no %s: %r" % (member, post))
    return post


def linked(answer):
    """The credentials behind the Link of a created app or app-auth, fetched without authentication."""
    url = tent.link(answer, tent.REL_CREDENTIALS)
    check(url and "," not in url, "the credentials Link: %r" % url)
    address, host, target = address_of(url)
    post = tent.request(address, "GET", target, host).json()["post"]
    check(post["type"].startswith(CREDENTIALS), "behind the Link: " + post["type"])
    check_equal(post["content"]["hawk_algorithm"], "sha256", "algorithm")
    return tent.Credentials(post["id"], post["content"]["hawk_key"])


def refused(answer, status, text):
    check_equal(answer.status, status, "%s: %r" % (text, answer.body[:200]))
    check_equal(answer.header("content-type"), ERROR_TYPE, "Content-Type of the error: " + text)
    check(isinstance(answer.json()["error"], str), "the error's text")


def broken(value, where=""):
    """Every way to give one member (of an object or a list, at any depth) a wrong type: (where, the whole)."""
    for key in (value if isinstance(value, dict) else range(len(value))):
        place = "%s/%s" % (where, key)
        inner = value[key]
        for wrong in ("x", 5, True, [1], {"odd": 1}):
            if type(wrong) is type(inner):
                continue
            changed = copy.deepcopy(value)
            changed[key] = wrong
            yield "%s is %r" % (place, wrong), changed
        if isinstance(inner, (dict, list)):
            for text, made in broken(inner, place):
                changed = copy.deepcopy(value)
                changed[key] = made
                yield text, changed


FULL_APP = {"name": "Validator", "description": "checks", "url": "http://127.0.0.1:9", "redirect_uri": REDIRECT,
            "notification_url": "http://127.0.0.1:9/hook", "notification_types": ["https://tent.io/types/status/v0"],
            "types": {"read": ["https://tent.io/types/status/v0"], "write": [NOTE]}, "scopes": ["permissions"]}


# ------------------------------------------------------------------------------------------- new_post, registration

def test_app_registration(stage):
    """Points 1 to 5 (section 14.1): an app registers, plain and with an icon; Link, version id, members that others set."""
    server = Server(stage)
    base = {"type": APP, "content": FULL_APP, "permissions": {"public": False}}
    # 1, 3
    answer = server.send(base)
    post = whole(answer, APP)
    check_equal(post["content"], FULL_APP, "the content is echoed")
    check_equal((post["entity"], post["permissions"]["public"]), (server.entity, False), "entity and permissions")
    key = linked(answer)
    check_equal(server.get(post["id"], key).status, 200, "the key shows the app post")
    # 4
    check_equal(post["version"]["id"], tent.version_id(post), "version id")
    # 2
    icon = picture()
    answer = server.send(base, files=[("icon[0]", "app icon.png", "image/png", icon)])
    post = whole(answer, APP)
    check_equal(post["attachments"], [{"category": "icon", "content_type": "image/png", "name": "app icon.png",
                                       "digest": tent.digest(icon), "size": len(icon)}], "attachments")
    check_equal(post["version"]["id"], tent.version_id(post), "version id with an attachment")
    linked(answer)
    # 5
    odd = dict(base, id="odd-id", received_at=5, entity="http://carol.example", original_entity="http://old.example",
               app={"id": "x", "name": "Other", "url": "http://other.example"},
               version={"published_at": 1234567, "received_at": 6, "message": "first"})
    post = whole(server.send(odd), APP)
    check(post["id"] != "odd-id" and post["entity"] == server.entity, "id and entity are the server's")
    check("original_entity" not in post and post.get("app", {}).get("name") != "Other", "members that only imports set")
    check_equal((post["version"]["published_at"], post["version"]["message"]), (1234567, "first"), "members that apps set")
    check(post.get("received_at") != 5 and post["version"].get("received_at") != 6, "received_at")
    check_equal(post["version"]["id"], tent.version_id(post), "version id of that")


def test_invalid_content(stage):
    """Points 6 and 7 (section 14.1): unknown members of known types, and every member with a wrong type, are 400."""
    server = Server(stage)
    app = App(server)
    refused(server.send({"type": APP, "content": dict(FULL_APP, colour="red")}), 400, "an unknown member of an app")
    refused(server.send({"type": STATUS, "content": {"text": "a", "colour": "red"}}, app.token), 400, "of a status")
    for text, content in broken(FULL_APP):
        refused(server.send({"type": APP, "content": content}), 400, "app content: " + text)
    photo = {"caption": "a dot", "filename": "dot.png", "film_speed": "100", "orientation": "90", "timestamp": 1,
             "exposure": {"bias": "0.5", "mode": "auto", "time": "0.01", "program": "manual"}, "aperture": "2.8",
             "flash": {"fired": True, "mode": "auto"}, "camera": {"make": "a", "model": "b"}, "white_balance": True,
             "lens": {"make": "a", "model": "b", "focal_length": {"min": "1", "max": "2"}}, "resolution": {"width": 1, "height": 2},
             "location": {"latitude": "1.5", "longitude": "-2", "altitude": "3"}}
    for type_, content in ((STATUS, {"text": "a", "location": {"latitude": "1.5", "longitude": "-2"}}), (PHOTO, photo)):
        check_equal(server.send({"type": type_, "content": content}, app.token).status, 200, type_)
        for text, changed in broken(content):
            refused(server.send({"type": type_, "content": changed}, app.token), 400, type_ + " content: " + text)


def test_invalid_members(stage):
    """Points 8 to 10 (section 14.1): members of the post with wrong types, unknown ones, bodies that are no post."""
    server = Server(stage)
    app = App(server)
    parent = server.create(app)
    icon = picture()
    kept = server.create(app, PHOTO, {}, files=[("photo[0]", "dot.png", "image/png", icon)])["attachments"][0]
    good = {"type": STATUS, "content": {"text": "hello"}, "published_at": STARTED_MS,
            "version": {"parents": [{"version": parent["version"]["id"], "post": parent["id"], "entity": server.entity}],
                        "message": "m", "published_at": STARTED_MS},
            "mentions": [{"entity": server.entity, "post": parent["id"], "type": STATUS,
                          "version": parent["version"]["id"], "public": False}],
            "refs": [{"entity": server.entity, "post": parent["id"], "type": STATUS, "version": parent["version"]["id"]}],
            "licenses": [{"url": "http://license.example/"}], "attachments": [kept],
            "permissions": {"public": False, "entities": [server.entity]}}
    check_equal(server.send(good, app.token).status, 200, "the post that is broken below")
    # 8
    for text, post in broken(good):
        if text.startswith("/type "):
            continue
        refused(server.send(post, app.token), 400, text)
    # 9
    refused(server.send(dict(good, colour="red"), app.token), 400, "an unknown member")
    for place in ("version", "permissions"):
        refused(server.send(dict(good, **{place: dict(good[place], colour="red")}), app.token), 400, "unknown in " + place)
    for place in ("mentions", "refs", "licenses", "attachments"):
        refused(server.send(dict(good, **{place: [dict(good[place][0], colour="red")]}), app.token), 400, "unknown in " + place)
    for content in ("text", ["text"], True, 5):
        refused(server.send({"type": APP, "content": content}), 400, "content is %r" % content)
        refused(server.send({"type": NOTE, "content": content}, app.token), 400, "content of a free type is %r" % content)
    # 10
    target = dict(method="POST", target="/posts")
    refused(server.ask(**target, content_type=post_media_type(APP)), 400, "no body")
    refused(server.ask(**target, content_type=post_media_type(APP), body=b'"text"'), 400, "a JSON string")
    refused(server.ask(**target, content_type=post_media_type(APP), body=b"{"), 400, "no JSON")
    body = json.dumps({"type": APP, "content": FULL_APP}).encode()
    refused(server.ask(**target, content_type="application/json", body=body), 415, "application/json")


# ------------------------------------------------------------------------------------------------------ OAuth, apps

def test_oauth(stage):
    """Points 11 and 12 (section 14.1): a code without a person, and its exchange."""
    server = Server(stage)
    app = App(server)
    answer = server.ask("GET", "/oauth/authorize?client_id=%s&state=a%%26b" % app.post["id"])
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.header("location")).query)
    check_equal((answer.status, query["state"]), (302, ["a&b"]), "state")
    check_equal(server.ask("GET", "/oauth/authorize").status, 400, "no client_id")
    app.exchange(query["code"][0])
    check(app.given["access_token"] and app.given["hawk_key"], "the token: %r" % sorted(app.given))
    check_equal((app.given["hawk_algorithm"], app.given["token_type"]), ("sha256", "https://tent.io/oauth/hawk-token"), "kind")
    token = tent.Credentials(app.given["access_token"], app.given["hawk_key"])
    check_equal(server.ask("GET", "/posts", token).status, 200, "the token works")
    body = json.dumps({"code": query["code"][0]}).encode()
    check_equal(server.ask("POST", "/oauth/token", body=body, content_type="application/json").status, 401, "unsigned")


def imported(server, type_, content=None, **members):
    """A post for an import, with all that an import sets."""
    at = members.pop("at", now_ms())
    post = {"id": new_id(), "entity": server.entity, "type": type_, "published_at": at, "received_at": at,
            "version": {"published_at": at, "received_at": at}}
    if content is not None:
        post["content"] = content
    post.update(members)
    post["version"]["id"] = tent.version_id(post)
    return post


def test_imported_app(stage):
    """Point 13 (section 14.1): an imported app, its credentials, its app-auth and the credentials of that work; the app
    changes its own post."""
    server = Server(stage)
    admin = App(server)
    private = {"public": False}
    app = imported(server, APP, FULL_APP, permissions=private)
    server.bring(admin, app)
    own = imported(server, CREDENTIALS + APP[:-1], {"hawk_key": "imported-key-of-the-app-0123456789", "hawk_algorithm": "sha256"},
                   mentions=[{"post": app["id"], "type": APP}], permissions=private)
    server.bring(admin, own)
    auth = imported(server, APP_AUTH, {"types": {"read": [], "write": [STATUS[:-1]]}, "scopes": []},
                    mentions=[{"post": app["id"], "type": APP}], permissions=private)
    server.bring(admin, auth)
    token = imported(server, CREDENTIALS + APP_AUTH[:-1], {"hawk_key": "imported-key-of-the-auth-123456789",
                                                           "hawk_algorithm": "sha256"},
                     mentions=[{"post": auth["id"], "type": APP_AUTH}], permissions=private)
    server.bring(admin, token)
    app_key = tent.Credentials(own["id"], own["content"]["hawk_key"])
    token_key = tent.Credentials(token["id"], token["content"]["hawk_key"])
    made = whole(server.send({"type": STATUS, "content": {"text": "imported"}}, token_key), STATUS)
    check_equal(made["app"]["name"], FULL_APP["name"], "the app of its posts")
    check_equal(server.send({"type": NOTE, "content": {}}, token_key).status, 403, "what it was not granted")
    seen = whole(server.get(app["id"], app_key), APP)
    check_equal(server.get(app["id"], token_key).status, 404, "the app-auth does not read the app post")
    changed = dict(FULL_APP, name="Renamed")
    done = whole(server.put(app["id"], {"type": APP, "content": changed, "permissions": private, "version": {
        "parents": [{"version": seen["version"]["id"]}]}}, app_key), APP)
    check_equal((done["id"], done["content"]), (app["id"], changed), "a new version of the app post")
    code = code_of(server.ask("GET", "/oauth/authorize?client_id=" + app["id"]))
    body = json.dumps({"code": code}).encode()
    given = server.ask("POST", "/oauth/token", app_key, body=body, content_type="application/json")
    check_equal(given.status, 200, "a token for the imported app: %r" % given.body[:200])


@limit(120)
def test_webhooks(stage):
    """Points 14 and 15 (section 14.1): an app is told of what its notification types and its read types match, by PUT,
    signed with the app credentials; of nothing else, public or not."""
    server = Server(stage)
    writer = App(server)
    reply = STATUS + "reply"
    hooks = {}
    for name, types, read in (("all", ["all"], ["all"]), ("base", [STATUS[:-1]], ["all"]), ("exact", [reply], ["all"]),
                              ("unread", ["all"], [NOTE])):
        hook = notifications.Webhook()
        hooks[name] = hook, App(server, read=read, write=[], notification_url=hook.url, notification_types=types)
    for public, type_ in itertools.product((True, False), (STATUS, reply, OTHER, NOTE)):
        server.create(writer, type_, {"text": "%s %s" % (type_, public)}, public)
    wanted = {"all": [STATUS, reply, OTHER, NOTE], "base": [STATUS, reply], "exact": [reply], "unread": [NOTE]}
    # Each app is told in order; so when the last one has come, all have.
    for name, types in wanted.items():
        hook = hooks[name][0]
        mine = lambda hook=hook: [(p["type"], p.get("permissions", {}).get("public", True)) for p in hook.got
                                  if p["type"] in (STATUS, reply, OTHER, NOTE)]
        both = [(type_, public) for public in (True, False) for type_ in types]
        wait_until(lambda: len(mine()) >= len(both), 20, lambda: "what %s was told: %r" % (name, mine()))
        check_equal(mine(), both, "what the app of %s was told" % name)
    hook, app = hooks["exact"]
    path, headers, body = [r for r in hook.requests if json.loads(r[2])["type"] == reply][-1]
    check_equal(headers["Content-Type"], post_media_type(reply, tent.REL_NOTIFICATION), "Content-Type")
    given = tent.attributes(headers["Authorization"])
    check_equal(given["id"], app.credentials.id, "the app credentials sign")
    check_equal(given["mac"], tent.hawk_mac(app.credentials.key, "header", given["ts"], given["nonce"], "PUT", path, HOST,
                                            hook.port, tent.hawk_hash(headers["Content-Type"], body)), "MAC")
    check_equal(json.loads(body)["content"], {"text": reply + " False"}, "the bare post")


# -------------------------------------------------------------------------------------------- authentication, CORS

def test_a_skewed_clock(stage):
    """Point 16 (section 14.1): 90 seconds are too many, and the answer says what time it is."""
    server = Server(stage)
    app = App(server)
    for skew in (-90, 90):
        answer = server.ask("GET", "/posts", app.token, ts=int(time.time()) + skew)
        refused(answer, 401, "%d s" % skew)
        given = tent.attributes(answer.header("www-authenticate"))
        check_equal(set(given), {"ts", "tsm", "error"}, "attributes")
        check_equal(given["tsm"], tent.hawk_tsm(app.token.key, given["ts"]), "tsm")
        check(abs(int(given["ts"]) - time.time()) <= 5, "the server's time")
    check_equal(server.ask("GET", "/posts", app.token, ts=int(time.time()) + 30).status, 200, "30 s")


def words(text):
    return {w.strip().lower() for w in text.split(",")}


def test_cross_origin(stage):
    """Points 17 and 18 (section 14.1): OPTIONS everywhere, and failing requests with an Origin."""
    server = Server(stage)
    entity = escape(server.entity)
    paths = {"post": "/posts/%s/x" % entity, "posts_feed": "/posts", "post_attachment": "/posts/%s/x/attachments/y" % entity,
             "attachment": "/attachments/%s/z" % entity, "oauth_token": "/oauth/token", "new_post": "/posts",
             "server_info": "/server", "batch": "/batch"}
    for name, path in paths.items():
        answer = server.ask("OPTIONS", path)
        check_equal((answer.status, answer.body), (200, b""), "OPTIONS " + name)
        check_equal(answer.header("access-control-allow-origin"), "*", name)
        check(words("DELETE, GET, HEAD, PATCH, POST, PUT") <= words(answer.header("access-control-allow-methods")), name)
        check(words("Accept, Authorization, Cache-Control, Content-Type, If-Match, If-None-Match, Link") <=
              words(answer.header("access-control-allow-headers")), name)
    failing = [("GET", paths["post"]), ("GET", paths["post_attachment"]), ("GET", paths["attachment"]), ("POST", "/oauth/token"),
               ("POST", "/posts"), ("GET", "/posts?since=nonsense"), ("PATCH", "/server"), ("POST", "/batch")]
    for method, path in failing:
        answer = server.ask(method, path, headers=[("Origin", "https://app.example")])
        check(400 <= answer.status < 500, "%s %s fails: %d" % (method, path, answer.status))
        check_equal(answer.header("access-control-allow-origin"), "*", path)
        check(words("Server-Authorization, Link, Count, ETag, WWW-Authenticate") <=
              words(answer.header("access-control-expose-headers")), path)


# ---------------------------------------------------------------------------------------------------- reading posts

def readers(server):
    """(an app that may do everything, one that may read statuses, one that may read something else)."""
    return App(server), App(server, read=[STATUS[:-1]], write=[]), App(server, read=[OTHER[:-1]], write=[OTHER[:-1]])


def test_public_and_private_posts(stage):
    """Points 19 and 20 (section 14.1): who reads a post, and which of its members."""
    server = Server(stage)
    full, limited, other = readers(server)
    public, private = server.create(full), server.create(full, public=False)
    for app in (full, limited, other):
        post = whole(server.get(public["id"], app.token), STATUS)
        check("permissions" not in post, "a public post has no permissions")
        check("received_at" in post and "received_at" in post["version"] and "id" in post["app"], "an app's view")
    post = whole(server.get(public["id"]), STATUS)
    check("permissions" not in post and "received_at" not in post and "received_at" not in post["version"], "a stranger's view")
    check_equal(set(post["app"]), {"name", "url"}, "what a stranger sees of the app")
    check_equal(post["version"]["id"], tent.version_id(post), "version id, by a stranger")
    for app, wanted in ((None, 404), (other, 404), (limited, 200), (full, 200)):
        for method in ("GET", "HEAD"):
            answer = server.get(private["id"], app and app.token, method=method)
            check_equal(answer.status, wanted, "%s of a private post" % method)
    check_equal(server.get(private["id"], full.token).json()["post"]["permissions"], {"public": False}, "permissions for an app")


def listed(server, id_, accept, app=None, status=200, **query):
    """A list of a post, its HEAD checked along; None if it is not shown."""
    answer = server.get(id_, app and app.token, accept, **query)
    check_equal(answer.status, status, "the list %s: %r" % (accept, answer.body[:200]))
    head = server.get(id_, app and app.token, accept, method="HEAD", **query)
    check_equal(head.status, status, "HEAD of the list")
    if status != 200:
        return None
    check_equal((answer.header("content-type"), head.header("content-type")), (accept, accept), "Content-Type of the list")
    found = answer.json()
    name = "mentions" if accept == MENTIONS else "versions"
    check(set(found) <= {name, "pages", "profiles"}, "members of the list: %r" % sorted(found))
    if "limit" not in query:
        check_equal(int(head.header("count")), len(found[name]), "Count")
    return found[name]


def test_mentions_list(stage):
    """Point 21 (section 14.1): newest first, entity only if different, private ones marked and for apps only."""
    server = Server(stage)
    full, limited, other = readers(server)
    post, hidden = server.create(full), server.create(full, public=False)
    mention = {"entity": server.entity, "post": post["id"], "type": STATUS}
    first = server.create(full, mentions=[mention])
    secret = server.create(full, mentions=[dict(mention, public=False)])
    private = server.create(full, public=False, mentions=[mention])
    foreign = server.bring(full, imported(server, STATUS, {"text": "from carol"}, entity="http://carol.example", mentions=[mention]))
    entry = lambda p, **more: dict({"post": p["id"], "type": STATUS}, **more)
    check_equal(listed(server, post["id"], MENTIONS, full), [
        entry(foreign, entity="http://carol.example"), entry(private), entry(secret, public=False), entry(first)], "for an app")
    shown = [entry(foreign, entity="http://carol.example"), entry(first)]
    check_equal(listed(server, post["id"], MENTIONS), shown, "for strangers")
    whoever = listed(server, post["id"], MENTIONS, other)
    check(entry(private) not in whoever and entry(first) in whoever, "for an app that may not read the type: %r" % whoever)
    check_equal(len(listed(server, post["id"], MENTIONS, full, limit=2)), 2, "limit")
    check_equal(server.get(post["id"], full.token, MENTIONS, method="HEAD", limit=2).header("count"), "4", "Count is of all")
    listed(server, hidden["id"], MENTIONS, status=404)
    listed(server, hidden["id"], MENTIONS, other, status=404)
    check_equal(listed(server, hidden["id"], MENTIONS, limited), [], "of a private post, for an app that may read it")


def test_children_list(stage):
    """Point 22 (section 14.1): versions that name a version as their parent, of this post and of others."""
    server = Server(stage)
    full, limited, other = readers(server)
    post = server.create(full)
    first = post["version"]["id"]
    second = server.version(full, post)
    child = server.create(full, version={"parents": [{"version": first, "post": post["id"]}]})
    private = server.create(full, public=False, version={"parents": [{"version": first, "post": post["id"]}]})
    own, foreign, hidden = (p["version"]["id"] for p in (second, child, private))
    ids = lambda *given, **query: [v["id"] for v in listed(server, post["id"], CHILDREN, *given, **query)]
    check_equal(ids(full, version=first), [hidden, foreign, own], "for an app")
    check_equal(ids(version=first), [foreign, own], "for strangers")
    check_equal(ids(other, version=first), [foreign, own], "for an app that may not read the type")
    check_equal(ids(limited, version=first), [hidden, foreign, own], "for one that may")
    check_equal(ids(full), [], "of the latest version")
    third = server.version(full, second)
    check_equal(ids(full, version=own), [third["version"]["id"]], "of a version in the middle")
    for entry in listed(server, post["id"], CHILDREN, full, version=first):
        check_equal(entry["type"], STATUS, "type")
        mine = entry["id"] == own
        check_equal(entry["parents"], [{"version": first}] if mine else [{"version": first, "post": post["id"]}], "parents")
    secret = server.create(full, public=False)
    open_ = server.version(full, secret)
    listed(server, secret["id"], CHILDREN, status=404, version=secret["version"]["id"])
    check_equal(server.get(secret["id"], version=secret["version"]["id"]).status, 404, "the private version itself")
    check_equal([v["id"] for v in listed(server, secret["id"], CHILDREN, full, version=secret["version"]["id"])],
                [open_["version"]["id"]], "children of the private version")


def test_versions_list(stage):
    """Point 23 (section 14.1): the version members and the type; newest first; only what the reader may read."""
    server = Server(stage)
    full, limited, other = readers(server)
    one = server.create(full, public=False)
    two = server.version(full, one, version={"parents": [{"version": one["version"]["id"]}], "message": "typo"})
    three = server.version(full, two)
    ids = [p["version"]["id"] for p in (three, two, one)]
    for app, wanted in ((full, ids), (limited, ids), (other, ids[:2]), (None, ids[:2])):
        got = listed(server, one["id"], VERSIONS, app)
        check_equal([v["id"] for v in got], wanted, "versions")
        check_equal([v.get("message") for v in got][:2], [None, "typo"], "message")
        check_equal([v.get("parents") for v in got][:2], [[{"version": ids[1]}], [{"version": ids[2]}]], "parents")
        check(all(v["type"] == STATUS and "published_at" in v for v in got), "members of a version")
        check(all(("received_at" in v) == (app is not None) for v in got), "received_at is for apps")
    check_equal(server.get(one["id"]).json()["post"]["version"]["id"], ids[0], "the latest for strangers")
    secret = server.create(full, public=False)
    server.version(full, secret, public=False)
    listed(server, secret["id"], VERSIONS, status=404)
    listed(server, secret["id"], VERSIONS, other, status=404)
    check_equal(len(listed(server, secret["id"], VERSIONS, limited)), 2, "for an app that may read the type")


class Shelf:
    """Posts with known times, and what a feed of them must hold: section 4.2 a second time."""
    TYPES = ("https://shelf.example/types/a/v0#", "https://shelf.example/types/a/v0#x", "https://shelf.example/types/b/v0#")

    def __init__(self, server, app, count=9, **members):
        self.server, self.app, self.posts = server, app, []
        for i in range(count):
            # Four orders, all different; two posts share each received_at.
            post = {"id": new_id(), "entity": server.entity, "type": self.TYPES[i % 3], "content": {"n": i},
                    "published_at": STARTED_MS + 1000 * ((i * 5) % count), "received_at": STARTED_MS + 1000 * (i // 2),
                    "permissions": {"public": i % 4 != 3},
                    "version": {"published_at": STARTED_MS + 1000 * ((i * 7) % count),
                                "received_at": STARTED_MS + 1000 * ((i * 4) % count)}}
            post.update(members)
            self.posts.append(server.bring(app, post))
        self.selector = ",".join(sorted({t.split("#")[0] for t in self.TYPES}))

    @staticmethod
    def at(post, sort):
        value = post
        for name in sort.split("."):
            value = value[name]
        return value

    def key(self, post, sort):
        return self.at(post, sort), post["version"]["id"].encode()

    def cursor(self, post, sort="received_at", whole_=True):
        return "%d %s" % (self.at(post, sort), post["version"]["id"]) if whole_ else str(self.at(post, sort))

    def wanted(self, sort_by="received_at", since=None, until=None, before=None, limit=25, only=lambda post: True):
        """The ids that a feed must show."""
        def beyond(text, direction):
            time_, _, version = text.partition(" ")
            if not version:
                return lambda p: (self.at(p, sort_by) - int(time_)) * direction > 0
            mark = int(time_), version.encode()
            return lambda p: self.key(p, sort_by) > mark if direction > 0 else self.key(p, sort_by) < mark
        found = [p for p in self.posts if only(p)]
        for text, direction in ((since, 1), (until, 1), (before, -1)):
            if text is not None:
                found = list(filter(beyond(text, direction), found))
        found.sort(key=lambda p: self.key(p, sort_by), reverse=True)
        return [p["id"] for p in (found[-limit:] if since is not None else found[:limit])]


def test_feed_filters_and_sorting(stage):
    """Point 24 (section 14.1): no parameters, types, entities, the four orders, limit, and the latest version only."""
    server = Server(stage)
    app = App(server)
    plain = [server.create(app, NOTE, {"n": i})["id"] for i in range(30)]
    check_equal(server.ids(app, types=NOTE[:-1]), plain[:4:-1], "25, newest first")
    check_equal(server.ids(app)[:20], plain[:9:-1], "without parameters")
    check_equal(len(server.ids(app)), 25, "the default limit")
    check_equal(server.ids(app, limit=2), plain[:-3:-1], "limit")
    check_equal(len(server.ids(app, limit=1000, types=NOTE[:-1])), 30, "a large limit")
    shelf = Shelf(server, app)
    a, x, b = shelf.TYPES
    for types, only in ((a, (a,)), (x, (x,)), (a[:-1], (a, x)), (x + "," + b, (x, b)), (a[:-1] + "," + b[:-1], (a, x, b)),
                        ("https://shelf.example/types/none/v0", ())):
        check_equal(server.ids(app, types=types), shelf.wanted(only=lambda p, only=only: p["type"] in only), "types " + types)
    for entities, wanted in ((server.entity, shelf.wanted()), ("http://nobody.example", []),
                             ("http://nobody.example," + server.entity, shelf.wanted())):
        check_equal(server.ids(app, entities=entities, types=shelf.selector), wanted, "entities " + entities)
    foreign = server.bring(app, imported(server, a, {}, entity="http://carol.example", at=STARTED_MS))
    check_equal(server.ids(app, entities="http://carol.example", types=shelf.selector), [foreign["id"]], "a foreign entity")
    check_equal(server.ids(entities="http://carol.example", types=shelf.selector), [], "which strangers do not see here")
    check_equal(server.ask("DELETE", server.path(foreign["id"], "http://carol.example"), app.token).status, 200, "removed")
    for sort in ("received_at", "published_at", "version.received_at", "version.published_at"):
        for count in (4, 25):
            check_equal(server.ids(app, sort_by=sort, limit=count, types=shelf.selector),
                        shelf.wanted(sort, limit=count), "sort_by %s, limit %d" % (sort, count))
    check_equal(len({tuple(shelf.wanted(s)) for s in ("received_at", "published_at", "version.received_at",
                                                      "version.published_at")}), 4, "the four orders differ")
    newer = server.version(app, shelf.posts[0], {"n": 100})
    seen = [p for p in server.feed(app, types=shelf.selector).json()["posts"] if p["id"] == newer["id"]]
    check_equal([p["version"]["id"] for p in seen], [newer["version"]["id"]], "the latest version, once")
    changed = server.create(app, "https://shelf.example/types/c/v0#before", {})
    server.version(app, changed, {}, type="https://shelf.example/types/c/v0#after")
    check_equal(server.ids(app, types="https://shelf.example/types/c/v0#before"), [], "an older version does not bring it in")


@limit(150)
def test_feed_ranges(stage):
    """Point 25 (section 14.1): since, until, before and their pairs, with and without version ids, at every place."""
    server = Server(stage)
    app = App(server)
    shelf = Shelf(server, app)
    places = sorted(shelf.posts, key=lambda p: shelf.key(p, "received_at"))
    for sort, whole_ in itertools.product(("received_at", "version.published_at"), (True, False)):
        ranges = []
        for post in places[::2]:
            mark = shelf.cursor(post, sort, whole_)
            ranges += [{"since": mark}, {"until": mark}, {"before": mark}]
        low, high = sorted((places[1], places[6]), key=lambda p: shelf.key(p, sort))
        for name in ("since", "until"):
            ranges.append({name: shelf.cursor(low, sort, whole_), "before": shelf.cursor(high, sort, whole_)})
        for query in ranges:
            for count in (2, 25):
                check_equal(server.ids(app, types=shelf.selector, sort_by=sort, limit=count, **query),
                            shelf.wanted(sort, limit=count, **query), "%s, limit %d, %r" % (sort, count, query))
            head = server.feed(app, method="HEAD", types=shelf.selector, sort_by=sort, limit=2, **query)
            check_equal(int(head.header("count")), len(shelf.wanted(sort, **query)), "Count of %r" % query)
    check_equal(server.ids(app, types=shelf.selector, since="0", limit=3), shelf.wanted(limit=3, since="0"), "since=0")
    refused(server.feed(app, since="0", until="0"), 400, "since with until")


def test_feed_pages(stage):
    """Point 26 (section 14.1): the links of the first, the middle and the last page; last is where since=0 leads."""
    server = Server(stage)
    app = App(server)
    shelf = Shelf(server, app)
    everything = shelf.wanted()

    def page(target):
        answer = server.ask("GET", target, app.token)
        check_equal(answer.status, 200, "a page: %r" % answer.body[:200])
        for link in answer.json()["pages"].values():
            check(re.fullmatch(r'\?[-~._,:@%!&"()*+,;=a-z0-9]*', link, re.I), "a page link: %r" % link)
        return [p["id"] for p in answer.json()["posts"]], answer.json()["pages"]
    first, pages = page("/posts?limit=3&types=" + escape(shelf.selector))
    check_equal((first, set(pages)), (everything[:3], {"next", "last"}), "the first page")
    middle, pages = page("/posts" + pages["next"])
    check_equal((middle, set(pages)), (everything[3:6], {"first", "prev", "next", "last"}), "the middle")
    for name, wanted in (("prev", everything[:3]), ("first", everything[:3]), ("next", everything[6:]), ("last", everything[6:])):
        check_equal(page("/posts" + pages[name])[0], wanted, "the link " + name)
    last, pages = page("/posts" + pages["last"])
    check_equal((last, set(pages)), (everything[6:], {"first", "prev"}), "the last page")
    check_equal(page("/posts" + pages["prev"])[0], everything[3:6], "back from the last page")
    check_equal(page("/posts?limit=3&since=0&types=" + escape(shelf.selector))[0], everything[6:], "since=0 is the last page")
    whole_ = page("/posts?types=" + escape(shelf.selector))
    check_equal((whole_[0], whole_[1]), (everything, {}), "all on one page")


def test_feed_mentions(stage):
    """Point 27 (section 14.1): mentions of entities and posts, with OR inside one parameter and AND between them."""
    server = Server(stage)
    app = App(server)
    a, b, c = ("http://%s.example" % name for name in ("ana", "bruno", "carol"))
    shapes = [[{"entity": a}], [{"entity": b}], [{"entity": a}, {"entity": b}], [{"entity": a, "post": "X1"}],
              [{"entity": c, "post": "X1"}, {"entity": b}], [], [{"entity": a}, {"entity": c, "post": "X2"}]]
    posts = [server.create(app, NOTE, {"n": i}, mentions=m) for i, m in enumerate(shapes)]

    def names(post, item):
        entity, _, id_ = item.partition(" ")
        return any(m["entity"] == entity and id_ in ("", m.get("post")) for m in post.get("mentions", []))
    for query in ([a], [b], [a + " X1"], [c + " X1"], [a + "," + b], [a + " X1," + c + " X2"], [a, b], [a, b + "," + c],
                  [a + "," + b, c + " X1"], [a + " X1", b], ["http://nobody.example"]):
        wanted = [p["id"] for p in reversed(posts) if all(any(names(p, i) for i in one.split(",")) for one in query)]
        check_equal(server.ids(app, mentions=query, types=NOTE[:-1]), wanted, "mentions %r" % query)
        head = server.feed(app, method="HEAD", mentions=query, types=NOTE[:-1])
        check_equal(head.header("count"), str(len(wanted)), "Count of mentions %r" % query)


def test_feed_readers(stage):
    """Point 28 (section 14.1): strangers see public posts; apps those and what their types say."""
    server = Server(stage)
    full, limited, other = readers(server)
    types = STATUS[:-1] + "," + OTHER[:-1]
    posts = [server.create(full, type_, {"text": "x"}, public) for type_ in (STATUS, OTHER) for public in (True, False)]
    for app, wanted in ((full, (0, 1, 2, 3)), (limited, (0, 1, 2)), (other, (0, 2, 3)), (None, (0, 2))):
        ids = [posts[i]["id"] for i in sorted(wanted, reverse=True)]
        check_equal(server.ids(app, types=types), ids, "what is shown of %r" % (wanted,))
        check_equal(server.feed(app, method="HEAD", types=types).header("count"), str(len(ids)), "Count")


def test_refs(stage):
    """Point 29 (section 14.1): max_refs gives apps the posts that are referred to, once each."""
    server = Server(stage)
    app = App(server)
    targets = [server.create(app, OTHER, {"n": i}) for i in range(4)]
    refs = lambda *which: [{"post": targets[i]["id"]} for i in which]
    one = server.create(app, NOTE, {}, refs=refs(0, 1, 2))
    server.create(app, NOTE, {}, refs=refs(1, 3))
    lonely = server.create(app, "https://shelf.example/types/lonely/v0#", {}, refs=[{"post": new_id()}])
    ids = lambda answer: sorted(p["id"] for p in answer.json()["refs"])
    wanted = lambda *which: sorted(targets[i]["id"] for i in which)
    check_equal(ids(server.get(one["id"], app.token, max_refs=10)), wanted(0, 1, 2), "of a post")
    check_equal(ids(server.get(one["id"], app.token, max_refs=2)), wanted(0, 1), "the first ones")
    check_equal(ids(server.feed(app, types=NOTE[:-1], max_refs=10)), wanted(0, 1, 2, 3), "of a feed, each once")
    check_equal(ids(server.feed(app, types=NOTE[:-1], max_refs=1)), wanted(0, 1), "one a post")
    check_equal(ids(server.get(lonely["id"], app.token, max_refs=10)), [], "nothing is found")
    check_equal(ids(server.feed(app, types=lonely["type"], max_refs=10)), [], "nothing is found, in a feed")
    check("refs" not in server.get(one["id"], app.token).json(), "not asked for")
    check("refs" not in server.get(one["id"], max_refs=10).json(), "strangers do not get them")
    check("refs" not in server.feed(types=NOTE[:-1], max_refs=10).json(), "nor in a feed")


def set_profile(server, app, profile, avatar=None):
    """A new version of the meta post, and with a picture by multipart."""
    meta = whole(server.get("meta"), META)
    content = dict(meta["content"], profile=profile)
    return server.version(app, meta, content, files=[("avatar[0]", "me.png", "image/png", avatar)] if avatar else [])


def test_profiles_and_meta(stage):
    """Points 30 and 31 (section 14.1): profiles of the entities that posts name; the meta post takes a profile and an
    avatar."""
    server = Server(stage)
    app = App(server)
    # 31
    avatar, profile = picture(), {"name": "Alice", "bio": "writes things", "website": "http://alice.example/", "location": "here"}
    meta = set_profile(server, app, profile, avatar)
    check_equal((meta["id"], meta["content"]["profile"]), ("meta", profile), "the new profile")
    check_equal([(a["category"], a["digest"]) for a in meta["attachments"]], [("avatar", tent.digest(avatar))], "the avatar")
    seen = whole(server.get("meta"), META)
    check_equal(seen["content"], meta["content"], "as strangers see it")
    check_equal(set(seen["content"]), {"entity", "previous_entities", "profile", "servers"}, "members of meta")
    check_equal(set(seen["content"]["servers"][0]), {"version", "preference", "urls"}, "members of a server")
    check_equal(len(seen["content"]["servers"][0]["urls"]), 10, "the ten URLs")
    refused(server.put("meta", {"type": META, "content": dict(meta["content"], profile={"name": "A", "age": "7"}), "version": {
        "parents": [{"version": meta["version"]["id"]}]}}, app.token), 400, "an unknown member of the profile")
    # Where the entity is, is not an app's to say (difference 1 from section 1.6).
    for change in ({"entity": "http://carol.example", "previous_entities": [server.entity]},
                   {"servers": FakeServer().meta_content()["servers"]}):
        refused(server.put("meta", {"type": META, "content": dict(meta["content"], **change), "version": {
            "parents": [{"version": meta["version"]["id"]}]}}, app.token), 400, "another address: %r" % sorted(change))
    refused(server.ask("DELETE", server.path("meta"), app.token), 403, "deleting the meta post")
    check_equal(whole(server.get("meta"), META)["content"], meta["content"], "nothing has changed")
    # 30
    me = {server.entity: dict(profile, avatar_digest=tent.digest(avatar))}
    peer = FakeServer()
    peer.relate(server.entity)
    both = dict(me, **{peer.entity: peer.meta_content()["profile"]})
    theirs = peer.publish(STATUS, {"text": "of the peer"}, mentions=[{"entity": server.entity}])
    check_equal(peer.deliver(server.entity, theirs).status, 200, "a post of the peer")
    named = {"entity": peer.entity, "post": theirs["id"]}
    post = server.create(app, NOTE, {}, mentions=[{"entity": peer.entity}, {"entity": "http://nobody.example"}], refs=[named],
                         version={"parents": [dict(named, version=theirs["version"]["id"])]})
    you = {peer.entity: both[peer.entity]}
    private = server.create(app, OTHER, {}, permissions={"public": False, "entities": [peer.entity]})
    off = [("Cache-Control", "no-proxy")]
    for relations, wanted in (("entity", me), ("mentions", you), ("refs", you), ("parents", you), ("permissions", {}),
                              ("entity,mentions", both)):
        for target in (server.path(post["id"], profiles=relations),
                       "/posts?types=%s&profiles=%s" % (escape(NOTE[:-1]), relations)):
            answer = server.ask("GET", target, app.token, headers=off)
            check_equal(answer.json().get("profiles"), wanted, "profiles=%s of %s" % (relations, target))
    check_equal(server.get(private["id"], app.token, profiles="permissions").json()["profiles"], you, "permissions of a private one")
    plain = server.create(app)
    for before, accept in (({}, MENTIONS), (me, VERSIONS), ({}, CHILDREN)):
        check_equal(server.get(plain["id"], app.token, accept, profiles="entity").json()["profiles"], before, accept)
    server.create(app, mentions=[{"post": plain["id"], "entity": server.entity}],
                  version={"parents": [{"post": plain["id"], "version": plain["version"]["id"]}]})
    for accept in (MENTIONS, CHILDREN):
        check_equal(server.get(plain["id"], app.token, accept, profiles="entity").json()["profiles"], me, accept)
    check("profiles" not in server.get(post["id"], profiles="entity").json(), "strangers do not get them")
    check("profiles" not in server.feed(profiles="entity").json(), "nor in a feed")
    check_equal(peer.problems, [], "what the other server found wrong")


# ---------------------------------------------------------------------------------------------------------- writing

def writers(server):
    """(may do everything, may write statuses, may read statuses, may do neither)."""
    return (App(server), App(server, read=[], write=[STATUS[:-1]]), App(server, read=[STATUS[:-1]], write=[]),
            App(server, read=[OTHER[:-1]], write=[OTHER[:-1]]))


def test_refs_of_what_is_written(stage):
    """Point 32 (section 14.1): POST and PUT keep refs, and the answer leaves out the post's own entity."""
    server = Server(stage)
    app = App(server)
    target = server.create(app)
    given = [{"entity": server.entity, "post": target["id"], "type": STATUS},
             {"entity": "http://carol.example", "post": "X1", "version": "sha512t256-" + "0" * 64}]
    kept = [{"post": target["id"], "type": STATUS}, given[1]]
    post = server.create(app, refs=given)
    check_equal(post["refs"], kept, "refs of a POST")
    check_equal(whole(server.get(post["id"]), STATUS)["refs"], kept, "refs, read again")
    newer = server.version(app, post, refs=given[:1])
    check_equal(newer["refs"], kept[:1], "refs of a PUT")
    for made in (post, newer):
        check_equal(made["version"]["id"], tent.version_id(made), "version id")


def test_new_versions(stage):
    """Point 33 (section 14.1): who may make a new version, and what it keeps."""
    server = Server(stage)
    full, limited, reader, other = writers(server)
    for public in (True, False):
        post = server.create(full, public=public)
        body = {"type": STATUS, "content": {"text": "newer"}, "permissions": {"public": public},
                "version": {"parents": [{"version": post["version"]["id"], "post": post["id"]}]}}
        refused(server.put(post["id"], body), 401, "anonymous")
        for app in (reader, other):
            refused(server.put(post["id"], body, app.token), 403, "an app that may not write it")
        for app in (limited, full):
            made = whole(server.put(post["id"], body, app.token), STATUS)
            check_equal((made["id"], made["content"], made["published_at"]),
                        (post["id"], {"text": "newer"}, post["published_at"]), "the new version")
            check_equal(made["version"]["parents"], [{"version": post["version"]["id"]}], "its parents")
            check_equal("permissions" in made, not public, "permissions are shown of private posts")
            check_equal(made["version"]["id"], tent.version_id(made), "version id")
        seen = server.get(post["id"], full.token).json()["post"]
        check_equal(seen["version"]["id"], made["version"]["id"], "the latest version")
        refused(server.put(post["id"], dict(body, version={"parents": []}), full.token), 400, "no parents")
        refused(server.put(post["id"], dict(body, version={"parents": [{"version": "sha512t256-" + "0" * 64}]}), full.token),
                400, "an unknown parent")
        refused(server.put(new_id(), body, full.token), 404, "a version of nothing (ruling 37)")


def test_versions_of_posts_with_attachments_and_mentions(stage):
    """Point 34 (section 14.1): attachments kept, new and dropped; mentions replaced and dropped."""
    server = Server(stage)
    app = App(server)
    one, two = picture(seed=3), picture(seed=5)
    post = server.create(app, PHOTO, {"caption": "a dot"}, files=[("photo[0]", "one.png", "image/png", one)])
    first = post["attachments"][0]
    named = {k: first[k] for k in ("category", "content_type", "name", "digest")}
    kept = server.version(app, post, {"caption": "kept"}, attachments=[named])
    check_equal(kept["attachments"], [first], "kept, and the size filled in")
    both = server.version(app, kept, {"caption": "both"}, attachments=[named], files=[("photo[0]", "two.png", "image/png", two)])
    check_equal([(a["name"], a["digest"], a["size"]) for a in both["attachments"]],
                [("one.png", tent.digest(one), len(one)), ("two.png", tent.digest(two), len(two))], "kept and new")
    none = server.version(app, both, {"caption": "none"})
    check("attachments" not in none, "dropped")
    for made in (post, kept, both, none):
        check_equal(made["version"]["id"], tent.version_id(made), "version id")
    for version, wanted in ((both, 302), (none, 404)):
        answer = server.ask("GET", server.path(post["id"]) + "/attachments/two.png?version=" + version["version"]["id"])
        check_equal(answer.status, wanted, "the attachment of a version")
    refused(server.put(post["id"], {"type": PHOTO, "content": {}, "attachments": [dict(named, digest="sha512t256-" + "0" * 64)],
                                    "version": {"parents": [{"version": post["version"]["id"]}]}}, app.token), 400, "unknown digest")
    ana, carol = {"entity": "http://ana.example"}, {"entity": "http://carol.example"}
    post = server.create(app, NOTE, {}, mentions=[ana])
    replaced = server.version(app, post, {"n": 1}, mentions=[carol])
    check_equal(replaced["mentions"], [carol], "replaced")
    check("mentions" not in server.version(app, replaced, {"n": 2}), "dropped")
    for mention in (ana, carol):
        check_equal(server.ids(app, mentions=mention["entity"], types=NOTE[:-1]), [], "no longer found by its mentions")


def test_deleting(stage):
    """Point 35 (section 14.1): who may delete, with and without a delete post, and that it is gone."""
    server = Server(stage)
    full, limited, reader, other = writers(server)
    delete = lambda post, app=None, headers=(), query="": server.ask("DELETE", server.path(post["id"]) + query, app and app.token,
                                                                      headers=headers)
    public, private = server.create(full), server.create(full, public=False)
    refused(delete(private), 404, "anonymous, a private post")
    refused(delete(private, other), 404, "an app that cannot read it")
    refused(delete(public), 401, "anonymous, a public post")
    for post, app in ((public, reader), (public, other), (private, reader)):
        refused(delete(post, app), 403, "an app that only reads it")
    for post, app in ((public, limited), (private, full)):
        server.version(full, post, public=post is public)
        made = whole(delete(post, app), DELETE)
        check_equal(made["refs"], [{"post": post["id"]}], "refs of the delete post")
        check_equal("permissions" in made, post is private, "the delete post is as private as what it deletes")
        for reader_ in (None, full):
            refused(server.get(post["id"], reader_ and reader_.token), 404, "deleted")
            refused(server.get(post["id"], reader_ and reader_.token, version=post["version"]["id"]), 404, "all versions")
        refused(delete(post, full), 404, "deleted twice")
    for value, silent in (("false", True), ("true", False)):
        post = server.create(full)
        answer = delete(post, full, [("Create-Delete-Post", value)])
        check_equal(answer.status, 200, "Create-Delete-Post: " + value)
        if silent:
            check_equal((answer.body, answer.header("content-length")), (b"", "0"), "an empty answer")
        else:
            check_equal(answer.json()["post"]["refs"], [{"post": post["id"]}], "as without the header")
        refused(server.get(post["id"], full.token), 404, "deleted")


def test_deleting_a_version(stage):
    """Point 36 (section 14.1): one version goes, and the one before shows again."""
    server = Server(stage)
    full, limited, reader, other = writers(server)
    one = server.create(full)
    two = server.version(full, one)
    delete = lambda post, version, app=None, headers=(): server.ask(
        "DELETE", server.path(post["id"], version=version["version"]["id"]), app and app.token, headers=headers)
    refused(delete(one, two), 401, "anonymous")
    refused(delete(one, two, reader), 403, "an app that only reads")
    secret = server.create(full, public=False)
    refused(delete(secret, secret), 404, "a private one, anonymous")
    refused(delete(secret, secret, other), 404, "a private one, unreadable")
    made = whole(delete(one, two, limited), DELETE)
    check_equal(made["refs"], [{"post": one["id"], "version": two["version"]["id"]}], "refs of the delete post")
    check_equal(server.get(one["id"]).json()["post"]["version"]["id"], one["version"]["id"], "the version before shows")
    refused(server.get(one["id"], version=two["version"]["id"]), 404, "the deleted version")
    three = server.version(full, one)
    made = whole(delete(one, three, full, [("Create-Delete-Post", "true")]), DELETE)
    check_equal(made["refs"], [{"post": one["id"], "version": three["version"]["id"]}], "true equals absent")
    four = server.version(full, one)
    answer = delete(one, four, full, [("Create-Delete-Post", "false")])
    check_equal((answer.status, answer.body, answer.header("content-length")), (200, b"", "0"), "without a delete post")
    check_equal(server.get(one["id"]).json()["post"]["version"]["id"], one["version"]["id"], "the first one shows again")


def test_imports_of_other_entities(stage):
    """Point 37 (section 14.1): an app with the scope import brings posts of others, as they are."""
    server = Server(stage)
    app, without = App(server), App(server, scopes=["permissions"])
    post = imported(server, STATUS, {"text": "elsewhere"}, entity="http://carol.example", at=STARTED_MS,
                    mentions=[{"entity": server.entity}])
    put = lambda post, key: server.put(post["id"], post, key, rel=REL_IMPORT, entity=post["entity"])
    refused(put(post, None), 401, "anonymous")
    refused(put(post, without.token), 403, "without the scope")
    kept = server.bring(app, post)
    for member in ("id", "entity", "content", "published_at", "received_at", "mentions", "version"):
        check_equal(kept[member], post[member], member)
    check_equal(server.bring(app, post)["version"], post["version"], "the same again")
    check_equal(server.get(post["id"], app.token, entity=post["entity"]).json()["post"]["content"], post["content"], "readable")
    check_equal(server.get(post["id"], entity=post["entity"]).status, 404, "for apps only")
    wrong = dict(post, content={"text": "changed"})
    refused(put(wrong, app.token), 400, "a version id that is not its own")


# ------------------------------------------------------------------------------------------------------ attachments

def test_attachments(stage):
    """Point 38 (section 14.1): post_attachment redirects to the digest; private ones are not there for strangers."""
    server = Server(stage)
    full, limited, other = App(server), App(server, read=[PHOTO[:-1]], write=[]), App(server, read=[OTHER[:-1]], write=[])
    for public in (True, False):
        data = picture(seed=7 if public else 11)
        post = server.create(full, PHOTO, {"caption": "a dot"}, public, files=[("photo[0]", "a dot.png", "image/png", data)])
        by_name = server.path(post["id"]) + "/attachments/a%20dot.png"
        by_digest = "/attachments/%s/%s" % (escape(server.entity), tent.digest(data))
        for app in (None, other, limited, full):
            for method in ("GET", "HEAD"):
                key = app and app.token
                named, direct = server.ask(method, by_name, key), server.ask(method, by_digest, key)
                if not public and app in (None, other):
                    check_equal((named.status, direct.status), (404, 404), "a private attachment, for strangers")
                    continue
                check_equal((named.status, named.header("attachment-digest")), (302, tent.digest(data)), "the redirect")
                check(tent.digest(data) in named.header("location"), "Location: " + named.header("location"))
                followed = server.ask(method, urllib.parse.urljoin("/", named.header("location")))
                for answer in (followed, direct):
                    check_equal((answer.status, answer.header("content-type")), (200, "image/png"), "the attachment")
                    check_equal(answer.body, data if method == "GET" else b"", "its bytes")
                    check_equal(answer.header("content-length"), str(len(data)), "its length")


# ---------------------------------------------------------------------------------------------------- relationships

def quiet(peer):
    check_equal(peer.problems, [], "what the other server found wrong")


def test_handshake_of_another(stage):
    """Points 44 and 45 (section 14.1): the server is asked for a relationship, and gives its own."""
    server, peer = Server(stage), FakeServer()
    # 44
    answer, first, issued = peer.start_handshake(server.entity)
    check_equal((answer.status, answer.header("content-type")), (200, post_media_type(INITIAL)), "the answer to #initial")
    sent = peer._shown(first)
    given = answer.json()["post"]
    check_equal({k: given.get(k) for k in sent}, sent, "the same post")
    seen = [(a.method, a.kind, a.who) for a in peer.asked if a.kind != "notify"]
    check_equal(seen, [("HEAD", "entity", None), ("GET", "meta", None), ("GET", "credentials", "bewit"),
                       ("GET", "relationship", server.entity)], "what the server asks, in this order")
    check(peer.got("meta")[0].headers["Accept"].startswith(POST_TYPE), "Accept of the meta post")
    check_equal(peer.got("relationship")[0].key_id, issued["id"], "the initial post is asked for with its own key")
    theirs = peer.wait_received(lambda p: p["type"] == RELATIONSHIP)
    notify = peer.got("notify")[0]
    check_equal((notify.headers["Content-Type"], notify.key_id),
                (post_media_type(RELATIONSHIP, tent.REL_NOTIFICATION), issued["id"]), "its relationship post comes, signed")
    check_equal(theirs["mentions"], [{"entity": peer.entity, "post": first["id"], "type": INITIAL}], "what it mentions")
    # 45
    credentials, shown = peer.finish_handshake(server.entity, answer, first)
    check_equal(credentials["version"]["id"], tent.version_id(credentials), "version id of the credentials")
    check_equal(set(credentials["content"]), {"hawk_key", "hawk_algorithm"}, "their content")
    check_equal((shown["id"], shown["type"]), (theirs["id"], RELATIONSHIP), "the relationship post that they mention")
    answer = server.get(theirs["id"], peer.theirs[server.entity])
    check_equal((answer.status, answer.authentic), (200, True), "read with these credentials")
    check_equal(server.get(theirs["id"]).status, 404, "and not without")
    quiet(peer)


def test_handshake_with_a_stranger(stage):
    """Point 46 (section 14.1): a private post that mentions and permits a stranger makes a relationship, then arrives."""
    server, peer = Server(stage), FakeServer()
    app = App(server)
    post = server.create(app, permissions={"public": False, "entities": [peer.entity]}, mentions=[{"entity": peer.entity}])
    arrived = peer.wait_received(lambda p: p["id"] == post["id"])
    check_equal((arrived["version"]["id"], arrived["permissions"]), (post["version"]["id"], {"public": False}), "what arrived")
    peer.wait_received(lambda p: p["type"] == SUBSCRIPTION + "https://tent.io/types/meta/v0")
    steps = [a.kind for a in peer.asked if a.kind not in ("other", "relationship", "notify")]
    check_equal(steps[:4], ["entity", "meta", "initial", "credentials"], "the steps")
    check(peer.got("initial")[0].who is None and peer.got("relationship")[0].who == server.entity, "who signs")
    delivered = [json.loads(a.body)["type"] for a in peer.got("notify", status=200)]
    check_equal(delivered, [RELATIONSHIP, STATUS, SUBSCRIPTION + "https://tent.io/types/meta/v0"], "the deliveries, in order")
    check_equal(server.ids(app, types=FAILURE[:-1]), [], "no failure is told")
    quiet(peer)


def test_subscribing(stage):
    """Point 47 (section 14.1): a new subscription makes a relationship and arrives; without write permission it is 403."""
    server, peer = Server(stage), FakeServer()
    app, other = App(server), App(server, read=["all"], write=[STATUS[:-1]])
    post = {"type": SUBSCRIPTION + STATUS[:-1], "content": {"type": STATUS[:-1]}, "mentions": [{"entity": peer.entity}]}
    refused(server.send(post, other.token), 403, "without write permission")
    refused(server.send(post), 401, "anonymous")
    refused(server.send(dict(post, mentions=[]), app.token), 400, "a subscription to nobody")
    check_equal(peer.asked, [], "nothing is asked for that")
    made = whole(server.send(post, app.token), post["type"])
    arrived = peer.wait_received(lambda p: p["id"] == made["id"])
    check_equal(arrived["content"], {"type": STATUS[:-1]}, "the subscription")
    told = peer.publish(STATUS, {"text": "to my followers"})
    check_equal(peer.deliver(server.entity, told).status, 200, "and its posts are taken")
    check_equal(server.ids(app, entities=peer.entity, types=STATUS[:-1]), [told["id"]], "in the feed")
    quiet(peer)


def bring_relationship(server, app, peer):
    """A relationship, made elsewhere, by imports: the peer began it. Then a subscription of the peer to statuses."""
    private = {"public": False}
    first = peer.publish(INITIAL, mentions=[{"entity": server.entity}], permissions=private)
    given, _ = peer._issue(server.entity, first)
    final = imported(server, RELATIONSHIP, mentions=[{"entity": peer.entity, "post": first["id"], "type": INITIAL}],
                     permissions={"public": False, "entities": [peer.entity]})
    own = imported(server, CREDENTIALS + RELATIONSHIP[:-1], {"hawk_key": "imported-key-of-a-relationship-01", "hawk_algorithm": "sha256"},
                   mentions=[{"post": final["id"], "type": RELATIONSHIP}], permissions=private)
    subscription = peer.publish(SUBSCRIPTION + STATUS[:-1], {"type": STATUS[:-1]}, mentions=[{"entity": server.entity}])
    for post in (peer.latest(peer.entity, "meta"), first, given, final, own, subscription):
        server.bring(app, post)
    peer.theirs[server.entity] = tent.Credentials(own["id"], own["content"]["hawk_key"])
    return subscription


def deletion(peer, post):
    """The least that a delete post may be, as the suite sends it."""
    return {"id": new_id(), "entity": peer.entity, "type": DELETE, "refs": [{"post": post["id"]}]}


def kept(server, app, post):
    answer = server.ask("GET", server.path(post["id"], post["entity"]), app.token, headers=[("Cache-Control", "no-proxy")])
    check(answer.status in (200, 404), "a stored post: %d" % answer.status)
    return answer.status == 200


def test_imported_relationship(stage):
    """Point 48 (section 14.1): what was imported works; a deleted subscription ends."""
    server, peer = Server(stage), FakeServer()
    app = App(server)
    subscription = bring_relationship(server, app, peer)
    first = server.create(app, content={"text": "one"})
    arrived = peer.wait_received(lambda p: p["id"] == first["id"])
    check_equal(arrived["content"], {"text": "one"}, "a matching post")
    check(kept(server, app, subscription), "the subscription is kept")
    delete = deletion(peer, subscription)
    check_equal(peer.deliver(server.entity, delete, body=delete).status, 200, "its deletion")
    check(not kept(server, app, subscription), "the subscription is gone")
    second = server.create(app, content={"text": "two"})
    third = server.create(app, content={"text": "three"}, mentions=[{"entity": peer.entity}])
    peer.wait_received(lambda p: p["id"] == third["id"])  # deliveries keep their order
    check_equal([p["id"] for p in peer.received(STATUS[:-1])], [first["id"], third["id"]], "what was delivered")
    check(second["id"] not in [p["id"] for p in peer.received()], "the post after the end of the subscription")
    quiet(peer)


def test_deletions_of_others(stage):
    """Point 49 (section 14.1): a delete notification counts with the key of its author, and only then."""
    server, peer, other = Server(stage), FakeServer(), FakeServer()
    app = App(server)
    for each in (peer, other):
        each.relate(server.entity)
    post = peer.publish(STATUS, {"text": "soon gone"}, mentions=[{"entity": server.entity}])
    check_equal(peer.deliver(server.entity, post).status, 200, "the post")
    delete = deletion(peer, post)
    right = peer.theirs[server.entity]
    for key, name in ((None, "unsigned"), (other.theirs[server.entity], "another peer"), (app.token, "an app"),
                      (tent.Credentials(right.id, right.key + "x"), "a wrong key"), (tent.Credentials(new_id(), right.key), "unknown")):
        check_equal(peer.deliver(server.entity, delete, key, delete).status, 403, "a delete post, " + name)
        check(kept(server, app, post), "the post stays: " + name)
    check_equal(peer.deliver(server.entity, delete, right, delete).status, 200, "with the key of the relationship")
    check(not kept(server, app, post), "the post is gone")
    check_equal(peer.deliver(server.entity, post).status, 200, "a late delivery")
    check(not kept(server, app, post), "does not bring it back")


class Told:
    """An app that is told of failed deliveries."""

    def __init__(self, server):
        self.hook = notifications.Webhook()
        self.app = App(server, notification_url=self.hook.url, notification_types=[FAILURE[:-1]])
        self.server = server

    def failures(self, peer, post=None):
        return [p for p in self.hook.got if p["type"].startswith(FAILURE) and p["content"]["entity"] == peer.entity
                and (post is None or p["refs"][0]["post"] == post["id"])]

    def expect(self, peer, post, reason):
        """Told once, in the words of section 7.7, privately, and to nobody else."""
        told = wait_until(lambda: self.failures(peer, post), 30,
                          lambda: "%s is told; told %r; asked %r" % (reason, self.hook.got, peer.asked[-6:]))
        check_equal([p["content"] for p in told], [{"entity": peer.entity, "status": "temporary", "reason": reason}], reason)
        check_equal(told[0]["type"], FAILURE + post["type"].split("#")[0], "type of the failure")
        wanted = {"post": post["id"], "version": post["version"]["id"], "type": post["type"]}
        for list_ in ("refs", "mentions"):
            check_equal([{k: v for k, v in e.items() if k != "entity"} for e in told[0][list_]], [wanted], list_)
        check_equal(told[0]["permissions"], {"public": False}, "it is private")
        check(told[0]["id"] not in [p["id"] for p in peer.received()], "it is delivered to nobody")


def mention(server, app, peer, **more):
    return server.create(app, mentions=[{"entity": peer.entity}], **more)


def only_statuses(status):
    def fault(asked):
        if '"%s"' % STATUS in asked.headers["Content-Type"]:
            raise refusal(status)
    return fault


@limit(150)
def test_failures_before_a_relationship(stage):
    """Point 50 (section 14.1): unreachable, discovery_failed, relationship_failed and delivery_failed, of peers that were
    strangers; each is told once and the post arrives when the trouble is over."""
    server = Server(stage)
    told = Told(server)

    def no_link(peer):
        peer.meta_links = False

    def no_servers(peer):
        peer.keep(peer.make(META, peer.meta_content(servers=[]), id="meta"))

    def another_post(peer):
        peer.keep(peer.make(STATUS, {"text": "no meta post"}, id="meta"))

    def fault(kind, status):
        return lambda peer: peer.faults.update({kind: status})
    troubles = [("unreachable", fault("entity", 503)), ("unreachable", FakeServer.stop), ("discovery_failed", no_link),
                ("discovery_failed", another_post), ("discovery_failed", no_servers),
                ("relationship_failed", fault("credentials", 404)), ("relationship_failed", fault("initial", 400)),
                ("delivery_failed", fault("notify", only_statuses(404)))]
    peers = []
    for reason, trouble in troubles:
        peer = FakeServer()
        trouble(peer)
        peers.append((reason, peer, mention(server, told.app, peer)))
    for reason, peer, post in peers:
        told.expect(peer, post, reason)
    for _, peer, post in peers:
        peer.meta_links, peer.faults = True, {}
        peer.posts[peer.entity, "meta"] = peer.posts[peer.entity, "meta"][:1]
        if peer.server is None:
            peer.start()
    for reason, peer, post in peers:
        peer.wait_received(lambda p: p["id"] == post["id"], 60)
        told.expect(peer, post, reason)


class OtherName:
    """A name that is not this machine's. Nobody may even look it up."""

    def __init__(self, entity):
        self.entity = entity


def test_other_names_fail_at_once(stage):
    """Plain http to localhost and 127.0.0.1 is all there is (section 15): anything else fails without a look-up or a packet."""
    server = Server(stage)
    told = Told(server)
    port = free_ports(1)[0]
    listener = socket.create_server((HOST, port))
    listener.settimeout(0.2)
    for entity in ("http://example.com", "https://localhost:%d" % port, "http://localhost.example.com:%d" % port,
                   "http://127.0.0.2:%d" % port, "http://[::1]:%d" % port, "http://0.0.0.0:%d" % port, "http://2130706433:%d" % port,
                   "http://%s.onion" % ("a" * 56)):
        begin = time.monotonic()
        there = OtherName(entity)
        post = mention(server, told.app, there)
        failed = wait_until(lambda: told.failures(there, post), 10, "it is told that %s failed" % entity)
        check_equal([p["content"] for p in failed], [{"entity": entity, "status": "permanent", "reason": "discovery_failed"}], entity)
        check(time.monotonic() - begin < 5 * PATIENCE, "%s failed after %.1f s" % (entity, time.monotonic() - begin))
    try:
        listener.accept()
        raise Failed("somebody asked at another name of this machine")
    except socket.timeout:
        pass
    finally:
        listener.close()


@limit(120)
def test_failures_within_a_relationship(stage):
    """Point 50 (section 14.1): unreachable and delivery_failed of peers that are known; none of subscribers that are not
    mentioned, and none on success."""
    server = Server(stage)
    told = Told(server)
    peers = [FakeServer() for _ in range(4)]
    for peer in peers:
        peer.relate(server.entity)
    away, refusing, subscriber, well = peers
    for peer in (subscriber, well):
        follow = peer.publish(SUBSCRIPTION + STATUS[:-1], {"type": STATUS[:-1]}, mentions=[{"entity": server.entity}])
        check_equal(peer.deliver(server.entity, follow).status, 200, "a subscription")
    away.faults["notify"] = only_statuses(503)
    refusing.faults["notify"] = only_statuses(404)
    subscriber.faults["notify"] = only_statuses(404)
    post = server.create(told.app, mentions=[{"entity": p.entity} for p in (away, refusing, well)])
    told.expect(away, post, "unreachable")
    told.expect(refusing, post, "delivery_failed")
    well.wait_received(lambda p: p["id"] == post["id"])
    wait_until(lambda: len(subscriber.got("notify", status=404)) >= 2, 30, "a delivery to the subscriber is tried again")
    check_equal((told.failures(subscriber), told.failures(well)), ([], []), "nothing is told of a mere subscriber, nor of success")
    subscriber.faults.clear()
    subscriber.wait_received(lambda p: p["id"] == post["id"], 40)
    check_equal(len(server.ids(told.app, types=FAILURE[:-1])), 2, "delivery failures in the feed")


# --------------------------------------------------------------------------------------------------------- proxying

MODES = (None, "proxy", "proxy-if-miss", "no-proxy")


class Elsewhere:
    """A post of another entity with a version that is here (if stored) and a newer one that only its own server has; who
    asks is told apart by that."""

    def __init__(self, server, app, peer, stored, files=()):
        self.server, self.peer = server, peer
        made = [dict(peer.attach(data, name, type_, category)) for category, name, type_, data in files]
        more = {"attachments": made} if made else {}
        self.old = peer.publish(STATUS, {"text": "as it is stored"}, **more)
        if stored:
            server.bring(app, self.old, files)
        self.new = peer.publish(STATUS, {"text": "as it is there"}, id=self.old["id"], published_at=self.old["published_at"],
                                version={"parents": [{"version": self.old["version"]["id"]}]}, **more)
        peer.asked.clear()

    def ask(self, key, mode, accept=None, path="", method="GET"):
        headers = ([("Cache-Control", mode)] if mode else []) + ([("Accept", accept)] if accept else [])
        return self.server.ask(method, self.server.path(self.old["id"], self.peer.entity) + path, key, headers=headers)


def source(mode, stored, default="proxy-if-miss"):
    """Where an answer must come from: "there", "here" or nowhere."""
    mode = mode or default
    if mode == "proxy" or (mode == "proxy-if-miss" and not stored):
        return "there"
    return "here" if stored else None


def strangers(server, app):
    """Everybody for whom nothing is proxied: an app's own key, another server, nobody."""
    other = FakeServer()
    other.relate(server.entity)
    return {"the app's own key": app.credentials, "another server": other.theirs[server.entity], "anonymous": None}


@limit(150)
def test_proxied_posts(stage):
    """Point 39 (section 14.1): a foreign post comes from where the mode says (section 4.9); for apps only."""
    server, peer = Server(stage), FakeServer()
    app = App(server, read=[OTHER[:-1]], write=["all"])
    others = strangers(server, app)
    for related, mode, stored in itertools.product((False, True), MODES, (True, False)):
        if related and server.entity not in peer.theirs:
            peer.relate(server.entity)
        what = "mode %s, %sstored, %srelated" % (mode, "" if stored else "not ", "" if related else "not ")
        post = Elsewhere(server, app, peer, stored)
        for name, key in others.items():
            check_equal(post.ask(key, mode).status, 404, what + ", " + name)
        check_equal(peer.asked, [], "strangers make nobody ask: " + what)
        answer, wanted = post.ask(app.token, mode), source(mode, stored)
        if not wanted:
            refused(answer, 404, what)
            continue
        given = whole(answer, STATUS)
        check_equal(given["content"], (post.new if wanted == "there" else post.old)["content"], what)
        check_equal(given["version"]["id"], tent.version_id(given), "version id: " + what)
        check(answer.authentic and answer.header("cache-control").startswith("private"), "the headers: " + what)
        asked = peer.got("post")
        check_equal(len(asked), 1 if wanted == "there" else 0, "requests to the other server: " + what)
        if asked:
            check_equal(asked[0].who, server.entity if related else None, "who signs: " + what)
    missing = "/posts/%s/%s" % (escape(peer.entity), new_id())
    check_equal(server.ask("GET", missing, app.token).status, 404, "what the other server does not have")
    quiet(peer)


@limit(150)
def test_proxied_lists(stage):
    """Point 40 (section 14.1): the lists of a foreign post, with the same Accept passed on (section 4.9)."""
    server, peer = Server(stage), FakeServer()
    app = App(server)
    others = strangers(server, app)
    for accept, mode, stored in itertools.product((MENTIONS, VERSIONS, CHILDREN), MODES, (True, False)):
        what = "%s, mode %s, %sstored" % (accept, mode, "" if stored else "not ")
        post = Elsewhere(server, app, peer, stored)
        parent = [{"version": post.new["version"]["id"], "post": post.new["id"]}]
        about = peer.publish(STATUS, {"text": "about it"}, mentions=[{"entity": peer.entity, "post": post.old["id"]}],
                             version={"parents": parent})
        for name, key in others.items():
            check_equal(post.ask(key, mode, accept).status, 404, what + ", " + name)
        answer, wanted = post.ask(app.token, mode, accept), source(mode, stored)
        if not wanted:
            refused(answer, 404, what)
            continue
        check_equal((answer.status, answer.header("content-type")), (200, accept), what)
        there = {MENTIONS: [about["id"]], VERSIONS: [post.new["version"]["id"], post.old["version"]["id"]],
                 CHILDREN: [about["version"]["id"]]}[accept]
        here = [post.old["version"]["id"]] if accept == VERSIONS else []
        found = [e.get("id", e.get("post")) for e in answer.json()["mentions" if accept == MENTIONS else "versions"]]
        check_equal(found, there if wanted == "there" else here, what)
        asked = peer.got("list")
        check_equal([a.headers["Accept"] for a in asked], [accept] if wanted == "there" else [], "Accept: " + what)
    quiet(peer)


def test_proxied_feeds(stage):
    """Point 41 (section 14.1): a feed asks elsewhere only with the mode proxy, and only for apps (section 4.9)."""
    server, peer = Server(stage), FakeServer()
    app = App(server)
    others = strangers(server, app)
    stored = [peer.publish(NOTE, {"n": i}) for i in range(2)]
    for post in stored:
        server.bring(app, post)
    there = [peer.publish(NOTE, {"n": i}) for i in range(2, 4)]
    own = server.create(app, NOTE, {"n": 9})
    ids = lambda posts: sorted(p["id"] for p in posts)

    def feed(key, mode, entities):
        answer = server.ask("GET", "/posts?types=%s&entities=%s" % (escape(NOTE[:-1]), escape(entities)), key,
                            headers=[("Cache-Control", mode)] if mode else [])
        check_equal(answer.status, 200, "a feed: %r" % answer.body[:200])
        return ids(answer.json()["posts"])
    for mode in (None, "no-proxy", "proxy-if-miss", "proxy"):  # what is fetched may be kept, so the last one last
        peer.asked.clear()
        for name, key in others.items():
            check_equal(feed(key, mode, peer.entity), [], "mode %s, %s" % (mode, name))
        check_equal(peer.asked, [], "strangers make nobody ask")
        wanted = stored + there if mode == "proxy" else stored
        check_equal(feed(app.token, mode, peer.entity), ids(wanted), "mode %s" % mode)
        check_equal(feed(app.token, mode, peer.entity + "," + server.entity), ids(wanted + [own]), "merged, mode %s" % mode)
        check_equal(bool(peer.got("feed")), mode == "proxy", "the other server is asked, mode %s" % mode)
    peer.stop()
    check(own["id"] in feed(app.token, "proxy", peer.entity + "," + server.entity), "an entity that fails is skipped")
    quiet(peer)


def test_proxied_refs_and_profiles(stage):
    """Point 42 (section 14.1): refs and profiles that are not here are fetched when the mode allows (section 4.9)."""
    server = Server(stage)
    app = App(server)
    for mode in MODES:
        peer = FakeServer()
        there = peer.publish(OTHER, {"n": 1})
        type_ = "https://shelf.example/types/%s/v0#" % (mode or "default")
        post = server.create(app, type_, {}, refs=[{"entity": peer.entity, "post": there["id"]}])
        headers = [("Cache-Control", mode)] if mode else []
        for target, fetched in (("/posts?types=%s&" % escape(type_[:-1]), mode in ("proxy", "proxy-if-miss")),
                                (server.path(post["id"]) + "?", mode != "no-proxy")):
            what = "mode %s, %s" % (mode, target)
            answer = server.ask("GET", target + "max_refs=10&profiles=refs", app.token, headers=headers).json()
            check_equal([p["id"] for p in answer["refs"]], [there["id"]] if fetched else [], "refs, " + what)
            check_equal(answer["profiles"], {peer.entity: peer.meta_content()["profile"]} if fetched else {}, "profiles, " + what)
            for name in ("refs", "profiles"):
                check(name not in server.ask("GET", target + "max_refs=10&profiles=refs", headers=headers).json(), "strangers")
        quiet(peer)
    gone = FakeServer()
    gone.stop()
    post = server.create(app, NOTE, {}, refs=[{"entity": gone.entity, "post": new_id()}])
    answer = server.get(post["id"], app.token, max_refs=10, profiles="refs")
    check_equal((answer.status, answer.json()["refs"], answer.json()["profiles"]), (200, [], {}), "what cannot be had is left out")


@limit(150)
def test_proxied_attachments(stage):
    """Point 43 (section 14.1): attachments of a foreign post; the redirect leads to the own server (section 4.9)."""
    server, peer = Server(stage), FakeServer()
    app = App(server)
    others = strangers(server, app)
    seed = 20
    for mode, stored in itertools.product(MODES, (True, False)):
        what = "mode %s, %sstored" % (mode, "" if stored else "not ")
        seed += 1
        data = picture(seed=seed)
        post = Elsewhere(server, app, peer, stored, [("photo", "a dot.png", "image/png", data)])
        headers = [("Cache-Control", mode)] if mode else []
        by_digest = "/attachments/%s/%s" % (escape(peer.entity), tent.digest(data))
        for name, key in others.items():
            check_equal((post.ask(key, mode, path="/attachments/a%20dot.png").status,
                         server.ask("GET", by_digest, key, headers=headers).status), (404, 404), what + ", " + name)
        wanted = source(mode, stored)
        direct = server.ask("GET", by_digest, app.token, headers=headers)
        named = post.ask(app.token, mode, path="/attachments/a%20dot.png")
        if not wanted:
            check_equal((named.status, direct.status), (404, 404), what)
            continue
        check_equal((direct.status, direct.body, direct.header("content-type")), (200, data, "image/png"), what)
        check_equal((named.status, named.header("attachment-digest")), (302, tent.digest(data)), "the redirect, " + what)
        target = urllib.parse.urlsplit(urllib.parse.urljoin(server.entity, named.header("location")))
        check_equal(target.netloc, server.host, "it leads to the own server")
        check(tent.digest(data) in target.path and escape(peer.entity) in target.path, "Location: " + named.header("location"))
        followed = server.ask("GET", target.path + ("?" + target.query if target.query else ""), app.token, headers=headers)
        check_equal((followed.status, followed.body), (200, data), "followed, " + what)
        check_equal(len(peer.got("attachment")) > 0, wanted == "there", "who was asked, " + what)
    quiet(peer)


# ------------------------------------------------------------------------------------------------------ old clients

TEMPLATES = {"oauth_auth": set(), "oauth_token": set(), "posts_feed": set(), "new_post": set(), "post": {"entity", "post"},
             "post_attachment": {"entity", "post", "name"}, "attachment": {"entity", "digest"}, "batch": set(),
             "server_info": set(), "discover": {"entity"}}


def test_old_clients_discover(stage):
    """Points 1 and 2 (section 15.1): the Link header, the HTML as a regular expression looks for it, ten templates."""
    server = Server(stage)
    for method in ("HEAD", "GET"):
        answer = server.ask(method, "/")
        header = answer.header("link")
        check("," not in header and answer.header("content-type").startswith("text/html"), "Link: %r" % header)
        url = urllib.parse.urljoin(server.entity + "/", tent.link(answer, tent.REL_META))
    found = re.findall(r'<link href="([^"]+)" rel="https://tent.io/rels/meta-post" />', server.ask("GET", "/").body.decode())
    check_equal([urllib.parse.urljoin(server.entity + "/", f) for f in found], [url], "the HTML form")
    for headers in ([], [("Accept", POST_TYPE)], [("Accept", post_media_type(META))]):
        meta = whole(server.ask("GET", address_of(url)[2], headers=headers), META)
        check_equal(meta["content"]["entity"], server.entity, "entity of the meta post")
    urls = meta["content"]["servers"][0]["urls"]
    check_equal({k: set(re.findall(r"{(\w+)}", v)) for k, v in urls.items()}, TEMPLATES, "the templates")
    check(all(v.startswith(server.entity + "/") for v in urls.values()), "they lead here")
    check("?" not in urls["oauth_auth"], "oauth_auth has no query")


def test_old_clients_sign(stage):
    """Points 3 and 4 (section 15.1): entities as they are in paths, the MAC over the raw target; app and hash may be
    missing; the answers are signed with their hash and not compressed."""
    server = Server(stage)
    app = App(server)
    post = server.create(app, public=False)
    with_app = tent.Credentials(app.token.id, app.token.key, app.post["id"])
    lower = escape(server.entity).lower()
    for path in (server.path(post["id"]), "/posts/%s/%s" % (server.entity, post["id"]), "/posts/%s/%s" % (lower, post["id"]),
                 server.path(post["id"]) + "?max_refs=2&odd=%7e"):
        for key in (app.token, with_app):
            answer = server.ask("GET", path, key, headers=[("Accept-Encoding", "gzip, deflate")])
            check_equal((answer.status, answer.authentic), (200, True), "GET " + path)
            check("hash" in tent.attributes(answer.header("server-authorization")), "hash in Server-Authorization")
            check_equal(answer.header("content-encoding"), "", "compression")
    wrong = tent.Credentials(app.token.id, app.token.key, new_id())
    check_equal(server.ask("GET", "/posts", wrong).status, 403, "another app's name")

    body = json.dumps({"type": STATUS, "content": {"text": "no hash"}}).encode()
    ts, nonce = int(time.time()) + app.token.offset, "n0nce"
    mac = tent.hawk_mac(app.token.key, "header", ts, nonce, "POST", "/posts", HOST, server.port)
    header = 'Hawk id="%s", ts="%d", nonce="%s", mac="%s"' % (app.token.id, ts, nonce, mac)
    answer = server.ask("POST", "/posts", body=body, content_type=post_media_type(STATUS), headers=[("Authorization", header)])
    whole(answer, STATUS)
    given = tent.attributes(answer.header("server-authorization"))
    check_equal(given["hash"], tent.hawk_hash(answer.header("content-type"), answer.body), "the hash of the answer")


def test_old_clients_write(stage):
    """Points 5, 6, 8, 10 and 13 (section 15.1): null members, sortBy, chunked bodies, multipart namings, 200, page links,
    and whole posts that are sent back."""
    server = Server(stage)
    app = App(server)
    # 5
    null = {"type": STATUS, "content": {"text": "a", "location": None}, "mentions": None, "licenses": None}
    made = whole(server.send(null, app.token), STATUS)
    check_equal((made["content"], "mentions" in made), ({"text": "a"}, False), "null members go")
    content = dict(FULL_APP, description=None)
    check_equal(server.send({"type": APP, "content": content}).status, 200, "a null in an app post")
    check_equal(server.feed(app, sortBy="published_at", odd="x").status, 200, "unknown parameters")
    # 6, 8
    for files in ([], [("photo[0]", "a.png", "image/png", picture(seed=3)), ("photo[0]", "b.png", "image/png", picture(seed=5))],
                  [("photo", "a.png", "image/png", picture(seed=3)), ("photo", "b.png", "image/png", picture(seed=5))],
                  [("photo[0]", "a.png", "image/png", picture(seed=3)), ("photo[1]", "b.png", "image/png", picture(seed=5))]):
        body, content_type = upload({"type": PHOTO, "content": {"caption": "a"}}, files)
        for chunked in (False, True):
            answer = send_chunked(server, app.token, content_type, body) if chunked else server.ask(
                "POST", "/posts", app.token, body=body, content_type=content_type)
            post = whole(answer, PHOTO)
            check_equal([(a["category"], a["name"], a["digest"]) for a in post.get("attachments", [])],
                        [("photo", n, tent.digest(d)) for _, n, _, d in files], "attachments")
    # 10
    pages = server.feed(app, limit=1).json()["pages"]
    check(set(pages) == {"next", "last"} and all(v.startswith("?") for v in pages.values()), "pages: %r" % pages)
    # 13
    before = server.create(app, mentions=[{"entity": server.entity, "post": made["id"]}], refs=[{"post": made["id"]}])
    seen = whole(server.get(before["id"], app.token), STATUS)
    seen["version"]["parents"] = [{"version": seen["version"]["id"]}]
    seen["content"] = {"text": "changed"}
    after = whole(server.put(before["id"], seen, app.token), STATUS)
    check_equal((after["content"], after["refs"], after["mentions"]), ({"text": "changed"}, before["refs"], before["mentions"]),
                "the whole post sent back")
    check(after["version"]["id"] != before["version"]["id"], "a version of its own")


def send_chunked(server, key, content_type, body):
    """POST as Go and Node send it: chunked, and without a payload hash."""
    header, made = key.header("POST", "/posts", HOST, server.port)
    lines = ["POST /posts HTTP/1.1", "Host: " + server.host, "Connection: close", "Transfer-Encoding: chunked",
             "Content-Type: " + content_type, "Authorization: " + header]
    with socket.create_connection((HOST, server.port), timeout=30) as sock:
        sock.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        for start in range(0, len(body), 1000):
            piece = body[start:start + 1000]
            sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        sock.sendall(b"0\r\n\r\n")
        with sock.makefile("rb") as stream:
            return tent._read_response(stream, "POST")


def test_old_clients_consent_and_avatars(stage):
    """Points 7, 9 and 12 (section 15.1): credentials Links of apps and app-auths, refs of app-auth queries, bewits that are
    valid for decades."""
    server = Server(stage)
    admin = App(server)
    # 7
    made = server.send({"type": APP, "content": FULL_APP})
    app, app_key = whole(made, APP), linked(made)
    made = server.send({"type": APP_AUTH, "content": {"types": {"read": [], "write": [STATUS[:-1]]}, "scopes": []},
                        "mentions": [{"entity": server.entity, "post": app["id"]}]}, admin.token)
    auth, key = whole(made, APP_AUTH), linked(made)
    check_equal(server.send({"type": STATUS, "content": {"text": "x"}}, key).status, 200, "the key of the app-auth works")
    # 9
    query = {"types": APP_AUTH, "mentions": server.entity + " " + app["id"], "max_refs": 10, "limit": 1}
    found = server.feed(admin, **query).json()
    check_equal([p["id"] for p in found["posts"]], [auth["id"]], "the app-auth of an app")
    check(app["id"] in [p["id"] for p in found["refs"]], "refs hold the app: %r" % [p["type"] for p in found["refs"]])
    refs = {r["type"].split("#")[0] for r in auth["refs"]}
    check_equal(refs, {APP[:-1], CREDENTIALS[:-1]}, "refs of the app-auth")
    consent = App(server, read=["all", CREDENTIALS[:-1]])
    check_equal({p["id"] for p in server.feed(consent, **query).json()["refs"]}, {app["id"], key.id},
                "the credentials, for an app that may read them")
    check_equal(server.get(app["id"], app_key).status, 200, "the app reads its post")
    # 12
    data = picture()
    post = server.create(admin, PHOTO, {}, False, files=[("photo", "me.png", "image/png", data)])
    target = "/attachments/%s/%s" % (escape(server.entity), post["attachments"][0]["digest"])
    for exp, wanted in ((4530669460, 200), (int(time.time()) - 5, 403)):
        bewit = tent.hawk_bewit(admin.token.key, admin.token.id, exp, target, HOST, server.port)
        check_equal(server.ask("GET", target + "?bewit=" + bewit).status, wanted, "a bewit until %d" % exp)


def test_old_clients_send_batches(stage):
    """Point 11 (section 15.1): a batch as tent-request sends it; the boundary of the answer is quoted, and nothing else."""
    server = Server(stage)
    app = App(server)
    server.create(app, public=False)
    parts = [("GET", "/posts?types=" + escape(STATUS[:-1]), app.token, b"", ""), ("GET", "/posts", None, b"", ""),
             ("POST", "/posts", app.token, json.dumps({"type": STATUS, "content": {"text": "in a batch"}}).encode(),
              post_media_type(STATUS)), ("GET", server.path("none"), None, b"", "")]
    body, made = b"", []
    for number, (method, target, key, text, content_type) in enumerate(parts):
        lines = ["%s %s HTTP/1.1" % (method, target), "Content-Length: %d" % len(text)]
        if content_type:
            lines.append("Content-Type: " + content_type)
        header, proof = key.header(method, target, HOST, server.port, content_type, text) if key else (None, None)
        made.append(proof)
        if header:
            lines.append("Authorization: " + header)
        body += ("--b7\r\nContent-Type: application/http\r\nContent-ID: %d\r\n\r\n%s\r\n\r\n" % (
            number, "\r\n".join(lines))).encode() + text + b"\r\n"
    answer = server.ask("POST", "/batch", body=body + b"--b7--\r\n", content_type='multipart/mixed; boundary="b7"')
    check_equal(answer.status, 200, "the batch: %r" % answer.body[:300])
    found = re.fullmatch(r'multipart/mixed; boundary="([^"]+)"', answer.header("content-type"))
    check(found, "the boundary is quoted, and nothing after it: " + answer.header("content-type"))
    answers = {}
    for part in answer.body.split(b"--" + found.group(1).encode())[1:-1]:
        head, _, inner = part.strip(b"\r\n").partition(b"\r\n\r\n")
        check(b"application/http" in head, "Content-Type of a part: %r" % head)
        number = int(re.search(rb"Content-ID: response-(\d+)(?:\r|$)", head).group(1))
        answers[number] = tent._read_response(io.BytesIO(inner), parts[number][0])
    check_equal({n: a.status for n, a in answers.items()}, {0: 200, 1: 200, 2: 200, 3: 404}, "the answers")
    for number in (0, 2):
        check(app.token.check_response(made[number], answers[number]), "Server-Authorization of answer %d" % number)
    texts = [[p["content"].get("text") for p in answers[n].json()["posts"]] for n in (0, 1)]
    check("hello" in texts[0] and "hello" not in texts[1], "each has its own rights: %r" % texts)


# ----------------------------------------------------------------------------------------------- the ordinary program

def test_the_ordinary_program_has_none_of_it(stage):
    """Everything that the conformance server leaves out (Tor, consent, the passphrase) cannot be left out by others:
    no symbol and no text of it is in the program that people run."""
    with open(binary(), "rb") as file:
        data = file.read().lower()
    with open(program(), "rb") as file:
        other = file.read().lower()
    for word in (b"conformance", b"go_without_tor", b"en-xa", b"ar-xb"):
        check_equal(data.count(word), 0, "%r in the ordinary program" % word)
        check(other.count(word) > 0, "%r is looked for in vain even where it must be" % word)
    check_equal(data.count(b"bivouac_pace"), 0, "nor can anybody change how fast its time goes")
    alice = stage.node("alice", "none", start=False)
    unknown = alice.refused("no-such-verb", "--port", "9", code=2)
    said = alice.refused("conformance-server", "--port", "9", code=2)
    check_equal(said.replace("conformance-server", "no-such-verb"), unknown, "it is a verb like any unknown one")

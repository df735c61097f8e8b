# SPDX-License-Identifier: BSD-3-Clause
"""A second Tent 0.3 server, in Python: one entity, in memory, on loopback HTTP.

Written from the protocol text alone (sections 1.2, 4, 5 and 7) and sharing nothing with the C++.  It keeps a list of
what it was asked, in order, and of what it found wrong (.problems); it misbehaves on demand (.faults).
"""
import base64
import http.server
import json
import re
import secrets
import threading
import time
import urllib.parse

import tent
from harness import HOST, wait_until

META = "https://tent.io/types/meta/v0#"
RELATIONSHIP = "https://tent.io/types/relationship/v0#"
INITIAL = RELATIONSHIP + "initial"
CREDENTIALS_FOR_RELATIONSHIP = "https://tent.io/types/credentials/v0#https://tent.io/types/relationship/v0"
LISTS = {"application/vnd.tent.post-%s.v0+json" % kind: kind for kind in ("mentions", "versions", "children")}
ERROR_TYPE = "application/vnd.tent.error.v0+json"


def now_ms():
    return int(time.time() * 1000)


def new_id():
    return secrets.token_urlsafe(16)


def address_of(url):
    """((host, port) to connect to, Host header, target) of an http URL."""
    parts = urllib.parse.urlsplit(url)
    return (parts.hostname, parts.port or 80), parts.netloc, (parts.path or "/") + ("?" + parts.query if parts.query else "")


class Asked:
    """One request that came in: what, by whom it was signed, and how it was answered."""

    def __init__(self, method, target, headers, body, kind):
        self.method, self.target, self.headers, self.body, self.kind = method, target, headers, body, kind
        self.who = self.key_id = self.status = None

    def __repr__(self):
        return "%s %s -> %s" % (self.method, self.target, self.status)


class Reply(Exception):
    def __init__(self, status, body=b"", content_type=None, headers=()):
        super().__init__(status)
        if isinstance(body, dict):
            body = json.dumps(body).encode()
        self.status, self.body, self.content_type, self.headers = status, body, content_type, list(headers)


def refusal(status, text="no"):
    return Reply(status, {"error": text}, ERROR_TYPE)


def envelope(post, headers=(), **more):
    return Reply(200, dict({"post": post}, **more), tent.post_media_type(post["type"]), headers)


class FakeServer:
    """faults: kind of request -> status, or a function of the Asked that may raise a Reply.  The kinds: entity, meta,
    credentials, relationship, post, list, feed, initial, notify, attachment, post_attachment, other."""

    def __init__(self, port=0, entity=None, socks=None):
        """entity: the address under which others find it, if that is not the loopback port; socks: a proxy for its own
        requests."""
        self.socks = socks
        self.asked, self.problems, self.faults = [], [], {}
        self.posts, self.files = {}, {}  # (entity, id) -> versions, oldest first; digest -> (bytes, media type)
        self.keys = {}                   # id -> (key, entity, id of our relationship post): given to others
        self.theirs = {}                 # entity -> Credentials: given to us
        self.nonces = set()
        self.deleted = set()
        self.lock = threading.RLock()
        self.meta_links = True
        self.port, self.server = port, None
        self.fixed_entity = entity
        self.start()

    # ---- life

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                outer._answer(self)

            do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer

            def log_message(self, *_):
                pass

        class Threads(http.server.ThreadingHTTPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.server = Threads((HOST, self.port), Handler)
        self.port = self.server.server_address[1]
        self.entity = self.fixed_entity or "http://%s:%d" % (HOST, self.port)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        if (self.entity, "meta") not in self.posts:
            self.keep(self.make(META, self.meta_content(), id="meta"))
        return self

    def stop(self):
        if self.server:
            self.server.shutdown()
            self.server.server_close()
            self.server = None

    def meta_content(self, **members):
        base = self.entity
        urls = {"oauth_auth": "/oauth/authorize", "oauth_token": "/oauth/token", "posts_feed": "/posts", "new_post": "/posts",
                "post": "/posts/{entity}/{post}", "post_attachment": "/posts/{entity}/{post}/attachments/{name}",
                "attachment": "/attachments/{entity}/{digest}", "batch": "/batch", "server_info": "/server",
                "discover": "/discover?entity={entity}"}
        return dict({"entity": self.entity, "previous_entities": [], "profile": {"name": "Fake", "bio": "a second opinion"},
                     "servers": [{"version": "0.3", "preference": 0, "urls": {k: base + v for k, v in urls.items()}}]},
                    **members)

    # ---- posts

    def make(self, type_, content=None, **members):
        """A post of ours, whole, not yet kept."""
        now = now_ms()
        post = dict({"id": new_id(), "entity": self.entity, "type": type_, "published_at": now}, **members)
        if content is not None:
            post["content"] = content
        post["version"] = dict({"published_at": now}, **post.get("version", {}))
        post["version"]["id"] = tent.version_id(post)
        return post

    def keep(self, post):
        with self.lock:
            self.posts.setdefault((post["entity"], post["id"]), []).append(post)
        return post

    def publish(self, type_, content=None, **members):
        return self.keep(self.make(type_, content, **members))

    def latest(self, entity, id_, version=None):
        with self.lock:
            found = [p for p in self.posts.get((entity, id_), []) if version in (None, p["version"]["id"])]
        return found[-1] if found else None

    def attach(self, data, name, content_type, category):
        """Bytes for a post's `attachments`."""
        self.files[tent.digest(data)] = (data, content_type, name)
        return {"category": category, "content_type": content_type, "name": name, "digest": tent.digest(data),
                "size": len(data)}

    def got(self, kind=None, **wanted):
        """The requests of a kind, in the order in which they came."""
        with self.lock:
            return [a for a in self.asked if kind in (None, a.kind) and all(getattr(a, k) == v for k, v in wanted.items())]

    def received(self, type_base=None):
        """The posts that were delivered to us and taken."""
        with self.lock:
            return [p for (entity, _), versions in self.posts.items() if entity != self.entity for p in versions
                    if type_base is None or p["type"].split("#")[0] == type_base]

    # ---- what others ask

    def _answer(self, handler):
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        asked = Asked(handler.command, handler.path, handler.headers, body, "other")
        hawk = None
        try:
            asked.kind = self._kind(asked)
            with self.lock:
                self.asked.append(asked)
            fault = self.faults.get(asked.kind)
            if callable(fault):
                fault(asked)
            elif fault:
                raise refusal(fault)
            hawk = self._who(asked)
            self._serve(asked)
            raise refusal(404)
        except Reply as reply:
            asked.status = reply.status
            headers = list(reply.headers)
            if reply.content_type:
                headers.append(("Content-Type", reply.content_type))
            if hawk:
                headers.append(("Server-Authorization", self._sign_answer(hawk, reply, asked)))
            handler.send_response(reply.status)
            for pair in headers:
                handler.send_header(*pair)
            handler.send_header("Content-Length", str(len(reply.body)))
            handler.end_headers()
            if asked.method != "HEAD":
                handler.wfile.write(reply.body)
        except OSError:
            handler.close_connection = True  # whoever asked, or was asked, has gone
        except Exception as error:  # a mistake here must not look like one of the other side
            self.problems.append("fake server: %r at %r" % (error, asked))
            raise

    def _split(self, target):
        """(what, entity, id or digest, name) of a path."""
        parts = [urllib.parse.unquote(p) for p in target.split("?")[0].split("/")[1:]]
        if parts[0] == "posts" and len(parts) == 3:
            return "post", parts[1], parts[2], None
        if parts[0] == "posts" and len(parts) == 5 and parts[3] == "attachments":
            return "post_attachment", parts[1], parts[2], parts[4]
        if parts[0] == "attachments" and len(parts) == 3:
            return "attachment", parts[1], parts[2], None
        return {"": "entity", "posts": "feed"}.get("/".join(parts), "other"), None, None, None

    def _kind(self, asked):
        what, entity, id_, _ = self._split(asked.target)
        if what != "post":
            return what
        if asked.method == "PUT":
            return "initial" if '"%s"' % INITIAL in asked.headers.get("Content-Type", "") else "notify"
        accept = asked.headers.get("Accept", "").split(";")[0].strip()
        if accept in LISTS:
            return "list"
        post = self.latest(entity, id_)
        base = post["type"].split("#")[0].split("/")[-2] if post else "post"
        return base if base in ("meta", "credentials", "relationship") else "post"

    def _who(self, asked):
        """Fills asked.who; what is needed to sign the answer, or None."""
        host, _, port = asked.headers["Host"].partition(":")
        port = int(port or 80)
        if asked.headers.get("Authorization"):
            given = tent.attributes(asked.headers["Authorization"])
            if not {"id", "ts", "nonce", "mac"} <= set(given) or given["id"] not in self.keys:
                raise refusal(403, "unknown key")
            key, entity, _ = self.keys[given["id"]]
            mac = tent.hawk_mac(key, "header", given["ts"], given["nonce"], asked.method, asked.target, host, port,
                                given.get("hash"), given.get("ext"), given.get("app"), given.get("dlg"))
            if mac != given["mac"]:
                self.problems.append("a wrong MAC: %r" % asked)
                raise refusal(403, "wrong MAC")
            if asked.body and given.get("hash") != tent.hawk_hash(asked.headers.get("Content-Type"), asked.body):
                self.problems.append("no hash of the body, or a wrong one: %r" % asked)
                raise refusal(403, "wrong hash")
            used = given["id"], given["ts"], given["nonce"]
            if abs(int(given["ts"]) - time.time()) > 60 or used in self.nonces:
                self.problems.append("a stale or repeated request: %r" % asked)
                raise refusal(403, "stale or replayed")
            self.nonces.add(used)
            asked.who, asked.key_id = entity, given["id"]
            return key, given, host, port
        bewit = re.search(r"[?&]bewit=([^&]*)", asked.target)
        if bewit:
            text = base64.urlsafe_b64decode(bewit.group(1) + "=" * (-len(bewit.group(1)) % 4)).decode()
            id_, exp, mac, ext = text.split("\\", 3)
            bare = asked.target[:bewit.start()] + asked.target[bewit.end():]
            key = self.keys.get(id_, ("",))[0]
            if int(exp) < time.time() or mac != tent.hawk_mac(key, "bewit", exp, "", "GET", bare, host, port, "", ext):
                raise refusal(403, "bad bewit")
            asked.who, asked.key_id = "bewit", id_
        return None

    @staticmethod
    def _sign_answer(hawk, reply, asked):
        key, given, host, port = hawk
        hash_ = tent.hawk_hash(reply.content_type, reply.body) if reply.body and asked.method != "HEAD" else ""
        mac = tent.hawk_mac(key, "response", given["ts"], given["nonce"], asked.method, asked.target, host, port, hash_, "",
                            given.get("app"), given.get("dlg"))
        return 'Hawk mac="%s"' % mac + (', hash="%s"' % hash_ if hash_ else "")

    def _readable(self, post, asked):
        permissions = post.get("permissions", {"public": True})
        if permissions.get("public") or asked.who == "bewit":
            return True
        if asked.who and asked.who in permissions.get("entities", []):
            return True
        return asked.key_id is not None and self.keys[asked.key_id][2] == post["id"]

    @staticmethod
    def _shown(post):
        post = dict(post)
        if not post.get("permissions", {}).get("public", True):
            post["permissions"] = {"public": False}
        else:
            post.pop("permissions", None)
        return post

    def _serve(self, asked):
        what, entity, id_, name = self._split(asked.target)
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.target).query))
        reading = asked.method in ("GET", "HEAD")
        if what == "entity" and reading:
            link = "/posts/%s/meta" % tent.escape(self.entity)
            if not self.meta_links:
                raise Reply(200, b"<html></html>", "text/html; charset=utf-8")
            raise Reply(200, b"", "text/html; charset=utf-8", [("Link", '<%s>; rel="%s"' % (link, tent.REL_META))])
        if what == "post" and asked.method == "PUT":
            self._delivered(asked, entity, id_)
        if what == "feed" and reading:
            self._feed(asked, query)
        if entity != self.entity or not reading:
            raise refusal(404)
        if what == "attachment":
            if id_ in self.files:
                raise Reply(200, self.files[id_][0], self.files[id_][1])
            raise refusal(404)
        post = self.latest(entity, id_, query.get("version"))
        if not post or not self._readable(post, asked):
            raise refusal(404)
        if what == "post_attachment":
            for item in post.get("attachments", []):
                if item["name"] == name:
                    raise Reply(302, b"", None, [("Attachment-Digest", item["digest"]), (
                        "Location", "/attachments/%s/%s" % (tent.escape(entity), item["digest"]))])
            raise refusal(404)
        media = asked.headers.get("Accept", "").split(";")[0].strip()
        if media in LISTS:
            self._list(asked, LISTS[media], media, post)
        raise envelope(self._shown(post))

    def _list(self, asked, kind, media, post):
        with self.lock:
            every = [p for versions in self.posts.values() for p in versions if self._readable(p, asked)]
        if kind == "mentions":
            items = [dict({"post": p["id"], "type": p["type"]}, **({"entity": p["entity"]} if p["entity"] != self.entity else {}))
                     for p in every if any(m.get("post") == post["id"] for m in p.get("mentions", []))]
        else:
            wanted = post["version"]["id"]
            chosen = [p for p in every if p["id"] == post["id"]] if kind == "versions" else [
                p for p in every if any(parent["version"] == wanted for parent in p["version"].get("parents", []))]
            items = [dict(p["version"], type=p["type"]) for p in reversed(chosen)]
        raise Reply(200, {"mentions" if kind == "mentions" else "versions": items, "pages": {}}, media,
                    [("Count", str(len(items)))])

    def _feed(self, asked, query):
        """Section 4.2, as far as other servers use it: types, limit, since and before, two ways to sort."""
        with self.lock:
            found = [[p for p in v if self._readable(p, asked)] for (entity, _), v in self.posts.items() if entity == self.entity]
        found = [versions[-1] for versions in found if versions]
        types = [t for t in query.get("types", "").split(",") if t]
        if types:
            found = [p for p in found if any(p["type"] == t or p["type"].split("#")[0] == t for t in types)]
        by_version = query.get("sort_by", "").startswith("version")

        def key(post):
            return (post["version"] if by_version else post)["published_at"], post["version"]["id"].encode()

        def cursor(name, beyond):
            time_, _, version = query[name].partition(" ")
            return int(time_), version.encode() or beyond
        found.sort(key=key, reverse=True)
        limit = int(query.get("limit", 25))
        if "before" in query:
            found = [p for p in found if key(p) < cursor("before", b"")]
        if "since" in query:
            found = [p for p in found if key(p) > cursor("since", b"~")][-limit:]
        raise Reply(200, {"posts": [self._shown(p) for p in found[:limit]], "pages": {}}, tent.FEED_TYPE)

    def _delivered(self, asked, entity, id_):
        content_type = asked.headers.get("Content-Type", "")
        try:
            post = json.loads(asked.body)
        except ValueError:
            raise refusal(400, "no JSON")
        type_ = post.get("type", "")
        if content_type != tent.post_media_type(type_, tent.REL_NOTIFICATION):
            self.problems.append("Content-Type of a delivery: %r" % content_type)
        if (post.get("entity"), post.get("id")) != (entity, id_):
            self.problems.append("the URL names another post than the body: %r" % asked)
        if post.get("version", {}).get("id") != tent.version_id(post):
            self.problems.append("the version id of a delivery is wrong: %r" % asked)
        for hidden in ("received_at",):
            if hidden in post or hidden in post.get("version", {}):
                self.problems.append("%s was told to a peer: %r" % (hidden, asked))
        if "id" in post.get("app", {}):
            self.problems.append("app.id was told to a peer: %r" % asked)
        if post.get("permissions") not in (None, {"public": False}):
            self.problems.append("permissions were told to a peer: %r" % post["permissions"])
        if type_ == INITIAL:
            raise self._met(asked, post)
        if asked.who is None or asked.who != entity:
            raise refusal(403, "not signed by its author")
        if type_.split("#")[0] == "https://tent.io/types/delete/v0":
            for ref in post["refs"]:
                self.deleted.add((entity, ref["post"]))
                self.posts.pop((entity, ref["post"]), None)
        known = [p["version"]["id"] for p in self.posts.get((entity, id_), [])]
        if post["version"]["id"] not in known:
            self.keep(post)
        raise envelope(post)

    # ---- handshakes

    def ask(self, method, url, credentials=None, **more):
        """One request of ours to another server."""
        address, host, target = address_of(url)
        return tent.request(address, method, target, host, credentials=credentials, socks=self.socks,
                            socks_user=self.socks and "fake", **more)

    def discover(self, entity):
        """The meta post of an entity (section 1.2), or None."""
        head = self.ask("HEAD", entity)
        link = tent.link(head, tent.REL_META)
        if head.status != 200 or not link:
            return None
        meta = self.ask("GET", urllib.parse.urljoin(entity + "/", link), headers=[("Accept", tent.post_media_type(META))])
        return meta.json()["post"] if meta.status == 200 else None

    @staticmethod
    def url_of(meta, entity, post):
        template = meta["content"]["servers"][0]["urls"]["post"]
        return template.replace("{entity}", tent.escape(entity)).replace("{post}", tent.escape(post))

    def _issue(self, entity, relationship):
        """Our credentials for a peer: (the post, the Link that shows it)."""
        key = secrets.token_urlsafe(32)
        post = self.publish(CREDENTIALS_FOR_RELATIONSHIP, {"hawk_key": key, "hawk_algorithm": "sha256"},
                            mentions=[{"post": relationship["id"], "type": relationship["type"]}], permissions={"public": False})
        self.keys[post["id"]] = (key, entity, relationship["id"])
        self.keys.setdefault("links", (secrets.token_hex(16), None, None))
        _, host, target = address_of("%s/posts/%s/%s" % (self.entity, tent.escape(self.entity), post["id"]))
        name, _, port = host.partition(":")
        bewit = tent.hawk_bewit(self.keys["links"][0], "links", int(time.time()) + 3600, target, name, int(port or 80))
        return post, '<http://%s%s?bewit=%s>; rel="%s"' % (host, target, bewit, tent.REL_CREDENTIALS)

    def _take_credentials(self, answer):
        post = answer.json()["post"] if answer.status == 200 else {"type": ""}
        if not post["type"].startswith("https://tent.io/types/credentials/v0#"):
            raise refusal(400, "Invalid credentials post!")
        return post, tent.Credentials(post["id"], post["content"]["hawk_key"])

    def _met(self, asked, post):
        """Steps 3 to 7 of a handshake that somebody else started."""
        entity = post["entity"]
        if asked.headers.get("Authorization"):
            self.problems.append("the first step of a handshake was signed")
        found = re.match(r'<([^>]*)>; rel="%s"$' % re.escape(tent.REL_CREDENTIALS), asked.headers.get("Link", ""))
        meta = self.discover(entity)
        if not found or not meta or meta["content"]["entity"] != entity:
            return refusal(400, "no Link, or no such entity")
        if not any(m.get("entity") == self.entity for m in post.get("mentions", [])):
            return refusal(400, "we are not mentioned")
        theirs, key = self._take_credentials(self.ask("GET", found.group(1), headers=[
            ("Accept", tent.post_media_type("https://tent.io/types/credentials/v0"))]))
        if theirs["mentions"][0]["post"] != post["id"]:
            return refusal(400, "credentials of something else")
        again = self.ask("GET", self.url_of(meta, entity, post["id"]), key, headers=[("Accept", tent.post_media_type(INITIAL))])
        if again.status != 200 or again.json()["post"]["version"]["id"] != post["version"]["id"]:
            return refusal(400, "Failed to fetch relationship post")
        self.keep(post)
        self.theirs[entity] = key
        ours = self.publish(RELATIONSHIP, mentions=[{"entity": entity, "post": post["id"], "type": INITIAL}],
                            permissions={"public": False, "entities": [entity]})
        _, link = self._issue(entity, ours)
        threading.Thread(target=self._introduce, args=(meta, ours, key), daemon=True).start()
        return envelope(post, [("Link", link)])

    def _introduce(self, meta, ours, key):
        try:
            answer = self.put(meta, ours, key)
            if answer.status != 200:
                self.problems.append("our relationship post was answered with %d %r" % (answer.status, answer.body[:200]))
        except OSError as error:
            self.problems.append("our relationship post: %r" % error)

    def put(self, meta, post, credentials, headers=(), body=None):
        body = self._shown(post) if body is None else body
        return self.ask("PUT", self.url_of(meta, post["entity"], post["id"]), credentials, headers=headers,
                        body=json.dumps(body).encode(), content_type=tent.post_media_type(post["type"], tent.REL_NOTIFICATION),
                        timeout=60)

    def start_handshake(self, entity):
        """Steps 0 to 2 as the initiator; (answer, our first relationship post, its credentials post)."""
        meta = self.discover(entity)
        first = self.publish(INITIAL, mentions=[{"entity": entity}], permissions={"public": False, "entities": [entity]})
        credentials, link = self._issue(entity, first)
        return self.put(meta, first, None, headers=[("Link", link)]), first, credentials

    def finish_handshake(self, entity, answer, first):
        """Steps 8 to 11: (their credentials post, their relationship post)."""
        meta = self.discover(entity)
        theirs, key = self._take_credentials(self.ask("GET", tent.link(answer, tent.REL_CREDENTIALS)))
        mention = [m for m in theirs["mentions"] if m.get("type") == RELATIONSHIP][0]
        seen = self.ask("GET", self.url_of(meta, entity, mention["post"]), key)
        if seen.status != 200:
            raise AssertionError("the relationship post is not shown: %d" % seen.status)
        self.theirs[entity] = key
        final = self.publish(RELATIONSHIP, id=first["id"], published_at=first["published_at"],
                             mentions=[{"entity": entity, "post": mention["post"], "type": RELATIONSHIP}],
                             permissions={"public": False, "entities": [entity]},
                             version={"parents": [{"version": first["version"]["id"]}]})
        done = self.put(meta, final, key)
        if done.status != 200:
            raise AssertionError("the final relationship post: %d %r" % (done.status, done.body))
        return theirs, seen.json()["post"]

    def relate(self, entity):
        answer, first, _ = self.start_handshake(entity)
        if answer.status != 200:
            raise AssertionError("handshake: %d %r" % (answer.status, answer.body))
        return self.finish_handshake(entity, answer, first)

    def deliver(self, entity, post, credentials="ours", body=None):
        """A post of ours, by PUT to a peer."""
        key = self.theirs[entity] if credentials == "ours" else credentials
        return self.put(self.discover(entity), post, key, body=body)

    def wait_received(self, predicate, seconds=20.0):
        def found():
            return [p for p in self.received() if predicate(p)]
        return wait_until(found, seconds, lambda: "a delivery; there are %r, asked %r, problems %r" % (
            [(p["type"], p.get("content")) for p in self.received()], self.asked[-12:], self.problems))[0]

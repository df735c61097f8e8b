# SPDX-License-Identifier: BSD-3-Clause
"""Apps from their first request to their last: a small real app registers itself, sends its user to the consent
page, exchanges the code, works, is narrowed and revoked."""
import html.parser
import json
import re
import urllib.parse

import tent
from harness import check, check_equal
from node import PASSPHRASE, limit, picture

APP = "https://tent.io/types/app/v0#"
STATUS = "https://tent.io/types/status/v0"
NOTE = "https://vendor.example/types/note/v0"
CREDENTIALS = "https://tent.io/types/credentials/v0#"
ODD_STATE = "a b&c=d%20+\u00e9\u2603\"<>'#?/\\\n"


class Page(html.parser.HTMLParser):
    """The form of a consent page, as a browser without scripts would see it."""

    def __init__(self, response):
        super().__init__()
        self.action, self.fields, self.boxes, self.loads = None, {}, [], []
        self.text = response.body.decode()
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            check_equal(given["method"], "post", "method of the form")
            self.action = given["action"]
        elif tag == "input" and given["type"] == "checkbox":
            self.boxes.append((given["name"], given["value"], "checked" in given))
        elif tag == "input" and given["type"] == "hidden":
            self.fields[given["name"]] = given["value"]
        if tag in ("script", "link", "iframe", "object", "img") or "src" in given:
            self.loads.append((tag, given.get("src", given.get("href", ""))))

    def filled(self, answer, passphrase="", ticked=None):
        pairs = list(self.fields.items())
        pairs += [(n, v) for n, v, on in self.boxes if (on if ticked is None else (n, v) in ticked)]
        return urllib.parse.urlencode(pairs + [("passphrase", passphrase), ("answer", answer)]).encode()


class App:
    """What a program on another machine knows: the address of the entity, and later its keys."""

    def __init__(self, node, **content):
        self.node = node
        status = node.status()
        name, _, port = status["listen"].rpartition(":")
        self.address = (name, int(port))
        # Without tor the only way in is the local API, which has a name of its own.
        self.host = status["listen"] if status["local_api"] == "http://" + status["listen"] else node.host
        self.content = dict({"name": "Notepad", "url": "https://notepad.example",
                             "redirect_uri": "https://notepad.example/back?from=tent",
                             "types": {"read": [STATUS], "write": [NOTE, STATUS]},
                             "scopes": ["permissions"]}, **content)
        self.post = self.credentials = self.token = None

    def ask(self, method, target, credentials=None, **more):
        return tent.request(self.address, method, target, self.host, credentials=credentials, **more)

    def send(self, post, credentials=None, **more):
        return self.ask("POST", "/posts", credentials, body=json.dumps(post).encode(),
                        content_type=tent.post_media_type(post["type"]), **more)

    def register(self):
        answer = self.send({"type": APP, "content": self.content, "permissions": {"public": False}})
        check_equal(answer.status, 200, "registration: %r" % answer.body[:300])
        self.post = answer.json()["post"]
        self.follow_link(tent.link(answer, tent.REL_CREDENTIALS))
        return self

    def follow_link(self, link):
        check(link and "bewit=" in link and "," not in link, "the credentials Link: %r" % link)
        parts = urllib.parse.urlsplit(link)
        check_equal(parts.netloc, self.host, "the host of the credentials Link")
        answer = self.ask("GET", parts.path + "?" + parts.query)
        check_equal(answer.status, 200, "the credentials post, without other authentication")
        post = answer.json()["post"]
        check(post["type"].startswith(CREDENTIALS), "its type: " + post["type"])
        check_equal((post["mentions"][0]["post"], post["mentions"][0]["type"]), (self.post["id"], APP), "what it mentions")
        check_equal(post["content"]["hawk_algorithm"], "sha256", "algorithm")
        self.credentials = tent.Credentials(post["id"], post["content"]["hawk_key"])

    def page_target(self, state=None):
        return "/oauth/authorize?client_id=" + self.post["id"] + (
            "" if state is None else "&state=" + urllib.parse.quote(state, safe=""))

    def page(self, state=None):
        answer = self.ask("GET", self.page_target(state))
        check_equal(answer.status, 200, "the consent page: %r" % answer.body[:200])
        return answer

    def answer(self, page, answer, headers=(("Sec-Fetch-Site", "same-origin"), ("Origin", "null")), **more):
        return self.ask("POST", page.action, body=page.filled(answer, **more), headers=headers,
                        content_type="application/x-www-form-urlencoded", timeout=90)

    def allowed(self, state=None, **more):
        """The code that the browser brings back."""
        answer = self.answer(Page(self.page(state)), "allow", passphrase=PASSPHRASE, **more)
        check_equal(answer.status, 302, "the answer of the owner: %r" % answer.body[:2000])
        return back(answer, self.content["redirect_uri"])["code"][0]

    def exchange(self, code, credentials=None, body=None, content_type="application/json"):
        body = {"code": code, "token_type": "https://tent.io/oauth/hawk-token"} if body is None else body
        return self.ask("POST", "/oauth/token", credentials or self.credentials, body=json.dumps(body).encode(),
                        content_type=content_type)

    def take_token(self, code):
        answer = self.exchange(code)
        check_equal(answer.status, 200, "exchange: %r" % answer.body[:200])
        given = answer.json()
        check_equal(set(given), {"access_token", "hawk_key", "hawk_algorithm", "token_type"}, "members of the token")
        check_equal(given["token_type"], "https://tent.io/oauth/hawk-token", "token type")
        check_equal(answer.header("content-type"), "application/json; charset=utf-8", "Content-Type of the token")
        check_equal(answer.header("cache-control"), "private, must-revalidate", "Cache-Control of the token")
        check(answer.authentic, "the token's Server-Authorization")
        self.token = tent.Credentials(given["access_token"], given["hawk_key"], self.post["id"])
        return self

    def write(self, type_=NOTE + "#", **more):
        content = {"text": "from the app"}
        return self.send(dict({"type": type_, "content": content}, **more), self.token)


def back(answer, redirect_uri):
    """The parameters with which the browser is sent back; the redirect_uri must be as registered."""
    location = answer.header("location")
    before = redirect_uri + ("&" if "?" in redirect_uri else "?")
    check(location.startswith(before), "Location %r begins with %r" % (location, before))
    return urllib.parse.parse_qs(location[len(before):], keep_blank_values=True, strict_parsing=True)


@limit(150)
def test_from_registration_to_revocation(stage):
    alice = stage.node("alice")
    app = App(alice).register()
    check_equal(app.post["entity"], alice.entity, "entity of the app post")
    check_equal(app.post["version"]["id"], tent.version_id(app.post), "version id of the app post")
    check_equal(app.post["permissions"], {"public": False}, "permissions of the app post")
    check_equal(app.post["mentions"], [{"post": app.credentials.id, "type": CREDENTIALS, "public": False}],
                "mentions of the app post")
    own = "/posts/%s/%s" % (tent.escape(alice.entity), app.post["id"])
    check_equal(app.ask("GET", own).status, 404, "the app post is not public")
    check_equal(app.ask("GET", own, app.credentials).status, 200, "the app sees its own post")
    check_equal(app.send({"type": STATUS + "#", "content": {"text": "x"}}, app.credentials).status, 403,
                "app credentials write nothing else")

    # A wrong passphrase, then the right one with one box less.
    page = Page(app.page(ODD_STATE))
    wrong = app.answer(page, "allow", passphrase="not it", ticked=[("read", "0"), ("write", "0")])
    check_equal(wrong.status, 403, "a wrong passphrase")
    again = Page(wrong)
    check("was not the passphrase" in again.text, "the page says so")
    check_equal([b for b in again.boxes], [("read", "0", True), ("write", "0", True), ("write", "1", False),
                                           ("scope", "0", False)], "what was ticked stays ticked")
    check_equal(alice.json("app", "show", "Notepad")["app"]["granted"], None, "nothing was allowed")
    done = app.answer(again, "allow", passphrase=PASSPHRASE)
    check_equal(done.status, 302, "the right passphrase")
    given = back(done, app.content["redirect_uri"])
    check_equal(given["state"], [ODD_STATE], "state comes back as it was")
    app.take_token(given["code"][0])
    for again in (given["code"][0], "nonsense"):
        check_equal(app.exchange(again).status, 403, "a code that was used, and one that never was")

    made = app.write()
    check_equal(made.status, 200, "a post of the app: %r" % made.body[:300])
    check(made.authentic, "its Server-Authorization")
    check_equal(made.json()["post"]["app"], {"id": app.post["id"], "name": "Notepad", "url": "https://notepad.example"},
                "its app")
    check_equal(app.write(STATUS + "#").status, 403, "a type that was not ticked")
    shown = alice.json("app", "show", app.post["id"])["app"]
    check_equal(shown["granted"], {"read": [STATUS], "write": [NOTE], "scopes": []}, "what was granted")
    check_equal([a["id"] for a in alice.json("app", "list")["apps"]], [app.post["id"]], "the list")
    check("Notepad" in alice.do("app", "list"), "the list for people")

    # Narrowed and revoked later, at the command line.
    alice.do("app", "allow", "Notepad", "--read", NOTE)
    check_equal(app.write().status, 403, "after narrowing")
    check_equal(app.ask("GET", "/posts", app.token).status, 200, "it still may read")
    alice.do("app", "revoke", "Notepad")
    check_equal(app.ask("GET", "/posts", app.token).status, 403, "after revoking")
    check("nothing" in alice.refused("app", "revoke", "Notepad"), "revoking twice")
    check_equal(app.ask("GET", own, app.credentials).status, 200, "the app post is still there")
    app.take_token(app.allowed())
    check_equal(app.write().status, 200, "allowed again")
    alice.do("app", "remove", "Notepad")
    check_equal(app.write().status, 403, "after removing")
    check_equal(app.ask("GET", own, app.credentials).status, 403, "its own key is dead too")
    check("bivouac app list" in alice.refused("app", "show", "Notepad"), "removed")


def test_refused_by_the_owner(stage):
    alice = stage.node("alice", "none")
    for redirect in ("https://notepad.example/back", "notepad.example:/back?a=b", "http://127.0.0.1:7000"):
        app = App(alice, redirect_uri=redirect).register()
        refused = app.answer(Page(app.page("x=1&y")), "refuse")
        check_equal(refused.status, 302, "refusing takes no passphrase")
        check_equal(back(refused, redirect), {"error": ["user_abort"], "state": ["x=1&y"]}, "what the app is told")
        check("state" not in back(app.answer(Page(app.page()), "refuse"), redirect), "no state, none back")
        check_equal(alice.json("app", "show", app.post["id"])["app"]["granted"], None, "nothing is granted")
        check(alice.refused("app", "allow", app.post["id"], "--read", "all"), "an app that was never allowed")


def test_the_consent_page(stage):
    """Nothing loaded, everything escaped, nobody frames it, no other site answers it."""
    alice = stage.node("alice", "none")
    evil = "<script>alert(1)</script>\"'&\u202e"
    app = App(alice, name=evil, description=evil, notification_url="https://push.example/hook",
              types={"read": ["all"], "write": ["https://x.example/\"><b>/v0"]}, scopes=["import", evil])
    check_equal(app.send({"type": APP, "content": app.content}).status, 200, "a type with odd characters")
    app = App(alice, name=evil, description=evil, notification_url="https://push.example/hook",
              types={"read": ["all", STATUS]}, scopes=["import", evil]).register()
    answer = app.page("s")
    page = Page(answer)
    check("<script" not in answer.body.decode() and "\u202e" not in answer.body.decode(), "the app's words are escaped")
    check("Nobody has checked that" in page.text and "everything" in page.text, "the warnings")
    check("push.example" in page.text and "does not do that" in page.text, "the clearnet notification URL")
    check_equal(page.loads, [], "what the page loads")
    check_equal(page.boxes, [("read", "0", True), ("read", "1", True), ("scope", "0", True), ("scope", "1", True)], "boxes")
    policy = answer.header("content-security-policy")
    check(policy.startswith("default-src 'none'; style-src 'sha256-"), policy)
    check("form-action 'self' https://notepad.example;" in policy and "frame-ancestors 'none'" in policy, policy)
    for name, value in (("x-frame-options", "DENY"), ("referrer-policy", "no-referrer"), ("cache-control", "no-store"),
                        ("x-content-type-options", "nosniff"), ("access-control-allow-origin", "")):
        check_equal(answer.header(name), value, name)
    crossed = app.ask("GET", app.page_target(), headers=[("Origin", "https://evil.example")])
    check_equal(crossed.header("access-control-allow-origin"), "", "CORS on the page")

    for headers in ([("Origin", "https://evil.example")], [("Sec-Fetch-Site", "cross-site"), ("Origin", "null")]):
        check_equal(app.answer(page, "refuse", headers=headers).status, 403, "another site's page: %r" % headers)
    for token in ("", page.fields["token"][:-1] + ("A" if page.fields["token"][-1] != "A" else "B"), "1.x"):
        forged = Page(answer)
        forged.fields["token"] = token
        check_equal(app.answer(forged, "allow", passphrase=PASSPHRASE).status, 403, "a forged form")
    other = Page(app.page("another state"))
    other.fields["token"] = page.fields["token"]
    check_equal(app.answer(other, "refuse").status, 403, "a form of another state")
    post = dict(content_type="application/x-www-form-urlencoded")
    check_equal(app.ask("POST", page.action, body=page.filled("allow") + b"&more=1", **post).status, 400, "another field")
    check_equal(app.ask("POST", page.action, body=b"x" * 40000, **post).status, 413, "a long form")
    check_equal(app.ask("POST", page.action, body=page.filled("refuse"), content_type="text/plain").status, 415, "its type")
    check_equal(app.answer(page, "allow").status, 403, "allowing without the passphrase")
    for target in ("/oauth/authorize", "/oauth/authorize?client_id=", "/oauth/authorize?client_id=" + "A" * 22,
                   "/oauth/authorize?client_id=" + app.credentials.id, app.page_target() + "&state=%zz"):
        unknown = app.ask("GET", target)
        check_equal((unknown.status, unknown.header("location")), (400, ""), target)
    check_equal(app.ask("HEAD", app.page_target()).status, 200, "HEAD")
    check_equal(app.ask("PUT", app.page_target()).status, 404, "PUT")


def test_the_icon_is_shown_without_fetching(stage):
    alice = stage.node("alice", "none")

    def register(data, type_):
        app = App(alice)
        post = json.dumps({"type": APP, "content": app.content}).encode()
        body = (b'--b\r\nContent-Disposition: form-data; name="post"; filename="post.json"\r\nContent-Type: ' +
                tent.post_media_type(APP).encode() + b"\r\n\r\n" + post +
                b'\r\n--b\r\nContent-Disposition: form-data; name="icon"; filename="icon"\r\nContent-Type: ' +
                type_.encode() + b"\r\n\r\n" + data + b"\r\n--b--\r\n")
        answer = app.ask("POST", "/posts", body=body, content_type="multipart/form-data; boundary=b")
        check_equal(answer.status, 200, "an app with an icon: %r" % answer.body[:200])
        app.post = answer.json()["post"]
        check_equal(app.post["attachments"][0]["digest"], tent.digest(data), "digest of the icon")
        return app
    shown = Page(register(picture(), "image/png").page())
    check_equal([(t, s[:22]) for t, s in shown.loads], [("img", "data:image/png;base64,")], "the icon")
    check_equal(Page(register(b"<svg onload='alert(1)'/>", "image/svg+xml").page()).loads, [], "an SVG is not shown")
    app = App(alice)
    claimed = app.send({"type": APP, "content": app.content, "attachments": [
        {"category": "icon", "name": "icon", "content_type": "image/png", "digest": tent.digest(picture())}]})
    check_equal(claimed.status, 400, "a stranger claims bytes by their digest")


def test_codes_belong_to_one_app(stage):
    alice = stage.node("alice", "none")
    one, two = App(alice, name="One").register(), App(alice, name="Two").register()
    code = one.allowed()
    check_equal(two.exchange(code).status, 401, "another app's code")
    check_equal(one.ask("POST", "/oauth/token", body=json.dumps({"code": code}).encode(),
                        content_type="application/json").status, 401, "unsigned")
    check_equal(one.exchange(code, body={}).status, 400, "no code")
    check_equal(one.exchange(code, body={"code": 1}).status, 400, "a code that is a number")
    check_equal(one.exchange(code, body={"code": code, "token_type": "https://tent.io/oauth/mac"}).status, 400, "token type")
    check_equal(one.exchange(code, body=[code]).status, 400, "a list")
    check_equal(one.exchange(code, content_type="text/plain").status, 415, "no JSON")
    answer = one.exchange(code, body={"code": code}, content_type="application/vnd.tent.oauth.token.v0+json")
    check_equal(answer.status, 200, "without a token type, as the Ruby client sends it: %r" % answer.body)
    token = tent.Credentials(answer.json()["access_token"], answer.json()["hawk_key"])
    check_equal(one.ask("GET", "/posts", token).status, 200, "the key works")
    check_equal(one.exchange("x", credentials=token).status, 401, "signed with the wrong kind of credentials")
    crossed = one.ask("POST", "/oauth/token", headers=[("Origin", "https://notepad.example")])
    check_equal(crossed.header("access-control-allow-origin"), "*", "CORS on the token endpoint")


def test_registration_is_bounded(stage):
    alice = stage.node("alice", "none")
    app = App(alice)

    def post(**members):
        return app.send(dict({"type": APP, "content": app.content}, **members)).status
    check_equal(post(mentions=[{"entity": alice.entity}]), 400, "mentions")
    check_equal(post(refs=[{"post": "A" * 22}]), 400, "refs")
    for uri in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "https://a.example/#x", "https://u@a.example/",
                "https://a.example:x/", "/back", "http://"):
        check_equal(post(content=dict(app.content, redirect_uri=uri)), 400, uri)
    check_equal(post(content=dict(app.content, name="n" * 300)), 400, "a long name")
    check_equal(post(content=dict(app.content, colour="red")), 400, "a member that is none")
    check_equal(app.send({"type": STATUS + "#", "content": {"text": "x"}}).status, 401, "a stranger's status")
    made = 0
    while post() == 200:
        made += 1
        check(made <= 20, "strangers register without end")
    check_equal(post(), 429, "too many")
    check(made >= 5, "only %d apps could register" % made)
    own = alice.json("app", "create", "--name", "mine")
    check(own["id"], "the owner still makes apps")


def test_app_verbs_of_the_command_line(stage):
    alice = stage.node("alice", "none")
    check("No app" in alice.do("app", "list"), "an empty list")
    App(alice, name="Twin").register()
    twin = App(alice, name="Twin", notification_url="http://127.0.0.1:9999/hook").register()
    check("several" in alice.refused("app", "show", "Twin"), "a name that two have")
    shown = alice.json("app", "show", twin.post["id"])["app"]
    check_equal((shown["notification_url"], shown["notification_url_used"]), ("http://127.0.0.1:9999/hook", False), "hook")
    check_equal(shown["wanted"]["write"], [NOTE, STATUS], "what it wants")
    words = alice.do("app", "show", twin.post["id"])
    check("not used" in words and re.search(r"allowed\s+no", words), words)
    alice.refused("app", "allow", twin.post["id"], code=2)
    alice.refused("app", "revoke", code=2)
    created = alice.json("app", "create", "--name", "Mine", "--read", STATUS, "--write", STATUS)
    reader = alice.json("app", "create", "--name", "Reader", "--read", STATUS)
    granted = alice.json("app", "show", reader["app"])["app"]["granted"]
    check_equal((granted["read"], granted["write"]), ([STATUS], []), "who is to read one type writes nothing")
    alice.do("app", "revoke", "Reader")
    changed = alice.json("app", "allow", "Mine", "--read", NOTE, "--scope", "import")["app"]
    check_equal(changed["granted"], {"read": [NOTE], "write": [], "scopes": ["import"]}, "replaced, not added to")
    check("type" in alice.refused("app", "allow", "Mine", "--read", "nonsense"), "a malformed type")
    check_equal(alice.json("app", "revoke", created["app"])["app"]["granted"], None, "revoked")


def test_an_app_changes_its_own_post(stage):
    """As omniauth does when its settings differ: a new version, signed with the app credentials."""
    alice = stage.node("alice", "none")
    app = App(alice).register()
    app.take_token(app.allowed())
    own = "/posts/%s/%s" % (tent.escape(alice.entity), app.post["id"])
    seen = app.ask("GET", own, app.credentials).json()["post"]
    content = dict(app.content, name="Notepad 2", types={"read": ["all"], "write": ["all"]})

    def put(credentials=app.credentials, **members):
        post = dict({"type": APP, "content": content, "mentions": seen.get("mentions", []), "refs": seen.get("refs", []),
                     "version": {"parents": [{"version": seen["version"]["id"]}]}}, **members)
        return app.ask("PUT", own, credentials, body=json.dumps(post).encode(), content_type=tent.post_media_type(post["type"]))
    check_equal(put(credentials=None).status, 401, "unsigned")
    check_equal(put(credentials=app.token).status, 403, "the app-auth may not write app posts")
    check_equal(put(content=dict(content, redirect_uri="javascript:1")).status, 400, "a bad redirect")
    made = put()
    check_equal(made.status, 200, "a new version: %r" % made.body[:300])
    check_equal(made.json()["post"]["id"], app.post["id"], "its id")
    shown = alice.json("app", "show", "Notepad 2")["app"]
    check_equal(shown["wanted"]["read"], ["all"], "what it wants now")
    check_equal(shown["granted"]["read"], [STATUS], "what it may do stays")
    check_equal(app.write().json()["post"]["app"]["name"], "Notepad 2", "its posts carry the new name")
    app.take_token(app.allowed())
    check_equal(alice.json("app", "show", "Notepad 2")["app"]["granted"]["read"], ["all"], "allowed anew")


def test_a_consent_page_outside(stage):
    """As tent-admin does it: an app that may write app-auth posts, and the Hawk key passed on as the code."""
    alice = stage.node("alice", "none")
    app = App(alice).register()
    admin = alice.json("app", "create", "--name", "Admin", "--read", "all", "--read", CREDENTIALS[:-1], "--write", "all")
    admin = tent.Credentials(admin["id"], admin["hawk_key"], admin["app"])
    auth = {"type": "https://tent.io/types/app-auth/v0#",
            "content": {"types": {"read": [], "write": [NOTE]}, "scopes": []},
            "mentions": [{"entity": alice.entity, "post": app.post["id"]}]}
    made = app.send(auth, admin)
    check_equal(made.status, 200, "an app-auth post: %r" % made.body[:300])
    post = made.json()["post"]
    check_equal(sorted(r["type"].split("#")[0].split("/")[-2] for r in post["refs"]), ["app", "credentials"], "its refs")
    link = urllib.parse.urlsplit(tent.link(made, tent.REL_CREDENTIALS))
    key = app.ask("GET", link.path + "?" + link.query).json()["post"]["content"]["hawk_key"]
    app.take_token(key)
    check(app.token.key != key, "the key changes at the exchange")
    check_equal(app.exchange(key).status, 403, "and is no code any more")
    check_equal(app.write().status, 200, "the app works")

    own = "/posts/%s/%s" % (tent.escape(alice.entity), post["id"])
    auth["content"]["types"] = {"read": [NOTE], "write": []}
    auth["version"] = {"parents": [{"version": post["version"]["id"]}]}
    changed = app.ask("PUT", own, admin, body=json.dumps(auth).encode(), content_type=tent.post_media_type(auth["type"]))
    check_equal(changed.status, 200, "a new version of it: %r" % changed.body[:300])
    check_equal(len(changed.json()["post"]["refs"]), 2, "the ref to the credentials is put back")
    check_equal(app.write().status, 403, "narrowed at once")
    check_equal(app.ask("DELETE", own, admin).status, 200, "deleted")
    check_equal(app.ask("GET", "/posts", app.token).status, 403, "revoked by that")

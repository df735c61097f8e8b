# SPDX-License-Identifier: BSD-3-Clause
"""Pages against people who mean harm: forms that were not asked for, scripts and markup in every field, files that are
not what they say, too much of everything; and the way in through a real Tor."""
import html.parser
import json
import os
import re
import struct
import time
import urllib.parse
import zlib

import tent
from attachments import made as made_by, send
from browser import DESKTOP, PHONE, Browser, Parsed
from harness import Failed, check, check_equal, wait_until
from node import Node, PASSPHRASE, limit, picture
from pages_scene import OWNER_PAGES, Scene, befriend, query
from simulation import program as simulation_program

EVIL = ["<script>document.title='RAN'</script>", "<img src=x onerror=document.title='RAN'>", "\"><svg onload=document.title='RAN'>",
        "'onmouseover='document.title=1", "</textarea></title><script>document.title='RAN'</script>", "{{7*7}} ${7*7} <%= 7*7 %>",
        "&lt;script&gt; &amp;#x3c;script>", "\u202egnp.exe\u202c \u2066hidden\u2069 \u200fright", "a\u0301" * 40, "<!-- --> ]]> <![CDATA["]
EVIL_LINKS = ["[x](javascript:document.title='RAN')", "[y](data:text/html,<script>document.title='RAN'</script>)",
              "[z](http://elsewhere.example/\"onmouseover=\"document.title='RAN')", "![i](http://elsewhere.example/i.png)", "^[m](0) ^[n](99)"]
TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def bomb(width=30_000, height=30_000):
    """A PNG of some kilobytes that would be gigabytes of pixels."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(b"\0" * (width // 8 + 1)) for _ in range(height)) + rows.flush()
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)) + chunk(b"IDAT", data) + chunk(b"IEND", b""))


class Forms(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.forms = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.forms.append((given.get("method", "get"), given["action"], []))
        elif tag in ("input", "button", "textarea") and self.forms and given.get("name"):
            if given.get("type") not in ("checkbox", "radio", "file") or "checked" in given:
                self.forms[-1][2].append((given["name"], given.get("value", "")))


class Visitor:
    """HTTP with a cookie, past the browser: whoever sends what no page of ours would."""

    def __init__(self, node):
        self.node, self.cookies = node, {}
        self.address, self.host = node.listen, node.host

    def ask(self, method, target, headers=(), **more):
        mine = tuple(headers) + (("Accept", "text/html"),)
        if self.cookies:
            mine += (("Cookie", "; ".join("%s=%s" % pair for pair in self.cookies.items())),)
        answer = tent.request(self.address, method, target, self.host, headers=mine, timeout=60, **more)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.split(";")[0]
        return answer

    def send(self, target, fields, headers=(), content_type="application/x-www-form-urlencoded"):
        body = fields if isinstance(fields, bytes) else urllib.parse.urlencode(fields).encode()
        return self.ask("POST", target, headers, body=body, content_type=content_type)

    def token(self, target):
        page = self.ask("GET", target)
        return re.search(r'name="csrf" value="([^"]+)"', page.body.decode()).group(1)

    def login(self):
        target = urllib.parse.urlsplit(self.node.do("open").strip()).path
        answer = self.send(target, {"csrf": self.token(target)})
        check_equal(answer.status, 303, "the login")
        return self


def everything(node):
    """All that forms could change, as the command line has it."""
    out = {}
    for args in (("followers",), ("following",), ("group", "list"), ("invite", "list"), ("door",), ("app", "list"), ("entity", "list"), ("feed", "--limit", "200")):
        out[args] = json.dumps(node.json(*args), sort_keys=True)
    return out


@limit(300)
def test_forms_that_nobody_asked_for(stage):
    """Each form of each page without its token, with somebody else's, and sent from elsewhere: nothing is done."""
    alice = stage.node("alice")
    bob = stage.node("bob")
    befriend(alice, bob)
    eve = stage.node("eve")
    eve.do("follow", alice.entity)
    alice.wait_follower(eve.entity, "pending")
    own = alice.post("stays", "--to", "public")
    alice.do("group", "add", "Choir")
    alice.do("invite")
    visitor, other = Visitor(alice).login(), Visitor(alice).login()
    filled = {"alice": tent.escape(alice.entity), "bob": tent.escape(bob.entity), "public": own["id"], "own": "post=" + own["id"],
              "post": query(entity=alice.entity, post=own["id"]), "edited": query(entity=alice.entity, post=own["id"])}
    before, sent, kinds = everything(alice), 0, set()
    stranger = other.token("/me/profile")
    for path in OWNER_PAGES:
        page = visitor.ask("GET", path.format(**filled))
        for method, action, fields in Forms(page.body.decode()).forms:
            if method != "post" or (action.split("?")[0], tuple(n for n, _ in fields)) in kinds:
                continue
            kinds.add((action.split("?")[0], tuple(n for n, _ in fields)))
            right = dict(fields)["csrf"]
            rest = [(n, v or "x") for n, v in fields if n != "csrf"]
            for what, tokens, headers in (("without a token", [], ()), ("an empty one", [("csrf", "")], ()), ("a wrong one", [("csrf", right[:-2] + "AA")], ()),
                                          ("that of another login", [("csrf", stranger)], ()),
                                          ("from another site", [("csrf", right)], (("Origin", "http://elsewhere.example"),)),
                                          ("from another site, said otherwise", [("csrf", right)], (("Sec-Fetch-Site", "cross-site"),))):
                answer = visitor.send(action, tokens + rest, headers)
                check_equal(answer.status, 403, "%s, %s" % (action, what))
                check(b"Nothing was done." in answer.body, "%s, %s, says so" % (action, what))
                sent += 1
    check(sent > 100, "forms that were sent: %d" % sent)
    check_equal(everything(alice), before, "what the forms changed")
    check_equal(visitor.ask("GET", "/me/profile").status, 200, "still logged in")
    # By GET nothing is done either, and a login cannot be foisted on anybody.
    for action in ("/logout", "/me/react?what=favorite&" + filled["post"], "/me/delete?post=" + own["id"]):
        visitor.ask("GET", action)
    check_equal(everything(alice), before, "what reading changed")
    nobody = Visitor(alice)
    for target in ("/login", urllib.parse.urlsplit(alice.do("open").strip()).path):
        check_equal(nobody.send(target, {"passphrase": PASSPHRASE, "csrf": "x"}).status, 403, "a login without a token")
    check_equal(nobody.send("/me/door", {"door": "open", "csrf": stranger}).status, 303, "not logged in")
    for path in sorted({p.split("?")[0].format(**filled) for p in OWNER_PAGES}):
        answer = nobody.ask("GET", path)
        check(answer.status == 303 and answer.header("location").startswith("/login"), "%s for nobody: %d" % (path, answer.status))
        check_equal(answer.header("cache-control"), "no-store", "kept: " + path)
    check_equal(alice.json("door")["door"], "vetted", "the door")
    # Where a login leads to is a page of ours.
    for wrong in ("http://elsewhere.example/", "//elsewhere.example", "/\\elsewhere.example", "/me/../../x\r\nX-A: b", "/mexico"):
        page = nobody.ask("GET", "/login?next=" + urllib.parse.quote(wrong, safe=""))
        check('name="next" value="/me"' in page.body.decode() or "elsewhere" not in page.body.decode(), "next=" + wrong)
    for wrong in ("http://elsewhere.example/", "//elsewhere.example", "/a\r\nX-A:b"):
        answer = nobody.ask("GET", "/language?to=en&back=" + urllib.parse.quote(wrong, safe=""))
        check_equal(answer.header("location"), "/", "back=" + wrong)


@limit(300)
def test_content_that_means_harm(stage):
    """From a peer, an app and the owner herself, in every field: it shows as text, and nothing runs or is fetched. Scripts are on."""
    alice, bob = stage.node("alice", start=False), stage.node("bob", start=False)
    for node in (alice, bob):
        node.extra_args = ["--local-api"]
        node.start()
    befriend(alice, bob)
    scene = Scene(stage, scripts=True, node=alice)
    tab = scene.tab
    evil_files = {"evil.html": b"<script>document.title='RAN'</script>", "evil.svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='document.title=1'/>",
                  "not.png": b"<html><script>document.title='RAN'</script>", "bomb.png": bomb()}
    kinds = {"evil.html": "text/html", "evil.svg": "image/svg+xml"}
    parts = [("f%d" % n, name, kinds.get(name, "image/png"), data) for n, (name, data) in enumerate(evil_files.items())]

    def with_files(node, text):  # byte for byte, as apps may
        return made_by(send(node, "POST", "/posts", {"type": tent.STATUS, "content": {"text": text}, "permissions": {"public": True}}, parts))

    # A peer: statuses, an essay of raw HTML, a type that nobody knows, files, a profile.
    for text in EVIL + EVIL_LINKS:
        bob.post(text)
    for type_, content in (("https://tent.io/types/essay/v0", {"title": EVIL[0], "excerpt": EVIL[1], "body": EVIL[0] + EVIL[1] + "<p style='position:fixed'>plain words</p><a href='javascript:1'>a</a>"}),
                           ("https://vendor.example/types/odd/v0", {"x": EVIL, "deep": {"<b>": [[[[EVIL[2]]]]]}}),
                           ("https://tent.io/types/photo/v0", {"caption": EVIL[0]})):
        made = bob.api("POST", "/posts", body=json.dumps({"type": type_ + "#", "content": content, "permissions": {"public": True}}).encode(), content_type=tent.post_media_type(type_ + "#"))
        check_equal(made.status, 200, "bob's post: %r" % made.body[:300])
    files = with_files(bob, "files")
    visitor = Visitor(bob).login()
    name = EVIL[0] + "\u202e" + "n" * 1_000
    answer = visitor.send("/me/profile", {"csrf": visitor.token("/me/profile"), "name": name, "bio": EVIL[1] * 50, "location": EVIL[2], "website": "javascript:document.title='RAN'"})
    check(answer.status in (200, 303), "bob's profile: %d" % answer.status)
    alice.wait_text("files")
    for name_ in evil_files:
        alice.attachment(bob.entity, files["id"], name_)

    # An app of hers.
    app = {"type": "https://tent.io/types/app/v0#", "content": {"name": EVIL[0] + "x" * 500, "description": EVIL[1] * 100, "url": "https://a.example", "redirect_uri": "https://a.example/b",
                                                                "types": {"read": ["https://a.example/" + "t" * 300 + "/v0"], "write": []}}, "permissions": {"public": False}}
    made = tent.request(alice.listen, "POST", "/posts", alice.host, body=json.dumps(app).encode(), content_type=tent.post_media_type(app["type"]))
    check(made.status in (200, 400, 422), "an app: %d" % made.status)

    # She herself, through her own forms.
    scene.go("/me/groups").fill("Name", EVIL[0][:90]).click("Make")
    scene.go("/me/profile").fill("Name", EVIL[4]).fill("About you", EVIL[5] + "\n" + EVIL[4]).fill("Place", EVIL[2]).click("Save")
    scene.go("/me/compose").tick("Everybody (public)").fill("Text", "\n".join(EVIL + EVIL_LINKS)).click("Preview, and who can see it")
    check(tab.evaluate("document.title") != "RAN" and tab.evaluate("document.querySelectorAll('main script, main svg, main img').length") == 0, "the preview")
    tab.click("Post", css="button")

    def harmless(path):
        tab.responses, tab.console = [], []
        status = tab.open(scene.site + path)
        check(status in (200, 404), "%s: %d" % (path, status))
        time.sleep(0.05)
        check_equal(tab.evaluate("[document.title === 'RAN', document.querySelectorAll('script, svg, iframe, object, embed, style, [onerror], [onload], [onmouseover], [style]').length,"
                                 " [...document.querySelectorAll('a, form, img')].filter(e => /^(javascript|data|vbscript)/i.test(e.getAttribute('href') || e.getAttribute('action') || '')).length]"),
                    [False, 0, 0], "what " + path + " holds")
        text = tab.html()
        check(not any(c in text for c in TURNING), "%s turns the direction of reading" % path)
        check(len(text) < 400_000, "%s is %d characters long" % (path, len(text)))
        content, _, _ = tab.content_size()
        check(content <= tab.width, "%s is %d wide" % (path, content))
        for address, _, headers, kind in tab.responses:
            check(address.startswith((scene.site, "data:image/png")), "%s fetched %s" % (path, address[:100]))
            if kind == "Image" and not address.startswith("data:"):
                check("sandbox" in headers.get("content-security-policy", "sandbox"), "a picture without a sandbox")
    there = tent.escape(bob.entity)
    for width in (DESKTOP, PHONE):
        tab.resize(width)
        for path in ("/me", "/me/mentions", "/me/person?entity=" + there, "/me/people", "/me/following", "/me/groups", "/me/apps", "/me/compose", "/me/profile", "/me/conversations",
                     "/me/conversation?with=" + there, "/me/deliveries", "/me/invites", "/", "/follow", "/me/welcome?step=2", "/me/search?q=" + urllib.parse.quote(EVIL[0])):
            harmless(path)
        for post in alice.feed():
            harmless("/me/post?" + query(entity=post["entity"], post=post["id"]))
        for path in ("/me?done=" + urllib.parse.quote(EVIL[0]), "/me/person?entity=" + urllib.parse.quote(EVIL[0]), "/me/conversation?with=" + "x" * 4000,
                     "/me/compose?text=" + urllib.parse.quote(EVIL[4]) + "&to=" + urllib.parse.quote(EVIL[2]), "/me/deliveries?post=%22%3E%3Cscript%3E", "/login?next=%22%3E%3Cscript%3E"):
            tab.open(scene.site + path)
            check_equal(tab.evaluate("document.querySelectorAll('script, svg').length"), 0, path)
    tab.resize(DESKTOP)

    # Files: a picture only when it is one, and not an ocean of pixels; everything else is a download.
    for name_, data in evil_files.items():
        target = "/me/file?" + query(entity=bob.entity, post=files["id"], name=name_)
        mine = Visitor(alice).login()
        answer = mine.ask("GET", target)
        check_equal((answer.status, answer.header("content-type")), (200, "application/octet-stream"), name_)
        check(answer.header("content-disposition").startswith("attachment;") and answer.header("x-content-type-options") == "nosniff", name_ + ": " + answer.header("content-disposition"))
        got_name, got = scene.browser.download(lambda: tab.ask("Page.navigate", url=scene.site + target))
        check(got == data, name_ + " as it was sent")

    # What strangers get of her own files.
    public = with_files(alice, "for all")
    for name_ in ("evil.html", "evil.svg"):
        target = "/posts/%s/%s/attachments/%s" % (tent.escape(alice.entity), public["id"], name_)
        answer = alice.get(target, headers=(("Accept", "text/html,*/*"),))
        if answer.status == 302:
            answer = alice.get(answer.header("location").replace(alice.entity, ""), headers=(("Accept", "text/html,*/*"),))
        check_equal(answer.status, 200, name_)
        check("attachment" in answer.header("content-disposition") or "sandbox" in answer.header("content-security-policy"), "%s for strangers: %r" % (name_, answer.headers))

    atom = alice.get("/feed.atom").body.decode()
    check("<script" not in atom and "\u202e" not in atom, "the feed")
    import xml.etree.ElementTree
    xml.etree.ElementTree.fromstring(atom)
    scene.done()


@limit(300)
def test_too_much(stage):
    """Fields and files over the limit, from a real browser: a page that says so, and never a broken connection."""
    alice = stage.node("alice", start=False)
    alice.extra_args = ["--upload-limit", "2"]
    alice.start()
    for width in (DESKTOP, PHONE):
        scene = Scene(stage, width, node=alice, name="browser%d" % width)
        tab = scene.tab
        scene.go("/me/compose").must_see("At most")
        for mib in (3, 7, 40):
            scene.go("/me/compose").fill("Text", "with a large file").attach("Attach files", stage.file("large-%d.png" % mib, picture(8) + os.urandom(mib << 20))).click("Post", css="button", seconds=60)
            check_equal(tab.document()[1], 413, "%d MiB" % mib)
            tab.must_see("That was too much.", "Nothing was sent")
        scene.go("/me/profile").attach("Picture", stage.file("face.png", picture(8) + os.urandom(3 << 20))).click("Save", seconds=60)
        check_equal(tab.document()[1], 413, "a picture of 3 MiB")
        scene.go("/me/compose").fill("Text", "w" * 300_000).click("Preview, and who can see it", seconds=60)
        check_equal(tab.document()[1], 422, "a text of 300 kB")
        tab.must_see("That is too long.")
        scene.go("/me/compose").fill("Text", "w" * 1_000_000).click("Preview, and who can see it", seconds=60)
        check_equal(tab.document()[1], 413, "a text of 1 MB")
        check_equal(alice.texts(), [], "posts")
    visitor = Visitor(alice).login()
    token = visitor.token("/me/profile")
    for fields in ({"csrf": token, "name": "n" * 400_000}, [("csrf", token)] + [("x%d" % n, "y") for n in range(600)], b"csrf=%ff", b"csrf=" + token.encode() + b"&name=%00%ff", b"\0" * 50,
                   b"a=" + b"%41" * 300_000):
        answer = visitor.send("/me/profile", fields)
        check(answer.status in (303, 400, 403, 413, 422) or b"problem" in answer.body, "a form of %r: %d" % (str(fields)[:60], answer.status))
    for head, body in (("multipart/form-data", b"--x"), ("multipart/form-data; boundary=x", b"--x\r\n\r\n"), ("multipart/form-data; boundary=x", b""), ("text/plain", b"csrf=1"),
                       ("multipart/form-data; boundary=" + "b" * 300, b"--x")):
        answer = visitor.send("/me/profile", body, content_type=head)
        check(answer.status in (400, 403, 413, 415, 422), "%s: %d" % (head[:40], answer.status))
    check(len(visitor.ask("GET", "/").body) < 50_000, "her page with whatever name")
    check_equal(visitor.ask("GET", "/me/profile").status, 200, "it serves")


@limit(300)
def test_new_since_the_last_visit(stage):
    """In quick time: half an hour later it is another visit, and what came meanwhile is above the mark."""
    top = stage.sub("quick")
    node = Node(simulation_program(), top, "alice", stage.fake.node("alice"))
    stage.nodes.append(node)
    pace = 150
    node.env["BIVOUAC_PACE"] = "%d %d" % (pace, int(time.time() * 1000))
    node.init().start()
    scene = Scene(stage, node=node, login=False)
    tab = scene.tab

    def come_in():  # a link is good for four seconds here
        tab.open(node.do("open").strip())
        tab.click("Come in")
        return tab.path.startswith("/me")
    wait_until(come_in, 30, "she is logged in")
    node.post("seen already")
    scene.go("/me").must_see("seen already")
    tab.must_not_see("new since your last visit")
    time.sleep(35 * 60 / pace)
    node.post("came meanwhile")
    scene.go("/me")
    for _ in range(2):  # and stays so while she reads
        tab.must_see("What is above is new since your last visit.")
        text = tab.text()
        check(text.index("came meanwhile") < text.index("What is above is new") < text.index("seen already"), "the mark is between them:\n" + text)
        scene.go("/me")


@limit(300)
def test_through_a_real_tor(stage):
    """A node with a tor of its own; the browser goes through another one, by the one-time link, to the onion; so does a visitor."""
    alice = stage.node("alice", "child")
    client = stage.private.start_client("browsertor")
    browser = Browser(stage, socks=client.socks_port)
    tab = browser.tab(PHONE)
    link = alice.do("open").strip()
    check(link.startswith(alice.entity + "/open/"), "the link leads to the onion")

    def opened():
        try:
            return tab.open(link, seconds=60) == 200
        except Failed:
            return False
    wait_until(opened, 90, "the onion answers the browser", 1)
    tab.click("Come in", seconds=60)
    tab.must_see("This is your own small server.")
    tab.open(alice.entity + "/me/compose", seconds=60)
    tab.tick("Followers").tick("Everybody (public)").fill("Text", "said through *Tor*").attach("Attach files", stage.file("tor.png", picture(200)))
    tab.click("Post", css="button", seconds=60)
    tab.click("Post", css="button", seconds=60).must_see("Posted.", "said through Tor")
    check(any("/me/file" in r[0] and r[1] == 200 for r in tab.responses), "the picture came as well")
    tab.ask("Network.clearBrowserCookies")
    tab.open(alice.entity + "/", seconds=60)
    tab.must_see("said through Tor", "How to follow")
    tab.must_not_see("Timeline", "Log out")
    tab.open(alice.entity + "/me", seconds=60)
    check(tab.path.startswith("/login"), "a visitor is nobody")
    foreign = [a for a in tab.requests if not a.startswith((alice.entity, "about:", "data:image/png"))]
    check_equal(foreign, [], "what the browser asked for")

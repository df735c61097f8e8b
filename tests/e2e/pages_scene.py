# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the pages share: a node with a browser in front of it, logged in as its owner."""
import os
import re
import subprocess
import urllib.parse

from browser import DESKTOP, PHONE, Browser, Gateway
from harness import Failed, check, check_equal, root, wait_until
from node import PASSPHRASE, picture

# The pages that are there to be looked at, by the routes in src/pages/pages.cpp (a test compares them). "{...}" is filled in.
OWNER_PAGES = ["/me", "/me/mentions", "/me/post?{post}", "/me/history?{edited}", "/me/delete?{own}", "/me/search?q=harbour",
               "/me/compose", "/me/compose?{post}", "/me/edit?{own}", "/me/conversations", "/me/conversation?with={bob}",
               "/me/people", "/me/people?state=denied", "/me/person?entity={bob}", "/me/following", "/me/groups", "/me/invites",
               "/me/profile", "/me/welcome", "/me/welcome?step=2", "/me/welcome?step=3", "/me/welcome?step=4", "/me/deliveries",
               "/me/apps", "/me/node", "/me/door", "/me/entities", "/me/backup", "/me/lock", "/me/panic", "/me/security",
               "/me/post?entity={alice}&post=nothing"]
VISITOR_PAGES = ["/", "/posts", "/follow", "/posts/{alice}/{public}", "/login", "/open/nothing"]
# Answers that are no page: redirects, files, what only takes forms.
NO_PAGES = {"/feed.atom", "/language", "/logout", "/me/react", "/me/at", "/me/file", "/me/avatar", "/me/download"}

# Whom Chromium asks of its own accord, whatever page it shows; the gateway lets none of it through.
ERRANDS = (".google.com", ".googleapis.com", ".gstatic.com", ".gvt1.com")


def routes():
    with open(os.path.join(root(), "src", "pages", "pages.cpp")) as file:
        return re.findall(r'\{"(/[a-z./]*)", (?:true|false), For::', file.read())


def query(**parameters):
    return urllib.parse.urlencode(parameters)


class Scene:
    """alice's node on the fake Tor and a browser that reaches it, through a SOCKS port, by its onion."""

    def __init__(self, stage, width=DESKTOP, scripts=False, login=True, node=None, name="browser"):
        self.stage, self.width = stage, width
        self.alice = node or stage.node("alice")
        self.gateway = Gateway(stage.fake)
        stage.afterwards.append(self.gateway.close)
        self.browser = Browser(stage, name, scripts=scripts, socks=self.gateway.port)
        self.tab = self.browser.tab(width)
        self.site = self.alice.entity
        self.leads_to = set()  # foreign hosts to which a page may send the browser; it asks for them whenever it likes, also again
        if login:
            self.login()

    def login(self, node=None, tab=None):
        node, tab = node or self.alice, tab or self.tab
        tab.open(node.do("open").strip())
        tab.click("Come in")
        check(tab.path.startswith("/me"), "after the login: " + tab.path)
        return tab

    def owner_of(self, node, width=None):
        """Another tab, in which somebody else is at home."""
        tab = self.browser.tab(width or self.width)
        return self.login(node, tab)

    def go(self, path, status=200):
        check_equal(self.tab.open(self.site + path), status, "the status of " + path)
        return self.tab

    def done(self):
        """Nothing was asked of anybody else, and the browser had nothing to complain of."""
        ours = {n.host for n in self.stage.nodes if n.entity}  # while one is away
        check_equal({h for h in self.gateway.foreign - ours - self.leads_to if not h.endswith(ERRANDS)}, set(), "hosts that the browser asked for")
        for tab in self.browser._tabs.values():
            for address in tab.requests:
                if urllib.parse.urlsplit(address).hostname in self.leads_to:
                    continue
                check(address.startswith(("http://" + self.alice.host, "http://127.0.0.1:", "data:image/png;base64,", "about:", "file:")) or
                      any(address.startswith(n.entity) for n in self.stage.nodes if n.entity), "the browser asked for " + address[:200])
            bad = [line for line in tab.console if "violat" in line.lower() or "refused to" in line.lower() or "a dialog" in line]
            check_equal(bad, [], "what the browser complained of")


def read_code(tab, stage, css="img.qr", name="code.png"):
    """What zbarimg (Debian: zbar-tools) reads in a QR code of the page."""
    source = tab.attributes(tab.one(css))["src"]
    check(source.startswith("data:image/png;base64,"), "the code is a PNG within the page")
    import base64
    path = stage.file(name, base64.b64decode(source.split(",", 1)[1]))
    try:
        done = subprocess.run(["zbarimg", "-q", "--raw", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    except FileNotFoundError:
        raise Failed("zbarimg is not installed (Debian: zbar-tools)")
    return done.stdout.decode().strip()


def befriend(one, other):
    """Both follow each other, approved."""
    for a, b in ((one, other), (other, one)):
        a.do("follow", b.entity)
        wait_until(lambda: b.followers().get(a.entity) in ("pending", "approved"), 30, "the request is at the desk")
        if b.followers()[a.entity] == "pending":
            b.do("followers", "approve", a.entity)
    for a, b in ((one, other), (other, one)):
        a.wait_following(b.entity, "approved")

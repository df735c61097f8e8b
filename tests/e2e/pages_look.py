# SPDX-License-Identifier: BSD-3-Clause
"""Every page as it looks and as it is made: accessibility (axe-core), keyboard, narrow and enlarged, print, headers.

  python3 tests/e2e/pages_look.py --screenshots DIR [PAGE...]     pictures of all pages: wide and narrow, light and dark
"""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys

import tent
from apps import App
from browser import DESKTOP, NARROW, PHONE, Parsed
from harness import Failed, binary, check, check_equal, private_dir, remove, root, wait_until
from node import Stage, limit, picture
from pages_scene import NO_PAGES, OWNER_PAGES, VISITOR_PAGES, Scene, befriend, query, routes

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(root(), os.environ.get("BIVOUAC_BUILD", "build"))
CSP = ("default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
PROSE = ("The harbour was *fog* all morning. We counted _nine_ boats and `three` lamps; see "
         "[the tide table](http://example.org/tides).\n\n> nobody awake but the gulls\n\n#harbour #morning")


class Look:
    """A node in the middle of its life: friends, an essay, pictures, a conversation, somebody who asks, an app, an invite."""

    def __init__(self, stage, scripts, width=DESKTOP):
        alice = stage.node("alice", start=False)
        alice.extra_args = ["--local-api"]
        alice.start()
        bob, eve = stage.node("bob"), stage.node("eve")
        befriend(alice, bob)
        eve.do("follow", alice.entity, "--note", "We met at the reading group on Tuesday. I was the one with the umbrella.")
        alice.wait_follower(eve.entity, "pending")
        self.stage, self.alice, self.bob = stage, alice, bob
        scene = self.scene = Scene(stage, width, scripts=scripts, node=alice)
        tab = scene.tab
        for node, name, about in ((alice, "Alice", "Gardens, tides and other slow things."), (bob, "Bob by the sea", "Boats.")):
            at = tab if node is alice else scene.owner_of(node)
            at.open(node.entity + "/me/profile")
            at.fill("Name", name).fill("About you", about).fill("Place", "the old harbour").attach("Picture", stage.file(name[:3] + ".png", picture(96, seed=len(name)))).click("Save")
        alice.do("group", "add", "Choir")
        alice.do("group", "members", "Choir", "--add", bob.entity)
        public = alice.post(PROSE, "--to", "public")
        first = bob.post("Does anybody have the key of the boathouse? I stand in front of it in the rain.")
        bob.post("Rope, lamp, bread: all there. " * 8)
        bob.post("Two pictures from this morning", "--attach", stage.file("morning.png", picture(480)), "--attach", stage.file("pier.png", picture(320, seed=3)))
        alice.wait_text("Two pictures from this morning")
        own = alice.post("Rehearsal on Thursday", "--to", "group:Choir", "--attach", stage.file("notes.txt", b"do re mi\n" * 40))
        alice.post("It is with the baker.", "--reply-to", bob.entity + "/" + first["id"])
        alice.post("Bring the umbrella back, please.", "--to", bob.entity)
        scene.go("/me/compose").tick("Everybody (public)")
        tab.unfold("Title")
        tab.fill("Title, for an essay", "On fog").fill("Text", "Fog is weather that asks for patience.\n\n" + "It comes in from the east, and the lamps are lit at noon. " * 30).click("Post", css="button")
        essay = [p for p in alice.feed() if p["type"].startswith("https://tent.io/types/essay/")][0]
        self.edited = query(entity=alice.entity, post=public["id"])
        scene.go("/me/edit?post=" + public["id"]).fill("Text", PROSE.replace("nine", "seven").replace(" #morning", "")).click("Save")
        scene.go("/me/post?" + query(entity=bob.entity, post=first["id"])).click("Favorite")
        wait_until(lambda: any(p["id"] == essay["id"] for p in bob.feed()), 30, "the essay is at bob")
        bob.post("I read it twice.", "--reply-to", alice.entity + "/" + essay["id"])
        alice.wait_text("I read it twice.")
        alice.do("invite", "--uses", "3", "--group", "Choir")
        App(alice).register()
        bob.stop()
        alice.post("Is anybody up?")
        self.filled = {"alice": tent.escape(alice.entity), "bob": tent.escape(bob.entity), "public": public["id"], "own": "post=" + own["id"],
                       "post": query(entity=bob.entity, post=first["id"]), "edited": self.edited}

    def pages(self):
        """(name, path, expected statuses)"""
        for path in OWNER_PAGES + VISITOR_PAGES:
            if path == "/login":
                continue
            whole = path.format(**self.filled)
            name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "home"
            yield name, whole, (404,) if "nothing" in path and "open" not in path else (200,)


def axe():
    """The text of axe-core, from the package that its lock file names, kept in the build folder."""
    place = os.path.join(BUILD, "e2e", "axe")
    os.makedirs(place, exist_ok=True)
    lock, done = os.path.join(HERE, "axe", "package-lock.json"), os.path.join(place, "installed.json")
    try:
        fresh = open(done, "rb").read() == open(lock, "rb").read()
    except FileNotFoundError:
        fresh = False
    if not fresh:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(os.path.join(HERE, "axe", name), os.path.join(place, name))
        out = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"], cwd=place,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        if out.returncode:
            raise Failed("npm ci failed:\n" + out.stdout.decode("utf-8", "replace"))
        shutil.copyfile(lock, done)
    with open(os.path.join(place, "node_modules", "axe-core", "axe.min.js")) as file:
        return file.read()


ALL_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN_AXE = """axe.run(document, {resultTypes: ["violations"], runOnly: %s})
  .then(r => JSON.stringify(r.violations.map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " :: " + n.failureSummary.slice(0, 300))])))"""


def also(look):
    """Pages that are the answer to a form: (name, function that brings the tab there)."""
    scene, tab = look.scene, look.scene.tab

    def preview():
        scene.go("/me/compose").fill("Text", "*Fog* again, @%s" % look.bob.entity).attach("Attach files", look.stage.file("fog.png", picture(120))).click("Preview, and who can see it")

    def nothing():
        scene.go("/me/compose").click("Post", css="button")

    def invite():
        scene.go("/me/invites").click("Make a link")

    def refused():
        scene.go("/me/following").fill("Address or invite link", "http://example.org").click("Ask to follow")

    def done():
        scene.go("/me/door").click("Save")

    def panic():
        scene.go("/me/panic").fill("The word", "no").click("Destroy everything now")

    def unfolded():
        scene.go("/me/groups")
        for summary in tab.all("summary"):
            tab.press(summary)
    return [("preview", preview), ("nothing-to-post", nothing), ("invite-made", invite), ("refused", refused), ("done", done),
            ("panic-wrong-word", panic), ("groups-unfolded", unfolded)]


def outside(look):
    """As nobody: what is only for those who are not logged in."""
    tab = look.scene.tab
    tab.ask("Network.clearBrowserCookies")
    return [("login", "/login", (200,)), ("visitor-home", "/", (200,)), ("visitor-post", "/posts/{alice}/{public}".format(**look.filled), (200,)),
            ("visitor-follow", "/follow", (200,)), ("visitor-nothing", "/posts/{alice}/nothing".format(**look.filled), (404,)), ("link", "/open/nothing", (200,))]


def every_page(look, see):
    """see(name) with the tab on each page, one after another."""
    tab = look.scene.tab
    for name, path, statuses in look.pages():
        status = tab.open(look.scene.site + path)
        check(status in statuses, "%s: status %d" % (path, status))
        see(name)
    for name, go in also(look):
        go()
        see(name)
    for name, path, statuses in outside(look):
        status = tab.open(look.scene.site + path)
        check(status in statuses, "%s: status %d" % (path, status))
        see(name)


def test_nothing_is_left_out(stage):
    """Every route is among the pages that are looked at, and every verb and route has its place in docs/pages.md."""
    seen = {p.split("?")[0] for p in OWNER_PAGES + VISITOR_PAGES} | NO_PAGES
    check_equal(set(routes()) - seen, set(), "routes that are missing in pages_scene.py")
    with open(os.path.join(root(), "docs", "pages.md")) as file:
        words = set(re.findall(r"`([^`]+)`", file.read()))
    check_equal(set(routes()) - words, set(), "routes that docs/pages.md does not name")
    told = subprocess.run([binary(), "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    verbs = set(re.findall(r"^  ([a-z-]+)  +[A-Z]", told.split("Subcommands:")[1], re.M))
    check(len(verbs) > 25, "verbs: %r" % verbs)
    check_equal(verbs - words, set(), "verbs that docs/pages.md does not name")


@limit(300)
def test_axe_finds_nothing(stage):
    """WCAG 2.2 A and AA and axe's best practices, wide and narrow, light and dark, on every page. Scripts are on for axe alone."""
    code, look = axe(), Look(stage, scripts=True)
    tab, found, seen = look.scene.tab, {}, []
    tab.ask("Page.setBypassCSP", enabled=True)
    check_equal(tab.open(look.scene.site + "/"), 200, "the page")
    tab.evaluate(code + ";0")
    check("image-alt" in tab.evaluate("document.body.append(document.createElement('img')), " + RUN_AXE % json.dumps(ALL_RULES)), "axe would find something")

    def see(name):
        tab.evaluate(code + ";0")
        seen.append(name)
        for width in (DESKTOP, PHONE):
            tab.resize(width)
            for scheme in ("light", "dark"):
                tab.emulate(scheme)
                # What does not depend on colours is the same in both.
                rules = ALL_RULES if (width, scheme) in ((DESKTOP, "light"), (PHONE, "dark")) else ["color-contrast", "link-in-text-block", "target-size"]
                for id_, help_, nodes in json.loads(tab.evaluate(RUN_AXE % json.dumps(rules))):
                    found.setdefault((id_, nodes[0] if nodes else ""), []).append("%s at %d, %s: %s\n    %s" % (name, width, scheme, help_, "\n    ".join(nodes)))
        tab.resize(DESKTOP)
    every_page(look, see)
    check(len(seen) > 40, "pages that were seen: %d" % len(seen))
    check(not found, "axe: %d findings on %d pages\n" % (len(found), len(seen)) + "\n".join("%s, %d times, first: %s" % (k[0], len(v), v[0]) for k, v in found.items()))


@limit(300)
def test_made_as_it_should_be(stage):
    """Headers, no inline style or script, nothing from elsewhere, no sideways scrolling; on every page, without scripts."""
    look = Look(stage, scripts=False)
    tab, wide = look.scene.tab, []

    def see(name):
        address, status, headers, _ = tab.document()
        check_equal(headers.get("content-security-policy"), CSP, "CSP of " + name)
        for header, value in (("x-frame-options", "DENY"), ("x-content-type-options", "nosniff"), ("referrer-policy", "no-referrer"),
                              ("cache-control", "no-store"), ("content-type", "text/html; charset=utf-8")):
            check_equal(headers.get(header), value, "%s of %s" % (header, name))
        for one in ("server", "access-control-allow-origin", "date"):
            check(one not in headers or one == "date", "%s sends %s" % (name, one))
        page = Parsed(tab.html())
        for tag, given in page.tags:
            check(tag not in ("script", "style", "iframe", "object", "embed", "base", "svg", "math", "video", "audio"), "%s has a <%s>" % (name, tag))
            for key, value in given.items():
                check(not key.startswith("on") and key not in ("style", "srcset", "srcdoc", "background", "ping"), "%s has %s=" % (name, key))
                if key in ("href", "src", "action", "formaction"):
                    value = value or ""
                    check(not re.match(r"\s*(javascript|vbscript|data:text|data:image/svg)", value, re.I), "%s: %s=%r" % (name, key, value[:80]))
                    if tag in ("img", "link", "form", "input", "button") and not value.startswith(look.scene.site):
                        check(value.startswith(("/", "data:image/png;base64,")) and not value.startswith("//"), "%s: %s=%r" % (name, key, value[:80]))
            if tag == "form" and given.get("method") == "post":
                check("csrf" in tab.html(), "the token of the forms of " + name)
            if tag == "a" and (given.get("href") or "").startswith("http") and not given["href"].startswith(look.scene.site):
                check("noreferrer" in given.get("rel", "") or headers["referrer-policy"] == "no-referrer", "a link outside")
        forms = tab.all("form[method=post]")
        check_equal(len(tab.all("form[method=post] input[name=csrf]")), len(forms), "a token in each form of " + name)
        check_equal(len(tab.all("h1")), 1, "headings of " + name)
        check_equal(len(tab.all("main")), 1, "main of " + name)
        # 320 pixels are 1280 enlarged four times (WCAG 2.2, 1.4.10); 640 are 200 %.
        for width in (NARROW, PHONE, 640):
            tab.resize(width)
            content, visible, _ = tab.content_size()
            if content > width:
                wide.append("%s is %d wide in a window of %d" % (name, content, width))
        tab.resize(DESKTOP)
    every_page(look, see)
    check(not wide, "; ".join(wide))
    style = look.alice.get(re.search(r'href="(/style-[0-9a-f]+\.css)"', look.scene.tab.html()).group(1))
    check_equal((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"), "the style sheet")
    check("immutable" in style.header("cache-control"), "kept by the browser")
    check(not re.search(rb"url\(|@import|expression", style.body), "the style sheet loads nothing")
    look.scene.done()


@limit(300)
def test_by_keyboard_alone(stage):
    """Everything is reached with the tab key, in the order of reading, and shows that it is; the skip link skips; print leaves the words."""
    look = Look(stage, scripts=True)  # scripts only to ask the browser where the focus is
    scene, tab = look.scene, look.scene.tab
    where = """(() => { const e = document.activeElement; if (!e || e === document.body) return null; const s = getComputedStyle(e), r = e.getBoundingClientRect();
        return [Array.prototype.indexOf.call(document.querySelectorAll("*"), e), s.outlineStyle, parseFloat(s.outlineWidth), r.width, r.height, e.tagName + " " + (e.textContent || e.name).slice(0, 40), e.type || ""] })()"""
    want = """[...document.querySelectorAll("a[href], button, input:not([type=hidden]), textarea, summary, [tabindex='0']")]
        .filter(e => e.getClientRects().length && e.checkVisibility()).map(e => [e.tagName, e.type, e.name, e.checked])"""
    for width in (DESKTOP, PHONE):
        tab.resize(width)
        for path in ("/me", "/me/compose", "/me/people", "/me/groups", "/me/invites", "/me/door", "/me/deliveries", "/me/profile", "/me/panic", "/", "/me/apps"):
            scene.go(path)
            tab.evaluate("document.activeElement && document.activeElement.blur(); 0")
            wanted = tab.evaluate(want)
            radios = {}
            for tag, kind, name, checked in wanted:
                if kind == "radio":
                    radios.setdefault(name, 0)
                    radios[name] += 1
            expected = len(wanted) - sum(n - 1 for n in radios.values())  # arrows go from one to the next
            seen = []
            for _ in range(expected + 5):
                tab.key("Tab")
                now = tab.evaluate(where)
                if now is None or (seen and now[0] == seen[0][0]):
                    break
                seen.append(now)
            order = [s[0] for s in seen]
            starts = order.index(min(order))
            order = order[starts:] + order[:starts]
            check_equal(order, sorted(order), "order of the focus on " + path)
            check_equal(len(order), expected, "what the tab key reaches on %s: %r" % (path, [s[5] for s in seen]))
            for _, outline, thick, w, h, what, kind in seen:
                check(outline not in ("none", "hidden") and thick >= 2, "the focus on %s shows: %s (%s, %s)" % (path, what, outline, thick))
                check(w > 0 and h > 0, "it can be seen: %s on %s" % (what, path))
        # Over the navigation with the first link, then to a field and through a form with the keys alone.
        scene.go("/me")
        tab.evaluate("document.activeElement && document.activeElement.blur(); 0")
        tab.key("Tab")
        check("Skip to the content" in tab.evaluate(where)[5], "the first link skips: %r" % tab.evaluate(where))
        tab.key("Enter")
        tab.key("Tab")
        check(tab.evaluate("document.querySelector('main').contains(document.activeElement)"), "into the content")
        tab.ask("Input.insertText", text="typed at %d" % width)
        loads = tab.loads
        for _ in range(4):
            tab.key("Tab")
            if "Post to followers" in tab.evaluate(where)[5]:
                break
        tab.key("Enter")
        tab._settled(loads, 20, "the post by keyboard")
        tab.must_see("Posted.", "typed at %d" % width)
    scene.go("/me/post?" + look.edited)
    tab.emulate(media="print")
    hidden = tab.evaluate("""[...document.querySelectorAll("body > header, footer, form, .deeds, .skip")].filter(e => e.getClientRects().length).length""")
    check_equal(hidden, 0, "what is for the screen only, in print")
    check_equal(tab.evaluate("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)", "paper is white")
    check(len(tab.ask("Page.printToPDF", timeout=60)["data"]) > 1000, "it can be printed")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--screenshots", metavar="DIR", required=True)
    parser.add_argument("names", nargs="*", help="parts of names of pages")
    options = parser.parse_args()
    os.makedirs(options.screenshots, exist_ok=True)
    stage = Stage(private_dir("bvk-"))
    try:
        look = Look(stage, scripts=False)
        tab = look.scene.tab

        def see(name):
            if options.names and not any(n in name for n in options.names):
                return
            for width, suffix in ((DESKTOP, "wide"), (PHONE, "narrow")):
                tab.resize(width)
                for scheme in ("light", "dark"):
                    tab.emulate(scheme)
                    tab.screenshot(os.path.join(options.screenshots, "%s-%s-%s.png" % (name, suffix, scheme)))
            tab.emulate()
            tab.resize(DESKTOP)
            print(name, flush=True)
        every_page(look, see)
    finally:
        stage.close()
        remove(stage.top)
    return 0


if __name__ == "__main__":
    sys.exit(main())

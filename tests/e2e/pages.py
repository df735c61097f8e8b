# SPDX-License-Identifier: BSD-3-Clause
"""The pages in a real browser without scripts: every page and form, from the first run to the last, wide and narrow."""
import json
import os
import re
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree

import tent
from apps import App
from browser import DESKTOP, PHONE
from harness import PATIENCE, Failed, check, check_equal, wait_until
from node import PASSPHRASE, Node, follow, picture
from pages_scene import Scene, befriend, query, read_code


def both_widths(seconds):
    """A story for two tests: at a desk and on a phone."""
    def mark(story):
        for width, suffix in ((DESKTOP, "wide"), (PHONE, "narrow")):
            def test(stage, width=width):
                story(stage, width)
            test.limit = seconds
            globals()["test_%s_%s" % (story.__name__, suffix)] = test
        return story
    return mark


@both_widths(300)
def first_run_and_login(stage, width):
    """From the first start to a profile; the passphrase, links, logging out."""
    alice = stage.node("alice", start=False)
    alice.extra_args = ["--local-api"]
    alice.start()
    scene = Scene(stage, width, login=False, node=alice)
    tab, begin = scene.tab, time.monotonic()

    probe = stage.file("probe.html", b"<title>quiet</title><p>static<noscript> and no script</noscript><script>document.body.append('it ran')</script>"
                                     b"<p><a href='javascript:document.body.append(1)'>x</a>")
    tab.open("file://" + probe)
    tab.must_see("and no script")
    check("it ran<" not in tab.html().split("</script>")[1], "scripts are off")

    # Whoever is not logged in sees the login, and comes where she wanted to go.
    tab.open(alice.entity + "/me/groups")
    check_equal(tab.path, "/login?next=%2Fme%2Fgroups", "without a login")
    tab.must_not_see("Groups")
    tab.fill("Passphrase", "not it").click("Log in", seconds=60)
    check_equal(tab.document()[1], 403, "a wrong passphrase")
    tab.must_see("That was not the passphrase.")
    tab.fill("Passphrase", PASSPHRASE).click("Log in", seconds=60)
    check_equal(tab.path, "/me/welcome", "the first login")
    tab.must_see("This is your own small server.")
    tab.click("Go on")
    tab.fill("Name", "Alice Ünsal").fill("About you", "Gardens.\nAnd fog.").click("Go on")
    tab.must_see(alice.entity)
    check_equal(read_code(tab, stage), alice.entity, "the address as a code")
    tab.click("Go on")
    tab.fill("Address or invite link", "http://nonsense.example").click("To the timeline")
    check_equal(tab.document()[1], 422, "no address")
    check(tab.all(".problem"), "it says what is wrong")
    tab.fill("Address or invite link", "").click("To the timeline")
    check_equal(tab.path, "/me", "welcomed")
    tab.must_see("1 wrong passphrase was tried since you last looked.")
    check(time.monotonic() - begin < 120 * PATIENCE, "the first steps took less than two minutes")
    tab.follow(tab.one("p.warning a"))
    check_equal(tab.path, "/me/security", "the logins")
    scene.go("/me").must_not_see("wrong passphrase")
    scene.go("/").must_see("Alice Ünsal", "Gardens.", "And fog.")
    scene.go("/me/profile").must_see(alice.entity)

    cookies = {c["name"].split("-")[0]: c for c in tab.ask("Network.getCookies", urls=[alice.entity + "/me"])["cookies"]}
    for name in ("session", "device"):
        check(cookies[name]["httpOnly"] and cookies[name]["sameSite"] == "Strict" and cookies[name]["path"] == "/", "cookie %s: %r" % (name, cookies))
        check("Domain" not in cookies[name] and not cookies[name]["domain"].startswith("."), "of this host alone")

    # Out; the session is over on the server as well.
    tab.click("Log out")
    check_equal(tab.path, "/login", "logged out")
    tab.ask("Network.setCookie", name=cookies["session"]["name"], value=cookies["session"]["value"], url=alice.entity + "/", httpOnly=True, sameSite="Strict")
    tab.open(alice.entity + "/me")
    check_equal(tab.path, "/login", "an old cookie")

    # A link works once; looking at it does not use it up.
    link = alice.do("open").strip()
    check(re.fullmatch(re.escape(alice.entity) + r"/open/[A-Za-z0-9_-]{40,}", link), "the link: " + link)
    for _ in range(2):
        check_equal(tab.open(link), 200, "the link, looked at")
    tab.click("Come in")
    check_equal(tab.path, "/me", "in by the link")
    other = scene.browser.tab(width)
    other.open(link)
    other.click("Come in")
    check_equal(other.document()[1], 403, "the link, used twice")
    other.must_see("This link was used already")

    # On this machine, for whoever does not have Tor Browser at hand.
    here = alice.do("open", "--local").strip()
    check(here.startswith(alice.status()["local_api"] + "/open/"), "a local link: " + here)
    other.open(here)
    other.click("Come in")
    check_equal(other.path, "/me", "in by the local link")
    other.open(alice.status()["local_api"] + "/me/profile")
    other.must_see("Profile")

    scene.go("/me/security").must_see("this browser")
    tab.click("Log out everywhere else")
    tab.must_see("Everybody is logged out everywhere but here.")
    other.open(alice.status()["local_api"] + "/me/profile")
    check(other.path.startswith("/login"), "logged out elsewhere")
    scene.go("/me/profile").must_see("Profile")

    alice.restart()
    scene.go("/me/profile").must_see("Profile")
    scene.done()


@both_widths(300)
def posts(stage, width):
    """Writing with a preview, readers, files; changing with a history; deleting; what others say about it."""
    scene = Scene(stage, width)
    alice, tab = scene.alice, scene.tab
    bob = stage.node("bob")
    befriend(alice, bob)
    theirs = scene.owner_of(bob)
    alice.do("group", "add", "Harbour")
    alice.do("group", "members", "Harbour", "--add", bob.entity)
    bob_profile = theirs.open(bob.entity + "/me/profile")
    check_equal(bob_profile, 200, "bob's profile")
    theirs.fill("Name", "Bob").click("Save")
    wait_until(lambda: "Bob" in json.dumps(alice.json("followers")), 20, "bob's name arrived")

    # The short form on the timeline, first as a preview.
    scene.go("/me").fill("What do you want to say?", "*Fog* over the #harbour <b>today</b>").click("Preview")
    tab.must_see("Preview", "Who can see this", "1 reader:", "Bob", "<b>today</b>")
    check(tab.all(".preview .text strong, .preview .text b"), "bold is bold")
    check(not [a for a in tab.all(".preview .text b") if "today" in tab.outer(a)], "markup of hers is text")
    tab.click("Post", css="button")
    tab.must_see("Posted. It is stored safely and on its way.", "Fog over the")
    bob.wait_text("*Fog* over the #harbour <b>today</b>")

    # Several files, groups, everybody, certain people.
    scene.go("/me/compose").must_see("At most")
    first, second = stage.file("one.png", picture(64)), stage.file("two.png", picture(48, seed=5))
    tab.fill("Text", "two pictures")
    tab.tick("Followers").tick("Group: Harbour")
    tab.attach("Attach files", first, second)
    tab.click("Post", css="button")
    tab.must_see("Attached files", "Who can see this", "Bob")  # what was taken out is shown before it goes
    check_equal(len(tab.all("input[name=file]")), 2, "two files to tick")
    tab.click("Post", css="button")
    tab.must_see("Posted.", "two pictures", "chosen readers")
    images = tab.all("ul.attachments img")
    check_equal(len(images), 2, "two pictures on the timeline")
    got = bob.wait_text("two pictures")
    check_equal(len(got["attachments"]), 2, "attachments at bob")
    pictures = [r for r in tab.responses if "/me/file" in r[0]]
    check(pictures and all(r[1] == 200 and r[2]["content-type"] == "image/png" for r in pictures), "the pictures: %r" % pictures)
    check(all("sandbox" in r[2]["content-security-policy"] and r[2]["cache-control"] == "no-store" for r in pictures), "their headers")

    scene.go("/me/compose").tick("Followers").fill("Certain people", bob.entity).fill("Text", "for bob alone").click("Preview, and who can see it")
    tab.must_see("1 reader:", "named")
    tab.click("Post", css="button").must_see("1 person")
    bob.wait_text("for bob alone")
    scene.go("/me/compose").tick("Followers").fill("Text", "a note to self").click("Preview, and who can see it")
    tab.must_see("Only you.")
    tab.click("Post", css="button").must_see("only you")
    scene.go("/me/compose").click("Post", css="button")
    check_equal(tab.document()[1], 422, "nothing to post")
    tab.must_see("There is nothing to post yet.")
    tab.fill("Certain people", "nobody at all").fill("Text", "kept").click("Post", css="button")
    check_equal(tab.document()[1], 422, "no address")
    check_equal(tab.ask("DOM.describeNode", nodeId=tab.labelled("Text"), depth=1)["node"]["children"][0]["nodeValue"], "kept", "the text stays")

    # An essay, public.
    scene.go("/me/compose").tick("Everybody (public)")
    tab.unfold("Title")
    tab.fill("Title, for an essay", "On fog").fill("Text", "First *line*\n\n" + "and more of it. " * 40).click("Preview, and who can see it")
    tab.must_see("it becomes an essay", "Everybody who has your address")
    tab.click("Post", css="button").must_see("On fog")

    # Bob answers, passes on, marks.
    essay = [p for p in alice.feed() if p["type"].startswith("https://tent.io/types/essay/v0")][0]
    wait_until(lambda: any(p["id"] == essay["id"] for p in bob.feed()), 30, "the essay is at bob")
    there = bob.entity + "/me/post?" + query(entity=alice.entity, post=essay["id"])
    check_equal(theirs.open(there), 200, "the essay at bob")
    theirs.click("Pass on").must_see("Passed on.")
    theirs.click("Favorite").must_see("Marked as a favorite.")
    theirs.click("Answer")
    theirs.must_see("On fog")
    theirs.fill("Text", "well said").click("Preview, and who can see it")
    theirs.must_see("Who can see this")
    theirs.click("Post", css="button").must_see("Posted.", "well said")
    alice.wait_text("well said")
    here = "/me/post?" + query(entity=alice.entity, post=essay["id"])
    wait_until(lambda: scene.go(here) and len(tab.all("span.count")) >= 3, 20, "the counts of answers, reposts and favorites", 0.5)
    tab.must_see("Posts about it", "well said", "passed this on", "marked this as a favorite")
    scene.go("/me/mentions").must_see("well said")
    scene.go("/me").must_see("well said", "answers", "passed this on:")
    theirs.click("Take back").must_see("Taken back.")

    # Search: a tag leads there, words find posts, names find people.
    scene.go("/me").click("#harbour")
    check(tab.path.startswith("/me/search"), "where a tag leads: " + tab.path)
    tab.must_see("Fog over the")
    scene.go("/me").click("Search", css="nav a")
    tab.must_see("All posts that your timeline has shown are searched")
    tab.fill("What do you look for?", "fog tod").click("Search", css="button")
    tab.must_see("Fog over the", "<b>today</b>")
    check(tab.all("article.post mark") and not tab.all("article.post b b"), "what was looked for is marked, and markup is text")
    tab.must_not_see("two pictures")
    tab.click("Closest first").must_see("Fog over the")
    tab.fill("What do you look for?", "\"fog today\"").click("Search", css="button").must_see("No post has all of this in it.")
    tab.fill("What do you look for?", "bo").click("Search", css="button")
    tab.one("main ul.list a.author")
    tab.must_see("Bob", "follows you")
    tab.click("People", css="main .tabs a").must_see("Bob")
    scene.go("/me/search?in=tags&q=harb").must_see("#harbour", "1 post")
    scene.go("/me/search?q=%00%22*%20OR%20(").must_see("Search")

    # Changing keeps the version before.
    fog = [p for p in alice.feed() if "#harbour" in p.get("content", {}).get("text", "")][0]
    mine = query(entity=alice.entity, post=fog["id"])
    scene.go("/me/post?" + mine).click("Change")
    check_equal(tab.ask("DOM.describeNode", nodeId=tab.labelled("Text"), depth=1)["node"]["children"][0]["nodeValue"],
                "*Fog* over the #harbour <b>today</b>", "the text to change")
    stale = scene.browser.tab(width)
    stale.open(scene.site + "/me/edit?post=" + fog["id"])
    tab.fill("Text", "*Sun* over the #harbour").click("Save")
    tab.must_see("Changed. The version before is kept in the history.", "Sun over the")
    stale.fill("Text", "my own idea").click("Save")
    check_equal(stale.document()[1], 422, "two at once")
    stale.must_see("The post was changed elsewhere meanwhile.")
    scene.go("/me/post?" + mine).click("changed")
    check(tab.all("ins") and tab.all("del"), "what changed is marked")
    tab.must_see("added: ", "Sun", "removed: ", "Fog")
    bob.wait_text("*Sun* over the #harbour")

    # Deleting asks first.
    scene.go("/me/post?" + mine).click("Delete")
    tab.click("Keep it")
    check_equal(tab.path, "/me", "kept")
    scene.go("/me/delete?post=" + fog["id"]).click("Delete", css="button")
    tab.must_see("Deleted.")
    scene.go("/me/post?" + mine, 404)
    wait_until(lambda: not bob.has_text("*Sun* over the #harbour"), 20, "deleted at bob")
    scene.go("/me/search?q=sun").must_see("No post has all of this in it.")
    scene.done()


@both_widths(300)
def people(stage, width):
    """The desk with everything it can do; following; groups; invites."""
    scene = Scene(stage, width)
    alice, tab = scene.alice, scene.tab
    bob, eve = stage.node("bob"), stage.node("eve")
    scene.go("/me/groups").fill("Name", "Choir").click("Make")
    tab.must_see("The group is changed.", "Choir", "0 members")
    bob.do("follow", alice.entity, "--note", "we met at the <march>")
    eve.do("follow", alice.entity)
    for one in (bob, eve):
        alice.wait_follower(one.entity, "pending")
    phrase = [f for f in bob.json("following")["following"] if f["entity"] == alice.entity][0].get("safety_phrase")
    scene.go("/me/people").must_see("Who asks", "we met at the <march>", bob.entity, eve.entity, "Safety phrase", "First seen")
    if phrase:
        tab.must_see(phrase)

    def of(node, words, css="button"):
        """The button of hers: in the article about her, or on the page that is hers alone."""
        for article in tab.all("article.person") or tab.all("main"):
            if node.entity in tab.outer(article):
                for button in tab.all(css, article):
                    if words in tab.outer(button):
                        return button
        raise Failed("no %s for %s:\n%s" % (words, node.name, tab.text()))

    box = [i for i in tab.all("article.person input[name=group]")]
    articles = [node for node in tab.all("article.person") if bob.entity in tab.outer(node)]
    tab.press(tab.all("input[name=group]", articles[0])[0])
    check(box, "groups to tick")
    tab.follow(of(bob, "Approve")).must_see("Approved. She follows you now.")
    bob.wait_following(alice.entity, "approved", 90)
    scene.go("/me/groups").must_see("1 member")
    alice.post("for the choir", "--to", "group:Choir")
    bob.wait_text("for the choir")
    scene.go("/me/people")
    tab.follow(of(eve, "Deny")).must_see("Denied. She is not told.")
    scene.go("/me/people").click("was denied")
    tab.must_see(eve.entity)
    tab.follow(of(eve, "Block")).must_see("Blocked.")
    scene.go("/me/people?state=blocked").must_see(eve.entity)
    tab.follow(of(eve, "Do not block")).must_see("Not blocked any more.")

    scene.go("/me/person?" + query(entity=bob.entity)).must_see("Safety phrase", "Choir", "follows you")
    tab.follow(of(bob, "The phrase is right")).must_see("Marked as verified.")
    tab.follow(of(bob, "Not verified after all")).must_see("Not marked as verified any more.")
    scene.go("/me/person?" + query(entity=bob.entity))
    tab.follow(of(bob, "Remove")).must_see("Removed. She gets nothing from now on.")
    check_equal(alice.followers()[bob.entity], "removed", "removed")

    # Following
    scene.go("/me/following").fill("Address or invite link", bob.entity).fill("A word about yourself", "it is me").click("Ask to follow")
    tab.must_see("Asked.")
    bob.wait_follower(alice.entity, "pending")
    check_equal(bob.json("followers")["followers"][0]["note"], "it is me", "the word that was sent along")
    bob.do("followers", "approve", alice.entity)
    alice.wait_following(bob.entity, "approved")
    scene.go("/me/following").must_see("you follow her")
    tab.click("Ask for news").must_see("Asking for what you may have missed.")
    tab.click("Ask everybody for news").must_see("Asking for what you may have missed.")
    bob.post("hello from bob")
    alice.wait_text("hello from bob")
    scene.go("/me").must_see("hello from bob")
    scene.go("/me/person?" + query(entity=bob.entity)).must_see("hello from bob")
    tab.click("Follow no more").must_see("You do not follow her any more.")
    scene.go("/me/following").fill("Address or invite link", "http://somewhere.example").click("Ask to follow")
    check(tab.document()[1] in (400, 422) and tab.all(".problem"), "no onion")

    # Invites: the link once, as text and as a code, that another node uses.
    scene.go("/me/invites")
    tab.tick("a day").tick("Choir").click("Make a link")
    tab.must_see("The new link", "It is shown this once and is not kept.")
    link = [p for p in tab.text().split("\n") if "#invite=" in p][0].strip()
    check_equal(read_code(tab, stage), link, "the link as a code")
    eve.do("follow", "-", stdin=link.encode())
    alice.wait_follower(eve.entity, "approved")
    scene.go("/me/invites").must_see("used up", "used by")
    check(link not in tab.html(), "the link is shown once")
    tab.fill("For how many people", "3").click("Make a link")
    scene.go("/me/invites").must_see("3 uses left")
    tab.click("Revoke").must_see("The invite admits nobody from now on.", "revoked")
    tab.fill("For how many people", "none").click("Make a link")
    check(tab.document()[1] >= 400 and tab.all(".problem"), "no number of people")

    # Groups
    scene.go("/me/groups").must_see("1 member")
    tab.click("Take out").must_see("The group is changed.", "0 members")
    tab.unfold("Add members")
    label = [l for l in tab.all("label.choice") if eve.onion[:8] in tab.outer(l)][0]
    tab.press(label)
    tab.click("Add", css="button").must_see("1 member")
    tab.unfold("Remove this group")
    tab.click("Remove the group").must_see("The group is changed.")
    tab.must_not_see("Choir")
    tab.fill("Name", "").press(tab.one("button", "Make"))
    time.sleep(0.3)
    check(tab.path.startswith("/me/groups"), "no group without a name")

    # A flood
    alice.do("followers", "remove", eve.entity)
    carol, dora = stage.node("carol"), stage.node("dora")
    for one in (carol, dora):
        one.do("follow", alice.entity)
        alice.wait_follower(one.entity, "pending")
    scene.go("/me/people")
    tab.unfold("A flood?")
    tab.click("Deny all who wait").must_see("Denied.")
    check("pending" not in alice.followers().values(), "nobody waits")
    scene.done()


@both_widths(300)
def conversations(stage, width):
    """Posts to one person, on both sides, and mentions."""
    scene = Scene(stage, width)
    alice, tab = scene.alice, scene.tab
    bob = stage.node("bob")
    befriend(alice, bob)
    theirs = scene.owner_of(bob)
    scene.go("/me/conversations").must_see("No conversation yet.")
    tab.fill("Write to", bob.entity).click("Write", css="button")
    tab.fill("Text", "psst").click("Preview, and who can see it")
    tab.must_see("1 reader:")
    tab.click("Post", css="button")
    bob.wait_text("psst")
    scene.go("/me/conversations").must_see("psst", "you:")
    theirs.open(bob.entity + "/me/conversations")
    theirs.must_see("psst")
    theirs.follow(theirs.one("ul.list a"))
    theirs.must_see("psst", "With")
    theirs.fill("Write", "what is it?").click("Send")
    alice.wait_text("what is it?")
    scene.go("/me/conversation?with=" + tent.escape(bob.entity)).must_see("psst", "what is it?")
    tab.fill("Write", "nothing").click("Preview, and who can see it")
    tab.must_see("1 reader:", "nothing")
    tab.click("Post", css="button")
    bob.wait_text("nothing")
    scene.go("/me/mentions").must_see("what is it?")
    scene.go("/me/mentions").must_not_see("psst")
    scene.go("/me/compose").tick("Everybody (public)").fill("Text", "hello @%s!" % bob.entity).click("Preview, and who can see it")
    tab.must_see("mentioned")
    check(tab.all(".preview a[href^='/me/at']"), "the mention is a link")
    tab.click("Post", css="button")
    wait_until(lambda: any("hello" in (t or "") for t in bob.texts()), 20, "the mention arrived")
    theirs.open(bob.entity + "/me/mentions")
    theirs.must_see("hello")
    tab.follow(tab.one(".text a[href^='/me/at']"))
    check(tab.path.startswith("/me/person?entity="), "a mention leads to a person: " + tab.path)
    scene.done()


@both_widths(300)
def the_node(stage, width):
    """Deliveries, profile, apps, the node, the door, identities, backup and export."""
    scene = Scene(stage, width)
    alice, tab = scene.alice, scene.tab
    bob = stage.node("bob")
    follow(alice, bob)

    bob.stop()
    late, never = alice.post("late"), alice.post("never")
    scene.go("/me/deliveries").must_see("waiting")
    tab.click("Try all that waits now").must_see("Tried again now.")
    scene.go("/me/deliveries?post=" + never["id"]).click("Take back what waits of this post")
    tab.must_see("Taken back. It goes to nobody who does not have it yet.", "taken back")
    for words in ("waiting", "delivered", "refused", "given up", "taken back", "All"):
        tab.click(words, css=".tabs a")
    bob.start()
    bob.wait_text("late")
    check(not bob.has_text("never"), "what was taken back")
    scene.go("/me/deliveries?post=" + late["id"]).must_see("delivered")

    # Profile
    tab.open(scene.site + "/me/profile")
    face = stage.file("face.png", picture(80))
    tab.fill("Name", "Alice").fill("About you", "gardens").fill("Place", "by the sea").fill("Website", "http://example.org/")
    tab.attach("Picture", face).click("Save")
    tab.must_see("Your profile is changed.")
    check(tab.all("img.avatar"), "a picture")
    scene.go("/").must_see("Alice", "gardens", "by the sea")
    check(any(r[1] == 200 and r[2].get("content-type", "").startswith("image/") for r in tab.responses if "/attachments/" in r[0]), "the picture for visitors")
    scene.go("/me/profile").attach("Picture", stage.file("no.txt", b"no picture")).click("Save")
    tab.must_see("The picture must be a JPEG, PNG, WebP or GIF.")
    scene.go("/me/profile").tick("No picture any more").click("Save")
    check(not tab.all("img.avatar"), "no picture any more")

    # Apps
    scene.go("/me/apps").must_see("No app has asked so far.")
    app = App(alice, name="Note<pad>").register()
    scene.go("/me/apps").must_see("Note<pad>", "Not allowed.")
    target = app.page_target("s")
    tab.open(scene.site + target)
    tab.must_see("Note<pad>")
    fields = tab.all("input[type=password]")
    tab.fill(fields[0], PASSPHRASE)
    allow = [b for b in tab.all("button") if tab.attributes(b).get("value") == "allow"][0]
    tab.responses = []
    tab.press(allow)
    wait_until(lambda: any("notepad.example" in r for r in tab.requests), 60, "the browser is sent back to the app")
    sent = [r for r in tab.requests if "notepad.example" in r][0]
    scene.leads_to.add("notepad.example")
    code = re.search(r"[?&]code=([^&]+)", sent).group(1)
    app.take_token(urllib.parse.unquote(code))
    check_equal(app.write().status, 200, "the app works")
    scene.go("/me/apps").must_see("Allowed since")
    for box in tab.all("input[name=write]"):
        if "checked" in tab.attributes(box):
            tab.press(box)
    tab.click("Change").must_see("What the app may do is changed.")
    check_equal(app.write().status, 403, "narrowed")
    tab.click("Revoke").must_see("Not allowed.")
    check(app.ask("GET", "/posts", app.token).status in (401, 403), "revoked")
    tab.click("Forget this app").must_see("No app has asked so far.")

    # The node
    scene.go("/me/node").must_see("Reachability", alice.entity, "connected", "Storage")
    tab.click("Check now").must_see("Checking whether others can reach you.")
    wait_until(lambda: "yes, checked" in scene.go("/me/node").text(), 40, "others can reach her", 0.5)
    tab.click("Vetted")
    check_equal(tab.path, "/me/door", "the door")
    for words in ("Open", "Sealed", "Vetted"):
        tab.press([l for l in tab.all("label.choice") if words in tab.outer(l)][0])
        tab.click("Save").must_see("The door is changed.")
        check_equal(alice.json("door")["door"], words.lower(), "the door")

    # Export and backup
    scene.go("/me/backup")
    tab.must_see("All of the node in one sealed file.")
    export = tab.all("form[action='/me/backup']")[1]
    tab.fill(tab.all("input[type=password]", export)[0], "wrong")
    tab.click("Make an export", seconds=60)
    wait_until(lambda: "It could not be made" in scene.go("/me/backup").text(), 60, "a wrong passphrase", 0.5)
    export = tab.all("form[action='/me/backup']")[1]
    tab.fill(tab.all("input[type=password]", export)[0], PASSPHRASE)
    tab.click("Make an export", seconds=60).must_see("Begun.")
    wait_until(lambda: "Download the export" in scene.go("/me/backup").text(), 60, "the export is there", 0.5)
    name, data = scene.browser.download(lambda: tab.press(tab.one("a", "Download the export")))
    check_equal(name, "export.tar.zst", "its name")
    check(data.startswith(b"\x28\xb5\x2f\xfd") and len(data) > 1000, "a zstd file")
    tab.click("Remove it from the node")
    tab.fill("Your passphrase", PASSPHRASE).fill("A passphrase for the backup", "sealing words").fill("The same again", "sealing word")
    tab.click("Make a backup", seconds=60).must_see("The two passphrases of the backup differ.")
    tab.fill("Your passphrase", PASSPHRASE).fill("A passphrase for the backup", "sealing words").fill("The same again", "sealing words")
    tab.click("Make a backup", seconds=60)
    wait_until(lambda: "Download the backup" in scene.go("/me/backup").text(), 90, "the backup is there", 0.5)
    name, data = scene.browser.download(lambda: tab.press(tab.one("a", "Download the backup")))
    check_equal(name, "backup", "its name")
    kept = stage.file("kept.backup", data)
    secret, fresh = stage.file("sealing", b"sealing words\n"), stage.file("fresh", b"some other words here now\n")
    again = Node(alice.program, stage.top, "again", None, "some other words here now")
    secret, fresh = stage.file("sealing", b"sealing words\n"), stage.file("fresh", again.passphrase.encode() + b"\n")
    again.do("restore", kept, "--backup-passphrase-file", secret, "--new-passphrase-file", fresh, timeout=90)
    check(os.path.exists(again.data), "it can be restored")
    tab.click("Remove it from the node")

    # A further identity: the node begins anew
    scene.go("/me/entities").must_see("default")
    tab.fill("Name", "Not Allowed").click("Make")
    check(tab.document()[1] >= 400 and tab.all(".problem"), "a name that cannot be")
    scene.go("/me/entities").fill("Name", "club").press(tab.one("button", "Make"))
    wait_until(lambda: len(json.loads(alice.cli("entity", "list", "--json")[1] or '{"entities":[]}')["entities"]) == 2, 40, "a further identity", 0.3)
    alice.wait_answering()
    alice.wait_published()

    def back():
        try:
            return scene.tab.open(scene.site + "/me/entities") == 200 and "club" in tab.text()
        except Failed:
            return False
    wait_until(back, 40, "the pages are back, and she is still logged in", 0.5)
    scene.done()


@both_widths(300)
def lock_and_panic(stage, width):
    """Locking from afar; and destroying, which cannot be hit by mistake."""
    scene = Scene(stage, width)
    alice, tab = scene.alice, scene.tab
    scene.go("/me/lock").click("Lock now")
    tab.must_see("The node is locking")
    wait_until(lambda: alice.cli("feed", "--json")[0] != 0, 15, "the node is locked")
    try:
        tab.open(scene.site + "/me")
        check(False, "a locked node serves pages")
    except Failed as error:
        check("ERR_" in str(error), str(error))
    wait_until(lambda: alice.cli("unlock", "--passphrase-file", "-", stdin=(PASSPHRASE + "\n").encode(), timeout=60)[0] == 0, 30, "it is unlocked", 0.5)
    alice.wait_answering().wait_published()
    scene.go("/me/node").must_see("Destroy everything")

    scene.go("/me/panic")
    word = tab.parsed()
    shown = re.search(r"type this word: ([a-z]{4})", tab.text()).group(1)
    check(word, "the page")
    tab.press(tab.one("button", "Destroy everything now"))
    time.sleep(0.3)
    check(tab.path == "/me/panic" and os.path.exists(alice.data), "without the word the browser sends nothing")
    tab.fill("The word", "x" + shown[1:] if shown[0] != "x" else "y" + shown[1:]).click("Destroy everything now")
    tab.must_see("That was not the word. Nothing was done.")
    check(alice.process.alive(), "it lives")
    again = re.search(r"type this word: ([a-z]{4})", tab.text()).group(1)
    check(again != shown, "another word each time")
    tab.click("Back, without doing anything")
    check_equal(tab.path, "/me/node", "back")
    scene.go("/me/panic")
    shown = re.search(r"type this word: ([a-z]{4})", tab.text()).group(1)
    tab.fill("The word", shown)
    tab.press(tab.one("button", "Destroy everything now"))
    wait_until(lambda: not alice.process.alive(), 20, "the process is gone")
    left = [os.path.join(d, f) for d, _, files in os.walk(alice.data) for f in files]
    check_equal(left, [], "files that are left")


@both_widths(300)
def visitors(stage, width):
    """What strangers see, as pages, as a feed, as JSON; and behind a sealed door nothing."""
    alice = stage.node("alice")
    for n in range(30):
        shown = alice.post("public number %02d with *markup* & <tags>" % n, "--to", "public")["id"]
    hidden = alice.post("for followers")
    scene = Scene(stage, width, login=False, node=alice)
    tab = scene.tab
    scene.go("/").must_see("public number 29", "& <tags>", alice.entity)
    tab.must_not_see("for followers", "Favorite", "Delete", "number 02")
    check(tab.all("link[rel='https://tent.io/rels/meta-post']"), "discovery in the page")
    check("rel=\"https://tent.io/rels/meta-post\"" in tab.document()[2]["link"], "discovery in the header")
    tab.click("Older").must_see("public number 02")
    tab.click("Newer").must_see("public number 29")
    tab.follow(tab.one("a.when"))
    check(tab.path.startswith("/posts/"), "one post: " + tab.path)
    tab.must_see("public number 29")
    scene.go("/posts/%s/%s" % (tent.escape(alice.entity), hidden["id"]), 404).must_see("There is nothing here, or nothing for you.")
    scene.go("/nowhere", 404).must_see("There is nothing here, or nothing for you.")
    check("json" in alice.get("/nowhere").header("content-type"), "for a program what leads nowhere is no page")
    scene.go("/follow").must_see("How to follow", alice.entity)
    check_equal(read_code(tab, stage), alice.entity, "the address as a code")
    scene.go("/").click("How to follow")
    check_equal(tab.path, "/follow", "from the posts")

    # The feed, as another program reads it.
    feed = alice.get("/feed.atom")
    check_equal(feed.header("content-type"), "application/atom+xml; charset=utf-8", "its type")
    tree, ns = xml.etree.ElementTree.fromstring(feed.body), {"a": "http://www.w3.org/2005/Atom"}
    entries = tree.findall("a:entry", ns)
    check(len(entries) == 25 and "number 29" in entries[0].find("a:title", ns).text, "entries: %d" % len(entries))
    for name in ("id", "title", "updated"):
        check(tree.find("a:" + name, ns).text and all(e.find("a:" + name, ns).text for e in entries), "each has its " + name)
    check_equal(len({e.find("a:id", ns).text for e in entries}), 25, "ids")
    check("for followers" not in feed.body.decode(), "what is not public")

    # By Accept: a page for browsers, JSON for servers and apps.
    post = "/posts/%s/%s" % (tent.escape(alice.entity), shown)
    for path in ("/posts", post):
        page = alice.get(path, headers=(("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),))
        check(page.header("content-type").startswith("text/html"), "for a browser: " + path)
        for accept in ((), (("Accept", "*/*"),), (("Accept", tent.POST_TYPE),), (("Accept", "application/json"),)):
            answer = alice.get(path, headers=accept)
            check("json" in answer.header("content-type"), "for a program: %s %r: %s" % (path, accept, answer.header("content-type")))
    for accept in ("*/*", "text/html"):
        for method in ("GET", "HEAD"):
            answer = alice.get("/", headers=(("Accept", accept),), method=method)
            check("https://tent.io/rels/meta-post" in answer.header("link"), "discovery by %s, %s" % (method, accept))

    # Sealed: the same for whatever is asked.
    alice.do("door", "sealed")
    scene.go("/")
    check_equal(tab.text(), "", "a sealed door says")
    check(alice.onion not in tab.text() and "public number" not in tab.html(), "nothing of what is inside")
    for path in ("/follow", "/feed.atom", post, "/posts/%s/%s" % (tent.escape(alice.entity), hidden["id"])):
        check_equal(tab.open(scene.site + path), 404, path)
        tab.must_not_see("public number")
    check_equal(tab.open(scene.site + "/posts"), 200, "/posts")
    check_equal(tab.text(), "", "/posts says")
    scene.done()

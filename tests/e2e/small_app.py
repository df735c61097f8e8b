# SPDX-License-Identifier: BSD-3-Clause
"""One small app through all of its life: registered, allowed, at work with files, versions, pages and notifications,
narrowed, revoked (sections 4, 6 and 14)."""
import json
import time
import urllib.parse

import apps
import attachments
import tent
from apps import NOTE, STATUS
from harness import check, check_equal
from node import PASSPHRASE, limit, picture
from notifications import Webhook

QUIET = 1.0


class Diary(apps.App):
    """Writes statuses with pictures, and reads them page by page. It knows the protocol, and nothing of bivouac."""

    def upload(self, method, target, post, files):
        body, type_ = attachments.form(dict({"type": STATUS + "#"}, **post), files)
        answer = self.ask(method, target, self.token, body=body, content_type=type_)
        check_equal(answer.status, 200, "%s %s: %r" % (method, target, answer.body[:300]))
        post = answer.json()["post"]
        check_equal(post["version"]["id"], tent.version_id(post), "version id")
        return post

    def say(self, text):
        answer = self.send({"type": STATUS + "#", "content": {"text": text}}, self.token)
        check_equal(answer.status, 200, "a status: %r" % answer.body[:300])
        return answer.json()["post"]

    def where(self, post):
        return "/posts/%s/%s" % (tent.escape(post["entity"]), post["id"])

    def bytes_of(self, post, name):
        answer = self.ask("GET", self.where(post) + "/attachments/" + tent.escape(name), self.token)
        check_equal(answer.status, 302, "a file by its name")
        place = urllib.parse.urlsplit(answer.header("Location"))
        answer = self.ask("GET", place.path + "?" + place.query)  # as a browser follows: without the header
        check_equal(answer.status, 200, "where it leads to")
        check_equal(tent.digest(answer.body), [a["digest"] for a in post["attachments"] if a["name"] == name][0], "its digest")
        return answer.body

    def page(self, state=None, query=None):
        if query is None:
            return super().page(state)
        answer = self.ask("GET", "/posts" + query, self.token)
        check_equal(answer.status, 200, "a page: %r" % answer.body[:300])
        check(answer.authentic, "its Server-Authorization")
        return answer.json()


@limit(120)
def test_from_its_first_request_to_its_last(stage):
    alice = stage.node("alice", "none")
    hook = Webhook()
    app = Diary(alice, name="Diary", notification_url=hook.url, notification_types=[STATUS],
                types={"read": [STATUS], "write": [NOTE, STATUS]}).register()
    app.take_token(app.allowed("a state"))

    # Two pictures and a text; then an edit that keeps one of them and brings another.
    dot, story = picture(), b"once upon a time"
    first = app.upload("POST", "/posts", {"content": {"text": "with files"}}, [
        ("photos[0]", "dot.png", "image/png", dot), ("files[0]", "story.txt", "text/plain", story)])
    check_equal((app.bytes_of(first, "dot.png"), app.bytes_of(first, "story.txt")), (dot, story), "the files")
    kept = {k: first["attachments"][0][k] for k in ("category", "name", "content_type", "digest")}
    edited = app.upload("PUT", app.where(first), {
        "content": {"text": "edited"}, "attachments": [kept],
        "version": {"parents": [{"version": first["version"]["id"]}], "message": "less"}}, [("files[0]", "end.txt", "text/plain", b"the end")])
    check_equal([a["name"] for a in edited["attachments"]], ["dot.png", "end.txt"], "files of the edited one")
    check_equal((edited["id"], edited["published_at"]), (first["id"], first["published_at"]), "it is the same post")
    check_equal((app.bytes_of(edited, "dot.png"), app.bytes_of(edited, "end.txt")), (dot, b"the end"), "their bytes")
    seen = app.ask("GET", app.where(first), app.token).json()["post"]
    check_equal((seen["content"]["text"], seen["version"]["message"]), ("edited", "less"), "what is read now")

    # Page by page, while it goes on writing: nothing twice, nothing left out, what is new is in front.
    texts = ["number %d" % n for n in range(8)]
    for text in texts:
        app.say(text)
    got, query = [], "?limit=3&sort_by=published_at&types=" + tent.escape(STATUS)
    while query:
        page = app.page(query=query)
        got += [p["content"]["text"] for p in page["posts"]]
        query = page["pages"].get("next")
        texts.append("while reading %d" % len(got))
        app.say(texts[-1])
    check_equal(got, ["number %d" % n for n in reversed(range(8))] + ["edited"], "what was read")
    newer = app.page(query=page["pages"]["prev"].replace("limit=3", "limit=200"))["posts"]
    check_equal([p["content"]["text"] for p in newer][:3], texts[:-4:-1], "back to the front")

    # It was told of all of that, in order.
    hook.wait_text(texts[-1])
    check_equal(hook.texts(), ["with files", "edited"] + texts, "notifications")
    check_equal([p["id"] for p in hook.got[:2]], [first["id"]] * 2, "of the post and of its new version")

    # The owner narrows it on the same page that allowed it.
    narrowed = app.answer(apps.Page(app.page()), "allow", passphrase=PASSPHRASE, ticked=[("read", "0")])
    check_equal(narrowed.status, 302, "narrowed: %r" % narrowed.body[:300])
    app.take_token(apps.back(narrowed, app.content["redirect_uri"])["code"][0])
    check_equal(app.send({"type": STATUS + "#", "content": {"text": "no more"}}, app.token).status, 403, "writing")
    check_equal(app.ask("PUT", app.where(first), app.token, content_type=tent.post_media_type(STATUS + "#"), body=json.dumps({
        "type": STATUS + "#", "content": {"text": "no more"},
        "version": {"parents": [{"version": edited["version"]["id"]}]}}).encode()).status, 403, "changing its own post")
    check_equal(app.ask("DELETE", app.where(first), app.token).status, 403, "deleting its own post")
    check_equal(app.page(query="?limit=1")["posts"][0]["content"]["text"], texts[-1], "it still reads")
    alice.post("seen by the narrowed app")
    hook.wait_text("seen by the narrowed app")

    alice.do("app", "revoke", "Diary")
    count = len(hook.requests)
    alice.post("after it was revoked")
    for target in ("/posts", app.where(first)):
        check_equal(app.ask("GET", target, app.token).status, 403, "a dead key: " + target)
    time.sleep(QUIET)
    check_equal(len(hook.requests), count, "and it is told nothing more")
    check_equal(app.ask("GET", app.where(first)).status, 200, "what it wrote is there, and public")

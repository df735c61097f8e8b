# SPDX-License-Identifier: BSD-3-Clause
"""What files tell besides what one sees in them: taken out on the way from the command line and the pages, never from an
app's.  ExifTool and ImageMagick are a second opinion that shares no code with the program."""
import html.parser
import json
import os
import re
import signal
import subprocess
import threading
import urllib.parse
import zlib

import tent
from attachments import STATUS, file_of, made, send
from harness import HOST, Failed, check, check_equal, root, same_process, start_time, wait_until
from keys import memory_holds, needles_of, unlock
from node import limit, noise, picture

PLACE = ["-GPSLatitude=45.5", "-GPSLatitudeRef=N", "-GPSLongitude=12.25", "-GPSLongitudeRef=E"]
CAMERA = ["-Make=SecretCam", "-Model=SecretModel", "-DateTimeOriginal=2026:11:28 21:00:00", "-Artist=Secret Name", "-XMP:Creator=Secret Name",
          "-IPTC:By-line=Secret Name", "-Comment=Secret comment"]
# Of the file system, of the size and coding of the picture, and what is worked out of those.
STRUCTURE = {"SourceFile", "ExifTool", "File", "Composite", "JFIF", "PNG", "GIF", "RIFF"}
OF_THE_PICTURE = re.compile(
    r"(JFIF:(JFIFVersion|ResolutionUnit|XResolution|YResolution)"
    r"|PNG:(ImageWidth|ImageHeight|BitDepth|ColorType|Compression|Filter|Interlace|Gamma|WhitePoint[XY]|(Red|Green|Blue)[XY]|SRGBRendering"
    r"|BackgroundColor|Palette|Transparency|SignificantBits|AnimationFrames|AnimationPlays)"
    r"|GIF:(GIFVersion|ImageWidth|ImageHeight|HasColorMap|ColorResolutionDepth|BitsPerPixel|BackgroundColor|AnimationIterations|FrameCount|Duration)"
    r"|RIFF:(ImageWidth|ImageHeight|WebP_Flags|VP8Version|HorizontalScale|VerticalScale|AlphaIsUsed|ImageType|BackgroundColor|AnimationLoopCount|FrameCount|Duration"
    r"|Alpha(Preprocessing|Filtering|Compression)))$")


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    check_equal(done.returncode, 0, "%s: %s" % (" ".join(command), done.stderr.decode(errors="replace")))
    return done.stdout


def left_over(path):
    """What ExifTool finds in it that is not of the picture itself."""
    facts = json.loads(run("exiftool", "-j", "-G0", "-a", "-u", path))[0]
    found = []
    for name in facts:
        group = name.split(":")[0]
        if group in ("PNG", "GIF", "RIFF", "JFIF"):
            if not OF_THE_PICTURE.match(name):
                found.append(name)
        elif group not in STRUCTURE or name in ("File:Comment", "ExifTool:Warning"):
            found.append(name)
    return found


def pixels(path, *how):
    """All frames, as a person would see them."""
    return run("convert", path, "-auto-orient", *how, "-depth", "8", "rgba:-")


def photo(stage, name, size="640x480", make=(), tags=tuple(CAMERA + PLACE)):
    path = os.path.join(stage.top, name)
    run("convert", "-size", size, "plasma:red-blue", *make, path)
    plain = path + ".plain" + os.path.splitext(name)[1]
    run("cp", path, plain)
    run("exiftool", "-q", "-m", "-overwrite_original", *tags, path)
    return path, plain


def alone(stage, *args):
    node = stage.node("alice", "none", start=False)
    node.extra_args = list(args)
    return node.start()


def corpus(name):
    with open(os.path.join(root(), "tests", "fuzz", "corpus", "clean_picture", name), "rb") as file:
        return file.read()


def posted(node, path, *args):
    """(what is said of it, the path of what was stored)"""
    answer = node.json("post", "x", "--to", "me", "--attach", path, *args)
    facts, attachment = answer["files"][0], answer["post"]["attachments"][0]
    check_equal((facts["name"], facts["content_type"]), (attachment["name"], attachment["content_type"]), "what it goes as")
    stored = os.path.join(node.top, "stored-" + os.path.basename(path))
    with open(stored, "wb") as file:
        file.write(node.attachment(node.entity, answer["post"]["id"], attachment["name"]))
    return facts, stored


@limit(120)
def test_a_photo_with_its_place_arrives_clean(stage):
    alice, bob = stage.pair()
    path, plain = photo(stage, "alice at the bridge.jpg", tags=CAMERA + PLACE + ["-Orientation#=6"])
    run("convert", path, "-resize", "80x80", os.path.join(stage.top, "small.jpg"))
    run("exiftool", "-q", "-m", "-overwrite_original", "-ThumbnailImage<=" + os.path.join(stage.top, "small.jpg"), path)
    with open(path, "ab") as file:
        file.write(b"Secret bytes behind the end")
    before = pixels(path)
    answer = alice.json("post", "look", "--attach", path)
    facts = answer["files"][0]
    check_equal((facts["name"], facts["content_type"], facts["as_is"]), ("picture-1.jpg", "image/jpeg", False), "what it goes as")
    check_equal(facts["removed"], ["EXIF (camera, time, settings)", "the place (GPS)", "a thumbnail", "XMP (program, author, history)",
                                   "IPTC (author, title, place)", "comments", "bytes after the end of the picture"], "what was taken out")
    bob.wait_text("look", 60)
    data = bob.attachment(alice.entity, answer["post"]["id"], "picture-1.jpg")
    arrived = stage.file("arrived.jpg", data)
    check_equal(left_over(arrived), [], "what is left")
    check(b"Secret" not in data, "the words")
    check_equal(run("identify", "-format", "%wx%h", arrived), b"480x640", "it stands upright")
    # It was turned without loss; only how colours are spread between pixels may differ by a hair.
    after = pixels(arrived)
    check(len(after) == len(before) and max(abs(a - b) for a, b in zip(after, before)) <= 6, "the picture")
    said = json.dumps(bob.json("show", alice.entity, answer["post"]["id"]))
    check("bridge" not in said and "alice at" not in said, "the name")
    words = alice.do("post", "again", "--to", "me", "--attach", path)
    check("attached: alice at the bridge.jpg as picture-1.jpg; taken out: EXIF (camera, time, settings), the place (GPS)" in words, words)
    check("there was nothing to take out" in alice.do("post", "again", "--to", "me", "--attach", stage.file("dot.png", picture())), "a clean one")


@limit(120)
def test_nothing_is_left_says_another_program(stage):
    """And pixels are the same, frame by frame, with each kind of picture."""
    alice = alone(stage)
    moving = ["-delay", "20", "(", "+clone", "-negate", ")", "(", "+clone", "-flip", ")", "-loop", "3"]
    made_of = {
        "a.jpg": (), "grey.jpg": ("-colorspace", "Gray"), "progressive.jpg": ("-interlace", "JPEG"), "whole.jpg": ("-sampling-factor", "4:4:4"),
        "a.png": (), "palette.png": ("-colors", "16"), "interlaced.png": ("-interlace", "PNG"),
        "a.gif": ("-colors", "64"), "moving.gif": moving, "moving.webp": moving, "a.webp": ("-quality", "80"), "lossless.webp": ("-define", "webp:lossless=true"),
        "see-through.webp": ("-alpha", "set", "-channel", "A", "-evaluate", "set", "50%", "+channel")}
    for name, how in made_of.items():
        size = "70x45" if name == "whole.jpg" else "64x48"
        path, plain = photo(stage, name, size, how)
        check(left_over(path), "%s: there is something to take out" % name)
        facts, stored = posted(alice, path)
        check(facts["removed"], "%s: %r" % (name, facts))
        check_equal(left_over(stored), [], "%s: what is left" % name)
        check(b"Secret" not in open(stored, "rb").read(), "%s: the words" % name)
        check_equal(zlib.crc32(pixels(stored)), zlib.crc32(pixels(plain)), "%s: its pixels" % name)
        check_equal(run("identify", "-format", "%T %n ", stored), run("identify", "-format", "%T %n ", plain), "%s: its frames" % name)
    for name in ("png_full", "gif_full", "webp_full", "jpeg_full"):
        facts, stored = posted(alice, stage.file(name, corpus(name)))
        check(facts["removed"], name)


def test_what_cannot_be_cleaned_is_refused_with_the_reason(stage):
    alice = alone(stage)
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><metadata>Secret</metadata></svg>'
    hopeless = {"a.pdf": (b"%PDF-1.7\n...", "Documents", "application/pdf", "file-1.pdf"), "a.svg": (svg, "programs", "image/svg+xml", "file-1.svg"),
                "a.mp4": (b"\0\0\0\x18ftypisom\0\0\0\0", "Videos", "video/mp4", "video-1.mp4"),
                "IMG_1.HEIC": (b"\0\0\0\x18ftypheic\0\0\0\0", "phones", "image/heic", "picture-1.heic"),
                "a.zip": (b"PK\x03\x04\0\0", "Archives", "application/zip", "file-1.zip"), "noise": (noise(5000), "not known", "application/octet-stream", "file-1.bin"),
                "cut.png": (picture()[:-20], "damaged", "image/png", "picture-1.png"), "cut.jpg": (corpus("jpeg_cut"), "damaged", "image/jpeg", "picture-1.jpg"),
                "bomb.jpg": (corpus("jpeg").replace(b"\xff\xc0\0\x11\x08\0\x08\0\x10", b"\xff\xc0\0\x11\x08\xff\xdc\xff\xdc"), "pixels", "image/jpeg", "picture-1.jpg")}
    for name, (data, words, type_, neutral) in hopeless.items():
        path = stage.file(name, data)
        said = alice.refused("post", "x", "--attach", path)
        check(words in said and "--as-is" in said and "\n" not in said, "%s: %r" % (name, said))
        check_equal(alice.json("feed")["posts"], [], "%s: nothing was posted" % name)
    for name, (data, words, type_, neutral) in hopeless.items():
        path = os.path.join(stage.top, name)
        answer = alice.json("post", name, "--as-is", path) if len(name) % 2 else alice.json("post", name, "--attach", path, "--as-is", path)
        check_equal(answer["files"], [{"file": path, "name": neutral, "content_type": type_, "as_is": True, "removed": []}], name)
        check_equal(alice.attachment(alice.entity, answer["post"]["id"], neutral), data, "%s goes as it is" % name)
    dirty = stage.file("dirty.png", picture(note=b"a note"))
    answer = alice.json("post", "several", "--as-is", dirty, "--attach", stage.file("secret plan.txt", "wörter\n".encode()),
                        "--attach", stage.file("dot.png", picture(note=b"another note")))
    check_equal([(f["name"], f["removed"], f["as_is"]) for f in answer["files"]],
                [("text-1.txt", [], False), ("picture-2.png", ["comments"], False), ("picture-3.png", [], True)], "several")
    check_equal(alice.attachment(alice.entity, answer["post"]["id"], "text-1.txt"), "wörter\n".encode(), "a text")
    check_equal(alice.attachment(alice.entity, answer["post"]["id"], "picture-2.png"), picture(), "a picture")
    check_equal(alice.attachment(alice.entity, answer["post"]["id"], "picture-3.png"), picture(note=b"a note"), "the same, as it is")
    fifo = os.path.join(stage.top, "pipe")
    os.mkfifo(fifo)
    for path in (fifo, stage.top, os.path.join(stage.top, "missing")):
        check("not a file" in alice.refused("post", "x", "--attach", path), path)
        check("not a file" in alice.refused("post", "x", "--as-is", path), path)


def at_terminal(node, answer, *args):
    """(exit code, what the terminal showed) of a verb whose question is answered."""
    mine, its = os.openpty()
    process = subprocess.Popen([node.program, args[0], "--data", node.data, *args[1:]], stdin=its, stdout=its, stderr=its, env=node.env, start_new_session=True)
    os.close(its)
    shown = b""
    try:
        while True:
            shown += os.read(mine, 4096)
            if answer and b"[y/N]" in shown:
                os.write(mine, answer)
                answer = None
    except OSError:  # it has ended
        pass
    os.close(mine)
    return process.wait(30), shown.decode("utf-8", "replace")


def test_at_a_terminal_it_is_asked(stage):
    alice = alone(stage)
    path = stage.file("minutes.pdf", b"%PDF-1.7\nminutes")
    for answer in (b"n\n", b"\n", b"yess\n"):
        code, shown = at_terminal(alice, answer, "post", "x", "--to", "me", "--attach", path)
        check(code == 1 and "Documents can hold" in shown and "Send it exactly as it is? [y/N]" in shown, "%r: %d %r" % (answer, code, shown))
    check_equal(alice.feed(), [], "nothing was posted")
    code, shown = at_terminal(alice, b"y\n", "post", "x", "--to", "me", "--attach", path)
    check(code == 0 and "attached: minutes.pdf as file-1.pdf; exactly as it is, not cleaned" in shown, "y: %d %r" % (code, shown))
    check_equal(alice.attachment(alice.entity, alice.feed()[0]["id"], "file-1.pdf"), b"%PDF-1.7\nminutes", "as it is")
    code, shown = at_terminal(alice, None, "post", "x", "--to", "me", "--json", "--attach", path)
    check(code == 1 and "[y/N]" not in shown, "with --json it is not asked: %r" % shown)


def test_what_apps_upload_stays_byte_for_byte(stage):
    alice = alone(stage)
    for name, type_ in (("jpeg_full", "image/jpeg"), ("png_full", "image/png"), ("gif_full", "image/gif"), ("webp_full", "image/webp")):
        data = corpus(name)
        post = made(send(alice, "POST", "/posts", {"type": "https://vendor.example/types/note/v0#", "content": {}}, [("photo", "Own Name." + name, type_, data)]))
        check_equal((post["attachments"][0]["name"], post["attachments"][0]["digest"]), ("Own Name." + name, tent.digest(data)), name)
        check_equal(file_of(alice, post, "Own Name." + name).body, data, name)


# ---- the pages


class Form(html.parser.HTMLParser):
    """The form of a page that leads to a path, with what is filled in already."""

    def __init__(self, text, action):
        super().__init__()
        self.wanted, self.inside, self.hidden, self.boxes = action, False, [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag == "form":
            self.inside = given.get("action", "").split("?")[0] == self.wanted
        elif tag == "input" and self.inside and given.get("type") == "hidden":
            self.hidden.append((given["name"], given["value"]))
        elif tag == "input" and self.inside and given.get("type") == "checkbox":
            self.boxes.append((given["name"], given["value"], "checked" in given))


class Browser:
    """A browser without scripts, logged in by the link that the command line prints."""

    def __init__(self, node):
        self.cookies = {}
        link = urllib.parse.urlsplit(node.json("open", "--local")["link"])
        self.host, self.port = link.netloc, link.port
        page = self.get(link.path)
        check_equal(self.send(link.path, Form(page.body.decode(), link.path).hidden).status, 303, "coming in")

    def ask(self, method, target, body=b"", type_=""):
        headers = [("Accept", "text/html")] + ([("Cookie", "; ".join("%s=%s" % pair for pair in self.cookies.items()))] if self.cookies else [])
        answer = tent.request((HOST, self.port), method, target, self.host, headers, body, content_type=type_, timeout=120)
        for name, value in answer.headers:
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                self.cookies[key] = rest.partition(";")[0]
        return answer

    def get(self, target):
        return self.ask("GET", target)

    def send(self, target, fields, files=()):
        if not files:
            return self.ask("POST", target, urllib.parse.urlencode(fields).encode(), "application/x-www-form-urlencoded")
        body = b"".join(b'--bb\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (n.encode(), v.encode()) for n, v in fields)
        body += b"".join(b'--bb\r\nContent-Disposition: form-data; name="%s"; filename="%s"\r\nContent-Type: %s\r\n\r\n%s\r\n'
                         % (part.encode(), name.encode(), type_.encode(), data) for part, name, type_, data in files)
        return self.ask("POST", target, body + b"--bb--\r\n", "multipart/form-data; boundary=bb")

    def upload(self, path, files, **fields):
        form = Form(self.get(path).body.decode(), path)
        return self.send(path, form.hidden + list(fields.items()), files)


def text_of(answer):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.body.decode()))


@limit(120)
def test_uploads_through_pages_are_cleaned(stage):
    alice = alone(stage, "--local-api")
    browser = Browser(alice)
    photo_, plain = corpus("jpeg_full"), corpus("jpeg")
    pdf = b"%PDF-1.7\nminutes of the meeting"
    shown = browser.upload("/me/compose", [("files", "alice.jpg", "image/jpeg", photo_), ("files", "minutes.pdf", "application/pdf", pdf),
                                           ("files", "notes.txt", "text/html", b"notes")], text="with files", to="me", act="post")
    check_equal(shown.status, 200, "first it is shown: %s" % text_of(shown)[:300])
    words = text_of(shown)
    for wanted in ("picture-1.jpg", "file-2.pdf", "text-3.txt", "Taken out: EXIF (camera, time, settings), the place (GPS), a thumbnail, XMP", "Not cleaned: Documents"):
        check(wanted in words, "%r in %s" % (wanted, words))
    check_equal(alice.json("feed")["posts"], [], "nothing is posted yet")
    form = Form(shown.body.decode(), "/me/compose")
    files = [(n, v) for n, v, on in form.boxes if n == "file" and on]
    check_equal((len(files), len([b for b in form.boxes if b[0] == "file"])), (2, 3), "what is ticked")
    done = browser.send("/me/compose", form.hidden + files + [("text", "with files"), ("to", "me"), ("act", "post")])
    check_equal(done.status, 303, text_of(done)[:300])
    post = alice.feed()[0]
    check_equal([(a["name"], a["content_type"]) for a in post["attachments"]], [("picture-1.jpg", "image/jpeg"), ("text-3.txt", "text/plain")], "what was posted")
    stored = stage.file("stored.jpg", alice.attachment(alice.entity, post["id"], "picture-1.jpg"))
    check_equal(left_over(stored), [], "what is left")
    # What was ticked although it is not clean goes as it is.
    shown = browser.upload("/me/compose", [("files", "minutes.pdf", "application/pdf", pdf)], text="the minutes", to="me", act="preview")
    form = Form(shown.body.decode(), "/me/compose")
    browser.send("/me/compose", form.hidden + [(n, v) for n, v, _ in form.boxes if n == "file"] + [("text", "the minutes"), ("to", "me"), ("act", "post")])
    post = alice.feed()[0]
    check_equal(alice.attachment(alice.entity, post["id"], "file-1.pdf"), pdf, "as it is")
    # The picture of the profile.
    refused = browser.upload("/me/profile", [("avatar", "me.pdf", "image/jpeg", pdf)], name="A", bio="", location="", website="")
    check("The picture must be" in text_of(refused) and "Documents" in text_of(refused), text_of(refused)[:400])
    done = browser.upload("/me/profile", [("avatar", "me.png", "image/png", corpus("png_full"))], name="A", bio="", location="", website="")
    check_equal(done.status, 303, text_of(done)[:300])
    check("Taken out of the picture: EXIF (camera, time, settings)" in text_of(browser.get(done.header("Location"))), "what was taken out is shown")
    forged = done.header("Location").replace("removed=", "removed=A")
    check("Taken out of the picture" not in text_of(browser.get(forged)), "only what we said")
    avatar = browser.get("/me/avatar?entity=" + tent.escape(alice.entity))
    check_equal(avatar.status, 200, "the avatar")
    check(b"Author" not in avatar.body and b"XML:com" not in avatar.body and avatar.body.startswith(b"\x89PNG"), "it is clean")


def memory_of(pid):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(r"VmRSS:\s*(\d+)", file.read()).group(1)) * 1024


@limit(180)
def test_a_large_upload_is_cleaned_in_bounded_memory_of_the_node(stage):
    alice = alone(stage, "--local-api")
    browser = Browser(alice)
    chunk = lambda kind, data: len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    small = picture(note=b"a note")
    at = small.index(b"IDAT") - 4
    large = small[:at] + b"".join(chunk(b"IDAT", os.urandom(1 << 20)) for _ in range(60)) + small[at:]
    # Sampled: the peak that the kernel keeps is that of the passphrase's check at the start.
    before, most, over = memory_of(alice.pid), [0, 0], threading.Event()

    def watch():
        while not over.wait(0.005):
            most[:] = [max(most[0], memory_of(alice.pid)), most[1] + 1]
    watcher = threading.Thread(target=watch)
    watcher.start()
    shown = browser.upload("/me/compose", [("files", "large.png", "image/png", large)], text="large", to="me", act="preview")
    over.set()
    watcher.join()
    check("Taken out: comments" in text_of(shown), text_of(shown)[:300])
    check(most[1] > 50, "it was looked at %d times" % most[1])
    grown = most[0] - before
    stage.say("the node grew by %.1f MiB for %d MiB" % (grown / (1 << 20), len(large) >> 20))
    check(grown < 40 << 20, "the node grew by %d MiB" % (grown >> 20))


# ---- the processes


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(x) for x in file.read().split()]


def name_of(pid):
    with open("/proc/%d/comm" % pid) as file:
        return file.read().strip()


def cleaners(node):
    """(keeper, starter) below the process that does the work."""
    keeper = [child for child in children(node.pid) if name_of(child) == "media-cleaner"]
    check_equal(len(keeper), 1, "%s's cleaner" % node.name)
    starter = wait_until(lambda: children(keeper[0]), 5, "the starter is there")
    return keeper[0], starter[0]


def upload_works(browser):
    answer = browser.upload("/me/compose", [("files", "a.jpg", "image/jpeg", corpus("jpeg_full"))], text="x", to="me", act="preview")
    return "Taken out: EXIF" in text_of(answer) or text_of(answer)


@limit(180)
def test_the_cleaner_knows_nothing_and_lives_and_dies_with_the_node(stage):
    alice = alone(stage, "--local-api")
    browser = Browser(alice)
    check_equal(upload_works(browser), True, "an upload")
    needles = needles_of(alice)
    check(memory_holds(alice.pid, needles), "the node itself knows its keys")
    first = cleaners(alice)
    for pid in first:
        check_equal(memory_holds(pid, needles), set(), "secrets in the cleaner's memory")
        check_equal(sorted(os.listdir("/proc/%d/fd" % pid)), ["3", "4"], "its descriptors")
        check(all(os.readlink("/proc/%d/fd/%s" % (pid, fd)).startswith("socket:") for fd in ("3", "4")), "which are the sockets to the node")

    # It goes on when the node begins anew, and its starter is replaced when somebody ends it.
    alice.json("entity", "add", "club", timeout=60)
    browser = Browser(alice)
    check_equal(upload_works(browser), True, "after beginning anew")
    check_equal(cleaners(alice), first, "the same processes")
    os.kill(first[1], signal.SIGKILL)
    wait_until(lambda: children(first[0]) not in ([], [first[1]]), 5, "another starter")
    check_equal(upload_works(browser), True, "after the starter was ended")

    # Without it an upload is an error, and everything else works; unlocked, there is another one.
    os.kill(first[0], signal.SIGKILL)
    said = upload_works(browser)
    check("It could not be cleaned" in str(said) and "a.jpg" in said, "without a cleaner: %r" % said)
    alice.post("the node goes on", "--to", "me")
    alice.do("lock")
    wait_until(alice.is_locked, 20, "locked")
    locked = cleaners(alice)
    check_equal(memory_holds(locked[0], needles), set(), "secrets in the new one's memory")
    check_equal(unlock(alice)[0], 0, "unlocked")
    check_equal(upload_works(Browser(alice)), True, "after unlocking")
    check_equal(cleaners(alice), locked, "the cleaner that came before the passphrase")

    # Whatever ends the node ends it.
    last = [(pid, start_time(pid)) for pid in cleaners(alice)]
    alice.stop()
    wait_until(lambda: not any(same_process(*one) for one in last), 5, "they have ended with the node")
    alice.start()
    last = [(pid, start_time(pid)) for pid in cleaners(alice)]
    alice.kill9()
    wait_until(lambda: not any(same_process(*one) for one in last), 5, "they have ended with the guardian")


@limit(120)
def test_many_uploads_at_once_and_a_stop_among_them(stage):
    alice = alone(stage, "--local-api")
    browser = Browser(alice)
    page = browser.get("/me/compose").body.decode()
    outcomes = []

    def one(number):
        try:
            answer = browser.send("/me/compose", Form(page, "/me/compose").hidden + [("text", "x"), ("to", "me"), ("act", "preview")],
                                  [("files", "%d.jpg" % number, "image/jpeg", corpus("jpeg_full"))] * 3)
            outcomes.append(text_of(answer).count("Taken out: EXIF"))
        except (OSError, Failed) as error:
            outcomes.append(error)
    threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_equal(outcomes, [3] * 8, "each of them")
    thread = threading.Thread(target=one, args=(9,))
    thread.start()
    alice.stop()
    thread.join()

# SPDX-License-Identifier: BSD-3-Clause
"""What was exported comes back: post by post, into the same entity and into another one; what is not an export does not."""
import io
import json
import os
import random
import signal
import subprocess
import tarfile
import time

import tent
from harness import check, check_equal, wait_until
from keys import KILLS, exported, file_of, key_tool, restore
from node import Node, PASSPHRASE, follow, limit, noise
from sharing import META, AnApp

STATUS = "https://tent.io/types/status/v0"
OF_THE_ADDRESS = ("relationship", "subscription", "credentials", "meta")


def kind(post):
    return post["type"].split("#")[0].rsplit("/", 2)[1]


def words(stage, node):
    return ["--passphrase-file", file_of(stage, node.passphrase)]


def export(stage, node, name="out.tar.zst"):
    file = os.path.join(stage.top, "%s-%s" % (node.name, name))
    node.do("export", file, *words(stage, node), timeout=120)
    return file


def take(stage, node, file, *more):
    return node.json("import", file, *words(stage, node), *more, timeout=120)


def packed(stage, name, members, compress=True):
    """An archive of these (name, bytes) or tarfile.TarInfo."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as tar:
        for member in members:
            info, data = member if isinstance(member[0], tarfile.TarInfo) else (tarfile.TarInfo("bivouac-export/" + member[0]), member[1])
            if info.isreg():
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    data = raw.getvalue()
    if compress:
        data = subprocess.run(["zstd", "-q"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return stage.file(name, data)


def about(entity, **more):
    return "export.json", json.dumps(dict({"format": 1, "entity": entity}, **more)).encode()


def fill(stage, alice, bob):
    """Posts of all kinds."""
    picture, text = stage.file("picture.png", noise(150_000)), stage.file("note.txt", b"a note")
    for one, other in ((alice, bob), (bob, alice)):
        follow(one, other)
    alice.do("group", "add", "Close")
    alice.do("followers", "approve", bob.entity, "--group", "Close")
    alice.do("post", "for all", "--to", "public")
    alice.do("post", "for followers", "--as-is", picture, "--attach", text)
    alice.do("post", "for the close ones", "--to", "group:Close")
    alice.do("post", "for bob", "--to", bob.entity)
    mine = alice.json("post", "to be deleted")["post"]
    bob.wait_text("for bob")
    root = bob.json("post", "by bob")["post"]
    alice.wait_text("by bob")
    alice.do("post", "an answer", "--reply-to", bob.entity + "/" + root["id"])
    app = AnApp(alice)
    meta = app.get(alice.entity, "meta").json()["post"]
    app.write("PUT", app.where(alice.entity, "meta"), {
        "type": META, "content": dict(meta["content"], profile={"name": "Alice", "bio": "é \U0001f3d5"}),
        "version": {"parents": [{"version": meta["version"]["id"]}]}})
    essay = app.write("POST", "/posts", {"type": "https://example.org/types/note/v0#", "content": {"n": 9007199254740993, "deep": [[{}]]},
                                         "permissions": {"public": False}})
    app.write("PUT", app.where(alice.entity, essay["id"]), {
        "type": "https://example.org/types/note/v0#", "content": {"n": 2}, "permissions": {"public": False},
        "version": {"parents": [{"version": essay["version"]["id"]}], "message": "again"}})
    app.ask("DELETE", app.where(alice.entity, mine["id"]))
    wait_until(lambda: "to be deleted" not in alice.texts(), 10, "deleted")


@limit(300)
def test_into_another_entity(stage):
    """Section 1.6's form: what was by the old address is by the new one; every version id verifies; twice is as once."""
    alice, bob, mallory = stage.node("alice"), stage.node("bob"), stage.node("mallory")
    fill(stage, alice, bob)
    mallory.do("follow", alice.entity)
    alice.wait_follower(mallory.entity, "pending")
    alice.do("followers", "block", mallory.entity)
    file = export(stage, alice)
    facts, posts, files, people, _ = exported(stage, alice)

    new = stage.node("new")
    check("stop it first" in new.refused("import", file, *words(stage, new)), "while it runs")
    new.stop()
    took = take(stage, new, file)
    left = [p for p in posts if kind(p) in OF_THE_ADDRESS and not (kind(p) == "meta" and p["entity"] != alice.entity)]
    check_equal((took["taken"], took["left_out"], took["refused"], took["here"], took["problems"]),
                (len(posts) - len(left), len(left), 0, 0, []), "counts")
    check_equal((took["attachments"], took["attachments_missing"], took["same_entity"]), (len(files), 0, False), "attachments")
    check_equal((took["relationships"], took["following"]), (2, [bob.entity]), "people")
    new.start()
    check_equal(sorted(new.texts()), sorted(t for t in alice.texts()), "texts")
    _, again, files_again, people_again, about_new = exported(stage, new)
    by_id = {(p["id"], p["version"]["id"]): p for p in again}

    for post in posts:
        if post in left:
            check(kind(post) == "meta" or (post["id"], post["version"]["id"]) not in by_id, "of the old address: %r" % post)
            continue
        copy = by_id[(post["id"], post["version"]["id"])]
        check_equal(tent.version_id(copy), post["version"]["id"], "version id of %r" % copy)
        expected = dict(post)
        for part in [expected] + [m for name in ("mentions", "refs") for m in expected.get(name, [])] + expected["version"].get("parents", []):
            if part.get("entity") == alice.entity:
                part["entity"], part["original_entity"] = new.entity, alice.entity
        check_equal(copy, expected, "post by post")
    check_equal(files_again, files, "attachment by attachment")
    check_equal({r["entity"]: r["follower"] for r in people_again}, {bob.entity: "approved", mallory.entity: "blocked"}, "who may follow")
    meta = [p for p in again if kind(p) == "meta" and p["entity"] == new.entity][-1]
    check_equal(meta["content"]["profile"], {"name": "Alice", "bio": "é \U0001f3d5"}, "the profile")
    check_equal({g["name"]: g["members"] for g in new.json("group", "list")["groups"]}, {"followers": 1, "Close": 1}, "groups")
    check_equal([r["entity"] for r in new.json("audience", "--to", "group:Close")["audience"]["readers"]], [bob.entity], "their members")
    new.stop()
    twice = take(stage, new, file)
    check_equal((twice["taken"], twice["here"], twice["attachments"], twice["attachments_here"], twice["relationships"]),
                (0, took["taken"], 0, took["attachments"], 0), "twice")
    new.do("import", file, "--follow", *words(stage, new), timeout=60)
    new.start()
    check_equal(sorted(new.texts()), sorted(alice.texts()), "as after the first")

    # Bob, who follows the new one, is in at once, and reads what he could read before.
    bob.do("follow", new.entity)
    bob.wait_following(new.entity, "approved", 60)
    new.post("from the new one")
    bob.wait_text("from the new one", 60)
    # And who was blocked by the old one is by the new one.
    mallory.do("follow", new.entity)
    new.post("not for mallory")
    bob.wait_text("not for mallory", 60)
    check_equal((new.followers().get(mallory.entity), mallory.following().get(new.entity) == "approved", mallory.has_text("not for mallory")),
                ("blocked", False, False), "still blocked")


@limit(240)
def test_into_the_same_entity(stage):
    """A backup from before and an export from after: together they are all."""
    alice, bob = stage.pair()
    alice.post("in the backup")
    bob.wait_text("in the backup")
    backup = os.path.join(stage.top, "a.backup")
    alice.do("backup", backup, *words(stage, alice), "--backup-passphrase-file", file_of(stage, "words of the backup"), timeout=60)
    picture = stage.file("later.png", os.urandom(80_000))
    alice.do("post", "after the backup", "--as-is", picture)
    bob.wait_text("after the backup")
    bob.do("post", "by bob", "--to", alice.entity)
    alice.wait_text("by bob")
    file = export(stage, alice)
    before = exported(stage, alice)
    alice.kill9()
    again = Node(alice.program, stage.top, "again", stage.fake.node("again"))
    stage.nodes.append(again)
    check_equal(restore(stage, again, backup)[0], 0, "restored")
    took = take(stage, again, file)
    check_equal((took["same_entity"], took["refused"], took["left_out"]), (True, 0, 0), "its own")
    check(took["taken"] >= 2 and took["here"] > 5, "some new, some known: %r" % took)
    again.start()
    check_equal(sorted(again.texts()), ["after the backup", "by bob", "in the backup"], "all of it")
    after = exported(stage, again)
    have = {(p["entity"], p["id"], p["version"]["id"]): p for p in after[1]}
    for post in before[1]:
        check_equal(have[(post["entity"], post["id"], post["version"]["id"])], post, "post by post")
    check_equal(after[2], before[2], "attachments")
    again.post("and it goes on")
    bob.wait_text("and it goes on", 60)
    # What was deleted here does not come back.
    app = AnApp(again)
    gone = [p for p in again.feed() if p["content"]["text"] == "in the backup"][0]
    app.ask("DELETE", app.where(again.entity, gone["id"]))
    wait_until(lambda: not again.has_text("in the backup"), 10, "deleted")
    again.stop()
    check(take(stage, again, file)["deleted"] >= 1, "deleted")
    again.start()
    check(not again.has_text("in the backup"), "and stays so")


@limit(240)
def test_what_is_no_export(stage):
    """As somebody new would meet it: each word, and that nothing is lost or half taken."""
    alice = stage.node("alice", None)
    alice.post("hers")
    file = export(stage, alice)
    whole = open(file, "rb").read()
    alice.stop()
    good = about(alice.entity)
    post = [p for p in exported(stage, alice)[1] if p["type"].startswith(STATUS)][0]

    def altered(**more):
        return json.dumps(dict(post, id="x" * 22, **more)).encode() + b"\n"

    def link(kind_, to):
        info = tarfile.TarInfo("bivouac-export/posts/000001.jsonl")
        info.type, info.linkname = kind_, to
        return info, b""

    def named(name):
        return tarfile.TarInfo(name), b"x"

    refused = {
        "nothing": (stage.file("a", b""), "cut off or damaged"), "no archive": (stage.file("b", os.urandom(5000)), "no export of bivouac"),
        "text": (stage.file("c", b"hello\n" * 1000), "no export of bivouac"), "cut": (stage.file("d", whole[:len(whole) // 2]), "cut off or damaged"),
        "cut at the end": (stage.file("e", whole[:-3]), "cut off or damaged"),
        "empty archive": (packed(stage, "f", []), "empty"), "no beginning": (packed(stage, "g", [("posts/000001.jsonl", b"")]), "does not begin"),
        "two": (packed(stage, "h", [good, good]), "two exports"), "newer": (packed(stage, "i", [about(alice.entity, format=2)]), "newer version"),
        "no JSON": (packed(stage, "j", [("export.json", b"{")]), "cannot be read"),
        "no entity": (packed(stage, "k", [about("not an address")]), "cannot be read"),
        "another name": (packed(stage, "l", [good, ("posts/../../x", b"")]), "no export has"),
        "an absolute path": (packed(stage, "m", [good, named("/etc/passwd")]), "no export has"),
        "upwards": (packed(stage, "n", [good, named("bivouac-export/../x")]), "no export has"),
        "a symbolic link": (packed(stage, "o", [good, link(tarfile.SYMTYPE, "/etc/shadow")]), "no export has"),
        "a hard link": (packed(stage, "p", [good, link(tarfile.LNKTYPE, "/etc/shadow")]), "no export has"),
        "a device": (packed(stage, "q", [good, link(tarfile.CHRTYPE, "")]), "no export has"),
        "a pipe": (packed(stage, "r", [good, link(tarfile.FIFOTYPE, "")]), "no export has"),
        "a long line": (packed(stage, "s", [good, ("posts/000001.jsonl", b"x" * (5 << 20))]), "too long"),
        "a large beginning": (packed(stage, "t", [("export.json", b" " * (5 << 20))]), "too large"),
        "a folder": (stage.top, "no export of bivouac"), "not there": (os.path.join(stage.top, "nothing"), "No such file"),
    }
    for what, (path, expected) in refused.items():
        code, _, err = alice.cli("import", path, *words(stage, alice), timeout=60)
        check_equal((code, err.count("\n")), (1, 1), "%s: %s" % (what, err))
        check(expected in err, "%s: %s" % (what, err))
    check("wrong passphrase" in alice.refused("import", file, "--passphrase-file", file_of(stage, "not it")), "the passphrase")

    # Single lines that are not right are named and left out, the others come.
    digest = "sha512t256-" + "0" * 64
    bad = [b"{", b"[]", b"null", b"{}", b"[" * 5000, altered(), altered(entity="http://x.onion"), json.dumps({"type": "x"}).encode(), b"\xff\xfe",
           json.dumps(dict(post, version=dict(post["version"], id=digest))).encode()]
    lines = b"\n".join(line.strip() for line in bad) + b"\n" + json.dumps(post).encode() + b"\n"
    some = packed(stage, "u", [good, ("posts/000001.jsonl", lines), ("attachments/" + digest, b"not it"),
                               ("relationships.jsonl", b"{\n{}\n" + json.dumps({"entity": "http://clearnet.example", "follower": "approved"}).encode() + b"\n")])
    took = take(stage, alice, some)
    check_equal((took["refused"], took["here"], took["taken"], took["attachments_refused"], took["relationships"]), (len(bad), 1, 0, 1, 0), "%r" % took)
    check(any("version id" in p for p in took["problems"]), "says why: %r" % took["problems"])
    check("refused" in alice.do("import", some, *words(stage, alice), timeout=60), "in words")
    check_equal(take(stage, alice, packed(stage, "v", [good, ("posts/000001.jsonl", b"")], compress=False))["taken"], 0, "without compression")
    alice.start()
    check_equal(alice.texts(), ["hers"], "nothing was lost")


@limit(120)
def test_the_reader_is_confined(stage):
    """What reads the archive is a process with that file, one pipe, a filter of system calls, and no word of the passphrase."""
    alice = stage.node("alice", None)
    alice.do("post", "a file", "--as-is", stage.file("f", os.urandom(500_000)))
    file = export(stage, alice)
    alice.stop()
    fifo = os.path.join(stage.top, "fifo")
    os.mkfifo(fifo, 0o600)
    process = subprocess.Popen([alice.program, "import", "--json", "--data", alice.data, file, "--passphrase-file", fifo],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=alice.env)

    def child():
        with open("/proc/%d/task/%d/children" % (process.pid, process.pid)) as children:
            found = children.read().split()
        if not found:
            return None
        with open("/proc/%s/status" % found[0]) as status:
            facts = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        return facts["Seccomp"].strip() == "2" and (found[0], facts)
    pid, facts = wait_until(child, 20, "a child behind a filter")
    check_equal(facts["NoNewPrivs"].strip(), "1", "no new privileges")
    open_files = {number: os.readlink("/proc/%s/fd/%s" % (pid, number)) for number in os.listdir("/proc/%s/fd" % pid)}
    check_equal((sorted(open_files), open_files["3"], open_files["4"].startswith("pipe:")), (["3", "4"], file, True), "what it has open")
    with open(fifo, "wb") as out:
        out.write(alice.passphrase.encode())
    out, err = process.communicate(timeout=60)
    check_equal((process.returncode, json.loads(out or b"{}").get("refused")), (0, 0), "the import: %r" % err)


@limit(300)
def test_an_import_that_is_killed(stage):
    """Fifty times: the node opens, and one whole run brings the rest."""
    alice = stage.node("alice", None)
    for number in range(150):
        alice.post("post %d" % number)
    for number in range(5):
        alice.do("post", "file %d" % number, "--as-is", stage.file("f%d" % number, os.urandom(300_000)))
    file = export(stage, alice)
    new = stage.node("new", None, start=False)
    key_tool(new, "cheap")
    spare = stage.node("spare", None, start=False)
    key_tool(spare, "cheap")
    begin = time.monotonic()
    take(stage, spare, file)
    usual = time.monotonic() - begin
    chance, args = random.Random(9), ["import", "--data", new.data, file] + words(stage, new)
    for _ in range(KILLS):
        process = subprocess.Popen([new.program] + args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=new.env)
        time.sleep(chance.uniform(0, 0.8) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
    took = take(stage, new, file)
    check_equal(took["refused"], 0, "%r" % took)
    check_equal(took["attachments_missing"], 0, "attachments")
    new.start()
    check_equal(sorted(new.texts()), sorted(alice.texts()), "all posts, once")
    children = [line for line in subprocess.run(["ps", "-eo", "args"], stdout=subprocess.PIPE).stdout.decode().splitlines()
                if new.data in line and " import " in line]
    check_equal(children, [], "processes left behind")

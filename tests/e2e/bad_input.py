# SPDX-License-Identifier: BSD-3-Clause
"""Wrong passphrases, damaged files, full disks, wrong usage: a clear word each time, and nothing changed."""
import hashlib
import os
import resource
import subprocess

import fake_tor
from harness import PATIENCE, check, check_equal, clean_env, wait_until
from node import Node, isolate, limit

VERBS = ["init", "run", "status", "post", "feed", "show", "attachment", "follow", "unfollow", "followers", "following",
         "stop", "app", "lock", "unlock", "panic", "backup", "backup verify", "restore", "export", "import", "move", "entity",
         "passphrase change", "passphrase add", "passphrase remove", "passphrase list", "entity add", "entity list", "entity remove",
         "entity quota", "entity owner", "entity export"]


def fingerprint(folder):
    """Every file's name, mode and content; names of locks and logs of a run come and go."""
    found = {}
    for here, folders, names in os.walk(folder):
        for name in names + folders:
            path = os.path.join(here, name)
            data = b""
            if os.path.isfile(path):
                with open(path, "rb") as file:
                    data = file.read()
            found[os.path.relpath(path, folder)] = (os.lstat(path).st_mode, hashlib.sha256(data).hexdigest())
    return found


def refuses_to_run(node, what, passphrase=None, unchanged=True):
    """`run` ends with exit code 1 and a word, and leaves every file as it was."""
    before = fingerprint(node.data)
    size = os.path.getsize(node.log) if os.path.exists(node.log) else 0
    node.launch(passphrase)
    code = node.process.wait(30)
    if code is None:
        node.process.kill()
    with open(node.log, "rb") as file:
        file.seek(size)
        said = file.read().decode("utf-8", "replace").strip()
    check_equal(code, 1, "%s: exit code of `run` (%s)" % (what, said))
    check(said and len(said) < 2000, "%s: `run` failed without a word" % what)
    for wrong in ("terminate called", "Assertion", "Sanitizer", "std::"):
        check(wrong not in said, "%s: not a message for a person: %s" % (what, said))
    check(node.passphrase not in said, "%s: the message holds the passphrase" % what)
    if unchanged:
        after = fingerprint(node.data)
        for name in set(before) | set(after):
            if before.get(name) != after.get(name) and "lock" not in name and not name.endswith(("-shm", "-wal")):
                check(False, "%s: %s changed" % (what, name))
    return said


def stopped(stage):
    """A node that has run and holds one post."""
    node = stage.node("alice", "none")
    node.post("still there")
    node.stop()
    return node


def check_unharmed(node):
    node.start()
    check(node.has_text("still there"), "the post after all that")
    node.stop()


def test_wrong_passphrase(stage):
    node = stopped(stage)
    for wrong in ("wrong", "", node.passphrase + "x", node.passphrase[:-1], node.passphrase.upper(), "\0", "é" * 300):
        said = refuses_to_run(node, "passphrase %r" % wrong[:20], passphrase=wrong)
        if wrong == "wrong":
            check("passphrase" in said.lower(), "the message names the passphrase: %r" % said)
    check_unharmed(node)


@limit(180)
def test_damaged_key_file(stage):
    node = stopped(stage)
    path = os.path.join(node.data, "bivouac.keys")
    with open(path, "rb") as file:
        good = file.read()
    check_equal(os.lstat(path).st_mode & 0o777, 0o600, "mode of the key file")
    damaged = [("empty", b""), ("one byte", good[:1]), ("half", good[:len(good) // 2]), ("one byte short", good[:-1]),
               ("one byte long", good + b"x"), ("zeros", bytes(len(good))), ("text", b"hello\n")]
    # One bit, at places all over the file.
    for place in sorted({0, 1, 4, 8, 12, 16, 24, 32, 48, 64, 100, len(good) // 3, len(good) // 2, len(good) - 33, len(good) - 1}):
        if 0 <= place < len(good):
            data = bytearray(good)
            data[place] ^= 1
            damaged.append(("bit at %d" % place, bytes(data)))
    accepted = []
    for what, data in damaged:
        with open(path, "wb") as file:
            file.write(data)
        if what.startswith("bit"):
            # A bit in an unused slot may be noticed or be without effect; it never may do harm.
            node.launch()
            code = node.process.wait(3)
            if code is None:
                node.process.end(6)
                accepted.append(what)
            else:
                check_equal(code, 1, "%s: exit code" % what)
        else:
            refuses_to_run(node, "key file: " + what)
        with open(path, "rb") as file:
            check(file.read() == data, "key file (%s): it was rewritten" % what)
    stage.say("without effect: %r" % accepted)
    check(not accepted, "the key file is authenticated, yet these changes were not noticed: %r" % accepted)
    with open(path, "wb") as file:
        file.write(good)
    check_unharmed(node)


def resealed(data):
    """The same with a checksum that fits: what somebody does who knows the format."""
    return bytes(data[:-32]) + hashlib.blake2b(bytes(data[:-32]), digest_size=32).digest()


@limit(180)
def test_forged_and_newer_key_file(stage):
    """Changes under a correct checksum: the authentication notices them, and a newer version is called so."""
    node = stopped(stage)
    path = os.path.join(node.data, "bivouac.keys")
    with open(path, "rb") as file:
        good = file.read()
    check_equal(resealed(good), good, "the checksum as this test computes it")
    newer = bytearray(good)
    newer[8] += 1
    with open(path, "wb") as file:
        file.write(resealed(newer))
    said = refuses_to_run(node, "a newer key file")
    check("newer" in said, "the message says that the file is newer: %r" % said)
    with open(path, "wb") as file:
        file.write(resealed(bytes(newer) + bytes(64)))
    check("newer" in refuses_to_run(node, "a newer, longer key file"), "a longer file of a newer version")
    slots = [32 + 160 * i for i in range(8)]
    # In the salt, in each slot (its cost left alone: that would only make the test slow), in the MAC.
    for place in [17] + [s + 12 + 7 * i for i, s in enumerate(slots)] + [32 + 160 * 8 + 5]:
        data = bytearray(good)
        data[place] ^= 0x10
        with open(path, "wb") as file:
            file.write(resealed(data))
        refuses_to_run(node, "a forged byte at %d" % place)
    with open(path, "wb") as file:
        file.write(good)
    check_unharmed(node)


def test_missing_files(stage):
    node = stopped(stage)
    for name in ("bivouac.keys", "bivouac.db"):
        path = os.path.join(node.data, name)
        os.rename(path, path + ".away")
        refuses_to_run(node, "without " + name)
        check(not os.path.exists(path), "%s was made anew" % name)
        os.rename(path + ".away", path)
    check_unharmed(node)


@limit(120)
def test_damaged_database(stage):
    node = stopped(stage)
    path = os.path.join(node.data, "bivouac.db")
    with open(path, "rb") as file:
        good = file.read()
    for what, data in (("empty", b""), ("zeros", bytes(len(good))), ("half a page", good[:2048]),
                       ("a bit in the first page", good[:100] + bytes([good[100] ^ 1]) + good[101:])):
        with open(path, "wb") as file:
            file.write(data)
        refuses_to_run(node, "database: " + what)
        with open(path, "rb") as file:
            check(file.read() == data, "database (%s): it was rewritten" % what)
    with open(path, "wb") as file:
        file.write(good)
    check_unharmed(node)


def test_second_run_on_the_same_data(stage):
    node = stage.node("alice", "none")
    node.post("still there")
    other = Node(node.program, stage.top, "second", None, data=node.data)
    other.launch()
    check_equal(other.process.wait(30), 1, "exit code of the second run: " + other.log_tail())
    check(other.log_tail().strip(), "the second run says why")
    node.need_alive()
    check(node.has_text("still there"), "the first one goes on")
    node.kill9()
    node.start()
    check(node.has_text("still there"), "after SIGKILL nothing holds the data")
    node.stop()


def test_init_never_overwrites(stage):
    node = stopped(stage)
    before = fingerprint(node.data)
    node.refused("init", "--passphrase-file", "-", stdin=b"another one\n")
    check_equal(fingerprint(node.data), before, "files after a second init")
    check_unharmed(node)


def test_verbs_without_a_running_node(stage):
    node = stopped(stage)
    for args in (["status"], ["post", "x"], ["feed"], ["following"], ["followers"], ["stop"], ["app", "create", "--name", "x"],
                 ["follow", "http://" + "a" * 56 + ".onion"]):
        said = node.refused(*args)
        check("\n" not in said, "`%s` says it in one line: %r" % (args[0], said))
    elsewhere = node.data
    node.data = os.path.join(stage.top, "nowhere")
    node.refused("status")
    node.launch()
    check_equal(node.process.wait(30), 1, "`run` without any data")
    check(not os.path.exists(os.path.join(node.data, "bivouac.db")), "`run` made a database")
    node.data = elsewhere


def test_wrong_usage(stage):
    node = stage.node("alice", "none")
    for args in (["nonsense"], ["post"], ["show"], ["show", "http://x"], ["attachment", "a"], ["follow"], ["status", "--nonsense"],
                 ["followers", "nonsense", node.entity], ["followers", "approve"], ["app"], ["app", "nonsense"],
                 ["app", "create"], ["feed", "--limit", "many"], ["status", "surplus"], ["run", "--listen"]):
        code, out, err = node.cli(*args)
        check_equal(code, 2, "exit code of `%s` (%s)" % (" ".join(args), err.strip() or out.strip()))
        check(err.strip(), "`%s` without a word" % " ".join(args))
    for command in ([], ["--nonsense"], ["-x", "status"]):
        done = subprocess.run([node.program] + command, capture_output=True, timeout=10, env=node.env)
        check_equal(done.returncode, 2, "exit code of %r" % command)
        check(done.stderr.strip(), "%r without a word" % command)


def test_refused_requests(stage):
    """Right usage, impossible wish: exit code 1, one line."""
    node = stage.node("alice", "none")
    stranger = "http://%s.onion" % fake_tor.address_of(fake_tor.public_key(fake_tor.expand(bytes(32))))
    for args in (["show", node.entity, "nosuchpost"], ["attachment", node.entity, "nosuchpost", "x.png"],
                 ["followers", "approve", stranger], ["unfollow", stranger], ["post", "x", "--attach", "/nonexistent/file"], ["post", "x", "--as-is", "/nonexistent/file"],
                 ["post", "x", "--attach", stage.top], ["post", "x", "--to", "nobody"]):
        said = node.refused(*args)
        check("\n" not in said, "`%s` says it in one line: %r" % (args[0], said))
    check_equal(node.texts(), [], "posts after all that")
    post = node.post("one")
    node.refused("attachment", node.entity, post["id"], "x.png")


def test_help_everywhere(stage):
    node = stage.node("alice", "none", start=False)
    def help_of(*args):
        done = subprocess.run([node.program, *args], capture_output=True, timeout=10, env=node.env, text=True)
        check_equal(done.returncode, 0, "exit code of `%s`: %s" % (" ".join(args), done.stderr))
        check(len(done.stdout) > 60, "help of `%s`: %r" % (" ".join(args), done.stdout))
        return done.stdout
    general = help_of("--help")
    for verb in VERBS:
        check(verb.split()[0] in general, "the general help names " + verb)
        text = help_of(*verb.split(), "--help")
        for option in ("--data", "--json", "--as"):
            check(option in text, "the help of `%s` names %s" % (verb, option))
    for args in (["app", "create", "--help"], ["followers", "approve", "--help"]):
        help_of(*args)


@limit(150)
def test_first_tries(stage):
    """What somebody new gets wrong with keys, backups and entities: exit code, one line, and the word that helps."""
    node = stage.node("alice", "none", start=False)
    words, other = stage.file("words", node.passphrase.encode()), stage.file("other", b"other words")
    own, fresh, sealed = ["--passphrase-file", words], ["--new-passphrase-file", other], ["--backup-passphrase-file", other]
    nowhere, backup = os.path.join(stage.top, "nowhere"), os.path.join(stage.top, "a.backup")
    lost = ["--passphrase-file", nowhere]
    empty = stage.file("empty", b"\n")

    def tries(table):
        for args, code, word in table:
            got, out, err = node.cli(*args, timeout=60)
            what = "`%s`: %r" % (" ".join(args), err)
            check_equal((got, word in err), (code, True), what)
            check(code == 2 or "to go on: " in err or len(err.splitlines()) == 1, "one line: " + what)
            check("other words" not in err and node.passphrase not in err, "a secret: " + what)
    tries([
        (["passphrase"], 2, "subcommand"), (["passphrase", "remove"], 2, "which"), (["passphrase", "change", *lost, *fresh], 1, nowhere),
        (["passphrase", "change", *own], 1, "--passphrase-file FILE"), (["passphrase", "change", *own, "--new-passphrase-file", empty], 1, "empty"),
        (["passphrase", "list"], 1, "no terminal"), (["passphrase", "add", *own, *fresh, "--name", "x" * 33], 1, "at most 32"),
        (["passphrase", "remove", "9", *own], 1, "bivouac passphrase list"),
        (["lock"], 1, "no node runs"), (["unlock", *own], 1, "bivouac run"),
        (["backup"], 1, "bivouac backup FILE"), (["backup", backup, "--passphrase-file", other, *sealed], 1, "wrong passphrase"),
        (["backup", "/nonexistent/b", *own, *sealed], 1, "/nonexistent/b"), (["backup", stage.top, *own, *sealed], 1, "there already"),
        (["backup", "verify"], 2, "file"), (["backup", "verify", nowhere, *sealed], 1, nowhere), (["backup", "verify", words, *sealed], 1, "no backup"),
        (["backup", backup, *own, "--key-file", words, *sealed], 2, "excludes"), (["backup", backup, *own, "--key-file", empty], 1, "at least 32"),
        (["restore"], 1, "bivouac restore FILE"), (["restore", nowhere, *sealed, *fresh], 1, "not empty"),
        (["restore", "--other-is-gone"], 1, "bivouac run"),
        (["export"], 2, "file"), (["export", "/nonexistent/e", *own], 1, "/nonexistent/e"), (["export", backup, *own, "--only", "mine"], 2, "public"),
        (["import", nowhere, *own], 1, nowhere), (["import", words, *own], 1, "no export"),
        (["move", *own], 1, "--yes"), (["move", "--keep-old", "soon", "--yes", *own], 1, "30m"),
        (["move", "--yes", "--as", "nobody", *own], 1, "entity list"), (["move", "--yes", "--passphrase-file", other], 1, "wrong passphrase"),
        (["entity"], 2, "subcommand"), (["entity", "add"], 2, "name"), (["entity", "add", "My Club", *own], 1, "a-z"),
        (["entity", "add", "x", "--door", "ajar", *own], 2, "open"), (["entity", "add", "x", "--from", nowhere, *own, *sealed], 1, nowhere),
        (["entity", "remove", "x", *own], 1, "--yes"), (["entity", "remove", "x", "--yes", *own], 1, "entity list"),
        (["entity", "remove", "default", "--yes", *own], 1, "bivouac panic"), (["entity", "quota", "x", "--posts", "5", *own], 1, "entity list"),
        (["entity", "quota", "default", "--bytes", "1Q", *own], 1, "500M"), (["entity", "export", "default"], 2, "file"),
        (["entity", "owner", "x", *own, *fresh], 1, "entity list"), (["panic"], 1, "--now")])
    check(not os.path.exists(backup), "a backup all the same")
    node.data, elsewhere = nowhere, node.data
    tries([(args, 1, nowhere) for args in (
        ["passphrase", "list", *own], ["backup", backup, *own, *sealed], ["export", backup, *own], ["lock"], ["unlock", *own], ["panic", "--now"],
        ["move", "--yes", *own], ["entity", "list", *own])])
    check(not os.path.exists(nowhere), "a directory was made")
    node.data = elsewhere
    node.start()
    tries([(["unlock", *own], 1, "not locked"), (["import", words, *own], 1, "bivouac stop"), (["run", "--no-tor", *own], 1, "another bivouac"),
           (["entity", "add", "x", "--from", words, *own, *sealed], 1, "bivouac stop"),
           (["entity", "remove", "default", "--yes"], 1, "bivouac panic"), (["entity", "list", "--as", "nobody"], 1, "entity list")])
    node.do("lock")
    tries([(args, 1, "bivouac unlock") for args in (["feed"], ["post", "x"], ["move", "--yes"], ["entity", "list"], ["entity", "add", "x"])])
    check_equal(node.cli("unlock", *own, timeout=60)[0], 0, "unlocked")
    check_equal(len(node.json("entity", "list")["entities"]), 1, "entities after all that")


def test_long_and_odd_texts(stage):
    """What fits arrives as it is; what does not fit is refused and leaves nothing."""
    node = stage.node("alice", "none")
    odd = ["", " ", "\t\n", "a" * 512, "𝄞" * 100, "\u202e right to left", "--help", "-", "\x01\x7f", "null", "{\"a\":1}", "%s%n"]
    for text in odd:
        code, out, err = node.cli("post", "--json", "--", text)
        check(code in (0, 1, 2), "post %r: exit code %d" % (text, code))
        check(code != 0 or node.has_text(text), "post %r was accepted and is not in the feed" % text)
        check(code == 0 or err.strip(), "post %r failed without a word" % text)
        check(code == 0 or text in ("", " ", "\t\n", "\x01\x7f"), "post %r was refused: %s" % (text, err.strip()))
    done = subprocess.run([node.program.encode(), b"post", b"--data", node.data.encode(), b"\xff\xfe broken"],
                          capture_output=True, timeout=20, env=node.env)
    check(done.returncode in (1, 2) and done.stderr.strip(), "text that is no UTF-8: exit code %d" % done.returncode)
    code, _, err = node.cli("post", "x" * 100_000)
    check(code in (0, 1) and (code == 0 or err.strip()), "a text of 100,000 characters: exit code %d" % code)
    node.need_alive()


@limit(150)
def test_full_disk(stage):
    """The data on a tiny disk: posting fails with a word, what was acknowledged stays, space brings it back."""
    disk = stage.sub("disk")
    mounted = True
    try:
        isolate(mount=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=0700", "tmpfs", disk], check=True, timeout=10,
                       env=clean_env("/"))
        stage.afterwards.append(lambda: subprocess.run(["umount", disk], timeout=10, env=clean_env("/")))
    except (OSError, subprocess.SubprocessError):
        # No mounting here: a limit on the size of files gives the same errors at the same places.
        mounted = False
    node = stage.node("alice", "none", start=False, data=os.path.join(disk, "data"))
    ballast = os.path.join(disk, "ballast")  # what the owner deletes later to make room
    if mounted:
        with open(ballast, "wb") as file:
            file.write(bytes(1_500_000))
    if not mounted:
        resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))
    node.start()
    acknowledged, failure = [], None
    for i in range(60):
        path = stage.file("block", os.urandom(200_000)) if mounted or i < 1 else path
        text = "on the small disk %d" % i
        code, out, err = node.cli("post", text, "--json", "--as-is", path)
        if code == 0:
            acknowledged.append(text)
        else:
            failure = (code, err.strip())
            break
        if not mounted:
            with open(path, "r+b") as file:
                file.write(os.urandom(200_000))
    check(failure, "60 attachments of 200,000 bytes fitted on 8 MB")
    stage.say("after %d posts: %s" % (len(acknowledged), failure[1]))
    check_equal(failure[0], 1, "exit code on a full disk")
    check(failure[1] and "\n" not in failure[1], "one line says it: %r" % failure[1])
    check(acknowledged, "nothing fitted at all")
    if mounted:
        # To the last byte.
        filler = os.path.join(disk, "filler")
        try:
            with open(filler, "wb", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError:
            pass
        node.cli("post", "a small one on a disk that is full to the last byte")
        node.status()
        check(node.cli("feed", "--json")[0] in (0, 1), "reading on a full disk")
        for path in (filler, ballast):
            if os.path.exists(path):
                os.unlink(path)
        node.need_alive()
        wait_until(lambda: node.cli("post", "small and well")[0] == 0, 20, "posting works again when there is space")
        check(node.has_text("small and well"), "the small post")
    for text in acknowledged:
        check(node.has_text(text), "%r was acknowledged and is gone" % text)
    node.kill9()
    if mounted:
        node.start()
        for text in acknowledged:
            check(node.has_text(text), "%r was acknowledged and is gone after SIGKILL" % text)


@limit(150)
def test_full_disk_for_whole_nodes(stage):
    """Backup, export, restore, import and the rest where there is no room: one line says what to do, and nothing is half there."""
    disk = stage.sub("disk")
    try:
        isolate(mount=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", disk], check=True, timeout=10, env=clean_env("/"))
        stage.afterwards.append(lambda: subprocess.run(["umount", disk], timeout=10, env=clean_env("/")))
    except (OSError, subprocess.SubprocessError):
        stage.say("no mounting here: /dev/full is all that can be tried")
        disk = None
    node = stage.node("alice", "none", start=False)
    words = stage.file("words", node.passphrase.encode())
    own, sealed = ["--passphrase-file", words], ["--backup-passphrase-file", words]
    key = stage.file("key", os.urandom(64))
    small = stage.node("small", "none", start=False, data=os.path.join(disk or stage.top, "small"))
    node.start()
    for number in range(3):
        node.do("post", "file %d" % number, "--as-is", stage.file("f%d" % number, os.urandom(1_500_000)))
    whole, archive = os.path.join(stage.top, "whole"), os.path.join(stage.top, "whole.tar.zst")
    node.do("backup", whole, "--key-file", key, *own, timeout=60)
    node.do("export", archive, *own, timeout=60)
    if not disk:
        return

    def no_room(one, *verb, words="no room"):
        before = sorted(os.listdir(disk))
        error = one.refused(*verb, timeout=60).splitlines()[-1]
        check(words in error and "space" in error, "%r: %s" % (verb[0], error))
        return before == sorted(os.listdir(disk))
    for verb in (["backup", os.path.join(disk, "b"), "--key-file", key], ["export", os.path.join(disk, "b.tar.zst")],
                 ["entity", "export", "default", os.path.join(disk, "s"), *sealed]):
        check(no_room(node, *verb, *own), "%s leaves something behind" % verb[0])
    again = Node(node.program, stage.top, "again", None, data=os.path.join(disk, "again"))
    no_room(again, "restore", whole, "--key-file", key, "--new-passphrase-file", words)
    check_equal([n for n in os.listdir(again.data) if n != "lock"], [], "what a restore leaves")

    check("the same command" in small.refused("import", archive, *own, timeout=60), "import")
    listed = small.json("entity", "list", *own)["entities"][0]
    filler = os.path.join(disk, "filler")
    for verb in (["passphrase", "change", "--new-passphrase-file", stage.file("other", b"other words")], ["move", "--yes"],
                 ["entity", "add", "second"], ["backup", whole + "2", "--key-file", key]):
        try:
            with open(filler, "ab", buffering=0) as file:
                while file.write(bytes(4096)):
                    pass
        except OSError:
            pass
        code, _, error = small.cli(*verb, *own, timeout=60)
        # What is small may fit into the log that the import left.
        check((code, "space" in error) == (1, True) or (code == 0 and verb[0] in ("move", "entity")), "%r: %d %s" % (verb[0], code, error))
    os.unlink(filler)
    check(small.json("entity", "list", *own)["entities"][0]["posts"] >= listed["posts"], "as it was")
    subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True, timeout=10, env=clean_env("/"))
    took = small.json("import", archive, *own, timeout=60)
    check_equal((took["refused"], took["attachments_missing"]), (0, 0), "with space")
    small.start()
    check_equal(sorted(small.texts()), ["file 0", "file 1", "file 2"], "all of it")
    small.stop()
    os.chmod(disk, 0o700)
    with open(filler, "wb") as file:
        file.write(bytes(1 << 20))
    check_equal(small.json("panic", "--now")["left"], [], "and destroyed")


def test_passphrase_from_a_file(stage):
    """The line end is not part of it; others may not read the file; an empty one is refused."""
    path = stage.file("secret", b"from a file\r\n")
    node = stage.node("alice", "none", start=False)
    node.data = os.path.join(stage.top, "byfile")
    os.chmod(path, 0o600)
    node.do("init", "--passphrase-file", path)
    node.passphrase = "from a file"
    node.start()
    node.stop()
    empty = stage.file("empty", b"")
    node.data = os.path.join(stage.top, "byempty")
    code, _, err = node.cli("init", "--passphrase-file", empty)
    check(code in (1, 2) and err.strip(), "an empty passphrase: exit code %d" % code)
    code, _, err = node.cli("init", "--passphrase-file", os.path.join(stage.top, "nosuchfile"))
    check(code in (1, 2) and err.strip(), "a passphrase file that is not there: exit code %d" % code)
    check(not os.path.exists(os.path.join(node.data, "bivouac.db")), "an init that failed leaves no database")


def test_stop_verb(stage):
    node = stage.node("alice", "none")
    node.do("stop")
    check_equal(node.process.wait(6 * PATIENCE), 0, "exit code of the node after `stop`")

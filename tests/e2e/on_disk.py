# SPDX-License-Identifier: BSD-3-Clause
"""Nothing readable on disk: text, names, addresses, keys and passphrase are looked for in every file.

The whole data directory is searched (database, WAL, journals, tor's folder), the temporary directory,
and files that are open but have no name any more; while the node runs, after SIGKILL, and after a clean
end.  Each secret is looked for in the forms that it could take: raw, hex, base64 at each of its three
alignments, and UTF-16.
"""
import base64
import os

from harness import check
from node import follow, limit, picture

MARK = b"a-mark-inside-the-picture-4711"
TEXT = "The lighthouse keeper reads Lichtenberg at night"
REPLY = "Zweiundvierzig Heringe im Nebel"
PASSPHRASE = "slow violet tractor under glass"


def forms(secret, text=True):
    """All the byte strings that would betray this one."""
    found = {secret, secret.hex().encode(), secret.hex().upper().encode()}
    for shift in range(3):
        whole = base64.b64encode(b"\0" * shift + secret)
        # Without the characters that also depend on what stands before and after.
        end = len(whole.rstrip(b"=")) - 1
        part = whole[(0, 2, 3)[shift]:end]
        found |= {part, part.replace(b"+", b"-").replace(b"/", b"_")}
    if text:
        decoded = secret.decode()
        found |= {decoded.encode("utf-16-le"), decoded.encode("utf-16-be"), decoded.upper().encode(), decoded.lower().encode()}
    found.add(base64.b32encode(secret).rstrip(b"=")[:-1])
    found.add(base64.b32encode(secret).rstrip(b"=")[:-1].lower())
    return {f for f in found if len(f) >= 12}


class Scan:
    def __init__(self):
        self.patterns = []   # (name, bytes)
        self.files, self.bytes = 0, 0
        self.hits = []

    def secret(self, name, value, text=True):
        self.patterns += [(name, form) for form in forms(value.encode() if isinstance(value, str) else value, text)]

    def data(self, where, content):
        self.files += 1
        self.bytes += len(content)
        for name, pattern in self.patterns:
            if pattern in content:
                self.hits.append("%s in %s (as %r)" % (name, where, pattern[:40]))

    def tree(self, top):
        for folder, folders, names in os.walk(top):
            for name in names + folders:
                path = os.path.join(folder, name)
                # A name gives away as much as a content.
                self.data("the name " + path, os.path.relpath(path, top).encode())
            for name in names:
                path = os.path.join(folder, name)
                if os.path.isfile(path) and not os.path.islink(path):
                    with open(path, "rb") as file:
                        self.data(path, file.read())

    def unnamed(self, pid):
        """Files that a process has open and that have been deleted, or never had a name."""
        try:
            descriptors = os.listdir("/proc/%d/fd" % pid)
        except OSError:
            return
        for name in descriptors:
            path = "/proc/%d/fd/%s" % (pid, name)
            try:
                target = os.readlink(path)
                if target.endswith(" (deleted)") and not target.startswith(("/memfd:", "/dev/shm/")):
                    with open(path, "rb") as file:
                        self.data(target, file.read(1 << 26))
            except OSError:
                continue

    def clean(self, when):
        check(not self.hits, "%s, readable on disk: %s" % (when, "; ".join(sorted(set(self.hits))[:6])))


def secrets_of(stage, nodes):
    scan = Scan()
    scan.secret("a post's text", TEXT)
    scan.secret("a post's text", REPLY)
    scan.secret("words of a post", TEXT[4:30])
    scan.secret("the attachment", MARK)
    scan.secret("the attachment's name", "holiday-in-the-fog.png")
    scan.secret("the passphrase", PASSPHRASE)
    for node in nodes:
        scan.secret("%s's address" % node.name, node.onion)
        scan.secret("%s's public key" % node.name, base64.b32decode(node.onion.upper())[:32], text=False)
    for address, expanded in (stage._fake.keys.items() if stage._fake else ()):
        scan.secret("an onion's secret key", expanded[:32], text=False)
        scan.secret("an onion's secret key", expanded[32:], text=False)
    return scan


def scan_nodes(stage, nodes, when, app=None):
    scan = secrets_of(stage, nodes)
    if app:
        scan.secret("a Hawk key", app["hawk_key"])
        scan.secret("the app's name", "Pelican Notebook")
    for node in nodes:
        for pid in [node.pid] if node.process.alive() else []:
            scan.unnamed(pid)
        scan.tree(node.data)
        scan.tree(node.env["TMPDIR"])
    scan.clean(when)
    # Logs may name the node itself, never its peers, and no content.
    for node in nodes:
        logs = secrets_of(stage, [n for n in nodes if n is not node])
        with open(node.log, "rb") as file:
            logs.data(node.log, file.read())
        logs.clean(when)
    stage.say("%s: %d files, %d bytes, %d patterns" % (when, scan.files, scan.bytes, len(scan.patterns)))
    check(scan.files >= 4 and scan.bytes > 10000, "the scan saw hardly anything (%d files, %d bytes)" % (scan.files, scan.bytes))


def scanner_finds(stage):
    """The scan itself: each form is found where it is."""
    folder = stage.sub("planted")
    utf16, encoded = TEXT.encode("utf-16-le"), base64.b64encode(b"xy" + TEXT.encode() + b"z")
    for i, content in enumerate((TEXT.encode(), TEXT.encode().hex().encode(), utf16, encoded,
                                 base64.urlsafe_b64encode(b"x" + TEXT.encode()), base64.b64encode(TEXT.encode()))):
        scan = Scan()
        scan.secret("text", TEXT)
        path = os.path.join(folder, "file")
        with open(path, "wb") as file:
            file.write(b"\0" * 1000 + content + b"\1" * 1000)
        scan.tree(folder)
        check(scan.hits, "the scan misses form %d" % i)


def story(stage, tor):
    scanner_finds(stage)
    alice, bob = [stage.node(name, tor, start=False, passphrase=PASSPHRASE) for name in ("alice", "bob")]
    for node in (alice, bob):
        node.launch()
    for node in (alice, bob):
        node.wait_answering()
        node.wait_published(90)

    follow(alice, bob)
    app = alice.json("app", "create", "--name", "Pelican Notebook", "--read", "all", "--write", "all")
    folder = stage.sub("outside")
    path = os.path.join(folder, "holiday-in-the-fog.png")
    image = picture(300, note=MARK)
    with open(path, "wb") as file:
        file.write(image + os.urandom(900_000) + MARK)
    post = alice.post(TEXT, "--as-is", path)
    bob.wait_text(TEXT, 60)
    bob.post(REPLY, "--to", "public")
    bob.post(REPLY + " for alice", "--to", alice.entity)

    check(MARK in bob.attachment(alice.entity, post["id"], "picture-1.png"), "the picture at bob")
    for i in range(20):
        alice.post("%s, part %d" % (TEXT, i))
    bob.wait_text("%s, part 19" % TEXT, 60)

    nodes = [alice, bob]
    scan_nodes(stage, nodes, "while they run", app)
    alice.kill9()
    bob.kill9()
    scan_nodes(stage, nodes, "after SIGKILL", app)
    for node in nodes:
        node.start(published=False)
    check(TEXT in bob.texts(), "bob's feed after SIGKILL")
    for node in nodes:
        node.stop()
    scan_nodes(stage, nodes, "after a clean end", app)
    for node in nodes:
        for folder, folders, names in os.walk(node.data):
            for name in names + folders + ["."]:
                mode = os.lstat(os.path.join(folder, name)).st_mode
                check(mode & 0o077 == 0 or os.path.islink(os.path.join(folder, name)),
                      "others may look at %s (%o)" % (os.path.join(folder, name), mode & 0o777))


@limit(180)
def test_nothing_readable_on_disk(stage):
    story(stage, "fake")


@limit(240)
def test_nothing_readable_on_disk_with_a_tor_of_its_own(stage):
    """Here tor's own folder lies inside the data directory."""
    story(stage, "child")

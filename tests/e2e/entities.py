# SPDX-License-Identifier: BSD-3-Clause
"""Several entities on one node: what each has for herself, that nothing shows they live together, hosting, moving one alone."""
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import tent
from apps import App, Page
from harness import check, check_equal, wait_until
from keys import file_of, restore
from node import Node, PASSPHRASE, follow, limit, noise, picture as picture_of

KILLS = 50
OWNER_WORDS = "words of her own"


class Face(Node):
    """An entity of a node: the verbs of Node, in her name."""

    def __init__(self, house, name, owner_file=None):
        self.house, self.name = house, name
        self.owner_file, self.tor, self.app = owner_file, house.tor, None
        self.entity = [e["entity"] for e in house.json("entity", "list")["entities"] if e["name"] == name][0]

    def raw(self, *args, **more):
        extra = ["--as", self.name] + (["--owner-passphrase-file", self.owner_file] if self.owner_file else [])
        return self.house.raw(args[0], *extra, *args[1:], **more)

    def need_alive(self):
        self.house.need_alive()

    def log_tail(self, lines=25):
        return self.house.log_tail(lines)


def add(house, name, *args):
    made = house.json("entity", "add", name, *args, timeout=60)
    face = Face(house, name)
    check_equal(made["entity"], face.entity, "the address")
    if house.tor is not None:
        face.wait_published()
    return face


@limit(240)
def test_two_on_one_node(stage):
    """Each has her own address, followers, groups, door, feed; added and removed while the node runs."""
    alice, bob = stage.node("alice"), stage.node("bob")
    club = add(alice, "club")
    check(club.entity != alice.entity, "an address of her own")
    check_equal(alice.refused("entity", "add", "club").count("already"), 1, "a name twice")
    for wrong in ("", "Club", "1st", "a" * 33, "a b", "../x"):
        check("a-z" in alice.refused("entity", "add", wrong), "the name %r" % wrong)
    for verb in (["status"], ["feed"], ["move", "--yes"], ["entity", "list"]):
        check("entity list" in alice.refused(*verb, "--as", "nobody"), "a name that is not there: %r" % verb)

    bob.do("follow", club.entity)
    club.wait_follower(bob.entity, "pending")
    check_equal(alice.followers(), {}, "the other one's desk")
    club.do("followers", "approve", bob.entity)
    bob.wait_following(club.entity, "approved")
    club.post("from the club")
    alice.post("from alice")
    bob.wait_text("from the club")
    check_equal((club.texts(), alice.texts()), (["from the club"], ["from alice"]), "two feeds")
    check(not bob.has_text("from alice"), "bob follows one of them")
    bob.do("follow", alice.entity)
    alice.wait_follower(bob.entity, "pending")
    check_equal(club.followers(), {bob.entity: "approved"}, "asking one is not asking the other")
    club.do("door", "sealed")
    check_equal((json.loads(alice.cli("door", "--json")[1])["door"], json.loads(club.cli("door", "--json")[1])["door"]),
                ("vetted", "sealed"), "doors")
    club.do("group", "add", "Friends")
    check("Friends" not in alice.do("group", "list"), "groups")
    made = club.json("app", "create", "--name", "Of the club")
    check("Of the club" not in json.dumps(alice.json("app", "list")), "apps")
    answer = alice.get("/posts", credentials=tent.Credentials(made["id"], made["hawk_key"], made["app"]))
    check_equal(answer.status, 403, "the key of an app of the other: %r" % answer.body[:200])
    mine, hers = ({d["post"] for d in one.json("deliveries")["deliveries"] if d["type"].startswith(tent.STATUS)} for one in (alice, club))
    check_equal((len(mine), len(hers)), (0, 1), "ledgers: bob is told of the club's post only")
    code, _, err = alice.cli("show", club.entity, club.feed()[0]["id"])
    check_equal(code, 1, "posts of the other: %s" % err)

    # One may follow the other like anybody else, over tor.
    club.do("followers", "approve", bob.entity)
    alice.do("follow", club.entity)
    club.wait_follower(alice.entity, "pending")
    club.do("followers", "approve", alice.entity)
    club.post("to the other one")
    alice.wait_text("to the other one")

    # A host name of one never answers at the listener of the other.
    for one, other in ((alice, club), (club, alice)):
        check_equal(one.get("/", host=other.host).status, one.get("/", host="x" * 56 + ".onion").status, "the other's name")
    alice.restart()
    club.wait_published()
    check_equal(club.texts(), ["from the club", "to the other one"], "after a restart")
    club.post("after the restart")
    bob.wait_text("after the restart")

    check("nothing was done" in alice.refused("entity", "remove", "club"), "asked once")
    old = club.listen
    alice.do("entity", "remove", "club", "--yes", timeout=60)
    check_equal([e["name"] for e in alice.json("entity", "list")["entities"]], ["default"], "gone")
    try:
        tent.request(old, "GET", "/", club.host)
        raise AssertionError("her listener answers")
    except OSError:
        pass
    check("only entity" in alice.refused("entity", "remove", "default", "--yes"), "the last one")
    check_equal(alice.texts(alice.entity), ["from alice"], "what is left")
    bob.wait_following(alice.entity, "requested")


def shape(response, face, others):
    """A response without what differs by chance or by name: to be equal for all."""
    def plain(text):
        text = text.replace(face.onion, "<onion>").replace(face.onion[:8] + "\u2026" + face.onion[-4:], "<short>")
        for name, word in others.items():
            text = text.replace(name, word)
        text = re.sub(r"sha512t256-[0-9a-f]{64}", "<digest>", text)
        text = re.sub(r"\b1[5-9]\d{11}\b", "<ms>", text)
        text = re.sub(r'"(id|post|version|hawk_id)": ?"[-_A-Za-z0-9]{22}"', r'"\1":"<id>"', text)
        text = re.sub(r"(\.onion(?:/|%2F))[-_A-Za-z0-9]{22}(?![-_A-Za-z0-9])", r"\1<id>", text)
        text = re.sub(r"\b20\d\d-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?", "<time>", text)
        text = re.sub(r"(data:image/png;base64,)[A-Za-z0-9+/=]+", r"\1<code of the address>", text)
        text = re.sub(r"\bguest-[0-9a-f]{8}=[-_A-Za-z0-9]{43}", "<cookie>", text)
        text = re.sub(r'(name="csrf" value=")[-_A-Za-z0-9]{43}', r"\1<csrf>", text)
        text = re.sub(r"\b\d{10}\b", "<s>", text)
        text = re.sub(r'"used":\d+', '"used":<bytes>', text)
        text = re.sub(r'(tsm|mac|hash|nonce)="[^"]+"', r'\1="<mac>"', text)
        return text
    by_chance = {"date": lambda value: "<date>", "etag": lambda value: "<etag %d>" % len(value)}
    if b"data:image/png;base64," in response.body:
        by_chance["content-length"] = lambda value: "<length>"  # a QR code of another address packs to another size
    headers = [(name, plain(by_chance.get(name.lower(), str)(value))) for name, value in response.headers]
    return response.status, headers, plain(response.body.decode("utf-8", "replace"))


def tokens(response):
    """Everything in a response that could be an identifier."""
    text = "\n".join("%s: %s" % pair for pair in response.headers) + "\n" + response.body.decode("utf-8", "replace")
    return set(re.findall(r"[-_A-Za-z0-9=+/]{8,}", text))


@limit(240)
def test_nothing_tells_that_they_live_together(stage):
    """All kinds of responses of two entities of one node, and of two nodes: the same shape, and nothing in common but what all share."""
    house, away = stage.node("house"), stage.node("away")
    inside = add(house, "second")
    faces = [house, inside, away]
    bob = stage.node("bob")
    picture = stage.file("picture.png", picture_of())
    for face in faces:
        bob.do("follow", face.entity)
        face.wait_follower(bob.entity, "pending")
        face.do("followers", "approve", bob.entity)
        bob.wait_following(face.entity, "approved")
    posts = {}
    for face in faces:
        posts[face.onion] = face.json("post", "the same words", "--to", "public", "--attach", picture)["post"]
        face.post("for followers")
    others = {bob.onion: "<bob>"}
    keys = {}
    for face in faces:
        app = face.json("app", "create", "--name", "Notes", "--read", "all", "--write", "all")
        keys[face.onion] = tent.Credentials(app["id"], app["hawk_key"], app["app"])

    def ask(face, method, target, signed=False, **more):
        target = target.format(me=tent.escape(face.entity), post=posts[face.onion]["id"],
                               version=posts[face.onion]["version"]["id"], file=posts[face.onion]["attachments"][0]["digest"])
        return face.get(target, method=method, credentials=keys[face.onion] if signed else None, **more)

    asked = [("HEAD", "/", {}), ("GET", "/", {}), ("GET", "/posts/{me}/meta", {}), ("GET", "/posts", {}), ("HEAD", "/posts", {}),
             ("GET", "/posts?limit=1&max_refs=5&profiles=entity", {}), ("GET", "/posts/{me}/{post}", {}),
             ("GET", "/posts/{me}/{post}?version={version}", {}), ("GET", "/posts/{me}/" + "x" * 22, {}), ("GET", "/nothing", {}),
             ("GET", "/posts/{me}/{post}/attachments/picture-1.png", {}), ("GET", "/attachments/{me}/{file}", {}),
             ("GET", "/attachments/{me}/sha512t256-" + "0" * 64, {}), ("OPTIONS", "/posts", {"headers": [("Origin", "https://app.example")]}),
             ("GET", "/server", {}), ("POST", "/posts", {"body": b"{}", "content_type": "application/json"}),
             ("PUT", "/posts/{me}/" + "y" * 22, {"body": b"{}", "content_type": tent.post_media_type(tent.STATUS + "#")}),
             ("GET", "/oauth/authorize?client_id=" + "z" * 22, {}), ("POST", "/oauth/token", {"body": b"{}", "content_type": "application/json"}),
             ("DELETE", "/posts/{me}/{post}", {}), ("BREW", "/", {}), ("GET", "/posts?since=x", {}), ("GET", "/discover?entity=http://a", {}),
             ("GET", "/posts?types=" + tent.escape(tent.STATUS), {"signed": True}), ("GET", "/server", {"signed": True}), ("GET", "/posts/{me}/{post}", {"signed": True}),
             ("POST", "/batch", {"signed": True, "body": b"x", "content_type": "multipart/form-data; boundary=y"})]
    # What a browser gets, too, and what may be had under the one address only.
    page = {"headers": [("Accept", "text/html,application/xhtml+xml;q=0.9")]}
    asked += [("GET", target, page) for target in ("/", "/posts", "/posts/{post}", "/posts/{me}/{post}", "/follow", "/login", "/me", "/me/node",
                                                   "/feed.atom", "/open/" + "o" * 22, "/nothing", "/style-x.css", "/posts/{me}/meta")]
    asked += [("POST", "/login", dict(page, body=b"passphrase=x", content_type="application/x-www-form-urlencoded")),
              ("POST", "/me/panic", dict(page, body=b"now=1", content_type="application/x-www-form-urlencoded"))]
    shared, seen = None, [set(), set(), set()]
    for method, target, more in asked:
        more = dict(more)
        answers = [ask(face, method, target, **more) for face in faces]
        shapes = [shape(answer, face, others) for answer, face in zip(answers, faces)]
        what = "%s %s %s" % (method, target, "signed" if more.get("signed") else "")
        check_equal(shapes[1], shapes[2], "the second of the house and another node: " + what)
        check_equal(shapes[0], shapes[1], "the two of the house: " + what)
        for known, answer in zip(seen, answers):
            known |= tokens(answer)
    check(len(seen[0]) > 100, "enough was looked at: %d" % len(seen[0]))
    together, apart = seen[0] & seen[1], seen[0] & seen[2]
    check_equal(sorted(together - apart), [], "what only the two of one node have in common")

    # Nor by what they fetch: a file that one of them has comes to the other by a request of her own.
    file = stage.file("only.bin", noise(30_000))
    made = bob.json("post", "a file for each", "--to", house.entity, "--to", inside.entity, "--as-is", file)["post"]
    for face in (house, inside):
        face.do("follow", bob.entity)
        bob.wait_follower(face.entity, "pending")
        bob.do("followers", "approve", face.entity)
    for face in (house, inside):
        check_equal(face.attachment(bob.entity, made["id"], "file-1.bin"), open(file, "rb").read(), "the file")
    ways = {user for user, onions in house.tor.users().items() if bob.onion in onions}
    check(len(ways) >= 2, "circuits of their own to one peer: %r" % ways)
    check(all(len(onions) == 1 for onions in house.tor.users().values()), "no circuit for two peers")


@limit(240)
def test_hosting(stage):
    """An owner with a passphrase of her own: the host sees how she is, not what she has; limits."""
    alice, bob = stage.node("alice"), stage.node("bob")
    carol = add(alice, "carol")
    carol.post("written before she had a passphrase")
    words, wrong = file_of(stage, OWNER_WORDS), file_of(stage, "not hers")
    alice.do("entity", "owner", "carol", "--new-passphrase-file", words, timeout=60)
    check("belongs to somebody else" in alice.do("entity", "list"), "the list says so")
    for verb in (["feed"], ["post", "x"], ["followers"], ["following"], ["deliveries"], ["show", carol.entity, "meta"], ["app", "list"],
                 ["door"], ["group", "list"], ["invite", "list"], ["audience", "--to", "public"], ["follow", bob.entity], ["onion-key", "/tmp/no"],
                 ["attachment", carol.entity, "meta", "x"]):
        check("belongs to somebody else" in carol.refused(*verb), "the host: %r" % verb)
    for verb in (["status"], ["status", "--outages"]):
        carol.do(*verb)
    check_equal(Face(alice, "carol", wrong).refused("feed").count("wrong owner passphrase"), 1, "another passphrase")
    check("wrong owner passphrase" in alice.refused("entity", "owner", "carol", "--owner-passphrase-file", wrong, "--none", timeout=60),
          "only she changes it")
    hers = Face(alice, "carol", words)
    check_equal(hers.texts(), ["written before she had a passphrase"], "she herself")
    out = os.path.join(stage.top, "c.tar.zst")
    refused = alice.cli("export", out, "--as", "carol", "--passphrase-file", "-", stdin=PASSPHRASE.encode(), timeout=60)
    check_equal((refused[0], "belongs to somebody else" in refused[2], os.path.exists(out)), (1, True, False), "export by the host")
    sealed = os.path.join(stage.top, "c.sealed")
    refused = alice.cli("entity", "export", "carol", sealed, "--passphrase-file", file_of(stage, PASSPHRASE),
                        "--backup-passphrase-file", file_of(stage, "any"), timeout=60)
    check_equal((refused[0], "belongs to somebody else" in refused[2]), (1, True), "moving her without her: %r" % (refused,))

    # Her apps: her passphrase, not the host's.
    app = App(hers).register()
    refused = app.answer(Page(app.page()), "allow", passphrase=PASSPHRASE)
    check_equal(refused.status, 403, "the host's passphrase on her consent page")
    check_equal(app.answer(Page(refused), "allow", passphrase=OWNER_WORDS).status, 302, "hers")

    # Limits.
    for amount in (["--bytes", "1Q"], ["--bytes", "-5"], ["--bytes", "K"], ["--bytes", "1KM"], ["--bytes", "9999999T"], ["--posts", "-5"]):
        check(any(w in alice.refused("entity", "quota", "carol", *amount) for w in ("not a size", "a number of posts")), "%r" % amount)
    alice.do("entity", "quota", "carol", "--bytes", "200K")
    listed = {e["name"]: e for e in alice.json("entity", "list")["entities"]}
    check_equal((listed["carol"]["most_bytes"], listed["default"]["most_bytes"]), (200 << 10, None), "the limit")
    check(0 < listed["carol"]["bytes"] < 100_000 and listed["carol"]["posts"] > 3, "what she holds: %r" % listed["carol"])
    big = stage.file("big.bin", os.urandom(300_000))
    check("limit of this entity" in hers.refused("post", "too much", "--as-is", big), "over her limit")
    hers.post("still room for this")
    before = {e["name"]: e for e in alice.json("entity", "list")["entities"]}["carol"]
    half = stage.file("half.bin", os.urandom(60_000))
    made = hers.json("post", "with a file", "--as-is", half)["post"]
    after = {e["name"]: e for e in alice.json("entity", "list")["entities"]}["carol"]
    check(60_000 <= after["bytes"] - before["bytes"] < 62_000, "counted: %d" % (after["bytes"] - before["bytes"]))
    check_equal(after["posts"] - before["posts"], 1, "posts")
    alice.do("entity", "quota", "carol", "--bytes", "200K")
    again = {e["name"]: e for e in alice.json("entity", "list")["entities"]}["carol"]
    check_equal((again["posts"], again["bytes"]), (after["posts"], after["bytes"]), "counted anew")
    alice.do("entity", "quota", "carol", "--posts", "1")
    check("limit of this entity" in hers.refused("post", "one more"), "posts")
    follow(hers, bob)  # keeping relationships in order still works
    alice.do("entity", "quota", "carol")
    hers.post("no limits")
    bob.wait_text("no limits")
    alice.post("the host has none")
    check(made["id"], "made")

    # Nor with the node off.
    own = ["--passphrase-file", file_of(stage, PASSPHRASE)]
    old = hers.entity
    check("belongs to somebody else" in carol.refused("move", "--yes"), "moved by the host")
    alice.stop()
    export = os.path.join(stage.top, "none.tar.zst")
    alice.do("export", export, *own, timeout=60)
    for verb in (["move", "--yes"], ["import", export]):
        check("belongs to somebody else" in carol.refused(*verb, *own, timeout=60), "the host, node off: %r" % verb)
        check_equal(carol.refused(*verb, *own, "--owner-passphrase-file", wrong, timeout=60), "bivouac: wrong owner passphrase", "%r" % verb)
    check_equal([e["entity"] for e in alice.json("entity", "list", *own, timeout=60)["entities"] if e["name"] == "carol"], [old], "still there")
    new = carol.json("move", "--yes", *own, "--owner-passphrase-file", words, timeout=60)["entity"]
    check(new != old, "she herself")


@limit(300)
def test_one_moves_alone(stage):
    """Out of a node of two into a node of her own, and from there into another one's: posts, followers, keys come along, nothing of the others."""
    alice, bob = stage.node("alice"), stage.node("bob")
    club = add(alice, "club")
    follow(club, bob)
    picture = stage.file("picture.png", noise(70_000))
    made = club.json("post", "with a picture", "--as-is", picture)["post"]
    alice.json("post", "alice's own", "--as-is", picture)
    bob.wait_text("with a picture")
    club.do("group", "add", "Close")
    club.do("door", "sealed")
    sealed = os.path.join(stage.top, "club.sealed")
    words = ["--backup-passphrase-file", file_of(stage, "words of the file")]
    own = ["--passphrase-file", file_of(stage, PASSPHRASE)]
    texts, followers, groups = club.texts(), club.followers(), club.json("group", "list")
    alice.do("entity", "export", "club", sealed, *words, *own, timeout=60)
    check("there already" in alice.refused("entity", "export", "club", sealed, *words, *own, timeout=60), "nothing is overwritten")
    check("no entity of the name" in alice.refused("entity", "export", "nobody", sealed + "2", *words, *own, timeout=60), "a name")
    check_equal([n for n in os.listdir(alice.data) if "backup" in n and n != "backup.lock"], [], "what it leaves behind")
    alice.do("entity", "remove", "club", "--yes", timeout=60)
    check_equal(alice.texts(), ["alice's own"], "what stays")

    own_node = Node(alice.program, stage.top, "own", stage.fake.node("own"))
    stage.nodes.append(own_node)
    code, _, err = restore(stage, own_node, sealed, *words)
    check_equal(code, 0, err)
    own_node.start()
    check_equal((own_node.entity, own_node.texts(), own_node.followers(), own_node.json("group", "list")),
                (club.entity, texts, followers, groups), "as it was")
    own_node.post("from a node of her own")
    bob.wait_text("from a node of her own", 60)
    check_equal(own_node.raw("attachment", club.entity, made["id"], "file-1.bin")[1], open(picture, "rb").read(), "the picture")
    data = open(sealed, "rb").read()
    check(alice.onion.encode() not in data, "sealed")

    # And into a node where somebody lives already.
    carol = stage.node("carol")
    carol.post("carol's own")
    again = os.path.join(stage.top, "again.sealed")
    hers = ["--passphrase-file", file_of(stage, own_node.passphrase)]
    own_node.do("entity", "export", "default", again, *words, *hers, timeout=60)
    own_node.stop()
    check("stop it first" in carol.refused("entity", "add", "guest", "--from", again, *words, *own, timeout=60), "while it runs")
    carol.stop()
    wrong = carol.refused("entity", "add", "guest", "--from", again, "--backup-passphrase-file", file_of(stage, "x"), *own, timeout=60)
    check("another passphrase" in wrong, wrong)
    carol.do("entity", "add", "guest", "--from", again, *words, *own, timeout=60)
    check("lives here already" in carol.refused("entity", "add", "twin", "--from", again, *words, *own, timeout=60), "twice")
    moved = os.path.join(stage.top, "moved")
    carol.do("entity", "export", "default", moved, *words, *own, timeout=60)
    carol.do("move", "--yes", *own, timeout=60)
    check("by a later address" in carol.refused("entity", "add", "twin", "--from", moved, *words, *own, timeout=60), "of before a move")
    check("of the name guest" in carol.refused("entity", "add", "guest", "--from", again, *words, *own, timeout=60), "a name twice")
    carol.start()
    guest = Face(carol, "guest")
    guest.wait_published()
    check_equal((guest.entity, guest.followers(), guest.json("group", "list")), (club.entity, followers, groups), "once more")
    check_equal(guest.texts(), texts + ["from a node of her own"], "posts")
    check_equal(carol.texts(), ["carol's own"], "the other one")
    guest.post("as a guest")
    bob.wait_text("as a guest", 60)
    check_equal(guest.raw("attachment", club.entity, made["id"], "file-1.bin")[1], open(picture, "rb").read(), "the picture")


@limit(420)
def test_verbs_that_are_killed(stage):
    """add, remove, export and add --from, each killed fifty times: the node opens, and what it says is whole."""
    from keys import key_tool
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    own = ["--passphrase-file", file_of(stage, PASSPHRASE)]
    words = ["--backup-passphrase-file", file_of(stage, "words of the file")]
    chance = random.Random(11)

    def names():
        return [e["name"] for e in alice.json("entity", "list", *own, timeout=60)["entities"]]

    def killed(args, longest):
        process = subprocess.Popen([alice.program, args[0], "--data", alice.data] + args[1:], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, longest))
        process.send_signal(signal.SIGKILL)
        process.wait()

    def usual(args):
        begin = time.monotonic()
        alice.do(*args, timeout=60)
        return (time.monotonic() - begin) * 1.2

    took = usual(["entity", "add", "probe", *own])
    for turn in range(KILLS):
        killed(["entity", "add", "n%d" % turn, *own], took)
    there = names()
    check(0 < len(there) - 2 < KILLS, "some were made: %d" % (len(there) - 2))
    check_equal(len(set(there)), len(there), "each once")
    took = usual(["entity", "remove", "probe", "--yes", *own])
    there = names()
    for turn in range(KILLS):
        victim = there[-1] if len(there) > 2 else None
        if victim is None:
            alice.do("entity", "add", "more", *own, timeout=60)
            there = names()
            victim = there[-1]
        killed(["entity", "remove", victim, "--yes", *own], took)
        left = names()
        check(left == there or left == there[:-1], "turn %d: %r of %r" % (turn, left, there))
        there = left

    sealed = os.path.join(stage.top, "s")
    alice.do("entity", "add", "mover", *own, timeout=60)
    took = usual(["entity", "export", "mover", sealed, *words, *own])
    made = 0
    for turn in range(KILLS):
        path = os.path.join(stage.top, "s%d" % turn)
        killed(["entity", "export", "mover", path, *words, *own], took)
        if os.path.exists(path):
            made += 1
            check_equal(alice.cli("backup", "verify", path, *words, timeout=60)[0], 0, "a file that is there is whole")
    check(made < KILLS, "some were cut off: %d" % made)
    alice.do("entity", "remove", "mover", "--yes", *own, timeout=60)
    took = usual(["entity", "add", "probe", "--from", sealed, *words, *own])
    alice.do("entity", "remove", "probe", "--yes", *own, timeout=60)
    for turn in range(KILLS):
        killed(["entity", "add", "back", "--from", sealed, *words, *own], took)
        now = names()
        if "back" in now:
            alice.do("entity", "remove", "back", "--yes", *own, timeout=60)
    alice.do("entity", "add", "back", "--from", sealed, *words, *own, timeout=60)
    alice.do("entity", "list", *own, timeout=60)
    check_equal([n for n in os.listdir(alice.data) if "adopted" in n or "alone" in n], [], "nothing left behind")
    alice.start()
    Face(alice, "back").post("whole")

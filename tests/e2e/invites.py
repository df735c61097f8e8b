# SPDX-License-Identifier: BSD-3-Clause
"""Invites: a link, also as a QR code that another program reads, whose user is approved at once; and those worth nothing."""
import base64
import hashlib
import hmac
import json
import os
import pty
import re
import secrets
import stat
import subprocess
import time

from failures import peer
from fake_server import refusal
from harness import Failed, check, check_equal, wait_until
from node import follow, limit
from on_disk import Scan
from sharing import QUIET

SUBSCRIPTION = "https://tent.io/types/subscription/v0#all"
WORTH_NOTHING = "the invite is not valid (any more): used up, expired, or not from this address"


def proof_for(link, asker):
    """What whoever follows by the link says in version.message (docs/protocol.md)."""
    inviter, _, written = link.partition("/#invite=")
    secret = base64.b32decode(written.upper() + "=" * (-len(written) % 8))

    def mac(key, text):
        return hmac.new(key, text.encode(), hashlib.sha256).digest()
    id_ = base64.b32encode(mac(secret, "bivouac invite id")[:10]).decode().lower()
    proof = mac(mac(secret, "bivouac invite key"), "bivouac invite use\n%s\n%s" % (inviter, asker))
    return "%s.%s" % (id_, base64.urlsafe_b64encode(proof).decode().rstrip("="))


def forged(link):
    return link[:link.index("#")] + "#invite=" + base64.b32encode(secrets.token_bytes(16)).decode().lower().rstrip("=")


def scanned(path):
    """What zbarimg (Debian: zbar-tools) reads in a picture."""
    try:
        done = subprocess.run(["zbarimg", "-q", "--raw", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    except FileNotFoundError:
        raise Failed("zbarimg is not installed (Debian: zbar-tools)")
    return done.stdout.decode().strip()


def drawn(stage, text, name):
    """Half blocks as a picture, dark where they are: what somebody sees on a bright terminal."""
    rows = []
    for line in text.split("\n"):
        rows.append(["\u2580\u2588".find(c) >= 0 for c in line])
        rows.append(["\u2584\u2588".find(c) >= 0 for c in line])
    scale = 6
    pixels = b"".join((b"".join((b"\0" if dark else b"\xff") * scale for dark in row)) * scale for row in rows)
    path = os.path.join(stage.top, name)
    with open(path, "wb") as file:
        file.write(b"P5 %d %d 255\n" % (len(rows[0]) * scale, len(rows) * scale) + pixels)
    return path


def code_in(output):
    return "\n".join(line for line in output.split("\n") if re.fullmatch("[ \u2580\u2584\u2588]{20,}", line))


def on_a_terminal(node, *args):
    """What the program prints when its standard output is a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([node.program, args[0], "--data", node.data] + list(args[1:]), stdin=subprocess.DEVNULL,
                               stdout=theirs, stderr=theirs, env=node.env, cwd=node.top)
    os.close(theirs)
    out = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        out += piece
    os.close(ours)
    check_equal(process.wait(20), 0, "exit code: %r" % out)
    return out.decode().replace("\r\n", "\n")


def problem(node, entity):
    return {f["entity"]: f.get("problem", "") for f in node.json("following")["following"]}.get(entity)


def listed(node, id_):
    return {i["id"]: i for i in node.json("invite", "list")["invites"]}[id_]


def wait_told(node, entity, state="refused"):
    node.wait_following(entity, state, 60)
    wait_until(lambda: WORTH_NOTHING in problem(node, entity), 30, lambda: "told: %r\n%s" % (problem(node, entity), node.log_tail()))
    check(WORTH_NOTHING in node.do("following"), "in words")


@limit(150)
def test_whoever_has_the_link_is_let_in_at_once(stage):
    """Section 7.4: into the group, with a note; the next one is told; the secret is in no log and in no file."""
    alice, bob = stage.pair(approved=False)
    carol = stage.node("carol")
    alice.do("group", "add", "Close")
    made = alice.json("invite", "--group", "Close", "--expires", "12h")
    link, invite = made["link"], made["invite"]
    check(re.fullmatch(re.escape(alice.entity) + "/#invite=[a-z2-7]{26}", link), "the link: %r" % link)
    check_equal((invite["group"], invite["uses"], invite["left"], invite["state"]), ("Close", 1, 1, "open"), "the invite")
    check_equal(invite["expires_at"] - invite["created_at"], 12 * 3600 * 1000, "its life")
    bob.do("follow", link, "--note", "Bob here")
    bob.wait_following(alice.entity, "approved", 60)
    asks = {f["entity"]: f for f in alice.json("followers")["followers"]}[bob.entity]
    check_equal((asks["state"], asks["note"], sorted(asks["groups"])), ("approved", "Bob here", ["Close", "followers"]), "the desk")
    alice.post("for the close ones", "--to", "group:Close")
    bob.wait_text("for the close ones", 60)

    carol.do("follow", "-", stdin=(link + "\n").encode())
    wait_told(carol, alice.entity)
    check(carol.entity not in alice.followers(), "nothing of her is at the desk")
    now = listed(alice, invite["id"])
    check_equal((now["state"], now["left"], [u["entity"] for u in now["used_by"]]), ("used up", 0, [bob.entity]), "who used it")
    check(bob.entity in alice.do("invite", "list") and link not in alice.do("invite", "list"), "the list in words")
    # Without it she asks as anybody does.
    carol.do("follow", alice.entity)
    alice.wait_follower(carol.entity, "pending", 60)
    carol.wait_following(alice.entity, "requested", 60)
    check_equal(problem(carol, alice.entity), "", "the problem is over")

    scan = Scan()
    scan.secret("the secret of the link", link[-26:])
    scan.secret("the secret of the link", base64.b32decode(link[-26:].upper() + "======"), text=False)
    for node in (alice, bob, carol):
        scan.tree(node.data)
        with open(node.log, "rb") as file:
            scan.data(node.log, file.read())
    scan.clean("after all of it")
    for node in (alice, bob, carol):
        sent = [p["version"].get("message", "") for p in node.json("feed", "--all", "--limit", "200")["posts"]]
        check(link[-26:] not in json.dumps(sent), "no post holds the secret")


@limit(150)
def test_an_invite_that_is_worth_nothing(stage):
    """Section 7.4: expired, revoked and forged look the same, also when somebody waits already; then a good one."""
    alice, bob = stage.pair(approved=False)
    expired = alice.json("invite", "--expires", "1s")
    revoked = alice.json("invite", "--uses", "5")
    check("revoked" in alice.do("invite", "revoke", revoked["invite"]["id"]), "taken back")
    time.sleep(1.2)
    check_equal(sorted(i["state"] for i in alice.json("invite", "list")["invites"]), ["expired", "revoked"], "the list")
    for link in (expired["link"], revoked["link"], forged(expired["link"])):
        bob.do("follow", link)
        wait_told(bob, alice.entity)
        check_equal(alice.followers(), {}, "nobody asks")
        bob.do("unfollow", alice.entity)
    check("not whole" in bob.refused("follow", expired["link"][:-1]), "a link that was cut")
    check("onion" in bob.refused("follow", "http://example.com/#invite=" + expired["link"][-26:]), "not an onion's")
    check("your own" in alice.refused("follow", expired["link"]), "her own")

    bob.do("follow", alice.entity, "--note", "first")
    alice.wait_follower(bob.entity, "pending", 60)
    bob.wait_following(alice.entity, "requested", 60)
    bob.do("follow", forged(expired["link"]), "--note", "second")
    wait_told(bob, alice.entity, "requested")
    asks = alice.json("followers")["followers"]
    check_equal([(f["state"], f["note"]) for f in asks], [("pending", "first")], "what was is as it was")
    bob.do("follow", alice.json("invite")["link"])
    bob.wait_following(alice.entity, "approved", 60)
    check_equal(problem(bob, alice.entity), "", "the problem is over")


@limit(150)
def test_several_uses_a_sealed_door_and_a_restart(stage):
    alice, bob = stage.pair(approved=False)
    carol = stage.node("carol")
    alice.do("door", "sealed")
    made = alice.json("invite", "--uses", "2", "--expires", "2w")
    alice.restart()
    for node in (bob, carol):
        node.do("follow", made["link"])
        node.wait_following(alice.entity, "approved", 60)
    check_equal(listed(alice, made["invite"]["id"])["left"], 0, "used up")
    # Once more by one of them uses nothing.
    bob.do("unfollow", alice.entity)
    wait_until(lambda: bob.entity not in alice.followers(), 30, "she left")
    bob.do("follow", made["link"])
    bob.wait_following(alice.entity, "approved", 60)
    # Removed and denied people do not come back by a link of before.
    other = alice.json("invite", "--uses", "3")
    alice.do("followers", "remove", bob.entity)
    bob.do("unfollow", alice.entity)
    bob.do("follow", other["link"])
    wait_told(bob, alice.entity)
    check_equal(alice.followers()[bob.entity], "removed", "she stays out")
    bob.do("follow", alice.json("invite")["link"])
    bob.wait_following(alice.entity, "approved", 60)


@limit(150)
def test_the_code_is_read_by_another_program(stage):
    alice = stage.node("alice")
    png = os.path.join(stage.top, "code.png")
    out = alice.do("invite", "--png", png, "--qr")
    link = out.split("\n")[0]
    check(link.startswith(alice.entity + "/#invite="), "the first line is the link: %r" % out)
    check("secret" in out, "that it is one is said")
    check_equal(scanned(png), link, "the picture")
    check_equal(stat.S_IMODE(os.stat(png).st_mode), 0o600, "nobody else reads it")
    check_equal(scanned(drawn(stage, code_in(out), "plain.pgm")), link, "half blocks")
    check("is there already" in alice.refused("invite", "--png", png), "nothing is overwritten")
    check_equal(len(alice.json("invite", "list")["invites"]), 1, "and no link is lost")
    with open(png, "rb") as file:
        check_equal(scanned(png), link, "it is as it was")
        before = file.read()
    again = alice.do("invite", "--png", png, "--force").split("\n")[0]
    check_equal(scanned(png), again, "with --force")
    check(again != link and code_in(again) == "", "another one, and no code where none is wanted")
    with open(png, "rb") as file:
        check(file.read() != before, "written anew")
    check("/" in alice.refused("invite", "--png", "/nowhere/code.png"), "a place that is none")
    check_equal(len(alice.json("invite", "list")["invites"]), 2, "no invite is made for it")
    check("\u2588" not in alice.do("invite"), "no code where the output is no terminal")

    shown = on_a_terminal(alice, "invite")
    coloured = [line for line in shown.split("\n") if "\u2588" in line]
    check(coloured and all(line.startswith("\x1b[38;5;16;48;5;231m") and line.endswith("\x1b[0m") for line in coloured), "colours")
    plain = re.sub("\x1b\\[[0-9;]*m", "", shown)
    check_equal(scanned(drawn(stage, code_in(plain), "terminal.pgm")), plain.split("\n")[0], "on a terminal")
    for bad in (["--uses", "0"], ["--uses", "1001"]):
        alice.refused("invite", *bad, code=2)
    for bad in (["--expires", "soon"], ["--expires", "366d"], ["--group", "nobody"]):
        alice.refused("invite", *bad)
    check("no such invite" in alice.refused("invite", "revoke", "nothing"), "what is not there")


@limit(150)
def test_as_another_server_sees_it(stage):
    """Section 7.4, and 2.6 for the message: what is said on the wire, in both directions."""
    alice = stage.node("alice")
    first, second = peer(stage, "first"), peer(stage, "second")
    made = alice.json("invite")

    def ask(one, message):
        subscription = one.publish(SUBSCRIPTION, {"type": "all"}, mentions=[{"entity": alice.entity}],
                                   version={"message": message})
        return one.deliver(alice.entity, subscription)
    for one in (first, second):
        one.relate(alice.entity)
    answers = [ask(second, "invite: " + word) for word in
               (proof_for(made["link"], first.entity), proof_for(forged(made["link"]), second.entity), "abc", "a.b")]
    check_equal(ask(first, "invite: " + proof_for(made["link"], first.entity) + "\nFirst\nof all").status, 200, "let in")
    asks = {f["entity"]: f for f in alice.json("followers")["followers"]}
    check_equal(list(asks), [first.entity], "one follower")
    check_equal((asks[first.entity]["state"], asks[first.entity]["note"]), ("approved", "First\nof all"), "her")
    answers.append(ask(second, "invite: " + proof_for(made["link"], second.entity)))
    check_equal([a.status for a in answers], [410] * 5, "forged and used up: %r" % answers[0].body)
    check_equal(len({a.body for a in answers}), 1, "one answer: %r" % [a.body for a in answers])
    check_equal(ask(second, "Invite: is a word").status, 200, "a note that speaks of invites is a note")
    alice.wait_follower(second.entity, "pending")

    # And as a server that was asked.
    third = peer(stage, "third")
    link = third.entity + "/#invite=" + made["link"][-26:]

    def fault(asked):
        if '"%s"' % SUBSCRIPTION in asked.headers["Content-Type"]:
            messages.append(json.loads(asked.body)["version"].get("message"))
            raise refusal(410, "gone")
    messages = []
    third.faults["notify"] = fault
    alice.do("follow", link, "--note", "  Alice here\n")
    wait_told(alice, third.entity)
    check_equal(messages, ["invite: " + proof_for(link, alice.entity) + "\nAlice here"], "the message")

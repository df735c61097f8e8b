# SPDX-License-Identifier: BSD-3-Clause
"""Passphrases that change and multiply; a node that is locked, destroyed, backed up, restored."""
import base64
import json
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time

import tent
from harness import PATIENCE, check, check_equal, start_time, same_process, wait_until
from node import PASSPHRASE, Node, limit, noise

KILLS = 50
WRONG = "a passphrase that nobody chose 4711"
STATUS = "https://tent.io/types/status/v0"


def key_tool(node, what, passphrase=PASSPHRASE):
    """build/tests/interop/key_tool, beside the program."""
    tool = os.path.join(os.path.dirname(node.program), "..", "tests", "interop", "key_tool")
    done = subprocess.run([tool, what, node.data], input=passphrase.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check_equal(done.returncode, 0, "key_tool %s: %r" % (what, done.stderr))
    return done.stdout.decode().strip()


def file_of(stage, text):
    path = os.path.join(stage.top, "words-%d" % random.getrandbits(40))
    with open(path, "w") as file:
        file.write(text + "\n")
    os.chmod(path, 0o600)
    return path


class Words:
    """`bivouac passphrase`, the passphrases from files."""

    def __init__(self, stage, node):
        self.stage, self.node = stage, node

    def args(self, what, *more, now=PASSPHRASE, fresh=None):
        out = ["passphrase", what, "--data", self.node.data, "--passphrase-file", file_of(self.stage, now)]
        return out + (["--new-passphrase-file", file_of(self.stage, fresh)] if fresh is not None else []) + list(more)

    def run(self, *args, **more):
        done = subprocess.run([self.node.program] + self.args(*args, **more), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.node.env)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def do(self, *args, **more):
        code, out, err = self.run(*args, **more)
        check_equal(code, 0, "passphrase %r: %s%s" % (args, out, err))
        return out

    def refused(self, *args, **more):
        code, out, err = self.run(*args, **more)
        check_equal(code, 1, "passphrase %r: %s%s" % (args, out, err))
        check("correct horse" not in err and PASSPHRASE not in err, "the passphrase in an error")
        return err

    def opens(self, passphrase):
        return self.run("list", now=passphrase)[0] == 0


@limit(240)
def test_several_passphrases(stage):
    """Changed, added and removed while the node runs; the database is not written for it."""
    alice = stage.node("alice", None)
    words = Words(stage, alice)
    check("wrong passphrase" in words.refused("change", now="not it", fresh="x"), "another passphrase")
    check("empty" in words.refused("change", fresh=""), "an empty one")
    check("opens the node already" in words.refused("change", fresh=PASSPHRASE), "the same again")
    words.do("change", fresh="second words")
    check("wrong passphrase" in words.refused("list"), "the old one")
    words.do("add", "--name", "spare key", now="second words", fresh="third words")
    check("of that name" in words.refused("add", "--name", "spare key", now="second words", fresh="fourth"), "a name twice")
    listed = words.do("list", now="third words")
    check("spare key" in listed and "the one you gave" in listed, listed)
    check("no such passphrase" in words.refused("remove", "nobody's", now="second words"), "removing what is not there")
    alice.post("written meanwhile")
    alice.stop()
    alice.passphrase = "third words"
    alice.start()
    check("written meanwhile" in alice.texts(), "what was posted")
    words.do("remove", "spare key", now="second words")
    check("only passphrase" in words.refused("remove", words.do("list", now="second words").split()[0], now="second words"), "the last")
    alice.stop()
    code, _, err = alice.raw("run", "--passphrase-file", file_of(stage, "third words"), "--no-tor")
    check_equal((code, "wrong passphrase" in err), (1, True), "the removed one")
    alice.passphrase = "second words"
    alice.start()
    both = subprocess.run([alice.program, "passphrase", "change", "--data", alice.data, "--passphrase-file", "-",
                           "--new-passphrase-file", "-"], input=b"x", stderr=subprocess.PIPE, env=alice.env)
    check_equal((both.returncode, b"only one" in both.stderr), (1, True), "both from standard input")


@limit(240)
def test_a_change_that_is_killed(stage):
    """The old or the new passphrase opens, never neither."""
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    words, now, chance, kept = Words(stage, alice), PASSPHRASE, random.Random(5), 0
    begin = time.monotonic()
    words.do("list")
    usual = time.monotonic() - begin
    for turn in range(KILLS):
        fresh = "words %d" % turn
        process = subprocess.Popen([alice.program] + words.args("change", now=now, fresh=fresh), stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, 1.3) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
        opens = [words.opens(p) for p in (now, fresh)]
        check(opens in ([True, False], [False, True]), "turn %d: %r" % (turn, opens))
        kept += opens[0]
        now = now if opens[0] else fresh
    check(0 < kept < KILLS, "both happened: %d of %d times the old one stayed" % (kept, KILLS))
    alice.passphrase = now
    alice.start()


@limit(240)
def test_adding_and_removing_that_is_killed(stage):
    """The one that is not touched opens always, the other one is there or not; never a half."""
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    words, chance, there, turned = Words(stage, alice), random.Random(6), False, 0
    usual = {}
    for what, args in (("remove", ["second"]), ("add", ["--name", "second"])):
        if what == "remove":
            words.do("add", "--name", "second", fresh="second words")
        begin = time.monotonic()
        words.do(what, *args, fresh="second words" if what == "add" else None)
        usual[what] = time.monotonic() - begin
    there = True
    for turn in range(2 * KILLS):
        args = words.args("remove", "second") if there else words.args("add", "--name", "second", fresh="second words")
        process = subprocess.Popen([alice.program] + args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, 1.3) * usual["remove" if there else "add"])
        process.send_signal(signal.SIGKILL)
        process.wait()
        listed = words.do("list")
        now = "second" in listed
        check_equal((len(listed.splitlines()), words.opens("second words")), (2 if now else 1, now), "turn %d: %s" % (turn, listed))
        turned += now != there
        there = now
    check(0 < turned < 2 * KILLS, "both happened: %d of %d" % (turned, 2 * KILLS))
    alice.start()


@limit(480)
def test_lock_and_unlock_that_are_killed(stage):
    """The command, or the node itself while it locks or unlocks: a next start or unlock has everything."""
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    alice.start()
    alice.post("written")
    chance = random.Random(8)
    words, died = file_of(stage, alice.passphrase), 0

    def is_locked():
        # While it changes from one state to the other nobody answers for a moment.
        return wait_until(lambda: [json.loads(out)["locked"] for code, out, _ in [alice.cli("status", "--json")] if code == 0], 10,
                          "it answers")[0]
    for turn in range(KILLS):
        locked = is_locked()
        verb = ["unlock", "--passphrase-file", words] if locked else ["lock"]
        process = subprocess.Popen([alice.program, verb[0], "--data", alice.data] + verb[1:], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, 0.15))
        if turn % 2:
            process.send_signal(signal.SIGKILL)
        else:
            os.kill(alice.pid, signal.SIGKILL)
        process.wait()
        # Without its worker the node is locked, if that was asked for, or it has ended.
        if alice.process.wait(0.3) is not None:
            died += 1
            alice.start()
    if is_locked():
        check_equal(unlock(alice)[0], 0, "unlocked")
    check_equal(alice.texts(), ["written"], "its posts")
    check(died > 0, "it was killed now and then")


def memory_holds(pid, needles):
    """Which of these the memory of a process holds, whatever the rights of a page: guarded pages count, too."""
    found, looked_at, longest = set(), 0, max(len(needle) for needle in needles.values())
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            begin, end = (int(x, 16) for x in line.split()[0].split("-"))
            tail = b""
            for at in range(begin, min(end, begin + (1 << 30)), 1 << 20):
                try:
                    memory.seek(at)
                    data = memory.read(min(1 << 20, end - at))
                except (OSError, ValueError, OverflowError):
                    break  # what the kernel keeps to itself, or nobody ever wrote to
                looked_at += len(data)
                found |= {name for name, needle in needles.items() if needle in tail + data}
                tail = data[-longest:]
    check(looked_at > 1 << 20, "the memory of %d could be read" % pid)
    return found


def needles_of(node):
    key = key_tool(node, "show", node.passphrase)
    return {"data key": bytes.fromhex(key), "data key in hex": key.encode(), "data key in HEX": key.upper().encode(),
            "passphrase": node.passphrase.encode(), "passphrase in base64": base64.b64encode(node.passphrase.encode())}


def check_locked(stage, node, needles):
    check_equal(node.json("status"), {"locked": True}, "its state")
    check("unlock" in node.do("status"), "in words")
    check("the node is locked" in node.refused("feed"), "other verbs")
    wait_until(lambda: node.onion not in stage.fake.routes or not stage.fake.routes[node.onion].published, 10, "the onion is down")
    pids = node.pids()
    check_equal(len(pids), 2, "processes")
    for pid in pids:
        check_equal(memory_holds(pid, needles), set(), "in the memory of the locked node")


def unlock(node, passphrase=None):
    return node.cli("unlock", "--passphrase-file", "-", stdin=(passphrase or node.passphrase).encode(), timeout=60)


@limit(240)
def test_lock_and_unlock(stage):
    alice, bob = stage.pair()
    alice.post("before")
    bob.wait_text("before")
    needles, worker, listen = needles_of(alice), alice.pid, alice.listen
    check("data key in hex" in memory_holds(worker, needles) or "data key" in memory_holds(worker, needles),
          "the search finds the key where it must be")
    check("not locked" in unlock(alice)[2], "what is open already")
    alice.do("lock")
    check(not os.path.exists("/proc/%d" % worker), "the process that knew the key is gone")
    check_locked(stage, alice, needles)
    with socket.socket() as one:
        check(one.connect_ex(listen) != 0, "something is served while locked")
    alice.do("lock")  # once more
    code, _, err = unlock(alice, WRONG)
    check_equal((code, "wrong passphrase" in err), (1, True), err)
    check_locked(stage, alice, dict(needles, **{"wrong passphrase": WRONG.encode(),
                                                "wrong passphrase in base64": base64.b64encode(WRONG.encode())}))
    second = subprocess.run([alice.program, "run", "--data", alice.data, "--passphrase-file", "-", "--no-tor"],
                            input=alice.passphrase.encode(), stderr=subprocess.PIPE, env=alice.env, timeout=60)
    check_equal((second.returncode, b"another bivouac" in second.stderr), (1, True), "a second one beside the locked one")
    check_equal(unlock(alice)[0], 0, "the right one")
    alice.wait_published(60)
    alice.post("after")
    bob.wait_text("after", 60)
    # By signal, as a hook before a suspend does.
    alice.process.send(signal.SIGUSR1)
    wait_until(alice.is_locked, 20, "locked by signal")
    check_locked(stage, alice, needles)
    alice.stop()  # while locked
    alice.start()
    check_equal(alice.json("status")["locked"], False, "a new start asks for the passphrase as ever")


@limit(240)
def test_calls_between_two_processes(stage):
    """Locking and unlocking replace the process that answers; who calls in between waits for the next instead of hearing that there is none."""
    alice = stage.node("alice", "none", start=False)
    key_tool(alice, "cheap")
    alice.start()
    words = file_of(stage, alice.passphrase)
    for turn in range(12):
        wanted = turn % 2 == 0
        if turn % 4 == 0:
            alice.process.send(signal.SIGUSR1)
        else:
            subprocess.Popen([alice.program, "lock" if wanted else "unlock", "--data", alice.data] + ([] if wanted else ["--passphrase-file", words]),
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alice.env)
        # Each of these must be answered; Failed otherwise.
        wait_until(lambda: alice.status()["locked"] == wanted, 30, "turn %d: locked is %s" % (turn, wanted), 0.001)
    alice.process.send(signal.SIGKILL)
    wait_until(lambda: "no node is running" in alice.cli("status")[2], 30, "a dead node is called so")
    begin = time.monotonic()
    alice.refused("status")
    check(time.monotonic() - begin < 2 * PATIENCE, "soon")


@limit(120)
def test_a_hanging_node_is_locked_too(stage):
    alice = stage.node("alice")
    needles = needles_of(alice)
    os.kill(alice.pid, signal.SIGSTOP)
    begin = time.monotonic()
    alice.do("lock", timeout=40)
    check(time.monotonic() - begin < 15 * PATIENCE, "in time")
    check_locked(stage, alice, needles)
    check_equal(unlock(alice)[0], 0, "and unlocked")
    alice.wait_published(60)


@limit(300)
def test_lock_with_a_tor_of_our_own(stage):
    """On a real tor: locked, the tor that the node started is gone and with it the onion; unlocked, both are back."""
    alice, bob = stage.pair("child")
    alice.post("before")
    bob.wait_text("before", 90)
    tor, needles = alice.tor_child(), needles_of(alice)
    check(tor, "alice has a tor of her own")
    alice.do("lock", timeout=40)
    wait_until(lambda: not same_process(*tor), 10, "her tor is gone")
    for pid in alice.pids():
        check_equal(memory_holds(pid, needles), set(), "in the memory of the locked node")
    bob.post("while she is locked", "--to", "public")
    check_equal(unlock(alice)[0], 0, "unlocked")
    alice.wait_published(120)
    alice.post("after")
    bob.wait_text("after", 150)
    tor = alice.tor_child()
    check_equal(alice.json("panic", "--now", timeout=30)["left"], [], "destroyed")
    wait_until(lambda: not same_process(*tor), 20, "her tor goes with her")
    check(not os.path.exists(alice.data), "and its files")


@limit(120)
def test_idleness_locks(stage):
    alice = stage.node("alice", "fake", start=False)
    alice.extra_args = ["--lock-after", "6s"]
    alice.launch()
    alice.wait_answering()
    begin = time.monotonic()
    while time.monotonic() - begin < 9:
        alice.do("feed")  # she does something
        time.sleep(0.5)
    check_equal(alice.json("status")["locked"], False, "while she does something")
    wait_until(alice.is_locked, 30, "locked by itself")
    alice.refused("run", "--lock-after", "soon")


def panic(node, *more, **args):
    return node.cli("panic", *more, **args)


@limit(240)
def test_panic(stage):
    """Without the passphrase: while it runs, while it hangs, while it is locked, and when it is off."""
    for name, hanging, state in (("a", False, "running"), ("b", True, "running"), ("c", False, "locked"), ("d", False, "off")):
        node = stage.node(name)
        node.post("something")
        if state == "locked":
            node.do("lock")
        if state == "off":
            node.stop()
        pids = [(pid, start_time(pid)) for pid in (node.pids() if state != "off" else [])]
        if hanging:
            node.signal_all(signal.SIGSTOP)
        code, out, err = panic(node, stdin=b"no\n")
        check_equal((code, "nothing was done" in err), (1, True), "asked first: %s%s" % (out, err))
        check(os.path.exists(os.path.join(node.data, "bivouac.keys")), "nothing is gone yet")
        done = node.json("panic", "--now", timeout=30)
        check_equal((done["node_ended"], done["left"]), (state != "off", []), "%s %s" % (state, hanging))
        check(done["keys_destroyed_us"] < 2_000_000, "the slots go first: %r" % done)
        check(not os.path.exists(node.data), "what is left: %r" % (os.path.exists(node.data) and os.listdir(node.data)))
        wait_until(lambda: not any(same_process(*pid) for pid in pids), 10, "the processes are gone")
        if state == "running":
            wait_until(lambda: node.onion not in stage.fake.routes or not stage.fake.routes[node.onion].published, 10, "the onion is down")
        check("no node" in panic(node, "--now")[2], "a second time")


@limit(120)
def test_panic_leaves_what_is_not_ours_and_is_finished_after_a_kill(stage):
    alice = stage.node("alice", None, start=False)
    other = os.path.join(alice.data, "holiday.jpg")
    with open(other, "w") as file:
        file.write("mine")
    chance = random.Random(3)
    before = open(os.path.join(alice.data, "bivouac.keys"), "rb").read()
    usual = 0.03
    for _ in range(KILLS):
        process = subprocess.Popen([alice.program, "panic", "--now", "--data", alice.data], stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, usual))
        process.send_signal(signal.SIGKILL)
        process.wait()
        keys = os.path.join(alice.data, "bivouac.keys")
        if os.path.exists(keys):
            now = open(keys, "rb").read()
            check(now == before or not any(now[i:i + 160] == before[i:i + 160] for i in range(32, 1312, 160)),
                  "the slots are as they were, or gone")
    panic(alice, "--now")
    check_equal(os.listdir(alice.data), ["holiday.jpg"], "what stays")


def backup(node, stage, *more, words="words of the backup", timeout=60, **args):
    return node.cli("backup", *more, "--passphrase-file", file_of(stage, node.passphrase), "--backup-passphrase-file",
                    file_of(stage, words), timeout=timeout, **args)


def restore(stage, node, file, *more, words="words of the backup", fresh="a new passphrase"):
    node.passphrase = fresh
    return node.cli("restore", file, "--new-passphrase-file", file_of(stage, fresh), *(more or (
        "--backup-passphrase-file", file_of(stage, words))), timeout=60)


@limit(240)
def test_backup_and_restore(stage):
    """Made while the node runs and others write; verified; restored with another passphrase; the same posts, keys and address."""
    alice, bob = stage.pair()
    picture = os.path.join(stage.top, "picture.png")
    with open(picture, "wb") as file:
        file.write(noise(3 << 20))
    alice.do("post", "with a picture", "--as-is", picture)
    bob.wait_text("with a picture", 60)
    file = os.path.join(stage.top, "alice.backup")
    stop, written = [], []

    def write():
        while not stop:
            written.append(alice.post("meanwhile %d" % len(written))["id"])
    writer = threading.Thread(target=write)
    writer.start()
    try:
        check("wrong passphrase" in alice.cli("backup", file, "--passphrase-file", file_of(stage, "not it"),
                                              "--backup-passphrase-file", file_of(stage, "x"))[2], "not by the owner")
        before = len(written)
        code, out, err = backup(alice, stage, file)
        check_equal(code, 0, "backup: %s%s" % (out, err))
    finally:
        stop.append(1)
        writer.join()
    check(len(written) > before, "others wrote meanwhile")
    check_equal(stat.S_IMODE(os.stat(file).st_mode), 0o600, "mode")
    check_equal([n for n in os.listdir(alice.data) if "backup" in n and n != "backup.lock"], [], "what it leaves behind")
    check("there already" in backup(alice, stage, file)[2], "nothing is overwritten")
    data = open(file, "rb").read()
    for needle in (alice.onion.encode(), b"meanwhile", b"picture", bytes.fromhex(key_tool(alice, "show", alice.passphrase))):
        check(needle not in data, "readable in the backup: %r" % needle)

    words = ["--backup-passphrase-file", file_of(stage, "words of the backup")]
    code, out, err = alice.cli("backup", "verify", file, *words, timeout=60)
    check_equal((code, alice.entity in out), (0, True), "verify: %s%s" % (out, err))
    wrong = alice.cli("backup", "verify", file, "--backup-passphrase-file", file_of(stage, "other words"), timeout=60)
    check_equal((wrong[0], "another passphrase" in wrong[2]), (1, True), wrong[2])

    # Altered, cut off, longer, something else, nothing: named before anything is written.
    chance = random.Random(1)
    broken = {"cut": data[:len(data) // 2], "cut at the end": data[:-1], "cut at a piece": data[:40 + 24 + 65553 * 3], "longer": data + b"x",
              "head": data[:60], "empty": b"", "another file": os.urandom(100_000), "newer": data[:8] + b"\x09" + data[9:]}
    for _ in range(6):
        at = chance.randrange(len(data))
        broken["byte %d" % at] = data[:at] + bytes([data[at] ^ 1]) + data[at + 1:]
    elsewhere = Node(alice.program, stage.top, "elsewhere", None)
    for what, content in broken.items():
        path = os.path.join(stage.top, "broken")
        with open(path, "wb") as out_file:
            out_file.write(content)
        for code, _, err in (alice.cli("backup", "verify", path, *words, timeout=60), restore(stage, elsewhere, path)):
            check_equal(code, 1, "%s: %s" % (what, err))
            check(any(w in err for w in ("cut off", "altered", "no backup", "behind its end", "newer version", "another passphrase")),
                  "%s: %s" % (what, err))
        check(not os.path.exists(elsewhere.data), "%s: something was written" % what)

    posts = sorted(alice.texts())
    bob.stop()
    alice.stop()
    check("not empty" in restore(stage, alice, file)[2], "restore never overwrites")
    alice.passphrase = PASSPHRASE
    again = Node(alice.program, stage.top, "again", alice.tor)
    stage.nodes.append(again)
    code, out, err = restore(stage, again, file)
    check_equal((code, "must not run any more" in out), (0, True), "restore: %s%s" % (out, err))
    again.launch()
    again.wait_answering()
    again.entity = again.status()["entity"]
    check_equal(again.entity, alice.entity, "the address")
    restored = sorted(again.texts())
    check(set(restored) <= set(posts) and "with a picture" in restored and len(restored) >= before, "posts: %d of %d" % (len(restored), len(posts)))
    check("RESTORED" in again.do("status"), "it says so")
    again.do("restore", "--other-is-gone")
    check("RESTORED" not in again.do("status"), "until it is told")
    again.wait_published(60)
    bob.start()
    bob.wait_published(60)
    again.post("from the restored node")
    bob.wait_text("from the restored node", 90)
    code, data_of_picture, _ = again.raw("attachment", again.entity, [p for p in again.feed() if p["content"]["text"] == "with a picture"][0]["id"],
                                         "file-1.bin")
    check_equal((code, data_of_picture), (0, open(picture, "rb").read()), "the picture")


@limit(180)
def test_backup_with_a_key_file_of_a_node_that_is_off(stage):
    alice = stage.node("alice", None)
    alice.post("written")
    alice.stop()
    key, file = os.path.join(stage.top, "key"), os.path.join(stage.top, "a.backup")
    with open(key, "wb") as out:
        out.write(os.urandom(64))
    code, _, err = alice.cli("backup", file, "--key-file", key, "--passphrase-file", "-", stdin=PASSPHRASE.encode(), timeout=60)
    check_equal(code, 0, err)
    check_equal(alice.cli("backup", "verify", file, "--key-file", key)[0], 0, "with the key")
    check("--key-file" in alice.cli("backup", "verify", file, "--backup-passphrase-file", key)[2], "with a passphrase")
    short = file_of(stage, "short")
    check("at least 32" in alice.cli("backup", "verify", file, "--key-file", short)[2], "a key too short")
    again = Node(alice.program, stage.top, "again", None)
    stage.nodes.append(again)
    code, _, err = restore(stage, again, file, "--key-file", key)
    check_equal(code, 0, err)
    again.launch()
    again.wait_answering()
    check_equal(again.texts(), ["written"], "its posts")
    alice.start()  # the old one was not harmed


@limit(240)
def test_restored_post_by_post(stage):
    """Posts of all kinds with all versions, attachments, people, groups, apps, the door, what waits: as they were."""
    from importing import fill
    alice, bob = stage.node("alice"), stage.node("bob")
    fill(stage, alice, bob)
    alice.do("door", "sealed")
    bob.stop()
    alice.do("post", "waits for bob", "--to", bob.entity)
    # Apps are told that he is away, by a post that would otherwise come after the backup.
    wait_until(lambda: any("/delivery-failure/" in post["type"] for post in exported(stage, alice)[1]), 60, "that post", 1)
    file = os.path.join(stage.top, "a.backup")
    code, _, err = backup(alice, stage, file)
    check_equal(code, 0, err)

    def all_of(node):
        facts, posts, files, people, _ = exported(stage, node)
        facts.pop("made_at")
        lists = [node.json("group", "list"), node.json("followers"), node.json("following"), node.json("app", "list"),
                 node.json("invite", "list"), node.json("door"), node.json("deliveries")]
        for one in lists[-1]["deliveries"]:
            for moving in ("tries", "next_try_at", "last_problem", "problem", "why"):
                one.pop(moving, None)
        return facts, posts, files, people, lists
    before = all_of(alice)
    alice.kill9()
    again = Node(alice.program, stage.top, "again", None)
    stage.nodes.append(again)
    check_equal(restore(stage, again, file)[0], 0, "restored")
    again.launch()
    again.wait_answering()
    after = all_of(again)
    check(len(before[1]) > 15 and len(before[2]) == 2 and before[3] and before[4][-1]["deliveries"], "something to compare")
    for name, old, new in zip(("facts", "posts", "attachments", "people", "lists"), before, after):
        if name in ("posts", "lists"):
            for number, (one, other) in enumerate(zip(old, new)):
                check_equal(other, one, "%s, number %d" % (name, number))
        check_equal(new, old, name)


@limit(480)
def test_backup_and_restore_that_are_killed(stage):
    alice = stage.node("alice", None)
    alice.post("written")
    key_tool(alice, "cheap")
    chance, key = random.Random(2), os.path.join(stage.top, "key")
    with open(key, "wb") as out:
        out.write(os.urandom(64))
    whole, file = os.path.join(stage.top, "whole"), os.path.join(stage.top, "file")
    args = ["--passphrase-file", file_of(stage, PASSPHRASE), "--key-file", key]
    begin = time.monotonic()
    check_equal(alice.cli("backup", whole, *args)[0], 0, "a whole one")
    usual = time.monotonic() - begin

    def killed(*command, usual):
        process = subprocess.Popen([alice.program] + list(command), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, 1.2) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
    for _ in range(KILLS):
        killed("backup", file, "--data", alice.data, *args, usual=usual)
        if os.path.exists(file):
            check_equal(alice.cli("backup", "verify", file, "--key-file", key)[0], 0, "what is there is whole")
            os.remove(file)
    alice.post("still here")
    words = file_of(stage, PASSPHRASE)
    begin = time.monotonic()
    check_equal(Node(alice.program, stage.top, "probe", None).cli("restore", whole, "--key-file", key, "--new-passphrase-file", words,
                                                                  timeout=60)[0], 0, "a whole one")
    usual = time.monotonic() - begin
    made, again = 0, 0
    for turn in range(KILLS):
        data = os.path.join(stage.top, "r%d" % turn)
        killed("restore", whole, "--data", data, "--key-file", key, "--new-passphrase-file", words, usual=usual)
        node = Node(alice.program, stage.top, "r%d" % turn, None)
        if os.path.exists(os.path.join(data, "bivouac.db")):
            made += 1
            node.do("entity", "list", "--passphrase-file", words)
            if made <= 3:
                node.launch()
                node.wait_answering()
                check_equal(node.texts(), ["written"], "a restored node")
                node.stop()
        else:
            code, _, err = node.cli("run", "--no-tor", "--passphrase-file", words)
            check_equal((code, "no node" in err), (1, True), "no node: %s" % err)
            if os.path.exists(data) and again < 4:
                again += 1
                check_equal(restore(stage, node, whole, "--key-file", key)[0], 0, "the same command again, after %r" % os.listdir(data))
                node.do("entity", "list", "--passphrase-file", file_of(stage, node.passphrase))
        shutil.rmtree(data, ignore_errors=True)
    check(made > 0 and again > 0, "both happened: %d made, %d done again" % (made, again))
    # Keys alone may be all that somebody has: they are not taken for what a restore left.
    alone = os.path.join(stage.top, "alone")
    os.mkdir(alone, 0o700)
    shutil.copy(os.path.join(alice.data, "bivouac.keys"), alone)
    error = Node(alice.program, stage.top, "alone", None).refused("restore", whole, "--key-file", key, "--new-passphrase-file", words)
    check("not empty" in error, "keys alone: " + error)


def exported(stage, node, *more):
    """(export.json, posts, {digest: bytes}, relationships) of one export, read without bivouac."""
    name = "export-%d" % random.getrandbits(40)
    file, place = os.path.join(stage.top, name + ".tar.zst"), os.path.join(stage.top, name)
    code, out, err = node.cli("export", file, "--passphrase-file", "-", *more, stdin=node.passphrase.encode(), timeout=60)
    check_equal(code, 0, "export: %s%s" % (out, err))
    os.mkdir(place)
    subprocess.run(["tar", "--zstd", "-xf", file, "-C", place], check=True)
    place = os.path.join(place, "bivouac-export")
    with open(os.path.join(place, "export.json")) as about:
        facts = json.load(about)
    posts, files, relationships = [], {}, []
    for folder, found in (("posts", posts), (".", relationships)):
        for member in sorted(os.listdir(os.path.join(place, folder)) if os.path.isdir(os.path.join(place, folder)) else []):
            if member.endswith(".jsonl"):
                with open(os.path.join(place, folder, member)) as lines:
                    found += [json.loads(line) for line in lines]
    if os.path.isdir(os.path.join(place, "attachments")):
        for member in os.listdir(os.path.join(place, "attachments")):
            with open(os.path.join(place, "attachments", member), "rb") as one:
                files[member] = one.read()
    return facts, posts, files, relationships, open(file, "rb").read()


@limit(180)
def test_export_in_open_formats(stage):
    """Read by tar and json alone; version ids verify; what was left out is not there; no key is."""
    alice, bob = stage.pair()
    picture = os.path.join(stage.top, "picture.png")
    with open(picture, "wb") as file:
        file.write(noise(200_000))
    alice.do("post", "for all", "--to", "public")
    alice.do("post", "with a picture", "--as-is", picture)
    bob.post("by bob", "--to", alice.entity)
    alice.wait_text("by bob")
    facts, posts, files, relationships, _ = exported(stage, alice)
    check_equal((facts["format"], facts["entity"]), (1, alice.entity), "what it is")
    texts = sorted(p["content"]["text"] for p in posts if p["type"].startswith(STATUS))
    check_equal(texts, ["by bob", "for all", "with a picture"], "posts of hers and to her")
    kinds = {p["type"].split("#")[0].rsplit("/", 2)[1] for p in posts}
    check({"meta", "group", "relationship", "subscription", "status"} <= kinds, "kinds: %r" % kinds)
    check(not any("hawk_key" in json.dumps(p) for p in posts), "a key in the export")
    own = [p for p in posts if p["type"].startswith(STATUS)]
    for post in own:
        check_equal(post["version"]["id"], tent.version_id(post), "version id of %r" % post["content"])
    check_equal(list(files.values()), [open(picture, "rb").read()], "attachments")
    named = [p for p in own if p.get("attachments")][0]["attachments"][0]["digest"]
    check_equal(list(files), [named], "its name")
    check_equal([(r["entity"], r["follower"]) for r in relationships], [(bob.entity, "approved")], "relationships")

    facts, posts, files, relationships, _ = exported(stage, alice, "--only", "public")
    check_equal([p["content"]["text"] for p in posts if p["type"].startswith(STATUS)], ["for all"], "only what all may read")
    check_equal((files, relationships, facts["only_public"]), ({}, [], True), "and nothing else")
    _, posts, files, relationships, _ = exported(stage, alice, "--without", bob.entity)
    check(not any(p["entity"] == bob.entity for p in posts) and not relationships and files, "without bob")
    _, posts, _, _, _ = exported(stage, alice, "--types", STATUS)
    check_equal({p["type"].split("#")[0] for p in posts}, {STATUS}, "one type")
    _, posts, _, _, _ = exported(stage, alice, "--since", "1s")
    check_equal(len(posts), 0, "of the last second")
    taken = os.path.join(stage.top, "taken")
    open(taken, "w").close()
    check("there already" in alice.cli("export", taken, "--passphrase-file", "-", stdin=PASSPHRASE.encode())[2], "nothing is overwritten")
    check("wrong passphrase" in alice.cli("export", taken + "2", "--passphrase-file", "-", stdin=b"not it")[2], "by her alone")
    # What fits nothing would leave in what was to be kept out.
    for wrong, words in ((["--without", "bob"], "is no address"), (["--without", ""], "is no address"), (["--types", "status"], "is no type"),
                         (["--types", "https://"], "is no type"), (["--since", "yesterday"], "length of time")):
        check(words in alice.refused("export", taken + "3", *wrong, "--passphrase-file", "-", stdin=PASSPHRASE.encode()), "%r" % wrong)
    check(not os.path.exists(taken + "3"), "nothing was made")
    check(not any(p["entity"] == bob.entity for p in exported(stage, alice, "--without", bob.entity + "/")[1]), "with a slash behind it")
    alice.stop()
    check_equal(len(exported(stage, alice, "--types", STATUS)[1]), 3, "of a node that is off")


@limit(240)
def test_an_export_that_is_killed(stage):
    """A file of that name is a whole export or is not there; the node goes on, and nothing is left behind."""
    alice = stage.node("alice", None, start=False)
    key_tool(alice, "cheap")
    alice.start()
    for number in range(40):
        alice.post("post %d" % number)
    for number in range(4):
        alice.do("post", "file %d" % number, "--as-is", stage.file("f%d" % number, os.urandom(400_000)))
    file, words, chance, made = os.path.join(stage.top, "x.tar.zst"), file_of(stage, alice.passphrase), random.Random(12), 0
    begin = time.monotonic()
    whole = exported(stage, alice)
    usual = time.monotonic() - begin
    for turn in range(KILLS):
        process = subprocess.Popen([alice.program, "export", file, "--data", alice.data, "--passphrase-file", words],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=alice.env)
        time.sleep(chance.uniform(0, 1.2) * usual)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if os.path.exists(file):
            made += 1
            listed = subprocess.run(["tar", "--zstd", "-tf", file], check=True, stdout=subprocess.PIPE).stdout.decode()
            check_equal(listed.count("/attachments/"), 4, "whole")
            os.remove(file)
    check(0 < made < KILLS, "both happened: %d of %d" % (made, KILLS))
    check_equal(exported(stage, alice)[1:4], whole[1:4], "after all of them")
    check_equal([n for n in os.listdir(alice.data) if ".backup" in n], [], "copies of the database")

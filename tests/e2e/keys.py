# SPDX-License-Identifier: BSD-3-Clause
"""Passphrases that change and multiply, a node that is locked, and one that is destroyed."""
import json
import os
import random
import signal
import socket
import subprocess
import time

from harness import check, check_equal, start_time, same_process, wait_until
from node import PASSPHRASE, limit

KILLS = 50


def key_tool(node, what, passphrase=PASSPHRASE):
    """build/tests/interop/key_tool, beside the program."""
    tool = os.path.join(os.path.dirname(os.environ["BIVOUAC"]), "..", "tests", "interop", "key_tool")
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


def memory_holds(pid, needles):
    """Which of these the writable memory of a process holds."""
    found = set()
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            where, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            begin, end = (int(x, 16) for x in where.split("-"))
            try:
                memory.seek(begin)
                data = memory.read(end - begin)
            except (OSError, ValueError, OverflowError):
                continue
            found |= {name for name, needle in needles.items() if needle in data}
    return found


def needles_of(node):
    key = key_tool(node, "show", node.passphrase)
    return {"data key": bytes.fromhex(key), "data key in hex": key.encode(), "data key in HEX": key.upper().encode(),
            "passphrase": node.passphrase.encode()}


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
    code, _, err = unlock(alice, "not it")
    check_equal((code, "wrong passphrase" in err), (1, True), err)
    check_locked(stage, alice, dict(needles, wrong=b"never given"))
    second = subprocess.run([alice.program, "run", "--data", alice.data, "--passphrase-file", "-", "--no-tor"],
                            input=alice.passphrase.encode(), stderr=subprocess.PIPE, env=alice.env, timeout=60)
    check_equal((second.returncode, b"another bivouac" in second.stderr), (1, True), "a second one beside the locked one")
    check_equal(unlock(alice)[0], 0, "the right one")
    alice.wait_published(60)
    alice.post("after")
    bob.wait_text("after", 60)
    # By signal, as a hook before a suspend does.
    alice.process.send(signal.SIGUSR1)
    wait_until(lambda: json.loads(alice.cli("status", "--json")[1] or "{}").get("locked"), 20, "locked by signal")
    check_locked(stage, alice, needles)
    alice.stop()  # while locked
    alice.start()
    check_equal(alice.json("status")["locked"], False, "a new start asks for the passphrase as ever")


@limit(120)
def test_a_hanging_node_is_locked_too(stage):
    alice = stage.node("alice")
    needles = needles_of(alice)
    os.kill(alice.pid, signal.SIGSTOP)
    begin = time.monotonic()
    alice.do("lock", timeout=40)
    check(time.monotonic() - begin < 15, "in time")
    check_locked(stage, alice, needles)
    check_equal(unlock(alice)[0], 0, "and unlocked")
    alice.wait_published(60)


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
    wait_until(lambda: alice.json("status")["locked"], 30, "locked by itself")
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

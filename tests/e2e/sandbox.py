# SPDX-License-Identifier: BSD-3-Clause
"""What a running node, its guardian and its broker have given up, as the kernel tells it. (That nothing forbidden works is tried from
inside, by the unit program of `app`.)"""
import os
import signal
import time

from harness import PATIENCE, Failed, check, check_equal, wait_until
from node import limit
from private_tor import Control


def threads(pid):
    """The status fields of each thread."""
    found = []
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/status" % (pid, task)) as file:
            found.append(dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line))
    return found


def check_filtered(pid, what, least):
    """Every thread has the filter, and nothing that it starts gets more rights."""
    all_ = threads(pid)
    for thread in all_:
        check_equal((thread["Seccomp"], thread["NoNewPrivs"]), ("2", "1"), "%s, thread %s" % (what, thread["Name"]))
        check(int(thread.get("Seccomp_filters", least)) >= least, "%s has %s filters" % (what, thread.get("Seccomp_filters")))
    return len(all_)


def check_confined(node):
    guardian, worker = node.pids()
    check_filtered(guardian, "the guardian", 1)
    check(check_filtered(worker, "the node", 2) > 5, "its threads")
    check_filtered(node.broker, "the broker", 1)


@limit(120)
def test_every_process_is_confined_and_status_says_so(stage):
    alice = stage.node("alice")
    check_confined(alice)
    said = alice.status()["sandbox"]
    check_equal(said["missing"], [], "what does not hold here")
    check_equal((said["node"]["seccomp"], said["guardian"]["seccomp"], said["broker"]["seccomp"]), (True, True, True), "seccomp")
    check(said["node"]["landlock"] and said["guardian"]["landlock"] and said["broker"]["landlock"], "Landlock: %r" % said)
    check_equal(said["node"]["files"], "data directory", "files")
    check_equal(said["broker"]["may_start_tor"], False, "with a running tor nobody may start a program")
    words = alice.do("status")
    check("confined    node: system calls (seccomp), files (Landlock" in words, words)
    check("NOT CONFINED" not in words, words)
    # Locked, unlocked, and begun anew: the same holds.
    alice.do("lock")
    check_confined_locked(alice)
    code, _, err = alice.cli("unlock", "--passphrase-file", "-", stdin=alice.passphrase.encode(), timeout=60)
    check_equal(code, 0, err)
    alice.wait_answering().wait_published()
    check_confined(alice)
    alice.do("entity", "add", "second", timeout=60)
    alice.wait_answering().wait_published(60)
    check_confined(alice)
    check_equal(alice.status()["sandbox"]["missing"], [], "what does not hold here")


def check_confined_locked(node):
    guardian, worker = node.pids()
    check_filtered(guardian, "the guardian", 1)
    check_filtered(worker, "the locked node", 2)


@limit(120)
def test_what_a_process_has_open(stage):
    """The broker has nothing but its end of the pair; the node nothing outside of its directory."""
    alice = stage.node("alice")
    alice.post("a post")
    folder = "/proc/%d/fd" % alice.broker
    targets = sorted(os.readlink(os.path.join(folder, name)) for name in os.listdir(folder))
    check_equal([t for t in targets if t != "/dev/null" and not t.startswith("socket:")], [], "what the broker has open")
    check_equal(sum(t.startswith("socket:") for t in targets), 1, "its sockets")
    folder = "/proc/%d/fd" % alice.pid
    for name in os.listdir(folder):
        target = os.readlink(os.path.join(folder, name)).replace(" (deleted)", "")
        check(not target.startswith("/") or target.startswith((alice.data, "/dev/null")) or target == alice.log,
              "the node has %s open" % target)


@limit(120)
def test_without_its_broker_a_node_ends(stage):
    alice = stage.node("alice")
    os.kill(alice.broker, signal.SIGKILL)
    check_equal(alice.process.wait(8 * PATIENCE), 1, "exit code")
    check("the process that opens sockets has ended" in alice.log_tail(), alice.log_tail())


@limit(120)
def test_nothing_is_left_of_a_node_that_is_killed(stage):
    """Guardian, broker, worker and a tor of its own: whichever is killed."""
    for which in ("guardian", "worker"):
        alice = stage.node("alice-" + which, "child", start=False)
        alice.launch().wait_answering()
        wait_until(alice.tor_child, 30, "its tor")
        (guardian, worker), broker, tor = alice.pids(), alice.broker, alice.tor_child()[0]
        os.kill(guardian if which == "guardian" else worker, signal.SIGKILL)
        for name, pid in (("guardian", guardian), ("worker", worker), ("broker", broker), ("tor", tor)):
            wait_until(lambda: not alive(pid), 8, "%s ends when the %s is killed" % (name, which))
        time.sleep(0.1)


@limit(120)
def test_a_tor_of_our_own_runs_no_programs(stage):
    """Whoever takes over the node has tor's control port, which takes any setting; but for that one."""
    alice = stage.node("alice", "child", start=False)
    alice.launch().wait_answering()
    wait_until(lambda: alice.status()["tor"]["connected"], 30, "its tor")
    check(alice.status()["sandbox"]["broker"]["may_start_tor"], "it had to start one")
    pid = alice.tor_child()[0]
    check_filtered(pid, "tor", 1)
    with open(os.path.join(alice.data, "tor", "control-port")) as file:
        port = int(file.read().rsplit(":", 1)[1])
    control = Control(port, os.path.join(alice.data, "tor", "cookie"))
    try:
        check_equal(control.ask("GETCONF NoExec"), ["NoExec=1"], "the setting")
        try:
            control.ask("SETCONF NoExec=0")
            raise AssertionError("tor took NoExec=0")
        except Failed as refused:
            check("not allowed" in str(refused), str(refused))
    finally:
        control.close()


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

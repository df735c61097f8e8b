# SPDX-License-Identifier: BSD-3-Clause
"""What every end-to-end test stands on: processes that are ended by recorded pid, ports, bounded waits.

A process is recorded as pid plus start time (the kernel's, field 22 of /proc/PID/stat), so that a pid
that was given to somebody else meanwhile is never signalled.  Each one is also written to a list in
the test's own directory, from which the runner ends whatever a broken test left behind.
"""
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

HOST = "127.0.0.1"
RECORD = "processes"


class Failed(Exception):
    """A test's expectation did not hold, or a step could not be done."""


def check(condition, text):
    if not condition:
        raise Failed(text)


def check_equal(got, wanted, text):
    if got != wanted:
        raise Failed("%s: expected %r, got %r" % (text, wanted, got))


# How many times longer than on a machine of their own the tests wait before they give something up: a slow or busy machine makes
# nothing wrong.
PATIENCE = float(os.environ.get("BIVOUAC_TEST_PATIENCE", "3"))


def wait_until(predicate, seconds, what, pause=0.05):
    """The first true value of predicate(); Failed after that many seconds, times PATIENCE. what may be a function."""
    seconds *= PATIENCE
    end = time.monotonic() + seconds
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("after %g s still not: %s" % (seconds, what() if callable(what) else what))
        time.sleep(pause)


def start_time(pid):
    """The kernel's start time of a living process, None if it is gone or only waits to be collected."""
    try:
        with open("/proc/%d/stat" % pid) as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def same_process(pid, started):
    return started is not None and start_time(pid) == started


def end_recorded(pairs, grace=5.0):
    """SIGTERM to each (pid, start time) that still is that process, SIGKILL after the grace."""
    def signal_all(number):
        for pid, started in pairs:
            if same_process(pid, started):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass

    def anyone():
        for pid, _ in pairs:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
        return any(same_process(*pair) for pair in pairs)

    signal_all(signal.SIGTERM)
    until = time.monotonic() + grace
    while anyone() and time.monotonic() < until:
        time.sleep(0.02)
    signal_all(signal.SIGKILL)
    until = time.monotonic() + 5
    while anyone() and time.monotonic() < until:
        time.sleep(0.02)


def read_record(top):
    """(pid, start time) of every process that was started under this directory, or a folder of it."""
    found = []
    for folder, folders, names in os.walk(top):
        if RECORD in names:
            with open(os.path.join(folder, RECORD)) as file:
                found += [tuple(int(x) for x in line.split()[:2]) for line in file if len(line.split()) > 1]
        if folder.count(os.sep) > os.path.abspath(top).count(os.sep):
            folders.clear()
    return found


class Process:
    """A child in a session of its own, its output in a file."""

    def __init__(self, command, log, top, cwd=None, env=None, stdin=None):
        """stdin: bytes for its standard input, or None for /dev/null."""
        self.command, self.log = command, log
        with open(log, "ab") as out:
            self.popen = subprocess.Popen(
                command, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=out, stderr=out,
                cwd=cwd or top, env=env if env is not None else clean_env(top), start_new_session=True, close_fds=True)
        self.pid = self.popen.pid
        self.started = start_time(self.pid)
        if self.started is not None:
            with open(os.path.join(top, RECORD), "a") as file:
                file.write("%d %d %s\n" % (self.pid, self.started, os.path.basename(command[0])))
        if stdin is not None:
            try:
                self.popen.stdin.write(stdin)
                self.popen.stdin.close()
            except BrokenPipeError:
                pass

    def alive(self):
        return self.popen.poll() is None

    @property
    def exit(self):
        return self.popen.poll()

    def send(self, number):
        if self.alive():
            self.popen.send_signal(number)

    def wait(self, seconds):
        """Its exit code, or None if it still runs."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    def kill(self):
        self.send(signal.SIGKILL)
        self.popen.wait(10)

    def end(self, grace=5.0):
        """SIGTERM, SIGKILL after the grace; returns the exit code."""
        self.send(signal.SIGTERM)
        if self.wait(grace) is None:
            self.kill()
        return self.popen.returncode

    def tail(self, lines=15):
        return tail(self.log, lines)


def tail(path, lines=15):
    try:
        with open(path, errors="replace") as file:
            return "".join(file.readlines()[-lines:])
    except OSError:
        return ""


def clean_env(home):
    return {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home, "LC_ALL": "C.UTF-8",
            "TZ": "UTC"}


def free_ports(count):
    """Free ports below the ephemeral range: nobody takes one while its owner is dead for a moment."""
    held = {}
    while len(held) < count:
        port = random.SystemRandom().randrange(11000, 31000)
        sock = socket.socket()
        try:
            sock.bind((HOST, port))
            held[port] = sock
        except OSError:
            sock.close()
    for sock in held.values():
        sock.close()
    return list(held)


def private_dir(prefix="bivouac-"):
    """A directory of our own (0700); short, because unix socket paths must be."""
    return tempfile.mkdtemp(prefix=prefix, dir=os.environ.get("BIVOUAC_E2E_TMP", "/tmp"))


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


def root():
    return os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))


def binary():
    """The program under test: $BIVOUAC, or what meson built."""
    given = os.environ.get("BIVOUAC")
    build = os.path.join(root(), os.environ.get("BIVOUAC_BUILD", "build"))
    for path in [given] if given else [os.path.join(build, "src", "bivouac"), os.path.join(build, "bivouac"),
                                       os.path.join(build, "src", "cli", "bivouac")]:
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    raise Failed("no bivouac program found; build it first (packaging/check does) or set BIVOUAC=PATH")

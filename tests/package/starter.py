# SPDX-License-Identifier: BSD-3-Clause
"""The entry in the menu, as a person uses it: with the real program, a tor that is no tor, and windows that answer by
themselves.  Each test runs in a network and a file system of its own, where /etc/os-release may say Tails."""
import json
import os
import stat
import subprocess
import sys
import traceback

from fake_tor import FakeTor, FakeTorNet
from harness import Failed, binary, check, check_equal, clean_env, end_recorded, start_time, wait_until
from node import isolate

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.abspath(os.path.join(HERE, "..", "..", "packaging", "desktop", "bivouac-start"))
WORDS = "five words that nobody guesses"
OTHER = "words of the backup alone"

# Answers with the next line of $ANSWERS where a person would have to: `ok`, `cancel`, or a text behind `=`.
ZENITY = r"""#!/bin/bash
printf '%s\n' "$*" >>"$FAKES/zenity.log"
next() { local line; line=$(head -n 1 "$FAKES/answers"); sed -i 1d "$FAKES/answers"; printf '%s\n' "$line"; }
case "$*" in
  *--progress*) cat >/dev/null ;;
  *--text-info*) cat >>"$FAKES/shown" ;;
  *--info*) ;;
  *--error*) printf '%s\n' "$*" >>"$FAKES/errors" ;;
  *)
    answer=$(next)
    case "$answer" in
      ok) exit 0 ;;
      =*) printf '%s\n' "${answer#=}" ;;
      *) exit 1 ;;
    esac ;;
esac
"""
BROWSER = "#!/bin/sh\nprintf '%s\\n' \"$1\" >>\"$FAKES/opened\"\n"
# The user's own manager, as far as the entry uses it.
SYSTEMCTL = r"""#!/bin/bash
printf '%s\n' "$*" >>"$FAKES/systemctl.log"
[ -e "$FAKES/manager" ] || exit 1
case "$*" in
  "--user set-environment BIVOUAC_OPTIONS="*) printf '%s' "${3#BIVOUAC_OPTIONS=}" >"$FAKES/options" ;;
  "--user start bivouac.service") setsid "$BIVOUAC" run --locked $(cat "$FAKES/options") </dev/null >"$FAKES/run.log" 2>&1 & ;;
  "--user stop bivouac.service") "$BIVOUAC" stop $(sed 's/--tor-control.*//' "$FAKES/options") ;;
  *) exit 1 ;;
esac
"""


class World:
    """/etc/os-release, /home, windows, browser, a tor at the port where the system has it."""

    def __init__(self, top, tails, persistent=True, windows=True, manager=False):
        self.top, self.tails = top, tails
        self.user = "amnesia" if tails else "maria"
        self.fakes = os.path.join(top, "fakes")
        os.makedirs(self.fakes)
        self.home = os.path.join("/home", self.user)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/home"], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/media"], check=True)
        os.makedirs(self.home)
        self.stick = os.path.join("/media", self.user, "STICK")
        os.makedirs(self.stick)
        if tails and persistent:
            os.makedirs(os.path.join(self.home, "Persistent"))
        release = os.path.join(top, "os-release")
        with open(release, "w") as file:
            file.write('PRETTY_NAME="Tails 7.3"\nID="tails"\n' if tails else "ID=debian\nVERSION_ID=\"13\"\n")
        subprocess.run(["mount", "--bind", release, os.path.realpath("/etc/os-release")], check=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
        if tails:
            os.makedirs("/run/tor-has-bootstrapped")
            open("/run/tor-has-bootstrapped/done", "w").close()
        for name, text in (("zenity", ZENITY), ("systemctl", SYSTEMCTL), ("tor-browser" if tails else "torbrowser-launcher", BROWSER)):
            path = os.path.join(self.fakes, name)
            with open(path, "w") as file:
                file.write(text)
            os.chmod(path, 0o755)
        if manager:
            open(os.path.join(self.fakes, "manager"), "w").close()
        self.net = FakeTorNet(top_dir=top)
        tor = FakeTor(self.net, "system", "NULL")
        tor.control_port = 951 if tails else 9051
        self.tor = tor.start()
        self.env = dict(clean_env(self.home), USER=self.user, BIVOUAC=binary(), FAKES=self.fakes,
                        PATH=self.fakes + ":/usr/bin:/bin:/usr/sbin:/sbin")
        if windows:
            self.env["DISPLAY"] = ":0"

    def answers(self, *lines):
        with open(os.path.join(self.fakes, "answers"), "w") as file:
            file.write("".join(line + "\n" for line in lines))

    def run(self, *words, stdin="", code=0):
        done = subprocess.run([SCRIPT] + list(words), env=self.env, cwd=self.home, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=120)
        check_equal(done.returncode, code, "exit code; it said: %s\nwindows: %s" % (done.stdout[-1500:], self.read("zenity.log")[-1500:]))
        if "DISPLAY" in self.env:
            check_equal(self.read("answers"), "", "answers that nobody asked for; windows: " + self.read("zenity.log"))
        return done.stdout

    def read(self, name):
        try:
            with open(os.path.join(self.fakes, name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def opened(self, wanted):
        """What the browser was started with, so far; it is started in the background."""
        wait_until(lambda: len(self.read("opened").split()) >= wanted, 10, "the browser's start, number %d" % wanted)
        return self.read("opened").split()

    def ask(self, data, *words):
        done = subprocess.run([binary(), words[0], "--data", data] + list(words[1:]), env=self.env, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)
        check_equal(done.returncode, 0, "%s: %s" % (" ".join(words), done.stdout))
        return done.stdout

    def no_word_in_sight(self):
        """The passphrases went through pipes only: the windows and the other programs saw none in their arguments."""
        for name in os.listdir(self.fakes):
            check(WORDS not in self.read(name) and OTHER not in self.read(name), "a passphrase is in view in " + name)


def apart(top, function):
    """Runs it in a process with namespaces of its own; a failure comes back as Failed."""
    report = os.path.join(top, "report")
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            isolate(net=True, mount=True)
            function()
            code = 0
        except BaseException as error:
            with open(report, "w") as file:
                file.write("%s\n%s" % (error, "".join(traceback.format_tb(error.__traceback__)[-4:])))
        finally:
            end_started(top)
            sys.stdout.flush()
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        with open(report) as file:
            raise Failed(file.read())


def end_started(top):
    """What the entry left running on purpose: the nodes, known by FAKES in their environment."""
    mark = ("FAKES=" + os.path.join(top, "fakes")).encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            try:
                with open("/proc/%s/environ" % name, "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append((int(name), start_time(int(name))))
            except OSError:
                continue
    end_recorded(found)


def test_start_on_tails_keeps_the_node_in_persistent_storage(top):
    def story():
        world = World(top, tails=True)
        world.answers("ok", "=" + WORDS, "=" + WORDS + " mistyped", "=" + WORDS, "=" + WORDS)
        world.run()
        data = world.home + "/Persistent/bivouac"
        check_equal(stat.S_IMODE(os.stat(data).st_mode), 0o700, "closed to others")
        status = json.loads(world.ask(data, "status", "--json"))
        check(status["published"] and not status["locked"], "it runs and is published: %s" % status)
        check(any("ADD_ONION" in command for _, command in world.tor.log), "through the port of the filter")
        opened = world.opened(1)
        check_equal(len(opened), 1, "the browser was started")
        check(opened[0].startswith(status["entity"] + "/") and len(opened[0]) > len(status["entity"]) + 20, "with a link that logs in: " + opened[0])
        check("will be gone" not in world.read("zenity.log"), "with Persistent Storage nothing is lost")
        # Again, while it runs: no questions, a new link.
        world.answers()
        world.run()
        again = world.opened(2)
        check(len(again) == 2 and again[1] != again[0], "a second link")
        # Locked meanwhile: asks for the passphrase, and again after a wrong one.
        world.ask(data, "lock")
        wait_until(lambda: json.loads(world.ask(data, "status", "--json")).get("locked"), 10, "locked")
        world.answers("=wrong words altogether", "=" + WORDS)
        world.run()
        check("did not open" in world.read("zenity.log"), "a wrong passphrase is called so")
        world.answers()
        world.run("--stop")
        check("stopped" in world.read("zenity.log"), "stopped")
        world.no_word_in_sight()
    apart(top, story)


def test_start_on_tails_without_persistent_storage(top):
    def story():
        world = World(top, tails=True, persistent=False)
        world.answers("cancel")
        world.run(code=1)
        check("Everything of your node" in world.read("zenity.log") and "will be gone" in world.read("zenity.log"), "told before anything is made")
        data = world.home + "/.local/share/bivouac"
        check(not os.path.exists(data), "nothing was made")
        backup = world.stick + "/mine.backup"
        world.answers("ok", "ok", "=" + WORDS, "=" + WORDS, "ok", "=" + backup, "=" + WORDS, "=" + OTHER, "=" + OTHER)
        world.run()
        entity = json.loads(world.ask(data, "status", "--json"))["entity"]
        check(world.stick in world.read("zenity.log"), "the stick is proposed")
        with open(os.path.join(top, "other"), "w") as file:
            file.write(OTHER)
        check(entity in world.ask(data, "backup", "verify", backup, "--backup-passphrase-file", os.path.join(top, "other")), "the backup is whole")
        # Stopping offers it, too; refused this time.
        world.answers("cancel")
        world.run("--stop")
        # The next session: all is gone, and taken back from the stick.
        subprocess.run(["rm", "-rf", world.home + "/.local"], check=True)
        world.answers("ok", "cancel", "=" + backup, "=" + OTHER, "=" + WORDS, "=" + WORDS, "cancel")
        world.run()
        check_equal(json.loads(world.ask(data, "status", "--json"))["entity"], entity, "the same node")
        world.no_word_in_sight()
    apart(top, story)


def test_start_by_the_users_manager(top):
    def story():
        world = World(top, tails=True, manager=True)
        world.answers("ok", "=" + WORDS, "=" + WORDS)
        world.run()
        check_equal(world.read("options"), "--data /home/amnesia/Persistent/bivouac --tor-control 127.0.0.1:951", "options of the unit")
        check("--user start bivouac.service" in world.read("systemctl.log"), "the unit was started")
        world.answers()
        world.run("--stop")
        check("--user stop bivouac.service" in world.read("systemctl.log"), "the unit was stopped")
    apart(top, story)


def test_start_in_a_terminal_elsewhere(top):
    def story():
        world = World(top, tails=False, windows=False)
        out = world.run(stdin="y\n%s\n%s\n" % (WORDS, WORDS))
        data = world.home + "/.local/share/bivouac"
        entity = json.loads(world.ask(data, "status", "--json"))["entity"]
        check("works once" in out and entity in out, "the link is shown: " + out)
        check_equal(world.opened(1), [entity + "/"], "the browser gets the address only: others see its command line")
        check(WORDS not in out, "the passphrase is not shown")
        check("not running" not in world.run("--stop"), "stopped")
        check("does not run" in world.run("--stop"), "stopping twice is no error")
        check("--help" in world.run("--nonsense", code=2), "wrong usage")
    apart(top, story)


def test_start_explains_a_filtered_control_port(top):
    """A node that is not published: the person gets the node's own words, and what 510 means."""
    with open(SCRIPT) as file:
        text = file.read()
    check("510 Command filtered" in text and "/etc/onion-grater.d/bivouac.yml" in text, "what to do about the filter")

# SPDX-License-Identifier: BSD-3-Clause
"""The entry in the menu, as a person uses it: with the real program, a tor that is no tor, and windows that answer by
themselves.  Each test runs in a network and a file system of its own, where /etc/os-release may say Tails."""
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import traceback

from fake_tor import FakeTor, FakeTorNet
from harness import Failed, binary, check, check_equal, clean_env, end_recorded, start_time, wait_until
from node import isolate

HERE = os.path.dirname(os.path.abspath(__file__))
SCRIPT = os.path.abspath(os.path.join(HERE, "..", "..", "packaging", "desktop", "bivouac-start"))
WORDS = "five words that nobody guesses"
OTHER = "words of the backup alone"
# Without the three a file in /etc stays missing, or changed, whatever is installed; tests/release/tails_story.py does what it says.
REMEDY = "sudo apt install --reinstall -o Dpkg::Options::=--force-confask -o Dpkg::Options::=--force-confmiss -o Dpkg::Options::=--force-confnew bivouac"

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
# The user's own manager, as far as the entry uses it.  It reads the unit as it is installed, with systemd's precedence: the manager's
# block, over it Environment=, over it EnvironmentFile=; a variable that stands alone becomes words, one that is not set none.
SYSTEMCTL = r"""#!/usr/bin/python3
import os, re, shlex, signal, subprocess, sys, time
fakes, home = os.environ["FAKES"], os.environ["HOME"]
def path(name): return os.path.join(fakes, name)
def lines(name): return open(name).read().splitlines() if os.path.exists(name) else []
with open(path("systemctl.log"), "a") as log: log.write(" ".join(sys.argv[1:]) + "\n")
if not os.path.exists(path("manager")) or sys.argv[1] != "--user": sys.exit(1)
verb, rest = sys.argv[2], sys.argv[3:]
def runs():
    for pid in lines(path("pid")):
        try: return pid if open("/proc/%s/stat" % pid).read().rsplit(")", 1)[1].split()[0] != "Z" else None
        except OSError: pass
def start():
    values, fixed, files, command = dict(v.split("=", 1) for v in lines(path("block"))), {}, [], None
    for line in lines(path("bivouac.service")):
        key, _, value = line.partition("=")
        if key == "Environment": fixed.update(v.split("=", 1) for v in shlex.split(value))
        if key == "EnvironmentFile": files.append(value.lstrip("-").replace("%h", home))
        if key == "ExecStart": command = value
    values.update(fixed)
    for line in [l for f in files for l in lines(f)]:
        name, _, value = line.strip().partition("=")
        if name and not name.startswith("#"): values[name] = value[1:-1] if value[:1] in "'\"" and value[:1] == value[-1:] else value
    words = []
    for word in shlex.split(command):
        words += shlex.split(values.get(word[1:], "")) if re.fullmatch(r"\$\w+", word) else [word]
    with open(path("unit.words"), "w") as file: file.write(" ".join(words[1:]))
    with open(path("run.log"), "a") as log:
        started = subprocess.Popen([os.environ["REAL_BIVOUAC"]] + words[1:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   env={"HOME": home, "PATH": "/usr/bin:/bin", "FAKES": fakes})
    with open(path("pid"), "w") as file: file.write(str(started.pid))
if verb == "set-environment":
    kept = [v for v in lines(path("block")) if v.split("=", 1)[0] not in [r.split("=", 1)[0] for r in rest]]
    with open(path("block"), "w") as file: file.write("".join(v + "\n" for v in kept + rest))
elif rest != ["bivouac.service"]: sys.exit(1)
elif verb == "is-active": sys.exit(0 if runs() else 3)
elif verb == "start": runs() or start()
elif verb == "stop":
    if runs(): os.kill(int(runs()), signal.SIGTERM)
    while runs(): time.sleep(0.05)
else: sys.exit(1)
"""
UNIT = os.path.abspath(os.path.join(HERE, "..", "..", "packaging", "debian", "bivouac.user.service"))


class World:
    """/etc/os-release, /home, windows, browser, a tor at the port where the system has it."""

    def __init__(self, top, tails, persistent=True, windows=True, manager=False, filtered=False):
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
            shutil.copy(UNIT, os.path.join(self.fakes, "bivouac.service"))
        self.net = FakeTorNet(top_dir=top)
        tor = FakeTor(self.net, "system", "NULL")
        tor.control_port = 951 if tails else 9051
        self.tor = tor if filtered else tor.start()
        self.filter = Filter(tor.control_port) if filtered else None
        self.env = dict(clean_env(self.home), USER=self.user, BIVOUAC=binary(), REAL_BIVOUAC=binary(), FAKES=self.fakes,
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

    def answering(self, data):
        return subprocess.run([binary(), "status", "--data", data], env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60).returncode == 0

    def no_word_in_sight(self):
        """The passphrases went through pipes only: the windows and the other programs saw none in their arguments."""
        for name in os.listdir(self.fakes):
            check(WORDS not in self.read(name) and OTHER not in self.read(name), "a passphrase is in view in " + name)


class Filter:
    """A control port that has no profile for us."""

    def __init__(self, port):
        self.server, self.clients = socket.create_server(("127.0.0.1", port)), []
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        for one in [self.server] + self.clients:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            self.clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    @staticmethod
    def _serve(client):
        try:
            with client, client.makefile("rb") as lines:
                for _ in lines:
                    client.sendall(b"510 Command filtered\r\n")
        except OSError:
            pass


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
        # Again, while it runs: what to do is asked.  No answer does nothing.
        check("--list" not in world.read("zenity.log"), "the first time nothing was to be chosen")
        for answer in ("cancel", "=", "=something else"):
            world.answers(answer)
            world.run(code=1)
        check("--list --radiolist" in world.read("zenity.log"), "a list")
        check_equal((len(world.opened(1)), json.loads(world.ask(data, "status", "--json"))["published"]), (1, True), "nothing was done")
        world.answers("=Open my pages")
        world.run()
        again = world.opened(2)
        check(len(again) == 2 and again[1] != again[0], "a second link")
        backup = world.stick + "/chosen.backup"
        world.answers("=Write a backup", "=" + backup, "=" + WORDS, "=" + OTHER, "=" + OTHER)
        world.run()
        check(os.path.getsize(backup) > 1000, "a backup was written")
        check("--title=Where to write the backup" in world.read("zenity.log"), "a window for files has its words in the title")
        # Locked meanwhile: asks for the passphrase, and again after a wrong one.
        world.ask(data, "lock")
        wait_until(lambda: json.loads(world.ask(data, "status", "--json")).get("locked"), 10, "locked")
        world.answers("=wrong words altogether", "=" + WORDS)
        world.run()
        check("did not open" in world.read("zenity.log"), "a wrong passphrase is called so")
        world.answers("=Stop the node")
        world.run()
        check("stopped" in world.read("zenity.log") and not world.answering(data), "stopped")
        check_equal(len(world.opened(3)), 3, "a node that is stopped opens nothing")
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
        check("--title=Choose the backup" in world.read("zenity.log"), "which file is asked for")
        # From the list: the stop offers a backup here, too.
        world.answers("=Stop the node", "cancel")
        world.run()
        check(not world.answering(data), "stopped")
        world.no_word_in_sight()
    apart(top, story)


def test_start_by_the_users_manager(top):
    """On Tails neither the directory nor the control port is the program's default: the unit has to get both."""
    def story():
        world = World(top, tails=True, manager=True)
        world.answers("ok", "=" + WORDS, "=" + WORDS)
        world.run()
        check_equal(world.read("unit.words"), "run --locked --data /home/amnesia/Persistent/bivouac --tor-control 127.0.0.1:951", "the unit's words")
        data = world.home + "/Persistent/bivouac"
        check(json.loads(world.ask(data, "status", "--json"))["published"], "it runs there")
        check(not os.path.exists(data + "/run.log"), "by the unit alone")
        world.answers()
        world.run("--stop")
        check("--user stop bivouac.service" in world.read("systemctl.log") and not world.answering(data), "the unit was stopped")
    apart(top, story)


def test_start_with_the_users_own_options(top):
    """~/.config/bivouac/environment: what stands there is not said twice, and its directory is where the entry looks."""
    def story():
        world = World(top, tails=False, windows=False, manager=True)
        os.makedirs(world.home + "/.config/bivouac")

        def options(text):
            with open(world.home + "/.config/bivouac/environment", "w") as file:
                file.write("# mine\nOTHER=1\nBIVOUAC_OPTIONS=--no-such-option\n%s\n" % text)
        default = world.home + "/.local/share/bivouac"
        options("BIVOUAC_OPTIONS=--lock-after 12h")
        world.run(stdin="y\n%s\n%s\n" % (WORDS, WORDS))
        check_equal(world.read("unit.words"), "run --locked --data %s --lock-after 12h" % default, "both")
        check(not json.loads(world.ask(default, "status", "--json"))["locked"], "it runs")

        elsewhere = world.home + "/else where"
        options("BIVOUAC_OPTIONS=\"--data '%s' --lock-after 12h\"" % elsewhere)
        # The unit runs, but not there: said, and nothing else.
        out = world.run(stdin="y\n%s\n%s\n" % (WORDS, WORDS), code=1)
        check("runs already, but not with the data in " + elsewhere in out and "systemctl --user stop bivouac" in out, "what to do: " + out)
        check(world.answering(default), "the other one was left alone")
        check("has stopped" in world.run("--stop") and not world.answering(default), "the unit can be stopped")
        world.run(stdin="%s\n" % WORDS)
        check_equal(world.read("unit.words"), "run --locked --data %s --lock-after 12h" % elsewhere, "the file's directory")
        check(not json.loads(world.ask(elsewhere, "status", "--json"))["locked"], "it runs there")
        check(not world.answering(default), "and nowhere else")
        world.run("--stop")

        # At login: the manager starts the unit, nobody gave it words.
        os.remove(world.fakes + "/block")
        subprocess.run([world.fakes + "/systemctl", "--user", "start", "bivouac.service"], env=world.env, check=True)
        check_equal(world.read("unit.words"), "run --locked --data %s --lock-after 12h" % elsewhere, "at login")
        world.run(stdin=WORDS + "\n")
        check(not json.loads(world.ask(elsewhere, "status", "--json"))["locked"], "the entry finds it and unlocks it")
        world.run("--stop")

        # Without a manager the same words.
        os.remove(world.fakes + "/manager")
        world.run(stdin=WORDS + "\n")
        check(not json.loads(world.ask(elsewhere, "status", "--json"))["locked"], "it runs there")
        world.run("--stop")
    apart(top, story)


def test_start_of_a_unit_that_nobody_gave_words(top):
    def story():
        world = World(top, tails=False, windows=False, manager=True)
        subprocess.run([world.fakes + "/systemctl", "--user", "start", "bivouac.service"], env=world.env, check=True)
        check_equal(world.read("unit.words"), "run --locked", "no empty word")
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
        for answer in ("\n", "", "4\n", "stop\n"):
            out = world.run(stdin=answer, code=1)
            check("[1] Open my pages" in out and "[2] Write a backup" in out and "[3] Stop the node" in out, "what can be done: " + out)
        check(json.loads(world.ask(data, "status", "--json"))["published"] and len(world.opened(1)) == 1, "nothing was done")
        check("works once" in world.run(stdin="1\n"), "another link")
        backup = world.stick + "/chosen.backup"
        world.run(stdin="2\n%s\n%s\n%s\n%s\n" % (backup, WORDS, OTHER, OTHER))
        check(os.path.getsize(backup) > 1000, "a backup was written")
        check("has stopped" in world.run(stdin="3\n") and not world.answering(data), "stopped")
        world.run(stdin=WORDS + "\n")
        check("not running" not in world.run("--stop"), "stopped")
        check("does not run" in world.run("--stop"), "stopping twice is no error")
        check("--help" in world.run("--nonsense", code=2), "wrong usage")
    apart(top, story)


def test_start_explains_a_filtered_control_port(top):
    """Told at once, not after the three minutes that a slow network gets."""
    def story():
        world = World(top, tails=True, filtered=True)
        count = os.path.join(world.fakes, "sleep")
        with open(count, "w") as file:
            file.write("#!/bin/sh\necho \"$*\" >>\"$FAKES/slept\"\nexec /bin/sleep \"$@\"\n")
        os.chmod(count, 0o755)
        world.answers("ok", "=" + WORDS, "=" + WORDS)
        world.run(code=1)
        rounds = world.read("slept").split("\n").count("1")
        check(rounds <= 20, "%d rounds of waiting for what does not come" % rounds)
        said = world.read("errors")
        for words in ("510 Command filtered", "/etc/onion-grater.d/bivouac.yml", "Restart Tails", REMEDY, "stop the node, and start it again"):
            check(words in said, "%r in %r" % (words, said))
        check_equal(world.read("opened"), "", "no browser for pages that nobody can reach")
        # The node runs, and the list leads to the same words.
        world.answers("=Open my pages")
        world.run(code=1)
        check_equal(world.read("errors").count(REMEDY), 2, "told again")
        # Mended: what the node heard a moment ago is no reason to send the person away again.
        world.filter.stop()
        world.tor.start()
        world.answers("=Open my pages")
        world.run()
        check_equal(world.read("errors").count(REMEDY), 2, "not told again")
        check(json.loads(world.ask(world.home + "/Persistent/bivouac", "status", "--json"))["published"], "published")
        world.answers("=Stop the node")
        world.run()
    apart(top, story)

# SPDX-License-Identifier: BSD-3-Clause
"""Both units under a systemd that runs.  The system's: the system's tor, the passphrase as an encrypted credential, all the
hardening in force.  The user's: a manager of her own, the entry in the menu.

  python3 systemd_story.py bivouac.deb          as a unit of a clean root that was booted (packaging/try-package unit)
"""
import ctypes
import json
import os
import pwd
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

from cleaning import Browser, Form, text_of  # noqa: E402
from fake_tor import FakeTor, FakeTorNet  # noqa: E402
from harness import check, check_equal, wait_until  # noqa: E402
from node import picture  # noqa: E402
from results import Results, output  # noqa: E402

DATA = "/var/lib/bivouac"
WORDS = "words of the machine's own node"
NOTE = b"taken at home"
USER, HOME = "maria", "/home/maria"
HERS = "words of a node of her own"
LANDLOCK_CREATE_RULESET, LANDLOCK_VERSION = 444, 1


def node(*words, **more):
    return output(["setpriv", "--reuid", "_bivouac", "--regid", "_bivouac", "--clear-groups", "--", "bivouac", words[0], "--data", DATA] + list(words[1:]),
                  env={"HOME": DATA, "PATH": "/usr/bin:/bin"}, **more)


def journal():
    return output(["journalctl", "-u", "bivouac", "-n", "20", "-o", "cat", "--no-pager"], code=None)


def install(deb):
    output(["apt-get", "-y", "--no-install-recommends", "install", deb], env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
    check_equal(output(["systemctl", "is-enabled", "bivouac"], code=None).strip(), "disabled", "nothing starts by itself")


def without_node():
    output(["systemctl", "start", "bivouac"])
    check_equal(output(["systemctl", "is-active", "bivouac"], code=None).strip(), "inactive", "without a node there is nothing to start")


def status():
    text = node("status", "--json", code=None)
    try:
        return json.loads(text)
    except ValueError:
        return {}


def landlock_of_kernel():
    """The version of Landlock here, 0 without it."""
    return max(0, ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, LANDLOCK_VERSION))


def check_sandbox(sandbox):
    """The node's own locks.  A unit's filter shows in /proc as its own would: only the node knows which it set."""
    check_equal(sandbox["missing"], [], "what is missing in the sandbox")
    parts = [sandbox[name] for name in ("node", "guardian", "broker") if sandbox[name]]
    check(parts and all(part["seccomp"] for part in parts), "its own filters: %s" % sandbox)
    kernel = landlock_of_kernel()
    print("      Landlock: kernel %d, node %s" % (kernel, sandbox["node"]["landlock"]))
    if kernel:
        check(sandbox["node"]["landlock"] and sandbox["node"]["files"] == "data directory", "no files but its own: %s" % sandbox)
    else:
        check_equal(sandbox["node"]["landlock"], None, "the kernel has none")


def locked_first():
    # Read by the unit; a port for the pages, which are tried below.
    with open("/etc/default/bivouac", "w") as file:
        file.write("BIVOUAC_OPTIONS=--local-api\n")
    node("init", "--passphrase-file", "-", input=WORDS + "\n")
    output(["systemctl", "start", "bivouac"])
    wait_until(lambda: status().get("locked"), 60, lambda: "locked: " + journal())
    node("unlock", "--passphrase-file", "-", input=WORDS)
    wait_until(lambda: status().get("entity"), 60, lambda: "unlocked: " + journal())


def speaks_to_tor():
    wait_until(lambda: status().get("tor", {}).get("connected"), 60, lambda: "the system's tor: %s %s" % (status().get("tor"), journal()))


def confined():
    pid = output(["systemctl", "show", "-p", "MainPID", "--value", "bivouac"]).strip()
    with open("/proc/%s/status" % pid) as file:
        text = file.read()
    for name in ("CapEff", "CapBnd", "CapPrm"):
        check_equal(re.search(r"%s:\s+(\w+)" % name, text).group(1), "0" * 16, name)
    check("NoNewPrivs:\t1" in text and "Seccomp:\t2" in text, "no new rights, a filter for system calls")
    check_sandbox(status()["sandbox"])
    inside = ["nsenter", "--mount", "-t", pid, "--"]
    check("Read-only file system" in output(inside + ["touch", "/usr/x"], code=1), "/usr cannot be written")
    check_equal(output(inside + ["ls", "-A", "/home"], code=None).strip().replace("ls: cannot open directory '/home': Permission denied", ""), "", "homes are not there")


class Machine:
    """The machine's node, for the browser of the other tests."""

    @staticmethod
    def json(*words):
        return json.loads(node(*words, "--json"))


def picture_in_the_unit():
    """Through the pages it is the node's own cleaner that takes it apart, a process inside the unit; the command line has another one."""
    browser = Browser(Machine)
    shown = browser.upload("/me/compose", [("files", "home.png", "image/png", picture(note=NOTE))], text="a picture", to="me", act="preview")
    check("picture-1.png" in text_of(shown) and "Taken out: " in text_of(shown), "it was cleaned: %s %s" % (text_of(shown)[-800:], journal()))
    form = Form(shown.body.decode(), "/me/compose")
    done = browser.send("/me/compose", form.hidden + [(n, v) for n, v, on in form.boxes if n == "file" and on] + [("text", "a picture"), ("to", "me"), ("act", "post")])
    check_equal(done.status, 303, "posted: " + text_of(done)[:300])
    post = Machine.json("feed")["posts"][0]
    check_equal([(a["name"], a["content_type"]) for a in post["attachments"]], [("picture-1.png", "image/png")], "what was posted")
    # And by the command line, whose file goes to the node in pieces.
    path = DATA + "/home.png"
    with open(path, "wb") as file:
        file.write(picture(note=NOTE))
    os.chmod(path, 0o644)
    check("picture-1.png" in node("post", "another", "--to", "me", "--attach", path), "by the command line")
    os.remove(path)


def by_credential():
    os.makedirs("/etc/credstore.encrypted", mode=0o700, exist_ok=True)
    output(["systemd-creds", "encrypt", "--with-key=host", "--name=bivouac.passphrase", "-", "/etc/credstore.encrypted/bivouac.passphrase"], input=WORDS)
    with open("/etc/credstore.encrypted/bivouac.passphrase") as file:
        check(WORDS not in file.read(), "encrypted")
    output(["systemctl", "restart", "bivouac"])
    wait_until(lambda: status().get("entity"), 60, lambda: "opened by the credential: " + journal())
    node("post", "from the machine's node")
    check("from the machine's node" in node("feed"), "it works")
    check(WORDS not in output(["systemctl", "show", "bivouac"]) + journal(), "the passphrase is in no log and no property")


def killed():
    pid = output(["systemctl", "show", "-p", "MainPID", "--value", "bivouac"]).strip()
    os.kill(int(pid), 9)
    wait_until(lambda: output(["systemctl", "show", "-p", "MainPID", "--value", "bivouac"]).strip() not in ("0", pid) and status().get("entity"), 60,
               lambda: "started again: " + journal())


def stopped():
    output(["systemctl", "stop", "bivouac"])
    check_equal(output(["systemctl", "show", "-p", "Result", "--value", "bivouac"]).strip(), "success", "how it ended")


# ---- the user's unit

def hers(*words, code=0, data_home="", **more):
    """A command of hers, as in a terminal of her session."""
    user = pwd.getpwnam(USER)
    env = {"HOME": HOME, "USER": USER, "PATH": "/usr/bin:/bin", "XDG_RUNTIME_DIR": "/run/user/%d" % user.pw_uid}
    if data_home:
        env["XDG_DATA_HOME"] = data_home
    return output(["setpriv", "--reuid", USER, "--regid", USER, "--init-groups", "--", *words], code=code, env=env, cwd=HOME, timeout=120, **more)


def menu(*words, code=0, data_home="", said=()):
    return hers("/usr/libexec/bivouac/bivouac-start", *words, code=code, data_home=data_home, input="".join(line + "\n" for line in said))


def her_options(text):
    hers("mkdir", "-p", HOME + "/.config/bivouac")
    hers("tee", HOME + "/.config/bivouac/environment", input="BIVOUAC_OPTIONS=%s\n" % text)


def her_status(data):
    return json.loads(hers("bivouac", "status", "--json", "--data", data))


def her_unit():
    """The words that it runs with; they are hidden in what systemd shows, which has the variables."""
    check_equal(hers("systemctl", "--user", "is-active", "bivouac", code=None).strip(), "active", "her unit")
    pid = hers("systemctl", "--user", "show", "-p", "MainPID", "--value", "bivouac").strip()
    with open("/proc/%s/cmdline" % pid) as file:
        return file.read().rstrip("\0").split("\0")


def no_unit_and_no_node(data):
    check(hers("systemctl", "--user", "is-active", "bivouac", code=None).strip() in ("inactive", "failed"), "the unit is stopped")
    check("no node is running" in hers("bivouac", "status", "--data", data, code=None), "no node answers")


def her_manager():
    output(["useradd", "--create-home", USER])
    # The root has no PAM module of systemd's, which on a desktop tells the manager where its directory is.
    os.makedirs("/etc/systemd/system/user@.service.d")
    with open("/etc/systemd/system/user@.service.d/trial.conf", "w") as file:
        file.write("[Service]\nPAMName=\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n")
    output(["systemctl", "daemon-reload"])
    unit = "user@%d.service" % pwd.getpwnam(USER).pw_uid
    output(["systemctl", "start", unit], code=None)
    check_equal(output(["systemctl", "is-active", unit], code=None).strip(), "active",
                output(["journalctl", "-u", unit, "-u", unit.replace("user@", "user-runtime-dir@"), "-n", "30", "--no-pager"], code=None))
    wait_until(lambda: hers("systemctl", "--user", "is-system-running", code=None).strip() in ("running", "degraded"), 30, "her manager")


def from_the_menu():
    """In the terminal: a node in a directory that is not the default, run by the real manager, and ended by it."""
    her_options("--lock-after 12h")
    top, data = HOME + "/elsewhere", HOME + "/elsewhere/bivouac"
    said = menu(data_home=top, said=("y", HERS, HERS))
    check("works once" in said, "the link: " + said)
    check_equal(her_unit(), ["/usr/bin/bivouac", "run", "--locked", "--data", data, "--lock-after", "12h"], "its words")
    status = her_status(data)
    check(not status["locked"] and status["published"], "it runs there, unlocked: %s" % status)
    check_sandbox(status["sandbox"])
    check(not os.path.exists(data + "/run.log") and not os.path.exists(HOME + "/.local/share/bivouac"), "nothing beside the unit, nothing in the default directory")
    check("[3] Stop the node" in menu(data_home=top, said=("3",)), "stopped from the list")
    no_unit_and_no_node(data)
    menu(data_home=top, said=(HERS,))
    check_equal(her_status(data)["locked"], False, "again")
    menu("--stop", data_home=top)
    no_unit_and_no_node(data)


def with_her_options():
    """--data in her file; at login the unit starts without the menu, which finds it."""
    data = HOME + "/third"
    her_options("--data %s --lock-after 12h" % data)
    wanted = ["/usr/bin/bivouac", "run", "--locked", "--data", data, "--lock-after", "12h"]
    menu(said=("y", HERS, HERS))
    check_equal(her_unit(), wanted, "her file's words, once each")
    check_equal(her_status(data)["locked"], False, "it runs there")
    hers("systemctl", "--user", "enable", "bivouac")
    output(["systemctl", "restart", "user@%d.service" % pwd.getpwnam(USER).pw_uid])
    wait_until(lambda: "locked" in hers("bivouac", "status", "--data", data, code=None), 30, "started at login: it is locked")
    check_equal(her_unit(), wanted, "without the menu")
    menu(said=(HERS,))
    check_equal(her_status(data)["locked"], False, "unlocked from the menu")
    menu("--stop")
    no_unit_and_no_node(data)


def main():
    results = Results()
    tor_net = FakeTorNet(top_dir=tempfile.mkdtemp())
    step = results.step
    step("the package installs", install, os.path.abspath(sys.argv[1]))
    step("without a node it does not start", without_node)
    step("starts locked, unlock opens it", locked_first)
    step("speaks to the system's tor as a member of its group", speaks_to_tor)
    step("is confined", confined)
    step("a picture is cleaned inside of it", picture_in_the_unit)
    step("opens by the encrypted credential", by_credential)
    step("is started again when it was killed", killed)
    step("stops well", stopped)
    her_tor = FakeTor(tor_net, "hers", "NULL")
    her_tor.control_port = 9051
    her_tor.start()
    step("a user's manager", her_manager)
    step("from the menu: her unit runs a node where the entry wants it, and stops", from_the_menu)
    step("her own options, and the start at login", with_her_options)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

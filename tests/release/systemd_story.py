# SPDX-License-Identifier: BSD-3-Clause
"""The unit of the system under a systemd that runs: the system's tor, the passphrase as an encrypted credential, all the
hardening in force.

  python3 systemd_story.py bivouac.deb          as a unit of a clean root that was booted (packaging/try-package unit)
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

from harness import check, check_equal, wait_until  # noqa: E402
from results import Results, output  # noqa: E402

DATA = "/var/lib/bivouac"
WORDS = "words of the machine's own node"


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


def locked_first():
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
    inside = ["nsenter", "--mount", "-t", pid, "--"]
    check("Read-only file system" in output(inside + ["touch", "/usr/x"], code=1), "/usr cannot be written")
    check_equal(output(inside + ["ls", "-A", "/home"], code=None).strip().replace("ls: cannot open directory '/home': Permission denied", ""), "", "homes are not there")


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


def main():
    results = Results()
    step = results.step
    step("the package installs", install, os.path.abspath(sys.argv[1]))
    step("without a node it does not start", without_node)
    step("starts locked, unlock opens it", locked_first)
    step("speaks to the system's tor as a member of its group", speaks_to_tor)
    step("is confined", confined)
    step("opens by the encrypted credential", by_credential)
    step("is started again when it was killed", killed)
    step("stops well", stopped)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

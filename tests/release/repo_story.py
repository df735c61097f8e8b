# SPDX-License-Identifier: BSD-3-Clause
"""The signed repository on a stick and in Tails' Persistent Storage, in a clean root without a network.

  python3 repo_story.py bivouac.deb             as root of a root of its own (packaging/release); /repo is what build-repo made
"""
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

from harness import check, check_equal  # noqa: E402
from results import Results, output  # noqa: E402

STORAGE = "/live/persistence/TailsData_unlocked"
LISTS = "/etc/apt/sources.list.d"
FILES = os.path.join(STORAGE, "apt", "bivouac")


def bare():
    """Only the repository is known to apt: Debian's own mirror cannot be reached here."""
    for name in ["/etc/apt/sources.list"] + [os.path.join(LISTS, n) for n in os.listdir(LISTS)]:
        if os.path.exists(name):
            os.remove(name)


def update(code=0):
    return output(["apt-get", "update"], code=code)


def tails_storage():
    os.makedirs(STORAGE)
    with open(STORAGE + "/persistence.conf", "w") as file:
        file.write("/home/amnesia/Persistent\tsource=Persistent\n/var/cache/apt/archives\tsource=apt/cache\n/var/lib/apt/lists\tsource=apt/lists\n")


def no_storage():
    said = output(["sh", "/media/stick/bivouac-repo/tails/set-up"], code=1)
    check("no unlocked Persistent Storage" in said and "create" in said.lower(), "it says what is missing: " + said)
    check(not os.path.exists(LISTS + "/bivouac.sources"), "nothing was done")


def set_up():
    said = output(["sh", "/media/stick/bivouac-repo/tails/set-up"])
    check("Install Every Time" in said, "it says how to go on: " + said)
    with open(STORAGE + "/persistence.conf") as file:
        lines = file.read().splitlines()
    check_equal(lines.count("/etc/apt/sources.list.d\tsource=apt/sources,link"), 1, "the line that Tails needs, once")
    check_equal(lines[0], "/home/amnesia/Persistent\tsource=Persistent", "what was there is there")
    with open(STORAGE + "/apt/sources/bivouac.sources") as file:
        text = file.read()
    check("URIs: file:" + FILES + "\n" in text and "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----" in text, "the source, with its key: " + text)
    check(os.path.isfile(FILES + "/dists/trixie/InRelease"), "the repository is copied")
    writable = output(["find", FILES, STORAGE + "/apt/sources", "-perm", "/022", "!", "-type", "l"])
    check_equal(writable, "", "nobody but root can write there")


def next_session():
    """What Tails does at its next start: the links of persistence.conf, then apt-get install of what is listed."""
    os.remove(LISTS + "/bivouac.sources")
    shutil.rmtree("/var/lib/apt/lists", ignore_errors=True)
    for name in os.listdir(STORAGE + "/apt/sources"):
        os.symlink(os.path.join(STORAGE, "apt/sources", name), os.path.join(LISTS, name))
    update()
    output(["apt-get", "-y", "install", "bivouac"], env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))


def refused(change, words):
    keep = "/tmp/kept"
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(FILES, keep)
    try:
        change()
        shutil.rmtree("/var/lib/apt/lists", ignore_errors=True)
        said = update(code=None) + output(["apt-get", "-y", "--reinstall", "install", "bivouac"], code=None)
        check(re.search(words, said), "apt refuses it: " + said[-1500:])
    finally:
        shutil.rmtree(FILES)
        shutil.move(keep, FILES)
        shutil.rmtree("/var/lib/apt/lists", ignore_errors=True)
        update()


def edit(name, old, new):
    path = os.path.join(FILES, name)
    with open(path) as file:
        text = file.read()
    check(old in text, "%s has %r" % (name, old))
    with open(path, "w") as file:
        file.write(text.replace(old, new))


def append(pattern):
    path = output(["find", FILES + "/pool", "-name", pattern]).split()[0]
    with open(path, "ab") as file:
        file.write(b"x")


def unsigned():
    for name in ("InRelease", "Release.gpg"):
        os.remove(FILES + "/dists/trixie/" + name)


def other_packages():
    path = FILES + "/dists/trixie/main/binary-amd64/Packages"
    os.remove(path + ".gz")
    edit("dists/trixie/main/binary-amd64/Packages", "Package: bivouac", "Package: bivouak")


def main():
    results = Results()
    step = results.step
    shutil.copytree("/repo", "/media/stick/bivouac-repo")
    bare()
    step("without Persistent Storage: a word, and nothing done", no_storage)
    tails_storage()
    step("set-up puts the two files in place", set_up)
    step("set-up a second time changes nothing", set_up)
    step("apt-get update", lambda: check(not re.search(r"^[EW]:", update().replace("W: Download is performed unsandboxed", ""), re.M), "no errors and no warnings"))
    step("the package comes from there", lambda: check(FILES in output(["apt-cache", "policy", "bivouac"]), "apt-cache policy"))
    step("apt-get install", lambda: output(["apt-get", "-y", "install", "bivouac"], env=dict(os.environ, DEBIAN_FRONTEND="noninteractive")))
    step("the program is there", lambda: check("bivouac " in output(["bivouac", "--version"]), "version"))
    step("next session: as Tails' Additional Software does it", next_session)
    step("a changed package is refused", refused, lambda: append("bivouac_*.deb"), r"(?i)hash sum mismatch|unexpected size|size mismatch")
    step("a changed index is refused", refused, other_packages, r"(?i)hash sum mismatch|unexpected size")
    step("a changed Release is refused", refused, lambda: edit("dists/trixie/InRelease", "Label: bivouac", "Label: bivouax"),
         r"(?i)not signed|invalid|BADSIG|bad signature|sqv returned an error|signature")
    step("without a signature it is refused", refused, unsigned, r"(?i)not signed|no longer signed|does not have a Release file")
    step("the steps are written down", lambda: check("Install Every Time" in open("/repo/STEPS.txt").read(), "STEPS.txt"))
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

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
CONF = STORAGE + "/persistence.conf"
LISTS = "/etc/apt/sources.list.d"
FILES = os.path.join(STORAGE, "apt", "bivouac")
PLACE = "/srv/bivouac"
STICK = "/media/amnesia/STICK/bivouac-repo"
LINES = ["/etc/apt/sources.list.d\tsource=apt/sources,link", "/srv/bivouac\tsource=apt/bivouac"]
TAILS_LINES = ["/home/amnesia/Persistent\tsource=Persistent", "/var/cache/apt/archives\tsource=apt/cache", "/var/lib/apt/lists\tsource=apt/lists"]
QUIET = dict(os.environ, DEBIAN_FRONTEND="noninteractive")


def bare():
    """Only the repository is known to apt: Debian's own mirror cannot be reached here."""
    for name in ["/etc/apt/sources.list"] + [os.path.join(LISTS, n) for n in os.listdir(LISTS)]:
        if os.path.lexists(name):
            os.remove(name)


def update(code=0):
    return output(["apt-get", "update"], code=code)


def forget_lists():
    shutil.rmtree("/var/lib/apt/lists", ignore_errors=True)


def stick():
    """As udisks mounts it: only root and, by an ACL, the desktop user get through."""
    shutil.copytree("/repo", STICK)
    os.chmod("/media/amnesia", 0o750)


def tails_storage():
    """As Tails makes it at each start: its mount point lets root through, by an ACL the desktop user, and nobody else."""
    os.makedirs(STORAGE)
    os.chmod(STORAGE, 0o770)
    os.chown(STORAGE, 0, 0)
    # Without a newline at its end, as an editor may leave it.
    with open(CONF, "w") as file:
        file.write("\n".join(TAILS_LINES))


def conf_lines():
    with open(CONF) as file:
        return file.read().splitlines()


def mounted():
    with open("/proc/self/mountinfo") as file:
        return sum(line.split()[4] == PLACE for line in file)


def reads_as_apt():
    """apt's own user is used in this root, and a place that only root can read is not good enough: apt 3.0 reads file: as root, but unpacks as _apt."""
    check_equal(output(["apt-config", "shell", "USER", "APT::Sandbox::User"]).strip(), "USER='_apt'", "apt's user for what it fetches")
    try:
        with open(LISTS + "/here.sources", "w") as file:
            file.write("Types: deb\nURIs: file:%s\nSuites: trixie\nComponents: main\nTrusted: yes\n" % STICK)
        said = update(code=None)
        check(re.search(r"^Err:.*file:%s.*\n.*Permission denied" % STICK, said, re.M), "_apt does not get through: " + said)
    finally:
        os.remove(LISTS + "/here.sources")
        forget_lists()


def no_storage():
    said = output(["sh", STICK + "/tails/set-up"], code=1)
    check("no unlocked Persistent Storage" in said and "create" in said.lower(), "it says what is missing: " + said)
    check(not os.path.lexists(LISTS + "/bivouac.sources") and not os.path.exists(PLACE), "nothing was done")


def compared():
    """What the person does before sudo; gpgv says the same as gpg, which these roots have not."""
    command = ["gpgv", "--keyring", "./tails/key.gpg"]
    with open(STICK + "/STEPS.txt") as file:
        fingerprint = re.search(r"^ +([0-9A-F]{40})$", file.read(), re.M).group(1)
    package = [n for n in os.listdir(STICK + "/pool/trixie") if n.endswith(".deb")]
    check_equal(len(package), 1, "one package")
    for name in ("tails/set-up", "pool/trixie/" + package[0]):
        said = output(command + [name + ".sig", name], cwd=STICK)
        check("Good signature" in said and fingerprint in said, "signed by the key: " + said)
        shutil.copy(os.path.join(STICK, name), "/tmp/changed")
        with open("/tmp/changed", "ab") as file:
            file.write(b"x")
        said = output(command + [name + ".sig", "/tmp/changed"], cwd=STICK, code=None)
        check("BAD signature" in said, "changed: " + said)


def key_changed():
    """With a script that is as signed, nobody can put another key beside it, or something outside of the folder in its place."""
    def other_key():
        with open("/tmp/other/tails/bivouac.sources", "a") as file:
            file.write(" x\n")

    def link():
        shutil.move("/tmp/other/tails", "/tmp/tails")
        os.symlink("/tmp/tails", "/tmp/other/tails")

    def half():
        shutil.rmtree("/tmp/other/dists")
    for change, words in ((other_key, "not those that were signed"), (link, "links in the folder"), (half, "not the whole folder")):
        shutil.copytree(STICK, "/tmp/other")
        change()
        said = output(["sh", "/tmp/other/tails/set-up"], code=1, cwd="/tmp/other")
        check(words in said, "it says so: " + said)
        left = os.listdir(STORAGE + "/apt") if os.path.exists(STORAGE + "/apt") else []
        check_equal((left, conf_lines(), os.path.exists(PLACE)), ([], TAILS_LINES, False), "nothing is left, nothing was done")
        shutil.rmtree("/tmp/other")


def written_down():
    """What is typed, in both places; Tails' person has STEPS.txt when she has nothing else."""
    with open("/repo/STEPS.txt") as file:
        steps = file.read()
    with open(os.path.join(HERE, "..", "..", "docs", "tails.md")) as file:
        docs = file.read()
    gpg = "gpg --no-default-keyring --keyring ./tails/key.gpg --verify "
    for words in (gpg + "tails/set-up.sig tails/set-up\n", gpg + "pool/trixie/bivouac_*.deb.sig pool/trixie/bivouac_*.deb\n", "sudo sh tails/set-up",
                  "sudo apt update && sudo apt install bivouac", "sudo apt update && sudo apt install ./pool/trixie/bivouac_*.deb", "Install Every Time",
                  "Download is performed unsandboxed as root"):
        check(words in steps and words in docs, "%r in STEPS.txt (%s) and docs/tails.md (%s)" % (words, words in steps, words in docs))


def set_up(where=STICK, again=()):
    """again: the lines of persistence.conf that had gone since an earlier run."""
    said = output(["sh", where + "/tails/set-up"], cwd=where)
    check("Install Every Time" in said, "it says how to go on: " + said)
    check_equal(re.findall(r"^set-up: .* there again: (.*)$", said, re.M), list(again), "what it says of lines that had gone")
    lines = conf_lines()
    check_equal([lines.count(line) for line in LINES + TAILS_LINES], [1] * 5, "the lines that Tails needs and those that were there, each once: %s" % lines)
    check_equal(len(lines), 5, "and no other")
    check_equal(mounted(), 1, "the folder is mounted once")
    check(os.path.samefile(PLACE, FILES), "and it is the one that is kept")
    with open(STORAGE + "/apt/sources/bivouac.sources") as file:
        text = file.read()
    check("URIs: file:" + PLACE + "\n" in text and "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----" in text, "the source, with its key: " + text)
    check_equal(os.readlink(LISTS + "/bivouac.sources"), STORAGE + "/apt/sources/bivouac.sources", "the link of this session")
    check(os.path.isfile(FILES + "/dists/trixie/InRelease"), "the repository is copied")
    check_equal(sorted(os.listdir(STORAGE + "/apt")), ["bivouac", "sources"], "nothing else is left there")
    writable = output(["find", FILES, STORAGE + "/apt/sources", "(", "-perm", "/022", "-o", "!", "-user", "root", ")", "!", "-type", "l"])
    check_equal(writable, "", "nobody but root can write there")


def fetched():
    """apt, as its own user, gets all from there without a complaint."""
    forget_lists()
    said = update()
    check(not re.search(r"^(E|W|N|Err|Ign):", said, re.M), "no errors, no warnings: " + said)
    check("file:" + PLACE in output(["apt-cache", "policy", "bivouac"]), "apt-cache policy")


def older_place():
    """What set-up did before: the storage itself was what apt should read. To be run again by whoever has that."""
    output(["umount", PLACE])
    os.rmdir(PLACE)
    with open(CONF, "w") as file:
        file.write("\n".join(TAILS_LINES + LINES[:1]) + "\n")
    path = STORAGE + "/apt/sources/bivouac.sources"
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace("file:" + PLACE, "file:" + FILES))
    forget_lists()
    said = update(code=None)
    check(re.search(r"^Err:.*" + FILES, said, re.M), "apt complains: " + said)
    set_up(again=LINES[1:])
    fetched()


def newer_repository():
    """Put in the place of the one that is mounted, with a terminal that stands in there."""
    newer = "/media/amnesia/STICK/newer"
    shutil.copytree(STICK, newer)
    with open(newer + "/STEPS.txt", "a") as file:
        file.write("newer\n")
    terminal = subprocess.Popen(["sleep", "60"], cwd=PLACE)
    try:
        set_up(newer)
    finally:
        terminal.kill()
        terminal.wait()
    with open(PLACE + "/STEPS.txt") as file:
        check(file.read().endswith("newer\n"), "apt sees the newer one")
    fetched()
    set_up()
    with open(PLACE + "/STEPS.txt") as file:
        check(not file.read().endswith("newer\n"), "and that of the stick again")


def interrupted():
    """Each state in which a set-up can have ended, then set-up again."""
    def half_copied():
        os.makedirs(FILES + ".new/pool")

    def moved_away():
        os.rename(FILES, FILES + ".old")
        shutil.copytree(STICK, FILES + ".new")

    def not_mounted():
        output(["umount", PLACE])
        shutil.copytree(FILES, FILES + ".old")

    def mounted_old():
        os.rename(FILES, FILES + ".old")
        shutil.copytree(STICK, FILES)

    def twice():
        output(["mount", "--bind", STICK, PLACE])
        output(["mount", "--bind", FILES, PLACE])
        output(["mount", "--bind", STICK, PLACE])

    for state in (half_copied, moved_away, not_mounted, mounted_old, twice):
        state()
        set_up()
        fetched()
    # From the mounted folder, when the kept one has just lost its name.
    moved_away()
    set_up(PLACE)
    fetched()


def lines_lost():
    """Tails' own program writes persistence.conf anew from the features that it knows."""
    with open(CONF, "w") as file:
        file.write("\n".join(TAILS_LINES) + "\n")
    set_up(again=LINES)
    with open(CONF, "w") as file:
        file.write("\n".join(TAILS_LINES + LINES[1:]) + "\n")
    set_up(again=LINES[:1])


def next_session():
    """What Tails does at its next start: what persistence.conf says, then apt-get install of what is listed."""
    output(["umount", PLACE])
    os.rmdir(PLACE)
    os.remove(LISTS + "/bivouac.sources")
    forget_lists()
    for line in conf_lines():
        target, options = line.split("\t")
        source, _, how = options.partition("source=")[2].partition(",")
        source = os.path.join(STORAGE, source)
        if how == "link":
            for name in os.listdir(source):
                os.symlink(os.path.join(source, name), os.path.join(target, name))
        elif os.path.isdir(source):  # of Tails' own there is none here
            os.makedirs(target, exist_ok=True)
            output(["mount", "--bind", source, target])
    fetched()
    output(["apt-get", "-y", "install", "bivouac"], env=QUIET)


def from_the_stick():
    """Without Persistent Storage: a file of a stick that apt's user cannot read. What the package depends on is here already."""
    output(["apt-get", "-y", "purge", "bivouac"], env=QUIET)
    bare()
    forget_lists()
    said = output(["sh", "-c", "apt -y install %s/pool/trixie/bivouac_*.deb" % STICK], env=QUIET)
    # apt 3.0 says nothing; others add the note that docs/tails.md tells beforehand.
    notes = [line for line in re.findall(r"^(?:E|W|N|Err): .*", said, re.M) if "Download is performed unsandboxed as root" not in line]
    check_equal(notes, [], "nothing to be frightened of")
    check("bivouac " in output(["bivouac", "--version"]), "version")


def refused(change, words):
    keep = "/tmp/kept"
    shutil.rmtree(keep, ignore_errors=True)
    shutil.copytree(FILES, keep)
    try:
        change()
        forget_lists()
        said = update(code=None) + output(["apt-get", "-y", "--reinstall", "install", "bivouac"], code=None)
        check(re.search(words, said), "apt refuses it: " + said[-1500:])
    finally:
        # In the same directory, which is mounted.
        for name in os.listdir(FILES):
            (shutil.rmtree if os.path.isdir(os.path.join(FILES, name)) else os.remove)(os.path.join(FILES, name))
        shutil.copytree(keep, FILES, dirs_exist_ok=True)
        forget_lists()
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
    stick()
    bare()
    step("apt reads as _apt, who does not get through a mount point like that of Tails", reads_as_apt)
    step("before sudo: the signatures of set-up and of the package", compared)
    step("without Persistent Storage: a word, and nothing done", no_storage)
    tails_storage()
    step("set-up does nothing with a folder that was changed", key_changed)
    step("set-up puts the two files in place", set_up)
    step("apt-get update: no errors and no warnings, the package comes from there", fetched)
    step("set-up a second time changes nothing", set_up)
    step("set-up from the folder that is kept, and from where it is mounted", lambda: (set_up(FILES), set_up(PLACE)))
    step("a newer repository takes the place of the one that is mounted", newer_repository)
    step("set-up after one that was interrupted", interrupted)
    step("lines that Tails left out are there again, and that is said", lines_lost)
    step("from the place of an earlier version to the one that _apt reaches", older_place)
    step("apt-get install", lambda: output(["apt-get", "-y", "install", "bivouac"], env=QUIET))
    step("the program is there", lambda: check("bivouac " in output(["bivouac", "--version"]), "version"))
    step("next session: as Tails' Additional Software does it", next_session)
    step("a changed package is refused", refused, lambda: append("bivouac_*.deb"), r"(?i)hash sum mismatch|unexpected size|size mismatch")
    step("a changed index is refused", refused, other_packages, r"(?i)hash sum mismatch|unexpected size")
    step("a changed Release is refused", refused, lambda: edit("dists/trixie/InRelease", "Label: bivouac", "Label: bivouax"),
         r"(?i)not signed|invalid|BADSIG|bad signature|sqv returned an error|signature")
    step("without a signature it is refused", refused, unsigned, r"(?i)not signed|no longer signed|does not have a Release file")
    step("from a stick, without Persistent Storage", from_the_stick)
    step("the steps are written down", written_down)
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""The package in a clean root, without a network: installed, used, upgraded, removed, installed again, purged.

  python3 package_story.py bivouac.deb          as root of a root of its own (packaging/release)
"""
import json
import os
import pty
import pwd
import re
import shutil
import stat
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e")]
sys.dont_write_bytecode = True

from harness import Failed, check, check_equal  # noqa: E402
from node import PASSPHRASE, Node  # noqa: E402
from results import Results, output  # noqa: E402

SYSTEM = "/var/lib/bivouac"
BINARY_LIMIT, PACKAGE_LIMIT = 6 << 20, 8 << 20
FILES = {
    "/usr/bin/bivouac": 0o755, "/usr/libexec/bivouac/bivouac-start": 0o755, "/usr/share/man/man1/bivouac.1.gz": 0o644,
    "/usr/share/man/man5/bivouac.5.gz": 0o644, "/usr/share/bash-completion/completions/bivouac": 0o644,
    "/usr/share/doc/bivouac/examples/torrc.example": 0o644, "/usr/share/applications/bivouac.desktop": 0o644,
    "/usr/share/icons/hicolor/scalable/apps/bivouac.svg": 0o644, "/usr/lib/systemd/user/bivouac.service": 0o644,
    "/usr/lib/systemd/system/bivouac.service": 0o644, "/etc/apparmor.d/usr.bin.bivouac": 0o644,
    "/etc/onion-grater.d/bivouac.yml": 0o644, "/usr/lib/sysusers.d/bivouac.conf": 0o644, "/usr/lib/tmpfiles.d/bivouac.conf": 0o644,
    "/usr/share/doc/bivouac/copyright": 0o644, "/usr/share/doc/bivouac/README.md.gz": 0o644, "/usr/share/doc/bivouac/tails.md.gz": 0o644,
}


def apt(*words, **more):
    return output(["apt-get", "-y", "--no-install-recommends"] + list(words), **more)


def whole(deb):
    for path, mode in FILES.items():
        real = path
        if not os.path.exists(real):
            # On 12 the system's units are in /lib; short documents are not compressed.
            for other in (path.replace("/usr/lib/systemd/system", "/lib/systemd/system"), path[:-3] if path.endswith(".gz") else path):
                real = other if os.path.exists(other) else real
        info = os.lstat(real)
        check_equal((stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid), (mode, 0, 0), "mode and owner of " + real)
    check_equal(output(["dpkg", "--verify", "bivouac"]), "", "dpkg --verify")
    conffiles = output(["dpkg-query", "-W", "-f", "${Conffiles}", "bivouac"])
    check_equal(sorted(re.findall(r"/\S+", conffiles)), ["/etc/apparmor.d/usr.bin.bivouac", "/etc/onion-grater.d/bivouac.yml"], "conffiles")


def sizes(deb):
    binary, package = os.path.getsize("/usr/bin/bivouac"), os.path.getsize(deb)
    print("         binary %.2f MiB, package %.2f MiB" % (binary / 2**20, package / 2**20))
    check(binary < BINARY_LIMIT, "the binary is %d bytes; below %d is wanted" % (binary, BINARY_LIMIT))
    check(package < PACKAGE_LIMIT, "the package is %d bytes; below %d is wanted" % (package, PACKAGE_LIMIT))


def user_and_place():
    user = pwd.getpwnam("_bivouac")
    check_equal((user.pw_dir, os.path.basename(user.pw_shell)), (SYSTEM, "nologin"), "home and shell of _bivouac")
    check_equal(os.getgrouplist("_bivouac", user.pw_gid), [user.pw_gid], "groups of _bivouac: only the unit lets it speak to tor")
    info = os.stat(SYSTEM)
    check_equal((stat.S_IMODE(info.st_mode), info.st_uid), (0o700, user.pw_uid), SYSTEM)
    for unit in ("/etc/systemd/system/multi-user.target.wants/bivouac.service", "/etc/systemd/user/default.target.wants/bivouac.service"):
        check(not os.path.lexists(unit), "nothing is enabled by installing: " + unit)


def hardened():
    """What all hardening flags leave in a program; blhc sees the flags, this the result."""
    header, dynamic = output(["readelf", "-hlW", "/usr/bin/bivouac"]), output(["readelf", "-dW", "/usr/bin/bivouac"])
    symbols = output(["readelf", "--dyn-syms", "-W", "/usr/bin/bivouac"])
    check("Type:                              DYN" in header, "PIE")
    check("GNU_RELRO" in header and "BIND_NOW" in dynamic, "RELRO and immediate binding")
    check(re.search(r"GNU_STACK .* RW ", header), "no stack that can be run")
    check("__stack_chk_fail" in symbols, "stack protector")
    check(re.search(r"__\w+_chk@", symbols), "fortified calls")
    check("RPATH" not in dynamic and "RUNPATH" not in dynamic, "no path for libraries of its own")


def as_user(name, *words, **more):
    user = pwd.getpwnam(name)
    environment = {"HOME": user.pw_dir, "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "USER": name}
    return output(["setpriv", "--reuid", name, "--regid", str(user.pw_gid), "--init-groups", "--"] + list(words), env=environment, **more)


def exec_start(name):
    unit = next(p for p in ("/usr/lib/systemd/%s/bivouac.service" % name, "/lib/systemd/%s/bivouac.service" % name) if os.path.exists(p))
    with open(unit) as file:
        return re.search(r"^ExecStart=(.*)$", file.read(), re.M).group(1).replace("$BIVOUAC_OPTIONS", "").split()


def machines_node():
    """The steps of bivouac.5, as far as they go without systemd; what the unit runs is run."""
    as_user("_bivouac", "bivouac", "init", "--data", SYSTEM, "--passphrase-file", "-", input=PASSPHRASE + "\n")
    return run_unit("machine's first post")


def run_unit(text=None):
    user = pwd.getpwnam("_bivouac")
    log = open("/tmp/unit.log", "ab")
    process = subprocess.Popen(["setpriv", "--reuid", "_bivouac", "--regid", str(user.pw_gid), "--clear-groups", "--"] + exec_start("system"),
                               stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"HOME": SYSTEM, "PATH": "/usr/bin:/bin"})
    try:
        for _ in range(300):
            if "locked" in as_user("_bivouac", "bivouac", "status", "--data", SYSTEM, code=None):
                break
            time.sleep(0.1)
        as_user("_bivouac", "bivouac", "unlock", "--data", SYSTEM, "--passphrase-file", "-", input=PASSPHRASE)
        for _ in range(300):
            status = as_user("_bivouac", "bivouac", "status", "--data", SYSTEM, "--json", code=None)
            if '"entity"' in status:
                break
            time.sleep(0.1)
        entity = json.loads(status)["entity"]
        if text:
            as_user("_bivouac", "bivouac", "post", text, "--data", SYSTEM)
        feed = as_user("_bivouac", "bivouac", "feed", "--data", SYSTEM)
        check("machine's first post" in feed, "the post is there: " + feed)
        as_user("_bivouac", "bivouac", "stop", "--data", SYSTEM)
        check_equal(process.wait(20), 0, "exit code of the unit's program")
        return entity
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def earlier(deb):
    """The same package with a lower version: what an upgrade comes from."""
    tree = "/tmp/earlier"
    shutil.rmtree(tree, ignore_errors=True)
    output(["dpkg-deb", "-R", deb, tree])
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control) as file:
        text = file.read()
    with open(control, "w") as file:
        file.write(re.sub(r"^Version: .*$", "Version: 0.0.9", text, flags=re.M))
    output(["dpkg-deb", "-b", tree, "/tmp/bivouac-earlier.deb"])
    return "/tmp/bivouac-earlier.deb"


def put_back(deb):
    """What docs/tails.md says to type when the filter's profile is gone or changed; `--reinstall` alone leaves both as they are."""
    with open(os.path.join(TOP, "docs", "tails.md")) as file:
        found = re.findall(r"`sudo (apt install --reinstall [^`]* bivouac)`", file.read())
    check_equal(len(set(found)), 1, "one command in docs/tails.md: %s" % found)
    command = found[0].split()[:-1] + ["-y", deb]
    path = "/etc/onion-grater.d/bivouac.yml"
    with open(path) as file:
        shipped = file.read()

    def read():
        if os.path.exists(path):
            with open(path) as file:
                return file.read()
    for broken in (None, shipped.replace("onions/current", "onions/none"), ""):
        if broken is None:
            os.remove(path)
        else:
            with open(path, "w") as file:
                file.write(broken)
        apt("install", "--reinstall", deb)
        check_equal(read(), broken, "what the options are for")
        output(command)
        check_equal(read(), shipped, "it is back")
        profiles = [n for n in os.listdir("/etc/onion-grater.d") if n.endswith(".yml")]
        check_equal(profiles, ["bivouac.yml"], "and nothing beside it that the filter reads")


def released_data():
    """Data of every released version in the home of a person, opened by the installed program."""
    if not os.path.exists("/home/maria"):
        output(["useradd", "--create-home", "maria"])
    user = pwd.getpwnam("maria")
    fixtures = os.path.join(TOP, "tests", "fixtures")
    found = sorted(n for n in os.listdir(fixtures) if n.startswith("data-"))
    check(found, "there are fixtures")
    for name in found:
        data = "/home/maria/" + name
        shutil.copytree(os.path.join(fixtures, name), data)
        output(["chown", "-R", "maria:", data])
        output(["chmod", "-R", "u=rwX,go=", data])
        with open(os.path.join(fixtures, name, "expected.json")) as file:
            expected = json.load(file)
        log = open("/tmp/person.log", "ab")
        process = subprocess.Popen(["setpriv", "--reuid", "maria", "--regid", str(user.pw_gid), "--clear-groups", "--", "bivouac", "run", "--data", data,
                                    "--passphrase-file", "-", "--no-tor"], stdin=subprocess.PIPE, stdout=log, stderr=log, env={"HOME": "/home/maria", "PATH": "/usr/bin:/bin"})
        process.stdin.write(PASSPHRASE.encode() + b"\n")
        process.stdin.close()
        try:
            for _ in range(300):
                feed = as_user("maria", "bivouac", "feed", "--all", "--json", "--data", data, code=None)
                if '"posts"' in feed:
                    break
                time.sleep(0.1)
            texts = [p["content"].get("text") for p in json.loads(feed)["posts"]]
            for post in expected["posts"]:
                check(post["text"] in texts, "%s: %r is there" % (name, post["text"]))
            as_user("maria", "bivouac", "stop", "--data", data)
            process.wait(20)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def purge_and_answer(answer):
    """apt-get purge with a person at a terminal, who is asked one question."""
    read, write = pty.openpty()
    process = subprocess.Popen(["apt-get", "-y", "purge", "bivouac"], stdin=write, stdout=write, stderr=write, start_new_session=True,
                               env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "readline", "TERM": "dumb", "LC_ALL": "C.UTF-8"})
    os.close(write)
    said, answered = b"", False
    while True:
        try:
            more = os.read(read, 4096)
        except OSError:
            break
        if not more:
            break
        said += more
        if not answered and b"Destroy the node of this machine?" in said:
            answered = True
            os.write(read, answer.encode() + b"\n")
    check_equal(process.wait(120), 0, "purge: %s" % said[-1500:])
    check(answered, "purging asks: %s" % said[-1500:].decode("utf-8", "replace"))


def main():
    deb = os.path.abspath(sys.argv[1])
    results = Results()
    step = results.step
    step("an earlier version installs", lambda: apt("install", earlier(deb)))
    step("a user and a place, nothing enabled", user_and_place)
    entity = step("the machine's node: made, started by what the unit runs, unlocked, used, stopped", machines_node)
    step("upgrade to this version", lambda: apt("install", deb))
    step("every file is there, with its mode", whole, deb)
    step("a profile for the filter of Tails that is missing or changed is put back by the documented command", put_back, deb)
    step("sizes", sizes, deb)
    step("all hardening is in the program", hardened)
    step("after the upgrade the machine's node opens, the same", lambda: check_equal(run_unit(), entity, "its address"))
    step("data of every released version opens", released_data)
    step("autopkgtest: installed", lambda: output(["sh", os.path.join(TOP, "packaging/debian/tests/installed")]))
    step("manual pages and completion", lambda: (output(["man", "-w", "1", "bivouac"]), output(["man", "-w", "5", "bivouac"]),
                                                check_equal(output(["bash", "-c", ". /usr/share/bash-completion/completions/bivouac; COMP_WORDS=(bivouac foll); COMP_CWORD=1; _bivouac; echo \"${COMPREPLY[*]}\""]).strip(),
                                                            "follow followers following", "completion")))
    step("remove", lambda: apt("remove", "bivouac"))
    step("removing leaves the data", lambda: check(os.path.exists(SYSTEM + "/bivouac.db") and os.path.exists(SYSTEM + "/bivouac.keys"), "the node is there"))
    step("installed again", lambda: apt("install", deb))
    step("purge where nobody can be asked", lambda: check("is kept" in apt("purge", "bivouac"), "it says that the node is kept"))
    step("the data is kept", lambda: check(os.path.exists(SYSTEM + "/bivouac.db"), "the node is there"))
    step("installed once more, the node opens", lambda: (apt("install", deb), check_equal(run_unit(), entity, "its address")))
    step("purge, answered with no", purge_and_answer, "no")
    step("the data is kept", lambda: check(os.path.exists(SYSTEM + "/bivouac.db"), "the node is there"))
    step("installed once more", lambda: apt("install", deb))
    step("purge, answered with yes", purge_and_answer, "yes")
    step("the machine's node is gone, a person's is not",
         lambda: check(not os.path.exists(SYSTEM) and os.path.exists("/home/maria/data-0.1.0/bivouac.db"), "what is left: %s" % os.path.exists(SYSTEM)))
    step("nothing else is left", lambda: check_equal([p for p in list(FILES) + ["/etc/apparmor.d/local/usr.bin.bivouac"] if os.path.exists(p)], [], "files"))
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

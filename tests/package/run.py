# SPDX-License-Identifier: BSD-3-Clause
"""What the package holds, as far as it can be tested without building it: units, profiles, completion, pages, the entry in
the menu, data of earlier versions.  packaging/release does the rest, in clean roots.

  python3 tests/package/run.py                      all of them
  python3 tests/package/run.py NAME...              those with NAME in their names; --list, --keep
  python3 tests/package/run.py --write-completion   brings the table of the completion up to date with --help
  python3 tests/package/run.py --write-apparmor     writes the list that the AppArmor rules are compared with

What this machine cannot show (AppArmor at work, without it in the kernel) is said in a line of its own and counted as
neither passed nor failed.  The last line is `N passed, N failed`.
"""
import argparse
import ctypes
import ctypes.util
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import xml.dom.minidom

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e")]
sys.dont_write_bytecode = True

import apparmor  # noqa: E402
import completion  # noqa: E402
import tor_words  # noqa: E402
from harness import Failed, binary, check, check_equal, clean_env, private_dir, remove, wait_until  # noqa: E402
from node import PASSPHRASE, Node, picture  # noqa: E402

PACKAGING = os.path.join(TOP, "packaging")
PROFILE = os.path.join(PACKAGING, "apparmor", "usr.bin.bivouac")
RULES = os.path.join(HERE, "apparmor-rules.txt")
GRATER = os.path.join(PACKAGING, "onion-grater", "bivouac.yml")
COMPLETION = os.path.join(PACKAGING, "completion", "bivouac")
FIXTURES = os.path.join(TOP, "tests", "fixtures")
HIGHEST_EXPOSURE = 1.5


class CannotTell(Exception):
    """This machine has not what the test is about."""


def read(*names):
    with open(os.path.join(TOP, *names)) as file:
        return file.read()


def output(command, code=0, **more):
    environment = more.pop("env", clean_env("/nonexistent"))
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          env=environment, **more)
    check(code is None or done.returncode == code, "%s: exit code %d\n%s" % (" ".join(command[:4]), done.returncode, done.stdout[-2000:]))
    return done.stdout


# ---- units

def unit_values(name):
    values = {}
    for line in read("packaging", "debian", name).splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return values


def test_system_unit_exposure(top):
    text = output(["systemd-analyze", "security", "--offline=yes", "--no-pager", os.path.join(PACKAGING, "debian", "bivouac.service")])
    score = float(re.search(r"exposure level for bivouac.service: ([0-9.]+)", text).group(1))
    print("      exposure of the system unit: %.1f (at most %.1f)" % (score, HIGHEST_EXPOSURE))
    check(score <= HIGHEST_EXPOSURE, "the system unit is exposed: %.1f\n%s" % (score, text))


def test_system_unit_has_no_way_out(top):
    values = unit_values("bivouac.service")
    check_equal(values["IPAddressDeny"], ["any"], "IPAddressDeny")
    check_equal(values["IPAddressAllow"], ["localhost"], "IPAddressAllow")
    check_equal(values["RestrictAddressFamilies"], ["AF_INET AF_UNIX"], "RestrictAddressFamilies")
    check_equal(values["User"], ["_bivouac"], "User")
    check("--tor-control unix:/run/tor/control" in values["ExecStart"][0], "the service uses the system's tor and never starts one")
    check("--passphrase-file" not in values["ExecStart"][0], "no file with a passphrase")
    check_equal(values["LoadCredentialEncrypted"], ["bivouac.passphrase"], "the credential")
    check(" --credential bivouac.passphrase" in values["ExecStart"][0], "the program is told of the credential")


def verified(top, name, user):
    """systemd-analyze verify of the unit as it is installed, beside the units that it names."""
    units = os.path.join(top, name)
    os.makedirs(units)
    text = read("packaging", "debian", name).replace("/usr/bin/bivouac", binary())
    path = os.path.join(units, "bivouac.service")
    with open(path, "w") as file:
        file.write(text)
    for other in ("tor@.service",):
        with open(os.path.join(units, other), "w") as file:
            file.write("[Service]\nExecStart=/bin/true\n")
    words = output(["systemd-analyze", "verify", "--man=no"] + (["--user"] if user else []) + [path], code=None,
                   env=dict(clean_env(top), XDG_RUNTIME_DIR=top))
    bad = [line for line in words.splitlines() if "bivouac.service" in line]
    check(not bad, "\n".join(bad))


def test_units_are_understood(top):
    verified(top, "bivouac.service", False)
    verified(top, "bivouac.user.service", True)
    check("--locked" in unit_values("bivouac.user.service")["ExecStart"][0], "the user's unit asks nobody: it starts locked")


def run_words(unit):
    """What ExecStart runs, for a shell."""
    return unit_values(unit)["ExecStart"][0].replace("/usr/bin/bivouac", binary())


def test_credential_opens_and_its_absence_locks(top):
    """`run --credential`, as the system unit runs it."""
    node = Node(binary(), top, "alice").init()
    credentials = os.path.join(top, "credentials")
    os.mkdir(credentials, 0o700)
    node.env["CREDENTIALS_DIRECTORY"] = credentials
    node.run_args = lambda: ["run", "--data", node.data, "--no-tor", "--credential", "bivouac.passphrase"]
    try:
        node.launch()
        wait_until(lambda: node.cli("status")[0] == 0, 30, "a locked node answers")
        check(node.json("status").get("locked"), "without the credential it starts locked")
        node.do("unlock", "--passphrase-file", "-", stdin=PASSPHRASE.encode(), timeout=60)
        node.wait_answering()
        check(not node.json("status").get("locked"), "unlock opens it")
        node.stop()
        path = os.path.join(credentials, "bivouac.passphrase")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o400), "w") as file:
            file.write(PASSPHRASE)
        node.launch()
        node.wait_answering()
        check(not node.json("status").get("locked"), "with the credential it opens by itself")
        node.stop()
        os.chmod(path, 0o600)
        with open(path, "w") as file:
            file.write("another passphrase than the node's")
        node.launch()
        check_equal(node.process.wait(60), 1, "exit code with a wrong credential")
        check("passphrase" in node.log_tail(), "it says what is wrong: " + node.log_tail())
    finally:
        if node.process:
            node.process.end()


def test_locked_start(top):
    """`run --locked`, as the user's unit runs it."""
    node = Node(binary(), top, "alice").init()
    node.run_args = lambda: ["run", "--data", node.data, "--no-tor", "--locked"]
    try:
        node.launch()
        wait_until(lambda: node.cli("status")[0] == 0, 30, "a locked node answers")
        check(node.json("status").get("locked"), "locked")
        check("passphrase" in node.refused("unlock", "--passphrase-file", "-", stdin=b"a wrong passphrase", timeout=60), "a wrong one is refused")
        node.do("unlock", "--passphrase-file", "-", stdin=PASSPHRASE.encode(), timeout=60)
        node.wait_answering()
        node.do("post", "after the lock")
        check(node.has_text("after the lock"), "it works")
        node.stop()
        check("--locked" in node.refused("run", "--locked", "--passphrase-file", "-", code=2), "both together are wrong usage")
    finally:
        if node.process:
            node.process.end()


# ---- profiles

def test_apparmor_compiles(top):
    if not shutil.which("apparmor_parser", path="/usr/sbin:/sbin:/usr/bin"):
        raise Failed("apparmor_parser is missing (package apparmor)")
    text = output(["apparmor_parser", "--skip-kernel-load", "--skip-cache", "--names", PROFILE])
    check_equal([line for line in text.splitlines() if line.startswith("/")], ["/usr/bin/bivouac"], "named by its path, for onion-grater")
    compiled = subprocess.run(["/usr/sbin/apparmor_parser", "--skip-kernel-load", "--skip-cache", "--stdout", PROFILE],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(compiled.returncode == 0 and len(compiled.stdout) > 1000, "compiled: %r" % compiled.stderr[-500:])


def test_apparmor_rules_do_not_grow_unnoticed(top):
    got = apparmor.rules(PROFILE)
    with open(RULES) as file:
        wanted = file.read().splitlines()
    more, less = sorted(set(got) - set(wanted)), sorted(set(wanted) - set(got))
    check(got == wanted, "the profile is another one than tests/package/apparmor-rules.txt: more %s, less %s\n"
          "If this is wanted: python3 tests/package/run.py --write-apparmor" % (more, less))
    for rule in got:
        for word in ("capability", "mount", "ptrace", "dbus", "change_profile", "userns", "network,", "file,"):
            check(not rule.startswith(word), "the program needs no such right: " + rule)
        access = rule.rsplit(" ", 1)[-1].rstrip(",")
        if rule.startswith(("/", "owner", "@")):
            check(not re.search(r"[uUpPcC]x", access), "nothing runs outside of the profile: " + rule)
            check("x" not in access or "/tor " in rule, "only tor is run: " + rule)
            check(not rule.startswith(("/** ", "owner /** ", "@{HOME}")), "not everything: " + rule)
    check(not any(r.startswith("network") and "dgram" in r for r in got), "no datagrams, so no names")


def test_apparmor_lets_the_program_work(top):
    """The paths that a story uses, seen by strace, are among those that the profile names; and what is not needed is not."""
    text = apparmor.expanded(PROFILE, "/usr/sbin/apparmor_parser")
    profile = apparmor.Profile(text, os.getuid())
    trace, paths = os.path.join(top, "trace"), set()
    node = Node(binary(), top, "alice")
    attachment = os.path.join(top, "photo.png")
    with open(attachment, "wb") as file:
        file.write(picture())

    def traced(*words, stdin=b""):
        done = subprocess.run(["strace", "-f", "-qq", "-s", "4096", "-o", trace, "-e", "trace=openat,open,rename,renameat2,unlink,unlinkat,mkdir,"
                               "mkdirat,execve,readlink,link,linkat", node.program] + list(words), input=stdin, env=node.env, cwd=top,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        check_equal(done.returncode, 0, "%s: %s" % (words[0], done.stdout[-500:]))
        with open(trace) as file:
            paths.update(apparmor.uses(file.read()))
    words = (PASSPHRASE + "\n").encode()
    traced("init", "--data", node.data, "--passphrase-file", "-", stdin=words)
    node.wrap = ["strace", "-f", "-qq", "-s", "4096", "-o", trace + ".run", "-e", "trace=openat,open,rename,renameat2,unlink,unlinkat,mkdir,"
                 "mkdirat,execve,readlink,link,linkat"]
    try:
        node.launch()
        node.wait_answering()
        traced("post", "hello", "--data", node.data, "--attach", attachment)
        traced("backup", os.path.join(top, "node.backup"), "--data", node.data, "--passphrase-file", "-", "--backup-passphrase-file",
               attachment_words(top), stdin=words)
        traced("stop", "--data", node.data)
        node.process.wait(20)
    finally:
        node.process.end()
    with open(trace + ".run") as file:
        paths.update(apparmor.uses(file.read()))
    paths = {(p.replace(binary(), "/usr/bin/bivouac"), a) for p, a in paths}
    bad = sorted("%s %s" % (path, access) for path, access in paths
                 if access != "x" and not profile.allows(path, access) and not profile.allows(path.rstrip("/"), access))
    check(len(paths) > 20, "the traces show what was used: %d paths" % len(paths))
    check(not bad, "the program used what its profile refuses: " + ", ".join(bad))
    # The reader of the profile can say no.
    for path, access in (("/etc/shadow", "r"), ("/usr/bin/sh", "x"), (os.path.expanduser("~/.ssh/id_ed25519"), "r"), ("/etc/passwd", "w"),
                         ("/var/lib/tor/keys", "r"), ("/home/x/.gnupg/secring", "r"), ("/usr/bin/bivouac", "w")):
        check(not profile.allows(path, access), "the profile allows %s of %s" % (access, path))


def attachment_words(top):
    path = os.path.join(top, "words")
    with open(path, "w") as file:
        file.write("a passphrase for the backup alone\n")
    return path


def test_apparmor_enforced(top):
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            on = file.read().strip() == "Y"
    except OSError:
        on = False
    if not on or not os.path.isdir("/sys/kernel/security/apparmor"):
        raise CannotTell("not enforced here: the kernel has no AppArmor")
    if os.getuid() != 0:
        raise CannotTell("not enforced here: loading a profile needs root")
    # The same rules under another name, for the program where it was built.
    name = "bivouac-package-test-%d" % os.getpid()
    profile = os.path.join(top, name)
    text = read("packaging", "apparmor", "usr.bin.bivouac").replace("/usr/bin/bivouac {", "profile %s {" % name)
    text = text.replace("peer=/usr/bin/bivouac", "peer=" + name).replace("/usr/bin/bivouac mr", "%s mr" % binary())
    with open(profile, "w") as file:
        file.write(text)
    output(["/usr/sbin/apparmor_parser", "--replace", "--skip-cache", profile])
    try:
        node = Node(binary(), top, "alice", wrap=["aa-exec", "-p", name, "--"])
        node.init().launch()
        node.wait_answering()
        node.do("post", "within the profile")
        with open("/proc/%d/attr/current" % node.pid) as file:
            check(name in file.read() , "the node is confined")
        node.stop()
        refused = subprocess.run(["aa-exec", "-p", name, "--", binary(), "post", "x", "--data", node.data, "--attach", "/etc/shadow"],
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=node.env)
        check(refused.returncode != 0, "a file that the profile does not name is refused")
    finally:
        output(["/usr/sbin/apparmor_parser", "--remove", profile], code=None)


def test_onion_grater_profile_is_what_the_code_says(top):
    entry = tor_words.profile(GRATER)
    check_equal(set(entry), {"name", "apparmor-profiles", "users", "commands", "events"}, "keys of the profile")
    check_equal(entry["apparmor-profiles"], ["/usr/bin/bivouac"], "the program")
    check_equal(entry["users"], ["amnesia"], "the user")
    source = "".join(read("src", "tor", os.path.basename(path)) for path in sorted(glob.glob(os.path.join(TOP, "src", "tor", "*.cpp"))))
    said = set(tor_words.commands_in(source))
    check(len(said) > 8, "the commands are found in the code: %s" % sorted(said))
    onion, key = "a" * 56, "A" * 86 + "=="
    used = set()
    for line in sorted(said):
        command = line.split()[0]
        if command in tor_words.ITS_OWN | tor_words.ONLY_OWN_TOR:
            continue
        if command == "ADD_ONION":
            check_equal(line, "ADD_ONION ED25519-V3:", "how the code begins the line")
            continue
        if command == "DEL_ONION":
            line = "DEL_ONION " + onion
        check(tor_words.allows(entry, line), "the profile does not let through what the code says: " + line)
        used.add(line)
    # The whole line, from the pieces in the code.
    flags = re.search(r'"( Flags=DiscardPK[^"]*)"', source).group(1)
    pow_ = re.search(r'"( PoWDefensesEnabled=1[^"]*)"', source).group(1)
    port = re.search(r'"( Port=80,)"', source).group(1)
    for defence in ("", pow_):
        line = "ADD_ONION ED25519-V3:" + key + flags + defence + port + "127.0.0.1:12345"
        check(tor_words.allows(entry, line), "the profile does not let through what the code says: " + line)
    # Nothing beyond it.
    wanted = {"GETINFO": 4, "ADD_ONION": 1, "DEL_ONION": 1}
    check_equal({c: len(p) for c, p in entry["commands"].items()}, wanted, "how many patterns each command has")
    for pattern in entry["commands"]["GETINFO"]:
        check("GETINFO " + pattern in said, "nobody asks GETINFO " + pattern)
    check_equal(set(entry["events"]), set(" ".join(l for l in said if l.startswith("SETEVENTS")).split()) - {"SETEVENTS"}, "events")
    for line in ("GETINFO address", "GETINFO versions", "GETINFO onions/current version", "SIGNAL SHUTDOWN", "GETCONF SocksPort", "SETCONF x=y",
                 "ADD_ONION NEW:BEST Port=80,127.0.0.1:80", "ADD_ONION ED25519-V3:%s Flags=DiscardPK,Detach MaxStreams=64 Port=80,127.0.0.1:1" % key,
                 "ADD_ONION ED25519-V3:%s Flags=DiscardPK MaxStreams=64 Port=80,10.0.0.1:80" % key,
                 "ADD_ONION ED25519-V3:%s Flags=DiscardPK MaxStreams=64 Port=22,127.0.0.1:22" % key,
                 "DEL_ONION *", "ONION_CLIENT_AUTH_VIEW", "SETEVENTS CIRC", "TAKEOWNERSHIP"):
        check(not tor_words.allows(entry, line), "the profile lets through: " + line)


# ---- what a person sees

def test_completion_is_that_of_help(top):
    text = completion.read(COMPLETION)
    check(completion.with_table(text, completion.table(binary())) == text,
          "packaging/completion/bivouac is not what --help says; python3 tests/package/run.py --write-completion")


def test_completion_completes(top):
    os.makedirs(os.path.join(top, "pictures"))
    open(os.path.join(top, "photo.png"), "w").close()

    def complete(*words):
        script = "source %s; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _bivouac 2>&1; printf '%%s\\n' \"${COMPREPLY[@]}\"" % COMPLETION
        return output(["bash", "-c", script, "bash", "bivouac"] + list(words), cwd=top).split()
    check_equal(complete("foll"), ["follow", "followers", "following"], "verbs")
    check_equal(complete("followers", "ap"), ["approve"], "verbs of a verb")
    check_equal(complete("followers", "--state", "de"), ["denied"], "choices of an option")
    check_equal(complete("door", "v"), ["vetted"], "choices of a word")
    check_equal(complete("--data", "x", "door", "s"), ["sealed"], "an option before the verb")
    check_equal(complete("post", "--attach", "ph"), ["photo.png"], "files")
    check_equal(complete("run", "--data", "p"), ["pictures"], "directories only")
    check_equal(complete("run", "--tor-c"), ["--tor-control"], "options")
    check_equal(complete("run", "--tor-control", ""), [], "nothing where nobody can know")


def test_desktop_entry_and_icon(top):
    path = os.path.join(PACKAGING, "desktop", "bivouac.desktop")
    check_equal(output(["desktop-file-validate", "--warn-kde", path]), "", "desktop-file-validate")
    text = read("packaging", "desktop", "bivouac.desktop")
    check("\nExec=/usr/libexec/bivouac/bivouac-start\n" in text and "\nIcon=bivouac\n" in text, "the entry starts the script, with the icon")
    installed = read("packaging", "debian", "bivouac.install")
    check("packaging/desktop/bivouac-start usr/libexec/bivouac\n" in installed, "where the entry looks for it")
    icon = xml.dom.minidom.parse(os.path.join(PACKAGING, "desktop", "bivouac.svg")).documentElement
    check_equal((icon.tagName, icon.getAttribute("width"), icon.getAttribute("height")), ("svg", "128", "128"), "the icon")
    check(not re.search(r"href|<script|<image|url\(", read("packaging", "desktop", "bivouac.svg")), "the icon loads nothing")


def test_manual_pages(top):
    for name in ("bivouac.1", "bivouac.5"):
        check_equal(output(["mandoc", "-T", "lint", "-W", "warning", os.path.join(TOP, "docs", name)]), "", name)
    page = read("docs", "bivouac.1").replace("\\-", "-").replace("\\fR", " ").replace("\\fB", " ")
    for path, words in completion.entries(binary()):
        verb = path.split()[0]
        check(path == "." or re.search(r"(^|[\s\"|,])%s([\s\"|,]|$)" % re.escape(verb), page, re.M), "bivouac.1 does not name the verb " + verb)
        if path == "run":
            for word in words:
                option = word.split(":")[0]
                if option.startswith("--"):
                    check(option in page, "bivouac.1 does not name the option %s of run" % option)
    check("bivouac.passphrase" in read("docs", "bivouac.5"), "bivouac.5 names the credential")


def test_maintainer_scripts(top):
    for name in ("bivouac.postinst", "bivouac.postrm", "bivouac.config"):
        output(["sh", "-n", os.path.join(PACKAGING, "debian", name)])
    if shutil.which("shellcheck"):
        for path in ("debian/bivouac.postrm", "desktop/bivouac-start"):
            check_equal(output(["shellcheck", "-e", "SC1091,SC2154", os.path.join(PACKAGING, path)]), "", path)
    removal = read("packaging", "debian", "bivouac.postrm")
    check(removal.index('"$1" = purge') < removal.index("rm -rf /var/lib/bivouac"), "data goes with a purge only")
    check("/home" not in removal, "people's nodes are never touched")


def test_versions_and_lists_agree(top):
    version = re.search(r"version: '([^']+)'", read("meson.build")).group(1)
    check_equal(re.match(r"bivouac \(([^)]+)\)", read("packaging", "debian", "changelog")).group(1), version, "debian/changelog")
    check("\n## %s " % version in read("CHANGELOG.md"), "CHANGELOG.md")
    for name in ("bivouac.1", "bivouac.5"):
        check('"bivouac %s"' % version in read("docs", name), name)
    control = read("packaging", "debian", "control")
    field = re.search(r"^Build-Depends:((?:.|\n[ \t])*)", control, re.M).group(1)
    needed = {item.strip().split(" ")[0] for item in field.split(",")}
    needed -= {"debhelper-compat", "dh-apparmor", "dh-sequence-installsysusers", "po-debconf"}
    listed = set(re.search(r'build_packages="([^"]*)"', read("packaging", "deps.sh")).group(1).split())
    runs = set(re.search(r'run_packages="([^"]*)"', read("packaging", "deps.sh")).group(1).split())
    check("tor <!nocheck>" in field and needed & runs == {"tor"}, "what it runs is there for its unit tests, and for them alone")
    needed -= runs
    check(needed <= listed, "in debian/control and not in deps.sh: %s" % sorted(needed - listed))
    check(listed - {"g++", "ninja-build"} <= needed, "in deps.sh and not in debian/control: %s" % sorted(listed - needed))


# ---- data of earlier versions

def open_database(node, passphrase=PASSPHRASE):
    """(library, handle) of the node's database, opened beside it with its key: for what no program should do."""
    tool = os.path.join(os.path.dirname(binary()), "..", "tests", "interop", "key_tool")
    key = subprocess.run([tool, "show", node.data], input=passphrase.encode(), stdout=subprocess.PIPE, check=True).stdout.decode().strip()
    path = os.path.join(node.data, "bivouac.db").encode()
    with open(path, "rb") as file:
        salt = file.read(16).hex()
    library = ctypes.CDLL(ctypes.util.find_library("sqlcipher"))
    handle = ctypes.c_void_p()
    check_equal(library.sqlite3_open(path, ctypes.byref(handle)), 0, "open")
    raw = ("x'%s%s'" % (key, salt)).encode()
    check_equal(library.sqlite3_key(handle, raw, len(raw)), 0, "key")
    return library, handle


def execute(node, sql):
    library, handle = open_database(node)
    words = ctypes.c_char_p()
    try:
        code = library.sqlite3_exec(handle, sql.encode(), None, None, ctypes.byref(words))
        check_equal(code, 0, "%s: %s" % (sql, words.value))
    finally:
        library.sqlite3_close(handle)


def released():
    return sorted(os.path.basename(path)[len("data-"):] for path in glob.glob(os.path.join(FIXTURES, "data-*")))


def taken(top, version, fixtures=FIXTURES):
    """A node with the fixture's data, and what it must know."""
    folder = os.path.join(fixtures, "data-" + version)
    node = Node(binary(), top, "node-" + version)
    os.makedirs(node.data, mode=0o700)
    for name in ("bivouac.db", "bivouac.keys"):
        shutil.copy(os.path.join(folder, name), node.data)
        os.chmod(os.path.join(node.data, name), 0o600)
    with open(os.path.join(folder, "expected.json")) as file:
        return node, json.load(file)


def test_data_of_every_released_version_opens(top):
    check("0.1.0" in released(), "fixtures of every version: %s" % released())
    made = os.path.join(top, "made")  # what this version would leave to the later ones
    os.mkdir(made)
    said = subprocess.run([sys.executable, os.path.join(FIXTURES, "make"), "--into", made], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    check_equal(said.returncode, 0, "tests/fixtures/make: " + said.stdout)
    own = os.listdir(made)[0][len("data-"):]
    os.rename(os.path.join(made, "data-" + own), os.path.join(made, "data-made-" + own))
    for version, fixtures in [(v, FIXTURES) for v in released()] + [("made-" + own, made)]:
        node, expected = taken(top, version, fixtures)
        try:
            node.launch()
            node.wait_answering()
            check_equal(node.entity, expected["entity"], "the address")
            posts = {p["id"]: p for p in node.json("feed", "--all")["posts"]}
            for post in expected["posts"]:
                check(post["id"] in posts, "%s: the post %s is there" % (version, post["text"]))
                check_equal(posts[post["id"]]["content"].get("text"), post["text"], "its text")
                check_equal(posts[post["id"]]["version"]["id"], post["version"], "its version")
            code, data, error = node.raw("attachment", node.entity, expected["picture"]["post"], expected["picture"]["name"])
            check_equal(code, 0, "the attachment: " + error)
            check(data == picture(32, note=b"fixture"), "the attachment, byte for byte")
            check_equal(sorted(g["name"] for g in node.json("group", "list")["groups"] if g["name"] != "followers"), expected["groups"], "groups")
            check_equal(node.json("door")["door"], expected["door"], "the door")
            check_equal([a["name"] for a in node.json("app", "list")["apps"]], expected["apps"], "apps")
            node.do("post", "written by a newer version")
            node.stop()
            node.launch()
            node.wait_answering()
            check(node.has_text("written by a newer version"), "%s: it goes on" % version)
            node.stop()
        finally:
            if node.process:
                node.process.end()


def test_downgrade_is_refused(top):
    """The database of a version that is not yet written: refused with a word, and left as it is."""
    node, _ = taken(top, released()[-1])
    node.launch()
    node.wait_answering()
    node.stop()
    execute(node, "PRAGMA user_version=9999")

    def digests():
        return [open(os.path.join(node.data, name), "rb").read() for name in ("bivouac.db", "bivouac.keys")]
    before = digests()
    node.launch()
    check_equal(node.process.wait(60), 1, "exit code")
    words = node.log_tail()
    check("newer version of bivouac" in words and "install that version" in words, "it says what happened and what to do: " + words)
    check(digests() == before, "not a byte was changed")
    execute(node, "PRAGMA user_version=0")  # and the tool that changed it can


# ---- running them

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--write-completion", action="store_true")
    parser.add_argument("--write-apparmor", action="store_true")
    options = parser.parse_args()
    if options.write_completion:
        text = completion.with_table(completion.read(COMPLETION), completion.table(binary()))
        with open(COMPLETION, "w") as file:
            file.write(text)
        return 0
    if options.write_apparmor:
        with open(RULES, "w") as file:
            file.write("".join(rule + "\n" for rule in apparmor.rules(PROFILE)))
        return 0
    import starter
    found = [(n, f) for space in (globals(), vars(starter)) for n, f in list(space.items()) if n.startswith("test_") and callable(f)]
    chosen = [(n, f) for n, f in found if not options.names or any(w in n for w in options.names)]
    if options.list:
        print("\n".join(n[len("test_"):] for n, _ in chosen))
        return 0
    passed = failed = 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    for name, function in chosen:
        top, begin = private_dir("bivouac-package-"), time.monotonic()
        try:
            function(top)
            passed, verdict = passed + 1, "ok"
        except CannotTell as reason:
            verdict = "----  %s (counted as neither passed nor failed)" % reason
        except Exception as error:
            failed, verdict = failed + 1, "FAILED\n%s\n%s" % (error, "".join(traceback.format_tb(error.__traceback__)[-3:]))
        print("%5.1f s  %s: %s" % (time.monotonic() - begin, name[len("test_"):], verdict), flush=True)
        if not options.keep:
            remove(top)
        elif top:
            print("         " + top)
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""Clean roots of Debian 12 and 13: made once with mmdebstrap, kept as a tar file, unpacked for each use.

Mirrors and keys are those of this machine's own apt configuration (as in deps.sh): its source for Debian gives the
mirror, suites of the other release come from the same one, and its Acquire options (a proxy, say) are taken along.
A root is entered in namespaces of its own; without root rights these are those of a user namespace.  Each Root is
used by one thread.  Errors are RootError, in words for a person.
"""
import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time

CODENAMES = {"12": "bookworm", "13": "trixie"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
# What 12 takes from its backports; everything else stays what the release has.
FROM_BACKPORTS = ["libsqlcipher*", "meson"]
MONTH = 30 * 24 * 3600


class RootError(Exception):
    pass


def cache_directory():
    return os.environ.get("BIVOUAC_ROOTS") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "bivouac-roots")


class Steps:
    """One line for each step with the seconds it took; while one runs, a sign of life."""

    def __init__(self, quiet=False):
        self.begin, self.quiet = time.monotonic(), quiet

    def say(self, text):
        if not self.quiet:
            print("%5d s  %s" % (time.monotonic() - self.begin, text), flush=True)

    def run(self, text, command, log, **more):
        """The command's output goes to the file log; RootError with its end if it fails."""
        begin, turn, alive = time.monotonic(), 0, time.monotonic() + 30
        terminal = sys.stdout.isatty() and not self.quiet
        if not terminal:
            self.say(text + " ...")
        with open(log, "ab") as out:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, **more)
            try:
                while True:
                    try:
                        code = process.wait(0.2)
                        break
                    except subprocess.TimeoutExpired:
                        turn += 1
                        far = progress_of(log) if turn % 10 == 0 or terminal else ""
                        if terminal:
                            sys.stdout.write("\r\033[K%5d s  %s %s%s" % (time.monotonic() - self.begin, text,
                                                                        far and far + " ", "|/-\\"[turn % 4]))
                            sys.stdout.flush()
                        elif time.monotonic() > alive:
                            alive = time.monotonic() + 30
                            self.say("%s ... %s" % (text, progress_of(log)))
            except BaseException:
                process.terminate()
                process.wait()
                raise
        if terminal:
            sys.stdout.write("\r\033[K")
        if code != 0:
            raise RootError("%s failed (exit code %d); the end of its output (all of it: %s)\n%s"
                            % (text, code, log, tail(log, 30)))
        self.say("%s: done in %d s" % (text, time.monotonic() - begin))


def tail(path, lines):
    with open(path, errors="replace") as file:
        return "".join(file.readlines()[-lines:])


def progress_of(log):
    """How far a build is, in its own words: [12/82]."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.path.getsize(log) - 4000))
            found = re.findall(rb"^(\[[0-9]+/[0-9]+\])", file.read(), re.M)
            return found[-1].decode() if found else ""
    except OSError:
        return ""


# ---- what apt of this machine is told

def mirror():
    """The URI of this machine's source for Debian itself."""
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages"],
                          env=dict(os.environ, LC_ALL="C"), stdout=subprocess.PIPE, text=True).stdout
    for line in sorted(text.splitlines()):
        release, component, uri = line.split("|")
        if release in CODENAMES.values() and component == "main":
            return uri
    raise RootError("apt of this machine has no source for Debian 12 or 13 (main): add one, run apt-get update, try again")


def security_mirror(uri):
    text = subprocess.run(["apt-get", "indextargets", "--format", "$(RELEASE)|$(REPO_URI)", "Created-By: Packages"],
                          env=dict(os.environ, LC_ALL="C"), stdout=subprocess.PIPE, text=True).stdout
    for line in sorted(text.splitlines()):
        release, found = line.split("|")
        if release.endswith("-security"):
            return found
    return re.sub(r"/debian/?$", "/debian-security/", uri)


def acquire_options():
    """Proxies and what else was set about fetching; not what apt ships as its defaults."""
    text = subprocess.run(["apt-config", "dump", "Acquire"], stdout=subprocess.PIPE, text=True).stdout
    wanted = re.compile(r'^Acquire::(http|https|Retries|Check-Valid-Until|Check-Date|ForceIPv4|ForceIPv6)\b.* "[^"]+";$')
    return [line for line in text.splitlines() if wanted.match(line)]


def sources(version):
    code, uri = CODENAMES[version], mirror()
    suites = [code, code + "-updates"] + ([code + "-backports"] if version == "12" else [])
    lines = ["deb [signed-by=%s] %s %s main" % (KEYRING, uri, suite) for suite in suites]
    lines.append("deb [signed-by=%s] %s %s-security main" % (KEYRING, security_mirror(uri), code))
    return lines


# ---- making and entering

def need(*programs):
    missing = [p for p in programs if not shutil.which(p, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")]
    if missing:
        raise RootError("missing on this machine: %s. As root: apt-get install mmdebstrap uidmap util-linux" % ", ".join(missing))


def as_root():
    """The words before a command that has to be root of a machine, or of a user namespace."""
    return [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--map-auto", "--"]


def base(version, packages, steps, fresh=False):
    """The tar file of a clean root with these packages; made if there is none, or none of the last 30 days."""
    need("mmdebstrap", "unshare", "tar")
    lines = sources(version)
    key = hashlib.sha256("\n".join([version] + sorted(packages) + lines + ["2"]).encode()).hexdigest()[:16]
    folder = cache_directory()
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "debian-%s-%s.tar" % (version, key))
    if not fresh and os.path.exists(path) and time.time() - os.path.getmtime(path) < MONTH:
        return path
    for name in os.listdir(folder):  # those of lists of packages that nobody asks for any more
        old = os.path.join(folder, name)
        if name.startswith("debian-") and time.time() - os.path.getmtime(old) > MONTH:
            os.unlink(old)
    with tempfile.TemporaryDirectory(prefix="bivouac-root-") as top:
        pins = os.path.join(top, "backports.pref")
        with open(pins, "w") as file:
            if version == "12":
                file.write("Package: %s\nPin: release n=bookworm-backports\nPin-Priority: 500\n" % " ".join(FROM_BACKPORTS))
        command = ["mmdebstrap", "--variant=apt", "--components=main", "--keyring=" + KEYRING,
                   "--aptopt=Apt::Install-Recommends \"false\"",
                   "--format=tar", "--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*",
                   "--dpkgopt=path-exclude=/usr/share/locale/*"]
        command += ["--aptopt=" + option.rstrip(";") for option in acquire_options()]
        command.append("--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\" && cp %s \"$1/etc/apt/preferences.d/\"" % pins)
        # No service starts in a root.
        command.append("--essential-hook=printf '#!/bin/sh\\nexit 101\\n' >\"$1/usr/sbin/policy-rc.d\" && chmod 755 \"$1/usr/sbin/policy-rc.d\"")
        if packages:
            command.append("--include=" + ",".join(packages))
        # Two programs that make the same one at once do not meet; the last one's stays.
        part = "%s.%d.part.tar" % (path[:-len(".tar")], os.getpid())
        command += [CODENAMES[version], part, "-"]
        log = os.path.join(folder, "mmdebstrap-%s.%d.log" % (version, os.getpid()))
        open(log, "w").close()
        with open(os.path.join(top, "sources"), "w") as file:
            file.write("\n".join(lines) + "\n")
        try:
            steps.run("Debian %s: a clean root with %d packages" % (version, len(packages)),
                      ["sh", "-c", "exec \"$@\" <%s" % shlex.quote(file.name), "sh"] + command, log)
            os.rename(part, path)
            os.unlink(log)
        finally:
            if os.path.exists(part):
                os.unlink(part)
    return path


ENTER = """
set -e
root=$1 user=$2 network=$3 bound=$4; shift 4
mount --bind "$root" "$root"
[ -z "$bound" ] || { mkdir -p "$root${bound#*:}"; mount --bind "${bound%%:*}" "$root${bound#*:}"; }
for name in null zero full random urandom tty; do
  [ -e "$root/dev/$name" ] || : >"$root/dev/$name"
  mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir -p "$root/dev/shm" "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts"
ln -sf pts/ptmx "$root/dev/ptmx"
[ -L "$root/dev/fd" ] || ln -sf /proc/self/fd "$root/dev/fd"
mount -t proc proc "$root/proc"
[ "$network" = none ] && { ip link set lo up 2>/dev/null || true; }
# In a chroot no user namespace can be made, which some tests do; a root with the package mount can do without.
if [ -x "$root/usr/bin/umount" ]; then
  cd "$root"
  pivot_root . mnt
  cd /
  umount -l /mnt
  exec setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
fi
exec chroot "$root" setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
"""


class Root:
    """One unpacked root; goes away with close() or at the end of a `with`."""

    def __init__(self, tar, steps, keep=False, where=None):
        self.steps, self.keep, self.bound = steps, keep, ""
        self.top = tempfile.mkdtemp(prefix="bivouac-root-", dir=where)
        os.chmod(self.top, 0o755)
        self.path = os.path.join(self.top, "root")
        os.mkdir(self.path)
        self.log = os.path.join(self.top, "log")
        open(self.log, "w").close()
        try:
            self.outside(["tar", "-C", self.path, "--numeric-owner", "--exclude=./dev/*", "-xpf", tar])
            self.outside(["sh", "-c", "mkdir -p \"$0/dev\" && chmod 755 \"$0\" && cp /etc/resolv.conf \"$0/etc/resolv.conf\" && "
                          "printf '127.0.0.1 localhost\\n' >\"$0/etc/hosts\"", self.path])
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.keep:
            self.steps.say("kept: " + self.top)
            return
        subprocess.run(as_root() + ["rm", "-rf", "--one-file-system", self.top])

    def outside(self, command, **more):
        done = subprocess.run(as_root() + command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, **more)
        if done.returncode != 0:
            raise RootError("%s: %s" % (" ".join(command[:3]), done.stdout[-2000:]))
        return done.stdout

    def command(self, words, user="root", network=True, environment=None):
        """The words that run a command inside. network: True is this machine's, False loopback alone."""
        settings = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root" if user == "root" else "/tmp",
                    "DEBIAN_FRONTEND": "noninteractive", "TERM": "dumb"}
        settings.update(environment or {})
        space = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
        if not network:
            space.append("--net")
        return (["unshare"] + space + ["--mount", "--pid", "--fork", "--kill-child", "--ipc", "--uts", "--propagation=private", "--",
                 "sh", "-c", ENTER, "enter", self.path, user, "shared" if network else "none", self.bound,
                 "env", "-i"] + ["%s=%s" % pair for pair in sorted(settings.items())] + list(words))

    def run(self, text, words, **more):
        self.steps.run(text, self.command(words, **more), self.log)

    def output(self, words, check=True, **more):
        done = subprocess.run(self.command(words, **more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
        if check and done.returncode != 0:
            raise RootError("%s in the root ended with exit code %d\n%s" % (" ".join(words[:4]), done.returncode, done.stdout[-3000:]))
        return done.stdout

    def bind(self, folder, inside):
        """A folder of this machine, to be seen inside by the commands that are run from now on."""
        self.bound = "%s:%s" % (folder, inside)

    def put(self, source, inside, mode=None):
        target = self.path + inside
        self.outside(["sh", "-c", "mkdir -p \"$(dirname \"$1\")\" && cp -r \"$0\" \"$1\"" + (" && chmod %o \"$1\"" % mode if mode else ""),
                      source, target])


# ---- roots in which the package is tried

# Beside what the package depends on: what the tests in tests/release use.
TRIAL = ["iproute2", "tcpdump", "nftables", "python3", "python3-yaml", "procps", "passwd", "util-linux", "dbus", "bash-completion", "man-db", "debconf", "binutils", "gpgv"]


def package_of(version, deb):
    """The package that was named, or the one that build-deb made."""
    top = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    if not deb:
        here = os.path.join(top, "dist", "debian-" + version)
        found = sorted(n for n in os.listdir(here) if re.match(r"bivouac_.*\.deb$", n)) if os.path.isdir(here) else []
        if not found:
            raise RootError("there is no package for Debian %s in dist/: packaging/build-deb --debian %s" % (version, version))
        deb = os.path.join(here, found[-1])
    if not os.path.isfile(deb):
        raise RootError("there is no file " + deb)
    return os.path.abspath(deb)


def depends_of(deb):
    """Names of the packages that it needs at run time."""
    done = subprocess.run(["dpkg-deb", "-f", deb, "Pre-Depends", "Depends"], stdout=subprocess.PIPE, text=True, check=True)
    text = re.sub(r"^(Pre-)?Depends:", ",", done.stdout, flags=re.M)
    names = [item.split("|")[0].strip().split(" ")[0].split(":")[0] for item in text.split(",")]
    return sorted({n for n in names if n})


def trial_root(version, deb, steps, keep=False, more=()):
    """A clean root with all that the package needs and without the package; /src has tests and packaging, / the package."""
    tar = base(version, sorted(set(TRIAL + depends_of(deb) + list(more))), steps)
    root = Root(tar, steps, keep)
    top = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    for name in ("tests", "packaging", "docs"):
        root.put(os.path.join(top, name), "/src/" + name)
    root.put(deb, "/" + os.path.basename(deb))
    # mmdebstrap left them out of the root; the package's own pages are to be there.
    root.outside(["rm", "-f", root.path + "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"])
    return root


def in_root(version, deb, command, steps, keep=False, more=()):
    """Runs a test there, without any network but what it makes itself; its exit code."""
    deb = package_of(version, deb)
    with trial_root(version, deb, steps, keep, more) as root:
        return subprocess.run(root.command(list(command) + ["/" + os.path.basename(deb)], network=False), stdin=subprocess.DEVNULL).returncode


# ---- a root that is booted

BOOT = """
set -e
root=$1
mount --bind "$root" "$root"
cd "$root"
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do : >"dev/$name"; mount --bind "/dev/$name" "dev/$name"; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
mount -t tmpfs -o mode=1777 tmpfs dev/shm
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t tmpfs -o mode=755 tmpfs run
mount -t cgroup2 cgroup2 sys/fs/cgroup
ip link set lo up
pivot_root . mnt
cd /
umount -l /mnt
# As on a real machine; systemd hands over credentials by a mount that its units have to see.
mount --make-rshared /
exec env -i container=trial PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 /lib/systemd/systemd --unit=trial.target
"""
TRIAL_UNIT = """[Unit]
Wants=tor@default.service dbus.service
After=tor@default.service dbus.service basic.target
Requires=basic.target
[Service]
Type=oneshot
WorkingDirectory=/
ExecStart=/bin/sh -c '"$@" >/trial.log 2>&1; echo $? >/trial.code' trial %s
ExecStopPost=/bin/systemctl --no-block exit 0
"""


def booted(root, words, seconds):
    """Boots systemd in an unpacked root (root rights are needed), runs a command as a unit of it; (exit code, output)."""
    if os.geteuid() != 0:
        raise RootError("a root can be booted by root only")
    os.makedirs(root.path + "/etc/systemd/system", exist_ok=True)
    with open(root.path + "/etc/systemd/system/trial.service", "w") as file:
        file.write(TRIAL_UNIT % " ".join(shlex.quote(w) for w in words))
    with open(root.path + "/etc/systemd/system/trial.target", "w") as file:
        file.write("[Unit]\nRequires=basic.target trial.service\nAfter=basic.target\nAllowIsolate=yes\n")
    root.outside(["rm", "-f", root.path + "/usr/sbin/policy-rc.d"])
    command = ["unshare", "--pid", "--mount", "--net", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child=SIGKILL", "--propagation=private", "--",
               "sh", "-c", BOOT, "boot", root.path]
    with open(root.log, "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            pass
        finally:
            # systemd does not end on SIGTERM; without its parent it is killed.
            process.kill()
            process.wait()
    try:
        with open(root.path + "/trial.log", errors="replace") as file:
            text = file.read()
        with open(root.path + "/trial.code") as file:
            return int(file.read()), text
    except (OSError, ValueError):
        return 1, tail(root.log, 30) + (text if "text" in locals() else "")

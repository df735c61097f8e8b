# SPDX-License-Identifier: BSD-3-Clause
"""Tails 7, as far as it can be had without Tails: Debian 13, its desktop user without rights, its firewall for loopback, one
system tor whose control port is behind a filter that does as onion-grater does, the package with its profile.

  python3 tails_story.py bivouac.deb            as root of a root of its own (packaging/release)
"""
import json
import os
import pwd
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.abspath(os.path.join(HERE, "..", ".."))
sys.path[:0] = [HERE, os.path.join(TOP, "tests", "e2e"), os.path.join(TOP, "tests", "package")]
sys.dont_write_bytecode = True

import private_tor  # noqa: E402
import starter  # noqa: E402
import tent  # noqa: E402
from harness import Failed, check, check_equal, end_recorded, start_time, wait_until  # noqa: E402
from node import Node  # noqa: E402
from onion_grater import OnionGrater  # noqa: E402
from private_tor import PrivateTor  # noqa: E402
from results import Results, output  # noqa: E402

USER, HOME = "amnesia", "/home/amnesia"
DATA = HOME + "/Persistent/bivouac"
WORDS = starter.WORDS
# Section by section what Tails' firewall says of loopback; whoever is not named gets a refusal.
FIREWALL = """
table inet tails {
  chain output {
    type filter hook output priority filter; policy drop;
    meta skuid {root, debian-tor} oifname "lo" accept
    ip6 daddr ::1 reject
    ct state established accept
    oifname "lo" tcp dport {9051, 9052} reject with tcp reset
    oifname "lo" tcp dport 9050 meta skuid %(user)s accept
    oifname "lo" tcp dport 951 meta skuid %(user)s accept
    oifname "lo" tcp flags & (syn | ack) == syn meta skuid %(user)s accept
    reject
  }
}
"""


def connects(user, family, address, port):
    code = "import socket,sys\ns = socket.socket(socket.%s); s.settimeout(2)\ntry: s.connect((%r, %d))\nexcept OSError as e: print(e); sys.exit(1)" % (
        family, address, port)
    return subprocess.run(as_user(user, "python3", "-c", code), stdout=subprocess.PIPE, stderr=subprocess.STDOUT).returncode == 0


def as_user(name, *words):
    user = pwd.getpwnam(name)
    return ["setpriv", "--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups", "--inh-caps=-all", "--"] + list(words)


class Tails:
    def __init__(self, results, top):
        self.results, self.top = results, top
        self.fakes = os.path.join(top, "fakes")
        self.net = self.grater = self.tor = self.bob = None

    def prepare(self, deb):
        self.deb = deb
        output(["ip", "link", "set", "lo", "up"])
        output(["useradd", "--create-home", USER])
        output(["useradd", "--create-home", "somebody"])
        with open("/etc/os-release", "w") as file:
            file.write('PRETTY_NAME="Tails 7"\nNAME="Tails"\nID=tails\nVERSION_ID="7.3"\n')
        os.makedirs("/run/tor-has-bootstrapped")
        os.makedirs("/media/%s/STICK" % USER)
        output(["chown", "-R", USER + ":", "/media/" + USER])
        os.makedirs(self.fakes)
        for name, text in (("zenity", starter.ZENITY), ("systemctl", starter.SYSTEMCTL), ("tor-browser", starter.BROWSER)):
            with open(os.path.join(self.fakes, name), "w") as file:
                file.write(text)
            os.chmod(os.path.join(self.fakes, name), 0o755)
        output(["chown", "-R", USER + ":", self.fakes])
        os.chmod(self.top, 0o755)
        output(["nft", "-f", "-"], input=FIREWALL % {"user": USER})
        output(["apt-get", "-y", "--no-install-recommends", "install", deb])

    def start_tor(self):
        """The one tor of the system, at Tails' ports, and the filter."""
        self.net = PrivateTor(os.path.join(self.top, "tor")).start()
        self.tor = private_tor.Tor(self.net, "system")
        self.tor.socks_port, self.tor.control_port = 9050, 9052
        self.tor.write_torrc(self.net.authority_line + private_tor.CLIENT + "SocksPort 127.0.0.1:9050 IsolateDestAddr IsolateDestPort\n")
        self.net.clients["system"] = self.tor
        self.tor.launch()
        self.tor.wait_bootstrapped()
        self.grater = OnionGrater(self.tor, "/etc/onion-grater.d", ("/usr/bin/bivouac", "/usr/bin/bivouac", USER), port=951)
        open("/run/tor-has-bootstrapped/done", "w").close()

    def firewall(self):
        with_v6 = subprocess.Popen(["python3", "-c", "import socket,time\ns=socket.socket(socket.AF_INET6); s.bind(('::1', 18999)); s.listen(); "
                                    "t=socket.socket(); t.bind(('127.0.0.1', 18999)); t.listen(); time.sleep(60)"])
        try:
            wait_until(lambda: connects(USER, "AF_INET", "127.0.0.1", 18999), 10, "the desktop user reaches loopback")
            check(not connects(USER, "AF_INET6", "::1", 18999), "IPv6 loopback is closed")
            check(not connects("somebody", "AF_INET", "127.0.0.1", 18999), "another user is refused on loopback")
            check(connects(USER, "AF_INET", "127.0.0.1", 9050), "SOCKS")
            check(connects(USER, "AF_INET", "127.0.0.1", 951), "the filtered control port")
            check(not connects(USER, "AF_INET", "127.0.0.1", 9052), "the real control port is root's")
            check(not connects(USER, "AF_INET", "192.0.2.1", 443), "nothing goes out")
        finally:
            with_v6.kill()
            with_v6.wait()
        check(not os.access(self.tor.cookie_file, os.R_OK) or subprocess.run(as_user(USER, "cat", self.tor.cookie_file), stdout=subprocess.PIPE,
                                                                             stderr=subprocess.PIPE).returncode != 0, "tor's cookie is not for the user")

    def env(self):
        return {"HOME": HOME, "USER": USER, "PATH": self.fakes + ":/usr/bin:/bin", "DISPLAY": ":0", "FAKES": self.fakes, "LC_ALL": "C.UTF-8",
                "BIVOUAC": "/usr/bin/bivouac"}

    def menu(self, *answers, words=(), code=0):
        with open(os.path.join(self.fakes, "answers"), "w") as file:
            file.write("".join(a + "\n" for a in answers))
        os.chmod(os.path.join(self.fakes, "answers"), 0o666)
        said = output(as_user(USER, "/usr/libexec/bivouac/bivouac-start", *words), code=code, env=self.env(), cwd=HOME, timeout=300)
        return said + self.read("zenity.log")

    def read(self, name):
        try:
            with open(os.path.join(self.fakes, name)) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def ask(self, *words, data=DATA, code=0):
        return output(as_user(USER, "bivouac", words[0], "--data", data, *words[1:]), code=code, env=self.env(), cwd=HOME)

    def status(self, data=DATA):
        return json.loads(self.ask("status", "--json", data=data))

    # ---- the story

    def without_storage(self):
        said = self.menu("cancel", code=1)
        check("will be gone when Tails shuts down" in said, "the warning: " + said)

    def first_start(self):
        output(as_user(USER, "mkdir", HOME + "/Persistent"))
        self.menu("ok", "=" + WORDS, "=" + WORDS)
        status = self.status()
        check(status["published"], "published: %s" % status)
        check_equal(status["tor"]["mode"], "control", "by the system's tor")
        wait_until(lambda: self.read("opened").startswith(status["entity"] + "/"), 10, lambda: "Tor Browser was started with the onion's link: " + self.read("opened"))
        check_equal(self.grater.refused, [], "the filter refused nothing: our profile has all that the node says")
        processes = output(["ps", "-o", "args=", "-u", USER])
        check("tor -" not in processes and "/tor" not in processes, "no second tor: " + processes)

    def meet(self):
        self.bob = Node("/usr/bin/bivouac", self.top, "bob", self.net.start_client("bobtor")).init()
        self.bob.launch()
        self.bob.wait_answering()
        self.bob.wait_published(120)
        entity = self.status()["entity"]
        self.bob.do("follow", entity)
        wait_until(lambda: self.bob.entity in self.ask("followers"), 120, "the request arrives")
        self.ask("followers", "approve", self.bob.entity)
        self.bob.wait_following(entity, "approved", 120)
        self.ask("post", "from Tails")
        self.bob.wait_text("from Tails", 120)

    def visit(self):
        """As Tor Browser does it, which cannot open loopback: over the onion."""
        host = self.status()["entity"][len("http://"):]
        with tent.socks_connect(("127.0.0.1", self.net.clients["bobtor"].socks_port), host, 80, "browser") as sock:
            sock.sendall(("GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n" % host).encode())
            check(sock.recv(64).startswith(b"HTTP/1.1 200"), "the page comes")

    def tor_restarts(self):
        """The filter says nothing of it; the node must see by itself that its onion is gone."""
        restarts = self.status()["tor"]["restarts"]
        self.tor.restart()
        wait_until(lambda: self.status()["tor"]["restarts"] > restarts, 90, "the node has seen that tor is another one")
        wait_until(lambda: self.status()["published"], 120, "published again")
        check(any("GETINFO onions/current" == line for line in self.grater.passed), "by asking for its onions")
        self.ask("post", "after a silent restart")
        self.bob.wait_text("after a silent restart", 180)

    def profile_is_missing(self):
        path = "/etc/onion-grater.d/bivouac.yml"
        os.rename(path, path + ".away")
        try:
            self.menu(words=("--stop",))
            with open("/etc/onion-grater.d/other.yml", "w") as file:
                file.write("- name: other\n  apparmor-profiles: ['/usr/bin/bivouac']\n  users: ['amnesia']\n  commands:\n    GETINFO: ['version']\n")
            process = subprocess.Popen(as_user(USER, "bivouac", "run", "--data", DATA, "--passphrase-file", "-", "--tor-control", "127.0.0.1:951"), env=self.env(), cwd=HOME,
                                       stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            process.stdin.write(WORDS.encode())
            process.stdin.close()
            try:
                wait_until(lambda: "510" in self.ask("status", code=None), 60, lambda: "status names the filter: " + self.ask("status", code=None))
                said = self.ask("status")
                check("510 Command filtered" in said and "profile" in said, "in words, with what to do: " + said)
            finally:
                process.terminate()
                process.wait(20)
        finally:
            os.rename(path + ".away", path)
            if os.path.exists("/etc/onion-grater.d/other.yml"):
                os.remove("/etc/onion-grater.d/other.yml")

    def mended_as_told(self):
        """The menu's own words for what to do, done: with the profile gone, and with one that somebody changed."""
        path = "/etc/onion-grater.d/bivouac.yml"
        with open(path) as file:
            whole = file.read()
        command = starter.REMEDY.split()[1:-1] + [self.deb]  # no sudo here, and no repository
        for text in (None, whole.replace("MaxStreams=64", "MaxStreams=32").replace("GETINFO", "GETNOTHING")):
            os.remove(path)
            if text is not None:
                check(text != whole, "a profile that is changed")
                with open(path, "w") as file:
                    file.write(text)
            self.menu("=" + WORDS, code=1)
            check(starter.REMEDY in self.read("errors"), "what to do is told: " + self.read("errors"))
            opened = self.read("opened")
            output(command, env=dict(os.environ, DEBIAN_FRONTEND="noninteractive"))
            with open(path) as file:
                check_equal(file.read(), whole, "the profile")
            check_equal([n for n in os.listdir("/etc/onion-grater.d") if n.endswith(".yml")], ["bivouac.yml"], "and no second one")
            # As told, too: the program that runs is of the file that apt has replaced, and the filter does not know that one.
            self.menu("=Stop the node")
            self.menu("=" + WORDS)
            check(self.status()["published"], "published")
            wait_until(lambda: len(self.read("opened")) > len(opened), 10, "opened")
            self.menu("=Stop the node")
            os.remove(os.path.join(self.fakes, "errors"))

    def again(self):
        self.menu("=" + WORDS)
        check(self.status()["published"], "published")
        self.menu(words=("--stop",))

    def all_of_the_profile_is_used(self):
        import yaml
        with open("/etc/onion-grater.d/bivouac.yml") as file:
            entry = yaml.safe_load(file)[0]
        unused = [(c, p) for c, patterns in entry["commands"].items() for p in patterns if (c, p) not in self.grater.matched and c != "DEL_ONION"]
        check_equal(unused, [], "patterns that nobody needed")

    def close(self):
        mark = ("FAKES=" + self.fakes).encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and int(name) != os.getpid():
                try:
                    with open("/proc/%s/environ" % name, "rb") as file:
                        if mark in file.read().split(b"\0"):
                            found.append((int(name), start_time(int(name))))
                except OSError:
                    pass
        end_recorded(found)
        if self.bob and self.bob.process:
            self.bob.process.end()
        if self.grater:
            self.grater.stop()
        if self.net:
            self.net.stop()


def main():
    results = Results()
    top = "/run/tails-story"
    os.makedirs(top, mode=0o755)
    tails = Tails(results, top)
    step = results.step
    try:
        step("the package installs", tails.prepare, os.path.abspath(sys.argv[1]))
        step("the system's tor, and the filter in front of its control port", tails.start_tor)
        step("the firewall does what Tails says of it", tails.firewall)
        step("without Persistent Storage: told that all will be gone", tails.without_storage)
        step("from the menu: a node is made, published through the filter, opened in Tor Browser", tails.first_start)
        step("somebody follows, a post arrives", tails.meet)
        step("the pages come over the onion", tails.visit)
        step("tor restarts and the filter hides it: the onion comes back", tails.tor_restarts)
        step("510 Command filtered is explained", tails.profile_is_missing)
        step("what the menu says about it helps", tails.mended_as_told)
        step("started again from the menu, stopped from it", tails.again)
        step("the profile has nothing that is not used", tails.all_of_the_profile_is_used)
        if results.failed:
            print(tails.read("zenity.log")[-3000:])
            for name in (DATA + "/run.log",):
                if os.path.exists(name):
                    print(open(name).read()[-3000:])
    finally:
        tails.close()
    return results.end()


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""The whole story of two nodes where every packet is caught: tor is the only program that has a way out.

Runs as root in a clean root of its own (packaging/leak-trap starts it there) with the package beside it:

  python3 leak_story.py bivouac.deb

The nodes live in tests/release/trap.py's namespace and speak to their tors through unix sockets alone; the tors, and a
private Tor network, are in another namespace.  So not one packet is right there, not even on loopback.  In the end the
trap itself is tested: a program that asks for one name, one that connects, one on loopback must each be caught.
"""
import http.client
import json
import os
import pwd
import re
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
sys.dont_write_bytecode = True

import private_tor  # noqa: E402
import tent  # noqa: E402
from harness import Failed, check, check_equal, wait_until  # noqa: E402
from node import Node, check_post, follow, picture  # noqa: E402
from private_tor import PrivateTor  # noqa: E402
from trap import Trap  # noqa: E402

PERSON = "person"
BEGIN = time.monotonic()
passed = failed = 0


def say(text):
    print("%5d s  %s" % (time.monotonic() - BEGIN, text), flush=True)


def verdict(good, text):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    say("%s: %s" % ("ok" if good else "FAILED", text))


class Beside(private_tor.Tor):
    """A tor in the namespace that has routes, reached by unix sockets from the one that has none."""

    def __init__(self, net, name, sockets):
        super().__init__(net, name)
        self.sockets = sockets
        os.makedirs(sockets, mode=0o755, exist_ok=True)
        os.chmod(sockets, 0o755)

    @property
    def control_address(self):
        return "unix:%s/control" % self.sockets

    def write(self):
        self.write_torrc(self.net.authority_line + private_tor.CLIENT +
                         "ControlPort unix:%s/control WorldWritable RelaxDirModeCheck\nSocksPort unix:%s/socks WorldWritable RelaxDirModeCheck\n"
                         "CookieAuthFile %s/cookie\nCookieAuthFileGroupReadable 1\n" % (self.sockets, self.sockets, self.sockets))

    @property
    def cookie_file(self):
        return os.path.join(self.sockets, "cookie")


def start_beside(net, name):
    tor = Beside(net, name, "/run/tor-" + name)
    tor.write()
    tor.launch()
    net.clients[name] = tor
    tor.wait_bootstrapped()
    # Of a system tor this is what membership of debian-tor gives.
    os.chmod(tor.cookie_file, 0o644)
    return tor


class Browser:
    """As much of Tor Browser as the pages need: keeps cookies, follows, sends forms. Through the SOCKS port of a tor."""

    def __init__(self, tor):
        self.tor, self.cookies = tor, {}

    def ask(self, host, path, form=None):
        """(status, location, body)"""
        body = urllib.parse.urlencode(form).encode() if form is not None else b""
        head = "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % ("GET" if form is None else "POST", path, host)
        if form is not None:
            head += "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\nOrigin: http://%s\r\n" % (len(body), host)
        if self.cookies:
            head += "Cookie: %s\r\n" % "; ".join("%s=%s" % pair for pair in self.cookies.items())
        with tent.socks_connect(("127.0.0.1", self.tor.socks_port), host, 80, "visitor") as sock:
            sock.sendall(head.encode() + b"\r\n" + body)
            answer = http.client.HTTPResponse(sock)
            answer.begin()
            text = answer.read().decode("utf-8", "replace")
        for line in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = line.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.getheader("Location"), text

    def open(self, url, form=None):
        """(status, body) of the page at the end of a chain of redirects."""
        host, _, path = url[len("http://"):].partition("/")
        path = "/" + path
        for _ in range(5):
            status, location, body = self.ask(host, path, form)
            if status not in (302, 303):
                return status, body
            path, form = location.replace("http://" + host, ""), None
        raise Failed("the pages lead in circles")

    def log_in(self, link):
        """The link, and the button on its page."""
        status, body = self.open(link)
        check_equal(status, 200, "the link's page")
        token = re.search(r'name="csrf" value="([^"]+)"', body).group(1)
        return self.open(link, {"csrf": token})


class Person:
    """Starts programs in the trap, as a user without rights."""

    def __init__(self, trap, top):
        subprocess.run(["useradd", "--create-home", PERSON], check=True)
        self.user = pwd.getpwnam(PERSON)
        self.wrapper = os.path.join(top, "bivouac")
        with open(self.wrapper, "w") as file:
            file.write("#!/bin/sh\nexec %s setpriv --reuid=%d --regid=%d --clear-groups --no-new-privs --inh-caps=-all -- /usr/bin/bivouac \"$@\"\n"
                       % (" ".join(trap.inside()), self.user.pw_uid, self.user.pw_gid))
        os.chmod(self.wrapper, 0o755)
        self.home = self.user.pw_dir

    def own(self, path):
        os.chown(path, self.user.pw_uid, self.user.pw_gid)
        return path


def node(person, name, tor):
    made = Node(person.wrapper, person.home, name, tor)
    made.env["HOME"] = person.home
    person.own(made.env["TMPDIR"])
    made.extra_args = ["--listen", "unix:%s/%s.onion" % (person.home, name)]
    return made.init()


def story(trap, top):
    person = Person(trap, top)
    net = PrivateTor(os.path.join(top, "net"))
    nodes = []
    try:
        say("a private Tor network, in a namespace of its own")
        net.start()
        tors = {name: start_beside(net, name) for name in ("alice", "bob")}
        visitor = net.start_client("visitor")
        say("init and run")
        alice, bob = [node(person, name, tors[name]) for name in ("alice", "bob")]
        nodes += [alice, bob]
        for one in nodes:
            one.launch()
        for one in nodes:
            one.wait_answering()
        for one in nodes:
            one.wait_published(120)
        say("follow, approve")
        follow(alice, bob, 120)
        say("post, with an attachment and a name in its text")
        image = picture(96, note=b"leak trap")
        path = os.path.join(person.home, "photo.png")
        with open(path, "wb") as file:
            file.write(image)
        person.own(path)
        text = "See http://www.example.org/ and ^[bob](0)."
        post = alice.post(text, "--attach", path)
        check_post(bob.wait_text(text, 120), alice.entity, text)
        check(bob.attachment(alice.entity, post["id"], "picture-1.png", 120) == picture(96), "the attachment arrives, cleaned, byte for byte")
        say("an entity that is no onion, and a follow of it")
        alice.cli("follow", "http://www.example.org/", timeout=60)
        alice.cli("follow", "https://example.com/", timeout=60)
        say("pages, over the onion")
        browser = Browser(visitor)
        status, body = browser.log_in(alice.do("open").strip())
        check_equal(status, 200, "the owner's pages")
        for _ in range(8):  # the welcome, step by step
            if 'action="/me/welcome"' not in body:
                break
            form = body[body.index('action="/me/welcome"'):].split("</form>")[0]
            status, body = browser.open(alice.entity + "/me/welcome", dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', form)))
        status, body = browser.open(alice.entity + "/me")
        check(status == 200 and "example.org" in body, "the timeline shows the post: " + body[:1500])
        for page in sorted(set(re.findall(r'href="(/me[a-z/]*)"', body))):
            check(browser.open(alice.entity + page)[0] < 500, "the page " + page)
        check_equal(Browser(visitor).open(alice.entity + "/")[0], 200, "what strangers see")
        say("status --check, catch-up, lock, unlock")
        alice.cli("status", "--check", timeout=120)
        bob.do("catch-up", timeout=60)
        bob.do("lock")
        wait_until(bob.is_locked, 20, "locked")
        bob.do("unlock", "--passphrase-file", "-", stdin=bob.passphrase.encode(), timeout=60)
        say("backup")
        words = os.path.join(person.home, "words")
        with open(words, "w") as file:
            file.write("a passphrase for the backup alone\n")
        person.own(words)
        alice.do("backup", os.path.join(person.home, "alice.backup"), "--passphrase-file", "-", "--backup-passphrase-file", words,
                 stdin=alice.passphrase.encode(), timeout=120)
        alice.do("backup", "verify", os.path.join(person.home, "alice.backup"), "--backup-passphrase-file", words, timeout=120)
        say("panic")
        alice.do("panic", "--now", timeout=60)
        check(not os.path.exists(os.path.join(alice.data, "bivouac.keys")), "the node is destroyed")
        bob.do("stop", timeout=30)
    except Failed:
        for one in nodes:
            print("--- %s\n%s" % (one.name, one.log_tail(15)), flush=True)
        raise
    finally:
        for one in nodes:
            if one.process:
                one.process.end()
        net.stop()


MARK = "192.0.2.77"


def mark(trap):
    """A packet that must be in the capture: it was looked at before the story, and still was after it."""
    subprocess.run(trap.inside("python3", "-c", "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'mark', ('%s', 9))" % MARK), check=True, timeout=30)


CANARIES = {
    "a name that is looked up": "import socket\ntry: socket.getaddrinfo('canary.example.org', 80)\nexcept OSError: pass",
    "a connection": "import socket\ns = socket.socket(); s.settimeout(0.3)\ntry: s.connect(('192.0.2.1', 443))\nexcept OSError: pass",
    "a connection over IPv6": "import socket\ns = socket.socket(socket.AF_INET6); s.settimeout(0.3)\ntry: s.connect(('2001:db8::1', 443))\nexcept OSError: pass",
    "a connection to a neighbour over IPv6": "import socket\ns = socket.socket(socket.AF_INET6); s.settimeout(0.3)\ntry: s.connect(('fd99::77', 443))\nexcept OSError: pass",
    "a datagram on loopback": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 53))",
}


def main():
    deb = os.path.abspath(sys.argv[1])
    top = "/run/leak-trap"
    os.makedirs(top, mode=0o755, exist_ok=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    trap = Trap(top)
    try:
        time.sleep(2)
        trap.listen("story")
        mark(trap)
        say("installing the package")
        done = subprocess.run(trap.inside("apt-get", "install", "-y", "--no-install-recommends", deb),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        verdict(done.returncode == 0, "the package installs without a network" + ("" if done.returncode == 0 else "\n" + done.stdout[-2000:]))
        try:
            story(trap, top)
            verdict(True, "the whole story")
        except (Failed, OSError, subprocess.SubprocessError) as error:
            verdict(False, "the whole story: %s" % error)
        mark(trap)
        caught = trap.caught()
        marks = [line for line in caught if MARK in line]
        verdict(len(marks) == 2, "the capture saw what was sent before and after the story: %d of 2" % len(marks))
        caught = [line for line in caught if line not in marks]
        verdict(not caught, "no packet and no name was asked for" if not caught else "%d packets:\n%s" % (len(caught), "\n".join(caught[:20])))
        for name, code in CANARIES.items():
            trap.listen("canary")
            subprocess.run(trap.inside("setpriv", "--reuid=%d" % pwd.getpwnam(PERSON).pw_uid, "--clear-groups", "python3", "-c", code), timeout=60)
            caught = trap.caught()
            verdict(caught, "the trap catches %s%s" % (name, ": " + " ".join(caught[0].split()[1:])[:90] if caught else ""))
    finally:
        trap.close()
    print(json.dumps({"passed": passed, "failed": failed}))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

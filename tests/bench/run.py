# SPDX-License-Identifier: BSD-3-Clause
"""Measures bivouac against the floor of the same machine: one command, one table.

  python3 tests/bench/run.py                   everything (minutes; the first time it also fills the databases)
  python3 tests/bench/run.py --quick           small databases and short rounds, under a minute: for development
  python3 tests/bench/run.py --only feed get   rows by their keys (--list)
  python3 tests/bench/run.py --profile feed    that row's requests for some seconds with perf looking on (needs perf)
  options: --build DIR, --rounds N, --seconds S, --nginx (fetch nginx for orientation if there is none), --json FILE

Each figure stands beside a floor that was measured in turns with it, a round of the one, a round of the other; what
counts is the ratio of the medians.  Clients, server and floor share the machine's cores.  The processor time of a
request is told, too: its ratio holds also where others keep the machine busy.  Databases are kept in
BUILD/bench-data and made anew when what writes them has changed.
"""
import argparse
import glob
import hashlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import attachments  # noqa: E402
import tent  # noqa: E402
from harness import Failed, Process, clean_env, free_ports, private_dir, remove, root, wait_until  # noqa: E402
from node import Node  # noqa: E402

PASSPHRASE = "words for the bench"
MIB = 1 << 20
ATTACHMENT = 10 * MIB
STATUS_MEDIA = tent.POST_TYPE + '; type="%s"' % tent.STATUS
NOTE = "https://vendor.example/types/note/v0#"  # may be longer than a status
NOTE_MEDIA = tent.POST_TYPE + '; type="%s"' % NOTE
TARGETS = ["src/bivouac", "tests/bench/bench_load", "tests/bench/bench_constant", "tests/bench/bench_fill",
           "tests/bench/bench_raw", "tests/bench/libslow_sync.so"]

PAGE_BYTES = 60_000  # of a page of 25 posts, without pictures

ROWS = []


def row(key, text, goal, floor="", needs=None):
    """needs: "at least" (ratio, ours over floor) or "at most"."""
    def mark(function):
        ROWS.append({"key": key, "text": text, "goal": goal, "floor": floor, "needs": needs, "run": function})
        return function
    return mark


class Bench:
    def __init__(self, options):
        self.options = options
        self.build = os.path.abspath(options.build)
        self.rounds = options.rounds or (1 if options.quick else 3)
        self.seconds = options.seconds or (0.7 if options.quick else 2.0)
        self.large, self.small, self.huge = (5000, 1000, 20000) if options.quick else (100_000, 1000, 1_000_000)
        self.top = private_dir("bvb-")
        self.processes, self.kept, self.notes, self.grown = [], {}, [], []

    # ---- processes and databases

    def program(self, name):
        return os.path.join(self.build, name)

    def make(self):
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            subprocess.run(["meson", "setup", self.build, root()], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["ninja", "-C", self.build] + TARGETS, check=True, stdout=subprocess.DEVNULL)
        chosen = subprocess.run(["meson", "introspect", "--buildoptions", self.build], check=True, stdout=subprocess.PIPE)
        level = [o["value"] for o in json.loads(chosen.stdout) if o["name"] == "optimization"][0]
        if level not in ("2", "3"):
            self.notes.append("built with optimization=%s: the figures say little" % level)

    def data(self, posts):
        """Facts of a filled data directory that nobody changes."""
        sources = [os.path.join(HERE, "fill.cpp")]
        for pattern in ("src/store/**/*", "src/model/*", "src/tent/apps.cpp", "src/tent/meta.cpp",
                        "include/bivouac/store/*", "include/bivouac/model/*"):
            sources += sorted(p for p in glob.glob(os.path.join(root(), pattern), recursive=True) if os.path.isfile(p))
        digest = hashlib.sha256()
        for path in sources:
            with open(path, "rb") as file:
                digest.update(file.read())
        place = os.path.join(self.build, "bench-data", "%d-%s" % (posts, digest.hexdigest()[:12]))
        if not os.path.exists(place + ".json"):
            for old in glob.glob(os.path.join(self.build, "bench-data", "%d-*" % posts)):
                shutil.rmtree(old) if os.path.isdir(old) else os.remove(old)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            self.say("filling a database with %d posts" % posts)
            out = subprocess.run([self.program("tests/bench/bench_fill"), "--data", place, "--posts", str(posts),
                                  "--passphrase", PASSPHRASE], check=True, stdout=subprocess.PIPE)
            with open(place + ".json", "wb") as file:
                file.write(out.stdout)
        with open(place + ".json") as file:
            return place, json.load(file)

    def copy(self, posts, name):
        place, facts = self.data(posts)
        copy = os.path.join(self.top, name)
        if not os.path.exists(copy):
            subprocess.run(["cp", "-r", "--reflink=auto", place, copy], check=True)
            os.sync()
        return copy, facts

    def node(self, posts, name, preload=None):
        """A running node on its own copy; started once a run."""
        if name in self.kept:
            return self.kept[name]
        copy, facts = self.copy(posts, name)
        node = Node(self.program("src/bivouac"), self.top, name, None, PASSPHRASE, data=copy)
        if preload:
            node.env["LD_PRELOAD"] = preload
        node.facts = facts
        node.start()
        node.address = node.status()["local_api"][len("http://"):]
        node.credentials = tent.Credentials(facts["id"], facts["key"], facts["app"])
        node.signing = ["--id", facts["id"], "--key", facts["key"], "--app", facts["app"]]
        node.post_target = "/posts/%s/%s" % (tent.escape(facts["entity"]), facts["post"])
        self.processes.append(node.process)
        self.kept[name] = node
        # What is signed within the node's first second is stale on purpose.
        first = int(time.time())
        wait_until(lambda: int(time.time()) > first, 5, "the second has passed")
        return node

    def main(self):
        return self.node(self.large, "main")

    def end(self, node):
        node.process.end(10)
        self.kept.pop(node.name, None)

    def close(self):
        for process in self.processes:
            process.send(signal.SIGTERM)
        for process in self.processes:
            process.end(6)
        remove(self.top)

    def say(self, text):
        print("  " + text, file=sys.stderr, flush=True)

    # ---- measuring

    def load(self, address, target, *more, connections=16, seconds=None):
        command = [self.program("tests/bench/bench_load"), "--address", address, "--target", target, "--connections",
                   str(connections), "--milliseconds", str(int(1000 * (seconds or self.seconds)))] + [str(m) for m in more]
        out = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if out.returncode:
            raise Failed(out.stderr.decode("utf-8", "replace").strip())
        return json.loads(out.stdout)

    def raw(self, *more):
        copy, _ = self.copy(self.large, "raw")
        out = subprocess.run([self.program("tests/bench/bench_raw"), "--data", copy, "--passphrase", PASSPHRASE] +
                             [str(m) for m in more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
        if out.returncode:
            raise Failed(out.stderr.decode("utf-8", "replace").strip())
        return json.loads(out.stdout)

    def turns(self, ours, floor, times=1):
        """Medians of the two, measured in turns."""
        mine, theirs = [], []
        for _ in range(times * self.rounds):
            theirs.append(floor())
            mine.append(ours())
        return statistics.median(mine), statistics.median(theirs)

    def answer_of(self, node, target, signed):
        host, port = node.address.rsplit(":", 1)
        answer = tent.request((host, int(port)), "GET", target, node.address, credentials=node.credentials if signed else None)
        if answer.status != 200:
            raise Failed("%s: %d %r" % (target, answer.status, answer.body[:200]))
        return answer

    def constant(self, node, target, signed=False):
        """(address of a server that gives this answer without any work, the answer)."""
        answer = self.answer_of(node, target, signed)
        path = os.path.join(self.top, "answer-%d" % len(self.processes))
        with open(path, "wb") as file:
            for name, value in answer.headers:
                if name.lower() not in ("content-length", "connection", "keep-alive"):
                    file.write(("%s: %s\n" % (name, value)).encode())
            file.write(b"\n" + answer.body)
        log = path + ".log"
        process = Process([self.program("tests/bench/bench_constant"), "--answer", path], log, self.top)
        self.processes.append(process)

        def address():
            with open(log) as file:
                text = file.read()
            return text.strip() if text.endswith("\n") else None
        return wait_until(address, 10, "the constant server listens", 0.01), answer

    def against_constant(self, target, signed):
        """Requests a second: ours, the floor's."""
        node = self.main()
        floor, answer = self.constant(node, target, signed)
        signing = node.signing + ["--most", "40000"] if signed else []
        self.load(node.address, target, *(signing[:-1] + ["2000"] if signed else []), seconds=0.3)
        mine, theirs = [], []
        def measured(address, pid, seen):
            before = cpu_seconds(pid)
            got = self.load(address, target, *signing)
            seen.append(1e6 * (cpu_seconds(pid) - before) / got["requests"])
            return got["rate"]
        rates = self.turns(lambda: measured(node.address, node.pid, mine),
                           lambda: measured(floor, self.processes[-1].pid, theirs))
        a, b = statistics.median(mine), statistics.median(theirs)
        unit = "req/s of %d bytes; CPU %.0f and %.0f µs, %.2f" % (len(answer.body), a, b, b / a)
        return rates[0], rates[1], unit, answer

    # ---- nginx, for orientation

    def nginx_program(self):
        for path in (shutil.which("nginx"), "/usr/sbin/nginx", os.path.join(self.build, "bench-nginx/usr/sbin/nginx")):
            if path and os.access(path, os.X_OK):
                return path
        if not self.options.nginx:
            return None
        # Unpacked only: no service, nothing of the system's is touched.
        place = os.path.join(self.build, "bench-nginx")
        os.makedirs(place, exist_ok=True)
        subprocess.run(["apt-get", "-q", "download", "nginx"], cwd=place, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["dpkg", "-x", sorted(glob.glob(os.path.join(place, "nginx_*.deb")))[-1], place], check=True)
        return os.path.join(place, "usr/sbin/nginx")

    def nginx_rate(self, answer, name):
        program = self.nginx_program()
        if not program:
            return None
        place = os.path.join(self.top, "nginx-" + name)
        os.makedirs(os.path.join(place, "files"))
        os.chmod(self.top, 0o755)  # its workers may be another user
        with open(os.path.join(place, "files", "answer"), "wb") as file:
            file.write(answer.body)
        port = free_ports(1)[0]
        headers = "".join("add_header %s '%s';" % (n, v) for n, v in answer.headers
                          if n.lower() in ("vary", "cache-control", "server-authorization"))
        with open(os.path.join(place, "conf"), "w") as file:
            file.write("""daemon off; pid %s/pid; error_log %s/error.log; worker_processes 2; events { worker_connections 256; }
http { access_log off; keepalive_requests 100000000; default_type '%s'; client_body_temp_path %s/b; proxy_temp_path %s/p;
fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s; open_file_cache max=10;
server { listen 127.0.0.1:%d; root %s/files; %s location / { try_files /answer =404; } } }
""" % (place, place, answer.header("content-type").replace("'", ""), place, place, place, place, place, port, place, headers))
        process = Process([program, "-p", place, "-c", os.path.join(place, "conf"), "-e", os.path.join(place, "error.log")],
                          os.path.join(place, "log"), self.top)
        self.processes.append(process)
        address = "127.0.0.1:%d" % port
        wait_until(lambda: accepts(port), 5, "nginx listens: " + process.tail(), 0.02)
        rate = statistics.median(self.load(address, "/x")["rate"] for _ in range(self.rounds))
        process.end(5)
        return rate


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def accepts(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def memory(pid):
    """(VmRSS, RssAnon) in MiB."""
    with open("/proc/%d/status" % pid) as file:
        lines = dict(line.split(":", 1) for line in file if ":" in line)
    return [int(lines[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon")]


# ---- the rows: each gives (ours, floor, unit)

@row("idle", "memory of an idle node, no posts", 25, needs="MiB at most")
def idle(bench):
    node = bench.node(0, "empty")
    bench.answer_of(node, "/posts", False)
    time.sleep(1)
    rss, anon = memory(node.pid)
    bench.end(node)
    bench.notes.append("idle: VmRSS %.1f MiB, of that RssAnon %.1f MiB" % (rss, anon))
    return rss, None, "MiB VmRSS"


@row("start", "from the passphrase to listening", 100, needs="ms at most")
def start(bench):
    """The passphrase costs nothing here, and the program waits for it with everything loaded."""
    copy, _ = bench.copy(bench.large, "start")
    listening, answered = [], []
    for attempt in range(7 if not bench.options.quick else 3):
        port = free_ports(1)[0]
        command = [bench.program("src/bivouac"), "run", "--data", copy, "--passphrase-file", "-", "--no-tor", "--local-api", str(port)]
        log = open(os.path.join(bench.top, "start.log"), "ab")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=clean_env(bench.top))
        try:
            time.sleep(0.4)
            begin = time.monotonic()
            process.stdin.write((PASSPHRASE + "\n").encode())
            process.stdin.close()
            while not accepts(port):
                if process.poll() is not None or time.monotonic() - begin > 30:
                    raise Failed("the node does not listen")
                time.sleep(0.0002)
            listening.append(1000 * (time.monotonic() - begin))
            tent.request(("127.0.0.1", port), "GET", "/", "127.0.0.1:%d" % port)
            answered.append(1000 * (time.monotonic() - begin))
        finally:
            process.terminate()
            process.wait(10)
            log.close()
    bench.notes.append("start: the first request was answered after %.1f ms" % statistics.median(answered))
    return statistics.median(listening), None, "ms"


@row("get", "GET one public post", 0.6, "same bytes from a constant handler", "at least")
def get(bench):
    ours, floor, unit, answer = bench.against_constant(bench.main().post_target, False)
    note_nginx(bench, "get", answer, ours, floor)
    return ours, floor, unit


@row("get_hawk", "the same, Hawk and Server-Authorization", 0.4, "same bytes from a constant handler", "at least")
def get_hawk(bench):
    return bench.against_constant(bench.main().post_target, True)[:3]


@row("feed", "feed page of 25, warm", 0.35, "same bytes from a constant handler", "at least")
def feed(bench):
    ours, floor, unit, answer = bench.against_constant("/posts", False)
    note_nginx(bench, "feed", answer, ours, floor)
    return ours, floor, unit


@row("feed_app", "the same for an app (orientation)", None, "same bytes from a constant handler")
def feed_app(bench):
    return bench.against_constant("/posts", True)[:3]


@row("feed_types", "the same, an app's statuses only (orientation)", None, "same bytes from a constant handler")
def feed_types(bench):
    return bench.against_constant("/posts?types=" + tent.escape("https://tent.io/types/status/v0"), True)[:3]


class Control:
    """The control socket, one connection kept open."""

    def __init__(self, node):
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = socket.socket(socket.AF_UNIX)
        self.connection.sock.connect(os.path.join(node.data, "control.sock"))

    def ask(self, target):
        self.connection.request("GET", target)
        answer = self.connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise Failed("%s: %d %r" % (target, answer.status, body[:200]))
        return json.loads(body)

    def milliseconds(self, target, times=20):
        taken = []
        for _ in range(times):
            begin = time.monotonic()
            self.ask(target)
            taken.append(1000 * (time.monotonic() - begin))
        return statistics.median(taken)


@row("search", "search page of 25, a word of most posts (orientation)", None, "a feed page, by the same socket")
def search(bench):
    node = bench.main()
    control = Control(node)
    common, rare = "/search?q=harbour", "/search?q=w1234%20"
    wanted = {"newest first": common, "closest first": common + "&sort=closest", "a rare word": rare,
              "two words": "/search?q=harbour%20nobody", "one letter": "/search?q=h", "in quotes": "/search?q=%22the%20harbour%22"}
    for target in list(wanted.values()) + ["/feed"]:
        control.ask(target)
    if len(control.ask(common)["posts"]) != 25 or not control.ask(rare)["posts"]:
        raise Failed("the search does not find what is there")
    ours, floor = bench.turns(lambda: control.milliseconds(common), lambda: control.milliseconds("/feed"))
    bench.notes.append("search: among %d posts, indexed in %.1f s; %s; a feed page %.2f ms" % (
        bench.large, node.facts["index_seconds"], ", ".join("%s %.2f ms" % (n, control.milliseconds(t)) for n, t in wanted.items()), floor))
    return ours, floor, "ms a page"


def cost_of_a_page(bench, page, cookie, feed, signing):
    """Processor time of the server, in microseconds: a page of 25 posts, and the JSON feed of the same posts."""
    node = bench.main()
    headers = ["--header", "Accept: text/html"] + (["--header", "Cookie: " + cookie] if cookie else [])
    host, port = node.address.rsplit(":", 1)
    answer = tent.request((host, int(port)), "GET", page, node.address, headers=[tuple(h.split(": ", 1)) for h in headers[1::2]])
    shown = answer.body.count(b'<article class="post"')
    if answer.status != 200 or shown != 25:
        raise Failed("%s: %d with %d posts" % (page, answer.status, shown))
    listed = len(bench.answer_of(node, feed, bool(signing)).json()["posts"])
    if listed != 25:
        raise Failed("%s lists %d posts" % (feed, listed))
    if len(answer.body) > PAGE_BYTES:
        raise Failed("%s has %d bytes, %d are allowed" % (page, len(answer.body), PAGE_BYTES))

    def measured(target, more):
        before = cpu_seconds(node.pid)
        requests = bench.load(node.address, target, *more, connections=4)["requests"]
        return 1e6 * (cpu_seconds(node.pid) - before) / requests
    measured(page, headers)
    ours, floor = bench.turns(lambda: measured(page, headers), lambda: measured(feed, signing))
    return ours, floor, "µs of processor time, HTML of %d bytes" % len(answer.body)


@row("page_public", "page of 25 public posts for visitors", 2, "JSON feed of the same posts", "at most")
def page_public(bench):
    return cost_of_a_page(bench, "/", "", "/posts", [])


@row("page_timeline", "timeline of 25 posts for the owner", 2, "JSON feed of the same posts for an app", "at most")
def page_timeline(bench):
    node = bench.main()
    host, port = node.address.rsplit(":", 1)
    link = "/" + node.do("open", "--local").strip().split("/", 3)[3]

    def ask(method, target, cookie="", **more):
        answer = tent.request((host, int(port)), method, target, node.address, headers=(("Cookie", cookie),) if cookie else (), **more)
        return answer, "; ".join(value.split(";")[0] for name, value in answer.headers if name.lower() == "set-cookie" and "Max-Age=0" not in value)
    page, guest = ask("GET", link)
    token = re.search(rb'name="csrf" value="([^"]+)"', page.body).group(1)
    _, cookie = ask("POST", link, guest, body=b"csrf=" + token, content_type="application/x-www-form-urlencoded")
    return cost_of_a_page(bench, "/me", cookie, "/posts", node.signing + ["--most", "40000"])


def note_nginx(bench, name, answer, ours, floor):
    rate = bench.nginx_rate(answer, name)
    if rate:
        bench.notes.append("%s: nginx serves these bytes %.0f times a second; constant handler %.2f of that, ours %.2f" % (
            name, rate, floor / rate, ours / rate))


def create_arguments(bench, node):
    """A post whose JSON has 1,024 bytes, and the options that send it."""
    path = os.path.join(bench.top, "post.json")
    frame = '{"type":"%s","content":{"text":"%s"}}'
    with open(path, "w") as file:
        file.write(frame % (NOTE, "t" * (1024 - len(frame % (NOTE, "")))))
    return ["--method", "POST", "--body", path, "--header", "Content-Type: " + NOTE_MEDIA, "--hash", NOTE_MEDIA,
            "--most", "10000"] + node.signing


def creates(bench, node, clients):
    return bench.load(node.address, "/posts", *create_arguments(bench, node), connections=clients, seconds=bench.seconds / 2)["rate"]


@row("create", "durable create of a 1 KB post, 1 client", 0.6, "its rows straight into SQLCipher", "at least")
def create(bench):
    node = bench.main()
    creates(bench, node, 1)
    newest = bench.answer_of(node, "/posts?limit=1", False).json()["posts"][0]
    stored = len(json.dumps(newest, separators=(",", ":")).encode())
    milliseconds = int(500 * bench.seconds)
    # Short and many: what else happens on the disk should hit both.
    ours, floor = bench.turns(lambda: creates(bench, node, 1),
                              lambda: bench.raw("--work", "insert", "--milliseconds", milliseconds, "--body", stored)["rate"],
                              times=3)
    return ours, floor, "posts/s"


@row("create_32", "the same, 32 clients", 4, "our own 1-client rate", "at least")
def create_32(bench):
    node = bench.main()
    ours, floor = bench.turns(lambda: creates(bench, node, 32), lambda: creates(bench, node, 1), times=2)
    return ours, floor, "posts/s"


def slow_node(bench):
    return bench.node(bench.large, "slow", bench.program("tests/bench/libslow_sync.so"))


@row("create_32_slow", "the same, every sync 10 ms slower", 20, "our own 1-client rate", "at least")
def create_32_slow(bench):
    node = slow_node(bench)
    ours, floor = bench.turns(lambda: creates(bench, node, 32), lambda: creates(bench, node, 1))
    bench.end(node)
    return ours, floor, "posts/s"


def upload_file(bench):
    """(path of a multipart body with one attachment, where its bytes may be stamped)."""
    path = os.path.join(bench.top, "upload")
    head = ('--bench\r\nContent-Disposition: form-data; name="post"; filename="post.json"\r\nContent-Type: %s\r\n\r\n'
            '{"type":"%s","content":{"text":"with a file"}}\r\n'
            '--bench\r\nContent-Disposition: form-data; name="file[0]"; filename="file.bin"\r\n'
            'Content-Type: application/octet-stream\r\n\r\n' % (STATUS_MEDIA, tent.STATUS)).encode()
    with open(path, "wb") as file:
        file.write(head + os.urandom(ATTACHMENT) + b"\r\n--bench--\r\n")
    return path, len(head) + 1000


def upload(bench, node, most=8):
    path, stamp = upload_file(bench)
    got = bench.load(node.address, "/posts", "--method", "POST", "--body", path, "--stamp", stamp, "--most", most, "--header",
                     'Content-Type: multipart/form-data; boundary="bench"', *node.signing, connections=1)
    return got["rate"] * ATTACHMENT / MIB


def raw_blobs(bench, what):
    got = bench.raw("--work", "blobs", "--bytes", ATTACHMENT, "--rounds", 6)
    return max(got[form][what] for form in ("whole", "rows")) / MIB


@row("up", "10 MiB attachment, up", 0.5, "raw SQLCipher blob, write", "at least")
def up(bench):
    node = bench.main()
    upload(bench, node, 1)
    ours, floor = bench.turns(lambda: upload(bench, node), lambda: raw_blobs(bench, "write"))
    return ours, floor, "MiB/s"


@row("down", "10 MiB attachment, down", 0.6, "raw SQLCipher blob, read", "at least")
def down(bench):
    """Six that take turns: one alone would come out of the page cache."""
    node = bench.main()
    upload(bench, node, 6)
    posts = bench.answer_of(node, "/posts?limit=200", False).json()["posts"]
    digests = {a["digest"] for p in posts for a in p.get("attachments", []) if a["size"] == ATTACHMENT}
    targets = ["/attachments/%s/%s" % (tent.escape(node.facts["entity"]), digest) for digest in sorted(digests)[:6]]
    more = [part for target in targets[1:] for part in ("--target", target)]
    ours, floor = bench.turns(lambda: bench.load(node.address, targets[0], *more, connections=1)["rate"] * ATTACHMENT / MIB,
                              lambda: raw_blobs(bench, "read"))
    return ours, floor, "MiB/s"


@row("memory", "memory after all of the above, one process", 60, needs="MiB at most")
def after(bench):
    rss, anon = memory(bench.main().pid)
    bench.notes.append("memory: VmRSS %.1f MiB, of that RssAnon %.1f MiB; page caches as StoreOptions in store/store.h has them; a "
                       "signed request leaves a nonce for 121 s; after each row: %s" % (
                           rss, anon, ", ".join("%s %.0f" % pair for pair in bench.grown)))
    return rss, None, "MiB VmRSS"


@row("scale", "feed page: many posts over few", 1.5, "the small database", "times at most")
def scale(bench):
    small, huge = bench.node(bench.small, "small"), bench.node(bench.huge, "huge")
    for node in (small, huge):
        bench.load(node.address, "/posts", seconds=0.3)
    ours, floor = bench.turns(lambda: 1e6 / bench.load(huge.address, "/posts")["rate"],
                              lambda: 1e6 / bench.load(small.address, "/posts")["rate"])
    bench.end(small)
    bench.end(huge)
    bench.notes.append("scale: %d posts over %d" % (bench.huge, bench.small))
    return ours, floor, "µs a page"


@row("hidden", "404 for a private post or file, or for none", 1.1, "whichever of the two is quicker", "at most")
def hidden(bench):
    """How long a refusal takes must not tell a stranger whether there is something (section 8.3)."""
    node = bench.main()
    host, port = node.address.rsplit(":", 1)
    body, type_ = attachments.form({"type": STATUS_MEDIA.split('"')[1], "content": {"text": "hidden"}, "permissions": {"public": False}},
                                   [("file[0]", "hidden.txt", "text/plain", b"hidden")])
    made = tent.request((host, int(port)), "POST", "/posts", node.address, credentials=node.credentials, body=body, content_type=type_)
    if made.status != 200:
        raise Failed("a private post: %d %r" % (made.status, made.body[:200]))
    post = made.json()["post"]
    digest = post["attachments"][0]["digest"]
    entity = tent.escape(node.facts["entity"])
    worst = 0.0, 0.0, 1.0
    for what, there, absent in (
            ("post", "/posts/%s/%s" % (entity, post["id"]), "/posts/%s/%s" % (entity, post["id"][::-1].replace("-", "A"))),
            ("versions", "/posts/%s/%s?version=%s" % (entity, post["id"], post["version"]["id"]),
             "/posts/%s/%s?version=%s" % (entity, post["id"], post["version"]["id"][:-32] + "0" * 32)),
            ("file by name", "/posts/%s/%s/attachments/hidden.txt" % (entity, post["id"]),
             "/posts/%s/%s/attachments/absent.txt" % (entity, post["id"])),
            ("file", "/attachments/%s/%s" % (entity, digest), "/attachments/%s/%s" % (entity, digest[:-32] + "0" * 32))):
        def median(target):
            return bench.load(node.address, target, "--status", "404", connections=1, seconds=bench.seconds / 8)["p50_us"]
        median(there)
        # The least of many short turns: what else the machine does only adds to it.
        one, other = (min(times) for times in zip(*((median(there), median(absent)) for _ in range(4 * bench.rounds))))
        bench.notes.append("hidden: %s %.1f µs, absent %.1f µs" % (what, one, other))
        ratio = max(one, other) / min(one, other)
        if ratio >= worst[2]:
            worst = max(one, other), min(one, other), ratio
    return worst[0], worst[1], "µs, the worst of four pairs"


# ---- printing

def judge(entry, ours, floor):
    """(ratio or None, reached or None)."""
    needs, goal = entry["needs"], entry["goal"]
    ratio = ours / floor if floor else None
    if goal is None:
        return ratio, None
    value = ratio if floor else ours
    return ratio, value >= goal if needs == "at least" else value <= goal


def number(value):
    if value is None:
        return ""
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def profile(bench, key):
    node = slow_node(bench) if key == "create_32_slow" else bench.main()
    signing = node.signing + ["--most", "90000"]
    loads = {
        "get": (node.post_target, []), "get_hawk": (node.post_target, signing), "feed": ("/posts", []),
        "feed_app": ("/posts", signing), "feed_types": ("/posts?types=" + tent.escape("https://tent.io/types/status/v0"), signing),
        "create": ("/posts", create_arguments(bench, node)), "create_32": ("/posts", create_arguments(bench, node)),
        "create_32_slow": ("/posts", create_arguments(bench, node)),
    }
    if key not in loads:
        raise Failed("--profile knows: " + " ".join(loads))
    out = os.path.join(bench.build, "bench-%s.perf" % key)
    recorder = subprocess.Popen(["perf", "record", "-q", "-F", "397", "--call-graph", "dwarf,16384", "-p", str(node.pid),
                                 "-o", out], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    target, more = loads[key]
    got = bench.load(node.address, target, *more, connections={"create": 1, "create_32": 32, "create_32_slow": 32}.get(key, 16), seconds=4)
    recorder.send_signal(signal.SIGINT)
    recorder.wait(60)
    print("%s: %.0f requests/s while perf was looking on; the samples: %s" % (key, got["rate"], out))
    script = subprocess.run(["perf", "script", "--no-inline", "-i", out, "-F", "ip,sym,dso"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, timeout=300).stdout.decode("utf-8", "replace")
    own, below, places, samples = {}, {}, {}, 0
    for block in script.split("\n\n"):
        frames = [f for f in (frame_of(line) for line in block.splitlines()) if f]
        if not frames:
            continue
        samples += 1
        own[frames[0]] = own.get(frames[0], 0) + 1
        places[frames[0][1]] = places.get(frames[0][1], 0) + 1
        for frame in set(frames):
            below[frame] = below.get(frame, 0) + 1
    for title, counts, most in (("where", {(n, ""): c for n, c in places.items()}, 10), ("itself", own, 25),
                                ("with what it calls", {f: c for f, c in below.items() if f[1] == "bivouac"}, 60)):
        print("\n%s:" % title)
        for (name, place), count in sorted(counts.items(), key=lambda item: -item[1])[:most]:
            print("  %5.1f %%  %-90s %s" % (100 * count / samples, name[:90], place))


def frame_of(line):
    """(function without template arguments and parameters, library) of a line of perf script."""
    parts = line.strip().split(" ", 1)
    if len(parts) < 2 or " (" not in parts[1]:
        return None
    name, place = parts[1].rsplit(" (", 1)
    place = os.path.basename(place.rstrip(")"))
    kept, depth = [], 0
    for c in name.replace("operator<", "operator less").replace("->", "").replace("(anonymous namespace)", "-"):
        depth += c in "<(" and 1
        if not depth:
            kept.append(c)
        depth -= c in ">)" and depth > 0
    return "".join(kept).strip(), place


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", nargs="+", metavar="ROW", default=[])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--profile", metavar="ROW")
    parser.add_argument("--build", default=os.path.join(root(), "build"))
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--nginx", action="store_true")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if options.list:
        for entry in ROWS:
            print("%-15s %s" % (entry["key"], entry["text"]))
        return 0
    unknown = set(options.only) - {entry["key"] for entry in ROWS}
    if unknown:
        parser.error("no such row: %s; --list shows them" % " ".join(sorted(unknown)))
    bench = Bench(options)
    begin = time.monotonic()
    results = []
    try:
        bench.make()
        if options.profile:
            profile(bench, options.profile)
            return 0
        chosen = [e for e in ROWS if not options.only or e["key"] in options.only]
        print("%d posts unless said otherwise; %d rounds of %.1f s; %d cores, load %.2f before%s" % (
            bench.large, bench.rounds, bench.seconds, os.cpu_count(), os.getloadavg()[0],
            "; --quick: not what the goals are for" if options.quick else ""))
        line = "%-52s %10s %10s %7s  %-18s %-8s %s"
        print(line % ("work", "ours", "floor", "ratio", "goal", "", "unit; floor"))
        for entry in chosen:
            text = entry["text"]
            try:
                ours, floor, unit = entry["run"](bench)
            except Failed as error:
                print("%-52s FAILED: %s" % (text, error))
                results.append({"key": entry["key"], "failed": str(error)})
                continue
            if "main" in bench.kept:
                bench.grown.append((entry["key"], memory(bench.main().pid)[0]))
            ratio, reached = judge(entry, ours, floor)
            goal = "" if entry["goal"] is None else "%g %s" % (entry["goal"], entry["needs"])
            print(line % (text, number(ours), number(floor), "%.2f" % ratio if ratio else "", goal,
                          {True: "reached", False: "MISSED", None: ""}[reached], unit + ("; " + entry["floor"] if entry["floor"] else "")),
                  flush=True)
            results.append({"key": entry["key"], "ours": ours, "floor": floor, "ratio": ratio, "goal": entry["goal"], "reached": reached})
        for note in bench.notes:
            print(note)
        print("%.0f s, load %.2f after" % (time.monotonic() - begin, os.getloadavg()[0]))
        if options.json:
            with open(options.json, "w") as file:
                json.dump(results, file, indent=1)
        return 1 if any("failed" in r for r in results) else 0
    finally:
        bench.close()


if __name__ == "__main__":
    sys.exit(main())

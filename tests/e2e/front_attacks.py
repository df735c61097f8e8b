#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Attacks the front over loopback and checks that others are still served meanwhile.

Usage: front_attacks.py PATH_OF_FRONT_ECHO
Standard library only; takes less than 40 seconds. Deadlines are shortened through the environment.
"""
import hashlib
import json
import os
import resource
import select
import socket
import subprocess
import sys
import threading
import time

DEADLINES = {"FRONT_HEAD_MS": "5000", "FRONT_BODY_MS": "3000", "FRONT_IDLE_MS": "25000"}
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
    print(("ok - " if ok else "FAIL - ") + name + (f" ({detail})" if detail else ""), flush=True)


class Server:
    def __init__(self, binary):
        self.process = subprocess.Popen([binary], stdout=subprocess.PIPE, env={**os.environ, **DEADLINES})
        line = self.process.stdout.readline().decode().strip()
        self.address = ("127.0.0.1", int(line.rsplit(":", 1)[1]))

    def rss_kb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
        return 0

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def connect(self, timeout=10):
        return socket.create_connection(self.address, timeout)


def read_answer(sock):
    """(status, head, body), or (0, ...) when the connection ended before an answer."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            piece = sock.recv(65536)
            if not piece:
                return 0, data, b""
            data += piece
        head, body = data.split(b"\r\n\r\n", 1)
        length = 0
        for line in head.split(b"\r\n")[1:]:
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        while len(body) < length:
            piece = sock.recv(65536)
            if not piece:
                break
            body += piece
        return int(head.split(b" ")[1]), head, body
    except (ConnectionError, TimeoutError, socket.timeout):
        return 0, data, b""


def is_closed(sock, within=3):
    sock.settimeout(within)
    try:
        while sock.recv(65536):
            pass
        return True
    except (TimeoutError, socket.timeout):
        return False
    except ConnectionError:
        return True


def ask(server, data, timeout=10):
    with server.connect(timeout) as sock:
        try:
            sock.sendall(data)
        except ConnectionError:
            pass
        return read_answer(sock)


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def live_times(server, count):
    """The slowest and the median of `count` requests, each on a connection of its own."""
    times = []
    for _ in range(count):
        start = time.monotonic()
        status, _, _ = ask(server, GET)
        times.append(time.monotonic() - start if status == 200 else 99.0)
    times.sort()
    return times[-1], times[len(times) // 2]


def test_echo(server):
    body = os.urandom(700_000)
    status, _, answer = ask(server, b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 700000\r\n\r\n" + body)
    told = json.loads(answer) if status == 200 else {}
    check("a body of 700,000 bytes arrives unchanged", told.get("sha256") == hashlib.sha256(body).hexdigest())


def test_slow_senders(server):
    starts = [
        b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    ]
    senders = []
    for i in range(64):
        sock = server.connect()
        sock.sendall(starts[i % 2])
        senders.append(sock)
    began = time.monotonic()
    cut = {}
    slowest = 0.0
    while time.monotonic() - began < 7 and len(cut) < len(senders):
        for i, sock in enumerate(senders):
            if i in cut:
                continue
            try:
                sock.send(b"x")
            except OSError:
                cut[i] = time.monotonic() - began
                continue
            if select.select([sock], [], [], 0)[0]:  # the 408, or the end
                cut[i] = time.monotonic() - began
        slowest = max(slowest, live_times(server, 5)[0])
        time.sleep(max(0, 1 - (time.monotonic() - began) % 1))
    for sock in senders:
        sock.close()
    check("live requests stay under 1 s beside 64 slow senders", slowest < 1, f"slowest {slowest * 1000:.1f} ms")
    check("all 64 slow senders are cut off", len(cut) == 64,
          f"{len(cut)} cut, the last after {max(cut.values(), default=0):.1f} s")


def test_idle(server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 5000
    room = (hard if hard != resource.RLIM_INFINITY else 1 << 20) - 100
    count = min(wanted, room)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(count + 100, room + 100), hard))
    if count < wanted:
        print(f"# the hard limit of open files allows {count} idle connections only", flush=True)
    before = server.rss_kb()
    idle = []
    for _ in range(count):
        idle.append(server.connect())
    slowest, median = live_times(server, 100)
    used = server.rss_kb() - before
    check(f"live requests work beside {count} idle connections", slowest < 1,
          f"median {median * 1000:.2f} ms, slowest {slowest * 1000:.1f} ms, {used / count:.2f} KB a connection")
    cpu = server.cpu_s()
    time.sleep(1)
    cpu = server.cpu_s() - cpu
    check("idle connections cost no processor time", cpu < 0.2, f"{cpu * 1000:.0f} ms in 1 s")
    for sock in idle:
        sock.close()


def test_smuggling(server):
    post = b"POST / HTTP/1.1\r\nHost: a\r\n"
    smuggled = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
    chunk = b"0\r\n\r\n"
    cases = {
        "Content-Length and Transfer-Encoding": post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
        "two Content-Lengths": post + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
        "a list of Content-Lengths": post + b"Content-Length: 0, 0\r\n\r\n",
        "a signed Content-Length": post + b"Content-Length: +0\r\n\r\n",
        "a Content-Length that overflows": post + b"Content-Length: 18446744073709551616\r\n\r\n",
        "two Transfer-Encodings": post + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunk,
        "an unknown Transfer-Encoding": post + b"Transfer-Encoding: xchunked\r\n\r\n" + chunk,
        "a list of Transfer-Encodings": post + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + chunk,
        "Transfer-Encoding in HTTP/1.0": b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk,
        "a blank before the colon": post + b"Transfer-Encoding : chunked\r\n\r\n" + chunk,
        "a vertical tab in Transfer-Encoding": post + b"Transfer-Encoding:\x0bchunked\r\n\r\n" + chunk,
        "a folded header": post + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + chunk,
        "no Host": b"GET / HTTP/1.1\r\n\r\n",
        "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "an absolute target": b"GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "a NUL": b"GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
        "a bare carriage return": b"GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n",
        "a chunk size with a sign": post + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n" + chunk,
        "a chunk size that overflows": post + b"Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n" + chunk,
        "a chunk without CR": post + b"Transfer-Encoding: chunked\r\n\r\n5\nhello\n0\n\n",
        "a chunk longer than it says": post + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n" + chunk,
        "trailers": post + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 5\r\n\r\n",
        "an unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
        "a second protocol": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    }
    for name, data in cases.items():
        with server.connect() as sock:
            sock.sendall(data + smuggled)
            status, head, body = read_answer(sock)
            closed = is_closed(sock)
            ok = status in (400, 501) and closed and b"Connection: close" in head and body.startswith(b'{"error":"')
            check(f"refused and closed: {name}", ok, f"{status}")


def test_large_chunked(server):
    before = server.rss_kb()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    peak = before
    with server.connect() as sock:
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 100 << 20:
                sock.sendall(chunk)
                sent += 65536
                peak = max(peak, server.rss_kb())
        except ConnectionError:
            pass
        status, _, _ = read_answer(sock)
    check("a chunked body of 100 MB is 413", status == 413, f"{status}, cut off after {sent >> 10} KB")
    check("it costs little memory", peak - before < 8192, f"{peak - before} KB more")
    status, _, _ = ask(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 104857600\r\n\r\n")
    check("an announced body of 100 MB is 413", status == 413, f"{status}")


def test_endless_chunked(server):
    with server.connect() as sock:
        start = time.monotonic()
        sock.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while time.monotonic() - start < 20:
                sock.sendall(b"1\r\nx\r\n")
                if select.select([sock], [], [], 0.1)[0]:
                    break
        except ConnectionError:
            pass
        status, _, _ = read_answer(sock)
        took = time.monotonic() - start
    check("a chunked body without end is cut off", status == 408 and 2 < took < 20, f"{status} after {took:.1f} s")


def test_heads(server):
    status, _, _ = ask(server, b"POST / HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\0")
    check("a gzip body is 415", status == 415, f"{status}")

    before = server.rss_kb()

    def flood(start, piece, count):
        with server.connect() as sock:
            try:
                sock.sendall(start)
                for _ in range(count):
                    sock.sendall(piece)
            except ConnectionError:
                pass
            return read_answer(sock)[0]

    status = flood(b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x" * 65536, 320)
    check("a header line of 20 MB is 431", status == 431, f"{status}")
    status = flood(b"GET / HTTP/1.1\r\nHost: a\r\n", b"X: 1\r\n" * 1000, 300)
    check("300,000 headers are 431", status == 431, f"{status}")
    status, _, _ = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 100 + b"\r\n")
    check("101 headers are 431", status == 431, f"{status}")
    more = server.rss_kb() - before
    check("large heads cost little memory", more < 8192, f"{more} KB more")

    ranges = b",".join(b"0-" for _ in range(2600))
    status, head, body = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\nRange: bytes=" + ranges + b"\r\n\r\n")
    check("a list of ranges does nothing", status == 200 and len(body) < 500 and b"Content-Range" not in head,
          f"{status}, {len(body)} bytes")
    status, head, body = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br, gzip\r\n\r\n")
    check("answers are not compressed", status == 200 and b"Content-Encoding" not in head and body.startswith(b"{"))
    status, head, _ = ask(server, b"GET / HTTP/1.1\r\nHost: a\r\nX-Echo: a%0d%0aSet-Cookie: b\r\n\r\n")
    check("escaped line ends in a header stay escaped",
          status == 200 and b"X-Echo: a%0d%0aSet-Cookie: b" in head and b"\r\nSet-Cookie" not in head)
    status, head, body = ask(server, b"GET /a%2F..%00?b=%0d%0a HTTP/1.1\r\nHost: a\r\n\r\n")
    target = json.loads(body).get("target", "") if status == 200 else ""
    check("the target stays as it was sent", bytes.fromhex(target) == b"/a%2F..%00?b=%0d%0a")
    lines = head.lower().split(b"\r\n")
    told = [line for line in lines if line.split(b":")[0] in (b"server", b"date", b"last-modified", b"keep-alive")]
    check("an answer does not tell about the machine", not told, str(told) if told else "")


def test_vanishing(server):
    for i in range(300):
        sock = server.connect()
        sock.sendall(GET * (i % 5 + 1))
        if i % 2:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        sock.close()
    slowest, _ = live_times(server, 20)
    check("clients that vanish do no harm", slowest < 1, f"slowest {slowest * 1000:.1f} ms")


def test_throughput(server):
    total = 0
    lock = threading.Lock()
    end = time.monotonic() + 1.5

    def run():
        nonlocal total
        count = 0
        with server.connect() as sock:
            while time.monotonic() < end:
                sock.sendall(GET * 20)
                data = b""
                while data.count(b"HTTP/1.1 200") < 20 or not data.endswith(b"}\n"):
                    data += sock.recv(65536)
                count += 20
        with lock:
            total += count

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check("pipelined requests are all answered", total > 1000, f"{total / 1.5:.0f} a second")


def main():
    server = Server(sys.argv[1])
    watchdog = threading.Timer(90, lambda: (server.process.kill(), os._exit(2)))
    watchdog.daemon = True
    watchdog.start()
    try:
        for test in (test_echo, test_smuggling, test_large_chunked, test_heads, test_vanishing, test_throughput,
                     test_endless_chunked, test_slow_senders, test_idle):
            test(server)
        check("the server is still alive", server.process.poll() is None and ask(server, GET)[0] == 200)
    finally:
        server.process.kill()
        server.process.wait()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""One post to many followers behind a stand-in for tor in which every first contact takes two seconds.

  python3 tests/bench/fan_out.py [--build DIR] [--followers 1000 10000] [--json FILE]

On paper it costs as many turns as the followers make at limits::kPeersAtOnce deliveries at a time, each turn as long as
the delivery to one follower takes, which is measured in the same run.  The two seconds are before the SOCKS reply, as with
tor, where they go into the rendezvous; what follows passes at once.  Memory is the node's; the API's answers are timed by
a client of their own, once before and once while a second post is on its way.  Exit code 1 when a goal is missed.
"""
import argparse
import asyncio
import json
import math
import os
import re
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

import tent  # noqa: E402
from fake_tor import _Onion  # noqa: E402
from harness import HOST, Failed, check, check_equal, private_dir, remove, root, wait_until  # noqa: E402
from node import Node, Stage  # noqa: E402

PASSPHRASE = "words for the bench"
LATENCY = 2.0
TARGETS = ["src/bivouac", "tests/bench/bench_fill", "tests/bench/bench_load"]


def peers_at_once():
    with open(os.path.join(root(), "include", "bivouac", "model", "limits.h")) as file:
        return int(re.search(r"kPeersAtOnce = (\d+);", file.read()).group(1))


class Followers:
    """All of them, one port: who is meant is in the Host header."""

    def __init__(self, net, entities):
        self.net, self.got, self.times = net, {}, {}
        self.server = net.call(self._start())
        self.port = self.server.sockets[0].getsockname()[1]
        gate = net.node("followers")
        for entity in entities:
            onion = _Onion(gate, None, {80: "%s:%d" % (HOST, self.port)}, None)
            onion.published = True
            net.routes[entity[len("http://"):-len(".onion")]] = onion

    async def _start(self):
        return await asyncio.start_server(self._serve, HOST, 0, backlog=1024)

    async def _serve(self, reader, writer):
        try:
            # One request a connection, so that each delivery is a first contact.
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, _, rest = head.partition("\r\n")
            fields = dict((k.strip().lower(), v.strip()) for k, _, v in (f.partition(":") for f in rest.split("\r\n") if f))
            if fields.get("expect"):
                writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            body = await reader.readexactly(int(fields.get("content-length", 0)))
            if line.startswith("PUT"):
                key = fields["host"], json.loads(body)["version"]["id"]
                self.got[key] = self.got.get(key, 0) + 1
                self.times.setdefault(key[1], []).append(time.monotonic())
            answer = b'{"post":{}}' if line.startswith("PUT") else b""
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.tent.post.v0+json\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n%s" % (len(answer), answer))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            pass
        finally:
            writer.close()

    def seconds(self, version, count, begin, limit):
        """How long until so many have that version; each once."""
        wait_until(lambda: len(self.times.get(version, [])) >= count, limit,
                   lambda: "%d of %d have it" % (len(self.times.get(version, [])), count), 0.05)
        time.sleep(0.5)
        mine = {host: times for (host, v), times in self.got.items() if v == version}
        check_equal((len(mine), set(mine.values())), (count, {1}), "each follower has it, once")
        return self.times[version][count - 1] - begin


def resident(pid, field="VmRSS"):
    with open("/proc/%d/status" % pid) as file:
        return int(re.search(field + r":\s+(\d+)", file.read()).group(1)) * 1024


class Round:
    def __init__(self, build, followers):
        self.build, self.count = build, followers
        self.top = private_dir("bvf-")
        self.stage = Stage(self.top, True)

    def load(self, node, seconds):
        out = subprocess.run([os.path.join(self.build, "tests/bench/bench_load"), "--address", node.api_address, "--target",
                              "/posts?limit=25", "--connections", "1",
                              "--milliseconds", str(int(seconds * 1000))], check=True, stdout=subprocess.PIPE)
        return json.loads(out.stdout)

    def run(self):
        data = os.path.join(self.top, "data")
        facts = json.loads(subprocess.run(
            [os.path.join(self.build, "tests/bench/bench_fill"), "--data", data, "--posts", "200", "--passphrase", PASSPHRASE,
             "--followers", str(self.count)], check=True, stdout=subprocess.PIPE).stdout)
        net = self.stage.fake
        followers = Followers(net, facts["followers"])
        node = Node(os.path.join(self.build, "src/bivouac"), self.top, "node", net.node("node"), PASSPHRASE, data=data)
        self.stage.nodes.append(node)
        node.extra_args = ["--local-api"]
        node.start()
        node.api_address = node.status()["local_api"][len("http://"):]
        node.wait_published(60)
        # Whoever follows is greeted first; that is not what is measured.
        wait_until(lambda: len(node.tor.requests) >= self.count, 300, "all are greeted")
        time.sleep(2)
        node.tor.faults.contact = LATENCY
        figures = {"followers": self.count}

        def post(text, to):
            begin = time.monotonic()
            return node.json("post", text, "--to", to, timeout=60)["post"]["version"]["id"], begin
        one = []
        for turn in range(3):
            version, begin = post("for one %d" % turn, facts["followers"][turn])
            one.append(followers.seconds(version, 1, begin, 30))
        figures["one"] = sorted(one)[1]
        figures["paper"] = math.ceil(self.count / peers_at_once()) * figures["one"]
        limit = 3 * figures["paper"] + 60
        wait_until(lambda: node.outbox_waiting() == 0, 60, "nothing waits")

        before = resident(node.pid)
        with open("/proc/%d/clear_refs" % node.pid, "w") as file:
            file.write("5")  # VmHWM begins anew
        version, begin = post("for all", "followers")
        figures["total"] = followers.seconds(version, self.count, begin, limit)
        figures["grown"] = resident(node.pid, "VmHWM") - before
        wait_until(lambda: node.outbox_waiting() == 0, 60, "nothing waits")

        span = min(15.0, figures["paper"] / 2)
        calm = self.load(node, span)
        version, begin = post("for all again", "followers")
        busy = self.load(node, span)
        followers.seconds(version, self.count, begin, limit)
        figures["p50_calm_ms"], figures["p50_busy_ms"] = calm["p50_us"] / 1000, busy["p50_us"] / 1000
        figures["p99_calm_ms"], figures["p99_busy_ms"] = calm["p99_us"] / 1000, busy["p99_us"] / 1000
        return figures

    def close(self):
        self.stage.close()
        remove(self.top)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(root(), "build"))
    parser.add_argument("--followers", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--json")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    subprocess.run(["ninja", "-C", build] + TARGETS, check=True, stdout=subprocess.DEVNULL)
    bad, all_figures = 0, []
    for count in options.followers:
        one_round = Round(build, count)
        try:
            f = one_round.run()
        finally:
            one_round.close()
        all_figures.append(f)
        print("%d followers: one takes %.2f s, so on paper %.1f s" % (count, f["one"], f["paper"]))
        rows = [("total / paper", f["total"] / f["paper"], 1.5, "%.1f s" % f["total"]),
                ("memory growth, MiB", f["grown"] / (1 << 20), 32, ""),
                ("p99 of a feed, busy / calm", f["p99_busy_ms"] / f["p99_calm_ms"], 2,
                 "%.2f / %.2f ms; median %.2f / %.2f ms" % (f["p99_busy_ms"], f["p99_calm_ms"], f["p50_busy_ms"], f["p50_calm_ms"]))]
        if len(all_figures) > 1:
            first = all_figures[0]
            rows.append(("time per follower / that of %d" % first["followers"],
                         f["total"] / count / (first["total"] / first["followers"]), 1.1, "a tenth is noise"))
        for text, value, goal, more in rows:
            bad += value > goal
            print("  %-36s %6.2f   goal: at most %-5g %-4s %s" % (text, value, goal, "" if value <= goal else "MISSED", more), flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(all_figures, file, indent=1)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(1)

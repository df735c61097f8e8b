# SPDX-License-Identifier: BSD-3-Clause
"""Many nodes on a bad network, in quick time: real processes on the fake Tor, asleep most of the time, killed now and then.

  python3 tests/e2e/simulation.py --nodes 30 --hours 48 --pace 120 --seed 1     prints a table; 1 if anything was lost
  needs bivouac-simulation, the build whose clock can be made to run faster (docs/developer.md)

What ought to arrive where is worked out here, from who follows whom and whom each post was for, and not asked of the nodes.
"""
import argparse
import concurrent.futures
import json
import math
import os
import random
import signal
import statistics
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import tent  # noqa: E402
from harness import Failed, check, check_equal, private_dir, remove, root, wait_until  # noqa: E402
from node import Node, Stage, limit  # noqa: E402
from sharing import AnApp  # noqa: E402

STATUS = "https://tent.io/types/status/v0#"
PATIENCE = 240.0  # seconds of real time for everything to arrive in the end


def program():
    """$BIVOUAC_SIMULATION, or what stands beside the ordinary program."""
    path = os.environ.get("BIVOUAC_SIMULATION") or os.path.join(
        os.path.dirname(os.environ.get("BIVOUAC", os.path.join(root(), "build", "src", "x"))), "bivouac-simulation")
    if not os.access(path, os.X_OK):
        raise Failed("no simulation program at %s: ninja -C build src/bivouac-simulation" % path)
    return path


class Post:
    def __init__(self, author, audience, readers, text):
        self.author, self.audience, self.readers, self.text = author, audience, set(readers), text
        self.id = self.entity = self.version = None
        self.made = None        # simulated ms
        self.certain = True     # acknowledged
        self.deleted = False
        self.seen = {}          # reader -> simulated ms after the posting at which it was first there


class Simulation:
    def __init__(self, stage, nodes, hours, pace, seed, say=lambda text: None):
        self.stage, self.hours, self.pace, self.random, self.say = stage, hours, pace, random.Random(seed), say
        self.epoch = int(time.time() * 1000)
        self.names = ["n%02d" % i for i in range(nodes)]
        self.nodes, self.apps, self.posts = {}, {}, []
        self.approved = {}      # name -> names whose posts to followers she gets
        self.refused = {}       # name -> names that asked and were not let in
        self.groups = {}        # name -> names in her group Close
        self.asleep, self.dead = set(), set()
        self.kills = self.sleeps = self.versions = self.deletions = 0
        self.turns = self.away = 0

    def now(self):
        return self.epoch + (time.time() * 1000 - self.epoch) * self.pace

    def real(self, simulated_seconds):
        return simulated_seconds / self.pace

    # ---- before

    def set_up(self):
        self.stage.fake  # one network for all

        def make(name):
            node = Node(program(), self.stage.top, name, self.stage.fake.node(name))
            node.env["BIVOUAC_PACE"] = "%d %d" % (self.pace, self.epoch)
            node.init()
            node.launch()
            return node
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            for name, node in zip(self.names, pool.map(make, self.names)):
                self.nodes[name] = node
                self.stage.nodes.append(node)
        for node in self.nodes.values():
            node.wait_answering(90)
            node.wait_published(90)
        self.say("%d nodes are up" % len(self.nodes))
        for name in self.names:
            self.apps[name] = AnApp(self.nodes[name])
            others = [n for n in self.names if n != name]
            asking = self.random.sample(others, min(len(others), self.random.randint(3, 6)))
            split = self.random.randint(1, 2) if len(asking) > 2 else 0
            self.approved[name], self.refused[name] = set(asking[split:]), set(asking[:split])
            self.groups[name] = set(self.random.sample(sorted(self.approved[name]), max(1, len(self.approved[name]) // 2)))
        by_entity = {self.nodes[n].entity: n for n in self.names}
        for name in self.names:
            for other in sorted(self.approved[name] | self.refused[name]):
                self.nodes[other].do("follow", self.nodes[name].entity)
        for name in self.names:
            node = self.nodes[name]
            node.do("group", "add", "Close")
            everybody = self.approved[name] | self.refused[name]
            wait_until(lambda: len(node.followers()) == len(everybody), 90, "%s is asked" % name)
            for entity in list(node.followers()):
                other = by_entity[entity]
                if other in self.approved[name]:
                    node.do("followers", "approve", entity, *(["--group", "Close"] if other in self.groups[name] else []))
                else:
                    # Whoever is blocked is not followed either.
                    mutual = name in self.approved[other] | self.refused[other]
                    node.do("followers", "deny" if mutual else self.random.choice(["deny", "block"]), entity)
        for name in self.names:
            for other in sorted(self.approved[name]):
                self.nodes[other].wait_following(self.nodes[name].entity, "approved", 90)
        self.say("everybody follows whom she will")

    # ---- the bad network

    def latency(self):
        """Seconds, log-normal, 1 to 20."""
        return min(20.0, max(1.0, math.exp(self.random.gauss(1.2, 0.8))))

    def spoil(self):
        for name in self.names:
            faults = self.nodes[name].tor.faults
            faults.fail_fraction = 0.05
            faults.latency = self.real(self.latency())

    def mend(self):
        for name in self.names:
            self.nodes[name].tor.faults.clear()

    def sleep(self, name):
        """The lid is closed: the process stands still, its onion and its streams are gone."""
        node = self.nodes[name]
        node.signal_all(signal.SIGSTOP)
        route = self.stage.fake.routes.get(node.onion)
        if route:
            route.published = False
        node.tor.drop_streams()
        self.asleep.add(name)
        self.sleeps += 1

    def wake(self, name):
        node = self.nodes[name]
        route = self.stage.fake.routes.get(node.onion)
        if route:
            route.published = True
        node.signal_all(signal.SIGCONT)
        self.asleep.discard(name)

    def kill(self, name):
        self.nodes[name].kill9()
        self.dead.add(name)
        self.kills += 1

    def revive(self, name):
        node = self.nodes[name]
        node.launch()
        node.wait_answering(90)
        self.dead.discard(name)

    # ---- what people do

    def post(self, name):
        node = self.nodes[name]
        kind = self.random.choice(["public", "followers", "followers", "group", "one"])
        text = "%s says %d" % (name, len(self.posts))
        to, readers = "followers", self.approved[name]
        if kind == "public":
            to = "public"
        elif kind == "group":
            to, readers = "group:Close", self.groups[name]
        elif kind == "one" and self.approved[name]:
            other = self.random.choice(sorted(self.approved[name]))
            to, readers = self.nodes[other].entity, {other}
        post = Post(name, kind, readers, text)
        post.made = self.now()
        try:
            made = node.json("post", text, "--to", to)["post"]
            post.id, post.version = made["id"], made["version"]["id"]
        except (Failed, ValueError):
            post.certain = False
        self.posts.append(post)
        return post

    def mine(self, name):
        return [p for p in self.posts if p.author == name and p.certain and p.id and not p.deleted]

    def edit(self, name):
        mine = self.mine(name)
        if not mine:
            return
        post = self.random.choice(mine)
        where = self.apps[name].where(self.nodes[name].entity, post.id)
        current = self.apps[name].ask("GET", where).json()["post"]
        text = post.text.split(" (")[0] + " (better %d)" % self.versions
        made = self.apps[name].write("PUT", where, {
            "type": STATUS, "content": {"text": text}, "permissions": current.get("permissions", {"public": True}),
            "mentions": current.get("mentions", []), "version": {"parents": [{"version": current["version"]["id"]}]}})
        post.text, post.version = text, made["version"]["id"]
        self.versions += 1

    def delete(self, name):
        mine = self.mine(name)
        if not mine:
            return
        post = self.random.choice(mine)
        answer = self.apps[name].ask("DELETE", self.apps[name].where(self.nodes[name].entity, post.id))
        check_equal(answer.status, 200, "a deletion")
        post.deleted = True
        self.deletions += 1

    def run(self):
        self.spoil()
        end = self.epoch + (time.time() * 1000 - self.epoch) * self.pace + self.hours * 3600_000
        turn = 0
        while self.now() < end:
            turn += 1
            self.turns += len(self.names)
            self.away += len(self.asleep) + len(self.dead)
            for name in self.names:
                if name in self.dead:
                    if self.random.random() < 0.5:
                        self.revive(name)
                elif name in self.asleep:
                    # 60 % of the time, in stretches of about an hour.
                    if self.random.random() < 0.08:
                        self.wake(name)
                else:
                    chance = self.random.random()
                    if chance < 0.12:
                        self.sleep(name)
                    elif chance < 0.13:
                        self.kill(name)
                    elif chance < 0.28:
                        self.post(name)
                        if self.random.random() < 0.1:
                            self.kill(name)
                    elif chance < 0.33:
                        self.edit(name)
                    elif chance < 0.35:
                        self.delete(name)
                self.nodes[name].tor.faults.latency = self.real(self.latency())
            if turn % 6 == 0:
                self.look()
            time.sleep(max(0.05, self.real(300)))
        self.say("%d posts, %d versions, %d deletions, %d sleeps, %d kills" % (
            len(self.posts), self.versions, self.deletions, self.sleeps, self.kills))

    def look(self):
        """Who has what by now, for the table of delays."""
        for name in self.names:
            if name in self.asleep or name in self.dead:
                continue
            try:
                texts = {p["content"].get("text", "").split(" (")[0] for p in self.nodes[name].feed()}
            except (Failed, ValueError, KeyError):
                continue
            for post in self.posts:
                if name in post.readers and name not in post.seen and post.text.split(" (")[0] in texts:
                    post.seen[name] = self.now() - post.made

    # ---- afterwards

    def everything_of(self, name):
        """(entity, id) -> text of every status in the node's store, and how often each is in its feed."""
        app, found, counts, before = self.apps[name], {}, {}, ""
        while True:
            answer = app.ask("GET", "/posts?limit=200&types=%s%s" % (tent.escape(STATUS[:-1]), before), timeout=60.0)
            check_equal(answer.status, 200, "the feed of %s" % name)
            feed = answer.json()
            for post in feed["posts"]:
                key = post["entity"], post["id"]
                found[key] = post["content"]["text"]
                counts[key] = counts.get(key, 0) + 1
            if "next" not in feed["pages"]:
                return found, counts
            last = feed["posts"][-1]
            before = "&before=%d+%s" % (last["received_at"], last["version"]["id"])

    def judge(self):
        entities = {name: self.nodes[name].entity for name in self.names}
        names = {entity: name for name, entity in entities.items()}
        stores = {name: self.everything_of(name) for name in self.names}
        for post in self.posts:
            if post.certain:
                continue
            # Nobody knows whether it was stored before the kill; whoever has it in her own store has posted it.
            own = {text.split(" (")[0]: key for key, text in stores[post.author][0].items() if key[0] == entities[post.author]}
            if post.text in own:
                post.id = own[post.text][1]
        table = dict(expected=0, arrived=0, lost=[], duplicated=[], leaked=[], stale=[], undead=[])
        known = {(entities[p.author], p.id): p for p in self.posts if p.id}
        for post in known.values():
            key = entities[post.author], post.id
            for reader in sorted(post.readers):
                there = stores[reader][0].get(key)
                if post.deleted:
                    if there is not None:
                        table["undead"].append((reader, post.text))
                    continue
                table["expected"] += 1
                if there is None:
                    table["lost"].append((reader, post.text, post.audience))
                elif there != post.text:
                    table["stale"].append((reader, there, post.text))
                else:
                    table["arrived"] += 1
        for name in self.names:
            for key, count in stores[name][1].items():
                if count > 1:
                    table["duplicated"].append((name, key))
                post = known.get(key)
                allowed = post and (name == post.author or name in post.readers or post.audience == "public")
                if not allowed:
                    table["leaked"].append((name, names.get(key[0]), stores[name][0][key]))
        return table

    def converge(self):
        self.mend()
        for name in list(self.dead):
            self.revive(name)
        for name in list(self.asleep):
            self.wake(name)
        for node in self.nodes.values():
            node.wait_published(90)
        begin, table = time.monotonic(), None
        while time.monotonic() - begin < PATIENCE:
            waiting = sum(node.outbox_waiting() for node in self.nodes.values())
            table = self.judge()
            if not waiting and not any(table[k] for k in ("lost", "stale", "undead")):
                break
            time.sleep(2)
        self.say("converged after %.0f simulated minutes" % ((time.monotonic() - begin) * self.pace / 60))
        return table


def report(simulation, table, wall):
    delays = sorted(d / 1000 for p in simulation.posts for d in p.seen.values())
    rows = [("nodes", len(simulation.names)), ("simulated hours", simulation.hours), ("pace", simulation.pace),
            ("posts", len(simulation.posts)), ("new versions", simulation.versions), ("deletions", simulation.deletions),
            ("away, % of the time", round(100 * simulation.away / max(1, simulation.turns))), ("sleeps", simulation.sleeps), ("SIGKILLs", simulation.kills),
            ("attempts that found nobody", sum(1 for n in simulation.nodes.values() for r in n.tor.requests if r[4] != 0)),
            ("attempts that connected", sum(1 for n in simulation.nodes.values() for r in n.tor.requests if r[4] == 0)),
            ("expected at readers", table["expected"]), ("arrived", table["arrived"]), ("lost", len(table["lost"])),
            ("old version kept", len(table["stale"])), ("deleted and still there", len(table["undead"])),
            ("duplicated", len(table["duplicated"])), ("seen by somebody not permitted", len(table["leaked"])),
            ("delay seen, median (simulated min)", "%.0f" % (statistics.median(delays) / 60) if delays else "-"),
            ("delay seen, 99 of 100 (simulated h)", "%.1f" % (delays[int(len(delays) * 0.99)] / 3600) if delays else "-"),
            ("wall seconds", "%.0f" % wall)]
    return "\n".join("| %s | %s |" % row for row in rows)


def simulate(stage, nodes, hours, pace, seed, say):
    begin = time.monotonic()
    simulation = Simulation(stage, nodes, hours, pace, seed, say)
    simulation.set_up()
    simulation.run()
    table = simulation.converge()
    print(report(simulation, table, time.monotonic() - begin), flush=True)
    bad = {k: table[k] for k in ("lost", "stale", "undead", "duplicated", "leaked") if table[k]}
    check(not bad, "the simulation: %s" % json.dumps({k: v[:5] for k, v in bad.items()}))
    check(table["arrived"] == table["expected"] > 0, "something arrived")


@limit(420)
def test_a_short_simulation(stage):
    """Deliveries, catching up, versions and deletions (sections 7.5 to 7.8) on a network as bad as it gets."""
    simulate(stage, 6, 12, 540, 7, stage.say)


@limit(240)
def test_patience_has_an_end(stage):
    """Deliveries are given up after so many days; two weeks unless told."""
    stage.fake
    pace, epoch = 6000, time.time() * 1000  # a day in 14 seconds

    def patiently(node, *args):
        """In such quick time a verb can be too slow for the node, whose limits are milliseconds then."""
        def done():
            code, out, _ = node.cli(*args)
            return out if code == 0 else None
        return wait_until(done, 60, "%s of %s" % (args[0], node.name), 0.2)

    def make(name, *more):
        node = Node(program(), stage.top, name, stage.fake.node(name))
        stage.nodes.append(node)
        node.env["BIVOUAC_PACE"] = "%d %d" % (pace, epoch)
        node.extra_args = list(more)
        node.init()
        node.launch()
        node.wait_answering(60)
        return node
    nobody = "http://%s.onion" % stage.fake.service("nobody", 9)
    stage.fake.routes[nobody[7:-6]].published = False
    short, usual = make("short", "--patience", "1"), make("usual")
    begin = time.monotonic()
    for node in (short, usual):
        patiently(node, "follow", nobody)

    def states(node):
        listed = json.loads(patiently(node, "deliveries", "--json"))["deliveries"]
        return {d["state"] for d in listed if "subscription" in d["type"]}
    wait_until(lambda: states(short) == {"given_up"}, 120, "a day is over")
    check((time.monotonic() - begin) * pace > 86400, "not before")
    check_equal(states(usual), {"waiting"}, "two weeks are not")
    usual.refused("run", "--patience", "0", code=2)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--nodes", type=int, default=30)
    parser.add_argument("--hours", type=float, default=48)
    parser.add_argument("--pace", type=int, default=120)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    top = private_dir()
    stage = Stage(top, True)
    try:
        simulate(stage, options.nodes, options.hours, options.pace, options.seed, stage.say)
        return 0
    except Failed as error:
        print(error)
        return 1
    finally:
        stage.close()
        if not options.keep:
            remove(top)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: BSD-3-Clause
"""One story on real tors: three nodes; a tor is killed, a lid is closed, a follower is away and comes back, one is removed."""
import os
import signal
import time

import fake_tor
from harness import check, check_equal, wait_until
from node import follow, limit
from sharing import STATUS, AnApp

ASLEEP = 120.0  # seconds; longer than any keep-alive or attempt of ours that could hide it


def once(node, entity, wanted, seconds):
    """Exactly these, each once, in the end."""
    def state():
        return sorted(node.texts(entity))
    wait_until(lambda: state() == sorted(wanted), seconds,
               lambda: "%s has %r, not %r\n%s" % (node.name, state(), sorted(wanted), node.log_tail()), 0.5)


@limit(600)
def test_three_nodes_through_bad_days_on_real_tors(stage):
    alice, bob = stage.pair("client")
    carol = stage.node("carol", "client")
    alice.do("group", "add", "Kitchen")
    link = alice.json("invite", "--group", "Kitchen")["link"]
    carol.do("follow", "-", stdin=(link + "\n").encode())
    carol.wait_following(alice.entity, "approved", 120)
    app = AnApp(alice)
    for_bob, for_carol = [], []

    def post(text, group=False):
        made = alice.post(text, *(["--to", "group:Kitchen"] if group else []))
        for_carol.append(text)
        if not group:
            for_bob.append(text)
        return made
    post("to all")
    post("to the kitchen", group=True)
    once(carol, alice.entity, for_carol, 120)
    once(bob, alice.entity, for_bob, 120)

    # Somebody who was never there: tor's own reason is told.
    nobody = "http://%s.onion" % fake_tor.address_of(fake_tor.public_key(fake_tor.expand(b"n" * 32)))
    carol.do("follow", nobody)
    wait_until(lambda: any("know nothing of it" in d.get("problem", "") for d in carol.json("deliveries", "--to", nobody)["deliveries"]),
               120, lambda: "why: %r" % carol.json("deliveries", "--to", nobody))
    carol.do("unfollow", nobody)

    # carol's machine is off; alice goes on, and her own tor is killed meanwhile.
    carol.stop()
    edited, deleted = post("will be edited"), post("will be deleted")
    alice.tor.kill()
    post("while alice has no tor")
    current = app.get(alice.entity, edited["id"]).json()["post"]
    app.write("PUT", app.where(alice.entity, edited["id"]), {
        "type": STATUS, "content": {"text": "was edited"}, "permissions": current["permissions"],
        "version": {"parents": [{"version": current["version"]["id"]}]}})
    check_equal(app.ask("DELETE", app.where(alice.entity, deleted["id"])).status, 200, "a deletion")
    for texts in (for_bob, for_carol):
        texts.remove("will be deleted")
        texts[texts.index("will be edited")] = "was edited"
    alice.tor.restart()
    alice.wait_published(90)
    once(bob, alice.entity, for_bob, 150)

    # bob's lid is closed: the node stands still, its tor too.
    pids = bob.pids() + [bob.tor.pid]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    begin = time.monotonic()
    post("while bob sleeps")
    post("the kitchen again", group=True)
    carol.start()
    carol.wait_published(90)
    once(carol, alice.entity, for_carol, 150)
    time.sleep(max(0.0, ASLEEP - (time.monotonic() - begin)))
    check("while bob sleeps" not in for_carol or alice.outbox_waiting() >= 1, "something waits for bob")
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    once(bob, alice.entity, for_bob, 200)
    bob.do("status", "--check", timeout=150)
    check_equal(bob.status()["reach"]["reachable"], "yes", "others can reach bob again")
    wait_until(lambda: alice.outbox_waiting() == 0, 60, lambda: "nothing waits: %r" % alice.json("deliveries", "--state", "waiting"))
    check_equal({d["state"] for d in alice.json("deliveries", "--limit", "500")["deliveries"]}, {"delivered"}, "the ledger")

    # bob is removed while he is away: what waits for him is dropped, nothing more is for him.
    bob.stop()
    post_for_carol = "after bob"
    alice.post("held back")
    for_carol.append("held back")
    held = alice.do("followers", "remove", bob.entity)
    check("cannot be undone" in held, held)
    wait_until(lambda: not [d for d in alice.json("deliveries", "--to", bob.entity)["deliveries"]
                            if d["state"] == "waiting" and d["type"].startswith(STATUS[:-1])], 10, "nothing more for bob")
    bob.start()
    bob.wait_published(90)
    alice.post(post_for_carol)
    for_carol.append(post_for_carol)
    once(carol, alice.entity, for_carol, 150)
    bob.cli("catch-up", "--wait", "60", timeout=90)
    once(bob, alice.entity, for_bob, 5)

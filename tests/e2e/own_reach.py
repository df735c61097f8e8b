# SPDX-License-Identifier: BSD-3-Clause
"""Can others reach us? The node asks for its own address, says so, keeps a history, and repairs."""
from harness import check, check_equal, wait_until
from node import limit


def reach(node):
    return node.json("status")["reach"]


@limit(240)
def test_a_lost_onion_is_noticed_and_put_up_again(stage):
    """The directories have lost the descriptor, while tor believes that all is well."""
    alice = stage.node("alice")
    check_equal(reach(alice)["reachable"], "unknown", "before anybody looked")
    check("--check" in alice.do("status"), "how to look now")
    said = alice.do("status", "--check", timeout=200)
    check("others can reach you: yes, checked just now" in said, "it is said: %r" % said)
    first = reach(alice)
    check_equal((first["reachable"], first["repaired_at"]), ("yes", None), "reachable")
    check("None" in alice.do("status", "--outages"), "no outage yet")
    # A circuit of its own each time.
    users = len(alice.tor.users())
    alice.do("status", "--check", timeout=200)
    check_equal(len(alice.tor.users()), users + 1, "another circuit")

    route = stage.fake.routes[alice.onion]
    route.published = False
    for _ in range(2):
        alice.do("status", "--check", timeout=200)
        check_equal(reach(alice)["reachable"], "yes", "twice may be chance")
    alice.do("status", "--check", timeout=200)
    # Down and up again: another service of the same address.
    wait_until(lambda: stage.fake.routes.get(alice.onion) not in (None, route), 20, "it is put up again")
    lost = alice.json("status", "--outages")["outages"]
    check_equal([o["ended_at"] for o in lost], [None], "an outage")
    check(lost[0]["why"], "why: %r" % lost)
    check("no, since" in alice.do("status") or reach(alice)["reachable"] == "yes", "it is said")
    alice.wait_published(20)
    wait_until(lambda: reach(alice)["reachable"] == "yes", 60, lambda: "reached again: %r" % reach(alice))
    over = alice.json("status", "--outages")["outages"]
    check_equal([(o["ended_at"] is not None, o["repairs"]) for o in over], [(True, 1)], "the outage is over")
    check("put up again 1 time" in alice.do("status", "--outages"), "in words")
    check(reach(alice)["repaired_at"] >= over[0]["began_at"], "when it was repaired")
    alice.stop()
    alice.start()
    check_equal(len(alice.json("status", "--outages")["outages"]), 1, "the history outlives the node")


@limit(120)
def test_without_tor_there_is_nothing_to_check(stage):
    alice = stage.node("alice")
    alice.do("status", "--check", timeout=200)
    alice.tor.kill()
    wait_until(lambda: not alice.status()["published"], 20, "alice notices")
    check("not published" in alice.refused("status", "--check"), "the refusal")
    check_equal(reach(alice)["reachable"], "unknown", "not an outage")
    check_equal(alice.json("status", "--outages")["outages"], [], "no outage")
    alice.tor.start()
    alice.wait_published(40)
    alice.do("status", "--check", timeout=200)
    check_equal(reach(alice)["reachable"], "yes", "again")


@limit(200)
def test_reachable_on_a_real_tor_with_its_defence(stage):
    alice = stage.node("alice", "child")
    wait_until(lambda: "yes" in alice.do("status", "--check", timeout=200), 120, "reached through tor")
    check_equal(alice.json("status")["tor"]["proof_of_work"], True, "tor's proof-of-work defence")

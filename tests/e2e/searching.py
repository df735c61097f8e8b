# SPDX-License-Identifier: BSD-3-Clause
"""Search through the command line: what is posted, arrives, changes and goes is found, found, found anew, found no more."""
import json
import time

from harness import check, check_equal, wait_until
from node import follow, limit
from sharing import STATUS, AnApp

NOTHING = 3  # exit code


def found(node, *args):
    """Ids of the posts."""
    code, out, err = node.cli("search", *args, "--json")
    check(code in (0, NOTHING), "search %r: %d %s" % (args, code, err))
    ids = [p["id"] for p in json.loads(out)["posts"]]
    check_equal(code, 0 if ids else NOTHING, "exit code of a search for %r" % (args,))
    return ids


@limit(180)
def test_a_post_is_found_on_both_nodes_until_it_is_changed_or_deleted(stage):
    alice, bob = stage.pair()
    app = AnApp(alice)
    other = app.post(STATUS, {"text": "nothing to see here"})
    first = app.post(STATUS, {"text": "the gulls meet at the harbour #tonight, \u6771\u4eac"})
    check_equal(found(alice, "harbour"), [first["id"]], "at once at home")
    bob.wait_text("nothing to see here")
    wait_until(lambda: found(bob, "GULLS", "harb") == [first["id"]], 30, "found where it was delivered")
    check_equal(found(bob, "\u4eac"), [first["id"]], "a script without spaces")
    check_equal(found(bob, "#tonight"), [first["id"]], "by its tag")
    check_equal(found(bob, '"harbour the"'), [], "words in another order")
    tags = bob.json("search", "--tag", "toni")["tags"]
    check_equal(tags, [{"tag": "tonight", "posts": 1}], "tags")
    people = bob.json("search", "--people", alice.entity[7:20])["people"]
    check_equal([p["entity"] for p in people], [alice.entity], "people")
    out = alice.do("search", "harbour")
    check(first["id"] in out and "the gulls meet at the harbour" in out and "\033" not in out, "for people: %r" % out)

    where = app.where(alice.entity, first["id"])
    app.write("PUT", where, {"type": STATUS, "content": {"text": "the gulls meet at the bridge"},
                             "version": {"parents": [{"version": first["version"]["id"]}]}})
    check_equal(found(alice, "harbour"), [], "the words before the change")
    check_equal(found(alice, "bridge"), [first["id"]], "those after it")
    wait_until(lambda: found(bob, "bridge") == [first["id"]], 30, "the change arrives")
    check_equal(found(bob, "harbour"), [], "the words before the change, at bob")
    check_equal(found(bob, "#tonight"), [], "its tag")

    check_equal(app.ask("DELETE", where).status, 200, "the post goes")
    check_equal(found(alice, "bridge"), [], "deleted at home")
    wait_until(lambda: found(bob, "bridge") == [], 30, "deleted where it was delivered")
    check_equal(found(bob, "nothing"), [other["id"]], "the other one stays")

    bob.do("followers", "block", alice.entity)
    check_equal(found(bob, "nothing"), [], "of a blocked person")
    code, out, _ = bob.cli("search", "--people", alice.entity[7:20], "--json")
    check_equal((code, json.loads(out)["people"]), (NOTHING, []), "a blocked person")


@limit(120)
def test_whatever_is_asked_is_answered(stage):
    alice = stage.node("alice")
    ids = [json.loads(alice.do("post", "apple number %d" % i, "--json"))["post"]["id"] for i in range(7)]
    for text in ("a AND", "NEAR(", "owner:o1", "x" * 100_000, "apple; DROP TABLE posts"):
        code, _, err = alice.cli("search", text, "--json")
        check(code in (0, NOTHING), "%r: %d %s" % (text[:30], code, err))
    for text in ("!?", '"', "'", "*", ""):
        said = alice.refused("search", text)
        check("no word" in said, "only signs: %r" % said)
    alice.refused("search", "apple", "--limit", "0", code=2)
    alice.refused("search", "apple", "--people", "--tag", code=2)
    alice.refused("search", code=2)
    check_equal(len(alice.json("search", "-", stdin=b"number\n")["posts"]), 7, "from standard input")
    page = alice.json("search", "apple", "--limit", "4")
    check_equal([p["id"] for p in page["posts"]], ids[:2:-1], "the first page")
    rest = alice.json("search", "apple", "--limit", "4", "--before", page["older"])
    check_equal([p["id"] for p in rest["posts"]], ids[2::-1], "the rest")
    check_equal(rest["older"], None, "nothing beyond")
    check_equal([piece for piece in page["posts"][0]["excerpt"] if piece.get("marked")], [{"text": "apple", "marked": True}], "marks")
    check_equal(len(alice.json("search", "apple", "--closest")["posts"]), 7, "closest first")
    # What nobody searched for is indexed all the same, once nobody writes.
    time.sleep(12)
    alice.restart()
    check_equal(found(alice, '"number 3"'), [ids[3]], "after a restart")

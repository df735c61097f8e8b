# SPDX-License-Identifier: BSD-3-Clause
"""The program that people run speaks French to a French browser, whatever the language of the process."""
import re

import tent
from harness import check, check_equal

HTML = ("Accept", "text/html,application/xhtml+xml")


def test_a_page_in_french(stage):
    alice = stage.node("alice", "none")
    host = alice.status()["listen"]
    address = ("127.0.0.1", int(host.rpartition(":")[2]))

    def page(target, *headers):
        answer = tent.request(address, "GET", target, host, headers=[HTML, *headers])
        check_equal(answer.status, 200, target)
        text = answer.body.decode()
        return re.search(r'<html lang="([^"]*)" dir="ltr">', text).group(1), text

    for accept, wanted in (("", "en"), ("fr-BE,fr;q=0.9", "fr"), ("de,en;q=0.5,fr;q=0.4", "en"), ("fr;q=0", "en"), ("en-XA", "en"),
                           ("ar-XB,fr;q=0.1", "fr"), ("x" * 3000, "en"), ("fr;q=9," * 100, "en"), (";;;,,=\u00e9".encode().decode("latin-1"), "en")):
        for target in ("/", "/follow", "/login"):
            check_equal(page(target, *([("Accept-Language", accept)] if accept else []))[0], wanted, "%s for %r" % (target, accept[:50]))
    check("Publications publiques" in page("/", ("Accept-Language", "fr"))[1], "the words")
    check("Phrase de passe" in page("/login", ("Accept-Language", "fr"))[1], "the words of the login")
    chosen = tent.request(address, "GET", "/language?to=fr&back=%2Ffollow", host, headers=[HTML])
    check_equal((chosen.status, chosen.header("location")), (303, "/follow"), "choosing")
    cookie = chosen.header("set-cookie").partition(";")[0]
    check_equal(page("/follow", ("Cookie", cookie), ("Accept-Language", "en"))[0], "fr", "what was chosen")

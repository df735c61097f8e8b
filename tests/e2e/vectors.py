# SPDX-License-Identifier: BSD-3-Clause
"""The second opinion itself: tent.py against the vectors, the fake Tor's ed25519 against RFC 8032."""
import fake_tor
import private_tor
import tent
from harness import check, check_equal
from node import limit, picture


def test_python_agrees_with_the_vectors(stage):
    check(tent.check_vectors() >= 20, "all vectors were seen")


def test_the_fake_tor_knows_the_addresses_of_known_keys(stage):
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    check_equal(fake_tor.public_key(fake_tor.expand(seed)).hex(),
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "RFC 8032, test 1")


@limit(60)
def test_the_private_tor_network_carries_an_onion_service(stage):
    """And tor computes the same address from a key as the fake does."""
    import base64
    private_tor.probe(stage.private)
    control = stage.private.clients["probe1"].control()
    key = fake_tor.expand(bytes(range(32)))
    said = control.ask("ADD_ONION ED25519-V3:%s Flags=DiscardPK Port=80,127.0.0.1:9" % base64.b64encode(key).decode())[0]
    check_equal(said, "ServiceID=" + fake_tor.address_of(fake_tor.public_key(key)), "address of a key")
    control.close()


def test_the_test_picture_is_a_picture(stage):
    data = picture(note=b"made here")
    check(data.startswith(b"\x89PNG") and b"made here" in data and len(data) > 200, "a PNG")

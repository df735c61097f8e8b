// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/sessions.h>

#include "tent_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

TEST_CASE("a token opens what it was made for, and nothing else")
{
    Home home;
    const int64_t me = home.self.id;
    const std::string token = home.write([&](WriteTx& tx) { return begin_session(tx, me, SessionKind::Session, 1000); });
    CHECK(token.size() == 43);
    auto find = [&](int64_t owner, SessionKind kind, const std::string& t) {
        return home.read([&](ReadTx& tx) { return find_session(tx, owner, kind, t); }).has_value();
    };
    CHECK(find(me, SessionKind::Session, token));
    CHECK(!find(me, SessionKind::Device, token));
    CHECK(!find(me + 1, SessionKind::Session, token));
    CHECK(!find(me, SessionKind::Session, token + "x"));
    CHECK(!find(me, SessionKind::Session, ""));
    home.clock.now += 1001;
    CHECK(!find(me, SessionKind::Session, token));
}

TEST_CASE("a link is used up once, and everybody can be put out")
{
    Home home;
    const int64_t me = home.self.id;
    const std::string link = home.write([&](WriteTx& tx) { return begin_session(tx, me, SessionKind::Link, 1000); });
    CHECK(home.write([&](WriteTx& tx) { return end_session(tx, me, SessionKind::Link, link); }));
    CHECK(!home.write([&](WriteTx& tx) { return end_session(tx, me, SessionKind::Link, link); }));
    for (int i = 0; i < 60; ++i)
        home.write([&](WriteTx& tx) { return begin_session(tx, me, SessionKind::Session, 1000); });
    CHECK(home.read([&](ReadTx& tx) { return list_sessions(tx, me, SessionKind::Session); }).size() == kSessionsOfAKind);
    home.write([&](WriteTx& tx) { return end_all_sessions(tx, me); });
    CHECK(home.read([&](ReadTx& tx) { return session_digests(tx, me); }).empty());
}

TEST_CASE("wrong passphrases are counted until the right one")
{
    Home home;
    const int64_t me = home.self.id;
    for (int i = 0; i < 3; ++i)
        home.write([&](WriteTx& tx) { return note_login(tx, me, false); });
    auto state = home.read([&](ReadTx& tx) { return load_page_state(tx, me); });
    CHECK(state.failures == 3);
    CHECK(state.failures_unseen == 3);
    home.write([&](WriteTx& tx) { return note_login(tx, me, true); });
    state = home.read([&](ReadTx& tx) { return load_page_state(tx, me); });
    CHECK(state.failures == 0);
    CHECK(state.failures_unseen == 3);
}

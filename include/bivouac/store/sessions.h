// SPDX-License-Identifier: BSD-3-Clause
// Logins to the pages of an entity: sessions of browsers, browsers that have been logged in before, links that log in
// once; and what the pages remember between visits. Tokens are random and known to the browser only; the store has their
// digests. All times are Unix ms.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/store/transaction.h>

namespace bivouac::store {

enum class SessionKind {
    Session,  // logged in
    Device,   // has been logged in before: its attempts do not wait behind those of strangers
    Link,     // logs in once
};

struct Session {
    int64_t id = 0;
    int64_t created_at = 0;
    int64_t seen_at = 0;
    int64_t expires_at = 0;
};

// How many of a kind an entity may have; the one that was not seen for longest goes.
constexpr int64_t kSessionsOfAKind = 50;

// A new token (43 characters of base64url), of 32 random bytes.
Result<std::string> begin_session(WriteTx& tx, int64_t owner, SessionKind kind, int64_t lifetime_ms);
// Nothing: unknown, expired, or of another entity or kind.
Result<std::optional<Session>> find_session(ReadTx& tx, int64_t owner, SessionKind kind, std::string_view token);
Result<void> touch_session(WriteTx& tx, int64_t id);
// True when it was there: a link can be used up once.
Result<bool> end_session(WriteTx& tx, int64_t owner, SessionKind kind, std::string_view token);
// Everybody is logged out, browsers are strangers again, links lead nowhere.
Result<void> end_all_sessions(WriteTx& tx, int64_t owner);
Result<std::vector<Session>> list_sessions(ReadTx& tx, int64_t owner, SessionKind kind);
// SHA-256 of the tokens of those who are logged in.
Result<std::vector<std::string>> session_digests(ReadTx& tx, int64_t owner);
Result<void> forget_expired_sessions(WriteTx& tx);

struct PageState {
    int64_t read_to = 0;      // received_at of the newest post that the timeline has shown
    int64_t read_before = 0;  // the same at the visit before: later ones are new
    int64_t visited_at = 0;
    int64_t mentions_read_to = 0;
    bool welcomed = false;
    int64_t failures = 0;     // wrong passphrases one after the other
    int64_t failed_at = 0;
    int64_t failures_unseen = 0;
};
Result<PageState> load_page_state(ReadTx& tx, int64_t owner);
Result<void> save_page_state(WriteTx& tx, int64_t owner, const PageState& state);
// A passphrase was tried.
Result<void> note_login(WriteTx& tx, int64_t owner, bool right);

}  // namespace bivouac::store

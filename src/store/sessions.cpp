// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/sessions.h>

#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>

namespace bivouac::store {

namespace {

constexpr size_t kTokenBytes = 32;

const char* name_of(SessionKind kind)
{
    switch (kind) {
    case SessionKind::Session: return "session";
    case SessionKind::Device: return "device";
    case SessionKind::Link: return "link";
    }
    return "";
}

Session session_in(Statement& row)
{
    return {row.integer(0), row.integer(1), row.integer(2), row.integer(3)};
}

}  // namespace

Result<std::string> begin_session(WriteTx& tx, int64_t owner, SessionKind kind, int64_t lifetime_ms)
{
    std::string token = to_base64url(system_random().bytes(kTokenBytes));
    auto insert = tx.prepare("INSERT INTO sessions (owner, kind, digest, created_at, seen_at, expires_at) "
                             "VALUES (:owner, :kind, :digest, :now, :now, :expires)");
    TRY(insert.bind(":owner", owner)
            .bind(":kind", name_of(kind))
            .bind_blob(":digest", sha256(token))
            .bind(":now", tx.now_ms())
            .bind(":expires", tx.now_ms() + lifetime_ms)
            .run());
    auto trim = tx.prepare(R"(
        DELETE FROM sessions WHERE owner = :owner AND kind = :kind AND id NOT IN
            (SELECT id FROM sessions WHERE owner = :owner AND kind = :kind ORDER BY seen_at DESC, id DESC LIMIT :most))");
    TRY(trim.bind(":owner", owner).bind(":kind", name_of(kind)).bind(":most", kSessionsOfAKind).run());
    return token;
}

Result<std::optional<Session>> find_session(ReadTx& tx, int64_t owner, SessionKind kind, std::string_view token)
{
    auto select = tx.prepare("SELECT id, created_at, seen_at, expires_at FROM sessions "
                             "WHERE digest = :digest AND owner = :owner AND kind = :kind AND expires_at > :now");
    select.bind_blob(":digest", sha256(token)).bind(":owner", owner).bind(":kind", name_of(kind)).bind(":now", tx.now_ms());
    if (!TRY(select.step()))
        return std::optional<Session>();
    return std::optional<Session>(session_in(select));
}

Result<void> touch_session(WriteTx& tx, int64_t id)
{
    auto update = tx.prepare("UPDATE sessions SET seen_at = :now WHERE id = :id");
    return update.bind(":now", tx.now_ms()).bind(":id", id).run();
}

Result<bool> end_session(WriteTx& tx, int64_t owner, SessionKind kind, std::string_view token)
{
    const auto found = TRY(find_session(tx, owner, kind, token));
    if (!found)
        return false;
    auto remove = tx.prepare("DELETE FROM sessions WHERE id = :id");
    TRY(remove.bind(":id", found->id).run());
    return true;
}

Result<void> end_all_sessions(WriteTx& tx, int64_t owner)
{
    auto remove = tx.prepare("DELETE FROM sessions WHERE owner = :owner");
    return remove.bind(":owner", owner).run();
}

Result<std::vector<Session>> list_sessions(ReadTx& tx, int64_t owner, SessionKind kind)
{
    auto select = tx.prepare("SELECT id, created_at, seen_at, expires_at FROM sessions "
                             "WHERE owner = :owner AND kind = :kind AND expires_at > :now ORDER BY seen_at DESC");
    select.bind(":owner", owner).bind(":kind", name_of(kind)).bind(":now", tx.now_ms());
    std::vector<Session> out;
    while (TRY(select.step()))
        out.push_back(session_in(select));
    return out;
}

Result<std::vector<std::string>> session_digests(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT digest FROM sessions WHERE owner = :owner AND kind = 'session' AND expires_at > :now");
    select.bind(":owner", owner).bind(":now", tx.now_ms());
    std::vector<std::string> out;
    while (TRY(select.step()))
        out.push_back(select.blob(0));
    return out;
}

Result<void> forget_expired_sessions(WriteTx& tx)
{
    auto remove = tx.prepare("DELETE FROM sessions WHERE expires_at <= :now");
    return remove.bind(":now", tx.now_ms()).run();
}

Result<PageState> load_page_state(ReadTx& tx, int64_t owner)
{
    auto select = tx.prepare("SELECT read_to, read_before, visited_at, mentions_read_to, welcomed, failures, failed_at, "
                             "failures_unseen FROM page_states WHERE owner = :owner");
    select.bind(":owner", owner);
    PageState out;
    if (TRY(select.step()))
        out = {select.integer(0), select.integer(1), select.integer(2), select.integer(3),
               select.integer(4) != 0, select.integer(5), select.integer(6), select.integer(7)};
    return out;
}

Result<void> save_page_state(WriteTx& tx, int64_t owner, const PageState& state)
{
    auto save = tx.prepare("INSERT OR REPLACE INTO page_states (owner, read_to, read_before, visited_at, mentions_read_to, "
                           "welcomed, failures, failed_at, failures_unseen) VALUES (:owner, :read_to, :read_before, :visited, "
                           ":mentions, :welcomed, :failures, :failed, :unseen)");
    return save.bind(":owner", owner)
        .bind(":read_to", state.read_to)
        .bind(":read_before", state.read_before)
        .bind(":visited", state.visited_at)
        .bind(":mentions", state.mentions_read_to)
        .bind(":welcomed", state.welcomed ? 1 : 0)
        .bind(":failures", state.failures)
        .bind(":failed", state.failed_at)
        .bind(":unseen", state.failures_unseen)
        .run();
}

Result<void> note_login(WriteTx& tx, int64_t owner, bool right)
{
    PageState state = TRY(load_page_state(tx, owner));
    state.failures = right ? 0 : state.failures + 1;
    if (!right) {
        state.failed_at = tx.now_ms();
        ++state.failures_unseen;
    }
    return save_page_state(tx, owner, state);
}

}  // namespace bivouac::store

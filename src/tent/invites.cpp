// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/limits.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/invites.h>

#include <map>

namespace bivouac::tent {

namespace {

constexpr size_t kIdBytes = 10;
// The list says who came by which invite for this long after it expired.
constexpr int64_t kRememberedMs = 90LL * 24 * 3600 * 1000;

std::string id_of(std::string_view secret)
{
    return to_base32(hmac_sha256(secret, "bivouac invite id").substr(0, kIdBytes));
}

std::string key_of(std::string_view secret)
{
    return hmac_sha256(secret, "bivouac invite key");
}

std::string mac_of(std::string_view key, const std::string& inviter, const std::string& asker)
{
    return to_base64url(hmac_sha256(key, "bivouac invite use\n" + inviter + "\n" + asker));
}

struct Row {
    int64_t id = 0;
    std::string key = std::string(32, '\0');
    std::string group;
    int64_t uses = 0;
    int64_t created_at = 0;
    int64_t expires_at = 0;
    int64_t revoked_at = 0;
};

Result<std::optional<Row>> find_row(store::ReadTx& tx, const Self& self, std::string_view id)
{
    auto select = tx.prepare(R"(
        SELECT id, key, group_post, uses, created_at, expires_at, revoked_at FROM invites
        WHERE owner = :owner AND public_id = :id)");
    select.bind(":owner", self.id).bind(":id", id);
    if (!TRY(select.step()))
        return std::optional<Row>();
    return std::optional<Row>({select.integer(0), select.blob(1), select.text(2), select.integer(3), select.integer(4),
                               select.integer(5), select.integer(6)});
}

Result<bool> has_used(store::ReadTx& tx, int64_t invite, const std::string& peer)
{
    auto select = tx.prepare(
        "SELECT 1 FROM invite_uses u JOIN names n ON n.id = u.peer WHERE u.invite = :invite AND n.entity = :peer");
    select.bind(":invite", invite).bind(":peer", peer);
    return select.step();
}

Result<int64_t> count_uses(store::ReadTx& tx, int64_t invite)
{
    auto select = tx.prepare("SELECT count(*) FROM invite_uses WHERE invite = :invite");
    select.bind(":invite", invite);
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

Result<void> add_use(store::WriteTx& tx, int64_t invite, const std::string& peer)
{
    auto insert = tx.prepare(R"(
        INSERT INTO invite_uses (invite, peer, used_at)
        SELECT :invite, n.id, :now FROM names n WHERE n.entity = :peer)");
    return insert.bind(":invite", invite).bind(":peer", peer).bind(":now", tx.now_ms()).run();
}

Result<int64_t> count_open(store::ReadTx& tx, const Self& self)
{
    auto select = tx.prepare(R"(
        SELECT count(*) FROM invites i WHERE owner = :owner AND revoked_at = 0 AND expires_at > :now
          AND uses > (SELECT count(*) FROM invite_uses u WHERE u.invite = i.id))");
    select.bind(":owner", self.id).bind(":now", tx.now_ms());
    return TRY(select.step()) ? select.integer(0) : int64_t(0);
}

// Who was kept out after the invite was made stays out: the owner's last word counts.
bool kept_out_since(const store::Relationship& asker, const Row& invite)
{
    if (asker.follower == "blocked")
        return true;
    return (asker.follower == "denied" || asker.follower == "removed") && invite.created_at < asker.follower_since;
}

// Invites by their rows, newest first, without who used them.
Result<std::vector<std::pair<int64_t, Invite>>> load_invites(store::ReadTx& tx, const Self& self)
{
    std::vector<std::pair<int64_t, Invite>> out;
    auto select = tx.prepare(R"(
        SELECT id, public_id, group_post, uses, created_at, expires_at, revoked_at FROM invites
        WHERE owner = :owner ORDER BY id DESC)");
    select.bind(":owner", self.id);
    while (TRY(select.step())) {
        Invite invite{select.text(1), select.text(2), select.integer(3), select.integer(4), select.integer(5),
                      select.integer(6), {}};
        out.emplace_back(select.integer(0), std::move(invite));
    }
    return out;
}

}  // namespace

const char* Invite::state(int64_t now_ms) const
{
    if (revoked_at != 0)
        return "revoked";
    if (static_cast<int64_t>(used.size()) >= uses)
        return "used up";
    return expires_at <= now_ms ? "expired" : "open";
}

Result<MadeInvite> make_invite(store::WriteTx& tx, const Self& self, const std::string& group, int64_t uses,
                               int64_t lifetime_ms)
{
    if (uses < 1 || uses > limits::kInviteUses)
        return fail(ErrorKind::Invalid, "an invite is for 1 to " + std::to_string(limits::kInviteUses) + " people");
    if (lifetime_ms < 1 || lifetime_ms > limits::kInviteLifetimeMs)
        return fail(ErrorKind::Invalid, "an invite lasts for at most 365d");
    {
        auto forget = tx.prepare("DELETE FROM invites WHERE owner = :owner AND expires_at < :before");
        TRY(forget.bind(":owner", self.id).bind(":before", tx.now_ms() - kRememberedMs).run());
    }
    if (TRY(count_open(tx, self)) >= limits::kOpenInvites)
        return fail(ErrorKind::Conflict, "there are " + std::to_string(limits::kOpenInvites) +
                                             " open invites; revoke some first: bivouac invite list");
    MadeInvite out;
    out.link = {self.entity, system_random().bytes(kInviteSecretBytes)};
    Invite& invite = out.invite;
    invite.id = id_of(out.link.secret);
    // Approved followers are in the group of followers anyway.
    if (!group.empty())
        invite.group = TRY(find_group(tx, self, group)).id;
    if (invite.group == self.followers_group)
        invite.group.clear();
    invite.uses = uses;
    invite.created_at = tx.now_ms();
    invite.expires_at = tx.now_ms() + lifetime_ms;
    auto insert = tx.prepare(R"(
        INSERT INTO invites (owner, public_id, key, group_post, uses, created_at, expires_at)
        VALUES (:owner, :id, :key, :group, :uses, :now, :expires))");
    insert.bind(":owner", self.id).bind(":id", invite.id).bind_blob(":key", key_of(out.link.secret));
    insert.bind(":group", invite.group).bind(":uses", uses).bind(":now", tx.now_ms()).bind(":expires", invite.expires_at);
    TRY(insert.run());
    return out;
}

Result<std::vector<Invite>> list_invites(store::ReadTx& tx, const Self& self)
{
    auto all = TRY(load_invites(tx, self));
    std::map<int64_t, std::vector<InviteUse>> used;
    {
        auto select = tx.prepare(R"(
            SELECT u.invite, n.entity, u.used_at FROM invites i JOIN invite_uses u ON u.invite = i.id
            JOIN names n ON n.id = u.peer WHERE i.owner = :owner ORDER BY u.used_at, n.entity)");
        select.bind(":owner", self.id);
        while (TRY(select.step()))
            used[select.integer(0)].push_back({select.text(1), select.integer(2)});
    }
    std::vector<Invite> out;
    for (auto& [row, invite] : all) {
        invite.used = std::move(used[row]);
        out.push_back(std::move(invite));
    }
    return out;
}

Result<Invite> revoke_invite(store::WriteTx& tx, const Self& self, const std::string& id)
{
    {
        auto update = tx.prepare(
            "UPDATE invites SET revoked_at = :now WHERE owner = :owner AND public_id = :id AND revoked_at = 0");
        TRY(update.bind(":now", tx.now_ms()).bind(":owner", self.id).bind(":id", id).run());
    }
    for (auto& invite : TRY(list_invites(tx, self)))
        if (invite.id == id)
            return std::move(invite);
    return fail(ErrorKind::NotFound, "there is no such invite; see: bivouac invite list");
}

std::string invite_proof(std::string_view secret, const std::string& inviter, const std::string& asker)
{
    return id_of(secret) + "." + mac_of(key_of(secret), inviter, asker);
}

Result<std::optional<Admission>> redeem_invite(store::WriteTx& tx, const Self& self, const store::Relationship& asker,
                                               const std::string& proof)
{
    std::optional<Admission> nothing;
    const size_t dot = proof.find('.');
    auto invite = TRY(find_row(tx, self, std::string_view(proof).substr(0, dot)));
    // The same work whether there is such an invite or not.
    bool proved = false;
    auto try_address = [&](const std::string& inviter) {
        const std::string right = mac_of(invite ? invite->key : Row().key, inviter, asker.peer);
        if (dot != std::string::npos && equal_constant_time(std::string_view(proof).substr(dot + 1), right))
            proved = true;
    };
    try_address(self.entity);
    // Links from before we moved name the address of then.
    for (const auto& [from, to] : self.moves->all())
        if (self.current(to) == self.entity)
            try_address(from);
    if (!invite || !proved || invite->revoked_at != 0 || invite->expires_at <= tx.now_ms() || kept_out_since(asker, *invite))
        return nothing;
    if (!TRY(has_used(tx, invite->id, asker.peer))) {
        if (TRY(count_uses(tx, invite->id)) >= invite->uses)
            return nothing;
        TRY(add_use(tx, invite->id, asker.peer));
    }
    Admission out;
    for (const auto& group : TRY(list_groups(tx, self)))
        if (group.id == invite->group)
            out.group = group.id;
    return std::optional<Admission>(std::move(out));
}

}  // namespace bivouac::tent

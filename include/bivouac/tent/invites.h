// SPDX-License-Identifier: BSD-3-Clause
// Invites: a link with a secret that makes whoever uses it an approved follower, without asking the owner once more.
//
// The secret never travels and is not kept. Id and key are derived from it; whoever follows by the link sends the id and
// a proof, a MAC by the key over both addresses. So what stands in posts, on either side, opens nothing for anybody else,
// and a use belongs to the entity that it names: the same one again uses nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/model/invite_link.h>
#include <bivouac/store/relationships.h>
#include <bivouac/store/transaction.h>
#include <bivouac/tent/self.h>

namespace bivouac::tent {

struct InviteUse {
    std::string peer;
    int64_t used_at = 0;
};
struct Invite {
    std::string id;
    std::string group;  // id of a group post, or ""
    int64_t uses = 0;
    int64_t created_at = 0;
    int64_t expires_at = 0;
    int64_t revoked_at = 0;  // 0: not revoked
    std::vector<InviteUse> used;

    // "open", "used up", "expired", "revoked"
    const char* state(int64_t now_ms) const;
};

struct MadeInvite {
    Invite invite;
    InviteLink link;  // shown once
};
// `group`: name or id, or "". Invalid beyond the limits, Conflict when there are too many open ones.
Result<MadeInvite> make_invite(store::WriteTx& tx, const Self& self, const std::string& group, int64_t uses,
                               int64_t lifetime_ms);
// Newest first. Those that ended months ago are forgotten.
Result<std::vector<Invite>> list_invites(store::ReadTx& tx, const Self& self);
// NotFound. It admits nobody from now on; whoever was approved by it stays approved.
Result<Invite> revoke_invite(store::WriteTx& tx, const Self& self, const std::string& id);

// What `asker` sends to show that she has the secret of an invite of `inviter`: one word.
std::string invite_proof(std::string_view secret, const std::string& inviter, const std::string& asker);

struct Admission {
    std::string group;  // "" when there is none (any more)
};
// Counts the use, in the transaction that approves. nullopt when it is worth nothing to this asker: unknown, forged, not
// hers, used up, expired, revoked, or older than the owner's decision to keep her out.
Result<std::optional<Admission>> redeem_invite(store::WriteTx& tx, const Self& self, const store::Relationship& asker,
                                               const std::string& proof);

// Why a server refused our wish to follow, for the person who wished.
inline constexpr const char* kInviteRefused =
    "the invite is not valid (any more): used up, expired, or not from this address; ask for a new one, or follow without it";

}  // namespace bivouac::tent

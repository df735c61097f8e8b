// SPDX-License-Identifier: BSD-3-Clause
// The part of the control API about invites: made, listed, revoked; and following by one.
#include <bivouac/model/duration.h>
#include <bivouac/model/invite_link.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/invites.h>
#include <bivouac/tent/relationships.h>

#include "control_api.h"
#include "control_parameters.h"

namespace bivouac::app {

namespace {

Result<Json> invite_json(store::ReadTx& tx, const tent::Self& self, const tent::Invite& invite)
{
    Json used = Json::array();
    for (const auto& use : invite.used)
        used.push_back({{"entity", use.peer}, {"at", use.used_at}});
    Json group;
    if (!invite.group.empty()) {
        auto found = tent::find_group(tx, self, invite.group);
        group = found.ok() ? found->name : invite.group;  // removed since
    }
    return Json({{"id", invite.id},
                 {"state", invite.state(tx.now_ms())},
                 {"group", group},
                 {"uses", invite.uses},
                 {"left", invite.uses - static_cast<int64_t>(invite.used.size())},
                 {"created_at", invite.created_at},
                 {"expires_at", invite.expires_at},
                 {"revoked_at", invite.revoked_at == 0 ? Json() : Json(invite.revoked_at)},
                 {"used_by", used}});
}

Result<Json> make(store::WriteTx& tx, const tent::Self& self, const Json& body)
{
    auto number = body.find("uses");
    if (number != body.end() && !number->is_number_integer())
        return fail(ErrorKind::Invalid, "uses is a whole number");
    std::string group = body.contains("group") ? TRY(string_member(body, "group")) : std::string();
    std::string expires = body.contains("expires") ? TRY(string_member(body, "expires")) : std::string("7d");
    const int64_t uses = number == body.end() ? 1 : number->get<int64_t>();
    auto made = TRY(tent::make_invite(tx, self, group, uses, TRY(parse_duration(expires))));
    return Json({{"invite", TRY(invite_json(tx, self, made.invite))}, {"link", write_invite_link(made.link)}});
}

}  // namespace

Result<Json> ControlApi::invites()
{
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        Json list = Json::array();
        for (const auto& invite : TRY(tent::list_invites(tx, self_)))
            list.push_back(TRY(invite_json(tx, self_, invite)));
        return Json({{"invites", list}});
    });
}

Result<Json> ControlApi::change_invites(const Json& body)
{
    std::string action = TRY(string_member(body, "action"));
    return store_.write([&](store::WriteTx& tx) -> Result<Json> {
        if (action == "make")
            return make(tx, self_, body);
        if (action != "revoke")
            return fail(ErrorKind::Invalid, "the action is make or revoke");
        auto invite = TRY(tent::revoke_invite(tx, self_, TRY(string_member(body, "id"))));
        return Json({{"invite", TRY(invite_json(tx, self_, invite))}});
    });
}

// "entity" may be the link of an invite. Its secret ends here: what is stored and sent is a proof for this one use.
Result<ControlApi::Wish> ControlApi::wish_in(const Json& body)
{
    InviteLink link = TRY(parse_invite_link(TRY(string_member(body, "entity"))));
    Wish out;
    out.entity = TRY(tent::peer_entity(link.address));
    out.message.note = TRY(tent::checked_note(body.contains("note") ? TRY(string_member(body, "note")) : std::string()));
    if (!link.secret.empty())
        out.message.invite = tent::invite_proof(link.secret, out.entity, self_.entity);
    return out;
}

}  // namespace bivouac::app

// SPDX-License-Identifier: BSD-3-Clause
// Who lives on this node, over the control socket.
#include <bivouac/app/entities.h>
#include <bivouac/app/node.h>
#include <bivouac/base/bytes.h>

#include "control_api.h"
#include "control_parameters.h"

#include <set>

namespace bivouac::app {

namespace {

Result<Secret> secret_of(std::string encoded)
{
    auto bytes = from_base64(encoded);
    wipe(encoded);
    if (!bytes)
        return fail(ErrorKind::Invalid, "a passphrase cannot be read");
    Secret out{std::string_view(*bytes)};
    wipe(*bytes);
    return out;
}

Result<int64_t> amount_in(const Json& body, const char* name)
{
    auto found = body.find(name);
    if (found == body.end())
        return int64_t(0);
    if (!found->is_number_integer() || found->get<int64_t>() < 0)
        return fail(ErrorKind::Invalid, std::string(name) + " must be a whole number");
    return found->get<int64_t>();
}

}  // namespace

// Whoever runs the node sees of an entity with an owner of her own how it is, not what it holds.
Result<void> ControlApi::check_owner(const net::HttpRequest& request, const std::string& path)
{
    static const std::set<std::string> of_the_host = {"/status", "/outages", "/check", "/stop", "/entities", "/restored"};
    if (of_the_host.count(path) > 0)
        return {};
    auto given = request.header(kOwnerHeader);
    const Secret passphrase = given ? TRY(secret_of(std::string(*given))) : Secret();
    if (TRY(is_owner(store_, self_.name, passphrase)))
        return {};
    return fail(ErrorKind::Forbidden,
                passphrase.empty() ? "this entity belongs to somebody else, who has a passphrase of her own: --owner-passphrase-file FILE"
                                   : "wrong owner passphrase");
}

Result<Json> ControlApi::entities()
{
    const auto boards = hooks_.boards();
    Json list = Json::array();
    for (const auto& one : TRY(list_entities(store_))) {
        Json line = entity_json(one);
        if (auto board = boards.find(one.name); board != boards.end()) {
            line["published"] = board->second.published;
            line["local_api"] = board->second.local_api.empty() ? Json() : Json(board->second.local_api);
        }
        list.push_back(std::move(line));
    }
    Json serving = Json::array();
    for (const auto& [name, board] : boards)
        serving.push_back(name);
    return Json({{"entities", list}, {"serving", serving}});
}

// While it lasts nobody writes; her own verbs wait for it.
Result<Json> ControlApi::move(const Json& body)
{
    const int64_t serve_old_ms = TRY(amount_in(body, "serve_old_ms"));
    auto moved = move_to_new_address(store_, self_.name, serve_old_ms, [this](int64_t done, int64_t all) {
        moving_.done = done;
        moving_.all = all;
    });
    moving_.all = 0;
    const std::string entity = TRY(std::move(moved));
    hooks_.begin_anew();
    return Json({{"entity", entity}, {"previous", self_.entity}});
}

Result<Json> ControlApi::change_entities(const Json& body)
{
    const std::string action = TRY(string_member(body, "action"));
    const std::string name = TRY(string_member(body, "name"));
    if (action == "add") {
        const auto door = store::door_of(body.value("door", "vetted"));
        if (!door)
            return fail(ErrorKind::Invalid, "the door is open, vetted or sealed");
        const std::string entity = TRY(add_entity(store_, name, *door));
        hooks_.begin_anew();
        return Json({{"name", name}, {"entity", entity}});
    }
    if (action == "remove") {
        TRY(remove_entity(store_, name));
        hooks_.begin_anew();
        return Json({{"removed", name}});
    }
    if (action == "quota") {
        TRY(set_entity_quota(store_, name, TRY(amount_in(body, "posts")), TRY(amount_in(body, "bytes"))));
        return Json({{"name", name}});
    }
    if (action == "owner") {
        const Secret now = TRY(secret_of(body.value("now", "")));
        const Secret fresh = TRY(secret_of(body.value("new", "")));
        TRY(set_owner_passphrase(store_, name, now, fresh));
        return Json({{"name", name}, {"has_owner", !fresh.empty()}});
    }
    return fail(ErrorKind::Invalid, "add, remove, quota or owner");
}

}  // namespace bivouac::app

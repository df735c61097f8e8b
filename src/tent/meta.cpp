// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/posts.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/publish.h>

namespace bivouac::tent {

std::string meta_path(const Self& self)
{
    return "/posts/" + percent_encode(self.entity) + "/" + kMetaPostId;
}

Result<void> publish_first_meta(store::WriteTx& tx, const Self& self)
{
    const std::string& base = self.entity;
    Json urls = {
        {"oauth_auth", base + "/oauth/authorize"},
        {"oauth_token", base + "/oauth/token"},
        {"posts_feed", base + "/posts"},
        {"new_post", base + "/posts"},
        {"post", base + "/posts/{entity}/{post}"},
        {"post_attachment", base + "/posts/{entity}/{post}/attachments/{name}"},
        {"attachment", base + "/attachments/{entity}/{digest}"},
        {"batch", base + "/batch"},
        {"server_info", base + "/server"},
        {"discover", base + "/discover?entity={entity}"},
    };
    Post draft;
    draft.id = kMetaPostId;
    draft.type = type::kMeta;
    draft.content = Json({{"entity", self.entity},
                          {"previous_entities", Json::array()},
                          {"profile", Json::object()},
                          {"servers", Json::array({{{"version", "0.3"}, {"preference", 0}, {"urls", urls}}})}})
                        .dump();
    TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    return {};
}

namespace {

enum class For { Everybody, Followers };

Result<Post> next_meta(store::WriteTx& tx, const Self& self, const Post& like, const std::string& parent, For whom)
{
    Post draft;
    draft.id = kMetaPostId;
    draft.type = type::kMeta;
    draft.content = like.content;
    draft.attachments = like.attachments;
    draft.version.message = like.version.message;  // of moves (tent/succession.h)
    Parent after;
    after.version = parent;
    draft.version.parents.push_back(std::move(after));
    if (whom == For::Followers)
        seal_meta(self, draft);
    return publish(tx, self, std::move(draft));
}

}  // namespace

Result<void> change_door(store::WriteTx& tx, const Self& self, store::Door door)
{
    const store::Door before = TRY(store::load_door(tx, self.id));
    TRY(store::set_door(tx, self.id, door));
    tx.after_commit([shared = self.door, door] { *shared = door; });
    const bool sealed = door == store::Door::Sealed;
    if (sealed == (before == store::Door::Sealed))
        return {};
    auto full = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, kMetaPostId, ""))));
    if (!full)
        return fail(ErrorKind::Internal, "the meta post is gone");
    if (!sealed) {
        TRY(next_meta(tx, self, *full, full->version.id, For::Everybody));
        return {};
    }
    Post bare = *full;
    Json content = content_of(*full);
    content["profile"] = Json::object();
    bare.content = content.dump();
    bare.attachments.clear();
    bare = TRY(next_meta(tx, self, bare, full->version.id, For::Everybody));
    TRY(next_meta(tx, self, *full, bare.version.id, For::Followers));
    return {};
}

Result<void> change_profile(store::WriteTx& tx, const Self& self, const Json& profile, const std::optional<Attachment>& avatar)
{
    auto now = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, kMetaPostId, ""))));
    if (!now)
        return fail(ErrorKind::Internal, "the meta post is gone");
    Post next = *now;
    Json content = content_of(*now);
    content["profile"] = Json::object();
    for (const auto& [name, value] : profile.items())
        if (value.is_string() && !value.get_ref<const std::string&>().empty())
            content["profile"][name] = value;
    next.content = content.dump();
    TRY(validate_content(next.type, content));
    if (avatar) {
        next.attachments.clear();
        if (!avatar->digest.empty())
            next.attachments.push_back(*avatar);  // the first one is the avatar
    }
    const bool sealed = TRY(store::load_door(tx, self.id)) == store::Door::Sealed;
    // What others know of a move stands in the message (tent/succession.h).
    Post draft;
    draft.id = kMetaPostId;
    draft.type = type::kMeta;
    draft.content = next.content;
    draft.attachments = next.attachments;
    draft.version.message = now->version.message;
    Parent after;
    after.version = now->version.id;
    draft.version.parents.push_back(std::move(after));
    if (sealed)
        seal_meta(self, draft);
    TRY(publish(tx, self, std::move(draft)));
    return {};
}

void seal_meta(const Self& self, Post& meta)
{
    meta.permissions = {};
    meta.permissions.is_public = false;
    meta.permissions.groups.push_back(self.followers_group);
}

std::string discovery_html(const Self& self)
{
    return "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Tent</title>\n<link href=\"" + self.entity +
           meta_path(self) + "\" rel=\"" + rel::kMetaPost + "\" />\n</head><body></body></html>\n";
}

}  // namespace bivouac::tent

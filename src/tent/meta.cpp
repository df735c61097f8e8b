// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>
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

std::string discovery_html(const Self& self)
{
    return "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>Tent</title>\n<link href=\"" + self.entity +
           meta_path(self) + "\" rel=\"" + rel::kMetaPost + "\" />\n</head><body></body></html>\n";
}

}  // namespace bivouac::tent

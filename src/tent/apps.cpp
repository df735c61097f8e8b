// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/base/clock.h>
#include <bivouac/model/json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/credentials.h>
#include <bivouac/tent/apps.h>
#include <bivouac/tent/publish.h>

namespace bivouac::tent {

namespace {

struct MadeCredentials {
    std::string hawk_id;
    std::string hawk_key;
};

Result<MadeCredentials> make_credentials(store::WriteTx& tx, const Self& self, const char* type,
                                         const std::string& kind, const std::string& target_post,
                                         const char* target_type)
{
    std::string key = to_base64url(system_random().bytes(32));
    Post draft = private_draft(type);
    draft.content = Json({{"hawk_key", key}, {"hawk_algorithm", kHawkAlgorithm}}).dump();
    Mention mention;
    mention.post = target_post;
    mention.type = target_type;
    draft.mentions.push_back(std::move(mention));
    Post post = TRY(publish(tx, self, std::move(draft), Deliver::Nobody));
    TRY(store::add_credentials(tx, {self.id, post.id, key, kind, target_post, ""}));
    return MadeCredentials{post.id, key};
}

}  // namespace

Result<LocalApp> create_local_app(store::WriteTx& tx, const Self& self, const std::string& name,
                                  std::vector<std::string> read_types, std::vector<std::string> write_types)
{
    if (name.empty() || name.size() > 256)
        return fail(ErrorKind::Invalid, "an app needs a name of at most 256 bytes");
    for (const auto* list : {&read_types, &write_types})
        for (const auto& selector : *list)
            if (selector != kAllTypes)
                TRY(parse_type(selector));
    // A local app has no web page of its own; the schema wants URLs, so they name this node.
    const std::string url = self.entity;
    const std::vector<std::string> scopes = {"permissions", "import"};
    const Json types = {{"read", read_types}, {"write", write_types}};

    Post app = private_draft(type::kApp);
    app.id = system_random().id();
    auto app_credentials = TRY(make_credentials(tx, self, type::kCredentialsForApp, "app", app.id, type::kApp));
    app.content = Json({{"name", name}, {"url", url}, {"redirect_uri", url}, {"types", types}, {"scopes", scopes}})
                      .dump();
    Mention credentials;
    credentials.post = app_credentials.hawk_id;
    credentials.type = std::string(type::kCredentialsBase) + "#";
    credentials.is_public = false;
    app.mentions.push_back(std::move(credentials));
    app = TRY(publish(tx, self, std::move(app), Deliver::Nobody));

    Post auth = private_draft(type::kAppAuth);
    auth.id = system_random().id();
    auto auth_credentials =
        TRY(make_credentials(tx, self, type::kCredentialsForAppAuth, "app-auth", auth.id, type::kAppAuth));
    auth.content = Json({{"types", types}, {"scopes", scopes}}).dump();
    Mention of_app;
    of_app.post = app.id;
    of_app.type = type::kApp;
    of_app.version = app.version.id;
    auth.mentions.push_back(std::move(of_app));
    Ref to_app;
    to_app.post = app.id;
    to_app.type = type::kApp;
    to_app.version = app.version.id;
    auth.refs.push_back(std::move(to_app));
    Ref to_credentials;
    to_credentials.post = auth_credentials.hawk_id;
    to_credentials.type = type::kCredentialsForAppAuth;
    auth.refs.push_back(std::move(to_credentials));
    auth = TRY(publish(tx, self, std::move(auth), Deliver::Nobody));

    TRY(store::set_app_grant(tx, self.id,
                             {auth.id, app.id, name, url, std::move(read_types), std::move(write_types), scopes}));
    return LocalApp{app.id, auth_credentials.hawk_id, auth_credentials.hawk_key};
}

}  // namespace bivouac::tent

// SPDX-License-Identifier: BSD-3-Clause
// The API of one entity over a real store, without sockets: requests in, answers out, signed by apps or peers.
#pragma once

#include <chrono>
#include <future>

#include <bivouac/api/api.h>
#include <bivouac/auth/hawk.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/credentials.h>
#include <bivouac/tent/apps.h>

#include "tent_fixture.h"

// What a client holds. An empty id: nothing, its requests are anonymous.
struct HawkKey {
    std::string id;
    std::string key;
    std::string post;  // of an app: its app-auth post
};

struct ApiHome : Home {
    static constexpr int kListener = 1;

    bivouac::api::Hooks hooks;  // change them, then call start()
    bivouac::api::Settings settings;
    std::vector<std::string> peers_seen;
    std::atomic<int> posted{0};
    std::unique_ptr<bivouac::auth::Authenticator> authenticator;
    std::unique_ptr<bivouac::api::Api> api;
    std::shared_ptr<const bivouac::api::Site> site;
    const HawkKey nobody;

    ApiHome()
    {
        hooks.posted = [this] { ++posted; };
        hooks.peer_seen = [this](int64_t, std::string peer) { peers_seen.push_back(std::move(peer)); };
        hooks.initial = [](const bivouac::tent::Self&, std::string, std::string, std::string, bivouac::Json,
                           std::optional<uint32_t>, bivouac::api::Responder respond) { respond({}); };
        hooks.check_passphrase = [](int64_t, bivouac::Secret, std::function<void(bivouac::api::PassphraseCheck)> done) {
            done(bivouac::api::PassphraseCheck::Wrong);
        };
        start();
    }

    // Once more with the hooks and settings of now. Requests of before are stale to it.
    void start()
    {
        api.reset();
        authenticator = std::make_unique<bivouac::auth::Authenticator>(*store, clock);
        clock.now += 10'000;
        api = std::make_unique<bivouac::api::Api>(*store, *authenticator, clock, hooks, settings);
        bivouac::api::Site here{self, {self.host(), self.host() + ":80"}, false};
        site = std::make_shared<const bivouac::api::Site>(here);
        api->add_site(kListener, here);
    }

    // --- who asks ---

    // An app that the owner has allowed this much.
    HawkKey app(std::vector<std::string> read, std::vector<std::string> write_types = {},
                std::vector<std::string> scopes = {})
    {
        bivouac::Post draft;
        draft.type = bivouac::type::kApp;
        draft.content = bivouac::Json({{"name", "Notepad"},
                                       {"url", "https://notepad.example"},
                                       {"redirect_uri", "https://notepad.example/back"},
                                       {"types", {{"read", {"all"}}}}})
                            .dump();
        auto made = write([&](bivouac::store::WriteTx& tx) -> bivouac::Result<bivouac::tent::Authorized> {
            auto fresh = TRY(bivouac::tent::register_app(tx, self, draft));
            return bivouac::tent::authorize_app(tx, self, fresh.app.id, {read, write_types, scopes});
        });
        api->allow_large_bodies(made.hawk_id);
        return {made.hawk_id, made.hawk_key, made.app_auth_post};
    }

    HawkKey full_app() { return app({"all"}, {"all"}, {"permissions", "import"}); }

    // A peer with whom the handshake has been made.
    HawkKey peer(const std::string& entity)
    {
        know(entity);
        auto found = store->read([&](bivouac::store::ReadTx& tx) {
            return bivouac::store::find_credentials(tx, self.id, relationship(entity).our_hawk_id);
        });
        REQUIRE(found.ok());
        REQUIRE(found->has_value());
        return {(**found).hawk_id, (**found).hawk_key, ""};
    }

    // --- what is asked ---

    std::string host() const { return self.host(); }

    std::string post_path(const std::string& entity, const std::string& id) const
    {
        return "/posts/" + bivouac::percent_encode(entity) + "/" + id;
    }
    std::string post_path(const bivouac::Post& post) const { return post_path(post.entity, post.id); }

    std::string attachment_path(const std::string& entity, const std::string& digest) const
    {
        return "/attachments/" + bivouac::percent_encode(entity) + "/" + digest;
    }

    bivouac::net::HttpRequest request(const std::string& method, const std::string& target,
                                      std::vector<bivouac::net::Header> headers = {}, const std::string& body = "")
    {
        bivouac::net::HttpRequest out;
        out.method = method;
        out.target = target;
        out.headers = std::move(headers);
        out.host = host();
        out.body = bivouac::Spool::of_text(body);
        out.listener = kListener;
        return out;
    }

    // The Authorization header for such a request.
    std::string authorization(const HawkKey& key, const std::string& method, const std::string& target,
                              const std::string& content_type = "", const std::string& body = "")
    {
        bivouac::auth::HawkHeader header;
        header.id = key.id;
        header.ts = clock.now / 1000;
        header.nonce = bivouac::system_random().id();
        if (!body.empty())
            header.hash = bivouac::auth::hawk_payload_hash(content_type, body);
        header.mac = bivouac::auth::hawk_mac(bivouac::auth::HawkKind::Header, key.key, header,
                                             *bivouac::auth::hawk_target(method, target, host()));
        return bivouac::auth::write_hawk_header(header);
    }

    void sign(bivouac::net::HttpRequest& request, const HawkKey& key, const std::string& body = "")
    {
        if (key.id.empty())
            return;
        std::string type(request.header("Content-Type").value_or(""));
        request.headers.push_back({"Authorization", authorization(key, request.method, request.target, type, body)});
    }

    // Waits for the answer, which may come from another thread.
    bivouac::net::HttpResponse run(bivouac::net::HttpRequest request)
    {
        auto promise = std::make_shared<std::promise<bivouac::net::HttpResponse>>();
        auto answer = promise->get_future();
        api->handle(std::move(request), [promise](bivouac::net::HttpResponse response) {
            promise->set_value(std::move(response));
        });
        if (answer.wait_for(std::chrono::seconds(60)) != std::future_status::ready)
            FAIL("a request was not answered");
        return answer.get();
    }

    bivouac::net::HttpResponse ask(const HawkKey& key, const std::string& method, const std::string& target,
                                   std::vector<bivouac::net::Header> headers = {}, const std::string& body = "")
    {
        auto asked = request(method, target, std::move(headers), body);
        sign(asked, key, body);
        return run(std::move(asked));
    }
    bivouac::net::HttpResponse get(const HawkKey& key, const std::string& target,
                                   std::vector<bivouac::net::Header> headers = {})
    {
        return ask(key, "GET", target, std::move(headers));
    }

    bivouac::net::HttpResponse send_post(const HawkKey& key, const bivouac::Json& post)
    {
        return ask(key, "POST", "/posts",
                   {{"Content-Type", std::string(bivouac::mime::kPost) + "; type=\"" +
                                         post.value("type", std::string()) + "\""}},
                   post.dump());
    }

    // --- what comes back ---

    static std::string header(const bivouac::net::HttpResponse& response, const char* name)
    {
        return std::string(response.header(name).value_or(""));
    }

    static bivouac::Json json(const bivouac::net::HttpResponse& response)
    {
        auto parsed = bivouac::parse_json(response.body);
        if (!parsed.ok())
            FAIL("an answer is no JSON: " << response.body);
        return *parsed;
    }

    // The whole body, whether it is held or read in pieces.
    static std::string body(const bivouac::net::HttpResponse& response)
    {
        if (!response.large)
            return response.body;
        std::string out;
        while (out.size() < response.large->size) {
            auto piece = response.large->read(out.size(), 10'000);
            if (!piece.ok() || piece->empty() || piece->size() > 10'000) {
                FAIL("a body breaks off");
                break;
            }
            out += *piece;
        }
        CHECK(out.size() == response.large->size);
        return out;
    }

    // --- posts with files ---

    bivouac::Attachment file(const std::string& bytes, const std::string& name,
                             const std::string& content_type = "text/plain", const std::string& category = "file")
    {
        bivouac::store::BlobWriter writer(*store, self.id);
        REQUIRE(writer.append(bytes).ok());
        auto stored = writer.finish();
        REQUIRE(stored.ok());
        return {category, content_type, name, stored->digest, stored->size};
    }

    bivouac::Post publish_with(std::vector<bivouac::Attachment> files, bool is_public = true,
                               std::vector<std::string> entities = {})
    {
        bivouac::Post draft = status(is_public, {}, std::move(entities));
        draft.attachments = std::move(files);
        return publish(std::move(draft));
    }
};

// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/post_list.h>

#include "api_fixture.h"

using namespace bivouac;
using tent::RemoteAnswer;
using tent::RemoteRequest;
using What = tent::RemoteRequest::What;

namespace {

const std::string kNote = "https://vendor.example/types/note/v0";

RemoteAnswer answered(int status, const std::string& body = "", const std::string& content_type = mime::kPost)
{
    RemoteAnswer out;
    out.outcome = RemoteAnswer::Outcome::Answered;
    out.url = "http://elsewhere.example/x";
    out.status = status;
    out.content_type = content_type;
    out.body = body;
    return out;
}

RemoteAnswer failed(RemoteAnswer::Outcome outcome)
{
    RemoteAnswer out;
    out.outcome = outcome;
    out.url = "http://elsewhere.example/x";
    return out;
}

// The network as one function: what it was asked, and what it says.
struct Network : ApiHome {
    std::vector<RemoteRequest> asked;
    std::function<RemoteAnswer(const RemoteRequest&)> says = [](const RemoteRequest&) { return answered(404); };
    HawkKey full, narrow, bobs;

    Network()
    {
        hooks.ask_remote = [this](RemoteRequest request, std::function<void(RemoteAnswer)> done) {
            asked.push_back(request);
            done(says(request));
        };
        start();
        full = full_app();
        narrow = app({type::kStatusBase});
        bobs = peer(carol);
    }

    Post written(const std::string& id = "bobspost", bool is_public = true, const std::string& type = type::kStatus,
                 const std::string& text = "hello")
    {
        Post post = remote(bob, id, type);
        post.content = Json({{"text", text}}).dump();
        post.permissions.is_public = is_public;
        post.published_at = post.version.published_at = clock.now - 1'000'000;
        post.version.id = version_id_of(post);
        return post;
    }

    Json as_sent(const Post& post) { return post_to_json(post, Audience::peer(self.entity)); }
    RemoteAnswer envelope(const Post& post) { return answered(200, Json({{"post", as_sent(post)}}).dump()); }

    bool stored(const Post& post)
    {
        auto row = store->read(
            [&](store::ReadTx& tx) { return store::find_version(tx, self.id, post.entity, post.id, post.version.id); });
        REQUIRE(row.ok());
        return *row != 0;
    }

    void keep(const Post& post)
    {
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(store::insert_version(tx, self.id, post));
            return {};
        });
    }

    net::HttpResponse fetch(const HawkKey& key, const std::string& target, const std::string& cache_control = "",
                            std::vector<net::Header> headers = {})
    {
        if (!cache_control.empty())
            headers.push_back({"Cache-Control", cache_control});
        return get(key, target, std::move(headers));
    }

    size_t asks(const std::function<void()>& action)
    {
        const size_t before = asked.size();
        action();
        return asked.size() - before;
    }
};

std::shared_ptr<Spool> spooled(const std::string& bytes)
{
    auto spool = std::make_shared<Spool>("/tmp");
    REQUIRE(spool->append(bytes).ok());
    REQUIRE(spool->finish().ok());
    return spool;
}

std::string digest_of(const std::string& bytes)
{
    Sha512Half sum;
    sum.update(bytes);
    return kDigestPrefix + to_hex(sum.finish());
}

RemoteAnswer a_file(const std::string& bytes)
{
    RemoteAnswer out = answered(200, "", "text/plain");
    out.spool = spooled(bytes);
    return out;
}

}  // namespace

TEST_CASE("proxying: a post that is not here is fetched, kept, and read here from then on (section 4.9, check 39)")
{
    Network home;
    const Post post = home.written();
    home.says = [&](const RemoteRequest&) { return home.envelope(post); };
    auto first = home.fetch(home.full, home.post_path(post));
    CHECK(first.status == 200);
    CHECK(Network::json(first)["post"]["content"]["text"] == "hello");
    CHECK(Network::header(first, "Content-Type") == std::string(mime::kPost) + "; type=\"" + type::kStatus + "\"");
    CHECK(Network::header(first, "Cache-Control") == "private, must-revalidate");
    CHECK_FALSE(Network::header(first, "Server-Authorization").empty());
    REQUIRE(home.asked.size() == 1);
    CHECK(home.asked[0].what == What::Post);
    CHECK(home.asked[0].entity == home.bob);
    CHECK(home.asked[0].post == post.id);
    CHECK(home.asked[0].sign);
    CHECK(home.stored(post));
    home.says = [](const RemoteRequest&) { return failed(RemoteAnswer::Outcome::Unreachable); };
    auto again = home.fetch(home.full, home.post_path(post));
    CHECK(again.status == 200);
    CHECK(again.body == first.body);
    CHECK(home.asked.size() == 1);
    // It takes its place among the old ones.
    CHECK(Network::json(again)["post"]["received_at"] == post.published_at);
}

TEST_CASE("proxying: Cache-Control says where to look (section 4.9)")
{
    Network home;
    const Post post = home.written();
    home.says = [&](const RemoteRequest&) { return home.envelope(post); };
    const std::string path = home.post_path(post);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "no-proxy").status == 404); }) == 0);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "max-age=0, proxy-if-miss").status == 200); }) == 1);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "proxy-if-miss").status == 200); }) == 0);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "no-proxy").status == 200); }) == 0);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "no-cache").status == 200); }) == 0);
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "proxy").status == 200); }) == 1);
    home.says = [](const RemoteRequest&) { return answered(404); };
    CHECK(home.fetch(home.full, path, "proxy").status == 404);
    // Our own posts are nowhere else.
    auto own = home.publish(home.status(true));
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, home.post_path(own), "proxy").status == 200); }) == 0);
    CHECK(home.asks([&] { home.fetch(home.full, home.post_path(home.self.entity, "unknown"), "proxy"); }) == 0);
}

TEST_CASE("proxying: nobody but apps makes us ask, whatever is asked for (section 4.9, check 39)")
{
    Network home;
    const Post post = home.written();
    home.says = [&](const RemoteRequest&) { return home.envelope(post); };
    const std::string path = home.post_path(post);
    for (bool here : {false, true}) {
        if (here)
            home.keep(post);
        for (const HawkKey& key : {home.nobody, home.bobs}) {
            for (const char* mode : {"", "proxy", "proxy-if-miss", "no-proxy"}) {
                CHECK(home.fetch(key, path, mode).status == 404);
                CHECK(home.fetch(key, path, mode, {{"Accept", mime::kMentions}}).status == 404);
                CHECK(home.fetch(key, path + "/attachments/x", mode).status == 404);
                CHECK(home.fetch(key, home.attachment_path(home.bob, digest_of("x")), mode).status == 404);
                auto feed = home.fetch(key, "/posts?entities=" + percent_encode(home.bob), mode);
                CHECK(Network::json(feed)["posts"].empty());
            }
            CHECK(home.fetch(key, "/discover?entity=" + percent_encode(home.bob)).status == 403);
        }
    }
    CHECK(home.asked.empty());
}

TEST_CASE("proxying: what failed has its status, and errors of the other server pass (section 4.9)")
{
    Network home;
    const std::string path = home.post_path(home.bob, "bobspost");
    using Outcome = RemoteAnswer::Outcome;
    for (auto [outcome, status] : {std::pair(Outcome::TimedOut, 504), std::pair(Outcome::Unreachable, 502),
                                   std::pair(Outcome::NotDiscovered, 404), std::pair(Outcome::Busy, 503)}) {
        home.says = [&, wanted = outcome](const RemoteRequest&) { return failed(wanted); };
        auto answer = home.fetch(home.full, path);
        CHECK(answer.status == status);
        CHECK(Network::header(answer, "Content-Type") == mime::kError);
        if (status == 502 || status == 504)
            CHECK(Network::json(answer)["error"] == "Failed to proxy request: GET http://elsewhere.example/x");
    }
    home.says = [](const RemoteRequest&) { return answered(403, R"({"error":"Not for you"})", mime::kError); };
    auto answer = home.fetch(home.full, path);
    CHECK(answer.status == 403);
    CHECK(answer.body == R"({"error":"Not for you"})");
    home.says = [](const RemoteRequest&) { return answered(410, "<html>gone", "text/html"); };
    answer = home.fetch(home.full, path);
    CHECK(answer.status == 410);
    CHECK(Network::json(answer)["error"] == "The other server answered 410");
    for (int odd : {204, 301, 302, 999})
        CHECK((home.says = [odd](const RemoteRequest&) { return answered(odd); },
               home.fetch(home.full, path).status) == 502);
}

TEST_CASE("proxying: a server that lies gives an error, and nothing of it stays (section 4.9)")
{
    Network home;
    const Post good = home.written();
    Json other = home.as_sent(good);
    other["content"]["text"] = "not what was hashed";
    Json somebody_else = home.as_sent(good);
    somebody_else["entity"] = home.carol;
    Json another_id = home.as_sent(home.written("another"));
    Json bare = home.as_sent(good);
    bare["version"].erase("id");
    Json timeless = home.as_sent(good);
    timeless.erase("published_at");
    Json odd_content = home.as_sent(home.written("bobspost", true, type::kStatus, std::string(2000, 'x')));
    std::vector<std::string> bodies = {"", "{", "[]", "null", R"({"post":[]})", "<html>", good.id,
                                       std::string(100, '['), odd_content.dump()};
    for (const Json& post : {other, somebody_else, another_id, bare, timeless, odd_content})
        bodies.push_back(Json({{"post", post}}).dump());
    for (const auto& body : bodies) {
        home.says = [&](const RemoteRequest&) { return answered(200, body); };
        auto answer = home.fetch(home.full, home.post_path(good));
        CHECK_MESSAGE(answer.status == 502, body.substr(0, 200));
        CHECK(Network::json(answer)["error"].get<std::string>().starts_with("Failed to proxy request: GET http://"));
    }
    auto left = home.store->read([&](store::ReadTx& tx) { return store::count_versions_by(tx, home.self.id, home.bob); });
    CHECK(*left == 0);
    // A version that was not asked for is none either.
    home.says = [&](const RemoteRequest&) { return home.envelope(good); };
    const std::string wrong = kDigestPrefix + std::string(64, '0');
    CHECK(home.fetch(home.full, home.post_path(good) + "?version=" + wrong).status == 502);
    CHECK_FALSE(home.stored(good));
    CHECK(home.fetch(home.full, home.post_path(good) + "?version=" + good.version.id).status == 200);
    CHECK(home.asked.back().query == "version=" + good.version.id);
}

TEST_CASE("proxying: a private post stays private here, and an app sees only the types it may read (section 4.9)")
{
    Network home;
    const Post secret = home.written("secret", false, kNote + "#");
    home.says = [&](const RemoteRequest&) { return home.envelope(secret); };
    CHECK(home.fetch(home.narrow, home.post_path(secret)).status == 404);
    CHECK(home.fetch(home.full, home.post_path(secret)).status == 200);
    CHECK(home.fetch(home.narrow, home.post_path(secret)).status == 404);
    CHECK(home.fetch(home.narrow, home.post_path(secret), "no-proxy").status == 404);
    const Post status = home.written("forus", false);
    home.says = [&](const RemoteRequest&) { return home.envelope(status); };
    auto shown = home.fetch(home.narrow, home.post_path(status));
    CHECK(shown.status == 200);
    CHECK(Network::json(shown)["post"]["permissions"] == Json({{"public", false}}));
    for (const HawkKey& key : {home.nobody, home.bobs}) {
        CHECK(home.get(key, home.post_path(secret)).status == 404);
        CHECK(home.get(key, "/posts").body.find("secret") == std::string::npos);
    }
}

TEST_CASE("proxying: what servers tell each other is shown and not kept, keys are not even shown (section 4.9)")
{
    Network home;
    for (const char* base : {type::kSubscriptionAll, type::kRelationship, type::kDelete}) {
        Post post = home.written("between", true, base);
        post.content = std::string(base) == type::kSubscriptionAll ? R"({"type":"all"})" : "";
        post.version.id = version_id_of(post);
        home.says = [&](const RemoteRequest&) { return home.envelope(post); };
        auto answer = home.fetch(home.full, home.post_path(post));
        CHECK_MESSAGE(answer.status == 200, answer.body);
        CHECK_FALSE(home.stored(post));
    }
    Post keys = home.written("keys", false, type::kCredentialsForRelationship);
    keys.content = R"({"hawk_algorithm":"sha256","hawk_key":"k"})";
    keys.version.id = version_id_of(keys);
    home.says = [&](const RemoteRequest&) { return home.envelope(keys); };
    auto hidden = home.fetch(home.full, home.post_path(keys));
    CHECK_MESSAGE(hidden.status == 404, hidden.body);
    CHECK_FALSE(home.stored(keys));
    // Delivered later, a subscription has its effect all the same.
    home.know(home.bob);
    CHECK(home.deliver(home.subscription(home.bob, "between")).ok());
    CHECK(home.follower_state(home.bob) == "pending");
}

TEST_CASE("proxying: a post that was deleted here does not come back by reading it (sections 4.9 and 7.8)")
{
    Network home;
    const Post post = home.written();
    home.keep(post);
    home.write([&](store::WriteTx& tx) { return store::delete_post(tx, home.self.id, home.bob, post.id, ""); });
    home.says = [&](const RemoteRequest&) { return home.envelope(post); };
    CHECK(home.fetch(home.full, home.post_path(post), "proxy").status == 200);
    CHECK_FALSE(home.stored(post));
}

TEST_CASE("proxying: a newer version that was fetched is the newest here (section 4.9)")
{
    Network home;
    Post old = home.written();
    home.keep(old);  // received long after it was published
    Post fresh = home.written("bobspost", true, type::kStatus, "changed");
    fresh.version.parents.push_back({old.version.id, "", "", ""});
    fresh.version.published_at = old.version.published_at + 10;
    fresh.version.id = version_id_of(fresh);
    home.says = [&](const RemoteRequest&) { return home.envelope(fresh); };
    auto shown = home.fetch(home.full, home.post_path(old), "proxy");
    CHECK(Network::json(shown)["post"]["content"]["text"] == "changed");
    CHECK(Network::json(home.fetch(home.full, home.post_path(old)))["post"]["content"]["text"] == "changed");
}

TEST_CASE("proxying: the three lists with the same Accept, limit, page and version (section 4.9, check 40)")
{
    Network home;
    const Post post = home.written();
    for (auto [media_type, member] : {std::pair(mime::kMentions, "mentions"), std::pair(mime::kVersions, "versions"),
                                      std::pair(mime::kChildren, "versions")}) {
        const std::string body = Json({{member, Json::array({{{"post", "x"}}})}, {"pages", Json::object()}}).dump();
        home.says = [&, type = media_type](const RemoteRequest&) { return answered(200, body, type); };
        const std::string target = home.post_path(post) + "?limit=2&page=x%20y&other=1";
        auto answer = home.fetch(home.full, target, "", {{"Accept", media_type}});
        CHECK(answer.status == 200);
        CHECK(answer.body == body);
        CHECK(Network::header(answer, "Content-Type") == media_type);
        CHECK(home.asked.back().accept == media_type);
        CHECK(home.asked.back().query == "limit=2&page=x%20y");
        home.says = [&](const RemoteRequest&) { return answered(200, R"({"posts":[]})"); };
        CHECK(home.fetch(home.full, target, "", {{"Accept", media_type}}).status == 502);
        CHECK(home.asks([&] {
            CHECK(home.fetch(home.full, home.post_path(post), "no-proxy", {{"Accept", media_type}}).status == 404);
        }) == 0);
    }
    home.says = [&](const RemoteRequest&) {
        auto answer = answered(200, "", mime::kMentions);
        answer.count = "17";
        return answer;
    };
    auto head = home.ask(home.full, "HEAD", home.post_path(post), {{"Accept", mime::kMentions}});
    CHECK(Network::header(head, "Count") == "17");
    CHECK(home.asked.back().method == "HEAD");
    // A post that is here has its list here.
    home.keep(post);
    CHECK(home.asks([&] {
        auto list = home.fetch(home.full, home.post_path(post), "", {{"Accept", mime::kVersions}});
        CHECK(Network::json(list)["versions"].size() == 1);
    }) == 0);
    CHECK(home.asks([&] { home.fetch(home.full, home.post_path(post), "proxy", {{"Accept", mime::kVersions}}); }) == 1);
}

TEST_CASE("proxying: an app of few types asks about a post that is not here without the relationship's keys (section 4.9)")
{
    Network home;
    const Post post = home.written();
    const std::string path = home.post_path(post);
    auto signs = [&](const HawkKey& key, const std::string& target, const char* accept) {
        home.fetch(key, target, "proxy", {{"Accept", accept}});
        return home.asked.back().sign;
    };
    CHECK(signs(home.full, path, mime::kMentions));
    CHECK_FALSE(signs(home.narrow, path, mime::kMentions));
    CHECK_FALSE(signs(home.narrow, path + "/attachments/x", "*/*"));
    CHECK_FALSE(signs(home.narrow, home.attachment_path(home.bob, digest_of("x")), "*/*"));
    home.keep(post);
    CHECK(signs(home.narrow, path, mime::kMentions));
    CHECK(signs(home.narrow, path + "/attachments/x", "*/*"));
}

TEST_CASE("proxying: a file by its name leads to our own address, which fetches it once (section 4.9, check 43)")
{
    Network home;
    const std::string bytes(300'000, 'b');
    const std::string digest = digest_of(bytes);
    Post post = home.written();
    home.says = [&](const RemoteRequest& request) {
        if (request.what == What::Attachment)
            return a_file(bytes);
        auto redirect = answered(302);
        redirect.location = "/somewhere/" + digest;
        redirect.attachment_digest = digest;
        return redirect;
    };
    auto found = home.fetch(home.full, home.post_path(post) + "/attachments/a%20b.txt?version=x", "",
                            {{"Accept", "text/plain"}});
    CHECK(found.status == 302);
    CHECK(home.asked.back().what == What::PostAttachment);
    CHECK(home.asked.back().name == "a b.txt");
    CHECK(home.asked.back().accept == "text/plain");
    CHECK(home.asked.back().query == "version=x");
    CHECK(Network::header(found, "Attachment-Digest") == digest);
    const std::string location = Network::header(found, "Location");
    CHECK(location.starts_with(home.attachment_path(home.bob, digest) + "?bewit="));
    auto file = home.get(home.nobody, location);
    CHECK(file.status == 200);
    CHECK(Network::body(file) == bytes);
    CHECK(Network::header(file, "X-Content-Type-Options") == "nosniff");
    CHECK(home.asked.back().what == What::Attachment);
    CHECK(home.asked.back().digest == digest);
    // Whoever has no signed address gets nothing.
    CHECK(home.get(home.nobody, home.attachment_path(home.bob, digest)).status == 404);
    CHECK(home.get(home.bobs, home.attachment_path(home.bob, digest)).status == 404);

    home.says = [&](const RemoteRequest&) { return answered(302); };
    CHECK(home.fetch(home.full, home.post_path(post) + "/attachments/x").status == 404);
    home.says = [&](const RemoteRequest&) { return answered(200, "x", "text/plain"); };
    CHECK(home.fetch(home.full, home.post_path(post) + "/attachments/x").status == 404);
}

TEST_CASE("proxying: the bytes of a post that is here are fetched, kept and bounded by its size (section 4.9)")
{
    Network home;
    const std::string bytes = "the file of Bob";
    Post post = home.written();
    post.attachments = {{"file", "text/plain", "bob.txt", digest_of(bytes), static_cast<int64_t>(bytes.size())}};
    post.version.id = version_id_of(post);
    home.keep(post);
    const std::string path = home.attachment_path(home.bob, digest_of(bytes));
    CHECK(home.asks([&] { CHECK(home.fetch(home.full, path, "no-proxy").status == 404); }) == 0);
    home.says = [&](const RemoteRequest&) { return a_file("something else"); };
    CHECK(home.fetch(home.full, path).status == 502);
    CHECK(home.asked.back().limit_bytes == bytes.size() + 1);
    CHECK(home.fetch(home.full, path, "no-proxy").status == 404);
    home.says = [&](const RemoteRequest&) { return a_file(bytes); };
    for (int i = 0; i < 2; ++i) {
        auto file = home.fetch(home.full, path);
        CHECK(Network::body(file) == bytes);
        CHECK(Network::header(file, "Content-Disposition") == "inline; filename=\"bob.txt\"");
    }
    CHECK(home.asked.size() == 2);
    home.says = [](const RemoteRequest&) { return failed(RemoteAnswer::Outcome::TimedOut); };
    CHECK(home.fetch(home.full, path, "proxy").status == 504);
}

TEST_CASE("proxying: feeds of others are asked only with proxy, and merged with what is here (section 4.9, check 41)")
{
    Network home;
    std::vector<Post> posts;
    for (int i = 0; i < 4; ++i) {
        Post post = home.written("p" + std::to_string(i), true, type::kStatus, "text " + std::to_string(i));
        post.published_at = post.version.published_at = home.clock.now - 1'000'000 + i * 1000;
        post.version.id = version_id_of(post);
        post.received_at = post.version.received_at = post.published_at;
        posts.push_back(post);
    }
    home.keep(posts[1]);
    Post forged = posts[0];
    forged.content = R"({"text":"forged"})";
    Json page = {{"pages", Json::object()}, {"posts", Json::array()}};
    for (const Post& post : {posts[3], posts[2], forged, posts[0]})
        page["posts"].push_back(home.as_sent(post));
    home.says = [&](const RemoteRequest& request) {
        return request.entity == home.bob ? answered(200, page.dump(), mime::kFeed)
                                          : failed(RemoteAnswer::Outcome::TimedOut);
    };
    const std::string target = "/posts?limit=3&types=" + percent_encode(type::kStatusBase) +
                               "&entities=" + percent_encode(home.bob + "," + home.carol + "," + home.self.entity) +
                               "&max_refs=0";
    for (const char* mode : {"", "no-proxy", "proxy-if-miss"})
        CHECK(home.asks([&] {
            CHECK(Network::json(home.fetch(home.full, target, mode))["posts"].size() == 1);
        }) == 0);
    auto merged = home.fetch(home.full, target, "proxy");
    CHECK(merged.status == 200);
    REQUIRE(home.asked.size() == 2);
    CHECK(home.asked[0].query == "entities=" + percent_encode(home.bob) + "&types=" + percent_encode(type::kStatusBase) +
                                     "&limit=3");
    auto shown = Network::json(merged);
    REQUIRE(shown["posts"].size() == 3);
    CHECK(shown["posts"][0]["id"] == "p3");
    CHECK(shown["posts"][1]["id"] == "p2");
    CHECK(shown["posts"][2]["id"] == "p1");
    CHECK(shown["pages"].contains("next"));
    CHECK(home.stored(posts[0]));
    CHECK(merged.body.find("forged") == std::string::npos);
    CHECK(home.asks([&] { home.fetch(home.full, "/posts", "proxy"); }) == 0);
}

TEST_CASE("proxying: refs and profiles that are not here are fetched as the mode says (section 4.9, check 42)")
{
    Network home;
    const Post referred = home.written("referred");
    Post draft = home.status(true);
    Ref ref;
    ref.entity = home.bob;
    ref.post = referred.id;
    draft.refs = {ref};
    const Post own = home.publish(draft);
    Post meta = home.written("meta", true, type::kMeta);
    meta.content = Json({{"entity", home.bob}, {"profile", {{"name", "Bob"}}}, {"servers", Json::array()}}).dump();
    meta.mentions.clear();
    meta.version.id = version_id_of(meta);
    home.says = [&](const RemoteRequest& request) {
        if (request.what != What::Meta)
            return home.envelope(referred);
        auto found = answered(200);
        found.meta = meta;
        return found;
    };
    const std::string query = "?max_refs=5&profiles=refs";
    const std::string statuses = "/posts" + query + "&types=" + percent_encode(type::kStatusBase);
    auto feed = home.fetch(home.full, statuses);
    CHECK(Network::json(feed)["refs"].empty());
    CHECK(home.asked.empty());
    CHECK(Network::json(home.fetch(home.full, home.post_path(own) + query, "no-proxy"))["refs"].empty());
    CHECK(home.asked.empty());
    auto found = Network::json(home.fetch(home.full, home.post_path(own) + query));
    REQUIRE(found["refs"].size() == 1);
    CHECK(found["refs"][0]["id"] == "referred");
    CHECK(found["profiles"][home.bob]["name"] == "Bob");
    CHECK(home.asked.size() == 2);
    CHECK(home.asks([&] {
        auto again = Network::json(home.fetch(home.full, statuses, "proxy-if-miss"));
        CHECK(again["refs"].size() == 1);
    }) == 0);
    CHECK(home.asks([&] { home.fetch(home.full, statuses, "proxy"); }) == 2);
    // What does not answer is left out.
    Post second = draft;
    second.refs[0].post = "nowhere";
    const Post own_too = home.publish(second);
    home.says = [](const RemoteRequest&) { return failed(RemoteAnswer::Outcome::Unreachable); };
    auto without = home.fetch(home.full, home.post_path(own_too) + "?max_refs=5");
    CHECK(without.status == 200);
    CHECK(Network::json(without)["refs"].empty());
}

TEST_CASE("discover: the meta post of another entity, for apps alone (section 4.10)")
{
    Network home;
    Post meta = home.written("meta", true, type::kMeta);
    meta.content = Json({{"entity", home.bob}, {"profile", {{"name", "Bob"}}}, {"servers", Json::array()}}).dump();
    meta.version.id = version_id_of(meta);
    home.says = [&](const RemoteRequest&) {
        auto found = answered(200);
        found.meta = meta;
        return found;
    };
    const std::string target = "/discover?entity=" + percent_encode(home.bob);
    auto found = home.fetch(home.narrow, target);
    CHECK(found.status == 200);
    CHECK(Network::header(found, "Content-Type") == std::string(mime::kPost) + "; type=\"" + type::kMeta + "\"");
    CHECK(Network::json(found)["post"]["content"]["entity"] == home.bob);
    REQUIRE(home.asked.size() == 1);
    CHECK(home.asked[0].what == What::Meta);
    CHECK(home.asked[0].entity == home.bob);
    CHECK(home.asks([&] {
        for (const HawkKey& key : {home.nobody, home.bobs})
            CHECK(home.fetch(key, target).status == 403);
        for (const char* wrong : {"", "?entity=", "?entity=bob", "?entity=ftp%3A%2F%2Fx.example", "?entity=http%3A%2F%2F"})
            CHECK_MESSAGE(home.fetch(home.full, std::string("/discover") + wrong).status == 400, wrong);
        auto own = home.fetch(home.full, "/discover?entity=" + percent_encode(home.self.entity));
        CHECK(Network::json(own)["post"]["content"]["entity"] == home.self.entity);
    }) == 0);
    using Outcome = RemoteAnswer::Outcome;
    for (auto [outcome, status] : {std::pair(Outcome::TimedOut, 504), std::pair(Outcome::Unreachable, 502),
                                   std::pair(Outcome::NotDiscovered, 404)}) {
        home.says = [wanted = outcome](const RemoteRequest&) { return failed(wanted); };
        CHECK(home.fetch(home.full, target).status == status);
    }
}

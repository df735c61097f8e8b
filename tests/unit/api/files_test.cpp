// SPDX-License-Identifier: BSD-3-Clause
#include "api_fixture.h"

using namespace bivouac;

namespace {

const std::string kPrivateNote = "https://vendor.example/types/note/v0";

struct Album : ApiHome {
    const HawkKey full = full_app();
    const HawkKey narrow = app({type::kStatusBase});
    const HawkKey bobs = peer(bob);

    std::string named(const Post& post, const std::string& name) const
    {
        return post_path(post) + "/attachments/" + name;
    }

    Post note_with(std::vector<Attachment> files, bool is_public = false)
    {
        Post draft;
        draft.type = kPrivateNote + "#";
        draft.content = "{}";
        draft.permissions.is_public = is_public;
        draft.attachments = std::move(files);
        return publish(std::move(draft));
    }

    // A copy of a post of Bob's.
    Post copy_with(std::vector<Attachment> files)
    {
        Post post = remote(bob, "bobspost", type::kStatus);
        post.content = R"({"text":"t"})";
        post.attachments = std::move(files);
        post.version.id = version_id_of(post);
        write([&](store::WriteTx& tx) -> Result<void> {
            TRY(store::insert_version(tx, self.id, post));
            return {};
        });
        return post;
    }
};

void check_sealed(const net::HttpResponse& response)
{
    CHECK(ApiHome::header(response, "X-Content-Type-Options") == "nosniff");
    CHECK(ApiHome::header(response, "Content-Security-Policy") == "sandbox; default-src 'none'");
}

}  // namespace

TEST_CASE("attachments: found by name, then by digest (section 4.8, check 38)")
{
    Album home;
    auto post = home.publish_with({home.file("onion attachment\n", "dot.png", "image/png")});
    const std::string digest = "sha512t256-e75cea7f8c10d2150dca0f314532dd1ab3b190c66bac742a1a5101eb95afd909";
    for (const char* method : {"GET", "HEAD"}) {
        auto found = home.ask(home.nobody, method, home.named(post, "dot.png"));
        CHECK(found.status == 302);
        CHECK(found.body.empty());
        CHECK(ApiHome::header(found, "Attachment-Digest") == digest);
        CHECK(ApiHome::header(found, "Location") == home.attachment_path(home.self.entity, digest));

        for (const std::string& target : {home.attachment_path(home.self.entity, digest),
                                          home.attachment_path(home.self.entity, digest.substr(11))}) {
            auto file = home.ask(home.nobody, method, target);
            CHECK(file.status == 200);
            CHECK(ApiHome::body(file) == "onion attachment\n");
            CHECK(ApiHome::header(file, "Content-Type") == "image/png");
            CHECK(ApiHome::header(file, "Content-Disposition") == "inline; filename=\"dot.png\"");
            CHECK(ApiHome::header(file, "Cache-Control") == "private, max-age=31557600");
            CHECK(ApiHome::header(file, "ETag") == "\"51zqf4wQ0hUNyg8xRTLdGrOxkMZrrHQqGlEB65Wv2Qk\"");
            CHECK(ApiHome::header(file, "Accept-Ranges") == "bytes");
            check_sealed(file);
        }
    }
    for (const std::string& target :
         {home.named(post, "other.png"), home.post_path(home.self.entity, "absent") + "/attachments/dot.png",
          home.named(post, "dot.png") + "?version=sha512t256-" + std::string(64, '0'),
          home.attachment_path(home.self.entity, "sha512t256-" + std::string(64, '0')),
          home.attachment_path(home.self.entity, "x"), home.attachment_path(home.bob, digest)})
        CHECK(home.get(home.nobody, target).status == 404);
}

TEST_CASE("attachments: private ones are absent for strangers and for apps without the type (section 4.8, check 38)")
{
    Album home;
    auto post = home.note_with({home.file("secret", "a.txt")});
    const std::string by_digest = home.attachment_path(home.self.entity, post.attachments[0].digest);
    for (const HawkKey& who : {home.nobody, home.narrow, home.bobs}) {
        CHECK(home.get(who, home.named(post, "a.txt")).status == 404);
        CHECK(home.get(who, by_digest).status == 404);
    }
    CHECK(home.get(home.full, home.named(post, "a.txt")).status == 302);
    CHECK(ApiHome::body(home.get(home.full, by_digest)) == "secret");
    const HawkKey note_app = home.app({kPrivateNote});
    CHECK(home.get(note_app, home.named(post, "a.txt")).status == 302);
    CHECK(ApiHome::body(home.get(note_app, by_digest)) == "secret");
    // Whoever is named may read.
    auto for_bob = home.publish_with({home.file("for bob", "b.txt")}, false, {home.bob});
    CHECK(ApiHome::body(home.get(home.bobs, home.attachment_path(home.self.entity, for_bob.attachments[0].digest))) ==
          "for bob");
}

TEST_CASE("attachments: of several of one name Accept chooses; without it the first (section 4.8, ruling 25)")
{
    Album home;
    auto post = home.publish_with({home.file("text", "a", "text/plain; charset=utf-8"), home.file("png", "a", "image/png"),
                                   home.file("jpeg", "a", "image/jpeg"), home.file("other", "b", "video/mp4")});
    auto digest = [&](const std::string& accept) {
        auto headers = accept.empty() ? std::vector<net::Header>{} : std::vector<net::Header>{{"Accept", accept}};
        auto found = home.get(home.nobody, home.named(post, "a"), headers);
        return found.status == 302 ? ApiHome::header(found, "Attachment-Digest") : std::to_string(found.status);
    };
    CHECK(digest("") == post.attachments[0].digest);
    CHECK(digest("*/*") == post.attachments[0].digest);
    CHECK(digest("image/*") == post.attachments[1].digest);
    CHECK(digest("image/png;q=0.4, image/jpeg;q=0.5, */*;q=0.1") == post.attachments[2].digest);
    CHECK(digest("image/jpeg, text/plain") == post.attachments[0].digest);
    CHECK(digest("text/plain;q=0, */*") == post.attachments[1].digest);
    CHECK(digest("video/mp4") == "404");
    CHECK(ApiHome::header(home.get(home.nobody, home.named(post, "a")), "Vary") == "Accept");
}

TEST_CASE("attachments: a plus in a name is a plus, or a space when nothing has the plus")
{
    Album home;
    auto post = home.publish_with({home.file("plus", "a+b.txt"), home.file("space", "a b.txt"), home.file("spaces", "c d.txt")});
    auto found = [&](const std::string& name) {
        return ApiHome::header(home.get(home.nobody, home.named(post, name)), "Attachment-Digest");
    };
    CHECK(found("a+b.txt") == post.attachments[0].digest);
    CHECK(found("a%2Bb.txt") == post.attachments[0].digest);
    CHECK(found("a%20b.txt") == post.attachments[1].digest);
    CHECK(found("c+d.txt") == post.attachments[2].digest);
}

TEST_CASE("attachments: those of an older version are found by the version (section 4.8)")
{
    Album home;
    auto first = home.publish_with({home.file("old", "a.txt")});
    home.clock.now += 1000;
    Post next = home.status(true);
    next.id = first.id;
    next.published_at = first.published_at;
    next.version.parents.push_back({first.version.id, "", "", ""});
    next.attachments = {home.file("new", "a.txt")};
    auto second = home.publish(next);
    REQUIRE(second.version.id != first.version.id);
    auto digest = [&](const std::string& query) {
        return ApiHome::header(home.get(home.nobody, home.named(first, "a.txt") + query), "Attachment-Digest");
    };
    CHECK(digest("") == second.attachments[0].digest);
    CHECK(digest("?version=latest") == second.attachments[0].digest);
    CHECK(digest("?version=" + first.version.id) == first.attachments[0].digest);
    CHECK(digest("?version=" + first.version.id.substr(11)) == first.attachments[0].digest);
}

TEST_CASE("attachments: who is signed is sent on with a bewit for that address alone (section 5.7, ruling 24)")
{
    Album home;
    auto post = home.note_with({home.file("secret", "a.txt"), home.file("other", "b.txt")});
    const HawkKey note_app = home.app({kPrivateNote});
    const std::string location = ApiHome::header(home.get(note_app, home.named(post, "a.txt")), "Location");
    REQUIRE(location.find("bewit=") != std::string::npos);
    CHECK(location.starts_with(home.attachment_path(home.self.entity, post.attachments[0].digest)));
    // Nothing else is needed, and a header that is no good does no harm.
    CHECK(ApiHome::body(home.get(home.nobody, location)) == "secret");
    CHECK(ApiHome::body(home.ask(home.nobody, "HEAD", location)) == "secret");
    CHECK(ApiHome::body(home.get(home.nobody, location, {{"Authorization", "Hawk id=\"x\", ts=\"1\", nonce=\"n\", mac=\"m\""}})) ==
          "secret");
    CHECK(ApiHome::body(home.get(note_app, location)) == "secret");
    // Another method, another file, another post, a longer life: no.
    CHECK(home.ask(home.nobody, "PUT", location).status == 403);
    for (const auto& [from, to] : {std::pair(post.attachments[0].digest, post.attachments[1].digest),
                                   std::pair(post.id, std::string(22, 'A')), std::pair(std::string("?post="), std::string("?tsop="))}) {
        std::string changed = location;
        changed.replace(changed.find(from), from.size(), to);
        CHECK(home.get(home.nobody, changed).status == 403);
    }
    const std::string bewit = location.substr(location.find("bewit="));
    CHECK(home.get(home.nobody, home.post_path(post) + "?" + bewit).status == 403);
    CHECK(home.get(home.nobody, "/posts?" + bewit).status == 403);
    home.clock.now += 9 * 60'000;
    CHECK(home.get(home.nobody, location).status == 200);
    home.clock.now += 2 * 60'000;
    CHECK(home.get(home.nobody, location).status == 403);
    // It ends with the post.
    const std::string another = ApiHome::header(home.get(note_app, home.named(post, "a.txt")), "Location");
    CHECK(home.ask(home.full, "DELETE", home.post_path(post)).status == 200);
    CHECK(home.get(home.nobody, another).status == 404);
}

TEST_CASE("attachments: a narrow app does not learn how a private post calls the same bytes")
{
    Album home;
    auto open = home.publish_with({home.file("bytes", "open.txt")});
    home.clock.now += 1000;
    auto hidden = home.note_with({home.file("bytes", "hidden-name.html", "text/html")});
    REQUIRE(open.attachments[0].digest == hidden.attachments[0].digest);
    const std::string location = ApiHome::header(home.get(home.narrow, home.named(open, "open.txt")), "Location");
    for (const auto& response : {home.get(home.nobody, location), home.get(home.narrow, location),
                                 home.get(home.narrow, home.attachment_path(home.self.entity, open.attachments[0].digest))}) {
        CHECK(response.status == 200);
        CHECK(ApiHome::header(response, "Content-Disposition") == "inline; filename=\"open.txt\"");
        CHECK(ApiHome::header(response, "Content-Type") == "text/plain");
    }
    CHECK(ApiHome::header(home.get(home.full, home.attachment_path(home.self.entity, open.attachments[0].digest)),
                          "Content-Type") == "text/html");
}

TEST_CASE("attachments: those of other people's posts are for apps (section 4.4)")
{
    Album home;
    auto copy = home.copy_with({home.file("bob's", "b.txt")});
    const std::string by_digest = home.attachment_path(home.bob, copy.attachments[0].digest);
    for (const HawkKey& who : {home.nobody, home.bobs}) {
        CHECK(home.get(who, home.named(copy, "b.txt")).status == 404);
        CHECK(home.get(who, by_digest).status == 404);
    }
    CHECK(ApiHome::body(home.get(home.full, by_digest)) == "bob's");
    auto found = home.get(home.full, home.named(copy, "b.txt"));
    CHECK(found.status == 302);
    CHECK(ApiHome::body(home.get(home.nobody, ApiHome::header(found, "Location"))) == "bob's");
}

TEST_CASE("attachments: one range of bytes (section 4.8)")
{
    Album home;
    const std::string bytes = system_random().bytes(200'000);
    auto post = home.publish_with({home.file(bytes, "a.bin", "application/octet-stream")});
    const std::string target = home.attachment_path(home.self.entity, post.attachments[0].digest);
    const std::string etag = ApiHome::header(home.get(home.nobody, target), "ETag");
    struct Case {
        const char* range;
        size_t offset, length;
    };
    for (const HawkKey& who : {home.nobody, home.full})
        for (const auto& [range, offset, length] :
             {Case{"bytes=0-0", 0, 1}, Case{"bytes=65530-65545", 65'530, 16}, Case{"bytes=199990-", 199'990, 10},
              Case{"bytes=-7", 199'993, 7}, Case{"bytes=100-999999", 100, 199'900}, Case{"bytes=0-", 0, 200'000}}) {
            CAPTURE(range);
            auto part = home.get(who, target, {{"Range", range}});
            CHECK(part.status == 206);
            CHECK(ApiHome::header(part, "Content-Range") == "bytes " + std::to_string(offset) + "-" +
                                                                std::to_string(offset + length - 1) + "/200000");
            CHECK(ApiHome::body(part) == bytes.substr(offset, length));
            CHECK(ApiHome::header(part, "ETag") == etag);
            CHECK(ApiHome::header(part, "Accept-Ranges") == "bytes");
            check_sealed(part);
            CHECK(home.get(who, target, {{"Range", range}, {"If-Range", etag}}).status == 206);
            CHECK(home.get(who, target, {{"Range", range}, {"If-Range", "W/" + etag}}).status == 200);
            CHECK(home.get(who, target, {{"Range", range}, {"If-Range", "\"other\""}}).status == 200);
            CHECK(home.get(who, target, {{"Range", range}, {"If-None-Match", etag}}).status == 304);
            CHECK(home.get(who, target, {{"Range", range}, {"If-None-Match", "\"other\""}}).status == 200);
            auto head = home.ask(who, "HEAD", target, {{"Range", range}});
            CHECK(head.status == 200);
            CHECK_FALSE(head.header("Content-Range"));
        }
    for (const char* range : {"bytes=200000-", "bytes=-0", "bytes=300000-400000"}) {
        auto none = home.get(home.nobody, target, {{"Range", range}});
        CHECK(none.status == 416);
        CHECK(ApiHome::header(none, "Content-Range") == "bytes */200000");
        CHECK(ApiHome::header(none, "Content-Type") == mime::kError);
    }
    std::string thousands = "bytes=0-0";
    while (thousands.size() < 15'000)
        thousands += ",1-2";
    for (const std::string& range : {thousands, std::string("bytes=0-0,2-3"), std::string("bytes=x"), std::string("lines=1-2")}) {
        auto whole = home.get(home.nobody, target, {{"Range", range}});
        CHECK(whole.status == 200);
        CHECK(ApiHome::body(whole) == bytes);
    }
}

TEST_CASE("attachments: an answer of up to 1 MiB is signed with its hash, a larger one is streamed (section 5.4, ruling 9)")
{
    Album home;
    for (size_t size : {size_t(0), size_t(1), size_t(1) << 20, (size_t(1) << 20) + 1}) {
        CAPTURE(size);
        const std::string bytes(size, 'x');
        auto post = home.publish_with({home.file(bytes, "a.txt")});
        const std::string target = home.attachment_path(home.self.entity, post.attachments[0].digest);
        auto response = home.get(home.full, target);
        CHECK(response.status == 200);
        CHECK(ApiHome::body(response) == bytes);
        const bool hashed = ApiHome::header(response, "Server-Authorization").find("hash=") != std::string::npos;
        CHECK(hashed == (size > 0 && size <= 1u << 20));
        CHECK(response.large.has_value() == (size > 1u << 20));
        CHECK(home.get(home.nobody, target).large.has_value());
    }
}

TEST_CASE("attachments: hostile files come as downloads and never run in our origin (section 4.8)")
{
    Album home;
    const std::string script = "<script>alert(1)</script>";
    for (const char* type : {"text/html", "image/svg+xml", "application/xml", "text/javascript", "application/pdf", "text/css"}) {
        auto post = home.publish_with({home.file(script, "\"><b>.html\r\n", type)});
        auto response = home.get(home.nobody, home.attachment_path(home.self.entity, post.attachments[0].digest));
        CHECK(ApiHome::header(response, "Content-Disposition") ==
              "attachment; filename=\"_><b>.html__\"; filename*=UTF-8''%22%3E%3Cb%3E.html__");
        CHECK(ApiHome::header(response, "Content-Type") == type);
        check_sealed(response);
        home.clock.now += 1000;
    }
}

// SPDX-License-Identifier: BSD-3-Clause
// Several requests in one, over a real store.
#include <doctest/doctest.h>

#include <map>
#include <set>

#include <bivouac/model/limits.h>
#include <bivouac/net/multipart.h>
#include <bivouac/net/request_head.h>

#include "api_fixture.h"

using namespace bivouac;

namespace {

constexpr const char* kMixed = "multipart/mixed; boundary=\"b\"";

struct Inner {
    int status = 0;
    std::string body;
    std::string head;
};

struct Batch : ApiHome {
    std::set<std::string> heads = {"<response-head>"};  // answers to HEAD tell the length of what they leave out

    // The text of a part: its request, signed by `key` for the outer host, which it does not name.
    std::string part(const std::string& id, const HawkKey& key, const std::string& method, const std::string& target,
                     const std::string& type = "", const std::string& body = "")
    {
        std::string out = "--b\r\nContent-Type: application/http\r\n";
        if (!id.empty())
            out += "Content-ID: " + id + "\r\n";
        out += "\r\n" + method + " " + target + " HTTP/1.1\r\n";
        if (!key.id.empty())
            out += "Authorization: " + authorization(key, method, target, type, body) + "\r\n";
        if (!type.empty())
            out += "Content-Type: " + type + "\r\n";
        return out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body + "\r\n";
    }
    std::string raw(const std::string& request) { return "--b\r\nContent-Type: application/http\r\n\r\n" + request + "\r\n"; }

    net::HttpResponse send(const std::string& parts, const HawkKey& key = {}, const char* type = kMixed)
    {
        return ask(key, "POST", "/batch", {{"Content-Type", type}}, parts + "--b--\r\n");
    }

    // By the Content-ID of the answers; those without one by their number.
    std::map<std::string, Inner> read(const net::HttpResponse& response)
    {
        REQUIRE(response.status == 200);
        const std::string type = header(response, "Content-Type");
        const std::string before = "multipart/mixed; boundary=\"";
        REQUIRE(type.starts_with(before));
        REQUIRE(type.ends_with("\""));
        std::map<std::string, Inner> out;
        std::string id, text;
        auto begin = [&](const net::PartHead& head) -> Result<void> {
            CHECK(head.content_type == "application/http");
            id = head.content_id.empty() ? std::to_string(out.size()) : head.content_id;
            text.clear();
            return {};
        };
        auto data = [&](std::string_view bytes) -> Result<void> {
            text += bytes;
            return {};
        };
        auto end = [&]() -> Result<void> {
            Inner inner;
            const size_t blank = text.find("\r\n\r\n");
            REQUIRE(blank != std::string::npos);
            inner.head = text.substr(0, blank + 2);
            inner.body = text.substr(blank + 4);
            REQUIRE(inner.head.starts_with("HTTP/1.1 "));
            inner.status = std::stoi(inner.head.substr(9));
            const std::string length = "Content-Length: " + std::to_string(inner.body.size()) + "\r\n";
            CHECK((inner.head.find(length) != std::string::npos || heads.count(id) != 0));
            CHECK(out.emplace(id, inner).second);
            return {};
        };
        net::MultipartReader reader(type.substr(before.size(), type.size() - before.size() - 1), {begin, data, end},
                                    net::MultipartKind::Mixed);
        REQUIRE(reader.feed(response.body).ok());
        REQUIRE(reader.finish().ok());
        return out;
    }

    // The status of the only answer.
    int one(const std::string& parts)
    {
        auto answers = read(send(parts));
        REQUIRE(answers.size() == 1);
        return answers.begin()->second.status;
    }
};

}  // namespace

TEST_CASE("batch: each request is served as if it had come alone, and its answer is found by Content-ID (section 4.11)")
{
    Batch home;
    auto app = home.full_app();
    Post post = home.publish(home.status(true));
    const std::string type = std::string(mime::kPost) + "; type=\"" + type::kStatus + "\"";
    const std::string written = R"({"type":"https://tent.io/types/status/v0#","content":{"text":"in a batch"}})";
    auto answers = home.read(home.send(home.part("<1>", app, "GET", home.post_path(post)) +
                                       home.part("<2>", app, "POST", "/posts", type, written) +
                                       home.part("3", {}, "GET", "/posts/unknown/unknown") +
                                       home.part("<head>", {}, "HEAD", "/posts") + home.part("", {}, "GET", "/server")));
    REQUIRE(answers.size() == 5);
    CHECK(answers["<response-1>"].status == 200);
    CHECK(Json::parse(answers["<response-1>"].body)["post"]["id"] == post.id);
    CHECK(answers["<response-1>"].head.find("Server-Authorization: Hawk mac=") != std::string::npos);
    CHECK(answers["<response-2>"].status == 200);
    CHECK(Json::parse(answers["<response-2>"].body)["post"]["content"]["text"] == "in a batch");
    CHECK(answers["response-3"].status == 404);
    CHECK(answers["<response-head>"].status == 200);
    CHECK(answers["4"].status == 200);
    auto feed = home.get(app, "/posts");
    CHECK(feed.body.find("in a batch") != std::string::npos);
}

TEST_CASE("batch: the outer signature gives the inner requests nothing (section 4.11)")
{
    Batch home;
    auto app = home.full_app();
    Post secret = home.publish(home.status(false));
    const std::string where = home.post_path(secret);
    CHECK(home.read(home.send(home.part("<1>", {}, "GET", where), app))["<response-1>"].status == 404);
    CHECK(home.read(home.send(home.part("<1>", app, "GET", where)))["<response-1>"].status == 200);
    // A key that is wrong, and one that is right but used twice in one batch.
    HawkKey wrong = app;
    wrong.key = "guessed";
    CHECK(home.one(home.part("", wrong, "GET", where)) == 403);
    const std::string twice = home.part("", app, "GET", where);
    auto answers = home.read(home.send(twice + twice));
    REQUIRE(answers.size() == 2);
    CHECK(answers["0"].status + answers["1"].status == 200 + 403);
}

TEST_CASE("batch: what is not a batch is refused whole (section 4.11)")
{
    Batch home;
    const std::string good = home.part("<1>", {}, "GET", "/posts");
    auto status = [&](const std::string& parts, const char* type = kMixed) { return home.send(parts, {}, type).status; };
    CHECK(status(good) == 200);
    CHECK(status(good, "multipart/form-data; boundary=b") == 415);
    CHECK(status(good, "application/json") == 415);
    CHECK(status(good, "multipart/mixed") == 400);
    CHECK(status(good, "multipart/mixed; boundary=other") == 400);
    CHECK(status("") == 400);
    CHECK(status("--b\r\nContent-Type: text/plain\r\n\r\nGET / HTTP/1.1\r\n\r\n\r\n") == 400);
    CHECK(status(home.part("<" + std::string(300, 'x') + ">", {}, "GET", "/posts")) == 400);
    CHECK(home.ask({}, "POST", "/batch", {{"Content-Type", kMixed}}, good).status == 400);  // it does not end
    CHECK(home.ask({}, "POST", "/batch", {{"Content-Type", kMixed}}, "").status == 400);
    CHECK(home.ask({}, "GET", "/batch").status == 404);
    std::string many;
    for (size_t i = 0; i < limits::kBatchRequests; ++i)
        many += home.part("", {}, "GET", "/server");
    CHECK(home.read(home.send(many)).size() == limits::kBatchRequests);
    CHECK(status(many + home.part("", {}, "GET", "/server")) == 400);
}

TEST_CASE("batch: a broken request in it fails alone (section 4.11)")
{
    Batch home;
    const std::string good = home.part("<good>", {}, "GET", "/posts");
    for (const char* broken :
         {"", "GET /posts HTTP/1.1\r\n", "GET /posts\r\n\r\n", "\r\n\r\n", "GET /posts HTTP/1.1\r\nContent-Length: 5\r\n\r\nabc",
          "GET /posts HTTP/1.1\r\nContent-Length: 1\r\n\r\nabc", "GET /posts HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
          "GET /posts HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
          "POST /posts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
          "GET http://elsewhere.onion/posts HTTP/1.1\r\n\r\n", "GET /posts HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
          "GET /po\x01sts HTTP/1.1\r\n\r\n"}) {
        CAPTURE(broken);
        auto answers = home.read(home.send(home.raw(broken) + good));
        REQUIRE(answers.size() == 2);
        CHECK(answers["<response-good>"].status == 200);
        answers.erase("<response-good>");
        CHECK(answers.begin()->second.status >= 400);
        CHECK(answers.begin()->second.status < 500);
    }
}

TEST_CASE("batch: no batches and no OAuth inside, and another host is none of ours (sections 4.11 and 4.13)")
{
    Batch home;
    auto app = home.full_app();
    CHECK(home.one(home.part("", app, "POST", "/batch", kMixed, "--b--\r\n")) == 400);
    CHECK(home.one(home.part("", {}, "GET", "/oauth/authorize?client_id=x")) == 404);
    CHECK(home.one(home.part("", app, "POST", "/oauth/token", "application/json", R"({"code":"x"})")) == 404);
    // The MAC is over the outer request's host, whatever the part says (it need not say any).
    Post post = home.publish(home.status(false));
    const std::string where = home.post_path(post);
    CHECK(home.one(home.raw("GET " + where + " HTTP/1.1\r\nHost: other.onion\r\nAuthorization: " +
                            home.authorization(app, "GET", where) + "\r\n\r\n")) == 200);
}

TEST_CASE("batch: answers that are too large together are refused one by one (section 4.11)")
{
    Batch home;
    auto app = home.full_app();
    const auto big = home.file(std::string(7u << 20, 'x'), "big");
    Post post = home.publish_with({big});
    const std::string where = home.attachment_path(post.entity, big.digest);
    std::string parts;
    for (int i = 0; i < 4; ++i)
        parts += home.part("", app, "GET", where);
    parts += home.part("<head>", app, "HEAD", where);
    auto answers = home.read(home.send(parts));
    REQUIRE(answers.size() == 5);
    int whole = 0, refused = 0;
    for (const auto& [id, inner] : answers) {
        whole += inner.status == 200 && inner.body.size() == 7u << 20;
        refused += inner.status == 413;
    }
    CHECK(whole == 2);
    CHECK(refused + (answers["<response-head>"].status == 200) >= 2);
}

// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include "form.h"

using namespace bivouac;
using namespace bivouac::pages;

namespace {

net::HttpRequest request(std::string type, std::string body)
{
    net::HttpRequest out;
    out.method = "POST";
    out.headers.push_back({"Content-Type", std::move(type)});
    out.body = Spool::of_text(body);
    return out;
}

std::string part(const std::string& disposition, const std::string& type, const std::string& body)
{
    return "--xx\r\nContent-Disposition: form-data; " + disposition + "\r\n" +
           (type.empty() ? "" : "Content-Type: " + type + "\r\n") + "\r\n" + body + "\r\n";
}

}  // namespace

TEST_CASE("an urlencoded form: plus, percent, line ends, several values, what is missing")
{
    auto form = parse_urlencoded("a=1+2%203&b=&a=4&c&text=one%0D%0Atwo");
    REQUIRE(form.ok());
    CHECK(form->get("a") == "1 2 3");
    CHECK(form->all("a") == std::vector<std::string>{"1 2 3", "4"});
    CHECK(form->has("b"));
    CHECK(form->has("c"));
    CHECK(!form->has("d"));
    CHECK(form->get("text") == "one\ntwo");
    CHECK(parse_urlencoded("").ok());
}

TEST_CASE("an urlencoded form that is none: broken escapes, bytes that are no text, too many fields, too much")
{
    CHECK(!parse_urlencoded("a=%").ok());
    CHECK(!parse_urlencoded("a=%zz").ok());
    CHECK(!parse_urlencoded("a=%ff").ok());
    std::string many;
    for (size_t i = 0; i <= kFormFields; ++i)
        many += "a=1&";
    CHECK(!parse_urlencoded(many).ok());
    CHECK(parse_urlencoded(std::string(kFormTextBytes + 1, 'a')).error().kind == ErrorKind::TooLarge);
}

TEST_CASE("a multipart form: fields, files, an input without a file")
{
    auto form = read_form(request("multipart/form-data; boundary=xx",
                                  part("name=\"text\"", "", "hello\r\nyou") +
                                      part("name=\"files\"; filename=\"a.png\"", "image/png", "PNG") +
                                      part("name=\"avatar\"; filename=\"\"", "application/octet-stream", "") + "--xx--\r\n"),
                          1000, "/nowhere");
    REQUIRE(form.ok());
    CHECK(form->get("text") == "hello\nyou");
    REQUIRE(form->files.size() == 1);
    CHECK(form->files[0].field == "files");
    CHECK(form->files[0].name == "a.png");
    CHECK(form->files[0].bytes->size() == 3);
}

TEST_CASE("a multipart form over the limits, cut off, or of another kind")
{
    const std::string begin = "multipart/form-data; boundary=xx";
    const std::string big = part("name=\"f\"; filename=\"a\"", "text/plain", std::string(1001, 'x')) + "--xx--\r\n";
    CHECK(read_form(request(begin, big), 1000, "/nowhere").error().kind == ErrorKind::TooLarge);
    CHECK(read_form(request(begin, big), 1001, "/nowhere").ok());
    CHECK(!read_form(request(begin, big.substr(0, 500)), 2000, "/nowhere").ok());
    CHECK(!read_form(request("multipart/form-data", big), 2000, "/nowhere").ok());
    CHECK(!read_form(request("application/json", "{}"), 2000, "/nowhere").ok());
    CHECK(read_form(request(begin, part("name=\"t\"", "", std::string(kFormTextBytes + 1, 'x')) + "--xx--\r\n"), 1000, "/nowhere").error().kind ==
          ErrorKind::TooLarge);
}

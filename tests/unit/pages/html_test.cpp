// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/html/html.h>

#include "post_view.h"

using namespace bivouac;
using namespace bivouac::pages;

namespace {

std::string text(std::string_view input) { return Html().text(input).take(); }

std::string post_text(std::string_view input)
{
    return Html().post_text(input, {}, {}).take();
}

}  // namespace

TEST_CASE("text is text, whatever it holds")
{
    CHECK(text("<script>alert('x')</script> & \"y\"") == "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;y&quot;");
    CHECK(text("a\x01\x7f") == "a\xef\xbf\xbd\xef\xbf\xbd");
    CHECK(text("\xe2\x80\xae" "evil") == "\xef\xbf\xbd" "evil");     // U+202E
    CHECK(text("\xd8\x9c\xc2\x85") == "\xef\xbf\xbd\xef\xbf\xbd");   // U+061C, U+0085
    CHECK(text("\xd8\xa7\xc2\xa0\xe2\x82\xac") == "\xd8\xa7\xc2\xa0\xe2\x82\xac");
    CHECK(text("") == "");
}

TEST_CASE("the text of a post cannot leave its place")
{
    CHECK(post_text("<b>no</b> *yes*") == "&lt;b&gt;no&lt;/b&gt; <strong>yes</strong>");
    CHECK(post_text("[x](javascript:alert(1))").find("javascript:alert(1)\"") == std::string::npos);
    CHECK(post_text("a \xe2\x80\xae b") == "a \xef\xbf\xbd b");
    CHECK(post_text("\xd7\xa9\xe2\x80\x8f!") == "\xd7\xa9\xe2\x80\x8f!");  // U+200F is for people who write right to left
}

TEST_CASE("what was made of a text is made again when anything that it depends on differs")
{
    auto made = [](const std::string& text, const std::vector<markdown::Mention>& mentions, const markdown::HtmlOptions& options) {
        return Html().post_text(text, mentions, options).take();
    };
    const std::string text = "^[her](0) #tag";
    const markdown::Mention alice{"http://alice.example", "", false}, bob{"http://bob.example", "", false}, hidden{"http://alice.example", "", true};
    for (int turn = 0; turn < 2; ++turn) {
        CHECK(made(text, {alice}, {"", ""}).find("alice.example") != std::string::npos);
        CHECK(made(text, {bob}, {"", ""}).find("bob.example") != std::string::npos);
        CHECK(made(text, {bob}, {"", ""}).find("alice.example") == std::string::npos);
        CHECK(made(text, {hidden}, {"", ""}).find("alice.example") == std::string::npos);
        CHECK(made(text, {alice}, {"", "/at?entity="}).find("/at?entity=") != std::string::npos);
        CHECK(made(text, {alice}, {"/tag?name=", ""}).find("/tag?name=") != std::string::npos);
        CHECK(made(text, {alice}, {"", ""}).find("/tag?name=") == std::string::npos);
    }
    // More than is kept, and a text that is too large for it.
    for (int i = 0; i < 3000; ++i) {
        const std::string number = std::to_string(i % 1500);
        CHECK(made("*" + number + "* " + std::string(200, 'x'), {}, {"", ""}).starts_with("<strong>" + number + "</strong>"));
    }
    const std::string large(40'000, 'y');
    CHECK(made(large, {}, {"", ""}) == made(large, {}, {"", ""}));
}

TEST_CASE("HTML of others becomes plain text")
{
    CHECK(text_of_html("<p>one</p><p>two &amp; three<br>four</p>") == "one\n\ntwo & three\nfour");
    CHECK(text_of_html("<script>x</script>") == "x");
    CHECK(text_of_html("1 < 2") == "1 < 2");
    CHECK(text_of_html("<<p>>") == ">");
    CHECK(text_of_html("&lt;script&gt;") == "<script>");  // text, to be escaped again
    CHECK(text_of_html("") == "");
}

TEST_CASE("texts are cut at characters")
{
    CHECK(cut("a\xc3\xa9", 2) == "a");
    CHECK(cut("a\xc3\xa9", 3) == "a\xc3\xa9");
    CHECK(cut("", 0) == "");
}

TEST_CASE("addresses are short, and placeholders are filled")
{
    CHECK(short_entity("http://abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcd.onion") == "abcdefgh\u2026abcd");
    CHECK(format("{1} of {0}, {2}", {"a", "b"}) == "b of a, ");
    CHECK(format("{", {"a"}) == "{");
    CHECK(format("{x} {0", {"a"}) == "{x} {0");
}

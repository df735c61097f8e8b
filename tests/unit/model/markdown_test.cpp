// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/model/markdown.h>

using namespace bivouac;
using namespace bivouac::markdown;
using Kind = Span::Kind;

namespace {

const std::vector<Mention> kMentions = {
    {"http://b.onion", "", false}, {"http://c.onion/path", "Xk3v", false}, {"http://d.onion", "", true}};

std::string html(const std::string& text)
{
    return render(text, kMentions);
}

std::string plain(const std::string& text)
{
    return to_plain_text(parse(text));
}

std::string link(const std::string& url, const std::string& text)
{
    return "<a href=\"" + url + "\" rel=\"nofollow noreferrer\">" + text + "</a>";
}

std::string repeated(const std::string& text, size_t times)
{
    std::string out;
    for (size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

size_t depth_of(const std::vector<Span>& spans)
{
    size_t deepest = 0;
    for (const auto& span : spans)
        deepest = std::max(deepest, depth_of(span.children) + 1);
    return deepest;
}

size_t count_of(const std::vector<Span>& spans)
{
    size_t count = spans.size();
    for (const auto& span : spans)
        count += count_of(span.children);
    return count;
}

}  // namespace

TEST_CASE("markdown: bold, italic, struck and code (section 12.2)")
{
    CHECK(html("a *b* c") == "a <strong>b</strong> c");
    CHECK(html("_a_") == "<em>a</em>");
    CHECK(html("~a b~.") == "<del>a b</del>.");
    CHECK(html("`*a* <b>`") == "<code>*a* &lt;b&gt;</code>");
    CHECK(html("*a _b ~c~ d_ e*") == "<strong>a <em>b <del>c</del> d</em> e</strong>");
    CHECK(html("(*a*)") == "(<strong>a</strong>)");
    CHECK(html("*a\nb*") == "<strong>a<br>b</strong>");
    CHECK(html("**a**") == "*<strong>a</strong>*");
}

TEST_CASE("markdown: markers inside words, between spaces or without a partner are text")
{
    for (const char* text : {"snake_case_name", "2 * 3 * 4", "2*3*4", "a * b", "*a", "a*", "_", "**", "***", "~~", "``",
                             "`a", "a`", "*a\n\nb*", "`a\nb`", "* a *", "a_b_", "[a]", "[a] (b)", "](", "[](http://x.example)"}) {
        CAPTURE(text);
        CHECK(plain(text).find_first_not_of(text) == std::string::npos);
        for (const auto& span : parse(text))
            CHECK((span.kind == Kind::Text || span.kind == Kind::LineBreak || span.kind == Kind::Link));
        CHECK(html(text).find("<strong>") == std::string::npos);
        CHECK(html(text).find("<em>") == std::string::npos);
        CHECK(html(text).find("<code>") == std::string::npos);
    }
    CHECK(html("*a *b*") == "*a <strong>b</strong>");
    CHECK(html("*a _b* c_") == "<strong>a _b</strong> c_");
    CHECK(html("2*3*4") == "2*3*4");
}

TEST_CASE("markdown: a backslash takes the meaning from a marker (section 12.2)")
{
    CHECK(html("\\*a\\* \\_b\\_ \\~c\\~ \\`d\\` \\[e\\]\\(f\\) \\\\") == "*a* _b_ ~c~ `d` [e](f) \\");
    CHECK(html("*a\\*b*") == "<strong>a*b</strong>");
    CHECK(html("\\a \\> \\") == "\\a \\&gt; \\");
    CHECK(html("`\\*`") == "<code>\\*</code>");
    CHECK(html("[a\\]b](http://x.example/\\))") == link("http://x.example/)", "a]b"));
    CHECK(html("^\\[a](0)") == "^[a](0)");
}

TEST_CASE("markdown: mentions lead to the entity, or by a tent: link to the post (section 12.2)")
{
    CHECK(html("hi ^[Bruno](0)!") == "hi " + link("http://b.onion", "Bruno") + "!");
    CHECK(html("^[it](1)") == link("tent+http://c.onion/path?post=Xk3v", "it"));
    auto spans = parse("^[*x* y](12)");
    REQUIRE(spans.size() == 1);
    CHECK(spans[0].kind == Kind::Mention);
    CHECK(spans[0].text == "x y");
    CHECK(spans[0].mention == 12);
}

TEST_CASE("markdown: a mention that is hidden, or not there, is plain text (section 12.2)")
{
    CHECK(html("^[D & co](2)") == "D &amp; co");
    CHECK(html("^[E](3)") == "E");
    CHECK(html("^[E](999999)") == "E");
    CHECK(html("^[E](9999999)") == "^[E](9999999)");
    CHECK(html("^[E](-1)") == "^[E](-1)");
    CHECK(html("^[E]()") == "^[E]()");
    CHECK(html("^[](0)") == "^[](0)");
    CHECK(html("[E](0)") == "[E](0)");
    CHECK(render("^[E](0)", {{"", "", false}}) == "E");
    CHECK(render("^[E](0)", {{"javascript:alert(1)", "", false}}) == "E");
    CHECK(render("^[E](0)", {{"http://b.onion/'x", "", false}}) == link("http://b.onion/&#39;x", "E"));
}

TEST_CASE("markdown: links (section 12.2)")
{
    CHECK(html("[a b](http://x.example/?q=1&r=2)") == link("http://x.example/?q=1&amp;r=2", "a b"));
    CHECK(html("[a](https://x.example/Foo_(bar))") == link("https://x.example/Foo_(bar)", "a"));
    CHECK(html("[a](tent+http://b.onion?post=x)") == link("tent+http://b.onion?post=x", "a"));
    CHECK(html("[a](mailto:a@x.example)") == link("mailto:a@x.example", "a"));
    CHECK(html("[*a* `b`](HTTP://x.example)") == link("HTTP://x.example", "a b"));
    CHECK(html("*[a](http://x.example)*") == "<strong>" + link("http://x.example", "a") + "</strong>");
    CHECK(html("^[a](http://x.example)") == "^" + link("http://x.example", "a"));
    CHECK(html("[x [a](http://x.example) y](http://y.example)") ==
          "[x " + link("http://x.example", "a") + " y](" + link("http://y.example", "http://y.example") + ")");
    CHECK(html("[http://x.example](http://y.example)") == link("http://y.example", "http://x.example"));
    CHECK(html("[#tag](http://y.example)") == link("http://y.example", "#tag"));
}

TEST_CASE("markdown: only a few schemes are links, everything else is text (section 12.2)")
{
    for (const char* target : {"javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:x", "data:text/html,x",
                               "vbscript:x", "file:///etc/passwd", "ftp://x.example", "//x.example", "/path", "x",
                               "http:x", "http://", "https:///x", "mailto:", "", " http", "http ://x", "tent+ftp://x",
                               "http:\\\\x", "&#106;avascript:x"}) {
        CAPTURE(target);
        CHECK_FALSE(is_link_target(target));
        std::string shown = html("[a](" + std::string(target) + ")");
        CHECK(shown.find("<a") == std::string::npos);
        CHECK(shown.starts_with("[a]("));
    }
    // A tree from elsewhere does not get past it either.
    Span forged;
    forged.kind = Kind::Link;
    forged.text = "a";
    forged.url = "javascript:alert(1)";
    CHECK(to_html({forged}, {}) == "a");
    CHECK_FALSE(is_link_target("http://" + std::string(2048, 'x')));
}

TEST_CASE("markdown: HTML is text (section 12.2)")
{
    CHECK(html("<script>alert('x' & \"y\")</script>") ==
          "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)&lt;/script&gt;");
    CHECK(html("&lt;") == "&amp;lt;");
    CHECK(html("[\"><b>](http://x.example/)") == link("http://x.example/", "&quot;&gt;&lt;b&gt;"));
    CHECK(html("[a](http://x.example/\"onclick=)").find("onclick=\"") == std::string::npos);
    CHECK(html("[a](http://x.example/'b)") == link("http://x.example/&#39;b", "a"));
    CHECK(html("`</code>`") == "<code>&lt;/code&gt;</code>");
}

TEST_CASE("markdown: bare addresses are links, without the punctuation around them (section 12.2)")
{
    for (const char* url : {"http://x.example", "https://x.example/a?b=c#d", "tent+http://b.onion?post=x",
                            "http://x.example/a_(b)", "http://x.example/_a_b_c", "http://x.example/\xc3\xa9"})
        for (const char* after : {"", ".", ",", "?!", " and", "\n", ")", "*", "<b>"}) {
            CAPTURE(url);
            CAPTURE(after);
            auto spans = parse("see " + std::string(url) + after);
            REQUIRE(spans.size() >= 2);
            CHECK(spans[1].kind == Kind::Link);
            CHECK(spans[1].url == url);
            CHECK(spans[1].text == url);
        }
    CHECK(html("*http://x.example*") == "<strong>" + link("http://x.example", "http://x.example") + "</strong>");
    CHECK(html("(http://x.example)") == "(" + link("http://x.example", "http://x.example") + ")");
    for (const char* text : {"xhttp://x.example", "http://", "http://.", "http:x", "javascript:alert(1)", "x.example"})
        CHECK_MESSAGE(html(text).find("<a") == std::string::npos, text);
}

TEST_CASE("markdown: hashtags (section 12.2)")
{
    auto tag_of = [](const std::string& text) {
        auto spans = parse(text);
        for (const auto& span : spans)
            if (span.kind == Kind::Hashtag)
                return span.text;
        return std::string();
    };
    CHECK(tag_of("#tor") == "tor");
    CHECK(tag_of("a (#tor_2, b)") == "tor_2");
    CHECK(tag_of("#caf\xc3\xa9!") == "caf\xc3\xa9");
    CHECK(tag_of("#\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82x") == "\xe6\x97\xa5\xe6\x9c\xac");
    CHECK(tag_of("#a\xe2\x80\x99s") == "a");
    for (const char* text : {"#", "#1", "a#b", "# a", "##a", "&#a;", "/#a", "`#a`", "\\#", "#!"})
        CHECK_MESSAGE(tag_of(text).empty(), text);
    CHECK(html("#tor") == "#tor");
    CHECK(to_html(parse("_#caf\xc3\xa9_"), {}, {"/tag?name="}) ==
          "<em>" + link("/tag?name=caf%C3%A9", "#caf\xc3\xa9") + "</em>");
}

TEST_CASE("markdown: line feeds are line breaks, and an empty line stays (section 12.2)")
{
    CHECK(html("a\nb\n\nc") == "a<br>b<br><br>c");
    CHECK(html("a\r\nb") == "a<br>b");
    CHECK(html("\n") == "<br>");
    CHECK(html("").empty());
    CHECK(plain("a\nb\n\nc") == "a\nb\n\nc");
}

TEST_CASE("markdown: block quotes, one in the other (section 12.2)")
{
    CHECK(html("> a\n> b\nc") == "<blockquote>a<br>b</blockquote>c");
    CHECK(html("x\n>a *b*") == "x<blockquote>a <strong>b</strong></blockquote>");
    std::string nested = "<blockquote>a<blockquote>b</blockquote>c</blockquote>";
    CHECK(html("> a\n>> b\n> c") == nested);
    CHECK(html("> a\n> > b\n> c") == nested);
    CHECK(html(">>> a") == "<blockquote><blockquote><blockquote>a</blockquote></blockquote></blockquote>");
    CHECK(html("a > b") == "a &gt; b");
    CHECK(html(" > a") == " &gt; a");
    CHECK(html("\\> a") == "\\&gt; a");
    // Emphasis ends with its quote.
    CHECK(html("> *a\nb*") == "<blockquote>*a</blockquote>b*");
    for (const char* text : {"> a\n> b\nc", "> a\n> > b\n> c", "a\n\n> b\n\nc", "> a\n\n> b", "> a\n", "\n> a"})
        CHECK(plain(text) == text);
}

TEST_CASE("markdown: plain text keeps what a reader needs and nothing that moves a terminal")
{
    CHECK(plain("*a* ^[Bruno](0) [b](http://x.example) http://y.example #tag `c`") ==
          "a Bruno b (http://x.example) http://y.example #tag c");
    CHECK(plain("a\x1b[31mb\x07\x7f\tc\rd\xc2\x9b" "e\xc2\xa0") == "a[31mb\tcde\xc2\xa0");
    CHECK(html(std::string("a\0b", 3)) == "ab");
}

TEST_CASE("markdown: hostile text stays small, flat and quick")
{
    // Quadratic work on any of these would be noticed.
    for (const char* piece :
         {"*", "_", "~", "`", "[", "]", "^[", "(", ")", "\\", ">", "> ", "\n>", "*a ", "*a* ", "*_~", "_a*b~", "[a](",
          "[a](b", "[a](http://x", "^[a](0)", "^[a](0", "http://", "http://x/", "http://x!", "[http://a]",
          "#", "#a", "`a\n", "[[a](http://x)",
          "*a _b ~c* d_ e~ ", "\n", "a\n\n", "&", "<", "*[", "]*", "\xc3\xa9", "\xff"}) {
        CAPTURE(piece);
        std::string text = repeated(piece, 20'000);
        auto spans = parse(text);
        CHECK(depth_of(spans) <= kSpanDepth);
        CHECK(count_of(spans) <= text.size() + 1);
        CHECK(to_html(spans, kMentions).size() <= 60 * text.size());
        CHECK(to_plain_text(spans).size() <= 30 * text.size());
    }
    std::string both = repeated("[", 20'000) + repeated("http://a]", 20'000);
    CHECK(depth_of(parse(both)) <= kSpanDepth);
    CHECK(depth_of(parse(repeated("*", 50'000) + "a" + repeated("*", 50'000))) <= kSpanDepth);
}

TEST_CASE("markdown: quotes deeper than the limit are text")
{
    auto spans = parse(std::string(10'000, '>') + " a");
    CHECK(depth_of(spans) == kQuoteDepth + 1);
    std::string deep;
    for (size_t i = 1; i <= 1000; ++i)
        deep += repeated("> ", i) + "x\n";
    CHECK(depth_of(parse(deep)) <= kSpanDepth);
    CHECK(html(std::string(kQuoteDepth + 2, '>') + "a") ==
          repeated("<blockquote>", kQuoteDepth) + "&gt;&gt;a" + repeated("</blockquote>", kQuoteDepth));
}

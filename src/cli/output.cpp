// SPDX-License-Identifier: BSD-3-Clause
#include "cli.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>
#include <vector>

namespace bivouac::cli {

void print(std::string_view line)
{
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fputc('\n', stdout);
}

void print_error(const Error& error)
{
    std::string line = "bivouac: " + printable(error.detail) + "\n";
    std::fputs(line.c_str(), stderr);
}

void print_json(const Json& json)
{
    print(json.dump(2));
}

std::string printable(std::string_view text)
{
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        // U+202A..U+202E and U+2066..U+2069 can make a line read otherwise than it is.
        bool bidi = byte == 0xe2 && i + 2 < text.size() &&
                    ((static_cast<unsigned char>(text[i + 1]) == 0x80 &&
                      static_cast<unsigned char>(text[i + 2]) >= 0xaa &&
                      static_cast<unsigned char>(text[i + 2]) <= 0xae) ||
                     (static_cast<unsigned char>(text[i + 1]) == 0x81 &&
                      static_cast<unsigned char>(text[i + 2]) >= 0xa6 &&
                      static_cast<unsigned char>(text[i + 2]) <= 0xa9));
        // U+0080..U+009F are control characters too, and some terminals obey them.
        bool c1 = byte == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0;
        if (bidi || c1) {
            out += "\xef\xbf\xbd";
            i += bidi ? 2 : 1;
        } else if (byte == '\n') {
            out += "\n  ";
        } else if (byte < 0x20 || byte == 0x7f) {
            out += "\xef\xbf\xbd";
        } else {
            out += text[i];
        }
    }
    return out;
}

std::string local_time(int64_t ms)
{
    time_t seconds = static_cast<time_t>(ms / 1000);
    tm parts{};
    char text[32] = "";
    if (localtime_r(&seconds, &parts))
        std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &parts);
    return text;
}

namespace {

// Whom a post of one's own is for; of others' posts their readers are theirs to know.
std::string words_for_readers(const Json& permissions, bool own, const Json& groups)
{
    std::string out;
    auto add = [&out](const std::string& whom) { out += (out.empty() ? "" : ", ") + whom; };
    // Stored by their ids, which are random: for people the followers come first, then groups by their names.
    std::vector<std::string> names;
    for (const auto& group : permissions.value("groups", Json::array())) {
        const std::string name = groups.value(group.value("post", std::string()), std::string());
        names.push_back(name.empty() ? "a group that is gone" : name == "followers" ? name : "group:" + printable(name));
    }
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
        return std::pair(a != "followers", a) < std::pair(b != "followers", b);
    });
    for (const auto& name : names)
        add(name);
    for (const auto& entity : permissions.value("entities", Json::array()))
        add(printable(entity.get<std::string>()));
    return out.empty() ? (own ? "nobody but you" : "some") : out;
}

// "passed on http://... ID", for posts that say nothing but that.
std::string words_for_deed(const Json& post)
{
    const std::string type = post.value("type", std::string());
    const bool repost = type.starts_with("https://tent.io/types/repost/v0#");
    const bool favorite = type.starts_with("https://tent.io/types/favorite/v0#");
    if (!repost && !favorite)
        return {};
    std::string what;
    for (const char* list : {"refs", "mentions"})
        for (const auto& one : post.value(list, Json::array()))
            if (what.empty() && one.contains("post"))
                what = " " + one.value("entity", post.value("entity", std::string())) + " " + one.value("post", std::string());
    return (repost ? "passed on" : "likes") + printable(what);
}

}  // namespace

void print_post(const Json& post, const Json& answer)
{
    const std::string author = post.value("entity", std::string());
    std::string audience;
    if (auto permissions = post.find("permissions"); permissions != post.end())
        audience = " (to " + words_for_readers(*permissions, author == answer.value("entity", std::string()),
                                               answer.value("groups", Json::object())) + ")";
    print(local_time(post.value("published_at", int64_t(0))) + "  " + printable(author) + audience);
    if (const std::string deed = words_for_deed(post); !deed.empty())
        print("  " + deed);
    const Json content = post.value("content", Json::object());
    if (content.contains("text") && content["text"].is_string())
        print("  " + printable(content["text"].get<std::string>()));
    else if (!content.empty())
        print("  " + printable(content.dump()));
    for (const auto& attachment : post.value("attachments", Json::array()))
        print("  [" + printable(attachment.value("name", std::string())) + ", " +
              printable(attachment.value("content_type", std::string())) + ", " +
              std::to_string(attachment.value("size", int64_t(0))) + " bytes]");
    print("  id " + post.value("id", std::string()));
}

void print_audience(const Json& audience)
{
    const Json& readers = audience["readers"];
    if (audience["public"].get<bool>())
        print("public: whoever has your address may read it (behind a sealed door: your approved followers)");
    else if (readers.empty())
        print("nobody but you");
    for (const auto& reader : readers) {
        std::string because;
        for (const auto& word : reader["because"])
            because += (because.empty() ? "" : ", ") + word.get<std::string>();
        std::string fate = reader["delivered_to"].get<bool>() ? "" : "; may come and read";
        if (reader.contains("delivered_at"))
            fate = "; delivered " + local_time(reader["delivered_at"].get<int64_t>());
        else if (reader.contains("delivery"))
            fate = "; " + reader["delivery"].get<std::string>();
        print(printable(reader["entity"].get<std::string>()) + "  (" + printable(because) + fate + ")");
    }
    for (const auto& warning : audience["warnings"])
        print("note: " + printable(warning.get<std::string>()));
}

}  // namespace bivouac::cli

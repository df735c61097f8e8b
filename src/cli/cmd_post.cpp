// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>
#include <memory>

#include <bivouac/base/bytes.h>
#include <bivouac/base/files.h>
#include <bivouac/model/protocol.h>

#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

namespace {

// Enough for what people attach; anything else travels as bytes.
std::string content_type_of(const std::string& name)
{
    static constexpr std::pair<std::string_view, const char*> kTypes[] = {
        {".png", "image/png"},        {".jpg", "image/jpeg"},   {".jpeg", "image/jpeg"}, {".gif", "image/gif"},
        {".webp", "image/webp"},      {".svg", "image/svg+xml"}, {".pdf", "application/pdf"},
        {".txt", "text/plain"},       {".md", "text/markdown"}, {".html", "text/html"},  {".mp3", "audio/mpeg"},
        {".ogg", "audio/ogg"},        {".opus", "audio/ogg"},   {".wav", "audio/wav"},   {".mp4", "video/mp4"},
        {".webm", "video/webm"},      {".zip", "application/zip"}, {".json", "application/json"},
    };
    std::string lower = name;
    std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
    for (auto [suffix, type] : kTypes)
        if (lower.ends_with(suffix))
            return type;
    return "application/octet-stream";
}

Result<std::vector<UploadFile>> files_of(const std::vector<std::string>& paths)
{
    std::vector<UploadFile> files;
    for (const auto& path : paths) {
        struct stat info {};
        if (::stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || ::access(path.c_str(), R_OK) != 0)
            return fail(ErrorKind::NotFound, path + " is not a file that can be read");
        std::string name = path.substr(path.rfind('/') + 1);
        std::string type = content_type_of(name);
        for (const auto& other : files)
            if (other.name == name)
                return fail(ErrorKind::Invalid, "two attachments are called " + name + "; rename one");
        files.push_back({path, std::move(name), std::move(type)});
    }
    return files;
}

}  // namespace

std::string audience_query(const std::vector<std::string>& to, const std::string& reply_to)
{
    std::string out;
    auto add = [&](const char* name, const std::string& value) {
        out += (out.empty() ? "?" : "&") + std::string(name) + "=" + percent_encode(value);
    };
    for (const auto& whom : to)
        add("to", whom);
    if (const size_t slash = reply_to.rfind('/'); slash != std::string::npos) {
        add("reply_entity", reply_to.substr(0, slash));
        add("reply_post", reply_to.substr(slash + 1));
    } else if (!reply_to.empty()) {
        add("reply_post", reply_to);
    }
    return out;
}

void add_post(CLI::App& app, Context& context)
{
    struct Options {
        std::string text;
        std::vector<std::string> attach;
        std::vector<std::string> to;
        std::string reply_to;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "post", "Post a text, with attachments if you like. Returns when it is safely stored.");
    verb->add_option("text", options->text, "The text, at most 512 characters")->required()->type_name("TEXT");
    verb->add_option("--attach", options->attach, "Attach FILE (may be repeated)")->type_name("FILE")->expected(1)->take_all();
    verb->add_option("--to", options->to,
                     "Who may read it: public, followers, group:NAME, addresses, or me (several with commas, or repeated; "
                     "default: followers, or for an answer those who may see the thread)")
        ->type_name("WHOM")
        ->expected(1)
        ->take_all();
    verb->add_option("--reply-to", options->reply_to,
                     "It answers this post: its id, or of somebody else's its author and id with a slash between")
        ->type_name("POST");
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            if (!is_valid_utf8(options->text))
                return fail(ErrorKind::Invalid, "the text is not UTF-8");
            auto files = TRY(files_of(options->attach));
            const std::string type = options->reply_to.empty() ? type::kStatus : type::kStatusReply;
            Json post = {{"type", type}, {"content", {{"text", options->text}}}};
            Json answer = TRY(send_post(context.data_directory, "/post" + audience_query(options->to, options->reply_to),
                                        std::string(mime::kPost) + "; type=\"" + type + "\"", post, files));
            if (context.json) {
                print_json(answer);
                return {};
            }
            print("posted: " + answer["post"]["id"].get<std::string>());
            print_audience(answer["audience"]);
            return {};
        };
    });
}

}  // namespace bivouac::cli

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

void add_post(CLI::App& app, Context& context)
{
    struct Options {
        std::string text;
        std::vector<std::string> attach;
        std::vector<std::string> to;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "post", "Post a text, with attachments if you like. Returns when it is safely stored.");
    verb->add_option("text", options->text, "The text, at most 512 characters")->required()->type_name("TEXT");
    verb->add_option("--attach", options->attach, "Attach FILE (may be repeated)")->type_name("FILE")->expected(1)->take_all();
    verb->add_option("--to", options->to,
                     "Who may read it: public, followers, or the address of an entity (may be repeated; default "
                     "followers)")
        ->type_name("WHOM")
        ->expected(1)
        ->take_all();
    verb->callback([&context, options] {
        context.action = [&context, options]() -> Result<void> {
            if (!is_valid_utf8(options->text))
                return fail(ErrorKind::Invalid, "the text is not UTF-8");
            auto files = TRY(files_of(options->attach));
            Json post = {{"type", type::kStatus}, {"content", {{"text", options->text}}}};
            std::string target = "/post";
            for (const auto& to : options->to)
                target += (target == "/post" ? "?to=" : "&to=") + percent_encode(to);
            Json answer = TRY(send_post(context.data_directory, target,
                                        std::string(mime::kPost) + "; type=\"" + type::kStatus + "\"", post, files));
            if (context.json)
                print_json(answer);
            else
                print("posted: " + answer["post"]["id"].get<std::string>());
            return {};
        };
    });
}

}  // namespace bivouac::cli

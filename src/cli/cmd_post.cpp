// SPDX-License-Identifier: BSD-3-Clause
#include <memory>

#include <bivouac/base/bytes.h>
#include <bivouac/model/protocol.h>

#include "attaching.h"
#include "cli.h"
#include "local_client.h"

namespace bivouac::cli {

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
        std::vector<std::string> as_is;
        std::vector<std::string> to;
        std::string reply_to;
    };
    auto options = std::make_shared<Options>();
    auto* verb = add_verb(app, context, "post", "Post a text, with attachments if you like. Returns when it is safely stored.");
    verb->add_option("text", options->text, "The text, at most 512 characters")->required()->type_name("TEXT");
    verb->add_option("--attach", options->attach, 
                     "Attach FILE, under a neutral name and without what it tells besides (place, camera, time, comments): JPEG, PNG, "
                     "WebP, GIF and plain text; others are refused (may be repeated)")
        ->type_name("FILE")
        ->expected(1)
        ->take_all();
    verb->add_option("--as-is", options->as_is,
                     "Attach FILE exactly as it is, with whatever it tells about you and the place where it was made; only its name is "
                     "replaced (may be repeated)")
        ->type_name("FILE")
        ->expected(1)
        ->take_all();
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
            const auto files = TRY(prepare_files(context, options->attach, options->as_is));
            std::vector<UploadFile> uploads;
            for (const auto& file : files)
                uploads.push_back(file.upload);
            const std::string type = options->reply_to.empty() ? type::kStatus : type::kStatusReply;
            Json post = {{"type", type}, {"content", {{"text", options->text}}}};
            Json answer = TRY(send_post(context.data_directory, "/post" + audience_query(options->to, options->reply_to),
                                        std::string(mime::kPost) + "; type=\"" + type + "\"", post, uploads));
            if (context.json) {
                answer["files"] = files_json(files);
                print_json(answer);
                return {};
            }
            print("posted: " + answer["post"]["id"].get<std::string>());
            print_files(files);
            print_audience(answer["audience"]);
            return {};
        };
    });
}

}  // namespace bivouac::cli

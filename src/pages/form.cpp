// SPDX-License-Identifier: BSD-3-Clause
#include "form.h"

#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/net/multipart.h>

#include <algorithm>

namespace bivouac::pages {

namespace {

Error wrong()
{
    return fail(ErrorKind::Invalid, "this is not a form of these pages");
}

// CR LF, as browsers send line ends in forms, becomes LF.
void fold_lines(std::string& text)
{
    size_t to = 0;
    for (size_t i = 0; i < text.size(); ++i)
        if (!(text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n'))
            text[to++] = text[i];
    text.resize(to);
}

class FormReader {
public:
    FormReader(uint64_t file_limit, const std::string& directory)
        : file_limit_(file_limit)
        , directory_(directory)
    {
    }

    Result<void> begin(const net::PartHead& head)
    {
        if (++parts_ > kFormFields)
            return wrong();
        is_file_ = head.has_filename;
        name_ = head.name;
        if (!is_valid_utf8(head.name) || !is_valid_utf8(head.filename))
            return wrong();
        if (is_file_) {
            if (form.files.size() == kFormFiles)
                return fail(ErrorKind::TooLarge, "too many files at once");
            constexpr size_t kInMemory = 256u << 10;
            spool_ = std::make_shared<Spool>(directory_, kInMemory);
            form.files.push_back({head.name, head.filename.substr(0, limits::kNameLength),
                                  head.content_type.substr(0, limits::kNameLength), nullptr});
        }
        return {};
    }

    Result<void> data(std::string_view bytes)
    {
        if (!is_file_) {
            text_bytes_ += bytes.size();
            if (text_bytes_ > kFormTextBytes)
                return fail(ErrorKind::TooLarge, "the text is too long");
            text_ += bytes;
            return {};
        }
        if (spool_->size() + bytes.size() > file_limit_)
            return fail(ErrorKind::TooLarge, "a file is too large");
        return spool_->append(bytes);
    }

    Result<void> end()
    {
        if (is_file_) {
            TRY(spool_->finish());
            form.files.back().bytes = std::move(spool_);
            // An input without a file chosen is sent as an empty file without a name.
            if (form.files.back().name.empty() && form.files.back().bytes->size() == 0)
                form.files.pop_back();
            return {};
        }
        if (!is_valid_utf8(text_))
            return wrong();
        fold_lines(text_);
        form.fields.emplace_back(name_, std::move(text_));
        text_.clear();
        return {};
    }

    Form form;

private:
    uint64_t file_limit_;
    const std::string& directory_;
    size_t parts_ = 0;
    size_t text_bytes_ = 0;
    bool is_file_ = false;
    std::string name_;
    std::string text_;
    std::shared_ptr<Spool> spool_;
};

}  // namespace

Form::~Form()
{
    for (auto& [name, value] : fields)
        wipe(value);
}

std::string_view Form::get(std::string_view name) const
{
    for (const auto& [key, value] : fields)
        if (key == name)
            return value;
    return {};
}

bool Form::has(std::string_view name) const
{
    return std::any_of(fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; });
}

std::vector<std::string> Form::all(std::string_view name) const
{
    std::vector<std::string> out;
    for (const auto& [key, value] : fields)
        if (key == name)
            out.push_back(value);
    return out;
}

std::string Form::trimmed(std::string_view name) const
{
    std::string_view text = get(name);
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos)
        return {};
    return std::string(text.substr(begin, text.find_last_not_of(kSpace) - begin + 1));
}

Secret Form::secret(std::string_view name) const
{
    return Secret(get(name));
}

Result<Form> parse_urlencoded(std::string_view body)
{
    Form form;
    if (body.size() > kFormTextBytes)
        return fail(ErrorKind::TooLarge, "the text is too long");
    while (!body.empty()) {
        const size_t end = std::min(body.find('&'), body.size());
        const std::string_view pair = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        if (pair.empty())
            continue;
        if (form.fields.size() == kFormFields)
            return wrong();
        const size_t equals = std::min(pair.find('='), pair.size());
        auto decoded = [](std::string_view text) {
            std::string raw(text);
            std::replace(raw.begin(), raw.end(), '+', ' ');
            auto out = percent_decode(raw);
            wipe(raw);
            return out;
        };
        auto name = decoded(pair.substr(0, equals));
        auto value = decoded(pair.substr(std::min(equals + 1, pair.size())));
        if (!name || !value || !is_valid_utf8(*name) || !is_valid_utf8(*value))
            return wrong();
        fold_lines(*value);
        form.fields.emplace_back(std::move(*name), std::move(*value));
    }
    return form;
}

Result<Form> read_form(const net::HttpRequest& request, uint64_t file_limit, const std::string& spool_directory)
{
    auto media = net::parse_media_type(request.header("Content-Type").value_or(""));
    if (media.ok() && media->type == "multipart/form-data") {
        const std::string boundary = media->parameter("boundary");
        if (boundary.empty() || boundary.size() > 200)
            return wrong();
        FormReader reader(file_limit, spool_directory);
        net::MultipartReader parser(boundary,
                                    {[&](const net::PartHead& head) { return reader.begin(head); },
                                     [&](std::string_view bytes) { return reader.data(bytes); },
                                     [&] { return reader.end(); }});
        Spool::Reader body(*request.body);
        for (std::string piece; !(piece = TRY(body.next())).empty();)
            TRY(parser.feed(piece));
        TRY(parser.finish());
        return std::move(reader.form);
    }
    if (request.body->size() == 0)
        return Form();
    if (!media.ok() || media->type != "application/x-www-form-urlencoded")
        return wrong();
    std::string text = TRY(request.body->text(kFormTextBytes));
    auto form = parse_urlencoded(text);
    wipe(text);
    return form;
}

}  // namespace bivouac::pages

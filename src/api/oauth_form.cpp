// SPDX-License-Identifier: BSD-3-Clause
#include "oauth_form.h"

#include <bivouac/base/bytes.h>

#include <algorithm>
#include <charconv>
#include <set>

namespace bivouac::api {

namespace {

constexpr size_t kFields = 300;
constexpr size_t kPassphraseBytes = 4096;

Error wrong()
{
    return fail(ErrorKind::Invalid, "this is not the form that this server gave out");
}

Result<size_t> number(const std::string& text)
{
    size_t value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || value > kFields)
        return wrong();
    return value;
}

Result<void> take(ConsentForm& form, std::string_view name, const std::string& value)
{
    if (name == "token") {
        form.token = value;
    } else if (name == "answer") {
        if (value != "allow" && value != "refuse")
            return wrong();
        form.allowed = value == "allow";
    } else if (name == "passphrase") {
        if (value.size() > kPassphraseBytes)
            return wrong();
        form.passphrase = Secret(std::string_view(value));
    } else if (name == "read") {
        form.read.push_back(TRY(number(value)));
    } else if (name == "write") {
        form.write.push_back(TRY(number(value)));
    } else if (name == "scope") {
        form.scopes.push_back(TRY(number(value)));
    } else {
        return wrong();
    }
    return {};
}

}  // namespace

Result<ConsentForm> parse_consent_form(std::string_view body)
{
    ConsentForm form;
    std::set<std::string_view> once;
    size_t fields = 0;
    if (body.size() > kFormBytes)
        return wrong();
    while (!body.empty()) {
        size_t end = std::min(body.find('&'), body.size());
        std::string_view pair = body.substr(0, end);
        body.remove_prefix(std::min(end + 1, body.size()));
        size_t equals = pair.find('=');
        if (equals == std::string_view::npos || ++fields > kFields)
            return wrong();
        std::string_view name = pair.substr(0, equals);
        bool many = name == "read" || name == "write" || name == "scope";
        if (!many && !once.insert(name).second)
            return wrong();
        std::string raw(pair.substr(equals + 1));
        std::replace(raw.begin(), raw.end(), '+', ' ');
        auto value = percent_decode(raw);
        wipe(raw);
        if (!value)
            return wrong();
        Result<void> taken = take(form, name, *value);
        wipe(*value);
        TRY(taken);
    }
    if (once.count("token") == 0 || once.count("answer") == 0)
        return wrong();
    return form;
}

}  // namespace bivouac::api

// SPDX-License-Identifier: BSD-3-Clause
// A consent form that is taken says the same when a browser sends it again, field by field.
#include "target.h"

#include <vector>

#include <sodium.h>

#include "../../src/api/oauth_form.h"

#include <bivouac/base/bytes.h>

using namespace bivouac;
using namespace bivouac::api;

namespace {

std::string fields(const char* name, const std::vector<size_t>& numbers)
{
    std::string out;
    for (size_t number : numbers)
        out += "&" + std::string(name) + "=" + std::to_string(number);
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    static const int ready = sodium_init();
    HOLDS(ready >= 0);
    auto form = parse_consent_form(view(data, size));
    if (!form.ok()) {
        HOLDS(form.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(form->read.size() + form->write.size() + form->scopes.size() <= 300);
    for (const auto* numbers : {&form->read, &form->write, &form->scopes})
        for (size_t number : *numbers)
            HOLDS(number <= 300);
    const std::string text = "token=" + percent_encode(form->token) + "&answer=" +
                             (form->allowed ? "allow" : "refuse") +
                             "&passphrase=" + percent_encode(form->passphrase.view()) + fields("read", form->read) +
                             fields("write", form->write) + fields("scope", form->scopes);
    auto again = parse_consent_form(text);
    if (!again.ok()) {
        HOLDS(text.size() > kFormBytes || form->read.size() + form->write.size() + form->scopes.size() > 297);
        return 0;
    }
    HOLDS(again->token == form->token && again->allowed == form->allowed);
    HOLDS(again->passphrase.view() == form->passphrase.view());
    HOLDS(again->read == form->read && again->write == form->write && again->scopes == form->scopes);
    return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
// Our Hawk as a client, a line at a time: JSON questions on standard input, JSON answers on standard output.
// For tests/interop/hawk/check.mjs, which puts the reference implementation on the other side.
#include <iostream>
#include <string>

#include <bivouac/auth/hawk.h>
#include <bivouac/model/json.h>

#include <sodium.h>

using namespace bivouac;
using namespace bivouac::auth;

namespace {

std::string text(const Json& question, const char* name)
{
    return question.value(name, std::string());
}

Result<HawkTarget> target_of(const Json& question)
{
    return hawk_target(text(question, "method"), text(question, "target"), text(question, "host"));
}

HawkHeader fields_of(const Json& question)
{
    HawkHeader header;
    header.id = text(question, "id");
    header.ts = question.value("ts", int64_t(0));
    header.nonce = text(question, "nonce");
    header.ext = text(question, "ext");
    header.app = text(question, "app");
    header.dlg = text(question, "dlg");
    return header;
}

std::string payload_hash(const Json& question)
{
    if (!question.contains("payload"))
        return "";
    return hawk_payload_hash(text(question, "content_type"), text(question, "payload"));
}

Result<Json> answer(const Json& question)
{
    const std::string ask = text(question, "ask");
    const std::string key = text(question, "key");
    if (ask == "header") {
        HawkTarget target = TRY(target_of(question));
        HawkHeader header = fields_of(question);
        header.hash = payload_hash(question);
        header.mac = hawk_mac(HawkKind::Header, key, header, target);
        return Json{{"header", write_hawk_header(header)}, {"mac", header.mac}, {"hash", header.hash}};
    }
    if (ask == "verify") {
        HawkTarget target = TRY(target_of(question));
        return Json{{"holds", verify_server_authorization(text(question, "value"), key, fields_of(question), target,
                                                          payload_hash(question))}};
    }
    if (ask == "stale") {
        auto seconds = read_stale_challenge(text(question, "value"), key);
        return Json{{"ts", seconds ? Json(*seconds) : Json(nullptr)}};
    }
    if (ask == "bewit") {
        HawkTarget target = TRY(target_of(question));
        Bewit bewit{text(question, "id"), question.value("exp", int64_t(0)), "", text(question, "ext")};
        bewit.mac = bewit_mac(key, bewit.exp, bewit.ext, target);
        return Json{{"bewit", write_bewit(bewit)}};
    }
    if (ask == "read") {
        auto header = parse_hawk_header(text(question, "value"));
        return Json{{"readable", header.ok()}, {"ext", header.ok() ? Json(header->ext) : Json(nullptr)}};
    }
    return fail(ErrorKind::Invalid, "no such question");
}

}  // namespace

int main()
{
    if (sodium_init() < 0)
        return 1;
    std::string line;
    while (std::getline(std::cin, line)) {
        auto question = parse_json(line);
        if (!question) {
            std::cout << Json{{"error", question.error().detail}} << std::endl;
            continue;
        }
        auto out = answer(*question);
        std::cout << (out ? *out : Json{{"error", out.error().detail}}) << std::endl;
    }
}

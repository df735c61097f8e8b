// SPDX-License-Identifier: BSD-3-Clause
#include "control_parameters.h"

#include <bivouac/base/bytes.h>
#include <bivouac/tent/relationships.h>

#include <algorithm>
#include <utility>

namespace bivouac::app {

namespace {

Json reader_json(const tent::Reader& reader)
{
    Json out = {{"entity", reader.entity}, {"because", reader.because}, {"delivered_to", reader.delivered_to}};
    if (!reader.delivery.empty())
        out["delivery"] = reader.delivery;
    if (reader.delivered_at != 0)
        out["delivered_at"] = reader.delivered_at;
    return out;
}

}  // namespace

// All values of a query parameter, decoded.
std::vector<std::string> parameters(std::string_view query, std::string_view name)
{
    std::vector<std::string> out;
    while (!query.empty()) {
        size_t end = query.find('&');
        std::string_view pair = query.substr(0, end);
        size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name)
            out.push_back(percent_decode(pair.substr(equals + 1)).value_or(""));
        if (end == std::string_view::npos)
            break;
        query.remove_prefix(end + 1);
    }
    return out;
}

std::string parameter(std::string_view query, std::string_view name)
{
    auto all = parameters(query, name);
    return all.empty() ? std::string() : all.front();
}

Result<std::string> entity_in(const tent::Self& self, const Json& body)
{
    return tent::peer_entity(self, TRY(string_member(body, "entity")));
}

Result<std::vector<std::string>> list_in(const Json& body, const char* name)
{
    std::vector<std::string> out;
    auto it = body.find(name);
    if (it == body.end() || !it->is_array())
        return out;
    for (const auto& element : *it) {
        if (!element.is_string())
            return fail(ErrorKind::Invalid, std::string(name) + " must be a list of texts");
        out.push_back(element.get<std::string>());
    }
    return out;
}

size_t code_points(std::string_view text)
{
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

Json readers_json(const tent::Readers& readers)
{
    Json list = Json::array();
    for (const auto& reader : readers.readers)
        list.push_back(reader_json(reader));
    return {{"public", readers.is_public}, {"readers", list}, {"warnings", readers.warnings}};
}

Result<void> address(store::ReadTx& tx, const tent::Self& self, Post& draft, std::string_view query)
{
    const std::string post = parameter(query, "reply_post");
    auto to = parameters(query, "to");
    if (!post.empty()) {
        const auto named = draft.mentions;  // in the text
        const std::string entity = parameter(query, "reply_entity");
        TRY(tent::address_as_reply(tx, self, draft, entity.empty() ? self.entity : TRY(tent::peer_entity(self, entity)), post));
        if (to.empty())
            return {};
        // Whoever says to whom means them and the author; without her it would not be an answer.
        auto mentions = std::move(draft.mentions);
        draft.mentions = {mentions.front()};
        draft.mentions.insert(draft.mentions.end(), named.begin(), named.end());
        TRY(tent::address_to(tx, self, draft, to));
        if (!draft.permissions.is_public && mentions.front().entity != self.entity)
            draft.permissions.entities.push_back(mentions.front().entity);
        return {};
    }
    if (to.empty())
        to.push_back("followers");
    return tent::address_to(tx, self, draft, to);
}

}  // namespace bivouac::app

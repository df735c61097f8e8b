// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/canonical_json.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>

namespace bivouac {

namespace {

void write_string(std::string& out, const std::string& text, Escapes escapes)
{
    constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte >= 0x20 || escapes == Escapes::Tent) {
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\r') {
            out += "\\r";
        } else if (c == '\t') {
            out += "\\t";
        } else if (c == '\b') {
            out += "\\b";
        } else if (c == '\f') {
            out += "\\f";
        } else {
            out += "\\u00";
            out += kHex[byte >> 4];
            out += kHex[byte & 15];
        }
    }
    out += '"';
}

void write_value(std::string& out, const Json& value, Escapes escapes)
{
    switch (value.type()) {
    case Json::value_t::object: {
        out += '{';
        bool first = true;
        // The map's order is that of std::string, which is the byte order that section 3.3 asks for.
        for (const auto& [key, child] : value.items()) {
            if (!first)
                out += ',';
            first = false;
            write_string(out, key, Escapes::Tent);
            out += ':';
            write_value(out, child, escapes);
        }
        out += '}';
        return;
    }
    case Json::value_t::array: {
        out += '[';
        bool first = true;
        for (const auto& child : value) {
            if (!first)
                out += ',';
            first = false;
            write_value(out, child, escapes);
        }
        out += ']';
        return;
    }
    case Json::value_t::string: write_string(out, value.get_ref<const std::string&>(), escapes); return;
    case Json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; return;
    case Json::value_t::number_integer: out += std::to_string(value.get<int64_t>()); return;
    case Json::value_t::number_unsigned: out += std::to_string(value.get<uint64_t>()); return;
    default: out += "null"; return;  // floats never pass parse_json
    }
}

bool is_empty(const Json& value)
{
    return value.is_null() || (value.is_string() && value.get_ref<const std::string&>().empty()) ||
           (value.is_structured() && value.empty());
}

void drop_if_empty(Json& object, const char* name)
{
    auto it = object.find(name);
    if (it != object.end() && is_empty(*it))
        object.erase(it);
}

Json* member(Json& object, const char* name, Json::value_t type)
{
    auto it = object.find(name);
    return it != object.end() && it->type() == type ? &*it : nullptr;
}

void restore_origin(Json& object)
{
    auto it = object.find("original_entity");
    if (it == object.end())
        return;
    Json original = *it;
    object.erase(it);
    if (!is_empty(original))
        object["entity"] = std::move(original);
}

void reduce_list(Json& list, const Json& entity, const Json& id)
{
    for (auto& element : list) {
        if (!element.is_object())
            continue;
        restore_origin(element);
        if (auto it = element.find("entity"); it != element.end() && *it == entity)
            element.erase(it);
        if (auto it = element.find("post"); it != element.end() && *it == id)
            element.erase(it);
    }
}

// Text of Json::dump() in canonical form: the two differ in what is escaped, and in nothing else.
void append_canonical(std::string& out, std::string_view dumped)
{
    for (size_t at = 0; at < dumped.size();) {
        const size_t escape = dumped.find('\\', at);
        out += dumped.substr(at, escape - at);
        if (escape == std::string_view::npos)
            return;
        const char kind = dumped[escape + 1];
        at = escape + 2;
        switch (kind) {
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u':  // dump() escapes control characters only: \u00XX
            out += static_cast<char>(std::stoi(std::string(dumped.substr(at, 4)), nullptr, 16));
            at += 4;
            break;
        default:
            out += '\\';
            out += kind;
        }
    }
}

std::string id_of_text(const std::string& canonical)
{
    return to_hex(sha512(canonical)).substr(0, 64);
}

}  // namespace

std::string canonical_json(const Json& value, Escapes escapes)
{
    std::string out;
    write_value(out, value, escapes);
    return out;
}

Json reduce_post(Json post)
{
    // 1. What is not hashed.
    post.erase("permissions");
    post.erase("received_at");
    if (Json* app = member(post, "app", Json::value_t::object))
        app->erase("id");
    if (Json* version = member(post, "version", Json::value_t::object)) {
        version->erase("received_at");
        version->erase("id");
    }
    // 2. Private mentions.
    if (Json* mentions = member(post, "mentions", Json::value_t::array)) {
        Json kept = Json::array();
        for (auto& mention : *mentions) {
            auto it = mention.is_object() ? mention.find("public") : mention.end();
            if (!mention.is_object() || it == mention.end() || *it != false)
                kept.push_back(std::move(mention));
        }
        *mentions = std::move(kept);
    }
    // 3. Origins, 4. redundant members.
    restore_origin(post);
    const Json entity = post.value("entity", Json());
    const Json id = post.value("id", Json());
    for (const char* name : {"mentions", "refs"})
        if (Json* list = member(post, name, Json::value_t::array))
            reduce_list(*list, entity, id);
    if (Json* version = member(post, "version", Json::value_t::object))
        if (Json* parents = member(*version, "parents", Json::value_t::array))
            reduce_list(*parents, entity, id);
    // 5. Empty members, these only.
    if (Json* app = member(post, "app", Json::value_t::object))
        for (const char* name : {"name", "url"})
            drop_if_empty(*app, name);
    if (Json* version = member(post, "version", Json::value_t::object))
        for (const char* name : {"parents", "message"})
            drop_if_empty(*version, name);
    for (const char* name : {"app", "attachments", "mentions", "refs", "content", "licenses", "version"})
        drop_if_empty(post, name);
    return post;
}

std::string version_id_of(const Json& post)
{
    return kDigestPrefix + id_of_text(canonical_json(reduce_post(post)));
}

std::string version_id_of(const Post& post)
{
    Json envelope = reduce_post(envelope_to_json(post, Audience::owner()));
    const bool has_content = !post.content.empty() && post.content != "{}";
    if (has_content)
        envelope["content"] = nullptr;  // its place
    std::string text;
    text.reserve(post.content.size() + 512);
    for (const auto& [name, value] : envelope.items()) {
        text += text.empty() ? "{\"" : ",\"";
        text += name;
        text += "\":";
        if (has_content && name == "content")
            append_canonical(text, post.content);
        else
            write_value(text, value, Escapes::Tent);
    }
    text += text.empty() ? "{}" : "}";
    return kDigestPrefix + id_of_text(text);
}

bool version_id_verifies(const Json& post, std::string_view claimed)
{
    std::string wanted = normal_digest(claimed);
    if (wanted.empty())
        return false;
    wanted.erase(0, std::string_view(kDigestPrefix).size());
    Json reduced = reduce_post(post);
    return id_of_text(canonical_json(reduced)) == wanted ||
           id_of_text(canonical_json(reduced, Escapes::Ordinary)) == wanted;
}

}  // namespace bivouac

// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>

#include "json_path.h"

#include <algorithm>
#include <initializer_list>

namespace bivouac {

namespace {

Error wrong(const std::string& path, const char* what, const char* op = "replace")
{
    Error error = fail(ErrorKind::Invalid, "Invalid Attributes: " + path + " " + what);
    if (path.starts_with('/'))
        error.diff = Json::array({{{"op", op}, {"path", path}}}).dump();
    return error;
}

Result<void> only_members(const Json& object, const std::string& path,
                          std::initializer_list<std::string_view> known)
{
    if (!object.is_object())
        return wrong(path.empty() ? "the post" : path, "must be an object");
    for (const auto& [key, value] : object.items()) {
        bool found = false;
        for (auto name : known)
            found = found || name == key;
        if (!found)
            return wrong(child_path(path, key), "is not a member of a post", "remove");
    }
    return {};
}

const Json* present(const Json& object, const char* name)
{
    auto it = object.find(name);
    return it == object.end() || it->is_null() ? nullptr : &*it;
}

Result<std::string> text(const Json& object, const std::string& path, const char* name, size_t limit)
{
    const Json* value = present(object, name);
    if (!value)
        return std::string();
    if (!value->is_string())
        return wrong(path + "/" + name, "must be a string");
    auto out = value->get<std::string>();
    if (out.size() > limit)
        return wrong(path + "/" + name, "is too long");
    return out;
}

Result<std::string> entity(const Json& object, const std::string& path, const char* name)
{
    std::string out = TRY(text(object, path, name, limits::kEntityLength));
    if (!out.empty() && !is_entity_url(out))
        return wrong(path + "/" + name, "must be an entity URL");
    return out;
}

Result<std::string> post_id(const Json& object, const std::string& path, const char* name)
{
    std::string out = TRY(text(object, path, name, limits::kIdLength));
    if (!out.empty() && !is_valid_post_id(out))
        return wrong(path + "/" + name, "must be a post id");
    return out;
}

Result<std::string> type_uri(const Json& object, const std::string& path)
{
    std::string out = TRY(text(object, path, "type", limits::kTypeLength));
    if (!out.empty())
        TRY(parse_type(out));
    return out;
}

Result<int64_t> time_ms(const Json& object, const std::string& path, const char* name)
{
    const Json* value = present(object, name);
    if (!value)
        return int64_t(0);
    if (!value->is_number_integer() || value->get<int64_t>() < 0 || value->get<int64_t>() > (1LL << 53))
        return wrong(path + "/" + name, "must be milliseconds since 1970");
    return value->get<int64_t>();
}

// Calls `each(element, path)` for the members of an array; absent counts as empty.
template <typename Each>
Result<void> list(const Json& object, const std::string& path, const char* name, Each each)
{
    const Json* value = present(object, name);
    if (!value)
        return {};
    if (!value->is_array())
        return wrong(path + "/" + name, "must be an array");
    if (value->size() > limits::kListElements)
        return wrong(path + "/" + name, "has too many elements");
    size_t index = 0;
    for (const auto& element : *value)
        TRY(each(element, path + "/" + name + "/" + std::to_string(index++)));
    return {};
}

Result<Version> read_version(const Json& post)
{
    Version out;
    const Json* version = present(post, "version");
    if (!version)
        return out;
    TRY(only_members(*version, "/version", {"id", "parents", "message", "published_at", "received_at"}));
    out.id = TRY(text(*version, "/version", "id", 128));
    out.message = TRY(text(*version, "/version", "message", 4096));
    out.published_at = TRY(time_ms(*version, "/version", "published_at"));
    out.received_at = TRY(time_ms(*version, "/version", "received_at"));
    TRY(list(*version, "/version", "parents", [&](const Json& e, const std::string& path) -> Result<void> {
        TRY(only_members(e, path, {"version", "entity", "original_entity", "post"}));
        Parent parent;
        parent.version = TRY(text(e, path, "version", 128));
        parent.entity = TRY(entity(e, path, "entity"));
        parent.original_entity = TRY(entity(e, path, "original_entity"));
        parent.post = TRY(post_id(e, path, "post"));
        if (parent.version.empty())
            return fail(ErrorKind::Invalid, path + "/version is required");
        out.parents.push_back(std::move(parent));
        return {};
    }));
    return out;
}

Result<void> read_mentions(const Json& object, Post& post)
{
    return list(object, "", "mentions", [&](const Json& e, const std::string& path) -> Result<void> {
        TRY(only_members(e, path, {"entity", "original_entity", "post", "version", "type", "public"}));
        Mention m;
        m.entity = TRY(entity(e, path, "entity"));
        m.original_entity = TRY(entity(e, path, "original_entity"));
        m.post = TRY(post_id(e, path, "post"));
        m.version = TRY(text(e, path, "version", 128));
        m.type = TRY(type_uri(e, path));
        if (const Json* is_public = present(e, "public")) {
            if (!is_public->is_boolean())
                return wrong(path + "/public", "must be true or false");
            m.is_public = is_public->get<bool>();
        }
        post.mentions.push_back(std::move(m));
        return {};
    });
}

Result<void> read_refs(const Json& object, Post& post)
{
    return list(object, "", "refs", [&](const Json& e, const std::string& path) -> Result<void> {
        TRY(only_members(e, path, {"entity", "original_entity", "post", "version", "type"}));
        Ref r;
        r.entity = TRY(entity(e, path, "entity"));
        r.original_entity = TRY(entity(e, path, "original_entity"));
        r.post = TRY(post_id(e, path, "post"));
        r.version = TRY(text(e, path, "version", 128));
        r.type = TRY(type_uri(e, path));
        if (r.post.empty())
            return wrong(path + "/post", "is required", "add");
        post.refs.push_back(std::move(r));
        return {};
    });
}

Result<void> read_attachments(const Json& object, Post& post)
{
    TRY(list(object, "", "attachments", [&](const Json& e, const std::string& path) -> Result<void> {
        TRY(only_members(e, path, {"category", "content_type", "name", "digest", "size"}));
        Attachment a;
        a.category = TRY(text(e, path, "category", limits::kNameLength));
        a.content_type = TRY(text(e, path, "content_type", limits::kNameLength));
        a.name = TRY(text(e, path, "name", limits::kNameLength));
        std::string digest = TRY(text(e, path, "digest", 128));
        a.digest = normal_digest(digest);
        if (a.digest.empty() && !digest.empty())
            return wrong(path + "/digest", "is not a digest");
        if (const Json* size = present(e, "size")) {
            if (!size->is_number_integer() || size->get<int64_t>() < 0)
                return wrong(path + "/size", "must be a number of bytes");
            a.size = size->get<int64_t>();
        }
        if (a.category.empty() || a.content_type.empty() || a.name.empty())
            return wrong(path, "needs category, content_type and name");
        for (const auto& other : post.attachments)
            if (other.name == a.name && other.content_type == a.content_type)
                return wrong(path, "has the name and content type of another attachment");
        post.attachments.push_back(std::move(a));
        return {};
    }));
    if (post.attachments.size() > limits::kAttachmentsPerPost)
        return wrong("/attachments", "has too many elements");
    return {};
}

Result<void> read_permissions(const Json& object, Post& post)
{
    const Json* permissions = present(object, "permissions");
    if (!permissions)
        return {};
    TRY(only_members(*permissions, "/permissions", {"public", "entities", "groups"}));
    // Section 2.2: an object without `public` means private.
    post.permissions.is_public = false;
    if (const Json* is_public = present(*permissions, "public")) {
        if (!is_public->is_boolean())
            return wrong("/permissions/public", "must be true or false");
        post.permissions.is_public = is_public->get<bool>();
    }
    TRY(list(*permissions, "/permissions", "entities", [&](const Json& e, const std::string& path) -> Result<void> {
        if (!e.is_string() || !is_entity_url(e.get_ref<const std::string&>()))
            return wrong(path, "must be an entity URL");
        post.permissions.entities.push_back(e.get<std::string>());
        return {};
    }));
    return list(*permissions, "/permissions", "groups", [&](const Json& e, const std::string& path) -> Result<void> {
        // The Go client writes groups as plain strings, against the schema (section 8.1).
        if (e.is_string() && is_valid_post_id(e.get_ref<const std::string&>())) {
            post.permissions.groups.push_back(e.get<std::string>());
            return {};
        }
        TRY(only_members(e, path, {"post"}));
        std::string id = TRY(post_id(e, path, "post"));
        if (id.empty())
            return wrong(path + "/post", "is required", "add");
        post.permissions.groups.push_back(std::move(id));
        return {};
    });
}

void put(Json& object, const char* name, const std::string& value)
{
    if (!value.empty())
        object[name] = value;
}

void put(Json& object, const char* name, int64_t value)
{
    if (value != 0)
        object[name] = value;
}

Json version_to_json(const Version& version, bool owner)
{
    Json out = Json::object();
    put(out, "id", version.id);
    put(out, "message", version.message);
    put(out, "published_at", version.published_at);
    if (owner)
        put(out, "received_at", version.received_at);
    for (const auto& parent : version.parents) {
        Json p = Json::object();
        put(p, "version", parent.version);
        put(p, "entity", parent.entity);
        put(p, "original_entity", parent.original_entity);
        put(p, "post", parent.post);
        out["parents"].push_back(std::move(p));
    }
    return out;
}

Json permissions_to_json(const Permissions& permissions, bool owner)
{
    Json out = {{"public", false}};
    if (owner && !permissions.entities.empty())
        out["entities"] = permissions.entities;
    if (owner)
        for (const auto& group : permissions.groups)
            out["groups"].push_back({{"post", group}});
    return out;
}

}  // namespace

Json content_of(const Post& post)
{
    if (post.content.empty())
        return Json::object();
    Json content = Json::parse(post.content, nullptr, false);
    return content.is_object() ? content : Json::object();
}

bool is_entity_url(std::string_view url)
{
    if (url.size() > limits::kEntityLength)
        return false;
    size_t start = url.starts_with("http://") ? 7 : url.starts_with("https://") ? 8 : 0;
    if (start == 0 || url.size() == start || url[start] == '/')
        return false;
    for (char c : url) {
        auto byte = static_cast<unsigned char>(c);
        if (byte <= 0x20 || byte == 0x7f || c == '?' || c == '#' || c == ',' || c == '"' || c == '<' || c == '>' ||
            c == '\\')
            return false;
    }
    // Whoever resolves such a path arrives at somebody else.
    for (std::string_view rest = url.substr(start); !rest.empty();) {
        const std::string_view segment = rest.substr(0, rest.find('/'));
        if (segment == "." || segment == "..")
            return false;
        rest.remove_prefix(std::min(segment.size() + 1, rest.size()));
    }
    return true;
}

Result<Post> post_from_json(const Json& object)
{
    if (!object.is_object())
        return fail(ErrorKind::Invalid, "the body must be a JSON object");
    TRY(only_members(object, "",
                     {"id", "entity", "original_entity", "type", "content", "published_at", "received_at",
                      "version", "mentions", "refs", "licenses", "attachments", "app", "permissions"}));
    Post post;
    post.id = TRY(post_id(object, "", "id"));
    post.entity = TRY(entity(object, "", "entity"));
    post.original_entity = TRY(entity(object, "", "original_entity"));
    post.type = TRY(text(object, "", "type", limits::kTypeLength));
    if (post.type.empty())
        return fail(ErrorKind::Invalid, "Type not specified: a post needs a type");
    if (!TRY(parse_type(post.type)).has_fragment)
        return wrong("/type", "must contain a '#' (its fragment may be empty)");
    if (const Json* content = present(object, "content")) {
        if (!content->is_object())
            return wrong("/content", "must be an object");
        post.content = content->dump();
    }
    post.published_at = TRY(time_ms(object, "", "published_at"));
    post.received_at = TRY(time_ms(object, "", "received_at"));
    post.version = TRY(read_version(object));
    TRY(read_mentions(object, post));
    TRY(read_refs(object, post));
    TRY(list(object, "", "licenses", [&](const Json& e, const std::string& path) -> Result<void> {
        TRY(only_members(e, path, {"url"}));
        std::string url = TRY(text(e, path, "url", 2048));
        if (url.empty())
            return wrong(path + "/url", "is required", "add");
        post.licenses.push_back(std::move(url));
        return {};
    }));
    TRY(read_attachments(object, post));
    if (const Json* app = present(object, "app")) {
        TRY(only_members(*app, "/app", {"id", "name", "url"}));
        post.app.id = TRY(post_id(*app, "/app", "id"));
        post.app.name = TRY(text(*app, "/app", "name", 1024));
        post.app.url = TRY(text(*app, "/app", "url", 2048));
    }
    TRY(read_permissions(object, post));
    return post;
}

Result<Post> parse_post(std::string_view body)
{
    Json object = TRY(parse_json(body));
    return post_from_json(object);
}

Json envelope_to_json(const Post& post, const Audience& audience)
{
    const bool owner = audience.kind == Audience::Kind::Owner;
    Json out = Json::object();
    put(out, "id", post.id);
    put(out, "entity", post.entity);
    put(out, "original_entity", post.original_entity);
    put(out, "type", post.type);
    put(out, "published_at", post.published_at);
    if (owner)
        put(out, "received_at", post.received_at);
    if (Json version = version_to_json(post.version, owner); !version.empty())
        out["version"] = std::move(version);
    for (const auto& m : post.mentions) {
        bool shown = m.is_public || owner ||
                     (audience.kind == Audience::Kind::Peer && post.mention_entity(m) == audience.entity);
        if (!shown)
            continue;
        Json mention = Json::object();
        put(mention, "entity", m.entity);
        put(mention, "original_entity", m.original_entity);
        put(mention, "post", m.post);
        put(mention, "version", m.version);
        put(mention, "type", m.type);
        if (!m.is_public)
            mention["public"] = false;
        out["mentions"].push_back(std::move(mention));
    }
    for (const auto& r : post.refs) {
        Json ref = Json::object();
        put(ref, "entity", r.entity);
        put(ref, "original_entity", r.original_entity);
        put(ref, "post", r.post);
        put(ref, "version", r.version);
        put(ref, "type", r.type);
        out["refs"].push_back(std::move(ref));
    }
    for (const auto& url : post.licenses)
        out["licenses"].push_back({{"url", url}});
    for (const auto& a : post.attachments)
        out["attachments"].push_back({{"category", a.category},
                                      {"content_type", a.content_type},
                                      {"digest", a.digest},
                                      {"name", a.name},
                                      {"size", a.size}});
    Json app = Json::object();
    if (owner)
        put(app, "id", post.app.id);
    put(app, "name", post.app.name);
    put(app, "url", post.app.url);
    if (!app.empty())
        out["app"] = std::move(app);
    if (!post.permissions.is_public)
        out["permissions"] = permissions_to_json(post.permissions, owner);
    return out;
}

Json post_to_json(const Post& post, const Audience& audience)
{
    Json out = envelope_to_json(post, audience);
    if (!post.content.empty())
        out["content"] = Json::parse(post.content);  // our own text: parse_json let it in
    return out;
}

std::string write_post(const Post& post, const Audience& audience)
{
    Json envelope = envelope_to_json(post, audience);
    if (post.content.empty())
        return envelope.dump();
    // The content is text in the form of dump() already: it takes its place among the members as it is.
    envelope["content"] = nullptr;
    std::string out;
    out.reserve(post.content.size() + 1024);
    for (const auto& [name, value] : envelope.items()) {
        out += out.empty() ? "{\"" : ",\"";
        out += name;
        out += "\":";
        if (name == "content")
            out += post.content;
        else
            out += value.dump();
    }
    out += '}';
    return out;
}

}  // namespace bivouac

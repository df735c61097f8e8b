// SPDX-License-Identifier: BSD-3-Clause
// The table below is section 9 of Tent 0.3; the code under it knows no type.
#include <bivouac/model/limits.h>
#include <bivouac/model/post.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/schemas.h>

#include "json_path.h"

#include <algorithm>
#include <span>
#include <utility>

namespace bivouac {

namespace {

enum class Form {
    Text,
    Uri,
    Redirect,  // section 6.1: no fragment
    Entity,
    Template,  // an URL with {names}
    Selector,
    Decimal,
    OneOf,
    Integer,
    Boolean,
    Object,
    List,
};

struct Member;
struct Shape {
    std::span<const Member> members;
    bool open = false;  // further members are allowed
};

struct Value {
    Form form = Form::Text;
    size_t limit = 0;                            // of Text, in code points; 0: that of the whole post
    std::span<const std::string_view> words{};   // of OneOf
    const Shape* shape = nullptr;                // of Object
    const Value* element = nullptr;              // of List
};

enum class Need { Optional, Required, RequiredOfUs };

struct Member {
    std::string_view name;
    Value value;
    Need need = Need::Optional;
};

struct Schema {
    std::string_view name;
    Shape content;
};

constexpr Need kRequired = Need::Required;
constexpr Value kText{Form::Text};
constexpr Value kUri{Form::Uri};
constexpr Value kRedirect{Form::Redirect};
constexpr Value kEntity{Form::Entity};
constexpr Value kTemplate{Form::Template};
constexpr Value kSelector{Form::Selector};
constexpr Value kDecimal{Form::Decimal};
constexpr Value kInteger{Form::Integer};
constexpr Value kBoolean{Form::Boolean};

constexpr Value text_of(size_t code_points) { return {Form::Text, code_points}; }
constexpr Value one_of(std::span<const std::string_view> words) { return {Form::OneOf, 0, words}; }
constexpr Value object(const Shape& shape) { return {Form::Object, 0, {}, &shape}; }
constexpr Value list_of(const Value& element) { return {Form::List, 0, {}, nullptr, &element}; }

constexpr Member kLocationMembers[] = {
    {"latitude", kDecimal, kRequired}, {"longitude", kDecimal, kRequired}, {"altitude", kDecimal}};
constexpr Shape kLocation{kLocationMembers};

// Section 1.3.
constexpr Member kProfileMembers[] = {
    {"name", text_of(256)}, {"bio", text_of(256)}, {"website", kUri}, {"location", text_of(256)}};
constexpr Shape kProfile{kProfileMembers};
constexpr Member kUrlsMembers[] = {
    {"oauth_auth", kTemplate, kRequired},      {"oauth_token", kTemplate, kRequired},
    {"posts_feed", kTemplate, kRequired},      {"new_post", kTemplate, kRequired},
    {"post", kTemplate, kRequired},            {"post_attachment", kTemplate, kRequired},
    {"attachment", kTemplate, kRequired},      {"batch", kTemplate, kRequired},
    {"server_info", kTemplate, kRequired},     {"discover", kTemplate, Need::RequiredOfUs}};
constexpr Shape kUrls{kUrlsMembers};
constexpr Member kServerMembers[] = {
    {"version", kText, kRequired}, {"preference", kInteger, kRequired}, {"urls", object(kUrls), kRequired}};
constexpr Shape kServer{kServerMembers};
constexpr Value kServerValue = object(kServer);
constexpr Member kMetaMembers[] = {{"entity", kEntity, kRequired},
                                   {"previous_entities", list_of(kEntity)},
                                   {"profile", object(kProfile)},
                                   {"servers", list_of(kServerValue), kRequired}};

// Sections 6.1 and 6.5.
constexpr Member kWantedTypesMembers[] = {{"read", list_of(kSelector)}, {"write", list_of(kSelector)}};
constexpr Shape kWantedTypes{kWantedTypesMembers};
constexpr Member kAppMembers[] = {{"name", kText, kRequired},
                                  {"description", kText},
                                  {"url", kUri, kRequired},
                                  {"redirect_uri", kRedirect, kRequired},
                                  {"notification_url", kUri},
                                  {"notification_types", list_of(kSelector)},
                                  {"types", object(kWantedTypes)},
                                  {"scopes", list_of(kText)}};
constexpr Member kGrantedTypesMembers[] = {
    {"read", list_of(kSelector), kRequired}, {"write", list_of(kSelector), kRequired}};
constexpr Shape kGrantedTypes{kGrantedTypesMembers};
constexpr Member kAppAuthMembers[] = {
    {"types", object(kGrantedTypes), kRequired}, {"scopes", list_of(kText), kRequired}};

constexpr std::string_view kAlgorithms[] = {"sha256"};
constexpr Member kCredentialsMembers[] = {
    {"hawk_key", kText, kRequired}, {"hawk_algorithm", one_of(kAlgorithms), kRequired}};

constexpr Member kSubscriptionMembers[] = {{"type", kSelector, kRequired}};

constexpr std::string_view kFailureStatus[] = {"temporary", "permanent"};
constexpr std::string_view kFailureReasons[] = {
    "unreachable", "discovery_failed", "relationship_failed", "delivery_failed"};
constexpr Member kDeliveryFailureMembers[] = {{"entity", kEntity, kRequired},
                                              {"status", one_of(kFailureStatus), kRequired},
                                              {"reason", one_of(kFailureReasons)}};

constexpr Member kStatusMembers[] = {{"text", text_of(512), kRequired}, {"location", object(kLocation)}};
constexpr Member kFavoriteMembers[] = {{"note", kText}};

constexpr Member kCoverMembers[] = {{"entity", kEntity}, {"post", kText, kRequired}, {"version", kText}};
constexpr Shape kCover{kCoverMembers};
constexpr Member kAlbumMembers[] = {
    {"title", kText, kRequired}, {"description", kText}, {"cover", object(kCover)}};

constexpr Member kEssayMembers[] = {{"title", kText}, {"excerpt", kText}, {"body", kText, kRequired}};
constexpr Member kNamedMembers[] = {{"name", kText, kRequired}, {"description", kText}};
constexpr Member kGroupMemberMembers[] = {{"entity", kEntity, kRequired}};

// The words that section 9 gives for a photo's modes are described there and not demanded.
constexpr Member kArtistMembers[] = {{"name", kText}, {"entity", kEntity}};
constexpr Shape kArtist{kArtistMembers, true};
constexpr Member kExposureMembers[] = {{"bias", kDecimal}, {"mode", kText}, {"time", kDecimal}, {"program", kText}};
constexpr Shape kExposure{kExposureMembers};
constexpr Member kFlashMembers[] = {{"fired", kBoolean}, {"mode", kText}};
constexpr Shape kFlash{kFlashMembers};
constexpr Member kCameraMembers[] = {{"make", kText}, {"model", kText}};
constexpr Shape kCamera{kCameraMembers};
constexpr Member kRangeMembers[] = {{"min", kDecimal}, {"max", kDecimal}};
constexpr Shape kRange{kRangeMembers};
constexpr Member kLensMembers[] = {
    {"make", kText}, {"model", kText}, {"focal_length", object(kRange)}, {"aperture", object(kRange)}};
constexpr Shape kLens{kLensMembers};
constexpr Member kSizeMembers[] = {{"width", kInteger, kRequired}, {"height", kInteger, kRequired}};
constexpr Shape kSize{kSizeMembers};
constexpr Member kPhotoMembers[] = {{"location", object(kLocation)},
                                    {"caption", kText},
                                    {"artist", object(kArtist)},
                                    {"filename", kText},
                                    {"film_speed", kText},
                                    {"focal_length", kDecimal},
                                    {"exposure", object(kExposure)},
                                    {"aperture", kDecimal},
                                    {"flash", object(kFlash)},
                                    {"white_balance", kBoolean},
                                    {"metering_mode", kText},
                                    {"camera", object(kCamera)},
                                    {"lens", object(kLens)},
                                    {"resolution", object(kSize)},
                                    {"dimensions", object(kSize)},
                                    {"timestamp", kInteger},
                                    {"orientation", kText}};

// delete, repost and cursor have no schema: their content is as free as that of an unknown type.
constexpr Schema kSchemas[] = {
    {"meta", {kMetaMembers}},
    {"app", {kAppMembers}},
    {"app-auth", {kAppAuthMembers}},
    {"credentials", {kCredentialsMembers}},
    {"relationship", {}},
    {"subscription", {kSubscriptionMembers}},
    {"delivery-failure", {kDeliveryFailureMembers}},
    {"status", {kStatusMembers}},
    {"favorite", {kFavoriteMembers}},
    {"photo", {kPhotoMembers}},
    {"album", {kAlbumMembers}},
    {"essay", {kEssayMembers}},
    {"tag", {kNamedMembers}},
    {"group", {kNamedMembers}},
    {"group-member", {kGroupMemberMembers}},
};

constexpr size_t kProblemsTold = 20;
constexpr size_t kUriBytes = 2048;

const Schema* schema_of(std::string_view type)
{
    std::string_view base = type.substr(0, type.find('#'));
    constexpr std::string_view kBefore = "https://tent.io/types/";
    constexpr std::string_view kAfter = "/v0";
    if (!base.starts_with(kBefore) || !base.ends_with(kAfter) || base.size() < kBefore.size() + kAfter.size())
        return nullptr;
    base.remove_prefix(kBefore.size());
    base.remove_suffix(kAfter.size());
    const auto* found = std::find_if(std::begin(kSchemas), std::end(kSchemas),
                                     [&](const Schema& schema) { return schema.name == base; });
    return found == std::end(kSchemas) ? nullptr : found;
}

const Member* find_member(const Shape& shape, std::string_view name)
{
    for (const auto& member : shape.members)
        if (member.name == name)
            return &member;
    return nullptr;
}

size_t code_points(std::string_view utf8)
{
    return static_cast<size_t>(std::count_if(utf8.begin(), utf8.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower_scheme(std::string_view uri)
{
    std::string scheme(uri.substr(0, uri.find(':')));
    for (char& c : scheme)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    return scheme;
}

// Pages show such URIs as links, so a scheme that runs code in the reader's browser is none of them.
bool is_uri(std::string_view text)
{
    size_t colon = text.find(':');
    if (text.size() > kUriBytes || colon == std::string_view::npos || colon + 1 == text.size() ||
        !is_letter(text[0]))
        return false;
    bool scheme = std::all_of(text.begin(), text.begin() + static_cast<ptrdiff_t>(colon), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    bool plain = std::none_of(text.begin(), text.end(), [](char c) {
        auto byte = static_cast<unsigned char>(c);
        return byte <= 0x20 || byte == 0x7f || c == '"' || c == '<' || c == '>' || c == '\\';
    });
    std::string name = lower_scheme(text);
    return scheme && plain && name != "javascript" && name != "data" && name != "vbscript";
}

bool is_redirect_uri(std::string_view text)
{
    return is_uri(text) && text.find('#') == std::string_view::npos;
}

bool has_paired_braces(std::string_view text)
{
    size_t at = 0;
    while ((at = text.find_first_of("{}", at)) != std::string_view::npos) {
        size_t end = text.find_first_of("{}", at + 1);
        if (text[at] == '}' || end == std::string_view::npos || text[end] == '{' || end == at + 1)
            return false;
        at = end + 1;
    }
    return true;
}

bool is_decimal(std::string_view text)
{
    if (text.starts_with('-'))
        text.remove_prefix(1);
    size_t point = text.find('.');
    auto digits = [](std::string_view part) {
        return !part.empty() && std::all_of(part.begin(), part.end(), is_digit);
    };
    return digits(text.substr(0, point)) && (point == std::string_view::npos || digits(text.substr(point + 1)));
}

bool is_selector(std::string_view text)
{
    return text == "all" || parse_type(text).ok();
}

bool fits_text(const Value& value, const std::string& text)
{
    switch (value.form) {
    case Form::Text: return value.limit == 0 || code_points(text) <= value.limit;
    case Form::Uri: return is_uri(text);
    case Form::Redirect: return is_redirect_uri(text);
    case Form::Entity: return is_entity_url(text);
    case Form::Template: return is_uri(text) && has_paired_braces(text);
    case Form::Selector: return is_selector(text);
    case Form::Decimal: return is_decimal(text);
    case Form::OneOf: return std::find(value.words.begin(), value.words.end(), text) != value.words.end();
    default: return false;
    }
}

// Section 2.2: what a double holds exactly.
bool is_exact_integer(const Json& json)
{
    constexpr int64_t kBound = 1LL << 53;
    return json.is_number_integer() && json.get<int64_t>() > -kBound && json.get<int64_t>() < kBound;
}

bool fits(const Value& value, const Json& json)
{
    switch (value.form) {
    case Form::Integer: return is_exact_integer(json);
    case Form::Boolean: return json.is_boolean();
    case Form::Object: return json.is_object();
    case Form::List: return json.is_array() && json.size() <= limits::kListElements;
    default: return json.is_string() && fits_text(value, json.get_ref<const std::string&>());
    }
}

const char* type_name(Form form)
{
    switch (form) {
    case Form::Integer: return "integer";
    case Form::Boolean: return "boolean";
    case Form::Object: return "object";
    case Form::List: return "array";
    default: return "string";
    }
}

std::string joined(std::span<const std::string_view> words)
{
    std::string out;
    for (auto word : words)
        out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
}

std::string in_words(const Value& value)
{
    switch (value.form) {
    case Form::Text:
        return value.limit ? "a string of at most " + std::to_string(value.limit) + " characters" : "a string";
    case Form::Uri: return "a URI";
    case Form::Redirect: return "a URI without a fragment";
    case Form::Entity: return "an entity URL";
    case Form::Template: return "a URL or a template of one";
    case Form::Selector: return "a type such as https://tent.io/types/status/v0, or \"all\"";
    case Form::Decimal: return "a string with a number such as \"-12.5\"";
    case Form::OneOf: return (value.words.size() > 1 ? "one of " : "") + joined(value.words);
    case Form::Integer: return "an integer";
    case Form::Boolean: return "true or false";
    case Form::Object: return "an object";
    case Form::List: return "an array of at most " + std::to_string(limits::kListElements) + " elements";
    }
    return {};
}

class Checker {
public:
    explicit Checker(MetaOf meta) : meta_(meta) {}

    void check(const Value& value, const Json& json, const std::string& path)
    {
        if (problems.size() >= kProblemsTold)
            return;
        if (!fits(value, json))
            problems.push_back({"replace", path, type_name(value.form), in_words(value)});
        else if (value.form == Form::Object)
            check_members(*value.shape, json, path);
        else if (value.form == Form::List)
            for (size_t i = 0; i < json.size(); ++i)
                check(*value.element, json[i], path + "/" + std::to_string(i));
    }

    std::vector<SchemaProblem> problems;

private:
    void check_members(const Shape& shape, const Json& json, const std::string& path)
    {
        for (const auto& member : shape.members)
            if (is_required(member) && !json.contains(member.name))
                tell({"add", child_path(path, member.name), type_name(member.value.form), in_words(member.value)});
        for (const auto& [key, value] : json.items()) {
            if (const Member* member = find_member(shape, key))
                check(member->value, value, child_path(path, key));
            else if (!shape.open)
                tell({"remove", child_path(path, key), "", ""});
        }
    }

    bool is_required(const Member& member) const
    {
        return member.need == Need::Required ||
               (member.need == Need::RequiredOfUs && meta_ == MetaOf::Ourselves);
    }

    void tell(SchemaProblem problem)
    {
        if (problems.size() < kProblemsTold)
            problems.push_back(std::move(problem));
    }

    MetaOf meta_;
};

std::string post_in_words(std::string_view type)
{
    const Schema* schema = schema_of(type);
    std::string name(schema ? schema->name : "Tent");
    bool vowel = std::string_view("aeiou").find(name[0]) != std::string_view::npos;
    return (vowel ? "an " : "a ") + name + " post";
}

void remove_nulls(Json& value)  // depth is bounded by parse_json
{
    if (value.is_object()) {
        for (auto it = value.begin(); it != value.end();)
            it = it->is_null() ? value.erase(it) : std::next(it);
    }
    if (value.is_structured())
        for (auto& child : value)
            remove_nulls(child);
}

}  // namespace

bool has_schema(std::string_view type)
{
    return schema_of(type) != nullptr;
}

std::vector<SchemaProblem> schema_problems(std::string_view type, const Json& content, MetaOf meta)
{
    const Schema* schema = schema_of(type);
    if (!schema)
        return {};
    Checker checker(meta);
    checker.check(object(schema->content), content.is_null() ? Json::object() : content, "/content");
    return std::move(checker.problems);
}

Error schema_error(std::string_view type, const std::vector<SchemaProblem>& problems)
{
    const SchemaProblem& first = problems.front();
    std::string detail = "Invalid Attributes: " + first.path;
    if (first.op == "remove")
        detail += " is not a member of " + post_in_words(type);
    else if (first.op == "add")
        detail += " is required in " + post_in_words(type);
    else
        detail += " must be " + first.expected;
    Error error = fail(ErrorKind::Invalid, std::move(detail));
    error.diff = schema_diff(problems).dump();
    return error;
}

Result<void> validate_content(const std::string& type, const Json& content, MetaOf meta)
{
    auto problems = schema_problems(type, content, meta);
    if (!problems.empty())
        return schema_error(type, problems);
    return {};
}

Result<void> validate_content(const Post& post, MetaOf meta)
{
    return validate_content(post.type, post.content.empty() ? Json() : Json::parse(post.content, nullptr, false), meta);
}

Json schema_diff(const std::vector<SchemaProblem>& problems)
{
    Json out = Json::array();
    for (const auto& problem : problems) {
        Json step = {{"op", problem.op}, {"path", problem.path}};
        if (!problem.type.empty())
            step["type"] = problem.type;
        out.push_back(std::move(step));
    }
    return out;
}

Json strip_nulls(Json post)
{
    if (!post.is_object())
        return post;
    Json kept;
    auto type = post.find("type");
    bool known = type != post.end() && type->is_string() && has_schema(type->get_ref<const std::string&>());
    auto content = post.find("content");
    if (content != post.end() && !known)
        kept = std::exchange(*content, Json());
    remove_nulls(post);
    if (!kept.is_null())
        post["content"] = std::move(kept);
    return post;
}

}  // namespace bivouac

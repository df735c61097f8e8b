// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>

#include <cmath>
#include <unordered_set>
#include <vector>

namespace bivouac {

namespace {

// Counts and compares only; builds nothing.
class Gate : public nlohmann::json_sax<Json> {
public:
    std::string problem;
    bool has_floats = false;

    bool null() override { return node(); }
    bool boolean(bool) override { return node(); }
    bool number_integer(number_integer_t) override { return node(); }
    bool number_unsigned(number_unsigned_t value) override
    {
        return value > static_cast<uint64_t>(INT64_MAX) ? refuse("a number is beyond 64 bits") : node();
    }
    bool number_float(number_float_t value, const string_t&) override
    {
        // Beyond 2^53 a double no longer says which integer was meant.
        if (std::floor(value) != value || std::fabs(value) > 9007199254740992.0)
            return refuse("a number is not an integer");
        has_floats = true;
        return node();
    }
    bool string(string_t&) override { return node(); }
    bool binary(binary_t&) override { return refuse("binary"); }
    bool start_object(size_t) override
    {
        keys_.emplace_back();
        return open();
    }
    bool key(string_t& name) override
    {
        return keys_.back().insert(name).second ? node() : refuse("a key appears twice in one object");
    }
    bool end_object() override
    {
        keys_.pop_back();
        --depth_;
        return true;
    }
    bool start_array(size_t) override { return open(); }
    bool end_array() override
    {
        --depth_;
        return true;
    }
    bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception&) override
    {
        return refuse("malformed near byte " + std::to_string(position));
    }

private:
    bool refuse(std::string why)
    {
        problem = std::move(why);
        return false;
    }
    bool node() { return ++nodes_ <= limits::kJsonNodes || refuse("too many values"); }
    bool open() { return (++depth_ <= limits::kJsonDepth || refuse("nested too deeply")) && node(); }

    size_t depth_ = 0;
    size_t nodes_ = 0;
    std::vector<std::unordered_set<std::string>> keys_;
};

void floats_to_integers(Json& value)  // depth is bounded by the gate
{
    if (value.is_number_float())
        value = static_cast<int64_t>(value.get<double>());
    else if (value.is_structured())
        for (auto& child : value)
            floats_to_integers(child);
}

}  // namespace

Result<Json> parse_json(std::string_view text)
{
    // A byte order mark is silently eaten by the parser; a signed text must not have two forms.
    if (text.substr(0, 3) == "\xef\xbb\xbf")
        return fail(ErrorKind::Invalid, "Invalid JSON: starts with a byte order mark");
    Gate gate;
    if (!Json::sax_parse(text, &gate))
        return fail(ErrorKind::Invalid, "Invalid JSON: " + gate.problem);
    Json value = Json::parse(text, nullptr, false);
    if (value.is_discarded())
        return fail(ErrorKind::Invalid, "Invalid JSON");
    if (gate.has_floats)
        floats_to_integers(value);
    return value;
}

Result<std::string> string_member(const Json& object, const char* name)
{
    auto it = object.find(name);
    if (it == object.end() || it->is_null())
        return std::string();
    if (!it->is_string())
        return fail(ErrorKind::Invalid, std::string("/") + name + " must be a string");
    return it->get<std::string>();
}

std::string text_in(const Json& object, const char* name)
{
    auto it = object.find(name);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

}  // namespace bivouac

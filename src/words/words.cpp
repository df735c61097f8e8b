// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/words/words.h>

#include <algorithm>
#include <ctime>

#include "catalogue.h"
#include "runtime_texts.h"

namespace bivouac {

namespace {

const Catalogue::Entry* find(const Catalogue* catalogue, uint64_t hash, std::string_view english)
{
    if (!catalogue)
        return nullptr;
    const auto& entries = catalogue->entries;
    auto at = std::lower_bound(entries.begin(), entries.end(), hash, [](const auto& entry, uint64_t wanted) { return entry.hash < wanted; });
    return at != entries.end() && at->hash == hash && at->english == english ? &*at : nullptr;
}

// Whether `text` is the pattern with something in its places, and then with what.
bool matches(std::string_view pattern, std::string_view text, std::array<std::string_view, 10>& arguments)
{
    size_t waits = arguments.size();  // the place whose end is not known yet
    bool good = true, first = true;
    std::string_view rest = text;
    for_pieces(
        pattern,
        [&](std::string_view piece) {
            if (!good)
                return;
            const bool last = piece.data() + piece.size() == pattern.data() + pattern.size();
            size_t at = first ? 0 : last ? (rest.size() >= piece.size() ? rest.size() - piece.size() : std::string_view::npos) : rest.find(piece);
            if (at == std::string_view::npos || rest.substr(at, piece.size()) != piece || (first && last && rest.size() != piece.size())) {
                good = false;
                return;
            }
            if (waits < arguments.size()) {
                arguments[waits] = rest.substr(0, at);
                good = at > 0;
            }
            rest.remove_prefix(at + piece.size());
            first = false;
        },
        [&](size_t place) { waits = place; });
    return good && rest.empty();
}

std::tm utc(int64_t ms)
{
    std::tm tm{};
    const std::time_t seconds = ms / 1000 - (ms % 1000 < 0);
    gmtime_r(&seconds, &tm);
    return tm;
}

std::string two_digits(int n)
{
    return {static_cast<char>('0' + n / 10 % 10), static_cast<char>('0' + n % 10)};
}

}  // namespace

std::string filled(std::string_view pattern, std::initializer_list<std::string_view> arguments)
{
    std::string out;
    for_pieces(
        pattern, [&](std::string_view text) { out += text; },
        [&](size_t index) {
            if (index < arguments.size())
                out += arguments.begin()[index];
        });
    return out;
}

Words::Words(const Catalogue* catalogue)
    : catalogue_(catalogue)
{
    const Words& tr = *this;
    // For translators: the name of your language, in your language.
    own_name_ = tr(Tc("name of the language, in itself", "English"));
    // For translators: "ltr" or "rtl", nothing else.
    right_to_left_ = tr(Tc("direction of writing", "ltr")) == "rtl";
    constexpr Msg kMonths[] = {
        Tc("month, in a date", "Jan"), Tc("month, in a date", "Feb"), Tc("month, in a date", "Mar"), Tc("month, in a date", "Apr"),
        Tc("month, in a date", "May"), Tc("month, in a date", "Jun"), Tc("month, in a date", "Jul"), Tc("month, in a date", "Aug"),
        Tc("month, in a date", "Sep"), Tc("month, in a date", "Oct"), Tc("month, in a date", "Nov"), Tc("month, in a date", "Dec"),
    };
    std::transform(std::begin(kMonths), std::end(kMonths), months_.begin(), [&](Msg msg) { return tr(msg); });
    // For translators: "1" or what stands for it, such as "1er".
    first_day_ = tr(Tc("first day of a month, in a date", "1"));
    // For translators: {0} is the day, {1} the month, {2} the year.
    date_ = tr(Tc("date", "{0} {1} {2}"));
    // For translators: {0} is the hour from 00 to 23, {1} the minute.
    time_ = tr(Tc("time of the day", "{0}:{1}"));
    // For translators: {0} is the date, {1} the time.
    date_time_ = tr(Tc("date and time", "{0}, {1}"));
    // For translators: what separates groups of three digits.
    thousands_ = tr(Tc("between thousands", ","));
    decimal_point_ = tr(Tc("decimal separator", "."));
    constexpr Msg kSizes[] = {
        Tc("size of a file, bytes", "{0}\u00a0B"), Tc("size of a file, 1024 bytes", "{0}\u00a0KiB"), Tc("size of a file, 1024 KiB", "{0}\u00a0MiB"),
        Tc("size of a file, 1024 MiB", "{0}\u00a0GiB"), Tc("size of a file, 1024 GiB", "{0}\u00a0TiB"),
    };
    std::transform(std::begin(kSizes), std::end(kSizes), sizes_.begin(), [&](Msg msg) { return tr(msg); });
}

std::string_view Words::operator()(Msg msg) const
{
    const auto* entry = find(catalogue_, msg.hash(), msg.text());
    return entry ? entry->forms[0] : msg.text();
}

std::string_view Words::plural(Msg one, Msg many, int64_t n) const
{
    if (const auto* entry = find(catalogue_, one.hash(), one.text())) {
        const size_t form = catalogue_->plural_form(n < 0 ? 0 - static_cast<uint64_t>(n) : static_cast<uint64_t>(n));
        return entry->forms[std::min(form, entry->count - 1)];
    }
    return n == 1 ? one.text() : many.text();
}

std::string Words::runtime(std::string_view text) const
{
    constexpr size_t kMost = 4096;
    if (!catalogue_ || text.size() > kMost)
        return std::string(text);
    auto whole = [&](std::string_view one) {
        const auto* entry = find(catalogue_, Msg::hashed(Msg::kHashBegin, one), one);
        return entry ? entry->forms[0] : std::string_view();
    };
    if (auto known = whole(text); !known.empty())
        return std::string(known);
    for (const Msg& pattern : runtime_patterns()) {
        std::array<std::string_view, 10> arguments;
        if (!matches(pattern.text(), text, arguments))
            continue;
        for (auto& argument : arguments)
            // A single word may be somebody's name.
            if (argument.find(' ') != std::string_view::npos)
                if (auto known = whole(argument); !known.empty())
                    argument = known;
        std::string out;
        for_pieces(
            (*this)(pattern), [&](std::string_view piece) { out += piece; }, [&](size_t place) { out += arguments[place]; });
        return out;
    }
    return std::string(text);
}

std::string Words::tag() const { return catalogue_ ? std::string(catalogue_->tag) : "en"; }

std::string Words::date(int64_t ms) const
{
    const std::tm tm = utc(ms);
    const std::string day = tm.tm_mday == 1 ? std::string(first_day_) : std::to_string(tm.tm_mday);
    return filled(date_, {day, months_[static_cast<size_t>(tm.tm_mon) % 12], std::to_string(1900 + static_cast<int64_t>(tm.tm_year))});
}

std::string Words::date_time(int64_t ms) const
{
    const std::tm tm = utc(ms);
    return filled(date_time_, {date(ms), filled(time_, {two_digits(tm.tm_hour), two_digits(tm.tm_min)})});
}

std::string Words::number(int64_t n) const
{
    const std::string digits = std::to_string(n);
    const size_t sign = n < 0 ? 1 : 0;
    std::string out;
    for (size_t i = 0; i < digits.size(); ++i) {
        if (i > sign && (digits.size() - i) % 3 == 0)
            out += thousands_;
        out += digits[i];
    }
    return out;
}

std::string Words::decimal(int64_t tenths) const
{
    std::string out = number(tenths / 10);
    if (tenths % 10 != 0)
        (out += decimal_point_) += static_cast<char>('0' + tenths % 10);
    return out;
}

std::string Words::size(int64_t bytes) const
{
    bytes = std::max<int64_t>(bytes, 0);
    size_t unit = 0;
    int64_t one = 1;
    while (unit + 1 < sizes_.size() && bytes / one >= 1024) {
        one *= 1024;
        ++unit;
    }
    // One decimal place below ten, as 1.5 differs from 1 by half and 15.5 from 15 by little.
    const int64_t whole = bytes / one, rest = bytes % one;
    if (unit > 0 && whole < 10)
        return filled(sizes_[unit], {decimal(whole * 10 + rest * 10 / one)});
    return filled(sizes_[unit], {number(whole)});
}

const std::vector<Words>& languages()
{
    static const std::vector<Words> all = [] {
        std::vector<Words> out{Words(nullptr)};
        for (const auto& catalogue : catalogues())
            out.emplace_back(&catalogue);
        return out;
    }();
    return all;
}

namespace {

const std::vector<std::string_view>& tags()
{
    static const std::vector<std::string_view> all = [] {
        std::vector<std::string_view> out{"en"};
        for (const auto& catalogue : catalogues())
            out.push_back(catalogue.tag);
        return out;
    }();
    return all;
}

bool same_tag(std::string_view a, std::string_view b)
{
    auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace

const Words& words_for(std::string_view accept_language, std::string_view chosen)
{
    if (!chosen.empty())
        for (size_t i = 0; i < tags().size(); ++i)
            if (same_tag(tags()[i], chosen))
                return languages()[i];
    return languages()[preferred_language(accept_language, tags())];
}

std::string known_language(std::string_view tag)
{
    for (auto known : tags())
        if (same_tag(known, tag))
            return std::string(known);
    return {};
}

}  // namespace bivouac

// SPDX-License-Identifier: BSD-3-Clause
#include "search_words.h"

#include <bivouac/model/post_json.h>
#include <bivouac/model/post_words.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <utility>

#define SQLITE_HAS_CODEC 1
#include <sqlcipher/sqlite3.h>

namespace bivouac::store {

namespace {

// SQLite's own tokenizer, of which each use makes one: it has a buffer in it.
struct Unicode61 {
    fts5_tokenizer functions{};
    void* context = nullptr;
    sqlite3* owner = nullptr;  // stays open
};

struct OneTokenizer {
    const Unicode61& kind;
    Fts5Tokenizer* handle = nullptr;
    explicit OneTokenizer(const Unicode61& k) : kind(k)
    {
        // Marks belong to the words of scripts that have vowels as marks.
        const char* arguments[] = {"remove_diacritics", "2", "categories", "L* N* Co M*"};
        if (kind.functions.xCreate(kind.context, arguments, 4, &handle) != SQLITE_OK)
            handle = nullptr;
    }
    OneTokenizer(const OneTokenizer&) = delete;
    ~OneTokenizer()
    {
        if (handle)
            kind.functions.xDelete(handle);
    }
};

fts5_api* api_of(sqlite3* database)
{
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(database, "SELECT fts5(?1)", -1, &statement, nullptr) == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, &api, "fts5_api_ptr", nullptr);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    return api;
}

// The code point that begins there, and its bytes; what is no UTF-8 is one byte long.
std::pair<char32_t, size_t> code_point(std::string_view text)
{
    const auto first = static_cast<unsigned char>(text[0]);
    const size_t length = first < 0xc2 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 1;
    if (length == 1 || length > text.size())
        return {first < 0x80 ? first : 0xfffd, 1};
    char32_t out = first & (0xff >> (length + 1));
    for (size_t i = 1; i < length; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        if ((next & 0xc0) != 0x80)
            return {0xfffd, 1};
        out = (out << 6) | (next & 0x3f);
    }
    return {out, length};
}

// Of a script without spaces between words: Thai, Lao, Burmese, Khmer, kana, bopomofo and Han.
bool stands_alone(char32_t c)
{
    static constexpr std::pair<char32_t, char32_t> kRanges[] = {
        {0x0e01, 0x0e4e}, {0x0e81, 0x0ecd}, {0x1000, 0x1049}, {0x1050, 0x109f}, {0x1780, 0x17d3}, {0x2e80, 0x2fdf},
        {0x3005, 0x3007}, {0x3021, 0x3029}, {0x3041, 0x3096}, {0x30a1, 0x30fa}, {0x30fc, 0x30fe}, {0x3105, 0x312f},
        {0x31a0, 0x31bf}, {0x31f0, 0x31ff}, {0x3400, 0x4dbf}, {0x4e00, 0x9fff}, {0xa9e0, 0xa9fe}, {0xaa60, 0xaa7f},
        {0xf900, 0xfaff}, {0xff66, 0xff9f}, {0x1b000, 0x1b16f}, {0x20000, 0x323af}};
    if (c < kRanges[0].first)
        return false;
    for (const auto& [from, to] : kRanges)
        if (c >= from && c <= to)
            return true;
    return false;
}

using Emit = int (*)(void* context, int flags, const char* word, int bytes, int begin, int end);

// The words between those characters, by their places in the whole text.
struct Shifted {
    Emit emit;
    void* context;
    int by;
};

int emit_shifted(void* context, int flags, const char* word, int bytes, int begin, int end)
{
    if (bytes == 0)
        return SQLITE_OK;  // a mark that stands alone is a word to it, of which nothing is left
    const auto& shifted = *static_cast<Shifted*>(context);
    return shifted.emit(shifted.context, flags, word, bytes, begin + shifted.by, end + shifted.by);
}

int tokenize(const OneTokenizer& one, int flags, std::string_view text, void* context, Emit emit)
{
    auto rest = [&](size_t from, size_t to) {
        if (from == to)
            return SQLITE_OK;
        Shifted shifted{emit, context, static_cast<int>(from)};
        return one.kind.functions.xTokenize(one.handle, &shifted, flags, text.data() + from, static_cast<int>(to - from), emit_shifted);
    };
    size_t from = 0;
    for (size_t at = 0; at < text.size();) {
        if (static_cast<unsigned char>(text[at]) < 0x80) {
            ++at;
            continue;
        }
        const auto [c, length] = code_point(text.substr(at));
        if (stands_alone(c)) {
            if (int code = rest(from, at); code != SQLITE_OK)
                return code;
            if (int code = emit(context, 0, text.data() + at, static_cast<int>(length), static_cast<int>(at), static_cast<int>(at + length)); code != SQLITE_OK)
                return code;
            from = at + length;
        }
        at += length;
    }
    return rest(from, text.size());
}

// --- as FTS5 wants it

int create(void* context, const char**, int, Fts5Tokenizer** out)
{
    auto one = std::make_unique<OneTokenizer>(*static_cast<Unicode61*>(context));
    if (!one->handle)
        return SQLITE_NOMEM;
    *out = reinterpret_cast<Fts5Tokenizer*>(one.release());
    return SQLITE_OK;
}

void destroy(Fts5Tokenizer* handle)
{
    delete reinterpret_cast<OneTokenizer*>(handle);
}

int run(Fts5Tokenizer* handle, void* context, int flags, const char* text, int bytes, Emit emit)
{
    return tokenize(*reinterpret_cast<OneTokenizer*>(handle), flags, std::string_view(text ? text : "", text ? static_cast<size_t>(bytes) : 0), context, emit);
}

void search_words(sqlite3_context* context, int, sqlite3_value** values)
{
    const auto* text = reinterpret_cast<const char*>(sqlite3_value_text(values[0]));
    std::string words;
    if (text) {
        auto post = parse_post(std::string_view(text, static_cast<size_t>(sqlite3_value_bytes(values[0]))));
        if (post.ok())
            words = words_of_post(*post);
    }
    sqlite3_result_text(context, words.data(), static_cast<int>(words.size()), SQLITE_TRANSIENT);
}

// How much a post is about what was asked: how often the words are in it, for its length. Unlike bm25() it counts nothing over
// all posts, among which are those of other entities.
void closeness(const Fts5ExtensionApi* api, Fts5Context* fts, sqlite3_context* context, int, sqlite3_value**)
{
    constexpr int kPhrases = 64, kWords = 1;
    constexpr double kUsualLength = 40, kSlow = 1.2, kByLength = 0.6;
    int counts[kPhrases] = {}, length = 0, places = 0;
    if (api->xColumnSize(fts, kWords, &length) != SQLITE_OK || api->xInstCount(fts, &places) != SQLITE_OK)
        return sqlite3_result_error_nomem(context);
    for (int i = 0; i < places; ++i) {
        int phrase = 0, column = 0, offset = 0;
        if (api->xInst(fts, i, &phrase, &column, &offset) == SQLITE_OK && column == kWords && phrase < kPhrases)
            ++counts[phrase];
    }
    double sum = 0;
    for (const int count : counts)
        sum += count / (count + kSlow * (1 - kByLength + kByLength * length / kUsualLength));
    sqlite3_result_double(context, sum);
}

// A connection of its own, which nobody uses, only to be handed the tokenizer.
const Unicode61& unicode61()
{
    static const Unicode61 found = [] {
        Unicode61 out;
        constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
        const bool open = sqlite3_open_v2(":memory:", &out.owner, kFlags, nullptr) == SQLITE_OK;
        fts5_api* api = open ? api_of(out.owner) : nullptr;
        if (!api || api->xFindTokenizer(api, "unicode61", &out.context, &out.functions) != SQLITE_OK) {
            std::fputs("bivouac: this SQLCipher has no FTS5\n", stderr);
            std::abort();
        }
        return out;
    }();
    return found;
}

}  // namespace

std::vector<Word> words_of(std::string_view text)
{
    std::vector<Word> out;
    const OneTokenizer one(unicode61());
    if (!one.handle)
        return out;
    tokenize(one, FTS5_TOKENIZE_DOCUMENT, text, &out, [](void* context, int, const char* word, int bytes, int begin, int end) {
        static_cast<std::vector<Word>*>(context)->push_back(
            {std::string(word, static_cast<size_t>(bytes)), static_cast<size_t>(begin), static_cast<size_t>(end)});
        return SQLITE_OK;
    });
    return out;
}

Result<void> add_search_functions(sqlite3* database)
{
    fts5_api* api = api_of(database);
    fts5_tokenizer tokenizer{create, destroy, run};
    // The schema's triggers may use it although they are not trusted: it reads nothing but its argument.
    constexpr int kFlags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;
    if (!api || api->xCreateTokenizer(api, "bivouac", const_cast<Unicode61*>(&unicode61()), &tokenizer, nullptr) != SQLITE_OK ||
        api->xCreateFunction(api, "closeness", nullptr, closeness, nullptr) != SQLITE_OK ||
        sqlite3_create_function_v2(database, "search_words", 1, kFlags, nullptr, search_words, nullptr, nullptr, nullptr) != SQLITE_OK)
        return fail(ErrorKind::Internal, "the search functions cannot be added to the database");
    return {};
}

}  // namespace bivouac::store

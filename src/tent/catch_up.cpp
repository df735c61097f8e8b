// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/bytes.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/catch_up.h>
#include <bivouac/tent/receive.h>

#include <algorithm>

namespace bivouac::tent {

namespace {

Cursor cursor_of(const Json& post)
{
    Cursor out;
    auto version = post.find("version");
    if (version == post.end() || !version->is_object())
        return out;
    if (auto id = version->find("id"); id != version->end() && id->is_string())
        out.version = id->get<std::string>();
    if (auto time = version->find("published_at"); time != version->end() && time->is_number_integer())
        out.time = time->get<int64_t>();
    return out;
}

bool after(const Cursor& a, const Cursor& b)
{
    return std::pair(a.time, a.version) > std::pair(b.time, b.version);
}

}  // namespace

std::string catch_up_query(const store::CatchUp& catch_up)
{
    std::string out = "sort_by=version.published_at&limit=" + std::to_string(catch_up.page_size) +
                      "&entities=" + percent_encode(catch_up.peer);
    if (!catch_up.fresh)
        out += "&since=" + std::to_string(catch_up.cursor.time) +
               (catch_up.cursor.version.empty() ? "" : "+" + percent_encode(catch_up.cursor.version));
    return out;
}

Result<MissedPage> read_missed(const std::string& body, const store::CatchUp& catch_up, int64_t now_ms)
{
    Json feed = TRY(parse_json(body));
    if (!feed.is_object() || !feed.contains("posts") || !feed["posts"].is_array())
        return fail(ErrorKind::Invalid, "the answer is not a feed");
    MissedPage out;
    out.after = catch_up;
    out.after.fresh = false;
    if (catch_up.fresh)
        out.after.cursor = {};
    const Cursor before = out.after.cursor;
    const size_t count = feed["posts"].size();
    for (auto& post : feed["posts"]) {
        if (out.posts.size() == limits::kFeedLimitMaximum)
            break;
        if (!post.is_object() || post.value("entity", Json()) != catch_up.peer)
            continue;
        Cursor here = cursor_of(post);
        if (here.time > now_ms)
            here = {now_ms, ""};
        if (after(here, out.after.cursor))
            out.after.cursor = here;
        out.posts.push_back(std::move(post));
    }
    // Newest first they come; oldest first they are stored, so that what was posted earlier was received earlier.
    std::reverse(out.posts.begin(), out.posts.end());
    // A page that does not lead on ends it, whatever it says.
    out.more = !catch_up.fresh && count >= static_cast<size_t>(catch_up.page_size) && after(out.after.cursor, before);
    return out;
}

Result<bool> take_missed(store::WriteTx& tx, const Self& self, const std::string& peer, const Json& post)
{
    auto known = TRY(store::find_relationship(tx, self.id, peer));
    if (!known || known->following.empty())
        return false;  // no longer followed
    auto id = post.find("id");
    auto type = post.find("type");
    if (id == post.end() || !id->is_string() || type == post.end() || !type->is_string())
        return false;
    // Of relationship posts only the one that is in force says anything about us.
    auto parsed = parse_type(type->get<std::string>());
    if (!parsed.ok() || (parsed->base == type::kRelationshipBase && id->get<std::string>() != known->their_post))
        return false;
    auto received = receive(tx, self, peer, peer, id->get<std::string>(), post,
                            TRY(store::next_received_at(tx, self.id)));
    if (received.ok())
        return received->stored;
    switch (received.error().kind) {
    case ErrorKind::Invalid:
    case ErrorKind::Forbidden:
    case ErrorKind::TooMany:
    case ErrorKind::TooLarge:
    case ErrorKind::NotFound:
    case ErrorKind::Gone:
    case ErrorKind::Conflict: break;
    default: return std::move(received).error();
    }
    // What it had done before it failed must not stay; the caller's savepoint ends with an error.
    return fail(ErrorKind::Invalid, received.error().detail);
}

Result<void> missed_page_done(store::WriteTx& tx, MissedPage page, int64_t got, int64_t rest_ms)
{
    store::CatchUp& after = page.after;
    after.got += got;
    after.tries = 0;
    after.problem.clear();
    ++after.pages;
    const bool enough = after.pages >= limits::kCatchUpPages;
    after.due_at = tx.now_ms();
    if (!page.more) {
        after.done_at = tx.now_ms();
        after.pages = 0;
        after.page_size = store::CatchUp().page_size;
        after.due_at += rest_ms;
    } else if (enough) {
        after.pages = 0;
        after.due_at += limits::kCatchUpBreathMs;
    }
    return store::save_catch_up(tx, after);
}

Result<void> missed_page_failed(store::WriteTx& tx, store::CatchUp catch_up, const std::string& problem, bool too_large,
                                int64_t wait_ms)
{
    ++catch_up.tries;
    catch_up.problem = problem;
    catch_up.failed_at = tx.now_ms();
    catch_up.due_at = tx.now_ms() + wait_ms;
    if (too_large && catch_up.page_size > 1) {
        catch_up.page_size = std::max(1, catch_up.page_size / 4);
        catch_up.due_at = tx.now_ms();
    }
    return store::save_catch_up(tx, catch_up);
}

}  // namespace bivouac::tent

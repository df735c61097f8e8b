// SPDX-License-Identifier: BSD-3-Clause
// The part of the control API that searches.
#include <bivouac/model/post_words.h>
#include <bivouac/store/post_lists.h>
#include <bivouac/store/search.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include "control_api.h"
#include "control_parameters.h"

namespace bivouac::app {

namespace {

constexpr size_t kExcerptBytes = 300;

Json pieces_json(const std::vector<store::Piece>& pieces)
{
    Json out = Json::array();
    for (const auto& piece : pieces) {
        Json one = {{"text", piece.text}};
        if (piece.marked)
            one["marked"] = true;
        out.push_back(std::move(one));
    }
    return out;
}

}  // namespace

// ?q=, kind=posts|people|tags, limit=, sort=newest|closest, before= (of "older" of the answer before), skip=. Posts that are not
// indexed yet are told as "waiting".
Result<Json> ControlApi::search(std::string_view query)
{
    const store::Wanted wanted = store::parse_wanted(parameter(query, "q"));
    if (wanted.empty())
        return fail(ErrorKind::Invalid, "there is no word in this that could be looked for");
    const std::string kind = parameter(query, "kind");
    const std::string limit = parameter(query, "limit");
    store::SearchPage page;
    page.limit = limit.empty() ? 25 : std::clamp<int64_t>(std::atoll(limit.c_str()), 1, 200);
    page.before = std::max<int64_t>(std::atoll(parameter(query, "before").c_str()), 0);
    page.skip = std::clamp<int64_t>(std::atoll(parameter(query, "skip").c_str()), 0, store::kSortedByCloseness);
    if (parameter(query, "sort") == "closest")
        page.order = store::FoundOrder::Closest;
    const int64_t waiting = TRY(store::index_waiting(store_, store::kIndexingPatience));
    const store::Wanted marks = store::with_tags_as_words(wanted);
    return store_.read([&](store::ReadTx& tx) -> Result<Json> {
        Json out = {{"waiting", waiting}, {"cut", wanted.was_cut}};
        if (kind == "people") {
            Json list = Json::array();
            for (const auto& person : TRY(store::search_people(tx, self_.id, wanted, page.limit, page.skip))) {
                Json one = {{"entity", person.entity}, {"follower", person.follower}, {"following", person.following}};
                if (!person.name.empty())
                    one["name"] = person.name;
                if (!person.note.empty())
                    one["note"] = person.note;
                list.push_back(std::move(one));
            }
            out["people"] = std::move(list);
            return out;
        }
        if (kind == "tags") {
            Json list = Json::array();
            for (const auto& tag : TRY(store::search_tags(tx, self_.id, wanted, page.limit)))
                list.push_back({{"tag", tag.tag}, {"posts", tag.posts}});
            out["tags"] = std::move(list);
            return out;
        }
        if (!kind.empty() && kind != "posts")
            return fail(ErrorKind::Invalid, "kind is posts, people or tags");
        Json list = Json::array();
        auto found = TRY(store::search_posts(tx, self_.id, wanted, page));
        std::set<std::string> authors;
        for (const auto& one : found.posts)
            authors.insert(one.post.entity);
        const auto profiles = TRY(store::load_profiles(tx, self_.id, std::vector<std::string>(authors.begin(), authors.end())));
        for (const auto& one : found.posts) {
            Json post = {{"entity", one.post.entity},
                         {"id", one.post.id},
                         {"type", one.post.type},
                         {"published_at", one.post.published_at},
                         {"excerpt", pieces_json(store::excerpt(words_of_post(one.post), marks, kExcerptBytes))}};
            if (auto profile = profiles.find(one.post.entity); profile != profiles.end() && !profile->second.name.empty())
                post["name"] = profile->second.name;
            list.push_back(std::move(post));
        }
        out["posts"] = std::move(list);
        out["older"] = found.older && page.order == store::FoundOrder::Newest ? Json(found.posts.back().row) : Json();
        out["more"] = found.older;
        return out;
    });
}

}  // namespace bivouac::app

// SPDX-License-Identifier: BSD-3-Clause
#include "done.h"

#include <bivouac/base/bytes.h>

namespace bivouac::pages {

namespace {

struct Word {
    std::string_view code;
    Msg words;
};
constexpr Word kWords[] = {
    {"posted", T("Posted. It is stored safely and on its way.")},
    {"edited", T("Changed. The version before is kept in the history.")},
    {"deleted", T("Deleted. Those who have it are asked to delete it, too.")},
    {"favorite", T("Marked as a favorite.")},
    {"repost", T("Passed on.")},
    {"undone", T("Taken back.")},
    {"approved", T("Approved. She follows you now.")},
    {"denied", T("Denied. She is not told.")},
    {"blocked", T("Blocked. She is not told.")},
    {"unblocked", T("Not blocked any more.")},
    {"removed", T("Removed. She gets nothing from now on.")},
    {"verified", T("Marked as verified.")},
    {"unverified", T("Not marked as verified any more.")},
    {"follow", T("Asked. She decides; this can take a while when her machine is off.")},
    {"unfollow", T("You do not follow her any more.")},
    {"asked", T("Asking for what you may have missed.")},
    {"group", T("The group is changed.")},
    {"invite-gone", T("The invite admits nobody from now on.")},
    {"retried", T("Tried again now.")},
    {"cancelled", T("Taken back. It goes to nobody who does not have it yet.")},
    {"app", T("What the app may do is changed.")},
    {"profile", T("Your profile is changed.")},
    {"door", T("The door is changed.")},
    {"all-out", T("Everybody is logged out everywhere but here.")},
    {"check", T("Checking whether others can reach you. Look again in a minute.")},
    {"job", T("Begun. This page shows how far it is.")},
    {"entity", T("The entities are changed. The node begins anew; it is back in a few seconds.")},
};

}  // namespace

std::string done_words(const Visit& visit)
{
    const std::string code = visit.param("done");
    for (const auto& word : kWords)
        if (!code.empty() && code == word.code)
            return std::string(visit.tr(word.words));
    return {};
}

void language_links(Html& html, Visit& visit)
{
    // Back to where she is; the answer to a form is none.
    constexpr size_t kLongest = 1000;
    std::string back = visit.posting() || visit.request.target.size() > kLongest ? visit.path : visit.request.target;
    if (visit.path == "/login")
        back = "/login?next=" + percent_encode(next_of(visit));
    html.markup("<nav class=\"languages\" aria-label=\"").text(visit.tr(T("Language"))).markup("\">\n<ul>\n");
    for (const auto& words : languages()) {
        html.markup("<li><a lang=\"").text(words.tag()).markup("\" hreflang=\"").text(words.tag()).markup("\" href=\"/language?to=").text(words.tag());
        html.markup("&amp;back=").text(percent_encode(back)).markup("\"");
        if (&words == visit.words)
            html.markup(" aria-current=\"true\"");
        html.markup(">").text(words.own_name()).markup("</a></li>\n");
    }
    html.markup("</ul>\n</nav>\n");
}

}  // namespace bivouac::pages

// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/post.h>
#include <bivouac/tent/visibility.h>

#include <algorithm>

namespace bivouac::tent {

Viewer viewer_of(const Principal& principal)
{
    Viewer viewer;
    viewer.shut_out = principal.shut_out;
    switch (principal.kind) {
    case Principal::Kind::Owner: viewer.kind = Viewer::Kind::Everything; break;
    case Principal::Kind::App:
        viewer.kind = Viewer::Kind::Types;
        viewer.types = principal.read_types;  // writing includes reading
        viewer.types.insert(viewer.types.end(), principal.write_types.begin(), principal.write_types.end());
        break;
    case Principal::Kind::Peer:
        viewer.kind = Viewer::Kind::Peer;
        viewer.entity = principal.entity;
        viewer.own_post = principal.target_post;
        break;
    case Principal::Kind::AppItself:
        // Not an entity, so the permission lists never match; only its own app post shows.
        viewer.kind = Viewer::Kind::Peer;
        viewer.own_post = principal.target_post;
        break;
    // A signed URL: the handler shows exactly that post, as its owner would.
    case Principal::Kind::Server: viewer.kind = Viewer::Kind::Everything; break;
    case Principal::Kind::Anonymous: break;
    }
    return viewer;
}

Audience audience_of(const Principal& principal)
{
    switch (principal.kind) {
    case Principal::Kind::Owner:
    case Principal::Kind::App: return Audience::owner();
    case Principal::Kind::Peer: return Audience::peer(principal.entity);
    default: return Audience::everybody();
    }
}

bool is_let_in(const Principal& principal)
{
    switch (principal.kind) {
    case Principal::Kind::Peer: return principal.approved;
    case Principal::Kind::AppItself:
    case Principal::Kind::Anonymous: return false;
    default: return true;
    }
}

bool may_write(const Principal& principal, std::string_view type)
{
    if (principal.kind == Principal::Kind::Owner)
        return true;
    if (principal.kind != Principal::Kind::App)
        return false;
    return std::any_of(principal.write_types.begin(), principal.write_types.end(),
                       [&](const std::string& selector) { return type_matches(selector, type); });
}

}  // namespace bivouac::tent

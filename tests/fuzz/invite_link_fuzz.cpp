// SPDX-License-Identifier: BSD-3-Clause
// The link of an invite that is understood is the same when it is written and read again.
#include "target.h"

#include <bivouac/model/duration.h>
#include <bivouac/model/invite_link.h>

using namespace bivouac;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size)
{
    if (auto length = parse_duration(view(data, size)); length.ok())
        HOLDS(*length >= 1000);
    auto link = parse_invite_link(view(data, size));
    if (!link.ok()) {
        HOLDS(link.error().kind == ErrorKind::Invalid);
        return 0;
    }
    HOLDS(link->address.find('#') == std::string::npos);
    if (link->secret.empty())
        return 0;
    HOLDS(link->secret.size() == kInviteSecretBytes);
    auto again = parse_invite_link(write_invite_link(*link));
    // A slash is written behind the address, and the whole has a longest form.
    if (again.ok())
        HOLDS(again->secret == link->secret && again->address.starts_with(link->address));
    else
        HOLDS(write_invite_link(*link).size() > 512);
    return 0;
}

// SPDX-License-Identifier: BSD-3-Clause
#include "post_view.h"

namespace bivouac::pages {

net::HttpResponse search(Visit& visit)
{
    return not_found(visit);
}

}  // namespace bivouac::pages

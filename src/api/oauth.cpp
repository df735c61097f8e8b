// SPDX-License-Identifier: BSD-3-Clause
#include "call.h"

namespace bivouac::api {

Answer oauth_authorize(const CallPtr&)
{
    return not_found();
}

Answer oauth_token(const CallPtr&)
{
    return not_found();
}

}  // namespace bivouac::api

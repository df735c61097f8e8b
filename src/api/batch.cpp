// SPDX-License-Identifier: BSD-3-Clause
#include "call.h"

namespace bivouac::api {

Answer batch(const CallPtr&)
{
    return not_found();
}

}  // namespace bivouac::api

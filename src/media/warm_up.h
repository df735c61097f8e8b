// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bivouac::media {

// libturbojpeg looks at the processor once, on some in /proc/cpuinfo, which a sandboxed child could not read: so its parent
// makes it look, by a picture of our own.
void warm_up();

}  // namespace bivouac::media

// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/duration.h>

#include <charconv>

namespace bivouac {

Result<int64_t> parse_duration(std::string_view text)
{
    constexpr int64_t kSecondMs = 1000;
    constexpr int64_t kMinuteMs = 60 * kSecondMs;
    constexpr int64_t kLongestMs = 100 * 366 * 24 * 60 * kMinuteMs;
    const char last = text.empty() ? '\0' : text.back();
    const int64_t unit = last == 's'   ? kSecondMs
                         : last == 'm' ? kMinuteMs
                         : last == 'h' ? 60 * kMinuteMs
                         : last == 'd' ? 24 * 60 * kMinuteMs
                         : last == 'w' ? 7 * 24 * 60 * kMinuteMs
                                       : 0;
    int64_t count = 0;
    if (unit != 0) {
        const char* end = text.data() + text.size() - 1;
        auto [stop, error] = std::from_chars(text.data(), end, count);
        if (error != std::errc() || stop != end)
            count = 0;
    }
    if (count < 1 || count > kLongestMs / unit)
        return fail(ErrorKind::Invalid, "a length of time is a number with s, m, h, d or w behind it: 30m, 12h, 7d, 2w");
    return count * unit;
}

}  // namespace bivouac

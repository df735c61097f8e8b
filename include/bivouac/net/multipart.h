// SPDX-License-Identifier: BSD-3-Clause
// multipart/form-data (RFC 7578) and multipart/mixed (RFC 2046) read in pieces, so that a body of any size passes
// through bounded memory. Pure: bytes in, callbacks out. Fuzzed.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bivouac/base/result.h>

namespace bivouac::net {

struct PartHead {
    std::string name;           // form data only
    std::string filename;       // empty when absent
    bool has_filename = false;
    std::string content_type;   // as sent, parameters included; empty when absent
    std::string content_id;     // as sent; empty when absent
};

// Parts of a form need a disposition with a name, others none; theirs is not looked at.
enum class MultipartKind { FormData, Mixed };

class MultipartReader {
public:
    struct Events {
        std::function<Result<void>(const PartHead&)> part_begin;
        std::function<Result<void>(std::string_view)> part_data;
        std::function<Result<void>()> part_end;
    };
    // Limits: 64 parts of a form, 1000 others, 8 KiB of headers a part. Sizes of the parts are the caller's business
    // (part_data).
    MultipartReader(std::string boundary, Events events, MultipartKind kind = MultipartKind::FormData);

    // Invalid when malformed; whatever an event returned.
    Result<void> feed(std::string_view bytes);
    // Invalid when the last boundary has not been seen.
    Result<void> finish();

private:
    enum class State { Preamble, BoundaryEnd, Headers, Data, Epilogue, Failed };
    Result<void> take(std::string_view bytes);
    Result<void> step(bool& progress);
    Result<void> step_boundary_end(bool& progress);
    Result<void> step_headers(bool& progress);
    Result<void> step_data(bool& progress);
    Result<void> parse_headers(std::string_view text);
    std::string_view rest() const { return std::string_view(buffer_).substr(at_); }

    std::string delimiter_;  // CR LF -- boundary; empty when the boundary is none
    Events events_;
    MultipartKind kind_;
    State state_ = State::Preamble;
    std::string buffer_;
    size_t at_ = 0;       // what lies before is done with
    size_t scanned_ = 0;  // how far a part's headers have been searched for their end
    size_t parts_ = 0;
};

// "a/b; name=\"value\"": the media type in lower case and its parameters. Quotes may be " or '.
struct MediaType {
    std::string type;  // lower case, without parameters
    std::string parameter(std::string_view name) const;  // empty when absent
    std::vector<std::pair<std::string, std::string>> parameters;
};
Result<MediaType> parse_media_type(std::string_view text);

}  // namespace bivouac::net

// SPDX-License-Identifier: BSD-3-Clause
// The requests inside a batch (Tent 0.3, section 4.11). Pure; fuzzed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/net/request_head.h>

namespace bivouac::api {

struct BatchPart {
    std::string content_id;  // as sent; empty when absent
    std::string text;
};

// Invalid: not a multipart body of application/http parts, none of them, or too many. TooLarge.
Result<std::vector<BatchPart>> split_batch(const std::string& boundary, std::string_view body);

struct BatchRequest {
    net::RequestHead head;
    std::string_view body;  // of the text
};

// A complete HTTP request. Nothing but line ends may follow its body: some clients add one. Errors as those of
// parse_request_head; the Host may be left out.
Result<BatchRequest> parse_batch_request(std::string_view text);

}  // namespace bivouac::api

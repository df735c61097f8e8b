// SPDX-License-Identifier: BSD-3-Clause
// The signed word of an address that another one succeeds it (the [R] part of Tent 0.3, section 1.6, made binding): both
// onion keys sign, so neither can be given away or taken over without its owner. Pure functions.
//
// What is signed, with Ed25519, each line ended by a line feed; times are Unix milliseconds:
//
//     bivouac succession 1
//     http://<old>.onion
//     http://<new>.onion
//     <at>
//     <until>
//
// It travels in the meta post: previous_entities lists the old address, as the protocol has it, and the last line of
// version.message is "successions: " and a JSON array, oldest first, signatures in base64url (the schema of the content takes
// no other members, and other servers hold to it):
// {"from": URL, "to": URL, "at": ms, "until": ms, "signature": by the old key, "signature_of_new": by the new key}
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <bivouac/base/secret.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>

namespace bivouac::tent {

struct Succession {
    std::string from;
    std::string to;
    int64_t at = 0;
    int64_t until = 0;  // nobody takes note of it later
    std::string signature;
    std::string signature_of_new;
};

// The addresses follow from the keys.
Succession make_succession(const Secret& old_seed, const Secret& new_seed, int64_t at, int64_t until);
Json succession_to_json(const Succession& succession);

// The JSON array in the message of a version; empty when there is none.
Json successions_in(const std::string& message);
// A message with this array in the place of its own.
std::string with_successions(const std::string& message, const Json& successions);

// The way from an address to another one in a meta post: every step signed by both keys, none expired or
// from the future at `now_ms`, and the old address listed in previous_entities. Nothing: there is none.
std::optional<std::vector<Succession>> way_from(const Post& meta, const std::string& from, const std::string& to,
                                                int64_t now_ms);

}  // namespace bivouac::tent

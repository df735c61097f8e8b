// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/tent/relationships.h>
#include <bivouac/tor/onion_address.h>

#include <sodium.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace bivouac::tent {

namespace {

constexpr size_t kWords = 8;  // of 8 bits each: 2^64 pairs of keys to be tried for the same phrase

// Short, everyday, and hard to mistake for one another over a bad line. Never changed: both sides must agree.
constexpr const char* kVocabulary[] = {
    "acid", "acorn", "actor", "adult", "alarm", "album", "alley", "amber", "angel", "ankle", "apple",
    "apron", "arena", "armor", "arrow", "artist", "atlas", "attic", "autumn", "award", "bacon", "badge",
    "baker", "balcony", "bamboo", "banana", "banjo", "barn", "basin", "basket", "beach", "beard", "beaver",
    "bench", "berry", "bishop", "blanket", "bottle", "bowl", "branch", "bread", "brick", "bridge", "broom",
    "brush", "bucket", "butter", "button", "cabin", "cable", "cactus", "camel", "camera", "candle", "canoe",
    "canyon", "captain", "carpet", "carrot", "castle", "cattle", "cellar", "chalk", "cherry", "chimney", "circle",
    "clay", "cliff", "clock", "cloud", "clover", "coast", "cobra", "coffee", "comet", "copper", "coral",
    "corner", "cotton", "cradle", "crater", "crow", "crystal", "cup", "curtain", "daisy", "dancer", "desert",
    "diamond", "dinner", "doctor", "dolphin", "donkey", "door", "dragon", "drum", "duck", "dust", "eagle",
    "earth", "echo", "elbow", "elephant", "engine", "envelope", "fabric", "falcon", "farmer", "feather", "fence",
    "ferry", "fiddle", "finger", "fire", "fish", "flag", "flower", "flute", "forest", "fossil", "fountain",
    "fox", "frog", "garden", "garlic", "gate", "giant", "ginger", "giraffe", "glacier", "glass", "glove",
    "goat", "gold", "grape", "grass", "guitar", "hammer", "harbor", "hat", "hazel", "hedge", "helmet",
    "honey", "horse", "hotel", "house", "hunter", "ice", "igloo", "insect", "iron", "island", "ivory",
    "jacket", "jaguar", "jar", "jewel", "judge", "jungle", "kettle", "key", "king", "kitchen", "kite",
    "ladder", "lake", "lamp", "lantern", "leaf", "lemon", "leopard", "letter", "library", "lily", "lion",
    "lizard", "lobster", "magnet", "mango", "maple", "marble", "market", "mask", "meadow", "melon", "mirror",
    "monkey", "moon", "motor", "mountain", "museum", "mushroom", "needle", "nest", "noodle", "ocean", "olive",
    "onion", "orange", "orchard", "otter", "oven", "owl", "oyster", "paddle", "palace", "panda", "paper",
    "parrot", "peach", "pearl", "pebble", "pencil", "pepper", "piano", "pigeon", "pillow", "pilot", "pirate",
    "planet", "plum", "pocket", "poet", "pony", "potato", "prince", "pumpkin", "puzzle", "rabbit", "radio",
    "rainbow", "raven", "ribbon", "river", "robin", "rocket", "rose", "saddle", "sailor", "salmon", "sand",
    "school", "scissors", "shadow", "shark", "sheep", "shell", "ship", "silver", "tiger", "tower", "trumpet",
    "turtle", "violin", "zebra",
};
static_assert(std::size(kVocabulary) == 256);

}  // namespace

Result<std::string> safety_phrase(const std::string& one, const std::string& other)
{
    std::array<std::string, 2> keys;
    size_t index = 0;
    for (const std::string* entity : {&one, &other}) {
        auto host = peer_host(*entity);
        auto key = host ? tor::public_key_of(host->substr(0, host->find('.'))) : std::nullopt;
        if (!key)
            return fail(ErrorKind::Invalid, "a safety phrase takes two onion addresses");
        keys[index++] = std::move(*key);
    }
    std::sort(keys.begin(), keys.end());
    const std::string text = "bivouac safety phrase 1" + keys[0] + keys[1];
    std::array<unsigned char, 32> hash{};
    crypto_generichash(hash.data(), hash.size(), reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       nullptr, 0);
    std::string out;
    for (size_t i = 0; i < kWords; ++i)
        out += (i == 0 ? "" : " ") + std::string(kVocabulary[hash[i]]);
    return out;
}

}  // namespace bivouac::tent

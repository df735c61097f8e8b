// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/store/key_file.h>

#include <cstring>
#include <vector>

#include <sodium.h>

namespace bivouac::store {

namespace {

// Frozen: these numbers are in files of people. docs/storage.md draws them.
constexpr std::string_view kMagic = "BIVOUACK";
constexpr unsigned char kVersion = 1;
constexpr size_t kHeaderBytes = 32;   // magic 8, version 1, slots 1, zero 6, Argon2 salt 16
constexpr size_t kPayloadBytes = 112; // data key 32, file salt 16, zero 64 (room for a label)
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kSlotBytes = 4 + 4 + kNonceBytes + kPayloadBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kMacBytes = 32;
constexpr size_t kChecksumBytes = 32;
static_assert(kSlotBytes == 160);
static_assert(kHeaderBytes + kKeySlots * kSlotBytes + kMacBytes + kChecksumBytes == kKeyFileBytes);

// More than these would be an attempt to make us swallow the machine's memory.
constexpr uint32_t kMostPasses = 64;
constexpr uint32_t kMostMemoryKib = 4u << 20;

const unsigned char* data_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
}

void put_u32(std::string& out, uint32_t value)
{
    for (int shift = 0; shift < 32; shift += 8)
        out.push_back(static_cast<char>((value >> shift) & 255u));
}

uint32_t get_u32(std::string_view bytes)
{
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i)
        value |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    return value;
}

std::string generic_hash(std::string_view bytes, std::string_view key = {})
{
    std::string out(32, '\0');
    crypto_generichash(reinterpret_cast<unsigned char*>(out.data()), out.size(), data_of(bytes), bytes.size(),
                       key.empty() ? nullptr : data_of(key), key.size());
    return out;
}

std::string file_mac(std::string_view before_mac, const Secret& data_key)
{
    // A key of its own, so that the data key itself is only ever SQLCipher's.
    std::string mac_key = generic_hash("bivouac.keys mac", data_key.view());
    std::string mac = generic_hash(before_mac, mac_key);
    wipe(mac_key);
    return mac;
}

Result<Secret> derive(const Secret& passphrase, std::string_view salt, PassphraseCost cost)
{
    Secret key(crypto_aead_xchacha20poly1305_ietf_KEYBYTES);
    if (crypto_pwhash(key.data(), key.size(), reinterpret_cast<const char*>(passphrase.data()),
                      passphrase.size(), data_of(salt), cost.passes, size_t(cost.memory_kib) << 10,
                      crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(ErrorKind::Unavailable, "not enough memory to check the passphrase: " +
                                                std::to_string(cost.memory_kib >> 10) +
                                                " MiB are needed; close some programs and try again");
    return key;
}

std::string slot_context(std::string_view header, size_t index, PassphraseCost cost)
{
    std::string out(header);
    out.push_back(static_cast<char>(index));
    put_u32(out, cost.passes);
    put_u32(out, cost.memory_kib);
    return out;
}

std::string seal_slot(std::string_view header, size_t index, PassphraseCost cost, const Secret& key,
                      const DataKeys& keys, Random& random)
{
    Secret payload(kPayloadBytes);
    std::memcpy(payload.data(), keys.key.data(), 32);
    std::memcpy(payload.data() + 32, keys.file_salt.data(), 16);
    std::string nonce = random.bytes(kNonceBytes);
    std::string context = slot_context(header, index, cost);
    std::string box(kPayloadBytes + crypto_aead_xchacha20poly1305_ietf_ABYTES, '\0');
    crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(box.data()), nullptr,
                                               payload.data(), payload.size(), data_of(context),
                                               context.size(), nullptr, data_of(nonce), key.data());
    std::string slot;
    put_u32(slot, cost.passes);
    put_u32(slot, cost.memory_kib);
    return slot + nonce + box;
}

Result<void> check_frame(std::string_view file)
{
    const char* damaged = "the key file is damaged or cut off; put back a copy of bivouac.keys or restore a backup";
    if (file.size() < kHeaderBytes + kChecksumBytes || file.substr(0, kMagic.size()) != kMagic)
        return fail(ErrorKind::Invalid, damaged);
    std::string_view body = file.substr(0, file.size() - kChecksumBytes);
    if (generic_hash(body) != file.substr(body.size()))
        return fail(ErrorKind::Invalid, damaged);
    // The checksum is the last thing in every version, so this is a newer file and not a broken one.
    if (static_cast<unsigned char>(file[8]) > kVersion)
        return fail(ErrorKind::Invalid,
                    "the key file was made by a newer version of bivouac; install that version to open it");
    if (static_cast<unsigned char>(file[8]) != kVersion || file.size() != kKeyFileBytes ||
        static_cast<unsigned char>(file[9]) != kKeySlots)
        return fail(ErrorKind::Invalid, damaged);
    return {};
}

}  // namespace

DataKeys make_data_keys(Random& random)
{
    std::string key = random.bytes(32);
    DataKeys keys{Secret(key), random.bytes(16)};
    wipe(key);
    return keys;
}

Result<std::string> create_key_file(const DataKeys& keys, const Secret& passphrase, PassphraseCost cost,
                                    Random& random)
{
    if (passphrase.empty())
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    std::string file(kMagic);
    file.push_back(static_cast<char>(kVersion));
    file.push_back(static_cast<char>(kKeySlots));
    file.append(6, '\0');
    std::string salt = random.bytes(crypto_pwhash_SALTBYTES);
    file += salt;
    const std::string header = file;

    Secret key = TRY(derive(passphrase, salt, cost));
    const size_t used = random.below(kKeySlots);
    for (size_t index = 0; index < kKeySlots; ++index) {
        if (index == used) {
            file += seal_slot(header, index, cost, key, keys, random);
            continue;
        }
        put_u32(file, cost.passes);
        put_u32(file, cost.memory_kib);
        file += random.bytes(kSlotBytes - 8);
    }
    file += file_mac(file, keys.key);
    file += generic_hash(file);
    return file;
}

Result<DataKeys> open_key_file(std::string_view file, const Secret& passphrase)
{
    TRY(check_frame(file));
    std::string_view header = file.substr(0, kHeaderBytes);
    std::string_view salt = header.substr(16);

    // One salt for all slots, so slots of equal cost share one derivation: opening costs the same whichever
    // slot the passphrase is in.
    struct Derived {
        PassphraseCost cost;
        Secret key;
    };
    std::vector<Derived> derived;
    for (size_t index = 0; index < kKeySlots; ++index) {
        std::string_view slot = file.substr(kHeaderBytes + index * kSlotBytes, kSlotBytes);
        PassphraseCost cost{get_u32(slot), get_u32(slot.substr(4))};
        if (cost.passes < 1 || cost.passes > kMostPasses || cost.memory_kib < 8 ||
            cost.memory_kib > kMostMemoryKib)
            return fail(ErrorKind::Invalid, "the key file was altered; put back a copy of bivouac.keys");
        const Secret* key = nullptr;
        for (const auto& d : derived)
            if (d.cost.passes == cost.passes && d.cost.memory_kib == cost.memory_kib)
                key = &d.key;
        if (!key) {
            derived.push_back({cost, TRY(derive(passphrase, salt, cost))});
            key = &derived.back().key;
        }
        std::string context = slot_context(header, index, cost);
        std::string_view nonce = slot.substr(8, kNonceBytes);
        std::string_view box = slot.substr(8 + kNonceBytes);
        Secret payload(kPayloadBytes);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(payload.data(), nullptr, nullptr, data_of(box), box.size(),
                                                       data_of(context), context.size(), data_of(nonce),
                                                       key->data()) != 0)
            continue;
        DataKeys keys{Secret(payload.view().substr(0, 32)), std::string(payload.view().substr(32, 16))};
        std::string_view before_mac = file.substr(0, kKeyFileBytes - kMacBytes - kChecksumBytes);
        if (!sodium_memcmp(file_mac(before_mac, keys.key).data(), file.data() + before_mac.size(), kMacBytes))
            return keys;
        return fail(ErrorKind::Invalid, "the key file was altered; put back a copy of bivouac.keys");
    }
    return fail(ErrorKind::Forbidden, "wrong passphrase");
}

}  // namespace bivouac::store

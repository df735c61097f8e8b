// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/base/integers.h>
#include <bivouac/store/key_file.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include <sodium.h>

namespace bivouac::store {

namespace {

// Frozen: these numbers are in files of people. docs/storage.md draws them.
constexpr std::string_view kMagic = "BIVOUACK";
constexpr unsigned char kVersion = 2;     // 1 had no list of slots, and one passphrase only
constexpr size_t kHeaderBytes = 32;   // magic 8, version 1, slots 1, zero 6, Argon2 salt 16
constexpr size_t kPayloadBytes = 112; // data key 32, file salt 16, zero 64
constexpr size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr size_t kSlotBytes = 4 + 4 + kNonceBytes + kPayloadBytes + kTagBytes;
constexpr size_t kEntryBytes = 48;    // used 1, zero 7, since 8, name 32
constexpr size_t kListBytes = kNonceBytes + kKeySlots * kEntryBytes + kTagBytes;
constexpr size_t kMacBytes = 32;
constexpr size_t kChecksumBytes = 32;
constexpr size_t kListAt = kHeaderBytes + kKeySlots * kSlotBytes;
constexpr size_t kOldFileBytes = kListAt + kMacBytes + kChecksumBytes;
static_assert(kSlotBytes == 160);
static_assert(kOldFileBytes == 1376);
static_assert(kListAt + kListBytes + kMacBytes + kChecksumBytes == kKeyFileBytes);

// More than these would be an attempt to make us swallow the machine's memory.
constexpr uint32_t kMostPasses = 64;
constexpr uint32_t kMostMemoryKib = 4u << 20;

const unsigned char* data_of(std::string_view text)
{
    return reinterpret_cast<const unsigned char*>(text.data());
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
    put_little32(out, cost.passes);
    put_little32(out, cost.memory_kib);
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
    put_little32(slot, cost.passes);
    put_little32(slot, cost.memory_kib);
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
    const bool old = static_cast<unsigned char>(file[8]) == 1;
    if (file[8] == 0 || file.size() != (old ? kOldFileBytes : kKeyFileBytes) ||
        static_cast<unsigned char>(file[9]) != kKeySlots)
        return fail(ErrorKind::Invalid, damaged);
    return {};
}

struct Entry {
    bool used = false;
    int64_t since = 0;
    std::string name;
};

// A key file taken apart. `opened` is the slot that the passphrase fits.
struct Parts {
    std::string header;
    std::vector<std::string> slots;
    std::vector<Entry> entries;
    DataKeys keys;
    size_t opened = 0;
    PassphraseCost cost;  // of that slot
    Secret derived;       // from the passphrase at that cost
};

Secret list_key(const Secret& data_key)
{
    std::string key = generic_hash("bivouac.keys list", data_key.view());
    Secret out{std::string_view(key)};
    wipe(key);
    return out;
}

std::string seal_list(const Parts& parts, Random& random)
{
    std::string text;
    for (const Entry& entry : parts.entries) {
        text.push_back(entry.used ? 1 : 0);
        text.append(7, '\0');
        for (int shift = 0; shift < 64; shift += 8)
            text.push_back(static_cast<char>((static_cast<uint64_t>(entry.since) >> shift) & 255u));
        text += entry.name + std::string(kSlotNameBytes - entry.name.size(), '\0');
    }
    const std::string nonce = random.bytes(kNonceBytes);
    const Secret key = list_key(parts.keys.key);
    std::string box(text.size() + kTagBytes, '\0');
    crypto_aead_xchacha20poly1305_ietf_encrypt(reinterpret_cast<unsigned char*>(box.data()), nullptr, data_of(text),
                                               text.size(), data_of(parts.header), parts.header.size(), nullptr,
                                               data_of(nonce), key.data());
    return nonce + box;
}

bool open_list(std::string_view list, Parts& parts)
{
    const Secret key = list_key(parts.keys.key);
    std::string text(kKeySlots * kEntryBytes, '\0');
    std::string_view box = list.substr(kNonceBytes);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(reinterpret_cast<unsigned char*>(text.data()), nullptr, nullptr,
                                                   data_of(box), box.size(), data_of(parts.header),
                                                   parts.header.size(), data_of(list), key.data()) != 0)
        return false;
    for (size_t index = 0; index < kKeySlots; ++index) {
        std::string_view entry = std::string_view(text).substr(index * kEntryBytes, kEntryBytes);
        uint64_t since = 0;
        for (size_t i = 0; i < 8; ++i)
            since |= static_cast<uint64_t>(static_cast<unsigned char>(entry[8 + i])) << (8 * i);
        std::string_view name = entry.substr(16);
        parts.entries[index] = {entry[0] != 0, static_cast<int64_t>(since),
                                std::string(name.substr(0, std::min(name.find('\0'), name.size())))};
    }
    return true;
}

std::string assemble(const Parts& parts, Random& random)
{
    std::string file = parts.header;
    for (const auto& slot : parts.slots)
        file += slot;
    file += seal_list(parts, random);
    file += file_mac(file, parts.keys.key);
    file += generic_hash(file);
    return file;
}

std::string new_header(std::string_view salt)
{
    std::string header(kMagic);
    header.push_back(static_cast<char>(kVersion));
    header.push_back(static_cast<char>(kKeySlots));
    header.append(6, '\0');
    header += salt;
    return header;
}

std::string unused_slot(PassphraseCost cost, Random& random)
{
    std::string slot;
    put_little32(slot, cost.passes);
    put_little32(slot, cost.memory_kib);
    return slot + random.bytes(kSlotBytes - 8);
}

std::string_view salt_in(std::string_view header)
{
    return header.substr(16);
}

Result<Parts> take_apart(std::string_view file, const Secret& passphrase)
{
    TRY(check_frame(file));
    const char* altered = "the key file was altered; put back a copy of bivouac.keys";
    Parts parts;
    parts.header = std::string(file.substr(0, kHeaderBytes));
    parts.entries.resize(kKeySlots);

    // One salt for all slots, so slots of equal cost share one derivation: opening costs the same whichever
    // slot the passphrase is in.
    struct Derived {
        PassphraseCost cost;
        Secret key;
    };
    std::vector<Derived> derived;
    bool found = false;
    for (size_t index = 0; index < kKeySlots; ++index) {
        std::string_view slot = file.substr(kHeaderBytes + index * kSlotBytes, kSlotBytes);
        parts.slots.emplace_back(slot);
        PassphraseCost cost{little32(slot, 0), little32(slot, 4)};
        if (cost.passes < 1 || cost.passes > kMostPasses || cost.memory_kib < 8 || cost.memory_kib > kMostMemoryKib)
            return fail(ErrorKind::Invalid, altered);
        if (found)
            continue;
        const Secret* key = nullptr;
        for (const auto& d : derived)
            if (d.cost.passes == cost.passes && d.cost.memory_kib == cost.memory_kib)
                key = &d.key;
        if (!key) {
            derived.push_back({cost, TRY(derive(passphrase, salt_in(parts.header), cost))});
            key = &derived.back().key;
        }
        std::string context = slot_context(parts.header, index, cost);
        std::string_view nonce = slot.substr(8, kNonceBytes);
        std::string_view box = slot.substr(8 + kNonceBytes);
        Secret payload(kPayloadBytes);
        if (crypto_aead_xchacha20poly1305_ietf_decrypt(payload.data(), nullptr, nullptr, data_of(box), box.size(),
                                                       data_of(context), context.size(), data_of(nonce),
                                                       key->data()) != 0)
            continue;
        parts.keys = {Secret(payload.view().substr(0, 32)), std::string(payload.view().substr(32, 16))};
        parts.opened = index;
        parts.cost = cost;
        parts.derived = key->clone();
        found = true;
    }
    if (!found)
        return fail(ErrorKind::Forbidden, "wrong passphrase");
    std::string_view before_mac = file.substr(0, file.size() - kMacBytes - kChecksumBytes);
    if (sodium_memcmp(file_mac(before_mac, parts.keys.key).data(), file.data() + before_mac.size(), kMacBytes) != 0)
        return fail(ErrorKind::Invalid, altered);
    if (file.size() == kOldFileBytes)
        parts.entries[parts.opened].used = true;
    else if (!open_list(file.substr(kListAt, kListBytes), parts) || !parts.entries[parts.opened].used)
        return fail(ErrorKind::Invalid, altered);
    return parts;
}

// As take_apart, ready to be changed: a file of the first version becomes one of this.
Result<Parts> take_apart_to_change(std::string_view file, const Secret& passphrase, Random& random)
{
    Parts parts = TRY(take_apart(file, passphrase));
    if (static_cast<unsigned char>(parts.header[8]) == kVersion)
        return parts;
    // The slots are bound to the header; there is no other used one.
    parts.header = new_header(salt_in(parts.header));
    for (size_t index = 0; index < kKeySlots; ++index)
        parts.slots[index] = index == parts.opened
                                 ? seal_slot(parts.header, index, parts.cost, parts.derived, parts.keys, random)
                                 : unused_slot(parts.cost, random);
    return parts;
}

Result<void> check_fresh(std::string_view file, const Secret& fresh)
{
    if (fresh.empty())
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    auto opened = take_apart(file, fresh);
    if (opened.ok())
        return fail(ErrorKind::Conflict, "this passphrase opens the node already; choose another");
    if (opened.error().kind != ErrorKind::Forbidden)
        return std::move(opened).error();
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

Result<PassphraseCost> measure_cost(Clock& clock)
{
    constexpr int64_t kWantedMs = 1000;
    PassphraseCost cost;
    const Secret some{std::string_view("how long does this take here")};
    const std::string salt(crypto_pwhash_SALTBYTES, 's');
    const int64_t begin = clock.monotonic_ms();
    TRY(derive(some, salt, cost));
    const int64_t took = std::max<int64_t>(1, clock.monotonic_ms() - begin);
    cost.passes = static_cast<uint32_t>(std::clamp<int64_t>(cost.passes * kWantedMs / took, cost.passes, kMostPasses));
    return cost;
}

Result<std::string> create_key_file(const DataKeys& keys, const Secret& passphrase, PassphraseCost cost,
                                    Random& random, int64_t now_ms)
{
    if (passphrase.empty())
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    Parts parts;
    const std::string salt = random.bytes(crypto_pwhash_SALTBYTES);
    parts.header = new_header(salt);
    parts.keys = {keys.key.clone(), keys.file_salt};
    parts.entries.resize(kKeySlots);
    const Secret key = TRY(derive(passphrase, salt, cost));
    parts.opened = random.below(kKeySlots);
    for (size_t index = 0; index < kKeySlots; ++index)
        parts.slots.push_back(index == parts.opened ? seal_slot(parts.header, index, cost, key, keys, random)
                                                    : unused_slot(cost, random));
    parts.entries[parts.opened] = {true, now_ms, ""};
    return assemble(parts, random);
}

Result<DataKeys> open_key_file(std::string_view file, const Secret& passphrase)
{
    return std::move(TRY(take_apart(file, passphrase)).keys);
}

Result<std::vector<KeySlot>> list_passphrases(std::string_view file, const Secret& passphrase)
{
    const Parts parts = TRY(take_apart(file, passphrase));
    std::vector<KeySlot> out;
    for (size_t index = 0; index < kKeySlots; ++index)
        if (const Entry& entry = parts.entries[index]; entry.used)
            out.push_back({index + 1, entry.name, entry.since, index == parts.opened});
    return out;
}

Result<std::string> change_passphrase(std::string_view file, const Secret& passphrase, const Secret& fresh,
                                      Random& random, int64_t now_ms)
{
    Parts parts = TRY(take_apart_to_change(file, passphrase, random));
    TRY(check_fresh(file, fresh));
    // At the same cost as the others, or the slots could be told apart.
    const Secret key = TRY(derive(fresh, salt_in(parts.header), parts.cost));
    parts.slots[parts.opened] = seal_slot(parts.header, parts.opened, parts.cost, key, parts.keys, random);
    parts.entries[parts.opened].since = now_ms;
    return assemble(parts, random);
}

Result<std::string> add_passphrase(std::string_view file, const Secret& passphrase, const Secret& fresh,
                                   std::string_view name, Random& random, int64_t now_ms)
{
    if (name.size() > kSlotNameBytes || name.find('\0') != std::string_view::npos)
        return fail(ErrorKind::Invalid, "the name of a passphrase has at most " + std::to_string(kSlotNameBytes) + " bytes");
    Parts parts = TRY(take_apart_to_change(file, passphrase, random));
    std::vector<size_t> free;
    for (size_t index = 0; index < kKeySlots; ++index) {
        if (!parts.entries[index].used)
            free.push_back(index);
        else if (!name.empty() && parts.entries[index].name == name)
            return fail(ErrorKind::Conflict, "there is a passphrase of that name; see: bivouac passphrase list");
    }
    if (free.empty())
        return fail(ErrorKind::Conflict, "all " + std::to_string(kKeySlots) +
                                             " places are taken; remove one first: bivouac passphrase remove");
    TRY(check_fresh(file, fresh));
    const Secret key = TRY(derive(fresh, salt_in(parts.header), parts.cost));
    const size_t index = free[random.below(free.size())];
    parts.slots[index] = seal_slot(parts.header, index, parts.cost, key, parts.keys, random);
    parts.entries[index] = {true, now_ms, std::string(name)};
    return assemble(parts, random);
}

Result<std::string> remove_passphrase(std::string_view file, const Secret& passphrase, size_t number, Random& random)
{
    Parts parts = TRY(take_apart_to_change(file, passphrase, random));
    if (number < 1 || number > kKeySlots || !parts.entries[number - 1].used)
        return fail(ErrorKind::NotFound, "there is no such passphrase; see: bivouac passphrase list");
    if (std::count_if(parts.entries.begin(), parts.entries.end(), [](const Entry& e) { return e.used; }) == 1)
        return fail(ErrorKind::Conflict, "this is the only passphrase; change it, or add another one first");
    parts.slots[number - 1] = unused_slot(parts.cost, random);
    parts.entries[number - 1] = {};
    return assemble(parts, random);
}

}  // namespace bivouac::store

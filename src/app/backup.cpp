// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/backup.h>

#include <bivouac/app/config.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/integers.h>
#include <bivouac/base/sealed_stream.h>
#include <bivouac/model/json.h>
#include <bivouac/store/entities.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <set>

#include <fcntl.h>
#include <sodium.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node_copy.h"

namespace bivouac::app {

namespace {

// Frozen, like every number here: they are in files of people (docs/storage.md).
constexpr std::string_view kMagic = "BIVOUACB";
constexpr unsigned char kVersion = 1;
constexpr size_t kHeadBytes = 40;  // magic 8, version 1, kind 1, zero 6, passes 4, KiB 4, salt 16
constexpr size_t kMostFacts = 64u << 10;
enum Kind : char { kByPassphrase = 0, kByKeyFile = 1 };

struct Descriptor {
    int fd = -1;
    ~Descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

Error system_error(const std::string& path, int number)
{
    if (number == ENOSPC || number == EDQUOT || number == EFBIG)
        return fail(ErrorKind::NoSpace, path + ": there is no room for it; free some space and try again");
    return fail(number == ENOENT ? ErrorKind::NotFound : ErrorKind::Unavailable, path + ": " + std::strerror(number));
}

std::string make_head(const BackupSecret& secret, store::PassphraseCost cost)
{
    std::string head(kMagic);
    head.push_back(static_cast<char>(kVersion));
    head.push_back(secret.key.empty() ? kByPassphrase : kByKeyFile);
    head.append(6, '\0');
    put_little32(head, cost.passes);
    put_little32(head, cost.memory_kib);
    return head + system_random().bytes(crypto_pwhash_SALTBYTES);
}

Result<Secret> sealing_key(const std::string& head, const BackupSecret& secret)
{
    Secret key(crypto_secretstream_xchacha20poly1305_KEYBYTES);
    const std::string_view salt = std::string_view(head).substr(24);
    if (head[9] == kByKeyFile) {
        crypto_generichash(key.data(), key.size(), secret.key.data(), secret.key.size(),
                           reinterpret_cast<const unsigned char*>(salt.data()), salt.size());
        return key;
    }
    const uint32_t passes = little32(head, 16), kib = little32(head, 20);
    constexpr uint32_t kMostPasses = 64, kMostKib = 4u << 20;
    if (passes < 1 || passes > kMostPasses || kib < 8 || kib > kMostKib)
        return fail(ErrorKind::Invalid, "it was altered");
    if (crypto_pwhash(key.data(), key.size(), reinterpret_cast<const char*>(secret.passphrase.data()),
                      secret.passphrase.size(), reinterpret_cast<const unsigned char*>(salt.data()), passes,
                      size_t(kib) << 10, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(ErrorKind::Unavailable, "not enough memory to check the passphrase: " + std::to_string(kib >> 10) +
                                                " MiB are needed; close some programs and try again");
    return key;
}

// An open backup: what it says of itself, then the bytes of the database.
struct Opened {
    SealedReader reader;
    BackupFacts facts;
    store::DataKeys keys;
    std::string ahead;  // bytes of the database that came with the facts
};

Error in_file(const std::string& file, Error error)
{
    return std::move(error).in(file);
}

Result<Opened> open_backup(int fd, const BackupSecret& secret)
{
    std::string head(kHeadBytes, '\0');
    ssize_t n = ::pread(fd, head.data(), head.size(), 0);
    if (n != static_cast<ssize_t>(head.size()) || !head.starts_with(kMagic))
        return fail(ErrorKind::Invalid, "this is no backup of bivouac, or it is cut off");
    if (static_cast<unsigned char>(head[8]) > kVersion)
        return fail(ErrorKind::Invalid, "it was made by a newer version of bivouac; install that version to read it");
    if (head[8] == 0 || (head[9] != kByPassphrase && head[9] != kByKeyFile))
        return fail(ErrorKind::Invalid, "it was altered");
    if (head[9] == kByKeyFile && secret.key.empty())
        return fail(ErrorKind::Forbidden, "it was sealed with a key file; name it with --key-file");
    if (head[9] == kByPassphrase && secret.passphrase.empty())
        return fail(ErrorKind::Forbidden, "it was sealed with a passphrase, not with a key file");
    const Secret key = TRY(sealing_key(head, secret));
    if (::lseek(fd, kHeadBytes, SEEK_SET) < 0)
        return system_error("reading", errno);
    Opened out{TRY(SealedReader::begin(fd, key, head)), {}, {}, {}};

    // Four bytes of length, the facts as JSON, the data key, the file salt; then the database.
    std::string text = TRY(out.reader.read());
    const size_t length = text.size() < 4 ? kMostFacts + 1 : little32(text, 0);
    if (length > kMostFacts || text.size() < 4 + length + 48)
        return fail(ErrorKind::Invalid, "it was altered");
    auto facts = parse_json(std::string_view(text).substr(4, length));
    if (!facts.ok() || !facts->is_object())
        return fail(ErrorKind::Invalid, "it was altered");
    out.facts.entity = facts->value("entity", std::string());
    out.facts.made_at = facts->value("made_at", int64_t(0));
    out.facts.bytes = facts->value("bytes", int64_t(0));
    out.keys.key = Secret(std::string_view(text).substr(4 + length, 32));
    out.keys.file_salt = text.substr(4 + length + 32, 16);
    out.ahead = text.substr(4 + length + 48);
    wipe(text);
    return out;
}

// All bytes of the database, in order.
Result<void> for_each_piece(Opened& backup, const char* what, const BackupProgress& progress,
                            const std::function<Result<void>(std::string_view)>& take)
{
    int64_t done = 0;
    for (std::string piece = std::move(backup.ahead);; piece = TRY(backup.reader.read())) {
        if (piece.empty() && done > 0)
            break;
        done += static_cast<int64_t>(piece.size());
        TRY(take(piece));
        if (progress)
            progress(what, done, backup.facts.bytes);
        if (piece.empty())
            break;
    }
    if (done != backup.facts.bytes || done == 0)
        return fail(ErrorKind::Invalid, "it is cut off or was altered");
    return {};
}

// Before the passphrase is paid for and the database copied.
Result<void> check_can_be_made(const std::string& file)
{
    const std::string beside = file + ".part";
    Descriptor out{::open(beside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (out.fd >= 0)
        std::remove(beside.c_str());
    else if (errno != EEXIST)
        return system_error(file, errno);
    return {};
}

// What a restore leaves that was cut off. Keys alone may be all that somebody has of a node.
bool is_unfinished(const std::string& directory)
{
    const std::set<std::string> ours = {"lock", "bivouac.keys", "bivouac.keys.new", "bivouac.db.new", "bivouac.db.new-wal",
                                        "bivouac.db.new-shm", "bivouac.db.new-journal"};
    std::error_code error;
    for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end; it.increment(error))
        if (ours.count(it->path().filename().string()) == 0)
            return false;
    const DataPaths paths = DataPaths::in(directory);
    return !error && (file_exists(paths.database + ".new") || !file_exists(paths.keys));
}

Result<void> check_target(const std::string& directory)
{
    std::error_code error;
    if (!file_exists(directory) || std::filesystem::is_empty(directory, error) || is_unfinished(directory))
        return {};
    return fail(ErrorKind::Conflict, directory + " is not empty; restore into a new directory (--data), nothing is overwritten");
}

}  // namespace

Result<BackupSecret> BackupSecret::of_key_file(const std::string& path)
{
    constexpr size_t kLeast = 32, kMost = 1u << 20;
    std::string text = TRY(read_file(path, kMost));
    if (text.size() < kLeast)
        return fail(ErrorKind::Invalid, path + ": a key file has at least 32 random bytes; make one with: "
                                               "head -c 64 /dev/urandom > FILE");
    BackupSecret out;
    out.key = Secret(std::string_view(text));
    wipe(text);
    return out;
}

Result<BackupFacts> seal_database(const std::string& path, const store::DataKeys& keys, const BackupSecret& secret,
                                  const std::string& file, const BackupProgress& progress)
{
    BackupFacts facts;
    {
        store::StoreOptions small;
        small.readers = 1;
        auto store = TRY(store::Store::open(path, keys, false, small));
        auto entities = TRY(store->read([](store::ReadTx& tx) { return store::load_entities(tx); }));
        if (entities.empty())
            return fail(ErrorKind::Invalid, "the database holds no entity");
        facts.entity = entities.front().entity;
    }
    Descriptor source{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    struct stat info{};
    if (source.fd < 0 || ::fstat(source.fd, &info) != 0)
        return system_error(path, errno);
    facts.made_at = system_clock().now_ms();
    facts.bytes = info.st_size;

    const std::string beside = file + ".part";
    Descriptor out{::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (out.fd < 0)
        return system_error(beside, errno);
    auto written = [&]() -> Result<void> {
        const std::string head = make_head(secret, store::PassphraseCost{});
        const Secret key = TRY(sealing_key(head, secret));
        if (::write(out.fd, head.data(), head.size()) != static_cast<ssize_t>(head.size()))
            return system_error(beside, errno);
        SealedWriter writer = TRY(SealedWriter::begin(out.fd, key, head));
        const std::string text = Json({{"entity", facts.entity}, {"made_at", facts.made_at}, {"bytes", facts.bytes}}).dump();
        std::string first;
        put_little32(first, static_cast<uint32_t>(text.size()));
        first += text + std::string(keys.key.view()) + keys.file_salt;
        TRY(writer.write(first));
        wipe(first);
        std::string buffer(kSealedPieceBytes, '\0');
        for (int64_t done = 0; done < facts.bytes;) {
            const ssize_t n = ::read(source.fd, buffer.data(), buffer.size());
            if (n <= 0)
                return system_error("the copy", n == 0 ? EIO : errno);
            TRY(writer.write(std::string_view(buffer).substr(0, static_cast<size_t>(n))));
            done += n;
            if (progress)
                progress("writing", done, facts.bytes);
        }
        TRY(writer.finish());
        return ::fsync(out.fd) == 0 ? Result<void>() : system_error(beside, errno);
    }();
    if (written.ok() && ::rename(beside.c_str(), file.c_str()) != 0)
        written = system_error(file, errno);
    if (!written.ok()) {
        std::remove(beside.c_str());
        return written.error().kind == ErrorKind::NoSpace ? system_error(file, ENOSPC) : std::move(written).error();
    }
    return facts;
}

Result<BackupFacts> make_backup(const std::string& directory, const Secret& passphrase, const BackupSecret& secret,
                                const std::string& file, const BackupProgress& progress)
{
    if (file_exists(file))
        return fail(ErrorKind::Conflict, file + " is there already; nothing is overwritten");
    TRY(check_can_be_made(file));
    auto copy = TRY(NodeCopy::make(directory, passphrase, [&](int64_t done, int64_t all) {
        if (progress)
            progress("copying", done, all);
    }));
    return seal_database(copy->path(), copy->keys(), secret, file, progress);
}

Result<BackupFacts> verify_backup(const std::string& file, const BackupSecret& secret, const BackupProgress& progress)
{
    Descriptor source{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (source.fd < 0)
        return system_error(file, errno);
    auto opened = open_backup(source.fd, secret);
    if (!opened.ok())
        return in_file(file, std::move(opened).error());
    auto read = for_each_piece(*opened, "verifying", progress, [](std::string_view) { return Result<void>(); });
    if (!read.ok())
        return in_file(file, std::move(read).error());
    return opened->facts;
}

Result<Unsealed> unseal_database(const std::string& file, const BackupSecret& secret, const std::string& path,
                                 const BackupProgress& progress)
{
    Descriptor source{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (source.fd < 0)
        return system_error(file, errno);
    auto opened = open_backup(source.fd, secret);
    if (!opened.ok())
        return in_file(file, std::move(opened).error());
    Descriptor out{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (out.fd < 0)
        return system_error(path, errno);
    TRY(for_each_piece(*opened, "restoring", progress, [&](std::string_view piece) -> Result<void> {
        while (!piece.empty()) {
            const ssize_t n = ::write(out.fd, piece.data(), piece.size());
            if (n < 0)
                return system_error(path, errno);
            piece.remove_prefix(static_cast<size_t>(n));
        }
        return {};
    }));
    if (::fsync(out.fd) != 0)
        return system_error(path, errno);
    TRY(store::check_database(path, opened->keys));
    return Unsealed{opened->facts, std::move(opened->keys)};
}

Result<BackupFacts> restore_backup(const std::string& file, const BackupSecret& secret, const std::string& directory,
                                   const Secret& passphrase, const BackupProgress& progress)
{
    if (passphrase.empty())
        return fail(ErrorKind::Invalid, "the passphrase is empty; choose one of several words");
    TRY(check_target(directory));
    TRY(verify_backup(file, secret, progress));  // before anything is written
    const DataPaths paths = DataPaths::in(directory);
    TRY(ensure_private_directory(directory));
    FileLock lock = TRY(FileLock::acquire(paths.lock));
    TRY(check_target(directory));  // another one may have been quicker
    // As init does: the database gets its name last, and without it there is no node.
    const std::string unfinished = paths.database + ".new";
    auto restored = [&]() -> Result<BackupFacts> {
        auto opened = TRY(unseal_database(file, secret, unfinished, progress));
        {
            auto store = TRY(store::Store::open(unfinished, opened.keys, false, store::StoreOptions{.readers = 1}));
            TRY(store->write([&](store::WriteTx& tx) { return store::note_restored(tx, opened.facts.made_at); }));
        }
        const auto cost = TRY(store::measure_cost(system_clock()));
        TRY(write_file_atomically(paths.keys, TRY(store::create_key_file(opened.keys, passphrase, cost, system_random(),
                                                                         system_clock().now_ms()))));
        for (const char* suffix : {"-wal", "-shm"})
            std::remove((unfinished + suffix).c_str());
        if (std::rename(unfinished.c_str(), paths.database.c_str()) != 0)
            return system_error(paths.database, errno);
        return opened.facts;
    }();
    if (!restored.ok()) {
        for (const char* suffix : {"", "-wal", "-shm", "-journal"})
            std::remove((unfinished + suffix).c_str());
        std::remove(paths.keys.c_str());
    }
    return restored;
}

}  // namespace bivouac::app

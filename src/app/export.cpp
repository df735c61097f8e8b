// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/entities.h>
#include <bivouac/app/export.h>

#include <bivouac/base/clock.h>
#include <bivouac/model/json.h>
#include <bivouac/model/post.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/moving.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include "node_copy.h"

namespace bivouac::app {

namespace {

constexpr size_t kLinesBytes = 4u << 20;  // of posts in one member
constexpr int64_t kRowsAtOnce = 200;

struct Descriptor {
    int fd = -1;
    ~Descriptor()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

// A tar file on its way to a descriptor.
class Archive {
public:
    explicit Archive(int fd)
        : archive_(archive_write_new())
    {
        ok_ = archive_ && archive_write_add_filter_zstd(archive_) == ARCHIVE_OK &&
              archive_write_set_format_pax_restricted(archive_) == ARCHIVE_OK &&
              archive_write_open_fd(archive_, fd) == ARCHIVE_OK;
    }
    ~Archive() { archive_write_free(archive_); }
    Archive(const Archive&) = delete;
    Archive& operator=(const Archive&) = delete;

    Result<void> begin(const std::string& name, int64_t size, int64_t time_ms)
    {
        archive_entry* entry = archive_entry_new();
        archive_entry_set_pathname(entry, ("bivouac-export/" + name).c_str());
        archive_entry_set_size(entry, size);
        archive_entry_set_filetype(entry, AE_IFREG);
        archive_entry_set_perm(entry, 0600);
        archive_entry_set_mtime(entry, time_ms / 1000, 0);
        const bool done = ok_ && archive_write_header(archive_, entry) == ARCHIVE_OK;
        archive_entry_free(entry);
        return done ? Result<void>() : problem();
    }
    Result<void> write(std::string_view bytes)
    {
        while (!bytes.empty()) {
            const la_ssize_t n = archive_write_data(archive_, bytes.data(), bytes.size());
            if (n <= 0)
                return problem();
            bytes.remove_prefix(static_cast<size_t>(n));
        }
        return {};
    }
    Result<void> add(const std::string& name, std::string_view bytes, int64_t time_ms)
    {
        TRY(begin(name, static_cast<int64_t>(bytes.size()), time_ms));
        return write(bytes);
    }
    Result<void> finish() { return archive_write_close(archive_) == ARCHIVE_OK ? Result<void>() : problem(); }

private:
    Result<void> problem() const
    {
        const int number = archive_ ? archive_errno(archive_) : ENOMEM;
        const char* words = archive_ ? archive_error_string(archive_) : nullptr;
        if (number == ENOSPC || number == EDQUOT || number == EFBIG)
            return fail(ErrorKind::NoSpace, "there is no room for the archive; free some space and try again");
        return fail(ErrorKind::Unavailable,
                    std::string("the archive cannot be written: ") + (words ? words : std::strerror(number)));
    }

    archive* archive_;
    bool ok_ = false;
};

struct Export {
    store::Store& store;
    Archive& archive;
    const ExportFilter& filter;
    const ExportProgress& progress;
    int64_t owner = 0;
    int64_t now = 0;
    ExportFacts facts;

    bool is_without(const std::string& entity) const
    {
        return std::find(filter.without.begin(), filter.without.end(), entity) != filter.without.end();
    }
    bool wants(const store::PostText& text, int64_t received_at) const
    {
        if ((filter.only_public && !text.is_public) || is_without(text.author) || received_at < filter.since_ms)
            return false;
        // Posts of that type are keys (section 5.8 of the protocol).
        if (type_matches(type::kCredentialsBase, text.type))
            return false;
        return filter.types.empty() || std::any_of(filter.types.begin(), filter.types.end(), [&](const std::string& type) {
                   return type_matches(type, text.type);
               });
    }

    Result<void> posts(int64_t newest)
    {
        std::string lines;
        int member = 0;
        auto flush = [&]() -> Result<void> {
            if (lines.empty())
                return {};
            char name[32];
            std::snprintf(name, sizeof name, "posts/%06d.jsonl", ++member);
            TRY(archive.add(name, lines, now));
            lines.clear();
            return {};
        };
        for (int64_t last = 0;;) {
            auto rows = TRY(store.read([&](store::ReadTx& tx) -> Result<size_t> {
                auto versions = TRY(store::versions_after(tx, owner, last, kRowsAtOnce));
                for (const auto& version : versions) {
                    last = version.row;
                    auto text = TRY(store::load_version_text(tx, version.row, Audience::owner()));
                    if (!text || !wants(*text, version.received_at))
                        continue;
                    lines += text->json + "\n";
                    ++facts.versions;
                }
                return versions.size();
            }));
            if (lines.size() >= kLinesBytes || rows == 0)
                TRY(flush());
            if (progress)
                progress("posts", last, newest);
            if (rows == 0)
                return {};
        }
    }

    Result<bool> is_wanted(const std::string& digest)
    {
        return store.read([&](store::ReadTx& tx) -> Result<bool> {
            for (int64_t row : TRY(store::versions_with(tx, owner, digest))) {
                auto text = TRY(store::load_version_text(tx, row, Audience::owner()));
                auto version = TRY(store::versions_after(tx, owner, row - 1, 1));
                if (text && !version.empty() && wants(*text, version.front().received_at))
                    return true;
            }
            return false;
        });
    }

    Result<void> attachment(const store::BlobRow& blob)
    {
        TRY(archive.begin("attachments/" + blob.digest, blob.size, now));
        for (int64_t at = 0; at < blob.size;) {
            auto piece = TRY(store.read([&](store::ReadTx& tx) { return store::read_blob(tx, blob.digest, at); }));
            if (piece.empty())
                return fail(ErrorKind::Invalid, "an attachment in the database is cut off: " + blob.digest);
            TRY(archive.write(piece));
            at += static_cast<int64_t>(piece.size());
        }
        ++facts.attachments;
        return {};
    }

    Result<void> attachments(int64_t newest)
    {
        for (int64_t last = 0;;) {
            auto blobs = TRY(store.read([&](store::ReadTx& tx) { return store::blobs_after(tx, owner, last, kRowsAtOnce); }));
            if (blobs.empty())
                return {};
            for (const auto& blob : blobs) {
                last = blob.row;
                if (TRY(is_wanted(blob.digest)))
                    TRY(attachment(blob));
                if (progress)
                    progress("attachments", last, newest);
            }
        }
    }

    Result<void> relationships()
    {
        auto all = TRY(store.read([&](store::ReadTx& tx) { return store::list_relationships(tx, owner); }));
        std::string lines;
        for (const auto& r : all) {
            if (is_without(r.peer))
                continue;
            Json line = {{"entity", r.peer},           {"follower", r.follower},       {"follower_since", r.follower_since},
                         {"following", r.following},   {"first_seen", r.first_seen},   {"verified_at", r.verified_at},
                         {"note", r.note}};
            lines += line.dump() + "\n";
            ++facts.relationships;
        }
        return archive.add("relationships.jsonl", lines, now);
    }
};

Result<int64_t> greatest(store::Store& store, const char* sql)
{
    return store.read([&](store::ReadTx& tx) -> Result<int64_t> {
        auto select = tx.prepare(sql);
        return TRY(select.step()) && !select.is_null(0) ? select.integer(0) : int64_t(0);
    });
}

}  // namespace

Result<ExportFacts> export_node_to(int fd, const std::string& directory, const Secret& passphrase, const std::string& name,
                                   const Secret& owner, const ExportFilter& filter, const ExportProgress& progress)
{
    auto copy = TRY(NodeCopy::make(directory, passphrase, [&](int64_t done, int64_t all) {
        if (progress)
            progress("copying", done, all);
    }));
    auto store = TRY(copy->open());
    auto entities = TRY(store->read([](store::ReadTx& tx) { return store::load_entities(tx); }));
    if (entities.empty())
        return fail(ErrorKind::Invalid, "the database holds no entity");
    auto entity = std::find_if(entities.begin(), entities.end(),
                               [&](const store::LocalEntity& e) { return name.empty() || e.name == name; });
    if (entity == entities.end())
        return fail(ErrorKind::NotFound, "there is no entity of the name " + name + "; see: bivouac entity list");
    TRY(check_owner(*store, entity->name, owner));
    // What was by an address that she has left is here by her present one.
    const auto self = tent::Self::of(*entity);
    TRY(store->read([&](store::ReadTx& tx) { return tent::load_moves(tx, self); }));
    ExportFilter now = filter;
    for (auto& one : now.without)
        one = self.current(one);
    Archive archive(fd);
    Export run{*store, archive, now, progress, entity->id, system_clock().now_ms(), {}};
    run.facts.entity = entity->entity;
    const Json about = {{"format", 1},
                        {"entity", run.facts.entity},
                        {"followers_group", entity->followers_group},
                        {"made_at", run.now},
                        {"only_public", filter.only_public},
                        {"without", filter.without},
                        {"types", filter.types},
                        {"since", filter.since_ms}};
    TRY(archive.add("export.json", about.dump(2) + "\n", run.now));
    TRY(run.posts(TRY(greatest(*store, "SELECT max(id) FROM versions"))));
    TRY(run.attachments(TRY(greatest(*store, "SELECT max(id) FROM blobs"))));
    if (!filter.only_public)
        TRY(run.relationships());
    TRY(archive.finish());
    return run.facts;
}

Result<ExportFacts> export_node(const std::string& directory, const Secret& passphrase, const std::string& name,
                                const Secret& owner, const std::string& file,
                                const ExportFilter& filter, const ExportProgress& progress)
{
    if (file_exists(file))
        return fail(ErrorKind::Conflict, file + " is there already; nothing is overwritten");
    const std::string beside = file + ".part";
    Descriptor out{::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (out.fd < 0)
        return fail(ErrorKind::Unavailable, beside + ": " + std::strerror(errno));
    auto written = export_node_to(out.fd, directory, passphrase, name, owner, filter, progress);
    if (written.ok() && ::fsync(out.fd) != 0)
        written = fail(ErrorKind::Unavailable, beside + ": " + std::strerror(errno));
    if (written.ok() && std::rename(beside.c_str(), file.c_str()) != 0)
        written = fail(ErrorKind::Unavailable, file + ": " + std::strerror(errno));
    if (!written.ok())
        std::remove(beside.c_str());
    return written;
}

}  // namespace bivouac::app

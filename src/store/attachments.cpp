// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/model/limits.h>
#include <bivouac/model/protocol.h>
#include <bivouac/store/attachments.h>

#include "feed_sql.h"

namespace bivouac::store {

namespace {

// What one transaction of a large blob writes: bounded, so that others get their turn.
constexpr size_t kFlushBytes = 1u << 20;

}  // namespace

BlobWriter::~BlobWriter()
{
    if (finished_ || blob_ == 0)
        return;
    int64_t blob = blob_;
    (void)store_.write([blob](WriteTx& tx) -> Result<void> {
        auto remove = tx.prepare("DELETE FROM blobs WHERE id = :id AND digest IS NULL");
        return remove.bind(":id", blob).run();
    }).ok();
}

Result<void> BlobWriter::append(std::string_view bytes)
{
    digest_.update(bytes);
    size_ += static_cast<int64_t>(bytes.size());
    while (!bytes.empty()) {
        size_t take = std::min(bytes.size(), kFlushBytes - waiting_.size());
        waiting_.append(bytes.substr(0, take));
        bytes.remove_prefix(take);
        if (waiting_.size() == kFlushBytes)
            TRY(flush());
    }
    return {};
}

Result<void> BlobWriter::flush()
{
    auto written = store_.write([this](WriteTx& tx) -> Result<int64_t> {
        int64_t blob = blob_;
        if (blob == 0) {
            auto insert = tx.prepare("INSERT INTO blobs (digest, size, stored_at) VALUES (NULL, 0, :now)");
            TRY(insert.bind(":now", tx.now_ms()).run());
            blob = tx.last_insert_id();
        }
        int64_t position = chunks_;
        for (size_t at = 0; at < waiting_.size(); at += limits::kBlobChunkBytes) {
            auto insert = tx.prepare("INSERT INTO blob_chunks VALUES (:blob, :position, :data)");
            TRY(insert.bind(":blob", blob)
                    .bind(":position", position++)
                    .bind_blob(":data", std::string_view(waiting_).substr(at, limits::kBlobChunkBytes))
                    .run());
        }
        return blob;
    });
    blob_ = TRY(std::move(written));
    chunks_ += static_cast<int64_t>((waiting_.size() + limits::kBlobChunkBytes - 1) / limits::kBlobChunkBytes);
    waiting_.clear();
    return {};
}

Result<StoredBlob> BlobWriter::finish()
{
    if (!waiting_.empty() || blob_ == 0)
        TRY(flush());
    StoredBlob blob{kDigestPrefix + to_hex(digest_.finish()), size_};
    TRY(store_.write([&](WriteTx& tx) -> Result<void> {
        auto same = tx.prepare("UPDATE blobs SET stored_at = :now WHERE digest = :digest");
        TRY(same.bind(":now", tx.now_ms()).bind(":digest", blob.digest).run());
        if (tx.changes() > 0) {
            auto remove = tx.prepare("DELETE FROM blobs WHERE id = :id");
            TRY(remove.bind(":id", blob_).run());
        } else {
            auto update = tx.prepare("UPDATE blobs SET digest = :digest, size = :size WHERE id = :id");
            TRY(update.bind(":digest", blob.digest).bind(":size", blob.size).bind(":id", blob_).run());
        }
        auto hold = tx.prepare("INSERT OR IGNORE INTO blob_holders SELECT :owner, id FROM blobs WHERE digest = :digest");
        return hold.bind(":owner", owner_).bind(":digest", blob.digest).run();
    }));
    finished_ = true;
    return blob;
}

Result<void> remove_orphans(WriteTx& tx, Orphans which)
{
    constexpr int64_t kHourMs = 3'600'000;
    auto orphans = tx.prepare(R"(
        DELETE FROM blobs WHERE (digest IS NOT NULL OR :all) AND (stored_at < :oldest OR :all)
            AND NOT EXISTS (SELECT 1 FROM version_attachments a WHERE a.digest = blobs.digest))");
    TRY(orphans.bind(":all", which == Orphans::All).bind(":oldest", tx.now_ms() - kHourMs).run());
    auto holders = tx.prepare(R"(
        DELETE FROM blob_holders AS h WHERE EXISTS (SELECT 1 FROM blobs b WHERE b.id = h.blob AND (b.stored_at < :oldest OR :all))
            AND NOT EXISTS (SELECT 1 FROM blobs b JOIN version_attachments a ON a.digest = b.digest
                            JOIN versions v ON v.id = a.version WHERE b.id = h.blob AND v.owner = h.owner))");
    return holders.bind(":all", which == Orphans::All).bind(":oldest", tx.now_ms() - kHourMs).run();
}

Result<std::vector<BlobRow>> blobs_after(ReadTx& tx, int64_t owner, int64_t last, int64_t limit)
{
    auto select = tx.prepare(
        "SELECT b.id, b.digest, b.size FROM blobs b JOIN blob_holders h ON h.blob = b.id AND h.owner = :owner "
        "WHERE b.id > :last AND b.digest IS NOT NULL ORDER BY b.id LIMIT :limit");
    select.bind(":owner", owner).bind(":last", last).bind(":limit", limit);
    std::vector<BlobRow> out;
    while (TRY(select.step()))
        out.push_back({select.integer(0), select.text(1), select.integer(2)});
    return out;
}

Result<std::vector<int64_t>> versions_with(ReadTx& tx, int64_t owner, std::string_view digest)
{
    auto select = tx.prepare(R"(
        SELECT a.version FROM version_attachments a JOIN versions v ON v.id = a.version
        WHERE a.digest = :digest AND v.owner = :owner)");
    select.bind(":digest", digest).bind(":owner", owner);
    std::vector<int64_t> out;
    while (TRY(select.step()))
        out.push_back(select.integer(0));
    return out;
}

Result<bool> has_blob(ReadTx& tx, int64_t owner, std::string_view digest)
{
    return TRY(blob_size(tx, owner, digest)) >= 0;
}

Result<int64_t> blob_size(ReadTx& tx, int64_t owner, std::string_view digest)
{
    auto select = tx.prepare(
        "SELECT b.size FROM blobs b JOIN blob_holders h ON h.blob = b.id AND h.owner = :owner WHERE b.digest = :digest");
    select.bind(":owner", owner).bind(":digest", digest);
    return TRY(select.step()) ? select.integer(0) : int64_t(-1);
}

Result<std::string> read_blob(ReadTx& tx, std::string_view digest, int64_t offset)
{
    constexpr auto kChunk = static_cast<int64_t>(limits::kBlobChunkBytes);
    auto select = tx.prepare(R"(
        SELECT c.data FROM blobs b JOIN blob_chunks c ON c.blob = b.id
        WHERE b.digest = :digest AND c.position = :position)");
    select.bind(":digest", digest).bind(":position", offset / kChunk);
    if (!TRY(select.step()))
        return std::string();
    std::string data = select.blob(0);
    auto skip = static_cast<size_t>(offset % kChunk);
    return skip >= data.size() ? std::string() : data.substr(skip);
}

Result<std::optional<Attachment>> find_attachment(ReadTx& tx, int64_t owner, std::string_view author,
                                                  std::string_view digest, const Viewer& viewer)
{
    Sql sql = TRY(visible_condition(tx, owner, viewer));
    auto select = tx.prepare(R"(
        SELECT a.category, a.content_type, a.name, a.digest, a.size
        FROM version_attachments a JOIN versions v ON v.id = a.version JOIN names n ON n.id = v.author
        WHERE a.digest = :digest AND v.owner = :owner AND n.entity = :author AND )" +
                             sql.text + " ORDER BY v.received_at DESC LIMIT 1");
    for (auto& binding : sql.bindings)
        binding(select);
    select.bind(":digest", digest).bind(":owner", owner).bind(":author", author);
    if (!TRY(select.step()))
        return std::optional<Attachment>();
    Attachment out{select.text(0), select.text(1), select.text(2), select.text(3), select.integer(4)};
    return std::optional<Attachment>(std::move(out));
}

Result<void> resolve_listed_attachments(ReadTx& tx, int64_t owner, const Viewer& viewer,
                                        std::vector<Attachment>& attachments)
{
    Sql sql = TRY(visible_condition(tx, owner, viewer));
    for (auto& attachment : attachments) {
        auto select = tx.prepare(R"(
            SELECT 1 FROM version_attachments a JOIN versions v ON v.id = a.version
            WHERE a.digest = :digest AND v.owner = :owner AND )" + sql.text + " LIMIT 1");
        for (auto& binding : sql.bindings)
            binding(select);
        select.bind(":digest", attachment.digest).bind(":owner", owner);
        const bool readable = TRY(select.step());
        attachment.size = TRY(blob_size(tx, owner, attachment.digest));
        if (!readable || attachment.size < 0)
            return fail(ErrorKind::Invalid, "Unknown attachment: its digest is not known here");
    }
    return {};
}

}  // namespace bivouac::store

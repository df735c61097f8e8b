// SPDX-License-Identifier: BSD-3-Clause
// Attachment bytes: chunked BLOBs, each content once (found by digest), written and read piece by piece.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <bivouac/base/bytes.h>
#include <bivouac/base/spool.h>
#include <bivouac/model/post.h>
#include <bivouac/model/principal.h>
#include <bivouac/store/store.h>

namespace bivouac::store {

struct StoredBlob {
    std::string digest;  // with prefix
    int64_t size = 0;
};

// Writes a blob in several transactions of bounded size, so that a large one neither fills memory nor holds
// up other writers. Until finish() nobody sees it; without finish() it is removed (by the destructor, or at
// the next start). Not on the writer thread.
class BlobWriter {
public:
    // `owner`: the entity that is to have it.
    BlobWriter(Store& store, int64_t owner) : store_(store), owner_(owner) {}
    ~BlobWriter();
    BlobWriter(const BlobWriter&) = delete;
    BlobWriter& operator=(const BlobWriter&) = delete;

    Result<void> append(std::string_view bytes);
    Result<StoredBlob> finish();  // a content that is there already is not stored twice

private:
    Result<void> flush();
    Store& store_;
    int64_t owner_;
    Sha512Half digest_;
    std::string waiting_;
    int64_t blob_ = 0;
    int64_t chunks_ = 0;
    int64_t size_ = 0;
    bool finished_ = false;
};

// Removes blobs that no version refers to. While the node runs, those that came in the last hour stay: their post
// may be on its way. At its start nothing is, so all go, and with them what a crash cut off.
enum class Orphans { OlderThanAnHour, All };
Result<void> remove_orphans(WriteTx& tx, Orphans which);

// All blobs of an entity, in the order of their rows: at most `limit` after `last`; and the versions that refer to one.
struct BlobRow {
    int64_t row = 0;
    std::string digest;
    int64_t size = 0;
};
Result<std::vector<BlobRow>> blobs_after(ReadTx& tx, int64_t owner, int64_t last, int64_t limit);
Result<std::vector<int64_t>> versions_with(ReadTx& tx, int64_t owner, std::string_view digest);

// Did it come to this entity? What others on this node have is not here for her.
Result<bool> has_blob(ReadTx& tx, int64_t owner, std::string_view digest);
Result<int64_t> blob_size(ReadTx& tx, int64_t owner, std::string_view digest);  // -1 when it is not here
// At most one chunk (64 KiB) that starts at or contains `offset`; from `offset` on. Ask blob_size() before.
Result<std::string> read_blob(ReadTx& tx, std::string_view digest, int64_t offset);

// The attachment of that digest in some post of the author that the viewer may see (the most recently
// received one, section 4.8).
Result<std::optional<Attachment>> find_attachment(ReadTx& tx, int64_t owner, std::string_view author,
                                                  std::string_view digest, const Viewer& viewer);

// Attachments that a post lists and does not bring along: their bytes are here, and some post shows them to the viewer;
// Invalid otherwise (section 4.5.1). Sets the sizes.
Result<void> resolve_listed_attachments(ReadTx& tx, int64_t owner, const Viewer& viewer,
                                        std::vector<Attachment>& attachments);

}  // namespace bivouac::store

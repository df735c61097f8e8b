// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>

#include <bivouac/store/attachments.h>

#include "store_fixture.h"

using namespace bivouac;
using namespace bivouac::store;

namespace {

constexpr int64_t kOwner = 1;
constexpr int64_t kOther = 2;

// A store with two entities.
struct Owned : TestStore {
    Owned()
    {
        write([](WriteTx& tx) -> Result<void> {
            for (const char* name : {"one", "two"}) {
                LocalEntity e;
                e.name = e.entity = e.onion = e.bewit_id = name;
                TRY(add_entity(tx, e));
            }
            return {};
        });
    }
};

StoredBlob write_blob(Store& store, const std::string& bytes, size_t piece = 10'000)
{
    BlobWriter writer(store, kOwner);
    for (size_t at = 0; at < bytes.size(); at += piece)
        REQUIRE(writer.append(std::string_view(bytes).substr(at, piece)).ok());
    auto blob = writer.finish();
    REQUIRE(blob.ok());
    return *blob;
}

std::string read_all(Store& store, const std::string& digest)
{
    std::string out;
    for (;;) {
        auto piece = store.read([&](ReadTx& tx) { return read_blob(tx, digest, static_cast<int64_t>(out.size())); });
        REQUIRE(piece.ok());
        if (piece->empty())
            return out;
        out += *piece;
    }
}

int64_t count(Store& store, const char* table)
{
    auto n = store.read([&](ReadTx& tx) -> Result<int64_t> {
        auto select = tx.prepare(std::string("SELECT count(*) FROM ") + table);
        TRY(select.step());
        return select.integer(0);
    });
    return *n;
}

}  // namespace

TEST_CASE("attachment bytes come back as they went in, whatever the size")
{
    Owned test;
    for (size_t size : {size_t(0), size_t(1), size_t(65536), size_t(65537), size_t(1u << 20), size_t(2'500'000)}) {
        CAPTURE(size);
        std::string bytes = system_random().bytes(size);
        StoredBlob blob = write_blob(*test.store, bytes);
        CHECK(blob.size == static_cast<int64_t>(size));
        CHECK(read_all(*test.store, blob.digest) == bytes);
        CHECK(*test.store->read([&](ReadTx& tx) { return blob_size(tx, kOwner, blob.digest); }) == blob.size);
    }
}

TEST_CASE("the digest is the protocol's, and one content is stored once")
{
    Owned test;
    StoredBlob blob = write_blob(*test.store, "onion attachment\n");
    CHECK(blob.digest == "sha512t256-e75cea7f8c10d2150dca0f314532dd1ab3b190c66bac742a1a5101eb95afd909");
    CHECK(write_blob(*test.store, "onion attachment\n", 3).digest == blob.digest);
    CHECK(count(*test.store, "blobs") == 1);
    CHECK(count(*test.store, "blob_chunks") == 1);
}

TEST_CASE("a blob that is not finished leaves nothing")
{
    Owned test;
    {
        BlobWriter writer(*test.store, kOwner);
        REQUIRE(writer.append(std::string(3 << 20, 'x')).ok());
    }
    CHECK(count(*test.store, "blobs") == 0);
    CHECK(count(*test.store, "blob_chunks") == 0);
}

TEST_CASE("reading starts anywhere")
{
    Owned test;
    std::string bytes = system_random().bytes(200'000);
    StoredBlob blob = write_blob(*test.store, bytes);
    auto piece = test.store->read([&](ReadTx& tx) { return read_blob(tx, blob.digest, 65'530); });
    REQUIRE(piece.ok());
    CHECK(*piece == bytes.substr(65'530, 6));
}

TEST_CASE("bytes that no post refers to go, but not while their post may be on its way")
{
    Owned test;
    auto clean = [&](Orphans which) { test.write([&](WriteTx& tx) { return remove_orphans(tx, which); }); };
    write_blob(*test.store, "one");
    clean(Orphans::OlderThanAnHour);
    CHECK(count(*test.store, "blobs") == 1);
    test.clock.now += 3'600'001;
    write_blob(*test.store, "one");  // found again: about to be used
    clean(Orphans::OlderThanAnHour);
    CHECK(count(*test.store, "blobs") == 1);
    test.clock.now += 3'600'001;
    clean(Orphans::OlderThanAnHour);
    CHECK(count(*test.store, "blobs") == 0);
    write_blob(*test.store, "two");
    BlobWriter unfinished(*test.store, kOwner);
    REQUIRE(unfinished.append(std::string(2 << 20, 'x')).ok());
    clean(Orphans::All);
    CHECK(count(*test.store, "blobs") == 0);
    CHECK(count(*test.store, "blob_chunks") == 0);
}

TEST_CASE("what came to one entity is not here for another, and is stored once all the same")
{
    Owned test;
    StoredBlob blob = write_blob(*test.store, "a file");
    auto has = [&](int64_t owner) { return *test.store->read([&](ReadTx& tx) { return has_blob(tx, owner, blob.digest); }); };
    CHECK(has(kOwner));
    CHECK_FALSE(has(kOther));
    {
        BlobWriter again(*test.store, kOther);
        REQUIRE(again.append("a file").ok());
        REQUIRE(again.finish().ok());
    }
    CHECK(has(kOther));
    CHECK(count(*test.store, "blobs") == 1);
    test.write([](WriteTx& tx) { return remove_entity(tx, kOwner); });
    CHECK_FALSE(has(kOwner));
    CHECK(has(kOther));
}

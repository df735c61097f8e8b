// SPDX-License-Identifier: BSD-3-Clause
#include <bivouac/app/import.h>

#include <bivouac/model/canonical_json.h>
#include <bivouac/model/json.h>
#include <bivouac/model/limits.h>
#include <bivouac/model/post_json.h>
#include <bivouac/model/protocol.h>
#include <bivouac/model/schemas.h>
#include <bivouac/store/attachments.h>
#include <bivouac/store/catch_ups.h>
#include <bivouac/store/moves.h>
#include <bivouac/store/posts.h>
#include <bivouac/store/relationships.h>
#include <bivouac/tent/groups.h>
#include <bivouac/tent/meta.h>
#include <bivouac/tent/moving.h>
#include <bivouac/tent/publish.h>
#include <bivouac/tent/relationships.h>

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

#include "export_reader.h"

namespace bivouac::app {

namespace {

constexpr size_t kLongestLine = 4u << 20;
constexpr size_t kLinesAtOnce = 100;
constexpr size_t kBytesAtOnce = 1u << 20;
constexpr size_t kProblemsTold = 10;
constexpr int kNewestFormat = 1;

int64_t time_of(const Json& object, const char* name)
{
    auto found = object.find(name);
    return found != object.end() && found->is_number_integer() ? std::max<int64_t>(found->get<int64_t>(), 0) : int64_t(0);
}

enum class Fate { Taken, Here, Deleted, LeftOut };

}  // namespace

struct Import::Impl {
    int fd = -1;
    std::string file;
    int64_t size = 0;
    ExportReader reader;

    tent::Self self;
    ImportFacts facts;
    std::string followers_group;  // of the export
    std::optional<Post> newest_meta;  // of the old address

    Impl(int f, std::string path, int64_t bytes, ExportReader r)
        : fd(f)
        , file(std::move(path))
        , size(bytes)
        , reader(std::move(r))
    {
    }
    ~Impl() { ::close(fd); }

    void refused(const std::string& why)
    {
        if (facts.problems.size() < kProblemsTold)
            facts.problems.push_back(why);
    }

    Result<std::string> whole_member(const Member& member)
    {
        if (member.size > static_cast<int64_t>(kLongestLine))
            return fail(ErrorKind::Invalid, member.name + " is too large");
        std::string text;
        for (std::string piece; TRY(reader.read(piece));)
            text += piece;
        return text;
    }

    // Line by line, in bounded memory.
    Result<void> lines(const std::function<Result<void>(std::vector<std::string>& lines)>& take)
    {
        std::string rest;
        std::vector<std::string> batch;
        size_t bytes = 0;
        auto flush = [&]() -> Result<void> {
            if (batch.empty())
                return {};
            TRY(take(batch));
            batch.clear();
            bytes = 0;
            return {};
        };
        for (std::string piece; TRY(reader.read(piece));) {
            rest += piece;
            size_t begin = 0;
            for (size_t end; (end = rest.find('\n', begin)) != std::string::npos; begin = end + 1) {
                batch.push_back(rest.substr(begin, end - begin));
                bytes += batch.back().size();
                if (batch.size() >= kLinesAtOnce || bytes >= kBytesAtOnce)
                    TRY(flush());
            }
            rest.erase(0, begin);
            if (rest.size() > kLongestLine)
                return fail(ErrorKind::Invalid, "a line in it is too long");
        }
        if (!rest.empty())
            batch.push_back(std::move(rest));
        return flush();
    }

    Result<void> about(const std::string& text)
    {
        auto json = parse_json(text);
        if (!json.ok() || !json->is_object())
            return fail(ErrorKind::Invalid, "export.json cannot be read");
        const int64_t format = time_of(*json, "format");
        if (format > kNewestFormat)
            return fail(ErrorKind::Invalid, "it was made by a newer version of bivouac; install that version to import it");
        facts.entity = text_in(*json, "entity");
        followers_group = text_in(*json, "followers_group");
        if (format < 1 || !is_entity_url(facts.entity) || (!followers_group.empty() && !is_valid_post_id(followers_group)))
            return fail(ErrorKind::Invalid, "export.json cannot be read");
        facts.same_entity = self.current(facts.entity) == self.entity;
        return {};
    }

    // About the old address and its keys, of no use at another one.
    bool is_of_the_address(const Post& post, const std::string& base) const
    {
        if (base == type::kCredentialsBase)
            return true;
        if (facts.same_entity)
            return false;
        return base == type::kRelationshipBase || base == type::kSubscriptionBase ||
               (base == type::kMetaBase && post.entity == facts.entity);
    }

    Result<Fate> post(store::WriteTx& tx, const std::string& line)
    {
        const Json json = TRY(parse_json(line));
        Post post = TRY(post_from_json(json));
        const std::string base = TRY(parse_type(post.type)).base;
        if (post.id.empty() || post.entity.empty() || post.version.id.empty() || post.published_at == 0 ||
            post.version.published_at == 0 || post.received_at == 0 || post.version.received_at == 0)
            return fail(ErrorKind::Invalid, "a post without id, version or times");
        if (!version_id_verifies(json, post.version.id))
            return fail(ErrorKind::Invalid, "the version id of post " + post.id + " is not that of its text");
        for (const auto& attachment : post.attachments)
            if (attachment.digest.empty())
                return fail(ErrorKind::Invalid, "an attachment without a digest");
        if (is_of_the_address(post, base)) {
            if (base == type::kMetaBase &&
                (!newest_meta || newest_meta->version.received_at < post.version.received_at))
                newest_meta = post;
            return Fate::LeftOut;
        }
        if (has_schema(post.type))
            TRY(validate_content(post, MetaOf::Others));
        if (self.current(facts.entity) != self.entity)
            store::rename_in(post, facts.entity, self.entity);
        tent::bring_up_to_date(self, post);
        if (TRY(store::find_version(tx, self.id, post.entity, post.id, post.version.id)) != 0)
            return Fate::Here;
        if (TRY(store::is_deleted(tx, self.id, post.entity, post.id, post.version.id)))
            return Fate::Deleted;
        TRY(store::insert_version(tx, self.id, post));
        if (base == type::kGroupMemberBase && post.entity == self.entity) {
            auto member = tent::member_stored(tx, self, post);
            if (!member.ok() && member.error().kind != ErrorKind::Invalid)
                return std::move(member).error();
        }
        if (base == type::kSubscriptionBase)
            TRY(subscription(tx, post));
        return Fate::Taken;
    }

    Result<void> subscription(store::WriteTx& tx, const Post& post)
    {
        const std::string selector = text_in(content_of(post), "type");
        const std::string target = post.mentions.empty() ? std::string() : post.mention_entity(post.mentions[0]);
        if (selector.empty() || target.empty() || (post.entity != self.entity && target != self.entity))
            return {};
        return store::add_subscription(tx, self.id, {post.entity, target, selector, post.id});
    }

    Result<void> posts(store::Store& store, std::vector<std::string>& batch)
    {
        struct Outcome {
            int64_t taken = 0, here = 0, deleted = 0, left_out = 0;
            std::vector<std::string> refused;
        };
        // Each in a savepoint of its own, and all of them on disk at once.
        for (size_t at = 0; at < batch.size();) {
            Outcome out = TRY(store.write([&](store::WriteTx& tx) -> Result<Outcome> {
                Outcome now;
                for (; at < batch.size(); ++at) {
                    auto fate = post(tx, batch[at]);
                    if (!fate.ok()) {
                        if (fate.error().kind != ErrorKind::Invalid && fate.error().kind != ErrorKind::TooLarge)
                            return std::move(fate).error();
                        now.refused.push_back(fate.error().detail);
                        continue;
                    }
                    switch (*fate) {
                    case Fate::Taken: ++now.taken; break;
                    case Fate::Here: ++now.here; break;
                    case Fate::Deleted: ++now.deleted; break;
                    case Fate::LeftOut: ++now.left_out; break;
                    }
                }
                return now;
            }));
            facts.taken += out.taken;
            facts.here += out.here;
            facts.deleted += out.deleted;
            facts.left_out += out.left_out;
            facts.refused += static_cast<int64_t>(out.refused.size());
            for (const auto& why : out.refused)
                refused(why);
        }
        return {};
    }

    Result<void> attachment(store::Store& store, const std::string& digest)
    {
        struct Known {
            bool here = false;
            bool wanted = false;
        };
        const Known known = TRY(store.read([&](store::ReadTx& tx) -> Result<Known> {
            return Known{TRY(store::has_blob(tx, self.id, digest)), !TRY(store::versions_with(tx, self.id, digest)).empty() ||
                                                                        is_of_the_profile(digest)};
        }));
        if (known.here || !known.wanted) {
            ++(known.here ? facts.attachments_here : facts.attachments_refused);
            if (!known.here)
                refused("an attachment that belongs to no post: " + digest);
            return {};
        }
        store::BlobWriter writer(store, self.id);
        for (std::string piece; TRY(reader.read(piece));)
            TRY(writer.append(piece));
        auto stored = TRY(writer.finish());
        if (stored.digest == digest) {
            ++facts.attachments;
        } else {
            // Nothing refers to these bytes: they go at the next start.
            ++facts.attachments_refused;
            refused("an attachment that has not its digest: " + digest);
        }
        return {};
    }

    bool is_of_the_profile(const std::string& digest) const
    {
        if (newest_meta)
            for (const auto& attachment : newest_meta->attachments)
                if (attachment.digest == digest)
                    return true;
        return false;
    }

    // The group behind "followers" is that of the export, while nobody is in the one that was made here.
    Result<void> adopt_followers_group(store::WriteTx& tx)
    {
        if (followers_group.empty() || followers_group == self.followers_group)
            return {};
        auto group = tent::find_group(tx, self, followers_group);
        if (!group.ok() || !TRY(tent::group_members(tx, self, self.followers_group)).empty())
            return {};
        const std::string before = self.followers_group;
        TRY(tx.prepare("UPDATE entities SET followers_group = :group WHERE id = :id")
                .bind(":group", followers_group)
                .bind(":id", self.id)
                .run());
        self.followers_group = followers_group;
        TRY(tent::delete_own(tx, self, before, "", false));
        return {};
    }

    Result<void> relationship(store::WriteTx& tx, const std::string& line, bool follow)
    {
        const Json json = TRY(parse_json(line));
        if (!json.is_object())
            return fail(ErrorKind::Invalid, "a relationship that cannot be read");
        const std::string peer = self.current(text_in(json, "entity"));
        if (!tent::peer_host(peer) || peer == self.entity)
            return fail(ErrorKind::Invalid, "a relationship with an address that is none");
        if (auto known = TRY(store::find_relationship(tx, self.id, peer));
            known && (!known->follower.empty() || !known->following.empty())) {
            ++facts.relationships_here;
            return {};
        }
        store::Relationship r;
        r.owner = self.id;
        r.peer = peer;
        const std::string follower = text_in(json, "follower"), following = text_in(json, "following");
        for (const char* state : {"approved", "denied", "blocked", "removed"})
            if (follower == state)
                r.follower = follower;
        r.follower_since = time_of(json, "follower_since");
        r.verified_at = time_of(json, "verified_at");
        r.note = text_in(json, "note").substr(0, limits::kNoteBytes);
        const bool followed = following == "approved" || following == "requested" || following == "connecting";
        if (facts.same_entity && followed) {
            // The keys are new from the next contact on, and with them she hears of our wish again.
            for (const auto& subscription : TRY(store::subscriptions_of(tx, self.id, self.entity, peer)))
                if (!type_matches(subscription.selector, type::kMeta) || subscription.selector == kAllTypes) {
                    r.following = "requested";
                    r.following_post = subscription.post;
                }
        }
        if (r.follower.empty() && r.following.empty() && !(followed && !facts.same_entity))
            return {};
        if (!r.follower.empty() || !r.following.empty())
            TRY(store::save_relationship(tx, r));
        if (r.follower == "approved")
            TRY(tent::join_group(tx, self, self.followers_group, peer));
        if (r.following == "requested")
            TRY(store::want_catch_up(tx, self.id, peer, store::Begin::Anew));
        if (followed && !facts.same_entity) {
            facts.following.push_back(peer);
            if (follow)
                TRY(tent::follow(tx, self, peer));
        }
        ++facts.relationships;
        return {};
    }

    Result<void> relationships(store::Store& store, std::vector<std::string>& batch, bool follow)
    {
        return store.write([&](store::WriteTx& tx) -> Result<void> {
            TRY(adopt_followers_group(tx));
            for (const auto& line : batch) {
                auto taken = relationship(tx, line, follow);
                if (!taken.ok() && taken.error().kind != ErrorKind::Invalid)
                    return std::move(taken).error();
                if (!taken.ok())
                    refused(taken.error().detail);
            }
            return {};
        });
    }

    // Name, picture and so on, where there is none yet.
    Result<void> profile(store::WriteTx& tx)
    {
        if (!newest_meta)
            return {};
        const Json profile = content_of(*newest_meta).value("profile", Json::object());
        auto current = TRY(store::load_version(tx, TRY(store::find_version(tx, self.id, self.entity, kMetaPostId, ""))));
        if (!current || !profile.is_object() || profile.empty())
            return {};
        Json content = content_of(*current);
        if (content.contains("profile") && content["profile"].is_object() && !content["profile"].empty())
            return {};
        content["profile"] = profile;
        Post draft;
        draft.id = kMetaPostId;
        draft.type = type::kMeta;
        draft.content = content.dump();
        draft.permissions = current->permissions;
        for (const auto& attachment : newest_meta->attachments)
            if (TRY(store::has_blob(tx, self.id, attachment.digest)))
                draft.attachments.push_back(attachment);
        Parent after;
        after.version = current->version.id;
        draft.version.parents.push_back(std::move(after));
        TRY(tent::publish(tx, self, std::move(draft), tent::Deliver::Nobody));
        return {};
    }

    Result<void> finish(store::Store& store)
    {
        TRY(store.write([&](store::WriteTx& tx) -> Result<void> {
            TRY(adopt_followers_group(tx));
            return profile(tx);
        }));
        facts.attachments_missing = TRY(store.read([&](store::ReadTx& tx) -> Result<int64_t> {
            auto select = tx.prepare(R"(
                SELECT count(DISTINCT a.digest) FROM version_attachments a JOIN versions v ON v.id = a.version
                WHERE v.owner = :owner AND NOT EXISTS (SELECT 1 FROM blobs b JOIN blob_holders h ON h.blob = b.id
                                                       WHERE b.digest = a.digest AND h.owner = v.owner))");
            select.bind(":owner", self.id);
            return TRY(select.step()) ? select.integer(0) : int64_t(0);
        }));
        return {};
    }

    Result<ImportFacts> run(store::Store& store, const std::string& name, bool follow, const ImportProgress& progress)
    {
        auto entities = TRY(store.read([](store::ReadTx& tx) { return store::load_entities(tx); }));
        auto entity = std::find_if(entities.begin(), entities.end(),
                                   [&](const store::LocalEntity& e) { return name.empty() || e.name == name; });
        if (entity == entities.end())
            return fail(ErrorKind::NotFound, "there is no entity of the name " + name + "; see: bivouac entity list");
        self = tent::Self::of(*entity);
        TRY(store.read([&](store::ReadTx& tx) { return tent::load_moves(tx, self); }));
        Member member;
        bool known = false;
        while (TRY(reader.next(member))) {
            if (known == (member.name == "export.json"))
                return fail(ErrorKind::Invalid, known ? "there are two exports in it" : "it does not begin with export.json");
            if (progress)
                progress("importing", std::min(::lseek(fd, 0, SEEK_CUR), size), size);
            if (!known) {
                TRY(about(TRY(whole_member(member))));
                known = true;
            } else if (member.name == "relationships.jsonl") {
                TRY(lines([&](std::vector<std::string>& batch) { return relationships(store, batch, follow); }));
            } else if (member.name.starts_with("posts/")) {
                TRY(lines([&](std::vector<std::string>& batch) { return posts(store, batch); }));
            } else {
                TRY(attachment(store, member.name.substr(member.name.find('/') + 1)));
            }
        }
        if (!known)
            return fail(ErrorKind::Invalid, "it is empty");
        TRY(finish(store));
        return facts;
    }
};

Import::Import(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl))
{
}

Import::Import(Import&&) noexcept = default;
Import::~Import() = default;

Result<Import> Import::open(const std::string& file)
{
    const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(errno == ENOENT ? ErrorKind::NotFound : ErrorKind::Unavailable, file + ": " + std::strerror(errno));
    const int64_t size = ::lseek(fd, 0, SEEK_END);
    if (size < 0 || ::lseek(fd, 0, SEEK_SET) < 0) {
        ::close(fd);
        return fail(ErrorKind::Invalid, file + " is not a file that can be read");
    }
    auto reader = ExportReader::start(fd);
    if (!reader.ok()) {
        ::close(fd);
        return std::move(reader).error();
    }
    return Import(std::make_unique<Impl>(fd, file, size, std::move(*reader)));
}

Result<ImportFacts> Import::run(store::Store& store, const std::string& name, bool follow, const ImportProgress& progress)
{
    auto done = impl_->run(store, name, follow, progress);
    if (!done.ok() && done.error().kind == ErrorKind::NoSpace)
        return fail(ErrorKind::NoSpace, "the disk is full; what was taken stays, and when there is space the same command brings the rest");
    if (!done.ok() && done.error().kind == ErrorKind::Invalid)
        return std::move(done).error().in(impl_->file);
    return done;
}

}  // namespace bivouac::app

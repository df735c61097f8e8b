// SPDX-License-Identifier: BSD-3-Clause
// Requests to the running node over the unix socket in its data directory. Connects to nothing else.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <bivouac/base/result.h>
#include <bivouac/base/secret.h>
#include <bivouac/base/spool.h>
#include <bivouac/model/json.h>

namespace bivouac::cli {

struct UploadFile {
    std::string path;
    std::string name;
    std::string content_type;
    std::shared_ptr<const Spool> bytes;  // what is sent; null: the file at `path`
};

// In whose name all further requests are: an entity of the node ("": the first), and where the passphrase of her owner comes
// from, which is asked for with the first request and wiped at the end.
void speak_as(const std::string& name, std::function<Result<Secret>()> owner_passphrase);

// The answer's JSON; an error of the node comes back as an Error with its words.
// NotFound when no node is running on that data directory.
Result<Json> call_node(const std::string& data_directory, const std::string& method, const std::string& target,
                       const Json* body = nullptr);
// The same for what takes as long as it takes; meanwhile `wait` is called twice a second.
Result<Json> call_node_patiently(const std::string& data_directory, const std::string& method, const std::string& target,
                                 const Json& body, const std::function<void()>& wait);
// Its status, or nothing when none is running there. Unavailable: it is locked. NotFound: no data directory, or no entity of
// the name that was chosen.
Result<std::optional<Json>> find_running(const std::string& data_directory);
// A post as multipart, its files streamed.
Result<Json> send_post(const std::string& data_directory, const std::string& target, const std::string& content_type,
                       const Json& post, const std::vector<UploadFile>& files);
// The answer's bytes piece by piece; what the sink returns false for ends it with Unavailable.
Result<void> stream_from_node(const std::string& data_directory, const std::string& target,
                              const std::function<bool(std::string_view)>& sink);

}  // namespace bivouac::cli

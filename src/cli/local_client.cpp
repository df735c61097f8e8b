// SPDX-License-Identifier: BSD-3-Clause
#include "local_client.h"

#include <chrono>
#include <future>
#include <memory>
#include <thread>
#include <utility>

#include <bivouac/app/config.h>
#include <bivouac/app/node.h>
#include <bivouac/base/bytes.h>
#include <bivouac/base/files.h>

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace bivouac::cli {

namespace {

struct Speaker {
    std::string name;
    std::function<Result<Secret>()> ask;
    Secret owner;
};
Speaker& speaker()
{
    static Speaker one;
    return one;
}

// While a node starts, and between the two processes of one that is locked or unlocked, nobody listens.
constexpr std::chrono::milliseconds kBetweenProcesses(1500);
constexpr std::chrono::milliseconds kNeither(500);  // the one has ended, with lock and socket, and the next has neither yet
constexpr std::chrono::milliseconds kAgain(50);

struct CurlDone {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
    void operator()(curl_mime* mime) const { curl_mime_free(mime); }
};

struct Directory {
    int fd = -1;
    ~Directory()
    {
        if (fd >= 0)
            ::close(fd);
    }
};

// The second lock: whatever a handle was told, only a unix socket is opened.
curl_socket_t open_unix_only(void*, curlsocktype, curl_sockaddr* address)
{
    if (address->family != AF_UNIX)
        return CURL_SOCKET_BAD;
    return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

struct Answer {
    CURL* handle = nullptr;
    std::string body;
    const std::function<bool(std::string_view)>* sink = nullptr;
};

size_t take_body(char* bytes, size_t, size_t count, void* argument)
{
    auto* answer = static_cast<Answer*>(argument);
    long status = 0;
    curl_easy_getinfo(answer->handle, CURLINFO_RESPONSE_CODE, &status);
    if (answer->sink && status == 200)
        return (*answer->sink)({bytes, count}) ? count : 0;
    if (answer->body.size() + count > (256u << 20))
        return 0;
    answer->body.append(bytes, count);
    return count;
}

// A part of a form that lies in a spool.
struct SpoolPart {
    std::shared_ptr<const Spool> spool;
    std::unique_ptr<Spool::Reader> reader;
    std::string piece;
    size_t at = 0;

    explicit SpoolPart(std::shared_ptr<const Spool> bytes)
        : spool(std::move(bytes))
        , reader(std::make_unique<Spool::Reader>(*spool))
    {
    }
};

size_t give_spool(char* buffer, size_t size, size_t count, void* argument)
{
    auto* part = static_cast<SpoolPart*>(argument);
    if (part->at == part->piece.size()) {
        auto next = part->reader->next();
        if (!next.ok())
            return CURL_READFUNC_ABORT;
        part->piece = std::move(*next);
        part->at = 0;
    }
    const size_t given = part->piece.copy(buffer, size * count, part->at);
    part->at += given;
    return given;
}

int rewind_spool(void* argument, curl_off_t offset, int origin)
{
    auto* part = static_cast<SpoolPart*>(argument);
    if (offset != 0 || origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    part->reader = std::make_unique<Spool::Reader>(*part->spool);
    part->piece.clear();
    part->at = 0;
    return CURL_SEEKFUNC_OK;
}

void free_spool(void* argument)
{
    delete static_cast<SpoolPart*>(argument);
}

ErrorKind kind_of(long status)
{
    switch (status) {
    case 404: return ErrorKind::NotFound;
    case 403: return ErrorKind::Forbidden;
    case 413: return ErrorKind::TooLarge;
    case 429: return ErrorKind::TooMany;
    case 503: return ErrorKind::Unavailable;
    case 507: return ErrorKind::NoSpace;
    case 500: return ErrorKind::Internal;
    default: return ErrorKind::Invalid;
    }
}

class LocalRequest {
public:
    static Result<LocalRequest> make(const std::string& data_directory, const std::string& method,
                                     const std::string& target)
    {
        static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
        LocalRequest request;
        request.directory_ = std::make_unique<Directory>();
        request.directory_->fd = ::open(data_directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (request.directory_->fd < 0)
            return fail(ErrorKind::NotFound, "there is no node in " + data_directory + "; make one with: bivouac init");
        request.only_asks_ = method == "GET";
        request.handle_.reset(curl_easy_init());
        CURL* handle = request.handle_.get();
        if (ready != CURLE_OK || !handle)
            return fail(ErrorKind::Internal, "the HTTP client cannot start");
        // A path through the open directory, because the kernel takes 107 characters and no more.
        std::string socket = "/proc/self/fd/" + std::to_string(request.directory_->fd) + "/control.sock";
        curl_easy_setopt(handle, CURLOPT_UNIX_SOCKET_PATH, socket.c_str());
        curl_easy_setopt(handle, CURLOPT_OPENSOCKETFUNCTION, open_unix_only);
        curl_easy_setopt(handle, CURLOPT_PROXY, "");
        curl_easy_setopt(handle, CURLOPT_NOPROXY, "*");
        curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
        curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
        curl_easy_setopt(handle, CURLOPT_URL, ("http://node" + target).c_str());
        curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, method.c_str());
        curl_easy_setopt(handle, CURLOPT_TIMEOUT, 600L);
        request.header("Expect:");
        if (!speaker().name.empty())
            request.header(std::string(app::kAsHeader) + ": " + speaker().name);
        if (speaker().ask)
            speaker().owner = TRY(std::exchange(speaker().ask, nullptr)());
        if (!speaker().owner.empty()) {
            std::string line = std::string(app::kOwnerHeader) + ": " + to_base64(speaker().owner.view());
            request.header(line);
            wipe(line);
        }
        return request;
    }

    void header(const std::string& line)
    {
        headers_.reset(curl_slist_append(headers_.release(), line.c_str()));
    }

    void without_limit() { curl_easy_setopt(handle_.get(), CURLOPT_TIMEOUT, 0L); }

    void body(const std::string& text)
    {
        body_ = text;
        curl_easy_setopt(handle_.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_.size()));
        curl_easy_setopt(handle_.get(), CURLOPT_COPYPOSTFIELDS, body_.c_str());
        header("Content-Type: application/json");
    }

    Result<void> multipart(const std::string& content_type, const Json& post, const std::vector<UploadFile>& files)
    {
        mime_.reset(curl_mime_init(handle_.get()));
        std::string text = post.dump();
        curl_mimepart* part = curl_mime_addpart(mime_.get());
        curl_mime_name(part, "post");
        curl_mime_filename(part, "post.json");
        curl_mime_type(part, content_type.c_str());
        curl_mime_data(part, text.data(), text.size());
        for (const auto& file : files) {
            part = curl_mime_addpart(mime_.get());
            if (file.bytes)
                curl_mime_data_cb(part, static_cast<curl_off_t>(file.bytes->size()), give_spool, rewind_spool, free_spool, new SpoolPart(file.bytes));
            else if (curl_mime_filedata(part, file.path.c_str()) != CURLE_OK)
                return fail(ErrorKind::NotFound, file.path + " cannot be read");
            curl_mime_name(part, "attachment");
            curl_mime_filename(part, file.name.c_str());
            curl_mime_type(part, file.content_type.c_str());
        }
        curl_easy_setopt(handle_.get(), CURLOPT_MIMEPOST, mime_.get());
        return {};
    }

    Result<std::string> perform(const std::function<bool(std::string_view)>* sink = nullptr)
    {
        CURL* handle = handle_.get();
        Answer answer;
        answer.handle = handle;
        answer.sink = sink;
        curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers_.get());
        curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body);
        curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer);
        CURLcode code = curl_easy_perform(handle);
        for (auto waited = kAgain; may_repeat(code, answer) && waited <= kBetweenProcesses && (waited <= kNeither || one_may_come()); waited += kAgain) {
            std::this_thread::sleep_for(kAgain);
            code = curl_easy_perform(handle);
        }
        somebody_listens_ = code != CURLE_COULDNT_CONNECT;
        if (!somebody_listens_)
            return fail(ErrorKind::NotFound, "no node is running on this data directory; start it with: bivouac run");
        if (code == CURLE_WRITE_ERROR && sink)
            return fail(ErrorKind::Unavailable, "writing the output failed");
        if (code != CURLE_OK)
            return fail(ErrorKind::Unavailable,
                        std::string("the running node did not answer: ") + curl_easy_strerror(code));
        long status = 0;
        curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
        if (status == 200)
            return std::move(answer.body);
        Json error = Json::parse(answer.body, nullptr, false);
        std::string words = error.is_object() ? error.value("error", std::string()) : std::string();
        return fail(kind_of(status), words.empty() ? "the running node answered " + std::to_string(status) : words);
    }

    // After perform().
    bool somebody_listens() const { return somebody_listens_; }

private:
    // Nothing was sent where nobody listened; what only asks may be asked twice, should its node end over it.
    bool may_repeat(CURLcode code, const Answer& answer) const
    {
        const bool ended = code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR;
        return code == CURLE_COULDNT_CONNECT || (only_asks_ && ended && answer.body.empty() && !answer.sink);
    }

    // A node that starts has the lock before it listens; one that hangs and is locked leaves its socket behind.
    bool one_may_come() const
    {
        const auto paths = app::DataPaths::in("/proc/self/fd/" + std::to_string(directory_->fd));
        return FileLock::is_held(paths.lock) || ::access(paths.socket.c_str(), F_OK) == 0;
    }

    bool only_asks_ = false;
    bool somebody_listens_ = true;
    std::unique_ptr<Directory> directory_;
    std::unique_ptr<CURL, CurlDone> handle_;
    std::unique_ptr<curl_slist, CurlDone> headers_;
    std::unique_ptr<curl_mime, CurlDone> mime_;
    std::string body_;
};

Result<Json> json_of(Result<std::string> answer)
{
    std::string text = TRY(std::move(answer));
    Json json = Json::parse(text, nullptr, false);
    if (json.is_discarded())
        return fail(ErrorKind::Internal, "the running node's answer cannot be read; is it of another version?");
    return json;
}

}  // namespace

void speak_as(const std::string& name, std::function<Result<Secret>()> owner_passphrase)
{
    speaker().name = name;
    speaker().ask = std::move(owner_passphrase);
}

Result<Json> call_node(const std::string& data_directory, const std::string& method, const std::string& target,
                       const Json* body)
{
    auto request = TRY(LocalRequest::make(data_directory, method, target));
    if (body)
        request.body(body->dump());
    return json_of(request.perform());
}

Result<Json> call_node_patiently(const std::string& data_directory, const std::string& method, const std::string& target,
                                 const Json& body, const std::function<void()>& wait)
{
    auto request = TRY(LocalRequest::make(data_directory, method, target));
    request.body(body.dump());
    request.without_limit();
    auto answer = std::async(std::launch::async, [&request] { return request.perform(); });
    while (answer.wait_for(std::chrono::milliseconds(500)) != std::future_status::ready)
        wait();
    return json_of(answer.get());
}

Result<std::optional<Json>> find_running(const std::string& data_directory)
{
    auto request = TRY(LocalRequest::make(data_directory, "GET", "/status"));
    auto status = json_of(request.perform());
    if (!request.somebody_listens())
        return std::optional<Json>();
    if (!status.ok())
        return std::move(status).error();
    if (status->value("locked", false))
        return fail(ErrorKind::Unavailable, "the node is locked; unlock it with: bivouac unlock");
    return std::optional<Json>(std::move(*status));
}

Result<Json> send_post(const std::string& data_directory, const std::string& target, const std::string& content_type,
                       const Json& post, const std::vector<UploadFile>& files)
{
    auto request = TRY(LocalRequest::make(data_directory, "POST", target));
    TRY(request.multipart(content_type, post, files));
    return json_of(request.perform());
}

Result<void> stream_from_node(const std::string& data_directory, const std::string& target,
                              const std::function<bool(std::string_view)>& sink)
{
    auto request = TRY(LocalRequest::make(data_directory, "GET", target));
    TRY(request.perform(&sink));
    return {};
}

}  // namespace bivouac::cli

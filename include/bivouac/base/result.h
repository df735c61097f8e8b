// SPDX-License-Identifier: BSD-3-Clause
// Failure as a value. Functions that can fail return Result<T>; TRY passes a failure up to the caller.
// Exceptions of libraries are turned into a Result in the file that includes the library.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace bivouac {

// Decides the HTTP status (net/error_response) and whether a delivery is tried again (relay/delivery).
enum class ErrorKind {
    NotFound,      // absent, deleted, or not for this reader: to strangers all three are one
    Invalid,       // the input is wrong; the detail says what, and may reach the wire
    Unauthorized,  // credentials are needed
    Forbidden,     // credentials are there and do not suffice
    Gone,          // what was offered once is over: to strangers one answer, whatever the reason
    Conflict,      // the state does not allow it (already there, already running)
    TooLarge,      // over a limit in limits.h
    TooMany,       // over a rate or a quota: try later
    Unsupported,   // a media type or form we do not take
    Unavailable,   // for now: a queue is full, a peer or tor is gone, we are stopping
    NoSpace,       // the disk is full; nothing was changed
    Internal,      // our own fault
};

std::string_view error_kind_name(ErrorKind kind);

struct Error {
    ErrorKind kind = ErrorKind::Internal;
    // For the person or the log: what happened and what to do. Never holds a secret, and goes out on
    // the wire only for Invalid, TooLarge and Unsupported.
    std::string detail;
    // For a post that breaks its schema: what would mend it, as the JSON text of a list of patch operations
    // (Tent 0.3, section 10). Empty otherwise.
    std::string diff = {};

    // The same error with words in front: "opening the database: wrong passphrase".
    Error in(std::string_view context) &&;
};

template <typename T>
class [[nodiscard]] Result {
public:
    using value_type = T;

    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T* operator->() { return &std::get<0>(state_); }
    const T* operator->() const { return &std::get<0>(state_); }
    T& operator*() & { return std::get<0>(state_); }
    const T& operator*() const& { return std::get<0>(state_); }
    T&& operator*() && { return std::get<0>(std::move(state_)); }

    Error& error() & { return std::get<1>(state_); }
    const Error& error() const& { return std::get<1>(state_); }
    Error error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
public:
    using value_type = void;

    Result() = default;
    Result(Error error) : error_(std::move(error)) {}

    bool ok() const { return !error_; }
    explicit operator bool() const { return ok(); }
    void value() const {}

    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error error() && { return std::move(*error_); }

private:
    std::optional<Error> error_;
};

inline Error fail(ErrorKind kind, std::string detail)
{
    return Error{kind, std::move(detail)};
}

}  // namespace bivouac

// Unwraps a Result or returns its Error from the enclosing function. One per line, not nested.
// A statement expression: gcc and clang, the two compilers we build with, both have it.
// (__COUNTER__ keeps the names apart when one TRY stands in the argument of another's call.)
#define TRY(expression) BIVOUAC_TRY_2(expression, __COUNTER__)
#define BIVOUAC_TRY_2(expression, number) BIVOUAC_TRY_2B(expression, number)
#define BIVOUAC_TRY_2B(expression, number) BIVOUAC_TRY_3(expression, try_result_##number)
#define BIVOUAC_TRY_3(expression, name)                      \
    ({                                                       \
        auto&& name = (expression);                          \
        if (!name.ok()) [[unlikely]]                         \
            return std::move(name).error();                  \
        std::move(name).value();                             \
    })

// The same inside a coroutine, as statements: co_await may stand in the expression, which a statement
// expression does not allow.  CO_TRY(post, co_await fetch(...));  declares `post`.
#define CO_TRY(name, expression)                                       \
    auto name##_result = (expression);                                 \
    if (!name##_result.ok()) [[unlikely]]                              \
        co_return std::move(name##_result).error();                    \
    auto name = std::move(name##_result).value()

#define CO_TRY_VOID(name, expression)                                  \
    auto name##_result = (expression);                                 \
    if (!name##_result.ok()) [[unlikely]]                              \
        co_return std::move(name##_result).error()

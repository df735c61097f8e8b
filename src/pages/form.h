// SPDX-License-Identifier: BSD-3-Clause
// What a form sent, urlencoded or multipart, within bounds.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <bivouac/base/secret.h>
#include <bivouac/base/spool.h>
#include <bivouac/net/http_message.h>

namespace bivouac::pages {

constexpr size_t kFormFields = 500;
constexpr size_t kFormTextBytes = 512u << 10;  // of all fields together
constexpr size_t kFormFiles = 50;

struct FormFile {
    std::string field;
    std::string name;          // as the browser sent it
    std::string content_type;  // as the browser sent it
    std::shared_ptr<const Spool> bytes;
};

struct Form {
    std::vector<std::pair<std::string, std::string>> fields;
    std::vector<FormFile> files;

    Form() = default;
    Form(Form&&) = default;
    Form& operator=(Form&&) = default;
    ~Form();  // wipes the fields: passphrases are among them

    std::string_view get(std::string_view name) const;  // "" when absent
    bool has(std::string_view name) const;
    std::vector<std::string> all(std::string_view name) const;
    std::string trimmed(std::string_view name) const;
    Secret secret(std::string_view name) const;
};

// Pure. Invalid: malformed, not UTF-8, or over the bounds.
Result<Form> parse_urlencoded(std::string_view body);
// TooLarge: a file of more than `file_limit` bytes; the rest is read nevertheless.
Result<Form> read_form(const net::HttpRequest& request, uint64_t file_limit, const std::string& spool_directory);

}  // namespace bivouac::pages

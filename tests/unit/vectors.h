// SPDX-License-Identifier: BSD-3-Clause
// The vectors that the C++ and the Python tests share.
#pragma once

#include <doctest/doctest.h>

#include <bivouac/base/files.h>
#include <bivouac/model/json.h>

inline bivouac::Json load_vectors(const std::string& name)
{
    auto text = bivouac::read_file(std::string(VECTORS_DIR) + "/" + name, 1u << 20);
    REQUIRE(text.ok());
    bivouac::Json json = bivouac::Json::parse(*text, nullptr, false);
    REQUIRE(json.is_array());
    REQUIRE(!json.empty());
    return json;
}

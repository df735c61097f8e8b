// SPDX-License-Identifier: BSD-3-Clause
// `--name value` pairs for programs that only tests/bench/run.py starts.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

class Arguments {
public:
    Arguments(int count, char** values)
    {
        for (int i = 1; i + 1 < count; i += 2)
            pairs_.emplace_back(values[i], values[i + 1]);
    }

    std::string text(const std::string& name, const std::string& otherwise = "") const
    {
        for (const auto& [key, value] : pairs_)
            if (key == name)
                return value;
        return otherwise;
    }

    long number(const std::string& name, long otherwise) const
    {
        std::string value = text(name);
        return value.empty() ? otherwise : std::atol(value.c_str());
    }

    std::vector<std::string> all(const std::string& name) const
    {
        std::vector<std::string> out;
        for (const auto& [key, value] : pairs_)
            if (key == name)
                out.push_back(value);
        return out;
    }

private:
    std::vector<std::pair<std::string, std::string>> pairs_;
};

[[noreturn]] inline void die(const std::string& words)
{
    std::fprintf(stderr, "%s\n", words.c_str());
    std::exit(1);
}

# SPDX-License-Identifier: BSD-3-Clause
"""Turns an SQL file into a C++ raw string literal with a comma behind it, for an array."""
import sys

text = open(sys.argv[1], encoding="utf-8").read()
assert ')sql"' not in text
with open(sys.argv[2], "w", encoding="utf-8") as out:
    # A compiler may cap the length of one literal; adjacent literals are one.
    for start in range(0, len(text), 8000):
        out.write('R"sql(' + text[start:start + 8000] + ')sql"\n')
    out.write(",\n")

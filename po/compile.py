#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Turns .po files into tables in C++ (src/words/catalogue.h).

compile.py MSGFMT OUTPUT LANGUAGE.po...
compile.py MSGFMT OUTPUT --pseudo TEMPLATE.pot LANGUAGE.po...
    With two more that nobody speaks, for tests: en-XA, each text in brackets and longer, and ar-XB, written from right
    to left. Only what is in the template is in them, so a text that no translator sees stays as it is.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import catalogue  # noqa: E402


def fnv1a(text):
    out = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        out = (out ^ byte) * 0x100000001B3 % (1 << 64)
    return out


def literal(text):
    # Octal, as a hexadecimal escape has no end.
    return 'sv("' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\?' else "\\%03o" % b for b in text.encode("utf-8")) + f'", {len(text.encode("utf-8"))})'


# ---- languages that nobody speaks

KEEP = {"direction of writing", "between thousands", "decimal separator", "first day of a month, in a date"}
ARABIC = dict(zip("abcdefghijklmnopqrstuvwxyz", "ابچدةفگهيجكلمنوپقرستؤڤوخيز"))


def outside_of_places(text, change):
    return "".join(part if re.fullmatch(r"\{[0-9]\}", part) else change(part) for part in re.split(r"(\{[0-9]\})", text))


def longer(context, text):
    if context == "name of the language, in itself":
        return "⟦long⟧"
    if context in KEEP:
        return text
    return "⟦" + text + " ~" * (1 + len(text) // 6) + "⟧"


def from_right_to_left(context, text):
    if context == "direction of writing":
        return "rtl"
    if context in KEEP:
        return text
    return outside_of_places(text, lambda part: "".join(ARABIC.get(c.lower(), c) for c in part))


def pseudo(template, change):
    texts, header = catalogue.template(template, msgfmt)
    out = {}
    for key, forms in texts.items():
        context = key[0].rpartition(catalogue.CONTEXT)[0]
        out[key] = [change(context, form) for form in forms]
    return out, header


# ---- C++

def entries_of(tag, texts):
    forms, entries, seen = [], [], {}
    for (singular, plural), translated in texts.items():
        value = fnv1a(singular)
        if value in seen:
            raise SystemExit(f"{tag}: two texts of the same hash; change one of them a little: {seen[value]!r}, {singular!r}")
        seen[value] = singular
        entries.append((value, singular.rpartition(catalogue.CONTEXT)[2], len(forms), len(translated)))
        forms += translated
    return forms, sorted(entries)


def write(out, languages):
    out.write("// Made by po/compile.py.\n#include <iterator>\n\n#include \"words/catalogue.h\"\n\nnamespace bivouac {\n\nnamespace {\n\n")
    out.write("using sv = std::string_view;\n")
    for number, (tag, (texts, header)) in enumerate(languages):
        count, expression = catalogue.plural_forms(header)
        forms, entries = entries_of(tag, texts)
        out.write(f"\nconstexpr std::string_view kForms{number}[] = {{\n")
        out.writelines(f"    {literal(form)},\n" for form in forms or [""])
        out.write(f"}};\nconstexpr Catalogue::Entry kEntries{number}[] = {{\n")
        for value, english, first, size in entries or [(0, "", 0, 1)]:
            out.write(f"    {{0x{value:016x}u, {literal(english)}, kForms{number} + {first}, {size}}},\n")
        out.write(f"}};\nsize_t form{number}([[maybe_unused]] uint64_t n)\n{{\n    const size_t form = {expression};\n"
                  f"    return form < {count} ? form : 0;\n}}\n")
    out.write("\nconstexpr Catalogue kCatalogues[] = {\n")
    for number, (tag, _) in enumerate(languages):
        out.write(f"    {{{literal(tag)}, kEntries{number}, form{number}}},\n")
    out.write("};\n\n}  // namespace\n\nstd::span<const Catalogue> catalogues() { return kCatalogues; }\n\n}  // namespace bivouac\n")


msgfmt, output, *rest = sys.argv[1:]
made = []
if rest and rest[0] == "--pseudo":
    made = [("en-XA", pseudo(rest[1], longer)), ("ar-XB", pseudo(rest[1], from_right_to_left))]
    rest = rest[2:]
# A file pt_BR.po is the language pt-BR.
made = [(pathlib.Path(po).stem.replace("_", "-"), catalogue.compiled(po, msgfmt)) for po in rest] + made
with open(output, "w", encoding="utf-8") as file:
    write(file, made)

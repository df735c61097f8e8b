# SPDX-License-Identifier: BSD-3-Clause
"""Reads .po files, by way of gettext's own programs."""
import os
import pathlib
import re
import struct
import subprocess
import tempfile

CONTEXT = "\x04"


def compiled(po, msgfmt="msgfmt"):
    """{(context and text, plural or None): [forms]} of a .po file, and its header's fields. Fuzzy ones are left out."""
    with tempfile.NamedTemporaryFile(suffix=".mo") as mo:
        subprocess.run([msgfmt, "-o", mo.name, str(po)], check=True)
        data = open(mo.name, "rb").read()
    magic, _, count, originals, translations = struct.unpack_from("<5I", data)
    assert magic == 0x950412DE

    def string(table, i):
        size, at = struct.unpack_from("<2I", data, table + 8 * i)
        return data[at:at + size].decode("utf-8")

    out, header = {}, {}
    for i in range(count):
        original, forms = string(originals, i), string(translations, i).split("\0")
        if original == "":
            header = dict(line.split(": ", 1) for line in forms[0].splitlines() if ": " in line)
            continue
        singular, _, plural = original.partition("\0")
        out[(singular, plural or None)] = forms
    return out, header


def template(pot, msgfmt="msgfmt"):
    """As compiled(), of a template: each text stands for its translation, as msgen does it."""
    with tempfile.TemporaryDirectory() as folder:
        po = pathlib.Path(folder, "en.po")
        subprocess.run(["msgen", "-o", str(po), str(pot)], check=True, env=dict(os.environ, LC_ALL="C.UTF-8"))
        text = po.read_text(encoding="utf-8")
        po.write_text(text.replace("msgstr \"\"\n\"Project", "msgstr \"\"\n\"Plural-Forms: nplurals=2; plural=(n != 1);\\n\"\n\"Project", 1), encoding="utf-8")
        return compiled(po, msgfmt)


def plural_forms(header):
    """Their number, and the C expression that chooses one for n."""
    found = re.fullmatch(r"nplurals=([1-9]); plural=([-n0-9 ()<>=!&|?:%+*]+);?", header.get("Plural-Forms", ""))
    if not found:
        raise SystemExit("the header Plural-Forms is missing or not understood: " + header.get("Plural-Forms", ""))
    return int(found[1]), found[2]


def places(text):
    """The places for values in a text, {0} to {9}."""
    return sorted(set(re.findall(r"\{[0-9]\}", text)))

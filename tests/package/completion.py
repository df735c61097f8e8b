# SPDX-License-Identifier: BSD-3-Clause
"""The table in packaging/completion/bivouac, made from the program's own --help."""
import re
import subprocess

BEGIN, END = "# table\n", "# end of the table\n"


def value(type_):
    """How the table names what an option or a word takes."""
    choices = re.search(r"\{([^}]*)\}", type_)
    if choices:
        return choices.group(1).replace(" ", "")
    word = type_.strip("[]").split(":")[0].split(" ")[0]
    return word if word in ("FILE", "DIR") else "X"


def sections(text):
    """{heading: lines of it}, each entry on one line."""
    found, name = {}, None
    for line in text.splitlines():
        if re.match(r"^[A-Z]\w+:$", line):
            name = line[:-1]
            found[name] = []
        elif name and re.match(r"^  \S", line):
            found[name].append(line.strip())
        elif not line.strip():
            name = None
    return found


def entries(program, path=()):
    """Yields (verb, its words for the table), the program itself first, as '.'."""
    text = subprocess.run([program] + list(path) + ["--help"], check=True, stdout=subprocess.PIPE, text=True,
                          env={"LC_ALL": "C", "HOME": "/nonexistent"}).stdout
    parts = sections(text)
    verbs = [line.split()[0] for line in parts.get("Subcommands", [])]
    words = list(verbs)
    for line in parts.get("Options", []):
        # Two blanks, or the end, close the part before the explanation.
        head = re.split(r"  +", line)[0]
        names, _, type_ = head.partition(" ")
        for name in names.split(","):
            words.append(name + (":" + value(type_) if type_ and not type_.startswith("Excludes") and not type_.startswith("Needs") else ""))
    for line in parts.get("Positionals", []):
        head = re.split(r"  +", line)[0]
        _, _, type_ = head.partition(" ")
        words.append("@" + value(type_))
    yield " ".join(path) or ".", words
    for verb in verbs:
        yield from entries(program, tuple(path) + (verb,))


def table(program):
    return "".join('    ["%s"]="%s"\n' % (path, " ".join(words)) for path, words in entries(program))


def read(path):
    with open(path) as file:
        return file.read()


def with_table(text, new):
    before, rest = text.split(BEGIN, 1)
    return before + BEGIN + new + END + rest.split(END, 1)[1]

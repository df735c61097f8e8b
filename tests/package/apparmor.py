# SPDX-License-Identifier: BSD-3-Clause
"""Reads an AppArmor profile: its rules for a person to compare, and which paths it lets the program use."""
import os
import re
import subprocess


def rules(path):
    """The rules as they stand in the file, one a line, without comments, blanks made one, sorted."""
    with open(path) as file:
        lines = [re.sub(r"\s+", " ", re.sub(r"(^|\s)#.*$", "", line)).strip() for line in file]
    return sorted(line for line in lines if line)


def expanded(path, parser="apparmor_parser"):
    """The profile with everything that it includes."""
    done = subprocess.run([parser, "--preprocess", "-Q", "-K", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ValueError(done.stderr)
    return done.stdout


def variables(text):
    found = {}
    for name, sign, values in re.findall(r"^\s*(@\{\w+\})\s*(\+?=)\s*(.+?)\s*$", text, re.M):
        found.setdefault(name, [])
        found[name] += [v.strip('"') for v in values.split()]
    return found


def pattern(glob):
    """AppArmor's globs as a regular expression: ** any, * and [] and ? within one name, {a,b}."""
    out, i, depth = "", 0, 0
    while i < len(glob):
        c = glob[i]
        if glob.startswith("**", i):
            # At the end of a directory it stands for one letter at least.
            out, i = out + (".+" if out.endswith("/") else ".*"), i + 1
        elif c == "*":
            out += "[^/]+" if out.endswith("/") else "[^/]*"
        elif c == "?":
            out += "[^/]"
        elif c == "[":
            end = glob.index("]", i)
            out, i = out + glob[i:end + 1], end
        elif c == "{":
            out, depth = out + "(?:", depth + 1
        elif c == "}":
            out, depth = out + ")", depth - 1
        elif c == "," and depth:
            out += "|"
        else:
            out += re.escape(c)
        i += 1
    return out


class Profile:
    def __init__(self, text, user):
        self.user = user
        known = variables(text)
        for name, value in (("@{pid}", "[0-9]*"), ("@{pids}", "[0-9]*"), ("@{uid}", "[0-9]*"), ("@{tid}", "[0-9]*")):
            known[name] = [value]
        self.rules = []
        for line in text.splitlines():
            line = line.strip()
            match = re.match(r'^(deny\s+)?(?:audit\s+)?(owner\s+)?"?([/@][^"\s]*)"?\s+([rwaklmixpuPUCc]+)\s*,$', line)
            if match:
                deny, owner, glob, access = match.groups()
                for whole in self.expand(glob, known):
                    self.rules.append((bool(deny), bool(owner), re.compile(re.sub("/+", "/", pattern(whole)) + r"\Z"), access))

    def expand(self, glob, known):
        name = re.search(r"@\{\w+\}", glob)
        if not name:
            return [glob]
        values = known.get(name.group(0), [])
        return [more for value in values
                for more in self.expand(glob[:name.start()] + value + glob[name.end():], known)]

    def allows(self, path, access):
        granted = set()
        for deny, owner, glob, letters in self.rules:
            if not glob.match(path):
                continue
            if deny:
                if set(access) & set(letters):
                    return False
                continue
            if owner and os.path.exists(path) and os.lstat(path).st_uid != self.user:
                continue
            granted |= set(letters)
        return set(access) <= granted


CALL = re.compile(r'(?:\[pid +\d+\] |^\d+ +)?(openat|open|rename|renameat2|unlink|unlinkat|mkdir|mkdirat|execve|readlink|link|linkat)\((.*)')


def uses(trace):
    """Yields (path, access) of what a trace of strace -f -y shows, that succeeded."""
    for line in trace.splitlines():
        match = CALL.search(line)
        if not match or re.search(r"= -1 E\w+", line) or "resumed" in line:
            continue
        call, rest = match.groups()
        paths = re.findall(r'(?:AT_FDCWD(?:<([^>]*)>)?|\d+<([^>]*)>)?,? ?"((?:[^"\\]|\\.)*)"', rest.split(") = ")[0])
        for index, (here, folder, path) in enumerate(paths):
            if not path:
                continue
            if not path.startswith("/"):
                path = os.path.join(here or folder or "/", path)
            path = os.path.normpath(path)
            if call in ("openat", "open"):
                if "O_DIRECTORY" in rest or os.path.isdir(path):
                    path += "/"
                yield path, ("w" if "O_WRONLY" in rest else "rw" if "O_RDWR" in rest else "r")
                break
            if call == "execve":
                yield path, "x"
                break
            if call == "readlink":
                yield path, "r"
                break
            yield path + ("/" if call.startswith("mkdir") else ""), "w"

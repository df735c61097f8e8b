# SPDX-License-Identifier: BSD-3-Clause
"""Every section that docs/protocol.md lists is named by a test, or stands there as a difference."""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def listed():
    """(section, where) of each row of the table, and the numbers of the differences."""
    with open(os.path.join(TOP, "docs", "protocol.md"), encoding="utf-8") as file:
        text = file.read()
    rows = re.findall(r"^\| (\d+(?:\.\d+)?) \| [^|]* \| ([^|]*) \|$", text, re.M)
    return rows, set(re.findall(r"^(\d+)\. \*\*", text, re.M))


def named():
    """The sections that tests name: "(section 4.2)", "(sections 4.3, 6.6 and 8.2)"."""
    found = set()
    for folder, _, names in os.walk(os.path.join(TOP, "tests")):
        for name in names:
            if not name.endswith((".cpp", ".py", ".mjs")) or name == os.path.basename(__file__):
                continue
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                for match in re.findall(r"sections? (\d[\d., ]*(?:(?:and|to) [\d.]+)?)", file.read()):
                    found.update(number.strip(".") for number in re.findall(r"\d+(?:\.\d+)*", match))
    return found


def main():
    rows, differences = listed()
    tested = named()
    missing = 0
    for section, where in rows:
        reference = re.search(r"difference (\d+)", where)
        good = reference.group(1) in differences if reference else any(
            name == section or name.startswith(section + ".") for name in tested)
        if not good:
            missing += 1
            print("section %s is named by no test (%s)" % (section, where.strip()))
    if len(rows) < 60:
        print("the table of docs/protocol.md is not whole: %d rows" % len(rows))
        missing += 1
    print("%d sections, %d without a test" % (len(rows), missing))
    print("%d passed, %d failed" % (missing == 0, missing != 0))
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())

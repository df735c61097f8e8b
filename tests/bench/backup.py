# SPDX-License-Identifier: BSD-3-Clause
"""Backup, export and their ways back, and a move, of a node with many posts and attachments: memory, and time against copying the file.

  python3 tests/bench/backup.py [--build DIR] [--posts 100000] [--files 150] [--no-way-back] [--json FILE]

With --no-way-back only what makes files is measured, not restore, import and move.

The node runs while it is backed up.  Memory is the peak of the process of each command.  Its passphrase costs nothing to
check and a key file seals the backup: what a passphrase costs on purpose (256 MiB for a second) is not what is measured.
The floor is a plain copy of the database, brought to the disk.
"""
import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from harness import Failed, private_dir, remove, root  # noqa: E402
from node import Node  # noqa: E402

PASSPHRASE = "words for the bench"
FILE_BYTES = 2 << 20


def measured(*command, **more):
    """(seconds, peak MiB) of one process."""
    begin = time.monotonic()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 1)
        os.execve(command[0], [str(c) for c in command], more.get("env", os.environ))
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        raise Failed("%s ended with %d" % (command[1], status))
    return time.monotonic() - begin, usage.ru_maxrss / 1024


def copy(source, target):
    """A copy that has reached the disk."""
    begin = time.monotonic()
    with open(source, "rb") as one, open(target, "wb") as other:
        while True:
            piece = one.read(1 << 20)
            if not piece:
                break
            other.write(piece)
        os.fsync(other.fileno())
    return time.monotonic() - begin


def run(build, posts, files, way_back):
    top = private_dir("bvk-")
    node = None
    try:
        data, key = os.path.join(top, "data"), os.path.join(top, "key")
        subprocess.run([os.path.join(build, "tests/bench/bench_fill"), "--data", data, "--posts", str(posts), "--passphrase", PASSPHRASE],
                       check=True, stdout=subprocess.DEVNULL)
        node = Node(os.path.join(build, "src/bivouac"), top, "node", None, PASSPHRASE, data=data)
        node.start()
        picture = os.path.join(top, "file.bin")
        for number in range(files):
            with open(picture, "wb") as file:
                file.write(os.urandom(FILE_BYTES))
            node.do("post", "file %d" % number, "--to", "me", "--as-is", picture, timeout=60)
        words = os.path.join(top, "words")
        with open(words, "w") as file:
            file.write(PASSPHRASE)
        with open(key, "wb") as file:
            file.write(os.urandom(64))
        database, backup, program = os.path.join(data, "bivouac.db"), os.path.join(top, "backup"), node.program
        size = os.path.getsize(database)
        floor = sorted(copy(database, os.path.join(top, "copy")) for _ in range(3))[1]
        os.remove(os.path.join(top, "copy"))
        made = measured(program, "backup", backup, "--data", data, "--passphrase-file", words, "--key-file", key)
        verified = measured(program, "backup", "verify", backup, "--key-file", key)
        archive = os.path.join(top, "export.tar.zst")
        exported = measured(program, "export", archive, "--data", data, "--passphrase-file", words)
        figures = {"posts": posts, "files": files, "mib": size / (1 << 20), "copy_seconds": floor, "backup": made, "verify": verified,
                   "export": exported}
        if not way_back:
            return figures
        figures["restore"] = measured(program, "restore", backup, "--data", os.path.join(top, "restored"), "--key-file", key,
                                       "--new-passphrase-file", words)
        empty = os.path.join(top, "empty")
        subprocess.run([os.path.join(build, "tests/bench/bench_fill"), "--data", empty, "--posts", "0", "--passphrase", PASSPHRASE],
                       check=True, stdout=subprocess.DEVNULL)
        figures["import"] = measured(program, "import", archive, "--data", empty, "--passphrase-file", words)
        figures["import again"] = measured(program, "import", archive, "--data", empty, "--passphrase-file", words)
        figures["move"] = measured(program, "move", "--yes", "--data", empty, "--passphrase-file", words)
        return figures
    finally:
        if node and node.process:
            node.process.end(10)
        remove(top)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", default=os.path.join(root(), "build"))
    parser.add_argument("--posts", type=int, default=100_000)
    parser.add_argument("--files", type=int, default=150)
    parser.add_argument("--no-way-back", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    build = os.path.abspath(options.build)
    subprocess.run(["ninja", "-C", build, "src/bivouac", "tests/bench/bench_fill"], check=True, stdout=subprocess.DEVNULL)
    figures = run(build, options.posts, options.files, not options.no_way_back)
    print("%d posts, %d files of %d MiB: %.0f MiB; a plain copy takes %.1f s" % (
        figures["posts"], figures["files"], FILE_BYTES >> 20, figures["mib"], figures["copy_seconds"]))
    bad = 0
    for what in ("backup", "verify", "restore", "export", "import", "import again", "move"):
        if what not in figures:
            continue
        seconds, peak = figures[what]
        # Restoring measures what a new passphrase is to cost, at 256 MiB.
        bounded = what in ("backup", "verify", "export", "import")
        missed = bounded and peak > 64
        bad += missed
        print("  %-12s %6.1f s, %4.1f times the copy; peak %5.1f MiB%s" % (
            what, seconds, seconds / figures["copy_seconds"], peak, "   goal: at most 64" + (" MISSED" if missed else "") if bounded else ""))
    if options.json:
        with open(options.json, "w") as file:
            json.dump(figures, file, indent=1)
    return 1 if bad else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        print(error, file=sys.stderr)
        sys.exit(1)

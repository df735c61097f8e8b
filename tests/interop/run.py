# SPDX-License-Identifier: BSD-3-Clause
"""Our Hawk against its reference implementation, the npm package `hawk`, in both directions.

  python3 tests/interop/run.py            needs node and npm, and a build

Starts a node, installs the package at the versions that hawk/package-lock.json holds (into the build folder, where
the next run finds it) and leaves the talking to hawk/check.mjs.  The last line is `N passed, N failed`.
"""
import json
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "e2e"))

from harness import Failed, private_dir, remove, root  # noqa: E402
from node import Stage  # noqa: E402

HAWK = os.path.join(HERE, "hawk")
BUILD = os.path.join(root(), os.environ.get("BIVOUAC_BUILD", "build"))


def same(a, b):
    try:
        with open(a, "rb") as one, open(b, "rb") as two:
            return one.read() == two.read()
    except FileNotFoundError:
        return False


def install():
    """The folder with node_modules, installed by the lock file to the last byte."""
    place = os.path.join(BUILD, "interop", "hawk")
    os.makedirs(place, exist_ok=True)
    done = os.path.join(place, "installed.json")
    lock = os.path.join(HAWK, "package-lock.json")
    if not same(lock, done):
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(os.path.join(HAWK, name), os.path.join(place, name))
        out = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"], cwd=place,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        if out.returncode:
            raise Failed("npm ci failed:\n" + out.stdout.decode("utf-8", "replace"))
        shutil.copyfile(lock, done)
    # A module is looked for beside the program that imports it.
    shutil.copyfile(os.path.join(HAWK, "check.mjs"), os.path.join(place, "check.mjs"))
    return place


def main():
    top = private_dir("bvk-")
    stage = Stage(top)
    try:
        place = install()
        alice = stage.node("alice", "none")
        app = alice.json("app", "create", "--name", "Interop")
        given = {"app": app, "private": alice.json("post", "for followers only")["post"]["id"],
                 "attachment": stage.file("picture.bin", bytes(range(256)) * 1200),
                 "peer": os.path.join(BUILD, "tests", "interop", "hawk_peer")}
        config = stage.file("config.json", json.dumps(given).encode())
        return subprocess.run(["node", "check.mjs", config], cwd=place, stdin=subprocess.DEVNULL, timeout=120).returncode
    except Failed as error:
        print("FAIL  %s\n0 passed, 1 failed" % error)
        return 1
    finally:
        stage.close()
        remove(top)


if __name__ == "__main__":
    sys.exit(main())

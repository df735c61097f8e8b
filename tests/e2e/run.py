# SPDX-License-Identifier: BSD-3-Clause
"""Runs the end-to-end tests, each in a process and a directory of its own, with a time limit.

  python3 tests/e2e/run.py                      all of them
  python3 tests/e2e/run.py outage crash         modules, or parts of a test's name
  python3 tests/e2e/run.py --list
  options: --keep (directories stay), --verbose, --jobs N

One line a test; of a failed one the reason and the ends of its nodes' logs.  The last line is
`N passed, N failed`.
"""
import argparse
import concurrent.futures
import glob
import importlib
import os
import signal
import subprocess
import sys
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from harness import PATIENCE, Failed, end_recorded, private_dir, read_record, remove, same_process, start_time, tail  # noqa: E402

MODULES = ["vectors", "bad_input", "follow_approve", "sharing", "searching", "vetting", "invites", "catch_up", "shapes", "apps", "attachments",
           "notifications", "proxying", "reach", "own_reach", "outage", "real_story", "crash", "on_disk", "keys", "entities", "importing", "moving",
           "no_leak", "failures", "languages", "small_app", "old_servers", "sandbox", "tails", "cleaning", "pages", "pages_look", "pages_hostile",
           "conformance", "simulation"]
LIMIT = 90.0


def functions(module):
    return [(n, f) for n, f in vars(importlib.import_module(module)).items() if n.startswith("test_") and callable(f)]


def tests(wanted):
    found = [(m, n, getattr(f, "limit", LIMIT)) for m in MODULES for n, f in functions(m)]
    if not wanted:
        return found
    return [t for t in found if any(w == t[0] or w in "%s.%s" % (t[0], t[1][len("test_"):]) for w in wanted)]


def child(module, name, top, verbose):
    """In the test's own process: exit code 0 if it holds."""
    def terminated(number, frame):
        raise Failed("the time limit was reached")
    signal.signal(signal.SIGTERM, terminated)
    from node import Stage
    stage = Stage(top, verbose)
    code = 1
    try:
        dict(functions(module))[name](stage)
        if stage._fake and stage._fake.violations:
            raise Failed("the nodes did what they must not: " + "; ".join(sorted(set(stage._fake.violations))[:5]))
        code = 0
    except Failed as error:
        where = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(HERE)]
        print("%s  (%s)" % (error, " > ".join("%s:%d" % (os.path.basename(f.filename), f.lineno) for f in where[1:])))
    except BaseException:
        traceback.print_exc(file=sys.stdout)
    finally:
        try:
            stage.close()
        except BaseException:
            traceback.print_exc(file=sys.stdout)
            code = 1
    sys.stdout.flush()
    os._exit(code)


def run_one(test, keep, verbose, running):
    module, name, seconds = test
    seconds *= PATIENCE
    top = private_dir("bvk-")
    output = os.path.join(top, "output")
    begin = time.monotonic()
    with open(output, "wb") as out:
        process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "--child", module, name, top] +
                                   (["--verbose"] if verbose else []), stdin=subprocess.DEVNULL,
                                   stdout=None if verbose else out, stderr=None if verbose else out, start_new_session=True)
    running[process.pid] = (process.pid, start_time(process.pid), top)
    try:
        code = process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(25)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        code = 1
    left = [p for p in read_record(top) if same_process(*p)]
    end_recorded(left)
    running.pop(process.pid, None)
    took = time.monotonic() - begin
    text = "%-4s  %6.1f s  %s.%s" % ("ok" if code == 0 else "FAIL", took, module, name[len("test_"):])
    if code:
        with open(output, errors="replace") as file:
            reason = file.read().strip()
        text += "\n" + "".join("      " + line + "\n" for line in reason.splitlines()[-60:])
        if took >= seconds:
            text += "      (limit %g s)\n" % seconds
        for log in sorted(glob.glob(os.path.join(top, "*.log"))):
            if not os.path.basename(log).startswith("processes"):
                text += "      --- %s\n" % os.path.basename(log)
                text += "".join("      " + line + "\n" for line in tail(log, 30).splitlines())
    if keep:
        text += "\n      kept: " + top
    else:
        remove(top)
    print(text.rstrip(), flush=True)
    return code == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="modules or parts of names")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave the tests' directories in place")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--child", nargs=3, metavar=("MODULE", "TEST", "DIR"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(*options.child, options.verbose)
    chosen = tests(options.names)
    if options.list:
        for module, name, seconds in chosen:
            print("%s.%s  (at most %g s)" % (module, name[len("test_"):], seconds))
        return 0
    if not chosen:
        print("no test of that name; --list shows them", file=sys.stderr)
        return 2
    running = {}

    def stop(number, frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)
    pool = concurrent.futures.ThreadPoolExecutor(max(1, options.jobs))
    # The long ones first, so that they do not stand alone at the end.
    order = sorted(chosen, key=lambda t: -t[2])
    futures = [pool.submit(run_one, t, options.keep, options.verbose, running) for t in order]
    try:
        passed = sum(f.result() for f in futures)
    except KeyboardInterrupt:
        pool.shutdown(wait=False, cancel_futures=True)
        for pid, started, top in list(running.values()):
            end_recorded([(pid, started)], 25)
            end_recorded(read_record(top))
        os._exit(130)
    print("%d passed, %d failed" % (passed, len(chosen) - passed))
    return 0 if passed == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())

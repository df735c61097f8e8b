# SPDX-License-Identifier: BSD-3-Clause
"""One line a step, and `N passed, N failed` at the end."""
import subprocess
import time
import traceback

from harness import Failed


class Results:
    def __init__(self):
        self.begin, self.passed, self.failed = time.monotonic(), 0, 0

    def say(self, text):
        print("%5d s  %s" % (time.monotonic() - self.begin, text), flush=True)

    def step(self, text, function, *arguments):
        """Its value; None if it failed."""
        try:
            value = function(*arguments)
        except (Failed, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            self.failed += 1
            self.say("FAILED: %s: %s\n%s" % (text, error, "".join(traceback.format_tb(error.__traceback__)[-2:])))
            return None
        self.passed += 1
        self.say("ok: " + text)
        return value

    def end(self):
        print("%d passed, %d failed" % (self.passed, self.failed))
        return 1 if self.failed or not self.passed else 0


def output(words, code=0, **more):
    """What a command says; Failed unless it ends with the code (None: any)."""
    given = {"stdin": subprocess.DEVNULL} if "input" not in more else {}
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **given, **more)
    if code is not None and done.returncode != code:
        raise Failed("%s: exit code %d\n%s" % (" ".join(words[:5]), done.returncode, done.stdout[-2500:]))
    return done.stdout

"""The first completion and the first inspection in a new kernel, on a busy machine.

Nothing is asked twice: JupyterLab doesn't either, and what GoNB gives up is an empty answer.
"""

import os
import subprocess
import sys
import time
import unittest

from session import PATIENCE, Session  # the first answer takes 13 s on an idle machine, 12 of which GoNB waits

LOAD = 2  # processes that only compute

OURS = 'import "github.com/nami-flow/go-nami/nami"\n%%\nnami.'


class FirstTry(Session):
    @classmethod
    def setUpClass(cls):
        for _ in range(LOAD):
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            cls.addClassCleanup(busy.wait)
            cls.addClassCleanup(busy.kill)

    def setUp(self):
        self.start()

    def ask(self, how, code):
        start = time.monotonic()
        asked = how(code)
        while True:
            answer = self.client.get_shell_msg(timeout=PATIENCE)
            if answer["parent_header"].get("msg_id") == asked:
                print(f"{code.splitlines()[-1]} was answered in {time.monotonic() - start:.1f} s")
                return answer["content"]

    def test_completion(self):
        self.assertEqual(self.ask(self.client.complete, 'import "strings"\n%%\nstrings.EqualFo')["matches"], ["EqualFold"])
        self.assertIn("OpenBackend", self.ask(self.client.complete, OURS + "Open")["matches"])

    def test_completion_of_ours(self):
        self.assertIn("OpenBackend", self.ask(self.client.complete, OURS + "Open")["matches"])

    def test_inspection(self):
        answer = self.ask(self.client.inspect, OURS + "OpenBackend")
        self.assertIn("func nami.OpenBackend(config string)", answer["data"].get("text/markdown", ""), answer)


if __name__ == "__main__":
    unittest.main(verbosity=2)

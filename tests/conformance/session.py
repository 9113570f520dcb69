"""A notebook's session on the installed kernel, as tests drive it."""

import unittest

import jupyter_client.manager

PATIENCE = 120  # seconds for what should take a few


class Session(unittest.TestCase):
    """Tests that run cells in a kernel, which `start` starts."""

    def start(self, **options):
        self.manager, self.client = jupyter_client.manager.start_new_kernel(
            kernel_name="nami", startup_timeout=PATIENCE, **options
        )
        self.addCleanup(self.stop)

    def stop(self):
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel(now=True)

    def run_cell(self, code):
        """Returns the error's line, or None, and the outputs as (kind, text)."""
        outputs = []

        def hear(message):
            content = message["content"]
            if message["msg_type"] not in ("status", "execute_input"):
                outputs.append((message["msg_type"], content.get("text") or content.get("evalue") or content.get("data", {}).get("text/plain", "")))

        reply = self.client.execute_interactive(code, timeout=PATIENCE, output_hook=hear)["content"]
        line = reply.get("evalue") if reply["status"] == "error" else None
        if line is not None:
            self.assertEqual(outputs[-1], ("error", line))
            self.assertNotIn("\n", line)
        return line, outputs

    def printed(self, code):
        """Returns what a cell without an error prints."""
        line, outputs = self.run_cell(code)
        self.assertIsNone(line, outputs)
        return "".join(text for kind, text in outputs if kind == "stream")

"""Training in a notebook that somebody stops, politely or not, on the installed kernel."""

import os
import signal
import tempfile
import time
import unittest

from session import PATIENCE, Session

DECLARATIONS = """import (
	"fmt"

	"github.com/nami-flow/go-nami/books/nb"
	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/field"
	"github.com/nami-flow/go-nami/nami/loss"
	"github.com/nami-flow/go-nami/nami/progress"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/ml/model"
)

var flow = loss.FM{Field: field.MLP{EventShape: []int{2}, Hidden: []int{32, 32}}}

func fit(steps int) (*train.History, error) {
	points, err := toy.TwoMoons{Noise: 0.1}.Sample(1, 1000)
	if err != nil {
		return nil, err
	}
	return train.Fit(nb.Context(), nami.MustBackend(), model.NewStore(), flow, data.Events{X: points},
		train.Steps(steps), train.Schedule(train.Constant{}), train.Checkpoint("moons"), train.Progress(progress.Auto()))
}
"""

TRAIN = """%%
_, err := fit(100_000_000)
fmt.Println(err)
"""

# Going on needs the steps that are kept, and this prints how many those are.
RESUME = """%%
state := model.NewStore()
if _, err := train.Load(state, "moons"); err != nil { panic(err) }
history, err := fit(1)
if err != nil { panic(err) }
fmt.Println("kept", history.Steps())
"""


class Training(Session):
    def setUp(self):
        self.state = tempfile.TemporaryDirectory()
        self.addCleanup(self.state.cleanup)
        self.begin_session()

    def begin_session(self):
        self.start(env=dict(os.environ, NAMI_STATE=self.state.name))

    def begin(self):
        """Starts to train, and returns when steps have been made."""
        self.printed(DECLARATIONS)
        return self.train()

    def train(self):
        """Begins, or goes on, to train, until progress was shown for the third time: the first
        time there may be one step."""
        asked = self.client.execute(TRAIN)
        shown = 0
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            html = message["content"].get("data", {}).get("text/html", "")
            if message["parent_header"].get("msg_id") == asked and "loss" in html:
                shown += 1
            if shown == 3:
                return asked
        self.fail("no progress was shown")

    def interrupt(self, asked):
        """Interrupts the cell, and returns how long it went on and what it said."""
        start = time.monotonic()
        self.manager.interrupt_kernel()
        said = ""
        while True:
            message = self.client.get_iopub_msg(timeout=PATIENCE)
            if message["parent_header"].get("msg_id") != asked:
                continue
            said += message["content"].get("text", "")
            if message["content"].get("execution_state") == "idle":
                return time.monotonic() - start, said

    def test_interrupt(self):
        """It stops within a second, saves the steps so far, and the kernel goes on with them."""
        seconds, said = self.interrupt(self.begin())
        print(f"training stopped {seconds:.2f} s after the interrupt")
        self.assertIn("interrupt signal received", said)
        self.assertIn("holds the first", said)
        self.assertLess(seconds, 1)  # 0.05 s on an idle machine
        said = self.printed(RESUME)
        self.assertGreater(int(said.split("kept ")[1]), 1, said)

    def test_kill(self):
        """A killed kernel and its program leave a whole checkpoint, or none."""
        self.begin()
        self.manager.interrupt_kernel()  # a checkpoint is there
        self.client.get_shell_msg(timeout=PATIENCE)
        self.client.execute(TRAIN)  # resumes
        time.sleep(3)
        os.killpg(os.getpgid(self.manager.provisioner.pid), signal.SIGKILL)
        self.stop()
        self.begin_session()
        self.printed(DECLARATIONS)
        said = self.printed(RESUME)
        self.assertGreater(int(said.split("kept ")[1]), 1, said)


if __name__ == "__main__":
    unittest.main(verbosity=2)

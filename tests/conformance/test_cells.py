"""What a newcomer's cells are answered, and what cells keep for each other, on the installed kernel."""

import glob
import os
import pathlib
import signal
import tempfile
import time
import unittest

from session import PATIENCE, Session

KEEP = """import (
	"fmt"
	"time"

	"github.com/nami-flow/go-nami/books/nb"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

const events = 1000

type trained struct {
	Store   *model.Store
	History *train.History
	Points  *tensors.Tensor
}

func fit() trained {
	return nb.Keep("fit", func() (t trained, err error) {
		t.Store = model.NewStore()
		t.Store.RootScope().In("layer").VariableWithValue("weights", []float32{1, 2, 3})
		t.History = &train.History{Loss: []float64{2, 1}}
		t.Points, err = toy.TwoMoons{Noise: 0.1}.Sample(1, events)
		return t, err
	})
}

%%
fmt.Println(fit().Points.Shape())
"""

USE = """%%
start := time.Now()
t := fit()
took := time.Since(start)
fmt.Println(t.Points.Shape(), t.History.Loss, took < 50*time.Millisecond, took)
"""


def folders():
    return set(glob.glob("/dev/shm/nami-kernel-*") + glob.glob(os.path.join(tempfile.gettempdir(), "nami-kernel-*")))


class Cells(Session):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.before = folders()
        self.start(cwd=folder.name)

    def test_mistakes(self):
        """Each is one line that names the cell's line; what more there is, is folded away."""
        for number, (code, want, folded) in enumerate(
            [
                ("x := 2", "cell 1, line 1: this is a statement: put a line %% above the statements of a cell", None),
                ("fmt.Println(1)", "cell 2, line 1: this is a statement: put a line %%", None),
                ("%%\na := 1\nmissing()", "cell 3, line 3: undefined: missing (and 1 more error)", "cell 3, line 2: declared and not used: a"),
                ("func deep(s []int) int { return s[3] }\n\n%%\nprintln(deep(nil))", "cell 4, line 1: panic: runtime error: index out of range [3] with length 0", "cell 4, line 4"),
                ("%%\npanic(1)", "cell 5, line 2: panic: 1", "goroutine 1"),
                ("!seq 3 >&2; ls /no/such/folder", "cell 6, line 1: the shell line failed, exit status 2: ls: ", "1\n2\n3"),
                ('import ("errors"; "github.com/nami-flow/go-nami/books/nb")\n%%\nnb.Check(errors.New("the moon is down"))', "cell 7, line 3: the moon is down", None),
                ('import "helpers"\n%%\nhelpers.Help()', 'cell 8, line 1: there is no package helpers: if it is a folder beside', None),
            ],
            1,
        ):
            line, outputs = self.run_cell(code)
            self.assertIsNotNone(line, code)
            self.assertTrue(line.startswith(want), f"{code!r} is answered by {line!r}")
            rest = [text for kind, text in outputs if kind == "display_data"]
            if folded is None:
                self.assertEqual(rest, [], code)
            else:
                self.assertIn(folded, rest[0], code)

    def test_own_packages(self):
        """What is beside the notebook can be imported, as it is."""
        (self.folder / "helpers").mkdir()
        helpers = self.folder / "helpers" / "helpers.go"
        helpers.write_text('package helpers\n\nfunc Help() string { return "once" }\n')
        self.printed("!go mod init mine")
        self.assertEqual(self.printed('import ("fmt"; "mine/helpers")\n%%\nfmt.Println(helpers.Help())'), "once\n")
        helpers.write_text('package helpers\n\nfunc Help() string { return "twice" }\n')
        for n in range(3):  # built by go, and then as go did
            self.assertEqual(self.printed(f"%%\nfmt.Println(helpers.Help(), {n})"), f"twice {n}\n")

    def test_keep(self):
        """Values live on in the next cell, as long as their code does, and no longer than the kernel."""
        self.assertEqual(self.printed(KEEP), "(Float32)[1000, 2]\n")
        said = self.printed(USE)
        self.assertRegex(said, r"^fit: kept, from \d\d:\d\d:\d\d\n\(Float32\)\[1000, 2\] \[2 1\] true ")
        print("a kept value was there after", said.split()[-1])
        said = self.printed("const events = 2000\n\n" + USE)
        self.assertRegex(said, r"^fit: made anew, as const events has changed\n\(Float32\)\[2000, 2\]")
        said = self.printed('%%\nfmt.Println(len(nb.Kept[trained]("fit").History.Loss))')
        self.assertRegex(said, r"^fit: kept, from .*\n2\n$")
        line, _ = self.run_cell('const events = 3000\n\n%%\nfmt.Println(nb.Kept[trained]("fit"))')
        self.assertRegex(line, r"^cell 5, line 4: .fit. is from .*, and const events has changed since: run the cell that makes it again$")
        line, _ = self.run_cell('%%\nnb.Keep("f", func() (func(), error) { return nil, nil })')
        self.assertIn("f can't be kept: it is of the kind func", line)
        self.manager.restart_kernel(now=False)
        self.client.wait_for_ready(timeout=PATIENCE)
        self.assertEqual(self.printed(KEEP), "(Float32)[1000, 2]\n")  # made, without a word
        self.assertEqual(len(folders() - self.before), 1)

    def test_killed(self):
        """A kernel that is killed leaves no folder."""
        self.assertEqual(self.printed('import "fmt"\n%%\nfmt.Println(1)'), "1\n")
        mine = folders() - self.before
        self.assertEqual(len(mine), 1)
        os.killpg(os.getpgid(self.manager.provisioner.pid), signal.SIGKILL)
        end = time.monotonic() + PATIENCE
        while mine & folders() and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(mine & folders())


if __name__ == "__main__":
    unittest.main(verbosity=2)

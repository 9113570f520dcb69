"""How long a cell takes from its start to its first output, and what takes how long.

It needs the installed kernel (go run ./kernel install) and the Python that the kernel runs
with, which go run ./kernel doctor names: PYTHON tests/bench/cells.py [repetitions].
Each cell is another text, as a text that was built already is built quickly. The least times
and the medians are printed, in milliseconds.
"""

import os
import statistics
import sys
import tempfile
import time

import jupyter_client.manager

PLAIN = """import (
	"fmt"
	"os"
	"time"
)

%%
fmt.Fprintln(os.Stderr, "main", time.Now().UnixNano())
fmt.Println("REPETITION")
"""

LINKED = """import (
	"fmt"
	"os"
	"time"

	"github.com/nami-flow/go-nami/books/nb"
	"github.com/nami-flow/go-nami/nami"
	"github.com/nami-flow/go-nami/nami/toy"
	"github.com/nami-flow/go-nami/nami/train"
	"github.com/nami-flow/go-nami/plotting"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

var _ = plotting.Show
var _ = train.Fit
var _ = toy.TwoMoons{}
var _ = tensors.FromShape
var _ = nb.Check
var _ = model.NewStore
var _ = Add

%%
fmt.Fprintln(os.Stderr, "main", time.Now().UnixNano())
"""

CELLS = {
    "fmt alone": PLAIN,
    "nami and plotting": LINKED + 'fmt.Println("REPETITION")\n',
    "and a graph on the backend": LINKED
    + """
backend := nami.MustBackend()
fmt.Fprintln(os.Stderr, "plugin", time.Now().UnixNano())
f := nb.Must(nami.NewComputation(backend, nil, func(_ *model.Scope, in []*Node) []*Node { return []*Node{Add(Sin(in[0]), in[0])} }))
y := nb.Must(f.Call(tensors.FromValue([]float32{1, 2})))[0]
fmt.Fprintln(os.Stderr, "graph", time.Now().UnixNano())
fmt.Println(y.Value(), "REPETITION")
""",
    "and a tensor of 8 MB that is kept": LINKED
    + """
kept := nb.Keep("moons", func() (*tensors.Tensor, error) { return toy.TwoMoons{}.Sample(1, 1_000_000) })
fmt.Fprintln(os.Stderr, "kept", time.Now().UnixNano())
fmt.Println(kept.Shape(), "REPETITION")
""",
}

PARTS = ["ask", "look up", "compile", "link", "begin", "plugin", "graph", "kept", "show", "all"]


def measure(client, times, code):
    """Returns the parts of one cell, in milliseconds."""
    open(times, "w").close()
    said, first = "", []

    def hear(message):
        nonlocal said
        content = message["content"]
        if message["msg_type"] == "stream" and content["name"] == "stderr":
            said += content["text"]
        if message["msg_type"] == "stream" and content["name"] == "stdout" and "REPETITION" not in content["text"]:
            first.append(time.time_ns())

    start = time.time_ns()
    reply = client.execute_interactive(code, timeout=300, output_hook=hear)["content"]
    if reply["status"] != "ok":
        raise SystemExit(f"a cell failed: {reply['evalue']}")
    built = [line.rsplit(" ", 2) for line in open(times)]
    moments = [line.split() for line in said.splitlines()]
    parts, last = {}, start
    for what, begun, ended in built:
        if what == "look up":
            parts["ask"] = int(begun) - last
        parts[what] = int(ended) - int(begun)
        last = int(ended)
    for what, when in moments:
        parts["begin" if what == "main" else what] = int(when) - last
        last = int(when)
    parts["show"] = first[-1] - last
    parts["all"] = first[-1] - start
    return {what: ns / 1e6 for what, ns in parts.items()}


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    with tempfile.TemporaryDirectory() as folder:
        times = os.path.join(folder, "times")
        manager, client = jupyter_client.manager.start_new_kernel(kernel_name="nami", cwd=folder, env=dict(os.environ, NAMI_TIMES=times))
        try:
            print(f"{'cell':36}" + "".join(f"{part:>12}" for part in PARTS))
            for name, code in CELLS.items():
                runs = []
                for n in range(repetitions + 2):  # the first ones fill caches
                    client.execute_interactive("%reset", timeout=60, output_hook=lambda message: None)
                    run = measure(client, times, code.replace("REPETITION", f"{time.time_ns()}-{n}"))
                    if n >= 2:
                        runs.append(run)
                row = f"{name:36}"
                for part in PARTS:
                    values = [run[part] for run in runs if part in run]
                    row += f"{min(values):6.0f}/{statistics.median(values):5.0f}" if values else f"{'':12}"
                print(row, flush=True)
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=False)


if __name__ == "__main__":
    main()

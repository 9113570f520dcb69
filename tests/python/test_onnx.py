"""ONNX Runtime computes what nami does: files and numbers that python_test.go has written.

Each folder holds model.onnx, and arrays as in.NAME.npy and out.NAME.npy.
"""

import pathlib
import sys
import time

import numpy
import onnx
import onnxruntime

ACCURACY = 1e-4  # of numbers around 1, relative for larger ones


def arrays(folder, kind):
    return {path.name.split(".")[1]: numpy.load(path) for path in sorted(folder.glob(f"{kind}.*.npy"))}


def difference(got, want):
    """The largest one, as far as it counts; that of NaN and of shapes is infinite."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return numpy.inf
    if got.dtype == bool or got.dtype.kind in "iu":
        return 0.0 if (got == want).all() else numpy.inf
    same = (got == want) | (numpy.isnan(got) & numpy.isnan(want))
    with numpy.errstate(invalid="ignore"):
        each = numpy.where(same, 0, numpy.abs(got - want) / numpy.maximum(1, numpy.abs(want)))
    return numpy.nan_to_num(each, nan=numpy.inf).max(initial=0)


def check(folder):
    path = folder / "model.onnx"
    onnx.checker.check_model(onnx.load(path), full_check=True)
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    loaded = time.perf_counter() - start
    inputs, wanted = arrays(folder, "in"), arrays(folder, "out")
    names = [output.name for output in session.get_outputs()]
    assert sorted(names) == sorted(wanted), f"{folder.name} has the outputs {names}, expected {sorted(wanted)}"
    assert sorted(i.name for i in session.get_inputs()) == sorted(inputs), f"{folder.name}: the inputs are {[i.name for i in session.get_inputs()]}"
    results = dict(zip(names, session.run(names, inputs)))
    worst = max(difference(results[name], want) for name, want in wanted.items())
    print(f"{folder.name:32} {path.stat().st_size:9,} bytes, loaded in {1000 * loaded:6.0f} ms, differs by {worst:.1e}")
    assert worst <= ACCURACY, f"{folder.name} differs by {worst}: {results}, expected {wanted}"
    rows = len(next(iter(inputs.values())))
    if isinstance(session.get_inputs()[0].shape[0], int):
        assert session.get_inputs()[0].shape[0] == rows
        return
    for some in (1, 2 * rows):  # any number of them
        other = {name: numpy.concatenate([x, x])[:some] for name, x in inputs.items()}
        for name, got in zip(names, session.run(names, other)):
            want = numpy.concatenate([wanted[name], wanted[name]])[:some]
            assert difference(got, want) <= ACCURACY, f"{folder.name}: {name} for {some} rows is {got}, expected {want}"


def main():
    folders = sorted(path.parent for path in pathlib.Path(sys.argv[1]).glob("*/model.onnx"))
    for folder in folders:
        check(folder)
    print(f"{len(folders)} files passed")


if __name__ == "__main__":
    main()

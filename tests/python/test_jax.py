"""JAX computes what nami does, from a model's file and with the program in docs/other-languages.md.

Each folder holds model.safetensors, and arrays as NAME.npy.
"""

import pathlib
import sys

import numpy

folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
import flow  # noqa: E402  the program in the documentation

TIMES = (0.0, 0.3, 1.0)


def difference(got, want):
    got = numpy.asarray(got)
    assert got.shape == want.shape and got.dtype == want.dtype, f"{got.shape} {got.dtype}, expected {want.shape} {want.dtype}"
    return float((numpy.abs(got - want) / numpy.maximum(1, numpy.abs(want))).max())


def check(case):
    arrays = {path.stem: numpy.load(path) for path in case.glob("*.npy")}
    model, weights = flow.load(case / "model.safetensors")
    noise, context = arrays["noise"], arrays.get("context")
    off = [difference(flow.velocity(model, weights, noise, t, context), arrays[f"velocity_{t}"]) for t in TIMES]
    far = difference(flow.sample(model, weights, noise, context), arrays["samples"])
    print(f"{case.name:20} velocities differ by {max(off):.1e}, samples by {far:.1e}")
    assert max(off) <= 1e-5, f"{case.name}: velocities differ by {off}"
    assert far <= 1e-4, f"{case.name}: samples differ by {far}"


cases = sorted(path.parent for path in folder.glob("*/model.safetensors"))
for case in cases:
    check(case)
print(f"{len(cases)} models passed")

try:
    flow.load(folder / "unknown.safetensors")
except ValueError as error:
    assert "has a solver that this program doesn't know" in str(error), error
    print("a model of another kind is refused")

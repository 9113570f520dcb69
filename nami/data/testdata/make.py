"""Makes the files of this folder, as other tools write them (pyarrow 26.0.1, NumPy 2.4.6).

values.csv says what the Parquet files hold.
"""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

n = 700
r = np.random.default_rng(1)
gaps = r.random(n) < 0.2


def gappy(values, type=None):
    return pa.array(values, type=type, mask=gaps)


table = pa.table({
    "double": gappy(r.normal(size=n)),
    "float": gappy(r.normal(size=n).astype("f4")),
    "half": gappy(r.normal(size=n).astype("f2")),
    "integer": gappy(r.integers(-(2**62), 2**62, n)),
    "small": gappy(r.integers(-5, 5, n).astype("i2")),
    "unsigned": gappy(r.integers(0, 2**32, n, dtype="u4")),
    "boolean": gappy(r.integers(0, 2, n) == 1),
    "kind": gappy(np.array(["electron", "muon", "", "τ"])[r.integers(0, 4, n)]),
    "name": gappy(np.array([f"event {k}" for k in r.integers(0, 10**6, n)])),
    "decimal": gappy([None if g else int(k) for g, k in zip(gaps, r.integers(-10**6, 10**6, n))], pa.int64()),
    "time": gappy(r.integers(0, 2**50, n), pa.int64()),
})
types = table
for column, type in {"decimal": pa.decimal128(20, 0), "time": pa.timestamp("us")}.items():
    i = types.column_names.index(column)
    types = types.set_column(i, column, types.column(column).cast(type))

with open("values.csv", "w") as f:
    f.write(",".join(table.column_names) + "\n")
    for row in table.to_pylist():
        text = []
        for column, v in row.items():
            if v is None:
                text.append("")
            elif isinstance(v, str):
                text.append(f'"{v}"')
            elif column == "decimal":
                text.append(f"{v}.0")
            else:
                text.append(str(v))
        f.write(",".join(text) + "\n")

for codec in ["none", "snappy", "gzip", "brotli", "zstd", "lz4"]:
    pq.write_table(types, f"{codec}.parquet", compression=codec, row_group_size=300, data_page_size=512,
                   write_page_checksum=codec == "zstd", write_page_index=codec == "gzip")
pq.write_table(types, "v2.parquet", data_page_version="2.0", row_group_size=300, data_page_size=512, compression="lz4")
plain = {"integer": "DELTA_BINARY_PACKED", "double": "BYTE_STREAM_SPLIT", "kind": "DELTA_LENGTH_BYTE_ARRAY", "name": "DELTA_BYTE_ARRAY", "boolean": "RLE"}
pq.write_table(types, "encodings.parquet", use_dictionary=False, column_encoding=plain, data_page_version="2.0", row_group_size=300, data_page_size=512)
pq.write_table(pa.table({
    "time": pa.array([0, 1, -3, 10**18, None], pa.timestamp("ns")),
}), "int96.parquet", use_deprecated_int96_timestamps=True)
pq.write_table(pa.table({
    "x": [1.0, 2.0],
    "s": [{"a": 1, "b": "u"}, None],
    "list": [[1, 2], []],
}), "nested.parquet")

m = 6
x = np.arange(3 * m, dtype="f8").reshape(m, 3) / 4
np.save("plain.npy", x)
np.save("fortran.npy", np.asfortranarray(x))
np.save("big.npy", x.astype(">f4"))
np.save("half.npy", x.astype("f2"))
np.save("one.npy", np.arange(m, dtype="u2"))
structured = np.zeros(m, np.dtype([("x", "<f8"), ("k", ">i2"), ("ok", "?"), ("kind", "U5"), ("raw", "S3"), ("it's", "u1")], align=True))
structured["x"], structured["k"], structured["ok"] = x[:, 0], np.arange(m) - 3, np.arange(m) % 2
structured["kind"], structured["raw"], structured["it's"] = ["a", "", "τau", "b c", "d", "eeeee"], [b"x", b"", b"abc", b"x", b"y", b"z"], 250
np.save("structured.npy", structured)
np.savez("stored.npz", X=x, k=np.arange(m))
np.savez_compressed("packed.npz", X=x, k=np.arange(m))
np.save("cube.npy", np.zeros((2, 2, 2)))
np.save("object.npy", np.array([{}, None]), allow_pickle=True)
np.save("complex.npy", np.zeros(2, complex))
np.save("nested.npy", np.zeros(2, [("a", "f4", (3,))]))

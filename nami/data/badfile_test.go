package data_test

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/nami-flow/go-nami/nami/data"
	"github.com/nami-flow/go-nami/nami/internal/gomlx/gomlxtest"
)

// file writes a file and returns its path.
func file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Text that isn't a table is an error that names line, column and value.
func TestBadCSV(t *testing.T) {
	for text, c := range map[string]struct {
		options data.Options
		says    string
	}{
		"":                             {says: "the file is empty"},
		"\n\n":                         {says: "empty lines alone"},
		"a,b\n1,2\n3\n":                {says: "line 3 has 1 values, and there are 2 columns"},
		"a,b\n1,2\n\n3,4,5\n":          {says: "line 4 has 3 values, and there are 2 columns"},
		"a,b,a\n1,2,3\n":               {says: `columns 1 and 3 are both called "a"`},
		"a;b\n1;2\n":                   {says: `with the delimiter ',' there is one, "a;b": is the delimiter ';'?`},
		"a\tb\n1\t2\n":                 {says: `is the delimiter '\t'?`},
		"a,b\n1,\"x\n2,y\n":            {says: "line 2 opens a quote that isn't closed"},
		"a,b\n1,\"x\"y\n":              {says: `line 2 has something behind the quotes of "x"`},
		"a,b\n1,x\"y\n":                {says: `line 2 has a quote within the value "x\"y`},
		"a\n1\n99999999999999999999\n": {says: `line 3, column "a": "99999999999999999999" is an integer that float64 rounds to 100000000000000000000`},
		"a\n0.5\n9007199254740993\n":   {says: `line 3, column "a": "9007199254740993" is an integer that float64 rounds to 9007199254740992`},
		"a\n9007199254740993\n0.5\n":   {says: `line 2, column "a": "9007199254740993" is an integer that float64 rounds`},
		"a\n1\n1e999\n":                {says: `line 3, column "a": "1e999" is too large for a float64`},
		"a\n\xff\xfe\n":                {says: `line 2, column "a": "\xff\xfe" isn't UTF-8 text`},
		"\xff\xfea\x00":                {says: "the file is in UTF-16"},
		"PAR1\x00\x00\x00":             {says: "the file has bytes that are 0: it isn't text"},
		"a,b\n1,2\n# 3":                {options: data.Options{Columns: []string{"c"}}, says: `there is no column "c": the columns are "a", "b"`},
		"a,b\n1,2\n# 4":                {options: data.Options{Columns: []string{"a", "a"}}, says: `the column "a" is chosen twice`},
		"a,b\n1,2\n# 5":                {options: data.Options{Names: []string{"x"}}, says: "line 1 has 2 values, and there are 1 names"},
		"a,b\n1,2\n# 6":                {options: data.Options{Delimiter: '5'}, says: "Options.Delimiter is '5', which is part of values"},
		"a,b\n1,2\n# 7":                {options: data.Options{Text: []string{"z"}}, says: `there is no column "z"`},
	} {
		_, err := c.options.Decode(strings.NewReader(text), data.CSV)
		gomlxtest.Says(t, fmt.Sprintf("%q", text), err, c.says)
	}
	late := strings.Repeat("1\n", 1<<20) + "0.5\n9007199254740993\n"
	_, err := data.Decode(strings.NewReader("a\n"+late), data.CSV)
	gomlxtest.Says(t, "a late integer", err, `line 1048579, column "a": "9007199254740993"`)
	_, err = data.Decode(strings.NewReader("a\n9007199254740993\n"+strings.Repeat("1\n", 1<<20)+"0.5\n"), data.CSV)
	gomlxtest.Says(t, "a late float", err, `line 2, column "a": "9007199254740993"`)
	_, err = data.Decode(strings.NewReader("a\n"+strings.Repeat("x", 80<<20)), data.CSV)
	gomlxtest.Says(t, "an endless line", err, "line 2 doesn't end within 64 MB")
}

// Files that can't be read are errors that name the file.
func TestBadFiles(t *testing.T) {
	fixture := func(name string) []byte {
		b, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	parquet, npy, npz := fixture("snappy.parquet"), fixture("plain.npy"), fixture("packed.npz")
	change := func(b []byte, at int, to ...byte) []byte {
		out := bytes.Clone(b)
		copy(out[at:], to)
		return out
	}
	structured := bytes.Replace(fixture("structured.npy"), []byte("S3"), []byte("V3"), 1)
	for _, c := range []struct {
		name    string
		content []byte
		says    string
	}{
		{"x.parquet", nil, "x.parquet: the file is empty"},
		{"x.parquet", parquet[:len(parquet)/2], "it doesn't end like a Parquet file"},
		{"x.parquet", parquet[len(parquet)/2:], "it doesn't start like a Parquet file"},
		{"x.parquet", append(bytes.Clone(parquet[:len(parquet)/2]), parquet[len(parquet)-8:]...), "it"},
		{"x.parquet", change(parquet, len(parquet)-8, 255, 255, 255, 255), "its footer is said to have 4294967295 bytes"},
		{"x.parquet", change(parquet, len(parquet)-40, 255, 255, 255, 255, 255, 255, 255), "it"},
		{"x.parquet", append([]byte("PAR1"), parquet[4+200:]...), "it is damaged"},
		{"x.parquet", []byte("PAR1PAR1"), "it"},
		{"x.npy", nil, "x.npy: the file is empty"},
		{"x.npy", npy[:5], "it ends before the header does"},
		{"x.npy", npy[:60], "its header is said to have 118 bytes, and 50 follow"},
		{"x.npy", npy[:len(npy)-1], "its header says that 144 bytes of values follow, an array of shape [6 3], and there are 143"},
		{"x.npy", append(bytes.Clone(npy), 0), "and there are 145: expected one array"},
		{"x.npy", bytes.Replace(npy, []byte("(6, 3), }        "), []byte("(6000000000, 3), }"), 1), "144"},
		{"x.npy", bytes.Replace(npy, []byte("(6, 3), }                     "), []byte("(6000000000000000000, 3), }  "), 1), "which no file has"},
		{"x.npy", bytes.Replace(npy, []byte("(6, 3)"), []byte("(-6,3)"), 1), "expected sizes of 0 or more"},
		{"x.npy", change(npy, 6, 9), "version 9"},
		{"x.npy", []byte("a,b\n1,2,3\n"), "doesn't start like a NumPy array"},
		{"x.npy", change(npy, 6, 2, 0, 255, 255, 255, 255), "its header is said to have 4294967295 bytes"},
		{"x.npy", fixture("cube.npy"), "its shape is [2 2 2]"},
		{"x.npy", fixture("object.npy"), "Python objects"},
		{"x.npy", fixture("complex.npy"), "complex numbers"},
		{"x.npy", fixture("nested.npy"), `the field "a" of its structured array holds an array`},
		{"x.npy", structured, `the field "raw"`},
		{"x.npz", nil, "the file is empty"},
		{"x.npz", npz[:len(npz)-30], "it was cut off"},
		{"x.npz", []byte("PK"), "isn't a whole zip file"},
		{"x.csv.gz", []byte("a,b\n"), "it isn't packed with gzip"},
		{"x.csv.gz", []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0, 1, 2}, "it can't be unpacked"},
		{"x.txt", []byte("a"), "the name doesn't say which format"},
		{"x.npy.gz", []byte("a"), "the name doesn't say which format"},
	} {
		path := file(t, c.name, c.content)
		_, err := data.Read(path)
		gomlxtest.Says(t, fmt.Sprintf("%s, %d bytes", c.name, len(c.content)), err, c.says)
		gomlxtest.Says(t, "the file's name", err, path)
	}
	_, err := data.Read("testdata/nowhere.csv")
	gomlxtest.Says(t, "no file", err, "testdata/nowhere.csv: no such file or directory; the current folder is ")
	_, err = data.Read(t.TempDir() + "/..csv")
	gomlxtest.Says(t, "no file", err, "no such file")
	folder := filepath.Join(t.TempDir(), "folder.csv")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = data.Read(folder)
	gomlxtest.Says(t, "a folder", err, "isn't a file but a folder")
	_, err = data.Read("testdata/nested.parquet")
	gomlxtest.Says(t, "lists", err, `"list.list.element" (lists); list those that you need in Options.Columns`)
	_, err = data.Options{Delimiter: ';'}.Read("testdata/nested.parquet")
	gomlxtest.Says(t, "an option of another format", err, "Options.Delimiter, Missing and Text are for CSV and TSV")
	_, err = data.Options{Names: []string{"x", "y"}}.Read("testdata/plain.npy")
	gomlxtest.Says(t, "names", err, "there are 2 names for the columns, and the array has the shape [6 3]")
	_, err = data.Decode(strings.NewReader("x"), "xlsx")
	gomlxtest.Says(t, "a format", err, `the format is unknown: expected one of ["csv"`)
}

// A Parquet file with one byte changed anywhere is read as what it says, or refused, without
// a panic; one with checksums is never read with other values.
func TestFlippedParquet(t *testing.T) {
	values, err := data.Read("testdata/values.csv")
	if err != nil {
		t.Fatal(err)
	}
	want := cells(t, values)
	for name, atLeast := range map[string]int{"snappy.parquet": 15, "zstd.parquet": 110} {
		whole, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		refused := 0
		const tries = 150
		for i := range tries {
			at := (i*7919 + 4) % (len(whole) - 8)
			b := bytes.Clone(whole)
			b[at] ^= 1 << (i % 8)
			table, err := data.Decode(bytes.NewReader(b), data.Parquet)
			if err != nil {
				refused++
				continue
			}
			// What isn't under a checksum is headers and footer: names, types, statistics.
			if name == "zstd.parquet" && table.Len() == values.Len() {
				for j, column := range cells(t, table) {
					if at < len(whole)*9/10 && !slices.Equal(column[1:], want[j][1:]) {
						t.Errorf("%s: byte %d was changed, and column %s read as other values", name, at, want[j][0])
					}
				}
			}
		}
		if refused < atLeast {
			t.Errorf("%s: of %d damaged files %d were refused, expected at least %d", name, tries, refused, atLeast)
		}
	}
}

// bomb is a .npz whose array claims, and unpacks to, a gigabyte or more from a few bytes.
func bomb(t *testing.T, claimed uint64) []byte {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, 9)
	if err != nil {
		t.Fatal(err)
	}
	header := fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d,), }", (claimed-128)/8)
	header += strings.Repeat(" ", 117-len(header)) + "\n"
	start := append([]byte("\x93NUMPY\x01\x00"), 118, 0)
	sum := crc32.NewIEEE()
	out := io.MultiWriter(w, sum)
	if _, err := out.Write(append(start, header...)); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	entry, err := z.CreateRaw(&zip.FileHeader{Name: "x.npy", Method: zip.Deflate, CRC32: sum.Sum32(), CompressedSize64: uint64(packed.Len()), UncompressedSize64: claimed})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := entry.Write(packed.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// What a file claims takes no memory: a megabyte of zeros that is said to be much more is
// refused, in a few megabytes.
func TestClaimsTakeNoMemory(t *testing.T) {
	lying := append([]byte("\x93NUMPY\x01\x00"), 118, 0)
	text := "{'descr': '<f8', 'fortran_order': True, 'shape': (100000000, 100), }"
	lying = append(lying, text+strings.Repeat(" ", 117-len(text))+"\n"...)
	parquet, err := os.ReadFile("testdata/snappy.parquet")
	if err != nil {
		t.Fatal(err)
	}
	footer := int(binary.LittleEndian.Uint32(parquet[len(parquet)-8:]))
	for name, c := range map[string]struct {
		content []byte
		format  data.Format
		says    string
	}{
		"an archive":         {bomb(t, 1<<30), data.NPZ, "which can't be"},
		"an archive of 10²⁰": {bomb(t, math.MaxUint64/2), data.NPZ, "can't be"},
		"one that could be":  {bomb(t, 1<<20+1024+128), data.NPZ, "it can't be unpacked: unexpected EOF"},
		"an array":           {lying, data.NPY, "80000000000 bytes of values follow"},
		"a footer":           {append(bytes.Clone(parquet[:len(parquet)-8-footer]), "\xff\xff\xff\x7fPAR1"...), data.Parquet, "its footer is said to have"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := data.Decode(bytes.NewReader(c.content), c.format)
		runtime.ReadMemStats(&after)
		gomlxtest.Says(t, name, err, c.says)
		if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > 16 {
			t.Errorf("%s: %d MB were allocated for a file of %d bytes", name, took, len(c.content))
		}
	}
}

// What a format can't hold is an error, and leaves an old file as it was.
func TestBadWrites(t *testing.T) {
	column := func(c data.Column) *data.Table {
		table, err := data.NewTable(c)
		if err != nil {
			t.Fatal(err)
		}
		return table
	}
	ints := column(data.NewColumn("k", []int{1, 2}).WithMissing(1))
	for name, c := range map[string]struct {
		file  string
		table *data.Table
		says  string
	}{
		"missing":      {"x.npy", ints, `row 1 (the first is 0), column "k" is missing, and NumPy has no missing values of the kind integer`},
		"missing, zip": {"x.npz", ints, "NumPy has no missing values"},
		"a zero":       {"x.npy", column(data.NewColumn("t", []string{"a\x00"})), "ends with a zero"},
		"not UTF-8":    {"x.csv", column(data.NewColumn("t", []string{"\xff"})), "isn't UTF-8 text"},
		"no name":      {"x.npy", column(data.NewColumn("", []float64{1})), "column 1 has no name"},
		"an ending":    {"x.xls", ints, "the name doesn't say which format"},
		"no columns":   {"x.csv", &data.Table{}, "the table has no columns"},
	} {
		path := file(t, c.file, []byte("old"))
		gomlxtest.Says(t, name, c.table.Write(path), c.says)
		if kept, err := os.ReadFile(path); err != nil || string(kept) != "old" {
			t.Errorf("%s: the old file is %q (%v)", name, kept, err)
		}
		if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
			t.Errorf("%s: %d files are left (%v)", name, len(left), err)
		}
	}
	gomlxtest.Says(t, "a folder that there isn't", ints.Write(t.TempDir()+"/no/x.csv"), "no such file")
	gomlxtest.Says(t, "a writer that fails", ints.Encode(full{}, data.CSV), "no space left")
	for _, format := range []data.Format{data.CSV, data.NPY, data.NPZ, data.Parquet} {
		gomlxtest.Says(t, "a full disk", column(data.NewColumn("x", make([]float64, 100_000))).Encode(full{}, format), "no space left")
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, fmt.Errorf("no space left on device") }

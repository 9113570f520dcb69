// Package parquet reads and writes tables as Apache Parquet, with Apache's Go library.
//
// Of each column's pages the headers alone are read first: so any rows can be read without
// those before them, whether the file has an index or not, and sizes in it are compared with
// its length before anything is made of them.
package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sort"
	"strings"
	"sync"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// File is a Parquet file.
type File struct {
	source table.Source
	about  *metadata.FileMetaData
	leaves []leaf
	chosen []int
	starts []int // the first row of each row group, and the number of all rows

	mutex sync.Mutex
	pages map[[2]int]pages // by row group and leaf, as far as they were needed
}

// leaf is a column of the file.
type leaf struct {
	name     string
	stored   parquet.Type
	as       as
	scale    int   // of a decimal: its digits behind the point
	level    int16 // the definition level of a value that is there
	unusable string
}

// as is how values are to be understood.
type as int

const (
	floats as = iota
	halves
	integers
	unsigned
	nanoseconds // since 1970
	decimals
	booleans
	texts
)

// kind is that of the column.
func (l leaf) kind() table.Kind {
	switch l.as {
	case floats:
		if l.stored == parquet.Types.Float {
			return table.Float32
		}
	case halves:
		return table.Float32
	case integers, unsigned, nanoseconds:
		return table.Integer
	case booleans:
		return table.Boolean
	case texts:
		return table.Text
	}
	return table.Float64
}

// Open reads what a file says of itself. Chosen are the columns that are wanted, nil for
// all. A field b of a structure a is the column a.b.
func Open(source table.Source, chosen []string) (f *File, err error) {
	defer damaged(&err)
	if err := checkEnds(source); err != nil {
		return nil, err
	}
	in, err := file.NewParquetReader(reader{Source: source}, file.WithReadProps(properties()))
	if err != nil {
		return nil, fmt.Errorf("its footer can't be read: it is damaged, or encrypted: %w", err)
	}
	f = &File{source: source, about: in.MetaData(), pages: map[[2]int]pages{}, starts: []int{0}}
	var names []string
	for j := range f.about.Schema.NumColumns() {
		l := understand(f.about.Schema.Column(j))
		f.leaves, names = append(f.leaves, l), append(names, l.name)
	}
	for g := range f.about.NumRowGroups() {
		group := f.about.RowGroup(g)
		if n := group.NumRows(); n < 0 || n > math.MaxInt64-int64(f.Len()) || group.NumColumns() != len(f.leaves) {
			return nil, fmt.Errorf("it is damaged: row group %d is said to have %d rows and %d columns of %d", g, n, group.NumColumns(), len(f.leaves))
		}
		f.starts = append(f.starts, f.Len()+int(group.NumRows()))
	}
	if f.chosen, err = table.Choose(names, chosen); err != nil {
		return nil, err
	}
	var bad []string
	for _, j := range f.chosen {
		if l := f.leaves[j]; l.unusable != "" {
			bad = append(bad, fmt.Sprintf("%q (%s)", l.name, l.unusable))
		}
	}
	if bad != nil {
		return nil, fmt.Errorf("a table has numbers, booleans and texts, and these columns hold something else: %s; list those that you need in Options.Columns", strings.Join(bad, ", "))
	}
	return f, nil
}

// properties are how the library reads: page by page, not a whole column at once.
func properties() *parquet.ReaderProperties {
	p := parquet.NewReaderProperties(memory.NewGoAllocator())
	p.BufferedStreamEnabled, p.BufferSize = true, 256<<10
	return p
}

// damaged turns a panic of the library on a damaged file into an error.
func damaged(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("it can't be read: %v: it is damaged, or newer than the library", r)
	}
}

// checkEnds looks at the first and the last bytes, and at how long the footer is said to be.
func checkEnds(source table.Source) error {
	const magic = "PAR1"
	size := source.Size()
	if size == 0 {
		return errors.New("the file is empty: expected Parquet")
	}
	var start [4]byte
	var end [8]byte
	if size >= 12 {
		if _, err := source.ReadAt(start[:], 0); err != nil {
			return err
		}
		if _, err := source.ReadAt(end[:], size-8); err != nil && err != io.EOF {
			return err
		}
	}
	switch {
	case string(start[:]) == "PARE":
		return errors.New("it is encrypted: decrypt it first")
	case string(start[:]) != magic:
		return fmt.Errorf("it doesn't start like a Parquet file, with %q, but with %q", magic, start[:])
	case string(end[4:]) != magic:
		return fmt.Errorf("it doesn't end like a Parquet file, with %q, but with %q: it was cut off, or is still being written", magic, end[4:])
	}
	if footer := int64(binary.LittleEndian.Uint32(end[:])); footer > size-12 {
		return fmt.Errorf("its footer is said to have %d bytes, and the file has %d: it is damaged", footer, size)
	}
	return nil
}

// understand says how the values of a column are meant.
func understand(c *schema.Column) leaf {
	l := leaf{name: strings.Join(c.ColumnPath(), "."), stored: c.PhysicalType(), level: c.MaxDefinitionLevel()}
	if c.MaxRepetitionLevel() > 0 {
		l.unusable = "lists"
		return l
	}
	switch logical := c.LogicalType().(type) {
	case schema.DecimalLogicalType:
		l.as, l.scale = decimals, int(logical.Scale())
		return l
	case *schema.DecimalLogicalType:
		l.as, l.scale = decimals, int(logical.Scale())
		return l
	case schema.IntLogicalType:
		if l.as = integers; !logical.IsSigned() {
			l.as = unsigned
		}
		return l
	case *schema.IntLogicalType:
		if l.as = integers; !logical.IsSigned() {
			l.as = unsigned
		}
		return l
	case schema.Float16LogicalType, *schema.Float16LogicalType:
		l.as = halves
		return l
	case schema.UUIDLogicalType, schema.BSONLogicalType, schema.IntervalLogicalType, schema.VariantLogicalType:
		l.unusable = fmt.Sprintf("values of the type %v", logical)
		return l
	}
	switch l.stored {
	case parquet.Types.Boolean:
		l.as = booleans
	case parquet.Types.Int32, parquet.Types.Int64: // dates and times are their count of days or fractions of a second
		l.as = integers
	case parquet.Types.Int96: // times of old writers
		l.as = nanoseconds
	case parquet.Types.Float, parquet.Types.Double:
		l.as = floats
	case parquet.Types.ByteArray:
		l.as = texts
	default:
		l.unusable = fmt.Sprintf("values of the type %v", l.stored)
	}
	return l
}

// Fields implements [table.File].
func (f *File) Fields() []table.Field {
	fields := make([]table.Field, len(f.chosen))
	for i, j := range f.chosen {
		fields[i] = table.Field{Name: f.leaves[j].name, Kind: f.leaves[j].kind()}
	}
	return fields
}

// Len implements [table.File].
func (f *File) Len() int { return f.starts[len(f.starts)-1] }

// Where implements [table.File].
func (f *File) Where(row int) string { return table.Row(row) }

// group is the row group that a row is in.
func (f *File) group(row int) int { return sort.SearchInts(f.starts, row+1) - 1 }

package parquet

import (
	"fmt"
	"io"

	"github.com/nami-flow/go-nami/nami/internal/table"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/schema"
)

// rowsPerGroup is how many rows are written as one group.
const rowsPerGroup = 1 << 18

// Write writes a table, packed with Snappy. Missing values are null, NaN too, and a column
// may have them only if it has.
func Write(w io.Writer, columns []table.Column) (err error) {
	defer damaged(&err)
	properties := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Snappy), parquet.WithDictionaryDefault(false)}
	var fields schema.FieldList
	rows := 0
	for _, c := range columns {
		field, err := fieldOf(c)
		if err != nil {
			return err
		}
		if c.Kind() == table.Text {
			properties = append(properties, parquet.WithDictionaryPath(parquet.ColumnPath{c.Name}, true))
		}
		fields, rows = append(fields, field), c.Len()
	}
	root, err := schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
	if err != nil {
		return err
	}
	out := file.NewParquetWriter(struct{ io.Writer }{w}, root, file.WithWriterProps(parquet.NewWriterProperties(properties...)))
	for first := 0; first < rows; first += rowsPerGroup {
		group, err := out.AppendRowGroupChecked()
		if err != nil {
			return err
		}
		for _, c := range columns {
			to, err := group.NextColumn()
			if err != nil {
				return err
			}
			if err := writeRows(to, c, first, min(first+rowsPerGroup, rows)); err != nil {
				return err
			}
			if err := to.Close(); err != nil {
				return err
			}
		}
		if err := group.Close(); err != nil {
			return err
		}
	}
	return out.Close()
}

// hasMissing says whether a column needs levels.
func hasMissing(c table.Column) bool {
	for row := range c.Len() {
		if c.IsMissing(row) {
			return true
		}
	}
	return false
}

// fieldOf is a column's part of the schema.
func fieldOf(c table.Column) (schema.Node, error) {
	repetition := parquet.Repetitions.Required
	if hasMissing(c) {
		repetition = parquet.Repetitions.Optional
	}
	switch c.Kind() {
	case table.Float64:
		return schema.NewFloat64Node(c.Name, repetition, -1), nil
	case table.Float32:
		return schema.NewFloat32Node(c.Name, repetition, -1), nil
	case table.Integer:
		return schema.NewInt64Node(c.Name, repetition, -1), nil
	case table.Boolean:
		return schema.NewBooleanNode(c.Name, repetition, -1), nil
	}
	return schema.NewPrimitiveNodeLogical(c.Name, repetition, schema.StringLogicalType{}, parquet.Types.ByteArray, 0, -1)
}

// writeRows writes rows of a column.
func writeRows(to file.ColumnChunkWriter, c table.Column, first, last int) error {
	var err error
	switch v := c.Values.(type) {
	case []float64:
		err = send(to.(*file.Float64ColumnChunkWriter), c, v, first, last, same[float64])
	case []float32:
		err = send(to.(*file.Float32ColumnChunkWriter), c, v, first, last, same[float32])
	case []int64:
		err = send(to.(*file.Int64ColumnChunkWriter), c, v, first, last, same[int64])
	case []bool:
		err = send(to.(*file.BooleanColumnChunkWriter), c, v, first, last, same[bool])
	case []string:
		err = send(to.(*file.ByteArrayColumnChunkWriter), c, v, first, last, func(s string) parquet.ByteArray { return parquet.ByteArray(s) })
	default:
		err = fmt.Errorf("a column of %T", v)
	}
	return err
}

func same[T any](v T) T { return v }

// send writes the values that aren't missing, with a level for each row if the column may
// have missing ones.
func send[S, T any](to interface {
	WriteBatch(values []T, definitions, repetitions []int16) (int64, error)
	Descr() *schema.Column
}, c table.Column, values []S, first, last int, convert func(S) T,
) error {
	optional := to.Descr().MaxDefinitionLevel() > 0
	stored, levels := make([]T, 0, batch), make([]int16, 0, batch)
	for at := first; at < last; at += batch {
		stored, levels = stored[:0], levels[:0]
		for row := at; row < min(at+batch, last); row++ {
			if optional && c.IsMissing(row) {
				levels = append(levels, 0)
				continue
			}
			stored, levels = append(stored, convert(values[row])), append(levels, 1)
		}
		theirs := levels
		if !optional {
			theirs = nil
		}
		if _, err := to.WriteBatch(stored, theirs, nil); err != nil {
			return err
		}
	}
	return nil
}

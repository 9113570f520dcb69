package table

import (
	"errors"
	"io"
)

// Parquet reads and writes Parquet. Package nami/data/parquet sets both where a program
// imports it.
var Parquet struct {
	Open  func(source Source, chosen []string) (File, error)
	Write func(w io.Writer, columns []Column) error
}

// ErrParquet is the error of a program without it.
var ErrParquet = errors.New(`the program can't read or write Parquet yet: add import _ "github.com/nami-flow/go-nami/nami/data/parquet" to it`)

// Package parquet makes package data read and write Parquet files. A program imports it for
// that effect:
//
//	import _ "github.com/nami-flow/go-nami/nami/data/parquet"
//
// It stands apart because Apache's library, which it links in, makes a program larger by
// 20 MB and more.
package parquet

import (
	"github.com/nami-flow/go-nami/nami/internal/table"
	"github.com/nami-flow/go-nami/nami/internal/table/parquet"
)

func init() {
	table.Parquet.Open = func(source table.Source, chosen []string) (table.File, error) { return parquet.Open(source, chosen) }
	table.Parquet.Write = parquet.Write
}

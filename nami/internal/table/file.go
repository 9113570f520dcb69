package table

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Field is the name of a column and the kind of its values.
type Field struct {
	Name string
	Kind Kind
}

// Source is what a file is read from.
type Source interface {
	io.ReaderAt
	Size() int64
}

// File is a table in a file, of which rows can be read. Its errors don't name the file.
type File interface {
	// Fields are the columns that were asked for when it was opened, in that order.
	Fields() []Field

	// Len is the number of rows.
	Len() int

	// Read reads the rows from first to last, exclusive, of columns by their number in
	// Fields. Calls may overlap.
	Read(columns []int, first, last int) ([]Column, error)

	// Where names a row as errors do.
	Where(row int) string
}

// Row is what errors call a row of a format without lines.
func Row(row int) string { return fmt.Sprintf("row %d (the first is 0)", row) }

// Choose finds columns by their names, all of them where chosen is nil. It refuses two
// columns of one name, and names that there aren't.
func Choose(names, chosen []string) ([]int, error) {
	at := make(map[string]int, len(names))
	for i, name := range names {
		if first, twice := at[name]; twice {
			return nil, fmt.Errorf("columns %d and %d are both called %q: rename one of them, so that it is clear which is meant", first+1, i+1, name)
		}
		at[name] = i
	}
	if chosen == nil {
		all := make([]int, len(names))
		for i := range all {
			all[i] = i
		}
		return all, nil
	}
	var found []int
	for _, name := range chosen {
		i, ok := at[name]
		if !ok {
			return nil, fmt.Errorf("there is no column %q: the columns are %s", name, List(names))
		}
		if slices.Contains(found, i) {
			return nil, fmt.Errorf("the column %q is chosen twice", name)
		}
		found = append(found, i)
	}
	return found, nil
}

// List is names in quotes, shortened if there are many.
func List(names []string) string {
	const most = 20
	var quoted []string
	for i, name := range names {
		if i == most {
			quoted = append(quoted, fmt.Sprintf("and %d more", len(names)-most))
			break
		}
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	return strings.Join(quoted, ", ")
}

// Short is a value from a file for an error, cut if it is long.
func Short(value string) string {
	const most = 40
	if len(value) > most {
		value = strings.ToValidUTF8(value[:most], "") + "…"
	}
	return fmt.Sprintf("%q", value)
}

package csv

import (
	"bufio"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/table"
)

// Write writes a table with a first line of names. Floats have the fewest digits that read
// as the same value, and a point or an exponent; a missing value is nothing at all, or NA
// where it is the only column. Texts are in quotes where they would be read as anything
// else, names only where they hold a delimiter, a quote or the end of a line.
func Write(w io.Writer, columns []table.Column, delimiter byte) error {
	out := bufio.NewWriterSize(w, 1<<16)
	var line []byte
	for j, c := range columns {
		if j > 0 {
			line = append(line, delimiter)
		}
		if needsQuotes(c.Name, delimiter) || c.Name == "" && len(columns) == 1 {
			line = quote(line, c.Name)
		} else {
			line = append(line, c.Name...)
		}
	}
	missing := ""
	if len(columns) == 1 {
		missing = "NA" // an empty line is no row
	}
	line = append(line, '\n')
	rows := 0
	if len(columns) > 0 {
		rows = columns[0].Len()
	}
	for row := range rows {
		for j, c := range columns {
			if j > 0 {
				line = append(line, delimiter)
			}
			if c.IsMissing(row) {
				line = append(line, missing...)
				continue
			}
			switch v := c.Values.(type) {
			case []float64:
				line = appendFloat(line, v[row], 64)
			case []float32:
				line = appendFloat(line, float64(v[row]), 32)
			case []int64:
				line = strconv.AppendInt(line, v[row], 10)
			case []bool:
				line = strconv.AppendBool(line, v[row])
			case []string:
				if bare(v[row], delimiter) {
					line = append(line, v[row]...)
				} else {
					line = quote(line, v[row])
				}
			}
		}
		line = append(line, '\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
		line = line[:0]
	}
	if _, err := out.Write(line); err != nil { // the names, if there are no rows
		return err
	}
	return out.Flush()
}

func appendFloat(line []byte, v float64, bits int) []byte {
	if math.IsInf(v, 0) {
		return append(line, map[bool]string{true: "inf", false: "-inf"}[v > 0]...)
	}
	start := len(line)
	line = strconv.AppendFloat(line, v, 'g', -1, bits)
	if !slices.ContainsFunc(line[start:], func(c byte) bool { return c == '.' || c == 'e' }) {
		line = append(line, ".0"...)
	}
	return line
}

// needsQuotes says whether a name or a text can't stand as it is.
func needsQuotes(s string, delimiter byte) bool {
	return strings.ContainsAny(s, ",;\t|\"\r\n"+string(delimiter)) || strings.HasPrefix(s, "\ufeff")
}

// bare says whether a text without quotes is read as the same text.
func bare(s string, delimiter byte) bool {
	trimmed := strings.TrimSpace(s)
	_, logical := boolean([]byte(trimmed))
	return !needsQuotes(s, delimiter) && !logical && !Number(trimmed) && !slices.Contains(Missing, s)
}

func quote(line []byte, s string) []byte {
	line = append(line, '"')
	line = append(line, strings.ReplaceAll(s, `"`, `""`)...)
	return append(line, '"')
}

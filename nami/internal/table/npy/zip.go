package npy

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nami-flow/go-nami/nami/internal/memory"
	"github.com/nami-flow/go-nami/nami/internal/table"
)

// densest is how many bytes one of deflate's can stand for.
const densest = 1032

// ReadZip reads a .npz file: each array is a column, or several, if it has two axes: those
// of X are X0, X1 and so on. Chosen are the columns that are wanted, nil for all. The sizes in the file
// aren't believed before they are compared with its length.
func ReadZip(source table.Source, chosen []string) ([]table.Column, error) {
	entries, err := openZip(source)
	if err != nil {
		return nil, err
	}
	var (
		arrays []array
		names  []string
		owner  []int // of each column, the array
	)
	for _, entry := range entries {
		name := strings.TrimSuffix(entry.Name, ".npy")
		a, err := openEntry(entry, name)
		if err != nil {
			return nil, fmt.Errorf("the array %q: %w", name, err)
		}
		if len(arrays) > 0 && a.rows != arrays[0].rows {
			return nil, fmt.Errorf("the array %q has %d rows, and those before it %d: arrays are columns of one table", name, a.rows, arrays[0].rows)
		}
		for range a.columns {
			owner = append(owner, len(arrays))
		}
		arrays, names = append(arrays, a), append(names, a.names()...)
	}
	columns, err := table.Choose(names, chosen)
	if err != nil {
		return nil, err
	}
	out := make([]table.Column, len(columns))
	first := 0
	for i, a := range arrays {
		var places, within []int
		for k, j := range columns {
			if owner[j] == i {
				places, within = append(places, k), append(within, j-first)
			}
		}
		first += len(a.columns)
		if len(places) == 0 {
			continue
		}
		read, err := readEntry(entries[i], a, within)
		if err != nil {
			return nil, fmt.Errorf("the array %q: %w", strings.TrimSuffix(entries[i].Name, ".npy"), err)
		}
		for k, place := range places {
			out[place] = read[k]
		}
	}
	return out, nil
}

// openZip lists the arrays of a .npz file, whose sizes fit the length of the file.
func openZip(source table.Source) (entries []*zip.File, err error) {
	if source.Size() == 0 {
		return nil, errors.New("the file is empty: expected a zip file of NumPy arrays")
	}
	archive, err := zip.NewReader(source, source.Size())
	if err != nil {
		return nil, fmt.Errorf("it isn't a whole zip file of NumPy arrays, as numpy.savez writes one (%w): it was cut off, or is something else", err)
	}
	var packed uint64
	for _, entry := range archive.File {
		name, isArray := strings.CutSuffix(entry.Name, ".npy")
		if !isArray {
			continue
		}
		if packed += entry.CompressedSize64; packed > uint64(source.Size()) {
			return nil, fmt.Errorf("its arrays are said to have more than %d bytes, packed, and the file has %d: it is damaged, or made to fill memory", packed, source.Size())
		}
		if entry.UncompressedSize64 > densest*entry.CompressedSize64+1024 {
			return nil, fmt.Errorf("the array %q is said to unpack from %d bytes to %d, which can't be: the file is damaged, or made to fill memory", name, entry.CompressedSize64, entry.UncompressedSize64)
		}
		entries = append(entries, entry)
	}
	if len(entries) == 0 {
		return nil, errors.New("there is no NumPy array in it")
	}
	return entries, nil
}

// openEntry reads the header of an array.
func openEntry(entry *zip.File, name string) (array, error) {
	r, err := entry.Open()
	if err != nil {
		return array{}, err
	}
	defer r.Close()
	h, err := readHeader(r)
	if err != nil {
		return array{}, err
	}
	if !h.plain {
		return array{}, errors.New("it is a structured array: save it alone, as .npy")
	}
	return newArray(h, int64(entry.UncompressedSize64), func(j int) string {
		if len(h.shape) == 1 {
			return name
		}
		return fmt.Sprintf("%s%d", name, j)
	})
}

// readEntry unpacks an array and reads columns of it.
func readEntry(entry *zip.File, a array, columns []int) ([]table.Column, error) {
	unpacked, err := unpack(entry)
	if err != nil {
		return nil, err
	}
	return a.read(bytes.NewReader(unpacked), columns, 0, a.rows)
}

// unpack is what an entry holds. Its memory grows with what there is, not with what the file
// says.
func unpack(entry *zip.File) ([]byte, error) {
	r, err := entry.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if err := memory.Check("the array, unpacked,", 1, int(entry.UncompressedSize64)); err != nil {
		return nil, err
	}
	var whole bytes.Buffer
	if _, err := io.Copy(&whole, io.LimitReader(r, int64(entry.UncompressedSize64)+1)); err != nil {
		return nil, fmt.Errorf("it can't be unpacked: %w", err)
	}
	if int64(whole.Len()) != int64(entry.UncompressedSize64) {
		return nil, fmt.Errorf("%d bytes were unpacked, and it is said to have %d: the file is damaged", whole.Len(), entry.UncompressedSize64)
	}
	return whole.Bytes(), nil
}

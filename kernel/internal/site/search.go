package site

import (
	"encoding/json"
	"slices"
	"strings"
)

// entry is something that the search finds.
type entry struct {
	Kind  string `json:"kind"` // page, notebook, package, type, func, method, value
	Title string `json:"title"`
	In    string `json:"in"` // the page's title
	To    string `json:"to"`
	Text  string `json:"text"`
}

// index is the search's data, as a script: a page that is opened as a file can't fetch.
func (b *builder) index() ([]byte, error) {
	for i, e := range b.search {
		b.search[i].Title, b.search[i].In, b.search[i].Text = b.plain(e.Title), b.plain(e.In), b.plain(e.Text)
	}
	slices.SortStableFunc(b.search, func(x, y entry) int { return strings.Compare(x.To, y.To) })
	text, err := json.Marshal(b.search)
	if err != nil {
		return nil, err
	}
	return slices.Concat([]byte("window.searchIndex = "), text, []byte(";\n")), nil
}

package site

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/net/html"
)

// reference is a link in a page, or something that the page loads.
type reference struct {
	page, to string
	loaded   bool
}

// imports are what a style sheet loads.
var imports = regexp.MustCompile(`@import|url\(\s*['"]?(?:https?:)?//`)

// Check finds the dead links of the pages below a folder, to other pages and to anchors,
// and what a browser would load from elsewhere.
func Check(dir string) (problems []error) {
	anchors := map[string]map[string]bool{} // of each file; nil if it is no page
	var references []reference
	err := filepath.WalkDir(dir, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, file)
		if err != nil {
			return err
		}
		name = filepath.ToSlash(name)
		anchors[name] = nil
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".css" && imports.Match(content) {
			problems = append(problems, fmt.Errorf("%s loads something from elsewhere", name))
		}
		if path.Ext(name) != ".html" {
			return nil
		}
		root, err := html.Parse(bytes.NewReader(content))
		if err != nil {
			return err
		}
		anchors[name] = map[string]bool{"": true}
		for n := range root.Descendants() {
			for _, a := range n.Attr {
				switch a.Key {
				case "id":
					if anchors[name][a.Val] {
						problems = append(problems, fmt.Errorf("%s has the anchor %s twice", name, a.Val))
					}
					anchors[name][a.Val] = true
				case "href", "src", "data", "poster":
					references = append(references, reference{name, a.Val, a.Key != "href" || n.Data != "a"})
				}
			}
		}
		return nil
	})
	if err != nil {
		return append(problems, err)
	}
	for _, r := range references {
		if err := r.check(anchors); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

func (r reference) check(anchors map[string]map[string]bool) error {
	u, err := url.Parse(r.to)
	switch {
	case err != nil:
		return fmt.Errorf("%s has a broken link: %w", r.page, err)
	case u.Scheme == "data":
		return nil
	case u.Scheme != "" || u.Host != "":
		if r.loaded {
			return fmt.Errorf("%s loads %s, which needs a network", r.page, r.to)
		}
		return nil
	}
	target := r.page
	if u.Path != "" {
		target = path.Join(path.Dir(r.page), u.Path)
	}
	ids, there := anchors[target]
	switch {
	case !there:
		return fmt.Errorf("%s has a dead link to %s", r.page, r.to)
	case u.Fragment != "" && strings.HasSuffix(target, ".html") && !ids[u.Fragment]:
		return fmt.Errorf("%s links to %s, and %s has no such anchor", r.page, r.to, target)
	}
	return nil
}

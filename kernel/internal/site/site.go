// Package site builds nami's documentation as static pages, from the checkout alone: the
// README, the Markdown in docs, the committed notebooks, and the doc comments. Pages need
// neither a network nor a server.
package site

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/environment"
)

//go:embed assets
var assets embed.FS

// marker is a file in each site: a folder that has it can be replaced by a newer one.
const marker = ".nami-docs"

// Options of [Build].
type Options struct {
	Root string // the checkout
	Out  string // folder for the pages; an earlier site in it is replaced
	// Typeset turns formulas into MathML; nil leaves them as TeX.
	Typeset func(ctx context.Context, formulas []environment.Formula) error
}

// builder is a site while it is built.
type builder struct {
	root     string
	pages    []*page
	markdown map[string]string // the page of a Markdown file or notebook of the checkout
	waiting  []string          // Markdown files that others link to
	files    map[string]string // other files that are copied, by their place in the site
	images   map[string][]byte // pictures of notebooks
	books    []*book
	api      *api
	formulas []environment.Formula
	search   []entry
	problems []error
}

// page is one HTML page.
type page struct {
	Path    string // in the site, with slashes
	Title   string
	Section string        // which of the navigation's items it belongs to
	Body    template.HTML // formulas are numbers until all pages are rendered
	Aside   template.HTML // a table of contents, or empty
}

// Build builds the site, and refuses one with dead links, formulas that can't be typeset,
// or anything that a browser would fetch from elsewhere.
func Build(ctx context.Context, o Options) error {
	if err := replaceable(o.Out); err != nil {
		return err
	}
	b := &builder{
		root:     o.Root,
		markdown: map[string]string{"README.md": "index.html"},
		files:    map[string]string{}, images: map[string][]byte{},
	}
	if err := b.plan(); err != nil {
		return err
	}
	if err := b.render(ctx); err != nil {
		return err
	}
	if o.Typeset != nil {
		if err := o.Typeset(ctx, b.formulas); err != nil {
			return err
		}
		for _, f := range b.formulas {
			if f.Problem != "" {
				b.problem("the formula %s: %s", f.TeX, f.Problem)
			}
		}
	}
	if err := errors.Join(b.problems...); err != nil {
		return err
	}
	beside := strings.TrimRight(o.Out, string(filepath.Separator)) + ".new"
	if err := os.RemoveAll(beside); err != nil {
		return err
	}
	if err := b.write(beside); err != nil {
		return errors.Join(err, os.RemoveAll(beside))
	}
	if err := errors.Join(Check(beside)...); err != nil {
		return errors.Join(err, os.RemoveAll(beside))
	}
	return errors.Join(os.RemoveAll(o.Out), os.Rename(beside, o.Out))
}

// replaceable refuses a folder that holds something else than a site.
func replaceable(out string) error {
	entries, err := os.ReadDir(out)
	switch {
	case errors.Is(err, os.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return fmt.Errorf("--out is %s: %w", out, err)
	}
	if _, err := os.Stat(filepath.Join(out, marker)); err != nil {
		return fmt.Errorf("--out is %s, which holds something else than an earlier site: give a new or empty folder", out)
	}
	return nil
}

func (b *builder) problem(format string, args ...any) {
	b.problems = append(b.problems, fmt.Errorf(format, args...))
}

// plan settles which pages there are, so that they can link to each other.
func (b *builder) plan() error {
	docs, err := filepath.Glob(filepath.Join(b.root, "docs/*.md"))
	if err != nil {
		return err
	}
	for _, doc := range docs {
		b.markdown["docs/"+filepath.Base(doc)] = strings.TrimSuffix(filepath.Base(doc), ".md") + ".html"
	}
	if b.books, err = findBooks(b.root); err != nil {
		return err
	}
	for _, book := range b.books {
		b.markdown[book.source] = book.page
	}
	b.api, err = readAPI(b.root)
	return err
}

func (b *builder) render(ctx context.Context) error {
	for _, source := range slices.Sorted(maps.Keys(b.markdown)) {
		if path.Ext(source) == ".md" {
			b.waiting = append(b.waiting, source)
		}
	}
	for _, book := range b.books {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := b.renderBook(book); err != nil {
			return fmt.Errorf("%s: %w", book.source, err)
		}
	}
	b.renderGallery()
	b.renderAPI()
	// Rendering a page can find links to further ones.
	for len(b.waiting) > 0 {
		source := b.waiting[0]
		b.waiting = b.waiting[1:]
		if err := b.renderFile(source); err != nil {
			return fmt.Errorf("%s: %w", source, err)
		}
	}
	return nil
}

func (b *builder) write(out string) error {
	layout, err := template.ParseFS(assets, "assets/layout.html")
	if err != nil {
		return err
	}
	put := func(name string, text []byte) error {
		file := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, text, 0o644)
	}
	for _, p := range b.pages {
		p.Title, p.Body, p.Aside = b.plain(p.Title), b.typeset(p.Body), b.typeset(p.Aside)
		var text strings.Builder
		if err := layout.Execute(&text, struct {
			*page
			Base string // the way from the page to the site's root
		}{p, strings.Repeat("../", strings.Count(p.Path, "/"))}); err != nil {
			return err
		}
		if err := put(p.Path, []byte(text.String())); err != nil {
			return err
		}
	}
	for _, name := range []string{"style.css", "site.js"} {
		text, err := assets.ReadFile("assets/" + name)
		if err != nil {
			return err
		}
		if err := put(name, text); err != nil {
			return err
		}
	}
	for name, source := range b.files {
		text, err := os.ReadFile(filepath.Join(b.root, filepath.FromSlash(source)))
		if err != nil {
			return err
		}
		if err := put(name, text); err != nil {
			return err
		}
	}
	for name, picture := range b.images {
		if err := put(name, picture); err != nil {
			return err
		}
	}
	index, err := b.index()
	if err != nil {
		return err
	}
	return errors.Join(put("search.js", index), put(marker, nil))
}

// relative is the link from one page of the site to another.
func relative(from, to string) string {
	target, fragment, found := strings.Cut(to, "#")
	if target == from && found {
		return "#" + fragment
	}
	link, err := filepath.Rel(filepath.FromSlash(path.Dir(from)), filepath.FromSlash(target))
	if err != nil { // both are relative, so there is a way
		return to
	}
	if link = filepath.ToSlash(link); found {
		link += "#" + fragment
	}
	return link
}

package site

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"image"
	_ "image/gif"  // pictures in notebooks
	_ "image/jpeg" // pictures in notebooks
	"image/png"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/nami-flow/go-nami/kernel/internal/ipynb"

	"golang.org/x/image/draw"
)

// book is a committed notebook.
type book struct {
	source string // in the checkout
	page   string
	group  string // the folder below books: examples, tutorials, …
	title  string
	about  string // its first words
	thumb  string // picture in the gallery, empty without pictures
}

// shelves is the order of the gallery's groups; others follow by name.
var shelves = []string{"examples", "tutorials", "toys", "experiments"}

func findBooks(root string) (books []*book, err error) {
	err = filepath.WalkDir(filepath.Join(root, "books"), func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(file) != ".ipynb" {
			return nil
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		source := filepath.ToSlash(relative)
		name := strings.TrimSuffix(strings.TrimPrefix(source, "books/"), ".ipynb")
		books = append(books, &book{source: source, page: "books/" + name + ".html", group: path.Dir(name), title: path.Base(name)})
		return nil
	})
	place := func(b *book) string {
		shelf := slices.Index(shelves, b.group)
		if shelf < 0 {
			shelf = len(shelves)
		}
		// The one to begin with comes first.
		return fmt.Sprint(shelf, path.Base(b.page) != "quickstart.html", b.source)
	}
	slices.SortFunc(books, func(a, b *book) int { return strings.Compare(place(a), place(b)) })
	return books, err
}

var (
	ansi      = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	overwrite = regexp.MustCompile(`(?m)^.*\r([^\n])`)
	scripts   = regexp.MustCompile(`(?i)<(script|iframe|object|embed|link)\b`)
)

// pictures are the kinds of picture that browsers show, the best first.
var pictures = []struct{ mime, extension string }{
	{"image/svg+xml", ".svg"}, {"image/gif", ".gif"}, {"image/apng", ".png"}, {"image/png", ".png"}, {"image/jpeg", ".jpg"},
}

// renderBook makes the page of a notebook with the outputs that were committed.
func (b *builder) renderBook(k *book) error {
	nb, err := ipynb.Read(filepath.Join(b.root, filepath.FromSlash(k.source)))
	if err != nil {
		return err
	}
	w := &bookWriter{b: b, k: k, writing: writing{b: b, source: k.source, page: k.page, ids: newIDs()}}
	for _, cell := range nb.Cells {
		source := strings.TrimSpace(string(cell.Source))
		switch {
		case source == "":
		case cell.Type == "markdown":
			if w.attachments, err = w.attach(cell.Attachments); err != nil {
				return err
			}
			body, sections, err := w.render([]byte(cell.Source))
			if err != nil {
				return err
			}
			w.sections = append(w.sections, sections...)
			fmt.Fprintf(&w.body, "<div class=\"text\">%s</div>\n", body)
		case cell.Type == "code":
			fmt.Fprintf(&w.body, "<pre class=\"input\"><code>%s</code></pre>\n", b.api.goCode(source, k.page))
			for _, out := range cell.Outputs {
				if err := w.output(out, slices.Contains(cell.Metadata.Tags, "thumbnail")); err != nil {
					return err
				}
			}
		}
	}
	for _, s := range w.sections {
		if s.title != "" && s.level == 1 {
			k.title = s.title
		}
		if k.about == "" {
			k.about = s.text
		}
	}
	if err := w.makeThumb(); err != nil {
		return err
	}
	b.files["files/"+k.source] = k.source
	head := fmt.Sprintf("<p class=\"download\"><a href=\"%s\" download>%s</a></p>\n", html.EscapeString(relative(k.page, "files/"+k.source)), html.EscapeString(path.Base(k.source)))
	b.add(&page{Path: k.page, Title: k.title, Section: "gallery.html", Body: template.HTML(head + w.body.String()), Aside: contents(w.sections)}, "notebook", w.sections)
	return nil
}

// bookWriter writes the page of one notebook.
type bookWriter struct {
	writing
	b        *builder
	k        *book
	body     strings.Builder
	sections []section
	images   int
	attached int
	// thumb is the picture for the gallery: that of a cell tagged "thumbnail", else the one
	// that takes most bytes, as it shows most.
	thumb, thumbKind string
	tagged           bool
}

func (w *bookWriter) output(out ipynb.Output, tagged bool) error {
	switch out.Type {
	case "stream":
		w.words(string(out.Text), out.Stream)
		return nil
	case "error":
		w.words(out.Name+": "+out.Value, "stderr")
		return nil
	}
	content := out.Data.Get("text/html")
	for _, p := range pictures {
		if picture := out.Data.Get(p.mime); picture != "" {
			shown, err := w.picture(out, p.mime, p.extension, picture, tagged)
			if scripted(content) { // the picture is for the gallery then
				shown = "<div class=\"html\">" + content + "</div>\n"
			}
			w.body.WriteString(shown)
			return err
		}
	}
	if content != "" && !scripts.MatchString(content) {
		fmt.Fprintf(&w.body, "<div class=\"html\">%s</div>\n", content)
		return nil
	}
	if content := out.Data.Get("text/markdown"); content != "" {
		body, _, err := w.render([]byte(content))
		fmt.Fprintf(&w.body, "<div class=\"text\">%s</div>\n", body)
		return err
	}
	w.words(out.Data.Get("text/plain"), "stdout")
	return nil
}

// attach writes the pictures that are attached to a cell, and returns where each is, as seen
// from the page.
func (w *bookWriter) attach(attachments map[string]ipynb.Bundle) (map[string]string, error) {
	files := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(attachments)) {
		for _, p := range pictures {
			content := attachments[name].Get(p.mime)
			if content == "" {
				continue
			}
			picture := []byte(content)
			if !strings.HasPrefix(strings.TrimSpace(content), "<") { // else a drawing as text
				var err error
				if picture, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), "")); err != nil {
					return nil, fmt.Errorf("the attachment %s is damaged: %w", name, err)
				}
			}
			w.attached++
			file := strings.TrimSuffix(w.k.page, ".html") + fmt.Sprintf("-attached-%d%s", w.attached, p.extension)
			w.b.images[file] = picture
			files[name] = path.Base(file)
			break
		}
	}
	return files, nil
}

func (w *bookWriter) words(said, stream string) {
	said = overwrite.ReplaceAllString(ansi.ReplaceAllString(said, ""), "$1")
	if said = strings.TrimRight(said, "\n"); said != "" {
		fmt.Fprintf(&w.body, "<pre class=\"output %s\">%s</pre>\n", html.EscapeString(stream), html.EscapeString(said))
	}
}

// scripted tells whether an output has a script that loads nothing, such as the slider of
// figures that are all within it.
func scripted(content string) bool {
	const inline = "<script>"
	return strings.Contains(content, inline) && !scripts.MatchString(strings.ReplaceAll(content, inline, "")) && !strings.Contains(content, "://")
}

// picture writes an output's picture to a file and returns what shows it, at the size that
// the notebook gives.
func (w *bookWriter) picture(out ipynb.Output, mime, extension, content string, tagged bool) (string, error) {
	picture := []byte(content)
	if mime != "image/svg+xml" {
		var err error
		if picture, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), "")); err != nil {
			return "", fmt.Errorf("a picture is damaged: %w", err)
		}
	}
	w.images++
	name := strings.TrimSuffix(w.k.page, ".html") + fmt.Sprintf("-%d%s", w.images, extension)
	w.b.images[name] = picture
	var size struct{ Width, Height float64 }
	attributes := ""
	if err := json.Unmarshal(out.Metadata[mime], &size); err == nil && size.Width > 0 {
		attributes = fmt.Sprintf(` width="%.0f"`, size.Width)
		if size.Height > 0 {
			attributes += fmt.Sprintf(` height="%.0f"`, size.Height)
		}
	}
	about := strings.TrimSpace(out.Data.Get("text/plain"))
	if about == "" {
		about = fmt.Sprintf("picture %d of %s", w.images, path.Base(w.k.source))
	}
	shown := fmt.Sprintf("<p class=\"picture\"><img src=\"%s\"%s alt=\"%s\" loading=\"lazy\"></p>\n", html.EscapeString(path.Base(name)), attributes, html.EscapeString(about))
	if w.thumb == "" || tagged && !w.tagged || tagged == w.tagged && len(picture) > len(w.b.images[w.thumb]) {
		w.thumb, w.thumbKind, w.tagged = name, mime, tagged
	}
	return shown, nil
}

// thumbWidth is the width of pictures in the gallery, in pixels of a sharp screen.
const thumbWidth = 560

// makeThumb scales the chosen picture down.
func (w *bookWriter) makeThumb() error {
	if w.thumb == "" || w.thumbKind == "image/svg+xml" {
		w.k.thumb = w.thumb
		return nil
	}
	picture, _, err := image.Decode(bytes.NewReader(w.b.images[w.thumb]))
	if err != nil {
		return fmt.Errorf("a picture is damaged: %w", err)
	}
	size := picture.Bounds().Size()
	if size.X > thumbWidth {
		size.X, size.Y = thumbWidth, max(1, size.Y*thumbWidth/size.X)
	}
	small := image.NewNRGBA(image.Rectangle{Max: size})
	draw.CatmullRom.Scale(small, small.Bounds(), picture, picture.Bounds(), draw.Src, nil)
	var out bytes.Buffer
	if err := png.Encode(&out, small); err != nil {
		return err
	}
	w.k.thumb = strings.TrimSuffix(w.k.page, ".html") + "-thumbnail.png"
	w.b.images[w.k.thumb] = out.Bytes()
	return nil
}

// cards are notebooks as a gallery shows them, on a page.
func cards(books []*book, page string) string {
	var out strings.Builder
	out.WriteString("<div class=\"cards\">\n")
	for _, k := range books {
		fmt.Fprintf(&out, "<a class=\"card\" href=\"%s\">", html.EscapeString(relative(page, k.page)))
		if k.thumb != "" {
			fmt.Fprintf(&out, "<img src=\"%s\" alt=\"\" loading=\"lazy\">", html.EscapeString(relative(page, k.thumb)))
		}
		fmt.Fprintf(&out, "<strong>%s</strong><span>%s</span></a>\n", html.EscapeString(k.title), html.EscapeString(cut(k.about, 160)))
	}
	out.WriteString("</div>\n")
	return out.String()
}

func (b *builder) renderGallery() {
	var out strings.Builder
	out.WriteString("<h1>Gallery</h1>\n")
	rest := b.books
	for len(rest) > 0 {
		n := slices.IndexFunc(rest, func(k *book) bool { return k.group != rest[0].group })
		if n < 0 {
			n = len(rest)
		}
		title := rest[0].group
		fmt.Fprintf(&out, "<h2 id=\"%s\">%s</h2>\n%s", html.EscapeString(title), html.EscapeString(strings.ToUpper(title[:1])+title[1:]), cards(rest[:n], "gallery.html"))
		rest = rest[n:]
	}
	b.pages = append(b.pages, &page{Path: "gallery.html", Title: "Gallery", Section: "gallery.html", Body: template.HTML(out.String())})
}

// preview is the part of the gallery on the front page.
func (b *builder) preview() template.HTML {
	return template.HTML("<h2 id=\"notebooks\">Notebooks</h2>\n" + cards(b.books[:min(6, len(b.books))], "index.html"))
}

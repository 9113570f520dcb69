package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/nami-flow/go-nami/"

// rule is a row of the table of rooms in docs/architecture.md: which rooms of ours, and which
// modules of others, the packages of a room may import.
type rule struct {
	row    int
	rooms  []string // all that stand above, too, if it holds "all above"
	others []string // of other modules; nil allows all
	api    bool     // any package of ours that isn't internal
}

// readRules reads the table; the keys are the rooms, as paths in the checkout.
func readRules(table string) (map[string]rule, error) {
	_, table, found := strings.Cut(table, "| room | what lives there | it may import |\n")
	if !found {
		return nil, errors.New("there is no table of rooms")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[1:]
	rules := map[string]rule{}
	var cells [][]string
	code := regexp.MustCompile("`([^`]+)`")
	for i, row := range rows {
		columns := strings.Split(strings.Trim(row, "| "), " | ")
		if len(columns) != 3 {
			return nil, fmt.Errorf("row %d has %d columns, expected 3: %s", i+1, len(columns), row)
		}
		cells = append(cells, columns)
		for _, room := range code.FindAllStringSubmatch(columns[0], -1) {
			rules[room[1]] = rule{row: i}
		}
	}
	for room, r := range rules {
		switch allowed := cells[r.row][2]; allowed {
		case "public API only":
			r.api = true
		case "nothing of nami":
		default:
			r.others = []string{"gomlx"}
			for name := range strings.SplitSeq(strings.ReplaceAll(strings.TrimSuffix(allowed, " only"), ";", ","), ",") {
				name = strings.TrimSpace(strings.TrimSuffix(name, "'s tensors"))
				switch _, ours := rules["nami/"+name]; {
				case name == "GoMLX", name == "internal":
				case name == "all above":
					r.rooms = append(r.rooms, name)
				case ours:
					r.rooms = append(r.rooms, "nami/"+name)
				case name == "nami":
					r.rooms = append(r.rooms, name)
				default:
					r.others = append(r.others, name)
				}
			}
			for _, other := range r.rooms {
				if above, named := rules[other]; named && above.row >= r.row {
					return nil, fmt.Errorf("%s may import %s, which doesn't stand above it", room, other)
				}
			}
		}
		rules[room] = r
	}
	return rules, nil
}

// roomOf is the room that a package of ours is in, empty if it is in none.
func roomOf(rules map[string]rule, path string) (room string) {
	for candidate := range rules {
		if (path == candidate || strings.HasPrefix(path, candidate+"/")) && len(candidate) > len(room) {
			room = candidate
		}
	}
	return room
}

// forbidden says what is wrong with an import, empty if nothing is.
func forbidden(rules map[string]rule, importer, imported string) string {
	room := roomOf(rules, importer)
	if room == "" {
		return importer + " is in no row of the table"
	}
	r := rules[room]
	path, ours := strings.CutPrefix(imported, module)
	if !ours {
		first, _, _ := strings.Cut(imported, "/")
		named := func(name string) bool { return strings.Contains("/"+imported+"/", "/"+name+"/") }
		if !strings.Contains(first, ".") || r.others == nil || slices.ContainsFunc(r.others, named) {
			return ""
		}
		return fmt.Sprintf("%s imports %s, which its row doesn't name", importer, imported)
	}
	other := roomOf(rules, path)
	switch {
	case other == room:
	case strings.HasPrefix(path, "internal/"): // for all rooms
	case strings.HasPrefix(path, "nami/internal/") && (importer == "nami" || strings.HasPrefix(importer, "nami/")):
	case r.api && !strings.Contains(path, "internal/"):
	case slices.Contains(r.rooms, other):
	case slices.Contains(r.rooms, "all above") && rules[other].row < r.row:
	default:
		return fmt.Sprintf("%s imports %s, which its row doesn't allow", importer, path)
	}
	return ""
}

// The imports of each room are those of docs/architecture.md. What only tests import, and
// packages that only tests import, aren't looked at.
func TestImports(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rules, err := readRules(string(text))
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimPrefix(p.ImportPath, module)
		seen[roomOf(rules, path)] = true
		if strings.HasSuffix(path, "test") {
			continue
		}
		for _, imported := range p.Imports {
			if wrong := forbidden(rules, path, imported); wrong != "" {
				t.Error(wrong)
			}
		}
	}
	for room := range rules {
		if !seen[room] && !strings.HasPrefix(room, "tests/") { // some of those aren't in Go
			t.Errorf("the table names %s, where there is no package", room)
		}
	}
}

// The rule above finds what the table forbids.
func TestForbiddenImports(t *testing.T) {
	const head = "| room | what lives there | it may import |\n|---|---|---|\n"
	rules, err := readRules("# Rooms\n" + head + "| `nami/a` | x | GoMLX only |\n| `nami/b`, `nami/c` | x | a; gonum, x/sync |\n| `nami` | x | all above |\n" +
		"| `nami/d` | x | nami, internal |\n| `nami/internal/i` | x | GoMLX only |\n| `kernel` | x | nothing of nami |\n| `tests` | x | public API only |\n\nMore.\n")
	if err != nil {
		t.Fatal(err)
	}
	for pair, fine := range map[[2]string]bool{
		{"nami/a", "fmt"}: true, {"nami/a", "github.com/gomlx/gomlx/core/graph"}: true, {"nami/a", "gonum.org/v1/gonum/mat"}: false,
		{"nami/a", module + "nami/b"}: false, {"nami/a", module + "nami/internal/i"}: true,
		{"nami/b", module + "nami/a"}: true, {"nami/b", module + "nami/c"}: false, {"nami/b", "gonum.org/v1/gonum/mat"}: true,
		{"nami/c", "golang.org/x/sync/errgroup"}: true, {"nami/c", "golang.org/x/term"}: false,
		{"nami", module + "nami/c"}: true, {"nami", module + "nami/d"}: false, {"nami", module + "kernel"}: false,
		{"nami/d", module + "nami"}: true, {"nami/d", module + "nami/a"}: false,
		{"nami/internal/i", module + "nami/a"}: false,
		{"kernel", "example.org/x"}:            true, {"kernel/internal/x", module + "nami/a"}: false, {"kernel/internal/x", module + "kernel/internal/y"}: true,
		{"tests/x", module + "nami/a"}: true, {"tests/x", module + "nami/internal/i"}: false, {"tests/x", "example.org/x"}: true,
		{"plotting", "fmt"}: false,
	} {
		if wrong := forbidden(rules, pair[0], pair[1]); (wrong == "") != fine {
			t.Errorf("%s imports %s: %q", pair[0], pair[1], wrong)
		}
	}
	for _, table := range []string{"", head + "| `nami/a` | x | b |\n| `nami/b` | x | GoMLX only |\n", head + "| `nami/a` | x |\n"} {
		if rules, err := readRules(table); err == nil {
			t.Errorf("%q was read as %v", table, rules)
		}
	}
}

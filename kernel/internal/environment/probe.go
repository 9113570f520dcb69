package environment

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
	"github.com/nami-flow/go-nami/kernel/internal/process"
)

// Linking is most of what a cell costs, and half of that is debugging information and
// the C linker. Stack traces keep their lines without either.
const (
	quickLink = "-s -linkmode=internal"
	safeLink  = "-w"
)

// Report is what XLA's plugin says about itself.
type Report struct {
	PJRT     string   `json:"pjrt"` // version of its interface
	Platform string   `json:"platform"`
	Devices  []string `json:"devices"`
}

// probe is a small program that is linked as cells are, and what it said of the plugin,
// if there is one. Some distributions of Go can't link C without the C linker.
func (e *Environment) probe() (part.Part, error) {
	key, err := e.moduleKey(".")
	if err != nil {
		return part.Part{}, err
	}
	title, about := "trying the linker", ""
	if e.Plugin != "" {
		plugin, err := filepath.EvalSymlinks(e.Plugin)
		if err != nil {
			return part.Part{}, err
		}
		info, err := os.Stat(plugin)
		if err != nil {
			return part.Part{}, err
		}
		title, about = "trying XLA's plugin", fmt.Sprint(plugin, info.Size(), info.ModTime().UnixNano())
	}
	key = place.Hash(key, e.Go.Cgo, about)
	return part.Part{
		Title:   title,
		Dir:     filepath.Join(e.Cache, "probe-"+key),
		Outputs: []string{"link"},
		Make: func(ctx context.Context, dir string) (err error) {
			for _, flags := range []string{quickLink, safeLink} {
				if _, err = e.tryPlugin(ctx, flags); err == nil {
					return os.WriteFile(filepath.Join(dir, "link"), []byte(flags), 0o644)
				}
				if ctx.Err() != nil {
					break
				}
			}
			if e.Plugin != "" {
				err = fmt.Errorf("the plugin %s doesn't work: %w", e.Plugin, err)
			}
			return err
		},
	}, nil
}

// tryPlugin links the probe and runs it; without a plugin it has nothing to say.
func (e *Environment) tryPlugin(ctx context.Context, linkFlags string) (r Report, err error) {
	args := []string{"run", "-ldflags=" + linkFlags, "./kernel/internal/probe"}
	if e.Plugin != "" {
		args = append(args, e.Plugin)
	}
	out, err := process.Run(ctx, e.Root, e.buildSettings(""), e.Go.Path, args...)
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal([]byte(out), &r)
}

// linkFlags are those that the probe was linked with.
func (e *Environment) linkFlags() (string, error) {
	probe, err := e.probe()
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(probe.Dir, "link"))
	return string(text), err
}

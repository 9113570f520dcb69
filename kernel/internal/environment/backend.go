package environment

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// chooseBackend is what notebooks shall compute on, as GOMLX_BACKEND says it, and
// whether that is a must. Empty leaves it to what can be had.
func chooseBackend(flag string) (string, error) {
	switch flag {
	case "go", "xla":
		return flag, nil
	case "":
	default:
		return "", fmt.Errorf("--backend is %q: it must be go or xla", flag)
	}
	chosen := os.Getenv("GOMLX_BACKEND")
	switch name, _, _ := strings.Cut(chosen, ":"); name {
	case "go", "xla", "":
		return chosen, nil
	}
	return "", fmt.Errorf("GOMLX_BACKEND is %q: it must be go, xla or xla:plugin; unset it to have the best that is installed", chosen)
}

// makeBackend settles Backend and, for XLA on the CPU, gets the plugin and sees that it
// works. Where XLA wasn't asked for and can't be had, that is a warning and pure Go.
func (e *Environment) makeBackend(ctx context.Context, wanted string, o Options) error {
	name, plugin, _ := strings.Cut(wanted, ":")
	if name != "go" {
		o.Retry = o.Retry || name == "xla" // who insists may wait for the network
		err := e.makeXLA(ctx, plugin, o)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			e.Backend = cmp.Or(wanted, "xla")
			return nil
		case name == "xla":
			return fmt.Errorf("notebooks shall compute on XLA (--backend or GOMLX_BACKEND says so), but: %w", err)
		}
		fmt.Fprintf(o.Log, "warning: no XLA, notebooks compute in pure Go, several times slower: %s\n", oneLine(err))
	}
	e.Backend, e.Plugin = "go", ""
	return e.ensureProbe(ctx, o)
}

// makeXLA gets the plugin and sees that it works.
func (e *Environment) makeXLA(ctx context.Context, plugin string, o Options) error {
	if !e.Go.HasCgo() {
		return errors.New("XLA needs cgo: install a C compiler (on Debian and Ubuntu: apt install gcc libc6-dev) and leave CGO_ENABLED alone")
	}
	// Another plugin than the CPU's is the user's to install.
	if plugin == "" || plugin == "cpu" {
		if err := e.makePlugin(ctx, o); err != nil {
			return err
		}
	}
	return e.ensureProbe(ctx, o)
}

func (e *Environment) ensureProbe(ctx context.Context, o Options) error {
	probe, err := e.probe()
	if err != nil {
		return err
	}
	return probe.Ensure(ctx, o.Log)
}

// oneLine is the beginning of an error's text, without line breaks.
func oneLine(err error) string {
	const longest = 300
	text := []rune(strings.Join(strings.Fields(err.Error()), " "))
	if len(text) > longest {
		return string(text[:longest]) + " …"
	}
	return string(text)
}

// patience is how long a failure to get the plugin is remembered: runs in between don't
// wait for the network again.
const patience = 24 * time.Hour

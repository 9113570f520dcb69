// Package environment makes what notebooks need: the kernel's programs, Jupyter, XLA's
// plugin, Go's caches and the kernel's specification. A second call finds all of it
// and is quick; what is missing or broken is made again.
package environment

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/nami-flow/go-nami/kernel/internal/part"
	"github.com/nami-flow/go-nami/kernel/internal/place"
)

// Environment says where the parts are.
type Environment struct {
	Root   string // the checkout
	Cache  string
	Go     Toolchain
	Tools  string // folder with gonb, goimports and gopls
	Python string // has JupyterLab, nbclient and nbconvert
	Plugin string // path of XLA's plugin for the CPU, empty without
	// Backend is what notebooks compute on: a value of GOMLX_BACKEND.
	Backend string
	// LinkFlags make cells link quickly.
	LinkFlags string
	// Lab and Scripted are Jupyter data folders with the kernel of this checkout: for
	// JupyterLab; and for scripted runs on this backend, where errors come as plain text.
	Lab, Scripted string
}

// Options of [Make].
type Options struct {
	Backend string    // "go" or "xla" forces one; empty leaves it to GOMLX_BACKEND, or to what can be had
	Retry   bool      // try again at once to get the plugin where that failed lately
	Log     io.Writer // a line for each part that had to be made
}

// Make makes what is missing. Several processes can call it at once: they wait for
// each other.
func Make(ctx context.Context, o Options) (*Environment, error) {
	backend, err := chooseBackend(o.Backend)
	if err != nil {
		return nil, err
	}
	env, err := Locate(ctx)
	if err != nil {
		return nil, err
	}
	if err := place.MakeWritable(env.Cache); err != nil {
		return nil, err
	}
	unlock, err := part.Lock(ctx, env.Cache, o.Log)
	if err != nil {
		return nil, err
	}
	defer unlock()

	tools, err := env.tools()
	if err != nil {
		return nil, err
	}
	if err := tools.Ensure(ctx, o.Log); err != nil {
		return nil, err
	}
	if err := env.makeJupyter(ctx, o.Log); err != nil {
		return nil, err
	}
	if err := env.makeModules(ctx, o.Log); err != nil {
		return nil, err
	}
	if err := env.makeBackend(ctx, backend, o); err != nil {
		return nil, err
	}
	if err := env.warm(ctx, o.Log); err != nil {
		return nil, err
	}
	return env, env.writeSpecs()
}

// Locate finds the checkout, the cache folder and Go, and makes nothing.
func Locate(ctx context.Context) (*Environment, error) {
	root, err := place.Checkout(".")
	if err != nil {
		return nil, err
	}
	cache, err := place.Cache()
	if err != nil {
		return nil, err
	}
	toolchain, err := findGo(ctx, root)
	if err != nil {
		return nil, err
	}
	// A specification belongs to one checkout; the rest of the cache serves several.
	lab := filepath.Join(cache, "checkouts", place.Hash(root), "lab")
	return &Environment{Root: root, Cache: cache, Go: toolchain, Lab: lab}, nil
}

// quickly does something that usually has nothing to do, and says what took long.
func quickly(log io.Writer, title string, do func() error) error {
	start := time.Now()
	if err := do(); err != nil {
		return err
	}
	if took := time.Since(start); took > 3*time.Second {
		fmt.Fprintf(log, "%s: done in %.1f s\n", title, took.Seconds())
	}
	return nil
}

//go:build !slow

package backends

import (
	"os"
	"slices"
	"strings"
)

const full = false

// init has XLA compile with few optimisations, unless its flags are set: tests compile much
// and compute little, and take a third less time so. With the tag slow, and in benchmarks, XLA
// compiles as it does by default.
func init() {
	const flags = "XLA_FLAGS"
	benchmark := slices.ContainsFunc(os.Args, func(arg string) bool {
		return strings.HasPrefix(arg, "-test.bench=") && arg != "-test.bench="
	})
	if _, set := os.LookupEnv(flags); !set && !benchmark {
		_ = os.Setenv(flags, "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false")
	}
}

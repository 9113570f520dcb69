//go:build !slow

package backends

import "os"

const full = false

// init has XLA compile with few optimisations, unless its flags are set: tests compile much
// and compute little, and take a third less time so. With the tag slow, the cases run
// on what XLA makes of them by default.
func init() {
	const flags = "XLA_FLAGS"
	if _, set := os.LookupEnv(flags); !set {
		_ = os.Setenv(flags, "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true --xla_cpu_use_fusion_emitters=false")
	}
}

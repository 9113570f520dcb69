//go:build linux || darwin

package memory

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// available is the machine's memory, or what this process may have of it.
func available() uint64 {
	var limits []uint64
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err == nil {
		limits = append(limits, uint64(limit.Cur))
	}
	// What a container may have, where there is one.
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			limits = append(limits, limit)
		}
	}
	return least(total(), limits...)
}

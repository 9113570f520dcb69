//go:build linux || darwin

package memory

import (
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// available is the machine's memory, or what this process may have of it.
func available() uint64 {
	most := total()
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_AS, &limit); err == nil {
		most = min(most, uint64(limit.Cur))
	}
	// What a container may have, where there is one.
	if text, err := os.ReadFile("/sys/fs/cgroup/memory.max"); err == nil {
		if limit, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64); err == nil {
			most = min(most, limit)
		}
	}
	if most == 0 {
		return math.MaxInt64
	}
	return most
}

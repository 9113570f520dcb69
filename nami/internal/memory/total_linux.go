package memory

import "golang.org/x/sys/unix"

// total is the machine's memory; 0 if it isn't known.
func total() uint64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return uint64(info.Totalram) * uint64(info.Unit)
}

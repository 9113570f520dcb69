// Package usage tells what this process has used of the machine.
package usage

import (
	"runtime"
	"syscall"
)

// ProcessorSeconds is the processor time that this process has used, in all its threads.
func ProcessorSeconds() (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9, nil
}

// PeakMiB is the peak resident memory of this process, in MiB.
func PeakMiB() (float64, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0, err
	}
	unit := 1024.0 // kilobytes on Linux, bytes on macOS
	if runtime.GOOS == "darwin" {
		unit = 1024 * 1024
	}
	return float64(usage.Maxrss) / unit, nil
}

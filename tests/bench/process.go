package main

import (
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// sinceProcessStart is the time since the kernel started this process, in seconds, to
// 10 ms: loading the program and its libraries counts. Where Linux's /proc isn't, it
// counts from the start of main.
func sinceProcessStart() (float64, error) {
	if runtime.GOOS != "linux" {
		return time.Since(started).Seconds(), nil
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return 0, err
	}
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return 0, err
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	if len(fields) < 20 {
		return 0, errors.New("/proc/self/stat is too short")
	}
	ticks, err := strconv.ParseFloat(fields[19], 64)
	if err != nil {
		return 0, err
	}
	up, err := strconv.ParseFloat(strings.Fields(string(uptime))[0], 64)
	if err != nil {
		return 0, err
	}
	return up - ticks/100, nil
}

var started = time.Now()

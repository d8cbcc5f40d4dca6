package main

import (
	"os"
	"runtime"
	"syscall"
)

// peak is the most memory that a program had, in MB; 0 where the system does not say.
func peak(s *os.ProcessState) float64 {
	usage, ok := s.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	unit := 1e3 // kB on Linux
	if runtime.GOOS == "darwin" {
		unit = 1e6
	}
	return float64(usage.Maxrss) / unit
}

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ownSeconds is the time of processors that this process has taken, in seconds.
func ownSeconds() *float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return nil
	}
	s := float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
	return &s
}

// ticks are what Linux counts a second for /proc.
const ticks = 100

// postgresSeconds is the time of processors that all processes of Postgres have taken, also of those that ended; nil where it runs
// on another machine, or on one without /proc.
func (r *run) postgresSeconds(ctx context.Context) *float64 {
	var backend int
	if r.Bench.db.QueryRow(ctx, `select pg_backend_pid()`).Scan(&backend) != nil {
		return nil
	}
	mine, ok := stat(strconv.Itoa(backend))
	if !ok || mine.name != "postgres" {
		return nil
	}
	folders, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	total := 0.0
	for _, folder := range folders {
		pid := filepath.Base(folder)
		p, ok := stat(pid)
		switch {
		case !ok:
		case pid == mine.parent:
			total += p.own + p.ended
		case p.parent == mine.parent:
			total += p.own
		}
	}
	return &total
}

// process is what /proc tells of one: times in seconds, those of children that ended apart.
type process struct {
	name, parent string
	own, ended   float64
}

func stat(pid string) (p process, ok bool) {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return p, false
	}
	_, after, _ := strings.Cut(string(text), "(")
	name, after, ok := strings.Cut(after, ") ") // the name is what may hold spaces; that of Postgres does not
	fields := strings.Fields(after)
	if !ok || len(fields) < 15 {
		return p, false
	}
	var times [4]float64
	for i := range times {
		if _, err := fmt.Sscan(fields[11+i], &times[i]); err != nil {
			return p, false
		}
	}
	return process{name: name, parent: fields[1], own: (times[0] + times[1]) / ticks, ended: (times[2] + times[3]) / ticks}, true
}

package embedpg

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is the postmaster: our child, or one that another program started.
type process struct {
	pid  int
	out  *tail         // what it said before its own log took over; nil for one that was found
	gone chan struct{} // closed when it has ended
}

// spawn starts the postmaster as our child.
func (s *Server) spawn(port int) (process, error) {
	cmd := exec.CommandContext(context.Background(), filepath.Join(s.binaries.Dir, "postgres"), "-D", s.cluster.path(), "-p", strconv.Itoa(port))
	cmd.Dir = s.cluster.path()
	cmd.Env = environment()
	cmd.SysProcAttr = s.cluster.owner.process()
	p := process{out: &tail{}, gone: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.out, p.out
	// Its children may hold the pipe open after it was killed.
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		return process{}, err
	}
	p.pid = cmd.Process.Pid
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(p.gone)
	}()
	return p, nil
}

// found watches a postmaster that is not our child.
func found(pid int) process {
	p := process{pid: pid, gone: make(chan struct{})}
	go func() {
		for exists(pid) {
			time.Sleep(100 * time.Millisecond)
		}
		close(p.gone)
	}()
	return p
}

func (p process) ended() <-chan struct{} { return p.gone }

func (p process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

func (p process) said() string {
	if p.out == nil {
		return ""
	}
	return p.out.String()
}

func (p process) end(sig syscall.Signal) {
	if p.alive() {
		_ = syscall.Kill(p.pid, sig) // one that has just ended is as good
	}
}

// exists says whether a process runs. One that has ended and that nobody waits for, as an orphan in a container whose first
// process does not, counts as gone where the system tells.
func exists(pid int) bool {
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || !bytes.Contains(stat, []byte(") Z "))
}

// postmaster reads who runs the cluster, from the file that every postmaster writes (process, folder, start, port, …).
func (c cluster) postmaster() (pid, port int, ok bool) {
	text, err := os.ReadFile(c.pidFile())
	if err != nil {
		return 0, 0, false
	}
	lines := strings.Split(string(text), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 || !exists(pid) || !isPostgres(pid) {
		return 0, 0, false
	}
	if len(lines) > 3 {
		port, _ = strconv.Atoi(strings.TrimSpace(lines[3]))
	}
	return pid, port, true
}

// bury removes the file that a killed postmaster left. Postgres itself would take the number in it for a living one where
// another program has that number by now, or where nobody has asked yet how the dead one ended. What is left of its
// children still keeps a new server from starting: they hold the shared memory that belongs to the folder.
func (c cluster) bury() {
	if _, _, alive := c.postmaster(); !alive {
		_ = os.Remove(c.pidFile()) // Postgres says so where this fails
	}
}

func (c cluster) pidFile() string { return filepath.Join(c.path(), "postmaster.pid") }

// isPostgres says whether a process is a Postgres; where the system does not tell, it is taken for one.
func isPostgres(pid int) bool {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		out, err := exec.CommandContext(context.Background(), "ps", "-o", "comm=", "-p", strconv.Itoa(pid)).Output()
		if err != nil {
			return true
		}
		name = out
	}
	return strings.Contains(string(name), "postgres")
}

// tail keeps the last 8 KB that were written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - 8192; over > 0 {
		t.text = t.text[over:]
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

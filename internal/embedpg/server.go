package embedpg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Options of a private Postgres.
type Options struct {
	Dir      string            // the data directory
	PgBin    string            // FETCHQ_PG_BIN; "": look everywhere
	Roots    []string          // folders whose node_modules may hold Postgres; see Roots
	Serve    bool              // this program serves from the directory: no other may, and Stop ends the server
	Existing bool              // only a cluster that stands there: where there is none, none is made
	Settings map[string]string // more settings of Postgres, by name
	Log      *slog.Logger
}

// Server is a private Postgres that runs.
type Server struct {
	Version string // as in "18.4"
	Note    string // what a person should know about where it is; mostly empty
	Dir     string // the data directory in use

	opt      Options
	cluster  cluster
	binaries Binaries
	password string
	port     int
	locks    []*os.File // serve.lock and users.lock, held until Stop
	serve    bool

	mu       sync.Mutex
	process  process
	stopping chan struct{}
	watched  sync.WaitGroup
	once     sync.Once
}

const (
	lockWait  = 60 * time.Second // for another program that starts or stops the server
	startWait = 60 * time.Second // for a server to answer; crash recovery may take long, and goes on being waited for
)

// Start makes the cluster where there is none, starts its server, or adopts one that runs. Its errors are errs.Unavailable
// and say in one sentence what refused. With Existing it leaves nothing behind where there is no cluster.
func Start(ctx context.Context, opt Options) (_ *Server, err error) {
	c, err := openDir(opt.Dir, opt.Existing)
	if err != nil {
		return nil, err
	}
	s := &Server{Note: c.note, Dir: c.dir, opt: opt, cluster: c, serve: opt.Serve, stopping: make(chan struct{})}
	defer func() {
		if err != nil {
			s.release()
		}
	}()
	if opt.Serve {
		lock, err := takeServe(c.dir)
		if err != nil {
			return nil, err
		}
		s.locks = append(s.locks, lock)
	}
	users, err := take(c.dir, usersLock, syscall.LOCK_SH)
	if errors.Is(err, errHeld) { // the last user is stopping the server
		users, err = takeSoon(within(ctx, lockWait), c.dir, usersLock, syscall.LOCK_SH)
	}
	if err != nil {
		return nil, fmt.Errorf("take the lock of the data directory: %w", err)
	}
	s.locks = append(s.locks, users)
	lock, err := takeSoon(within(ctx, lockWait), c.dir, startLock, syscall.LOCK_EX)
	if err != nil {
		return nil, errs.New(errs.Unavailable, "another fetchq is starting or stopping the Postgres in %s and does not come to an end", c.dir)
	}
	defer lock.Close()
	if err := s.up(ctx); err != nil {
		return nil, err
	}
	s.watched.Go(s.supervise)
	return s, nil
}

// within bounds a wait; its timer ends with it.
func within(ctx context.Context, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(ctx, d)
	context.AfterFunc(ctx, cancel)
	return ctx
}

// up brings the server up. The caller holds start.lock.
func (s *Server) up(ctx context.Context) error {
	major, err := s.cluster.major()
	if err != nil {
		return err
	}
	if major == 0 && s.opt.Existing { // whoever was making it did not come to an end
		return s.cluster.absent()
	}
	if s.binaries, err = Find(s.opt.PgBin, major, s.opt.Roots...); err != nil {
		return err
	}
	if b := s.binaries; b.Dir != b.Found && s.Note == "" {
		s.Note = fmt.Sprintf("the user %s cannot reach %s, so that its programs run from %s", s.cluster.owner.name, b.Found, b.Dir)
	}
	s.Version = s.binaries.Version
	if s.password, err = s.cluster.password(); err != nil {
		return err
	}
	if major == 0 {
		if err := s.cluster.init(ctx, s.binaries, s.password, s.opt.Log); err != nil {
			return err
		}
	}
	if adopted, err := s.adopt(ctx); adopted || err != nil {
		return err
	}
	if err := s.cluster.configure(s.opt.Settings); err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	return database.Create(ctx, s.address("postgres"), databaseName)
}

// adopt takes over a server that a killed program left behind. It returns false where none runs.
func (s *Server) adopt(ctx context.Context) (bool, error) {
	pid, port, ok := s.cluster.postmaster()
	if !ok {
		return false, nil
	}
	s.port = port
	p := found(pid)
	deadline := time.After(startWait)
	for p.alive() {
		if database.Ping(ctx, s.address("postgres")) == nil {
			s.process = p
			if s.serve {
				s.opt.Log.Info("took over a Postgres that was running", "process", pid, "port", port)
			}
			return true, database.Create(ctx, s.address("postgres"), databaseName)
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-deadline:
			return false, errs.New(errs.Unavailable, "the Postgres in %s (process %d) runs but does not answer on port %d; end it, then start again", s.Dir, pid, port)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return false, nil // it was on its way out
}

// launch starts the server and waits until it answers. A server whose predecessor was killed waits for what is left of
// it: its other processes end by themselves when they notice.
func (s *Server) launch(ctx context.Context) error {
	limit := within(ctx, startWait)
	for {
		port, err := s.choosePort()
		if err != nil {
			return err
		}
		s.cluster.bury()
		p, err := s.spawn(port)
		if err != nil {
			return errs.New(errs.Unavailable, "Postgres cannot be started from %s: %s", s.binaries.Dir, reason(err))
		}
		s.port, s.process = port, p
		if err := s.answer(ctx, p); err == nil {
			return s.cluster.keep(portFile, []byte(strconv.Itoa(port)+"\n"))
		}
		if ctx.Err() != nil {
			p.end(syscall.SIGQUIT)
			return ctx.Err()
		}
		said := p.said()
		if !strings.Contains(said, "shared memory") && !strings.Contains(said, "in use") || limit.Err() != nil {
			p.end(syscall.SIGQUIT)
			return errs.New(errs.Unavailable, "Postgres in %s does not start: %s", s.Dir, lastLine([]byte(said)))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// answer waits until the server answers; an error when it ends instead. A server that recovers from a crash says so, and
// is waited for as long as it lives.
func (s *Server) answer(ctx context.Context, p process) error {
	for p.alive() {
		err := database.Ping(ctx, s.address("postgres"))
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(15 * time.Millisecond):
		}
	}
	return errors.New("the server has ended")
}

// choosePort returns the port of the last start if it is free, else any that is.
func (s *Server) choosePort() (int, error) {
	last := 0
	if text, err := os.ReadFile(filepath.Join(s.Dir, portFile)); err == nil {
		last, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	for _, port := range []int{last, 0} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		port := l.Addr().(*net.TCPAddr).Port
		return port, l.Close()
	}
	return 0, errs.New(errs.Unavailable, "there is no free port on 127.0.0.1 for Postgres")
}

// URL returns the address of the database for other programs, with the password in it.
func (s *Server) URL() string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable", role, s.password, s.port, databaseName)
}

// DialURL is URL for this program. While the server is down anybody on this machine may listen on its port, and ask for the
// password: it is not told, but only proven to be known. (Not every psql and driver knows the word.)
func (s *Server) DialURL() string { return s.address(databaseName) }

func (s *Server) address(name string) string {
	return fmt.Sprintf("postgres://%s:%s@127.0.0.1:%d/%s?sslmode=disable&require_auth=scram-sha-256", role, s.password, s.port, name)
}

// supervise starts the server again whenever it dies, ever later, until Stop.
func (s *Server) supervise() {
	pause := 200 * time.Millisecond
	for {
		s.mu.Lock()
		p := s.process
		s.mu.Unlock()
		select {
		case <-s.stopping:
			return
		case <-p.ended():
		}
		select {
		case <-s.stopping:
			return
		case <-time.After(pause):
		}
		s.opt.Log.Error("Postgres has ended; it is started again", "port", s.port)
		if err := s.again(); err != nil {
			s.opt.Log.Error("Postgres cannot be started again", "error", err)
			pause = min(2*pause, 30*time.Second)
			continue
		}
		pause = 200 * time.Millisecond
	}
}

// again starts the server anew, unless another program has done so already.
func (s *Server) again() error {
	ctx, cancel := context.WithTimeout(context.Background(), lockWait)
	defer cancel()
	go func() {
		select {
		case <-s.stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	lock, err := takeSoon(ctx, s.Dir, startLock, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer lock.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	port := s.port
	if adopted, err := s.adopt(ctx); adopted || err != nil {
		return err
	}
	if err := s.launch(ctx); err != nil {
		return err
	}
	if s.port != port {
		return fmt.Errorf("the port %d is taken by another program; stop fetchq and start it anew", port)
	}
	return nil
}

// Stop ends the server: at once for those who wait for nothing (fast shutdown), and by force when ctx ends. A program that
// does not serve leaves it to others that still use it. It may be called more than once.
func (s *Server) Stop(ctx context.Context) {
	s.once.Do(func() {
		close(s.stopping)
		s.watched.Wait()
		defer s.release()
		if lock, err := takeSoon(ctx, s.Dir, startLock, syscall.LOCK_EX); err == nil {
			defer lock.Close()
		}
		if !s.serve && !s.lastUser() {
			return
		}
		s.process.end(syscall.SIGINT)
		select {
		case <-s.process.ended():
			return
		case <-ctx.Done():
		}
		s.opt.Log.Warn("Postgres takes long to stop; it is told to stop at once")
		s.process.end(syscall.SIGQUIT)
		select {
		case <-s.process.ended():
		case <-time.After(10 * time.Second):
			s.process.end(syscall.SIGKILL)
		}
	})
}

// lastUser says whether no other program uses the server, and keeps others from it until release.
func (s *Server) lastUser() bool {
	users := s.locks[len(s.locks)-1]
	return syscall.Flock(int(users.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

func (s *Server) release() {
	for _, f := range s.locks {
		f.Close()
	}
	s.locks = nil
}

package operations

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/queue"
)

// Options of a service.
type Options struct {
	Log         *slog.Logger
	Node        string           // names this process among those on the same database
	Now         func() time.Time // this machine's clock, to pace batches: what happens in a queue has the database's
	ImportLimit int64            // bytes that all imports which are not done may store together
}

// Service asks for operations and carries them out. Its methods are safe for concurrent use; what is asked for while it is not
// started is done by another node, or when it is.
type Service struct {
	Options
	db     *pgxpool.Pool
	engine *queue.Engine
	load   *load

	mu      sync.Mutex
	running map[uuid.UUID]bool
	work    sync.WaitGroup
	signal  chan struct{}
	tidied  time.Time // only the loop's

	once sync.Once
	stop context.CancelFunc
	done chan struct{}
}

const (
	slots       = 2                     // operations that run here at the same moment
	shortest    = 20 * time.Millisecond // between two looks for operations
	longest     = 5 * time.Second       // between two looks where nobody tells
	failPause   = 2 * time.Second       // after a look that failed
	outcomeWait = 10 * time.Second      // to give operations back when the program stops
	tidyEvery   = 10 * time.Minute      // what is kept no longer is removed
)

// New returns a service over the queues of an engine.
func New(db *pgxpool.Pool, engine *queue.Engine, opt Options) *Service {
	return &Service{
		Options: opt, db: db, engine: engine, load: &load{now: opt.Now},
		running: map[uuid.UUID]bool{}, signal: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// Start takes operations until Stop.
func (s *Service) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.done)
		s.loop(ctx)
	}()
	return nil
}

// Stop ends the batches that run and gives their operations back, for other nodes or the next start. It may be called more than
// once, and without Start.
func (s *Service) Stop() {
	s.once.Do(func() {
		if s.stop == nil {
			close(s.done)
			return
		}
		s.stop()
	})
	<-s.done
}

func (s *Service) loop(ctx context.Context) {
	defer s.release(ctx)
	defer s.work.Wait()
	for {
		pause := failPause
		if _, err := s.runOnce(ctx); err == nil {
			pause = s.untilNext(ctx)
		} else if ctx.Err() == nil {
			s.Log.Error("operations cannot be claimed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.signal:
			s.tidied = time.Time{} // what has ended may have left parts behind
		case <-s.engine.OperationsAsked():
			s.tidied = time.Time{}
		case <-time.After(pause):
		}
	}
}

// runOnce claims as many operations as there are free slots, begins them, and returns how many there were. It does not wait for
// them. It removes what is kept no longer when that is due.
func (s *Service) runOnce(ctx context.Context) (int, error) {
	if now := s.Now(); now.Sub(s.tidied) >= tidyEvery {
		more, err := s.tidy(ctx)
		if err != nil {
			return 0, err
		}
		if !more {
			s.tidied = now
		}
	}
	free := s.free()
	if free == 0 {
		return 0, nil
	}
	rows, err := s.db.Query(ctx, `select `+claimColumns+` from fetchq.operation_claim($1, $2) o`, s.Node, free)
	if err != nil {
		return 0, database.Error("claim operations", err)
	}
	claims, err := pgx.CollectRows(rows, scanClaim)
	if err != nil {
		return 0, database.Error("claim operations", err)
	}
	for _, c := range claims {
		if s.begin(c.id) {
			s.work.Go(func() {
				s.run(ctx, c)
				s.end(c.id)
			})
		}
	}
	return len(claims), nil
}

// free returns how many slots are free.
func (s *Service) free() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slots - len(s.running)
}

// begin takes a slot. It returns false for an operation whose claim ran out while it runs here: it goes on under the new one.
func (s *Service) begin(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.running[id]
	s.running[id] = true
	return !runs
}

// end frees a slot, and lets the loop look for the next in line.
func (s *Service) end(id uuid.UUID) {
	s.mu.Lock()
	delete(s.running, id)
	s.mu.Unlock()
	s.wake()
}

// wake lets the loop look before its time.
func (s *Service) wake() {
	select {
	case s.signal <- struct{}{}:
	default:
	}
}

// untilNext returns how long to sleep until there is an operation to claim for a slot that is free.
func (s *Service) untilNext(ctx context.Context) time.Duration {
	if s.tidied.IsZero() {
		return shortest // there is more to remove
	}
	if s.free() == 0 {
		return longest // the end of one is told
	}
	var next *float64
	if err := s.db.QueryRow(ctx, `select fetchq.operation_next()`).Scan(&next); err != nil || next == nil {
		return longest
	}
	return min(max(time.Duration(min(*next, 60)*float64(time.Second)), shortest), longest)
}

// tidy removes what is kept no longer, a batch of it, and says whether there may be more.
func (s *Service) tidy(ctx context.Context) (more bool, err error) {
	var n int64
	err = s.db.QueryRow(ctx, `select fetchq.operations_tidy()`).Scan(&n)
	return n > 0, database.Error("remove old operations", err)
}

// release gives back what this node has claimed, when the program stops.
func (s *Service) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	if _, err := s.db.Exec(ctx, `select fetchq.operation_release($1)`, s.Node); err != nil && !errors.Is(err, context.Canceled) {
		s.Log.Warn("operations are not given back; their claims run out", "error", err)
	}
}

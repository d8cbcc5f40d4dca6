package catalog

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/seal"
)

// Options of a service.
type Options struct {
	DB         *pgxpool.Pool
	Backups    *backup.Backups
	Operations *operations.Service
	Engine     *queue.Engine
	Log        *slog.Logger
	Node       string                            // names this process among those on the same database
	Now        func() time.Time                  // this machine's clock, to pace and to keep listings; schedules have the database's
	Secret     func(name string) (string, bool)  // a variable of the environment
	SecretFile func(name string) (string, error) // a file in the folder of secrets
	Access     backup.Access                     // where destinations may lead
}

// Service keeps destinations and schedules, asks for runs, and carries them out. Its methods are safe for concurrent use; what is asked for while
// it is not started is done by another node, or when it is.
type Service struct {
	Options
	listings *listings
	sealer   *seal.Sealer // nil: there is no key

	mu      sync.Mutex
	running map[uuid.UUID]bool
	work    sync.WaitGroup
	signal  chan struct{}
	tidied  time.Time // only the loop's
	swept   time.Time // likewise

	once sync.Once
	stop context.CancelFunc
	done chan struct{}
}

const (
	lookEvery   = 2 * time.Second  // for operations that another node was asked for, and for schedules
	outcomeWait = 10 * time.Second // to write an outcome, also when the program stops
	tidyEvery   = time.Hour        // what is known of backups that are long gone is forgotten
	sweepEvery  = 10 * time.Second // what restores left behind that were killed is removed
)

// New returns a service. Its node is another one than that of the operations on documents, which give back by it what they have claimed.
func New(opt Options) *Service {
	opt.Node += " backups"
	s := &Service{Options: opt, running: map[uuid.UUID]bool{}, signal: make(chan struct{}, 1), done: make(chan struct{})}
	s.listings = newListings(s.list, opt.Now)
	return s
}

// UseKey seals the secrets of destinations under the key of the installation, a random text of seal.MinKey characters at least; without one they can
// be named by reference alone. It is called before anything else.
func (s *Service) UseKey(text string) (err error) {
	s.sealer, err = seal.New(text, seal.Destinations)
	return err
}

// CanSeal says whether secrets can be kept in the database.
func (s *Service) CanSeal() bool { return s.sealer != nil }

// Start takes operations and looks after schedules until Stop.
func (s *Service) Start(ctx context.Context) error {
	ctx, s.stop = context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer close(s.done)
		s.loop(ctx)
	}()
	return nil
}

// Stop breaks off what runs here and gives it back, for other nodes or the next start. It may be called more than once, and without Start.
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
		if _, err := s.runOnce(ctx); err != nil && ctx.Err() == nil {
			s.Log.Error("backups cannot be looked after", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.signal:
		case <-time.After(lookEvery):
		}
	}
}

// runOnce asks for what schedules want by now, claims what nobody is at, begins that, and returns how much it was. It does not wait for it.
func (s *Service) runOnce(ctx context.Context) (int, error) {
	if err := s.askDue(ctx); err != nil {
		return 0, err
	}
	if now := s.Now(); now.Sub(s.tidied) >= tidyEvery {
		if _, err := s.DB.Exec(ctx, `delete from fetchq.backups where gone_at < clock_timestamp() - interval '400 days'`); err != nil {
			return 0, database.Error("forget backups", err)
		}
		s.tidied = now
	}
	if now := s.Now(); now.Sub(s.swept) >= sweepEvery {
		s.swept = now
		s.sweep(ctx)
	}
	rows, err := s.DB.Query(ctx, `select id, action, asks, coalesce(told, '{}'), failures, asked_by, asked_as from fetchq.backup_claim($1)`, s.Node)
	if err != nil {
		return 0, database.Error("claim backups", err)
	}
	claims, err := pgx.CollectRows(rows, pgx.RowToStructByPos[claim])
	if err != nil {
		return 0, database.Error("claim backups", err)
	}
	for _, c := range claims {
		if s.begin(c.ID) {
			s.work.Go(func() {
				s.run(ctx, c)
				s.end(c.ID)
			})
		}
	}
	return len(claims), nil
}

// sweep holds nothing else up: what cannot be removed now can be later.
func (s *Service) sweep(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, outcomeWait)
	defer cancel()
	if err := s.Backups.Sweep(ctx, s.DB); err != nil && ctx.Err() == nil {
		s.Log.Warn("what restores left behind cannot be removed", "error", err)
	}
}

// begin takes note of an operation that runs here. It returns false for one whose claim ran out while it still does: that try will end, and
// another one begins when the new claim has run out too.
func (s *Service) begin(id uuid.UUID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	runs := s.running[id]
	s.running[id] = true
	return !runs
}

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

// release gives back what this node has claimed, when the program stops.
func (s *Service) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), outcomeWait)
	defer cancel()
	if _, err := s.DB.Exec(ctx, `select fetchq.operation_release($1)`, s.Node); err != nil {
		s.Log.Warn("backups are not given back; their claims run out", "error", err)
	}
}

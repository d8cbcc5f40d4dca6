package scrape

import (
	"context"
	"time"

	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/queue"
)

const (
	lookTime  = 3 * time.Second // for the database: scrapers wait for 10 s by default
	lookLasts = time.Second     // what it said
)

// standing is how everything stood at one look. Where the database did not answer only took is set.
type standing struct {
	up     bool
	at     time.Time     // by this machine's clock
	took   time.Duration // to read
	stat   database.Stat
	queues []queue.Summary
	now    time.Time // by the database's clock
	jobs   []queue.JobLag
	kept   metrics.KeptMetrics

	backups   Backups
	backupsAt time.Time // by this machine's clock: when that was asked
}

// look returns how everything stands; it may be lookLasts old. Who holds the turn calls it.
func (h *Handler) look(ctx context.Context) *standing {
	if s := h.seen; s != nil && h.Now().Sub(s.at) < lookLasts {
		return s
	}
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	s := &standing{at: h.Now()}
	err := s.read(ctx, h.Options, h.seen)
	s.took = h.Now().Sub(s.at)
	switch wasUp := h.seen == nil || h.seen.up; {
	case err != nil && wasUp:
		h.Log.Error("the database does not tell how the queues stand; scrapes have the figures of the program alone", "error", err)
	case err == nil && !wasUp:
		h.Log.Info("the database tells how the queues stand again")
	}
	if err != nil {
		s = &standing{at: s.at, took: s.took}
	}
	h.seen = s
	return s
}

func (s *standing) read(ctx context.Context, from Options, before *standing) (err error) {
	if s.stat, err = database.ReadStat(ctx, from.Pool); err != nil {
		return err
	}
	if s.queues, err = from.Engine.Summaries(ctx); err != nil {
		return err
	}
	if s.jobs, err = from.Engine.JobLags(ctx); err != nil {
		return err
	}
	if s.kept, err = from.Series.Kept(ctx); err != nil {
		return err
	}
	if err := s.readBackups(ctx, from, before); err != nil {
		return err
	}
	s.now, s.up = s.stat.Now, true
	return nil
}

package web

import (
	"context"
	"sync"
	"time"

	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/web/templates"
)

// missing keeps for a moment which schedules did not make their backups: every page over queues asks for it.
type missing struct {
	mu    sync.Mutex
	found []catalog.Trouble
	at    time.Time
	known bool
}

const missingLasts = 5 * time.Second

// troubledBackups returns the schedules whose backups are missing or failed; while the database does not answer, as far as was known before. Who sees
// some queues only is told of none: they are of more than those.
func (s *Server) troubledBackups(ctx context.Context) []catalog.Trouble {
	if queue.Limited(ctx) {
		return nil
	}
	s.missing.mu.Lock()
	defer s.missing.mu.Unlock()
	now := s.Now()
	if s.Catalog == nil || s.missing.known && now.Sub(s.missing.at) < missingLasts {
		return s.missing.found
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), boardWait)
	defer cancel()
	if found, err := s.Catalog.Troubles(ctx); err == nil {
		s.missing.found, s.missing.known = found, true
	}
	s.missing.at = s.Now()
	return s.missing.found
}

// beside adds to how a queue stands that a backup of it is missing or failed.
func (h health) beside(name string, troubles []catalog.Trouble) health {
	for _, t := range troubles {
		if !t.Schedule.Covers(name) {
			continue
		}
		if !h.trouble() {
			h.word = "attention"
		}
		h.reasons = append(h.reasons, templates.Reason{Text: "the schedule " + t.Schedule.Name + ": " + t.Words, Href: backupsURL + "?tab=schedules"})
	}
	return h
}

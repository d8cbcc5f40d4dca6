package app

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/embedpg"
)

// stopPostgres is how long a private Postgres may take to stop before it is told to stop at once.
const stopPostgres = 30 * time.Second

// Use is what a program wants of the database.
type Use int

// The uses: a private Postgres is made for those that bring one up, and not for who only looks something up and may have named
// the wrong folder.
const (
	Look  Use = iota // it must be there
	Make             // it is made where there is none
	Serve            // and no other program may serve from it
)

// Source is where the database is: a given Postgres, or a private one that runs as long as somebody uses it.
type Source struct {
	URL        string
	MigrateURL string // for migrations and LISTEN: past a transaction pooler
	TellURL    string // for people and their programs; the others may say what only this one understands
	private    *embedpg.Server
}

// OpenSource finds or starts the database that the settings name.
func OpenSource(ctx context.Context, cfg config.Config, use Use, log *slog.Logger) (*Source, error) {
	if cfg.DatabaseURL != "" {
		return &Source{URL: cfg.DatabaseURL, MigrateURL: cfg.MigrateURL(), TellURL: cfg.DatabaseURL}, nil
	}
	private, err := embedpg.Start(ctx, embedpg.Options{
		Dir: cfg.DataDir, PgBin: cfg.PgBin, Roots: embedpg.Roots(), Serve: use == Serve, Existing: use == Look, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return &Source{URL: private.DialURL(), MigrateURL: private.DialURL(), TellURL: private.URL(), private: private}, nil
}

// String says in a few words which Postgres it is.
func (s *Source) String() string {
	if s.private == nil {
		return "Postgres of DATABASE_URL"
	}
	text := fmt.Sprintf("private Postgres %s in %s", s.private.Version, s.private.Dir)
	if s.private.Note != "" {
		text += ": " + s.private.Note
	}
	return text
}

// Dir is the data directory of a private Postgres; "" where it is somebody else's.
func (s *Source) Dir() string {
	if s.private == nil {
		return ""
	}
	return s.private.Dir
}

// Close stops a private Postgres that nobody else uses.
func (s *Source) Close(ctx context.Context) {
	if s.private == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopPostgres)
	defer cancel()
	s.private.Stop(ctx)
}

// Package app puts the program together: it is the only list of constructors, and what tests start on a free port.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/net/netutil"

	"github.com/fetchq/server/internal/api"
	"github.com/fetchq/server/internal/audit"
	"github.com/fetchq/server/internal/auth"
	"github.com/fetchq/server/internal/catalog"
	"github.com/fetchq/server/internal/charts"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/maintenance"
	"github.com/fetchq/server/internal/metrics"
	"github.com/fetchq/server/internal/operations"
	"github.com/fetchq/server/internal/queue"
	"github.com/fetchq/server/internal/web"
	"github.com/fetchq/server/web/static"
)

// Limits of the HTTP server. A request has so long to come unless its handler gives it more, which the API does when it knows
// the token. An answer has no time limit, but must make progress (answerPatience): a pick may wait, a stream may go on.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 64 << 10
)

// App is the running program.
type App struct {
	cfg        config.Config
	log        *slog.Logger
	version    string
	key        string // under which secrets are kept in the database; "": there is none
	listener   net.Listener
	source     *Source
	pool       *pgxpool.Pool
	engine     *queue.Engine
	loop       *maintenance.Loop
	operations *operations.Service
	catalog    *catalog.Service
	recent     *metrics.Recent
	series     *metrics.Snapshots
	site       *web.Server
	users      *auth.Users
	audit      *audit.Log
	server     *http.Server
	hangUp     context.CancelFunc // ends the contexts of all requests
	failed     chan error
}

// New returns the program, not yet started.
func New(cfg config.Config, version string, log *slog.Logger) *App {
	return &App{cfg: cfg, log: log, version: version, failed: make(chan error, 1)}
}

// Start brings everything up, in order: the port (so that a taken one is told at once), the database, its migrations, the
// engine, the maintenance loop, the operations, the backups, the answers. What an error leaves behind is stopped.
func (a *App) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			a.Stop(context.WithoutCancel(ctx))
		}
	}()
	if a.listener, err = listen(ctx, a.cfg.Listen); err != nil {
		return err
	}
	if a.source, err = OpenSource(ctx, a.cfg, Serve, a.log); err != nil {
		return err
	}
	if err := database.Migrate(ctx, a.source.MigrateURL, a.log); err != nil {
		return err
	}
	if a.pool, err = database.Open(ctx, a.source.URL, database.Options{MaxConns: a.cfg.PoolSize}); err != nil {
		return err
	}
	node := uuid.NewString()
	a.engine = queue.New(a.pool, queue.Options{Log: a.log, Node: node, ListenURL: a.cfg.ListenURL, Now: time.Now})
	if err := a.engine.Start(ctx); err != nil {
		return err
	}
	a.loop = maintenance.New(a.pool, a.engine, maintenance.Options{Log: a.log, Node: node, Now: time.Now})
	if err := a.loop.Start(ctx); err != nil {
		return err
	}
	a.operations = operations.New(a.pool, a.engine, operations.Options{Log: a.log, Node: node, Now: time.Now, ImportLimit: int64(a.cfg.ImportLimit) << 20})
	if err := a.operations.Start(ctx); err != nil {
		return err
	}
	if a.key, err = installationKey(a.cfg, a.source.Dir()); err != nil {
		return fmt.Errorf("the key of this installation: %w", err)
	}
	if err := a.keepBackups(ctx, node); err != nil {
		return err
	}
	a.recent = metrics.New(a.sample, metrics.NewStore(a.pool, a.log).Past, time.Now, a.log)
	if err := a.recent.Start(ctx); err != nil {
		return err
	}
	a.series = metrics.NewSnapshots(a.pool, time.Now, a.log)
	if err := a.series.Start(ctx); err != nil {
		return err
	}
	a.audit = audit.New(a.pool, audit.Options{Log: a.log, Now: time.Now})
	if err := a.audit.Start(ctx); err != nil {
		return err
	}
	a.users = auth.NewUsers(a.pool, time.Now)
	if a.key != "" {
		if err := a.users.UseKey(a.key); err != nil {
			return err
		}
	}
	if a.cfg.AdminEmail != "" {
		if err := a.users.Bootstrap(ctx, a.cfg.AdminEmail, a.cfg.AdminPassword); err != nil {
			return fmt.Errorf("make the first admin of FETCHQ_ADMIN_EMAIL: %w", err)
		}
	}
	return a.serve(ctx)
}

// sample reads what the site shows of the last minutes.
func (a *App) sample(ctx context.Context) ([]metrics.Sample, error) {
	all, err := a.engine.Summaries(ctx)
	samples := make([]metrics.Sample, len(all))
	for i, q := range all {
		samples[i] = sampleOf(q)
	}
	return samples, err
}

// sampleOf counts as processed what the metric of that name does.
func sampleOf(q queue.Summary) metrics.Sample {
	e := q.Events
	return metrics.Sample{
		Queue: q.Name, Created: q.CreatedAt, Pending: q.Counts.Pending, Active: q.Counts.Active, Killed: q.Counts.Killed,
		Entered: e.Entered, Errors: e.Errors, Rejected: e.Rejected, Processed: e.Completed + e.Rescheduled + e.Rejected + e.Dropped + e.Forwarded,
	}
}

// listen takes the port, and says in one sentence why it cannot.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var cfg net.ListenConfig
	l, err := cfg.Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, errs.New(errs.Unavailable, "another program, perhaps a Fetchq that runs already, listens on %s; stop it, or set FETCHQ_LISTEN to another address", address)
	case err != nil:
		return nil, errs.New(errs.Unavailable, "%s is no address to listen on: %s", address, plain(err))
	}
	return l, nil
}

// plain is the system's word for what went wrong.
func plain(err error) string {
	var call *os.SyscallError
	if errors.As(err, &call) {
		return call.Err.Error()
	}
	return err.Error()
}

func (a *App) serve(ctx context.Context) error {
	assets, err := static.Load()
	if err != nil {
		return err
	}
	proxies, err := a.cfg.ProxyPrefixes()
	if err != nil {
		return err
	}
	entrance, headers, err := a.entrance()
	if err != nil {
		return err
	}
	tokens := auth.NewTokens(a.pool, time.Now)
	base, hangUp := context.WithCancel(context.WithoutCancel(ctx))
	a.hangUp = hangUp
	kept := charts.NewStore(a.pool)
	calls := api.New(api.Options{
		Engine: a.engine, Operations: a.operations, Catalog: a.catalog, Series: metrics.NewStore(a.pool, a.log), Charts: kept, Tokens: tokens, Audit: a.audit, Ready: a.ready, Log: a.log, Now: time.Now,
		Proxies: proxies, Version: a.version, BaseURL: a.cfg.BaseURL,
	})
	calls.ServeScrapes(a.scrapes(), a.cfg.MetricsOpen)
	a.site = web.New(web.Options{
		Engine: a.engine, Operations: a.operations, Catalog: a.catalog, Recent: a.recent, Charts: kept, Metrics: charts.Reader{Series: metrics.NewStore(a.pool, a.log), Store: kept, Engine: a.engine},
		Users: a.users, Tokens: tokens, Audit: a.audit, Assets: assets, Log: a.log, Now: time.Now,
		Sessions: auth.NewSessions(a.pool, a.cfg.Secure()), Proxies: proxies, URL: a.URL(), BaseURL: a.cfg.BaseURL, Env: a.cfg.Env,
		Provider: a.provider(), Headers: headers, Entrance: entrance,
	})
	a.server = newServer(base, route(calls, a.site), a.log)
	serve := a.server.Serve
	if a.cfg.TLSCert != "" {
		kept, err := newCertificates(a.cfg.TLSCert, a.cfg.TLSKey, a.log, time.Now)
		if err != nil {
			return errs.New(errs.Unavailable, "%s", err)
		}
		a.server.TLSConfig = kept.config()
		serve = func(l net.Listener) error { return a.server.ServeTLS(l, "", "") }
	}
	go func() {
		if err := serve(limited(a.listener, a.cfg.Connections)); !errors.Is(err, http.ErrServerClosed) {
			a.failed <- fmt.Errorf("serve on %s: %w", a.cfg.Listen, err)
		}
	}()
	return nil
}

// route leads a request to the API or to the site. It looks at the path as it was sent: http.ServeMux would clean it, and a
// subject may hold anything.
func route(calls, site http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch p := r.URL.Path; {
		case strings.HasPrefix(p, "/api/"), p == "/healthz", p == "/readyz", p == "/metrics":
			calls.ServeHTTP(w, r)
		default:
			site.ServeHTTP(w, r)
		}
	})
}

// limited lets only so many connections in at once; 0: any number.
func limited(l net.Listener, connections int) net.Listener {
	if connections == 0 {
		return l
	}
	return netutil.LimitListener(l, connections)
}

// SetupURL is the one-time link by which the first admin is made; "" where there are users.
func (a *App) SetupURL(ctx context.Context) (string, error) {
	text, err := a.users.SetupLink(ctx)
	if err != nil || text == "" {
		return "", err
	}
	return a.URL() + "/setup/" + text, nil
}

// URL is where browsers find the site.
func (a *App) URL() string { return a.cfg.Site(a.Addr()) }

func newServer(base context.Context, handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: progressing(handler, answerPatience), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout,
		IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// ready says whether the database answers; its migrations were current when the program started.
func (a *App) ready(ctx context.Context) error { return database.Error("ping", a.pool.Ping(ctx)) }

// Addr is where the program serves.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Postgres says in a few words which Postgres the program uses.
func (a *App) Postgres() string { return a.source.String() }

// Failed tells when the program cannot go on.
func (a *App) Failed() <-chan error { return a.failed }

// Stop ends everything in the order opposite to Start: no new requests, waiting picks answered, running requests drained
// for as long as the settings say, then backups, operations, maintenance, engine, pool, and the private Postgres.
func (a *App) Stop(ctx context.Context) {
	if a.server != nil {
		drain, cancel := context.WithTimeout(ctx, a.cfg.DrainTimeout)
		a.engine.Stop() // waiting picks answer now
		a.site.Stop()   // streams of events end
		if err := a.server.Shutdown(drain); err != nil {
			a.log.Warn("requests that take too long are cut off", "error", err)
			a.hangUp()
			a.server.Close()
		}
		cancel()
		a.hangUp()
	} else if a.listener != nil {
		a.listener.Close()
	}
	if a.audit != nil {
		a.audit.Stop()
	}
	if a.series != nil {
		a.series.Stop()
	}
	if a.recent != nil {
		a.recent.Stop()
	}
	if a.catalog != nil {
		a.catalog.Stop()
	}
	if a.operations != nil {
		a.operations.Stop()
	}
	if a.loop != nil {
		a.loop.Stop()
	}
	if a.engine != nil {
		a.engine.Stop()
	}
	if a.pool != nil {
		a.pool.Close()
	}
	if a.source != nil {
		a.source.Close(ctx)
	}
}

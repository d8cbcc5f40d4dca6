package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/database"
	"github.com/fetchq/server/internal/errs"
)

// Target is what a benchmark loads.
type Target struct {
	DatabaseURL string
	ServerURL   string           // of a server on that database; "": workloads over HTTP are refused
	Token       string           // with the rights read, push and work on queues bench_*
	Settle      func()           // makes the server close its idle connections, so that Postgres counts what they did; nil: it cannot
	Local       bool             // the server is part of this process
	Now         func() time.Time // this machine's clock: it measures
	Say         func(string)     // tells a person what takes long; nil: nobody
}

// Bench is a benchmark in progress. It is for one goroutine.
type Bench struct {
	Target
	db     *pgxpool.Pool // for what is not measured
	client *http.Client
	quiet  *quiet // what the server does by itself; nil until it was measured

	mu   sync.Mutex
	made []string // queues that are to be dropped

	listRuns int                         // how often each list is asked for
	inspect  func(context.Context, *run) // for tests: looks at what is there before it goes
}

// Open connects to the database. Close ends it. Errors: Unavailable.
func Open(ctx context.Context, t Target) (*Bench, error) {
	if t.Say == nil {
		t.Say = func(string) {}
	}
	db, err := database.Open(ctx, t.DatabaseURL, database.Options{MaxConns: 4, Name: "fetchq bench"})
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns = maxConnections, maxConnections
	return &Bench{Target: t, db: db, client: &http.Client{Transport: transport}, listRuns: 50}, nil
}

// Close ends the connections.
func (b *Bench) Close() {
	b.client.CloseIdleConnections()
	b.db.Close()
}

// run is one workload in progress.
type run struct {
	*Bench
	o       Options
	queue   string
	payload string        // of every document, JSON
	db      *pgxpool.Pool // for what is measured: as many connections as the options say
	http    *client.Client
	marks   marks
	ends    atomic.Int64 // of leases, by the workload fail
	latency bool
}

// Run runs one workload and returns what it did. What it made is dropped when it returns, whether it failed, was interrupted, or
// not. Errors: Invalid (an option outside its limits, no server to reach over HTTP, too few connections), the context's.
func (b *Bench) Run(ctx context.Context, o Options) (result Result, err error) {
	if o, err = o.Fill(); err == nil {
		err = o.Check()
	}
	if err != nil {
		return Result{}, err
	}
	if err := b.reachable(ctx, o); err != nil {
		return Result{}, err
	}
	w, err := find(o.Workload)
	if err != nil {
		return Result{}, err
	}
	r := &run{Bench: b, o: o, queue: newName(), payload: newPayload(o.Payload), latency: w.latency}
	defer func() { err = errors.Join(err, b.clean(ctx)) }()
	b.note(r.queue)
	if err := b.make(ctx, r.queue, o); err != nil {
		return Result{}, err
	}
	if err := r.connect(ctx); err != nil {
		return Result{}, err
	}
	defer func() { r.db.Close() }()
	m, cost, err := r.measure(ctx, w)
	if err != nil {
		return Result{}, fmt.Errorf("%s by %s: %w", o.Workload, o.By, err)
	}
	return newResult(o, m, cost), nil
}

// measure prepares a workload, holds a snapshot if asked, and runs it.
func (r *run) measure(ctx context.Context, w workload) (measured, cost, error) {
	begin := w.begin
	if r.o.By == ByRaw {
		begin = raws[w.raw]
	}
	l, err := begin(ctx, r)
	if err != nil {
		return measured{}, cost{}, err
	}
	if r.o.Hold {
		release, err := r.hold(ctx)
		if err != nil {
			return measured{}, cost{}, err
		}
		defer release()
	}
	if err := r.sleep(ctx, r.o.Rest); err != nil {
		return measured{}, cost{}, err
	}
	if r.inspect != nil {
		defer r.inspect(ctx, r)
	}
	if l.rest != nil {
		var m measured
		err := l.rest(ctx, &m)
		return m, cost{}, err
	}
	before, err := r.read(ctx)
	if err != nil {
		return measured{}, cost{}, err
	}
	m, err := r.repeat(ctx, l)
	if err != nil {
		return m, cost{}, err
	}
	after, err := r.read(ctx)
	return m, r.cost(before, after, m.took), err
}

// reachable refuses a workload whose server or whose connections are not there.
func (b *Bench) reachable(ctx context.Context, o Options) error {
	if o.By != BySQL && o.By != ByRaw || o.Workload == "wait" && o.By == BySQL || o.Workload == "bulk" {
		if b.ServerURL == "" {
			return errs.New(errs.Invalid, "the workload %s by %s needs a server; give its address with --url", o.Workload, o.By)
		}
	}
	if o.By == ByHTTP {
		return nil
	}
	var free int
	err := b.db.QueryRow(ctx, `select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int - count(*)
		from pg_stat_activity where backend_type = 'client backend'`).Scan(&free)
	if err == nil && o.Connections+2 > free {
		err = errs.New(errs.Invalid, "--connections is %d; this Postgres has %d left (max_connections)", o.Connections, max(free-2, 0))
	}
	return err
}

// connect opens the connections of a workload, and asks the server whether it serves from the same database.
func (r *run) connect(ctx context.Context) error {
	conns := 4
	if r.o.By != ByHTTP {
		conns = r.o.Connections + 1
	}
	var err error
	if r.db, err = database.Open(ctx, r.DatabaseURL, database.Options{MaxConns: conns, Name: loadName}); err != nil {
		return err
	}
	if r.ServerURL == "" {
		return nil
	}
	r.http = client.New(r.ServerURL, r.Token, client.WithHTTPClient(r.client))
	if _, err := r.http.Pick(ctx, r.queue, client.PickRequest{Version: 1}); err != nil {
		var e *client.Error
		if errors.As(err, &e) && e.Code == "not_found" {
			return errs.New(errs.Invalid, "the server at %s serves from another database than DATABASE_URL names: it does not know the queue %s", r.ServerURL, r.queue)
		}
		return fmt.Errorf("try the server: %w", err)
	}
	return nil
}

// note keeps the name of a queue that is about to be made.
func (b *Bench) note(name string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.made = append(b.made, name)
}

// clean drops what a run made.
func (b *Bench) clean(ctx context.Context) error {
	b.mu.Lock()
	names := slices.Clone(b.made)
	b.made = nil
	b.mu.Unlock()
	return b.dropAll(ctx, names)
}

// sleep waits, or ends with the context.
func (b *Bench) sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// newPayload returns a JSON object of so many bytes. Its text does not compress: Postgres would store kilobytes of one letter
// in a few bytes.
func newPayload(size int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	text := make([]byte, size-len(`{"text": ""}`))
	for i := range text {
		text[i] = letters[rand.IntN(len(letters))] //nolint:gosec // nothing depends on it but its size
	}
	return `{"text": "` + strings.TrimSpace(string(text)) + `"}`
}

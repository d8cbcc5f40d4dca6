package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/google/uuid"

	"github.com/fetchq/server/internal/app"
	"github.com/fetchq/server/internal/bench"
	"github.com/fetchq/server/internal/config"
	"github.com/fetchq/server/internal/errs"
)

// benchmark is fetchq bench.
type benchmark struct {
	Workloads []string `arg:"" optional:"" help:"What to measure, from the list above. Default: ingest and drain."`

	By          []string      `placeholder:"sql,http" help:"By SQL, by HTTP, or both (default)."`
	Batch       int           `placeholder:"N" help:"Documents of a call, 1 to 1000; lines of a stream, to 100000."`
	Connections int           `placeholder:"N" help:"Connections by SQL and workers over HTTP, 1 to 1000."`
	Payload     int           `placeholder:"BYTES" help:"Bytes of a payload, 16 to 1000000; default 100."`
	Backlog     int           `placeholder:"N" help:"Documents that are due before the workload begins, up to 20 million."`
	Planned     int           `placeholder:"N" help:"Documents with dates ahead beside them, up to 20 million."`
	Queues      int           `placeholder:"N" help:"Queues of the workload idle, up to 2000."`
	Hold        bool          `help:"Hold a snapshot in an idle transaction meanwhile, as a dump does."`
	NoMarks     bool          `help:"Picks by SQL pass no low-water marks, as those of psql do not."`
	MaxActive   int           `placeholder:"N" help:"The setting max_active of the queues: their picks take turns."`
	Journal     string        `placeholder:"errors" help:"The setting journal of the queues: off, errors or all."`
	Duration    time.Duration `placeholder:"5s" help:"How long each workload runs, 100ms to 1h; a drain ends when nothing is left."`
	Rest        time.Duration `placeholder:"0s" help:"Wait between the preparation and the workload, up to 10m."`
	Raw         bool          `help:"Run the barest SQL of the same work too, and print the ratio to it."`
	JSON        bool          `name:"json" help:"Print one JSON object for each workload."`
	Suite       string        `placeholder:"docs|long|lists" help:"Run a list of workloads with their raw limits and print Markdown: docs, the table of docs/performance.md, long, half an hour of millions, or lists, every list of ten million documents."`
	Scale       float64       `default:"1" help:"Sizes of a suite times this, to try it small."`
	URL         string        `name:"url" placeholder:"URL" help:"A server that runs on the same database, for HTTP. Default: one of its own on a free port."`
	Token       string        `placeholder:"TEXT" help:"A token of that server with the rights read, push and work."`
}

// Help stands below the usage of fetchq bench.
func (benchmark) Help() string {
	return `Workloads:
` + bench.Help() + `
A workload gets a queue of its own, bench_ and 20 random letters, which is dropped at the end, also after Ctrl-C.
The raw limit is the barest SQL of the same work. Dead docs and dead deltas are the old versions of rows that vacuum
has not removed when the workload ends: of the table of documents, and of that of changes to the counters.

  fetchq bench                                             ingest and drain by SQL and HTTP, half a minute
  fetchq bench drain --raw --batch 1 --connections 64      one document at a time, beside the raw limit
  fetchq bench drain --hold --backlog 2000000 --duration 1m   while a snapshot is held
  fetchq bench pick empty --planned 1000000 --by sql       latency behind a million planned documents
  fetchq bench wait --url http://127.0.0.1:8080 --token T  through a server that runs`
}

// Run measures, and prints as it goes.
func (c benchmark) Run(ctx context.Context, cfg config.Config, log *slog.Logger) (err error) {
	plan, err := c.plan()
	if err != nil {
		return err
	}
	t, err := app.OpenTools(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer t.Close(ctx)
	target := bench.Target{DatabaseURL: t.DialURL(), ServerURL: c.URL, Token: c.Token, Now: time.Now}
	target.Say = func(text string) { fmt.Fprintln(os.Stderr, "fetchq bench:", text) }
	if c.URL == "" {
		stop, err := c.serve(ctx, t, cfg, &target)
		if err != nil {
			return err
		}
		defer stop()
	}
	b, err := bench.Open(ctx, target)
	if err != nil {
		return err
	}
	defer b.Close()
	err = c.run(ctx, b, plan)
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errs.New(errs.Unavailable, "interrupted; the queues of the benchmark are gone")
	}
	return err
}

// serve starts a node on the same database, and makes a token for it that opens the queues of benchmarks only.
func (benchmark) serve(ctx context.Context, t *app.Tools, cfg config.Config, target *bench.Target) (stop func(), err error) {
	cfg.LogLevel = "warn"
	node, err := t.Node(ctx, cfg, program(), cfg.Logger())
	if err != nil {
		return nil, err
	}
	name, day := "bench "+uuid.NewString(), time.Now().Add(24*time.Hour)
	_, text, err := t.Tokens.Create(ctx, name, []string{"read", "push", "work"}, []string{"bench_*"}, &day, "")
	if err != nil {
		node.Stop(ctx)
		return nil, err
	}
	target.ServerURL, target.Token, target.Settle, target.Local = "http://"+node.Addr(), text, node.Settle, true
	return func() {
		over := context.WithoutCancel(ctx)
		if err := t.Tokens.Revoke(over, name); err != nil {
			target.Say("the token " + name + " could not be revoked; it expires in a day")
		}
		node.Stop(over)
	}, nil
}

// plan is what is to be run, checked before anything is started.
func (c benchmark) plan() (plan []bench.Options, err error) {
	if c.URL != "" {
		if u, err := url.Parse(c.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil {
			return nil, errs.New(errs.Invalid, "--url is no address of a server; something like http://127.0.0.1:8080 is wanted")
		}
	}
	switch {
	case (c.URL == "") != (c.Token == ""):
		return nil, errs.New(errs.Invalid, "--url and --token go together; one of them is missing")
	case c.Suite != "" && len(c.Workloads) > 0:
		return nil, errs.New(errs.Invalid, "--suite is a list of workloads; leave out %q", c.Workloads[0])
	case c.Suite != "" && !c.onlySuite():
		return nil, errs.New(errs.Invalid, "--suite has sizes of its own; beside it go --scale, --duration (at most so long), --json, --url and --token")
	case c.Suite != "":
		plan, err = bench.Suite(c.Suite, c.Scale)
		for i := range plan {
			if c.Duration != 0 {
				plan[i].Duration = min(cmp.Or(plan[i].Duration, c.Duration), c.Duration)
			}
		}
	default:
		plan, err = c.listed()
	}
	if err != nil {
		return nil, err
	}
	for i, o := range plan {
		if plan[i], err = o.Fill(); err == nil {
			err = plan[i].Check()
		}
		if err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// onlySuite says whether no flag was given that is for single workloads.
func (c benchmark) onlySuite() bool {
	return c.By == nil && c.Batch == 0 && c.Connections == 0 && c.Payload == 0 && c.Backlog == 0 && c.Planned == 0 && c.Queues == 0 &&
		!c.Hold && !c.NoMarks && c.Journal == "" && c.MaxActive == 0 && c.Rest == 0
}

// listed are the workloads of the command line, each by the doors that it has.
func (c benchmark) listed() (plan []bench.Options, err error) {
	for _, door := range c.By {
		if door != bench.BySQL && door != bench.ByHTTP {
			return nil, errs.New(errs.Invalid, "--by is %q; sql, http or both are wanted", door)
		}
	}
	names, doors := c.Workloads, c.By
	if len(names) == 0 {
		names = []string{"ingest", "drain"}
	}
	if len(doors) == 0 {
		doors = []string{bench.BySQL, bench.ByHTTP}
	}
	for _, name := range names {
		fit, err := bench.Doors(name, doors)
		if err != nil {
			return nil, err
		}
		for _, door := range fit {
			plan = append(plan, bench.Options{
				Workload: name, By: door, Batch: c.Batch, Connections: c.Connections, Payload: c.Payload, Backlog: c.Backlog, Planned: c.Planned,
				Queues: c.Queues, Hold: c.Hold, NoMarks: c.NoMarks, Journal: c.Journal, MaxActive: c.MaxActive, Duration: c.Duration, Rest: c.Rest,
			})
		}
	}
	return plan, nil
}

// run measures one workload after the other; each raw limit once.
func (c benchmark) run(ctx context.Context, b *bench.Bench, plan []bench.Options) error {
	var out bench.Printer
	switch {
	case c.JSON:
		out = bench.JSON(os.Stdout)
	case c.Suite != "":
		text, err := b.Describe(ctx)
		if err != nil {
			return err
		}
		fmt.Print(text, "\n\n")
		out = bench.Markdown(os.Stdout)
	default:
		out = bench.Table(os.Stdout)
	}
	limits := map[bench.Options]bench.Result{}
	for _, o := range plan {
		raw, limited := bench.RawOf(o)
		if _, known := limits[raw]; limited && (c.Raw || c.Suite != "") && !known {
			limit, err := b.Run(ctx, raw)
			if err != nil {
				return err
			}
			limits[raw] = limit
			if err := out.Print(limit); err != nil {
				return err
			}
		}
		r, err := b.Run(ctx, o)
		if err != nil {
			return err
		}
		if limit, known := limits[raw]; known {
			r.Against(limit)
		}
		if err := out.Print(r); err != nil {
			return err
		}
	}
	return nil
}

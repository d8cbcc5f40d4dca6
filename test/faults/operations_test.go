package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/fetchq/server/client"
)

// bulkSize is how many documents an operation is for: enough for it to be in the middle when something is killed.
const bulkSize = 300_000

// TestOperationsGoOnAfterACrash kills the program, Postgres and both in the middle of an operation and of an import. At the end each document was
// dealt with once, and the counters say so.
func TestOperationsGoOnAfterACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for a minute")
	}
	t.Parallel()
	p := newProgram(t, folder(t))
	p.start()
	p.findPostgres()
	c := client.New(p.url, p.command("token", "create", "--name", "faults", "--rights", "admin"))
	p.sql(`select fetchq.queue_put('bulk')`)
	p.sql(fmt.Sprintf(`select count(*) from (select array_agg('s' || i) as s from generate_series(1, %d) i group by i / 10000) g
		cross join lateral fetchq.doc_push_many('bulk', g.s)`, bulkSize))
	p.sql(`create table public.before as select subject, lease from q_bulk.docs`)

	t.Run("reschedule", func(t *testing.T) {
		o, err := c.Operate(t.Context(), "bulk", client.OperationRequest{
			Action: client.ActionReschedule, Filter: &client.OperationFilter{}, NextIteration: "+1 day", Message: "later",
		})
		if err != nil {
			t.Fatal(err)
		}
		p.during(o, 0.2, func() { p.kill(); p.start() })
		p.during(o, 0.5, func() { p.recover(p.killPostgres()) })
		o = p.over(c, o)
		if o.Done != bulkSize || o.Failed+o.LeftAlone != 0 {
			t.Errorf("%+v", o)
		}
		if n := p.count(`select count(*) from q_bulk.docs d join before b using (subject) where d.lease = b.lease + 1 and d.iterations = 1 and d.status = 0`); n != bulkSize {
			t.Errorf("%d of %d documents were rescheduled once", n, bulkSize)
		}
		if n := p.count(`select count(*) from (select subject from q_bulk.logs where message = 'later' and ref_id = '` + o.ID + `' group by subject having count(*) = 1) t`); n != bulkSize {
			t.Errorf("%d of %d documents have one line in the log", n, bulkSize)
		}
		if events, lines := p.count(`select fetchq.metric_get('bulk', 'rescheduled')`), p.count(`select fetchq.metric_get('bulk', 'logs')`); events != bulkSize || lines != bulkSize {
			t.Errorf("%d documents are counted, and %d lines", events, lines)
		}
	})

	t.Run("import", func(t *testing.T) {
		o, err := c.ImportDocuments(t.Context(), "bulk", "", func(yield func(client.Push, error) bool) {
			for i := range bulkSize {
				if !yield(client.Push{Payload: fmt.Appendf(nil, `{"line":%d}`, i)}, nil) {
					return
				}
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		p.during(o, 0.2, func() { p.kill(); p.start() })
		p.during(o, 0.5, func() { p.killPostgres(); p.kill(); p.start() })
		o = p.over(c, o)
		if o.Done != bulkSize || *o.Created != bulkSize || o.Failed+o.LeftAlone != 0 {
			t.Errorf("%+v", o)
		}
		all, lines := p.count(`select count(*) from q_bulk.docs where payload ? 'line'`), p.count(`select count(distinct payload ->> 'line') from q_bulk.docs`)
		if all != bulkSize || lines != bulkSize {
			t.Errorf("%d documents of %d lines; %d were sent", all, lines, bulkSize)
		}
		if n := p.count(`select count(*) from fetchq.operation_parts`); n != 0 {
			t.Errorf("%d parts are left", n)
		}
	})
	t.Logf("doctor: %s", p.command("doctor"))
	p.stop()
}

// during waits until an operation has done a share of its documents, and does something to the program.
func (p *program) during(o client.Operation, share float64, harm func()) {
	p.t.Helper()
	conn := p.connect()
	var done int
	var over bool
	for deadline := time.Now().Add(time.Minute); float64(done) < share*bulkSize; time.Sleep(2 * time.Millisecond) {
		err := conn.QueryRow(p.t.Context(), `select done, finished_at is not null from fetchq.operations where id = $1`, o.ID).Scan(&done, &over)
		if err != nil || over || time.Now().After(deadline) {
			p.t.Fatalf("%d documents are done, over: %v, error %v\n%s", done, over, err, p.tail())
		}
	}
	_ = conn.Close(p.t.Context())
	began := time.Now()
	harm()
	p.t.Logf("killed at %d of %d; ready again after %s", done, bulkSize, time.Since(began).Round(time.Millisecond))
}

// over waits for the end of an operation.
func (p *program) over(c *client.Client, o client.Operation) client.Operation {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	o, err := c.WaitOperation(ctx, o.ID)
	if err != nil || o.State != client.OperationDone {
		p.t.Fatalf("%+v, error %v\n%s", o, err, p.tail())
	}
	return o
}

// connect opens a connection to the program's Postgres.
func (p *program) connect() *pgx.Conn {
	p.t.Helper()
	url := p.pgURL
	if url == "" {
		url = p.command("db-url")
	}
	conn, err := pgx.Connect(p.t.Context(), url)
	if err != nil {
		p.t.Fatal(err)
	}
	return conn
}

// sql runs a statement, and count one that returns a number.
func (p *program) sql(text string) {
	p.t.Helper()
	conn := p.connect()
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	if _, err := conn.Exec(p.t.Context(), text); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
}

func (p *program) count(text string) (n int) {
	p.t.Helper()
	conn := p.connect()
	defer func() { _ = conn.Close(context.WithoutCancel(p.t.Context())) }()
	if err := conn.QueryRow(p.t.Context(), text).Scan(&n); err != nil {
		p.t.Fatalf("%s: %v", text, err)
	}
	return n
}

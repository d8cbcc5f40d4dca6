package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/fetchq/server/client"
)

// ListTime is what pages of one list took: 200 rows by the API, as many times as listRuns of Bench says.
type ListTime struct {
	Name string  `json:"name"`
	Rows int     `json:"rows"` // on its first page
	P50  float64 `json:"p50_ms"`
	P95  float64 `json:"p95_ms"`
	Max  float64 `json:"max_ms"`
}

// listStatus: of ten documents six are completed, two planned, one pending, and of the last ten of a hundred nine killed and one active.
const listStatus = `case when g % 10 < 6 then 3 when g % 10 < 8 then 0 when g % 10 = 8 then 1 when g % 100 = 99 then 2 else -1 end`

// asked is a list as a person asks for it.
type asked struct {
	name string
	f    client.DocumentFilter
}

// lists lays up documents in all states, and measures each filter and order that lists offer.
func lists(_ context.Context, r *run) (load, error) {
	return load{rest: r.listAll}, nil
}

// layUp fills a queue with documents in all states: created, due and finished in the last hundred days, of 3 versions, 5 priorities, up to 6 attempts, 50
// workers and 1,000 hosts; each has its own number in the payload.
func (r *run) layUp(ctx context.Context) error {
	if r.o.Backlog >= 1_000_000 {
		r.Say(fmt.Sprintf("laying up %d documents", r.o.Backlog))
	}
	sql := `insert into ` + r.table("docs") + ` (subject, seq, lease, next_iteration, created_at, last_iteration, picked_at, attempts, iterations, size, version, priority,
			status, payload, worker)
		select 'https://bench.example/' || lpad(g::text, 9, '0'), g, 1, case when status = 0 then now() + age when status = 2 then now() + interval '1 day' else now() - age end,
			now() - interval '100 days' + age, case when status in (3, -1) then now() - age end, case when status <> 0 then now() - age end, g / 10 % 7, 1,
			pg_column_size(payload), g / 10 % 3, g / 10 % 5, status, payload, case when status <> 0 then 'worker-' || g / 10 % 50 end
		from generate_series($1::int, $2::int) g
			cross join lateral (select ` + listStatus + ` as status, (g::bigint * 7919 % $3) * interval '100 days' / $3 as age,
				$4::jsonb || jsonb_build_object('n', g, 'host', 'h' || g % 1000 || '.example', 'kind', 'page') as payload) d`
	var group errgroup.Group
	group.SetLimit(2)
	for at := 0; at < r.o.Backlog && ctx.Err() == nil; at += fillBatch {
		group.Go(func() error {
			_, err := r.Bench.db.Exec(ctx, sql, at, min(at+fillBatch, r.o.Backlog)-1, r.o.Backlog, r.payload)
			return err
		})
	}
	if err := errors.Join(group.Wait(), ctx.Err()); err != nil {
		return fmt.Errorf("lay up documents: %w", err)
	}
	if _, err := r.Bench.db.Exec(ctx, `select fetchq.queue_pause($1), fetchq.queue_recount($1)`, r.queue); err != nil {
		return fmt.Errorf("count the documents: %w", err)
	}
	return r.tidy(ctx)
}

// listAll measures all lists, those that look into payloads without and with an index.
func (r *run) listAll(ctx context.Context, m *measured) error {
	if err := r.layUp(ctx); err != nil {
		return err
	}
	began := r.Now()
	for _, a := range r.asked() {
		if err := r.list(ctx, m, a); err != nil {
			return err
		}
	}
	m.took = r.Now().Sub(began)
	began = r.Now()
	if err := r.indexPayloads(ctx); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("the index of payloads took %.0f s", r.Now().Sub(began).Seconds()))
	for _, a := range r.inPayloads() {
		a.name += ", with the index"
		if err := r.list(ctx, m, a); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) list(ctx context.Context, m *measured, a asked) error {
	var t times
	rows := 0
	for range r.listRuns {
		began := r.Now()
		page, err := r.http.DocumentsPage(ctx, r.queue, a.f, "")
		if err != nil {
			return fmt.Errorf("list %s: %w", a.name, err)
		}
		rows = len(page.Documents)
		t.add(r.Now().Sub(began))
	}
	m.documents += int64(rows)
	m.times.merge(&t)
	m.extra.lists = append(m.extra.lists, ListTime{a.name, rows, t.at(0.5), t.at(0.95), t.most()})
	return nil
}

// asked are all lists, but for those with the index of payloads.
func (r *run) asked() []asked {
	two, hundred := 2, 32_000
	at := func(days float64) time.Time { return r.Now().Add(time.Duration(days * 24 * float64(time.Hour))) }
	all := []asked{
		{"all, by subject", client.DocumentFilter{}},
		{"subject begins with", client.DocumentFilter{SubjectPrefix: "https://bench.example/0000"}},
		{"version", client.DocumentFilter{Version: &two}},
		{"version of none", client.DocumentFilter{Version: &hundred}},
		{"priority", client.DocumentFilter{Priority: &two}},
		{"priority of none", client.DocumentFilter{Priority: &hundred}},
		{"attempts at least 6", client.DocumentFilter{AttemptsMin: 6}},
		{"attempts of none", client.DocumentFilter{AttemptsMin: hundred}},
		{"worker", client.DocumentFilter{Worker: "worker-7"}},
		{"worker of none", client.DocumentFilter{Worker: "nobody"}},
		{"created in an hour", client.DocumentFilter{CreatedAfter: at(-50), CreatedBefore: at(-50 + 1./24)}},
		{"created of none", client.DocumentFilter{CreatedAfter: at(1)}},
	}
	for _, status := range []string{"planned", "pending", "active", "completed", "killed"} {
		order := map[bool]string{true: "last_iteration", false: "next_iteration"}[status == "completed" || status == "killed"]
		all = append(all,
			asked{status + ", by date", client.DocumentFilter{Status: status, Order: order}},
			asked{status + ", by subject", client.DocumentFilter{Status: status, Order: "subject"}},
			asked{status + ", version and priority", client.DocumentFilter{Status: status, Version: &two, Priority: &two}},
			asked{status + ", priority of none", client.DocumentFilter{Status: status, Priority: &hundred}},
			asked{status + ", worker of none", client.DocumentFilter{Status: status, Worker: "nobody"}},
			asked{status + ", attempts of none", client.DocumentFilter{Status: status, AttemptsMin: hundred}})
		f := client.DocumentFilter{Status: status, DueAfter: at(50), DueBefore: at(51)}
		switch status {
		case "pending":
			f.DueAfter, f.DueBefore = at(-51), at(-50)
		case "completed", "killed":
			f = client.DocumentFilter{Status: status, FinishedAfter: at(-51), FinishedBefore: at(-50)}
		case "active":
			continue
		}
		all = append(all, asked{status + ", of a day", f})
	}
	return append(all, r.inPayloads()...)
}

// inPayloads are lists that look into payloads.
func (r *run) inPayloads() []asked {
	object := func(v map[string]any) json.RawMessage {
		text, _ := json.Marshal(v) //nolint:errchkjson // texts and numbers
		return text
	}
	last := map[string]any{"n": r.o.Backlog - 1}
	return []asked{
		{"payload of one", client.DocumentFilter{Payload: object(last)}},
		{"payload of one, killed ones", client.DocumentFilter{Status: "killed", Payload: object(last)}},
		{"payload of a thousandth", client.DocumentFilter{Payload: object(map[string]any{"host": "h17.example"})}},
		{"payload of all", client.DocumentFilter{Payload: object(map[string]any{"kind": "page"})}},
		{"payload of none", client.DocumentFilter{Payload: object(map[string]any{"kind": "none"})}},
	}
}

// indexPayloads makes the index that the setting asks for.
func (r *run) indexPayloads(ctx context.Context) error {
	if _, err := r.Bench.db.Exec(ctx, `select fetchq.queue_set($1, '{"payload_index": true}')`, r.queue); err != nil {
		return fmt.Errorf("ask for the index of payloads: %w", err)
	}
	for {
		var there bool
		if err := r.Bench.db.QueryRow(ctx, `select fetchq.payload_indexed($1)`, r.queue).Scan(&there); err != nil || there {
			return err
		}
		if err := r.sleep(ctx, 100*time.Millisecond); err != nil { // the maintenance of the server makes it
			return err
		}
	}
}

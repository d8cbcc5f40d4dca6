package faults_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// exactSamples is how often the counters are held against what they count while 8 workers crawl, and as often once more after the
// program was killed.
const exactSamples = 100

// exactly compares every counter of the crawl, as the API tells it, with what it counts, in one snapshot: gauges with the documents,
// events with the journal, which has a line for each of them, errors and lines with the log, the numbers of wait and work with the
// leases that began and that a holder ended, and the handler's own counter with the sizes of the pages that are done. It returns one
// line for each that differs.
const exactly = `
	with told as (
		select name, sum(value)::float8 as value, sum(count)::float8 as n from fetchq.metric_totals('demo_crawl') group by name
	), docs as (
		select count(*) filter (where status = 0) as docs_planned, count(*) filter (where status = 1) as docs_pending,
			count(*) filter (where status = 2) as docs_active, count(*) filter (where status = 3) as docs_completed,
			count(*) filter (where status = -1) as docs_killed, count(*) as entered,
			coalesce(sum((payload ->> 'bytes')::bigint) filter (where status = 3 and subject not like '%/'), 0) as bytes
		from q_demo_crawl.docs
	), journal as (
		select count(*) filter (where action = 'pick') as picked, count(*) filter (where action = 'complete') as completed,
			count(*) filter (where action = 'reschedule') as rescheduled, count(*) filter (where action = 'reject') as rejected,
			count(*) filter (where action = 'orphan') as orphaned, count(*) filter (where new_status = -1) as killed
		from q_demo_crawl.journal where subject is not null
	), lines as (
		select count(*) filter (where kind = 1) as errors, count(*) as logs from q_demo_crawl.logs
	), real as (
		select e.key as name, e.value::text::float8 as value
		from docs, journal, lines, lateral jsonb_each(to_jsonb(docs) || to_jsonb(journal) || to_jsonb(lines)) e
		union all select 'wait', picked from journal
		union all select 'work', completed + rescheduled + rejected from journal
	)
	select format('%s is %s and not %s', name, real.value, case when name in ('wait', 'work') then told.n else told.value end)
	from real left join told using (name)
	where real.value <> coalesce(case when name in ('wait', 'work') then told.n else told.value end, 0)
	order by name`

// TestCountersAreExactWhileWorkersWork samples all counters of a crawl by 8 workers, kills the program with SIGKILL in the middle of it, and
// samples on. The crawler compares once more at the end, and so do the series.
func TestCountersAreExactWhileWorkersWork(t *testing.T) {
	if testing.Short() {
		t.Skip("crawls for half a minute")
	}
	t.Parallel()
	dir := folder(t)
	p := newProgram(t, dir)
	p.start()
	p.findPostgres()
	limitCrawl(t, p)
	crawl := startCrawl(t, p, dir, 30*time.Second)
	p.sample(crawl, exactSamples)
	p.kill()
	p.start()
	p.sample(crawl, exactSamples)
	if err := <-crawl.ended; err != nil {
		t.Fatalf("the crawler: %v\n%s\n%s", err, &crawl.out, p.tail())
	}
	t.Logf("%s", &crawl.out)
	seriesAgree(t, p)
	p.stop()
}

// sample compares n times while something new happens between, and ends early only where the crawl has.
func (p *program) sample(crawl *crawl, n int) {
	p.t.Helper()
	conn := p.connect()
	defer func() { _ = conn.Close(p.t.Context()) }()
	var events, before int64
	for done := 0; done < n; {
		select {
		case err := <-crawl.ended:
			p.t.Fatalf("the crawl ended after %d of %d samples: %v\n%s", done, n, err, &crawl.out)
		case <-time.After(50 * time.Millisecond):
		}
		var wrong []string
		err := pgx.BeginTxFunc(p.t.Context(), conn, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			rows, err := tx.Query(p.t.Context(), exactly)
			if err != nil {
				return fmt.Errorf("compare: %w", err)
			}
			if wrong, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
				return fmt.Errorf("compare: %w", err)
			}
			return tx.QueryRow(p.t.Context(), `select fetchq.metric_get('demo_crawl', 'picked')`).Scan(&events)
		})
		if err != nil {
			p.t.Fatal(err)
		}
		if len(wrong) > 0 {
			p.t.Fatalf("sample %d, after %d picks: %v", done+1, events, wrong)
		}
		if events > before {
			before = events
			done++
		}
	}
	p.t.Logf("%d samples, each after further picks, are exact; %d documents were picked so far", n, events)
}

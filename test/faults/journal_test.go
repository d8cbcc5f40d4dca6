package faults_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// mostActive is the limit of the queue of the demo: its workers would hold 80 documents.
const mostActive = 60

// ask runs one statement on the program's database and reads its one row.
func ask(t *testing.T, p *program, sql string, into ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.command("db-url"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if err := conn.QueryRow(ctx, sql).Scan(into...); err != nil {
		t.Fatal(err)
	}
}

// limitCrawl makes the queue before the crawler does, which leaves alone what it does not name.
func limitCrawl(t *testing.T, p *program) {
	t.Helper()
	var made bool
	ask(t, p, fmt.Sprintf(`select created from fetchq.queue_put('demo_crawl', '{"journal":"all","max_active":%d}')`, mostActive), &made)
	if !made {
		t.Error("the queue was there already")
	}
}

// checkJournal compares the journal with the documents and the counters: nothing of it may be lost by a crash, written twice, or stand
// there without its transition; and the lines tell how many documents were active at any moment.
func checkJournal(t *testing.T, p *program) {
	t.Helper()
	var lines, broken, wrong, most int
	ask(t, p, `select count(*) from q_demo_crawl.journal`, &lines)
	ask(t, p, `
		with line as (
			select subject, new_status, old_status is distinct from lag(new_status) over w as breaks, row_number() over (partition by subject order by id desc) as nth
			from q_demo_crawl.journal where subject is not null window w as (partition by subject order by id)
		)
		select (select count(*) from line where breaks)
			+ (select count(*) from q_demo_crawl.docs d left join line l on l.subject = d.subject and l.nth = 1 where l.new_status is distinct from d.status)`, &broken)
	ask(t, p, `
		with counted as (
			select sum(ev_entered) as push, sum(ev_picked) as pick, sum(ev_completed) as complete, sum(ev_rejected) as reject, sum(ev_orphaned) as orphan from (
				select ev_entered, ev_picked, ev_completed, ev_rejected, ev_orphaned from fetchq.counters where queue = 'demo_crawl'
				union all select ev_entered, ev_picked, ev_completed, ev_rejected, ev_orphaned from q_demo_crawl.deltas) c
		)
		select count(*) from counted cross join lateral (values ('push', push), ('pick', pick), ('complete', complete), ('reject', reject), ('orphan', orphan)) e (action, n)
		where e.n <> (select count(*) from q_demo_crawl.journal j where j.action = e.action)`, &wrong)
	ask(t, p, `
		select coalesce(max(held), 0) from (
			select sum((new_status is not distinct from 2)::integer - (old_status is not distinct from 2)::integer) over (order by id) as held
			from q_demo_crawl.journal where subject is not null) h`, &most)
	t.Logf("the journal has %d lines; at most %d documents were active", lines, most)
	if broken > 0 || wrong > 0 || lines == 0 {
		t.Errorf("of %d lines of the journal %d do not follow from what was before, and the numbers of %d actions differ from the counters", lines, broken, wrong)
	}
	if most > mostActive {
		t.Errorf("%d documents were active at once; %d are allowed", most, mostActive)
	}
}

package operations

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/wire"
)

// TestABulkActionDoesToEachDocumentWhatTheSingleOneDoes has two queues with the same documents in every state. One goes through an operation, the
// other through doc_act_many, which the model of the property tests has looked at.
func TestABulkActionDoesToEachDocumentWhatTheSingleOneDoes(t *testing.T) {
	t.Parallel()
	date := time.Now().Add(time.Hour).Truncate(time.Second)
	seven := 7
	for _, tt := range []struct {
		action, single string
		r              Request
		not            string // statuses that the operation leaves alone
	}{
		{Retry, "retry", Request{}, "0 1 2 3"},
		{RunNow, "run_now", Request{}, "2"},
		{Kill, "kill", Request{}, "-1"},
		{Drop, "drop", Request{}, ""},
		{Complete, "complete", Request{}, "3"},
		{Reschedule, "reschedule", Request{Next: wire.Date{At: date}}, ""},
		{SetPriority, "edit", Request{Priority: &seven}, ""},
	} {
		for _, partitions := range []int{1, 3} {
			t.Run(fmt.Sprint(tt.action, " in ", partitions), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				for _, name := range []string{"bulk", "single"} {
					w.put(name, fmt.Sprintf(`{"partitions":%d}`, partitions))
					w.fill(name, "active", 0, 20)
					w.exec(`update ` + "q_" + name + `.docs set attempts = 3, iterations = 5, ended = 1, payload = '{"n": 1}', version = status - 1`)
					w.exec(`select fetchq.queue_recount('` + name + `')`)
					w.fill(name, "completed", 20, 40)
					w.fill(name, "killed", 40, 60)
					w.fill(name, "planned", 60, 80)
					w.fill(name, "pending", 80, 100)
				}
				const statuses = `create table public.leases_%[1]s as select subject, lease, status from q_%[1]s.docs`
				w.exec(fmt.Sprintf(statuses, "bulk"))
				w.exec(fmt.Sprintf(statuses, "single"))
				r := tt.r
				r.Queue, r.Action, r.Filter, r.Message = "bulk", tt.action, all(), "why"
				w.do(r)
				w.exec(`select count(*) from (select array_agg(subject) as s from public.leases_single where status <> all (string_to_array($4, ' ')::int[])) g
					cross join lateral fetchq.doc_act_many('single', s, array_fill($1::text, array[cardinality(s)]),
						array_fill($2::timestamptz, array[cardinality(s)]), p_priorities => array_fill($3::int, array[cardinality(s)]),
						p_messages => array_fill('why'::text, array[cardinality(s)]))`, tt.single, dateOrNull(r), r.Priority, tt.not)
				read := func(name string) []string {
					return w.rows(fmt.Sprintf(`select subject, d.status, version, priority, attempts, iterations, last_iteration is null, worker, ended, size,
						payload, d.lease - l.lease, case when d.next_iteration = $1 then 'the date asked for' when d.next_iteration > clock_timestamp() then 'ahead' else 'past' end
						from q_%[1]s.docs d join public.leases_%[1]s l using (subject) order by subject`, name), date)
				}
				if diff := cmp.Diff(read("single"), read("bulk")); diff != "" {
					t.Errorf("documents (-single +bulk):\n%s", diff)
				}
				counters := func(name string) []string { return w.rows(`select * from fetchq.queue_counters($1)`, name) }
				if diff := cmp.Diff(counters("single"), counters("bulk")); diff != "" {
					t.Errorf("counters (-single +bulk):\n%s", diff)
				}
				logs := func(name string) []string {
					return w.rows(`select kind, attempt, subject, message, worker, details from q_` + name + `.logs order by subject`)
				}
				if diff := cmp.Diff(logs("single"), logs("bulk")); diff != "" {
					t.Errorf("logs (-single +bulk):\n%s", diff)
				}
				if n := len(logs("bulk")); n == 0 {
					t.Error("no line was written")
				}
				w.tally("bulk")
			})
		}
	}
}

func dateOrNull(r Request) *time.Time {
	if r.Next.At.IsZero() {
		return nil
	}
	return &r.Next.At
}

func TestOnlyWhatFitsTheFilterIsChanged(t *testing.T) {
	t.Parallel()
	three, five := 3, 5
	now := time.Now()
	at := func(d time.Duration) *time.Time { at := now.Add(d); return &at }
	for name, tt := range map[string]struct {
		f    Filter
		want string // subjects that are dropped
	}{
		"all":                {Filter{}, "a1 a2 b1 b2 c1 c2 d1 d2 e1"},
		"a prefix":           {Filter{SubjectPrefix: "a"}, "a1 a2"},
		"a prefix and more":  {Filter{SubjectPrefix: "a", Version: &three}, "a2"},
		"a status":           {Filter{Status: "completed"}, "d1 d2"},
		"pending":            {Filter{Status: "pending"}, "a1 a2"},
		"active":             {Filter{Status: "active"}, "e1"},
		"killed, by version": {Filter{Status: "killed", Version: &three}, "c2"},
		"a version":          {Filter{Version: &three}, "a2 b2 c2 d2"},
		"a priority":         {Filter{Priority: &five}, "b1"},
		"attempts":           {Filter{AttemptsMin: 1}, "e1"},
		"a worker":           {Filter{Worker: "host-7"}, "e1"},
		"planned, due later": {Filter{Status: "planned", DueAfter: at(90 * time.Minute)}, "b2"},
		"planned, due soon":  {Filter{Status: "planned", DueBefore: at(90 * time.Minute)}, "b1"},
		"pending, due long":  {Filter{Status: "pending", DueBefore: at(-30 * time.Minute)}, "a2"},
		"nothing":            {Filter{SubjectPrefix: "x"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, partitions := range []int{1, 4} {
				w := newWorld(t)
				w.put("a", fmt.Sprintf(`{"partitions":%d}`, partitions))
				w.exec(`select fetchq.doc_push_many('a', array['e1'])`)
				w.exec(`select fetchq.doc_pick_many('a', 0, 1, '1 hour', 'host-7')`)
				w.exec(`select fetchq.doc_push_many('a', array['a1', 'a2', 'b1', 'b2', 'c1', 'c2', 'd1', 'd2'], null, array[0, 3, 0, 3, 0, 3, 0, 3],
					array[0, 0, 5, 0, 0, 0, 0, 0], null, array['0', '-1 hour', '1 hour', '2 hours', '0', '0', '0', '0']::interval[])`)
				w.exec(`select fetchq.doc_act_many('a', array['c1', 'c2', 'd1', 'd2'], array['kill', 'kill', 'complete', 'complete'])`)
				count, err := w.Count(t.Context(), Request{Queue: "a", Action: Drop, Filter: &tt.f})
				if err != nil {
					t.Fatal(err)
				}
				w.exec(`create table public.was as select subject from q_a.docs`)
				o := w.do(Request{Queue: "a", Action: Drop, Filter: &tt.f})
				got := scanOne[string](w, `select coalesce(string_agg(subject, ' ' order by subject), '') from public.was where subject not in (select subject from q_a.docs)`)
				if got != tt.want {
					t.Errorf("%d partitions: %q were dropped; %q are wanted", partitions, got, tt.want)
				}
				n := (len(tt.want) + 1) / 3
				if o.State != Done || o.Done != int64(n) || o.Failed+o.LeftAlone > 0 || count != (Count{int64(n), true}) {
					t.Errorf("%d partitions: %+v, counted %+v before", partitions, o, count)
				}
				if p, known := o.Progress(); p != 1 || !known {
					t.Errorf("the progress of what is done is %v, known %v", p, known)
				}
				w.tally("a")
			}
		})
	}
}

func TestAListOfSubjectsTellsWhatWentWrongWithEach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	w.fill("a", "killed", 0, 2)
	w.fill("a", "active", 2, 3)
	w.fill("a", "pending", 3, 4)
	o := w.do(Request{Queue: "a", Action: Retry, Subjects: []string{"x", "s000000", "s000002", "s000003", "s000001", "s000000"}})
	if o.State != Done || o.Done != 2 || o.Failed != 3 || *o.Total != 5 || o.AskedBy != "somebody" || *o.AskedFrom != "127.0.0.1" || *o.RequestID != "r1" {
		t.Errorf("%+v", o)
	}
	if diff := cmp.Diff([]string{"s000002: retry is for killed documents", "s000003: retry is for killed documents", "x: there is no such document"},
		w.failuresOf(o)); diff != "" {
		t.Error(diff)
	}
	o = w.do(Request{Queue: "a", Action: RunNow, Subjects: []string{"s000002"}})
	if diff := cmp.Diff([]string{"s000002: the document is held by a worker; release it first"}, w.failuresOf(o)); diff != "" {
		t.Error(diff)
	}
	w.do(Request{Queue: "a", Action: Kill, Subjects: []string{"s000003"}})
	if o = w.do(Request{Queue: "a", Action: Kill, Subjects: []string{"s000003"}}); o.LeftAlone != 1 || o.Done+o.Failed > 0 {
		t.Errorf("killed again: %+v", o)
	}
	if n := w.events("a", "killed"); n != 3 {
		t.Errorf("%d documents were killed; 3 are wanted", n)
	}
}

func TestTheFirstThousandFailuresAreKeptAndAllAreCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	var subjects []string
	for i := range 2500 {
		subjects = append(subjects, fmt.Sprint("nobody ", i))
	}
	o := w.do(Request{Queue: "a", Action: Drop, Subjects: subjects})
	kept := scanOne[int](w, `select count(*) from fetchq.operation_failures where operation = $1`, o.ID)
	if o.Failed != 2500 || kept != MaxFailures {
		t.Errorf("%d failed, %d are kept", o.Failed, kept)
	}
	first, err := w.Failures(t.Context(), o.ID, 200, 0)
	if err != nil || len(first) != 200 || first[199].Number != 200 {
		t.Fatalf("%d failures, error %v", len(first), err)
	}
	last, err := w.Failures(t.Context(), o.ID, 200, 900)
	if err != nil || len(last) != 100 || last[0].Number != 901 {
		t.Errorf("%d failures behind 900, error %v", len(last), err)
	}
}

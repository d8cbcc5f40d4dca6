package operations

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken pushes documents and has each fail with a message until it is killed, for the queue has one attempt.
func (w *world) broken(name, prefix, message string, n int) {
	w.t.Helper()
	w.exec(`select count(*) from fetchq.doc_push_many($1, array(select $2 || lpad(i::text, 4, '0') from generate_series(1, $3::int) i))`, name, prefix, n)
	w.exec(`with p as materialized (select * from fetchq.doc_pick_many($1, 0, 1000)), a as (
			select array_agg(subject) s, array_agg(lease) l, count(*)::int n from p)
		select count(*) from a cross join lateral fetchq.doc_resolve_many($1, s, l, array_fill('reject'::text, array[n]), p_messages => array_fill($2::text, array[n])) r`,
		name, message)
}

func TestAllDocumentsOfAGroupOfErrorsAreRetriedOnce(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int{1, 3} {
		t.Run(fmt.Sprint(partitions, " partitions"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.put("a", fmt.Sprintf(`{"max_attempts":1,"partitions":%d}`, partitions))
			w.broken("a", "both", "timeout after 3 s", 40) // then with another error
			w.exec(`select count(*) from fetchq.doc_act_many('a', array(select subject from q_a.docs), array_fill('retry'::text, array[40]))`)
			w.broken("a", "full", "the disk is full", 30)
			w.broken("a", "slow", "timeout after 1 s", 50)
			w.exec(`select count(*) from fetchq.doc_act_many('a', array(select subject from q_a.docs where subject like 'slow%'), array_fill('retry'::text, array[50]))`)
			w.broken("a", "late", "timeout after 2 s", 20) // the slow ones a second time
			w.exec(`select fetchq.log_add_many('a', 0, array['slow0001'], array['a note behind its error'])`)
			group := scanOne[string](w, `select fetchq.fingerprint_text(fetchq.error_fingerprint('timeout after 9 s'))`)
			r := Request{Queue: "a", Action: Retry, Filter: &Filter{Fingerprint: group}}
			count, err := w.Count(t.Context(), r)
			if err != nil || count != (Count{Documents: 70, Exact: true}) {
				t.Errorf("counted %+v, error %v", count, err)
			}
			o := w.ask(r)
			w.claim("n1", 0)
			for range 100 { // in steps that cut the walk
				if state, _ := w.step(o, "n1", 7); state != Running {
					break
				}
			}
			o = w.get(o)
			if o.State != Done || o.Done != 70 || o.Failed != 0 {
				t.Errorf("the operation ended as %+v", o)
			}
			want := []string{"both -1 40", "full -1 30", "late 1 20", "slow 1 50"}
			if diff := cmp.Diff(want, w.rows(`select left(subject, 4), status, count(*) from q_a.docs group by 1, 2 order by 1`)); diff != "" {
				t.Error(diff)
			}
			w.tally("a")
		})
	}
}

func TestAnOperationRefusesWhatIsNoFingerprint(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	_, err := w.Create(t.Context(), Request{Queue: "a", Action: Retry, Filter: &Filter{Fingerprint: "soon"}})
	if err == nil || err.Error() == "" || scanOne[int](w, `select count(*) from fetchq.operations`) != 0 {
		t.Errorf("the answer is %v", err)
	}
}

package queue_test

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
)

// labelled is a message, and the program and kind that it is of.
type labelled struct{ label, message string }

// corpus makes n messages of some programs, of each kind about as many.
func corpus(programs []program, n int) []labelled {
	v := &value{rand.New(rand.NewPCG(4, 2))} //nolint:gosec // the same messages in every run
	var kinds []kind
	var labels []string
	for _, p := range programs {
		for _, k := range p.kinds {
			kinds = append(kinds, k)
			labels = append(labels, p.name+": "+k.name)
		}
	}
	all := make([]labelled, n)
	for i := range all {
		k := i % len(kinds)
		all[i] = labelled{labels[k], kinds[k].say(v)}
	}
	return all
}

// fingerprints returns the pattern and the fingerprint of each message.
func fingerprints(t *testing.T, db *pgxpool.Pool, all []labelled) (patterns []string, codes []int64) {
	t.Helper()
	messages := make([]string, len(all))
	for i, l := range all {
		messages[i] = l.message
	}
	rows, err := db.Query(t.Context(), `select fetchq.error_pattern(m), fetchq.error_fingerprint(m) from unnest($1::text[]) with ordinality u (m, n) order by n`, messages)
	if err != nil {
		t.Fatal(err)
	}
	var pattern string
	var code int64
	if _, err := pgx.ForEachRow(rows, []any{&pattern, &code}, func() error {
		patterns, codes = append(patterns, pattern), append(codes, code)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return patterns, codes
}

// agreement compares groups with labels by pairs: of the pairs that share a group how many share a label (precision), and of those that
// share a label how many share a group (recall).
func agreement(all []labelled, codes []int64) (precision, recall float64) {
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	type both struct {
		label string
		code  int64
	}
	byLabel, byCode, byBoth := map[string]int{}, map[int64]int{}, map[both]int{}
	for i, l := range all {
		byLabel[l.label]++
		byCode[codes[i]]++
		byBoth[both{l.label, codes[i]}]++
	}
	var together, label, code float64
	for n := range maps.Values(byBoth) {
		together += pairs(n)
	}
	for n := range maps.Values(byLabel) {
		label += pairs(n)
	}
	for n := range maps.Values(byCode) {
		code += pairs(n)
	}
	return together / code, together / label
}

// explain logs the labels that are spread over groups, and the groups with several labels.
func explain(t *testing.T, all []labelled, patterns []string) {
	t.Helper()
	of, in := map[string]map[string]bool{}, map[string]map[string]bool{}
	put := func(m map[string]map[string]bool, k, v string) {
		if m[k] == nil {
			m[k] = map[string]bool{}
		}
		m[k][v] = true
	}
	for i, l := range all {
		put(of, l.label, patterns[i])
		put(in, patterns[i], l.label)
	}
	for _, label := range slices.Sorted(maps.Keys(of)) {
		if p := slices.Sorted(maps.Keys(of[label])); len(p) > 1 {
			t.Logf("%s has %d patterns: %q", label, len(p), p[:min(len(p), 4)])
		}
	}
	for _, pattern := range slices.Sorted(maps.Keys(in)) {
		if len(in[pattern]) > 1 {
			t.Logf("%q is of %q", pattern, slices.Sorted(maps.Keys(in[pattern])))
		}
	}
}

// rounds are the programs of the corpus, by when they were put away: those of each round were written without a look at the rules, and mended them
// when they had been tried.
var rounds = []struct {
	name     string
	programs []program
	reported bool // and not held to anything: the rules know little of them
}{
	{"first to third", slices.Concat(known, second, third), false}, {"left out", leftOut, false}, {"fourth", fourth, false}, {"fifth", fifth, false},
	{"sixth", sixth, true},
}

func TestErrorsOfOneKindHaveOneFingerprint(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of messages")
	}
	t.Parallel()
	db := dbtest.New(t)
	var every []program
	for _, r := range rounds {
		every = append(every, r.programs...)
		t.Run(r.name, func(t *testing.T) { agree(t, db, r.programs, 1500, !r.reported) })
	}
	t.Run("all", func(t *testing.T) { agree(t, db, every, 6000, true) })
}

// agree tells how n errors of some programs are grouped, and those of each of these, and may want them to be grouped as their labels say.
func agree(t *testing.T, db *pgxpool.Pool, programs []program, n int, wanted bool) {
	t.Helper()
	all := corpus(programs, n)
	patterns, codes := fingerprints(t, db, all)
	precision, recall := agreement(all, codes)
	t.Logf("precision %.3f, recall %.3f", precision, recall)
	if wanted && (precision < 0.95 || recall < 0.95) {
		t.Errorf("precision %.3f, recall %.3f; 0.95 of both is wanted", precision, recall)
		explain(t, all, patterns)
	}
	for _, p := range programs {
		var own []labelled
		var theirs []int64
		for i, l := range all {
			if strings.HasPrefix(l.label, p.name+": ") {
				own, theirs = append(own, l), append(theirs, codes[i])
			}
		}
		precision, recall := agreement(own, theirs)
		t.Logf("  %s: precision %.3f, recall %.3f", p.name, precision, recall)
	}
}

// BenchmarkErrorPattern is what a fingerprint adds to the call that writes an error: one of the corpus a turn, in one statement.
func BenchmarkErrorPattern(b *testing.B) {
	db := dbtest.New(b)
	var messages []string
	for _, l := range corpus(slices.Concat(known, second, third, leftOut), 2000) {
		messages = append(messages, l.message)
	}
	b.ResetTimer()
	for done := 0; done < b.N; done += len(messages) {
		batch := messages[:min(len(messages), b.N-done)]
		if _, err := db.Exec(b.Context(), `select count(fetchq.error_fingerprint(m)) from unnest($1::text[]) m`, batch); err != nil {
			b.Fatal(err)
		}
	}
}

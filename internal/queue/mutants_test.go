package queue_test

import (
	"context"
	"errors"
	"flag"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

// plantBugs is set by make bugs. Nothing that the bugs are about depends on the race detector or on a version of Postgres: make test looks
// for them once.
var plantBugs = flag.Bool("bugs", false, "plant bugs, and see that TestPropertiesFindPlantedBugs finds each: minutes")

// maxScripts is how many scripts may pass before a planted bug is found.
const maxScripts = 200

// bug is one that can be planted.
type bug struct {
	name  string
	plant func(t *testing.T, db *pgxpool.Pool)
	theme *theme // of the scripts that are to find it; nil: everything
}

// replaced is a bug by dbtest.Replace.
func replaced(name, function string, pairs ...string) bug {
	return bug{name: name, plant: func(t *testing.T, db *pgxpool.Pool) { dbtest.Replace(t, db, function, pairs...) }}
}

// TestPropertiesFindPlantedBugs plants bugs that an engine like this one had or could have, and sees that the scripts of
// the property tests find each: the model and the engine must differ, a call that fails does not count.
func TestPropertiesFindPlantedBugs(t *testing.T) {
	if !*plantBugs {
		t.Skip("make bugs plants them")
	}
	t.Parallel()
	bugs := slices.Concat(stateBugs, about(&dropping, dropBugs), about(&parted, partBugs), about(&folding, foldBugs),
		about(&operating, operationBugs), about(&moving, moveBugs), about(&limiting, limitBugs), about(&unindexed, unindexedBugs),
		about(&pausing, pauseBugs), about(&interrupting, interruptBugs), about(&requeueing, requeueBugs), about(&forwarding, forwardBugs),
		about(&noting, journalBugs), about(&terse, terseBugs), about(&repeating, repeatBugs), about(&keeping, keepingBugs))
	for _, bug := range bugs {
		t.Run(bug.name, func(t *testing.T) {
			t.Parallel()
			db := dbtest.New(t)
			bug.plant(t, db)
			mustFind(t, bug.theme, func(n int, s script) error { return playOnFunctions(t.Context(), db, n, s) })
		})
	}
	t.Run("mark lost", func(t *testing.T) {
		t.Parallel()
		db := dbtest.New(t)
		to := forgetful{engineCalls{stoppedClock(t, db), db}}
		mustFind(t, nil, func(n int, s script) error { return playOnEngine(t.Context(), db, to, n, s.inRealTime()) })
	})
}

// about says what the scripts are about that are to find some bugs.
func about(th *theme, bugs []bug) []bug {
	for i := range bugs {
		bugs[i].theme = th
	}
	return bugs
}

// mustFind plays scripts until one finds a difference.
func mustFind(t *testing.T, th *theme, play func(n int, s script) error) {
	t.Helper()
	if th == nil {
		th = &everything
	}
	scripts := th.script()
	for n := range maxScripts {
		err := play(n, scripts.Example(n))
		var found difference
		if errors.As(err, &found) {
			t.Logf("found by script %d: %v", n, found)
			return
		}
		var pg *pgconn.PgError
		if errors.As(err, &pg) && (pg.Code == "55P03" || pg.Code == "40001") {
			continue // the bug made a call wait for a row of a call that is kept open, or its second look differ: errors, not differences
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("%d scripts passed", maxScripts)
}

// forgetful is an engine whose marks are not lowered by what a call makes pending.
type forgetful struct{ engineCalls }

func (f forgetful) push(ctx context.Context, q string, docs []queue.Push, policy queue.OnConflict) (results []queue.Result, err error) {
	f.e.LoseMarks(func() { results, err = f.engineCalls.push(ctx, q, docs, policy) })
	return results, err
}

func (f forgetful) settle(ctx context.Context, q string, items []queue.Resolution, leased bool) (results []queue.Result, err error) {
	f.e.LoseMarks(func() { results, err = f.engineCalls.settle(ctx, q, items, leased) })
	return results, err
}

func (f forgetful) upkeep(ctx context.Context, q, job string) (err error) {
	f.e.LoseMarks(func() { err = f.engineCalls.upkeep(ctx, q, job) })
	return err
}

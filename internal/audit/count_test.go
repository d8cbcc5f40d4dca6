package audit

import (
	"context"
	"fmt"
	"testing"
	"time"
)

func size(t *testing.T, l *Log) int {
	t.Helper()
	return len(all(t, l))
}

func TestRepeatsAreOneLineAMinute(t *testing.T) {
	t.Parallel()
	l, _, c := newLog(t)
	wrong := Entry{Action: SignIn, Target: "ann@example.org", Refused: "unauthenticated"}
	for range 500 {
		l.Count(by(Nobody, ""), wrong)
	}
	if n := size(t, l); n != 1 {
		t.Fatalf("%d lines of the first", n)
	}
	if err := l.flush(t.Context(), window); err != nil || size(t, l) != 1 {
		t.Fatalf("the minute is not over: %v, %d lines", err, size(t, l))
	}
	c.at = c.at.Add(window)
	if err := l.flush(t.Context(), window); err != nil {
		t.Fatal(err)
	}
	lines := all(t, l)
	if len(lines) != 2 || lines[0].Times != 499 || lines[0].Outcome != "refused" || lines[0].Code != "unauthenticated" || lines[0].Address != "192.0.2.7" {
		t.Errorf("%+v", lines)
	}
	c.at = c.at.Add(window)
	if err := l.flush(t.Context(), window); err != nil || size(t, l) != 2 || len(l.counted) != 0 {
		t.Errorf("what does not come again is not forgotten: %v, %d lines, %d counted", err, size(t, l), len(l.counted))
	}
}

// TestAnAttackerDoesNotFillTheDisk tries other accounts from other addresses each time, for a day.
func TestAnAttackerDoesNotFillTheDisk(t *testing.T) {
	t.Parallel()
	l, _, c := newLog(t)
	tries := 0
	for minute := range 30 {
		for i := range 200 {
			ctx := With(context.Background(), NewTrail(Actor{Kind: Nobody}, fmt.Sprintf("2001:db8::%x:%x", minute, i), ""))
			l.Count(ctx, Entry{Action: SignIn, Target: fmt.Sprintf("%d-%d@example.org", minute, i), Refused: "unauthenticated"})
			tries++
		}
		c.at = c.at.Add(time.Minute)
		if err := l.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// One who is known is told all the same, while strangers have emptied their bucket.
	for i := range 2 * linesAtOne {
		l.Count(by(Nobody, ""), Entry{Action: SignIn, Target: fmt.Sprintf("last-%d@example.org", i), Refused: "unauthenticated"})
		tries++
	}
	l.Count(by(User, "vic@example.org"), Entry{Action: Request, Target: "GET /team", Refused: "forbidden"})
	if lines := all(t, l); lines[0].Actor != "vic@example.org" {
		t.Errorf("the newest line is not of who is known: %+v", lines[0])
	}
	l.Stop()
	lines := all(t, l)
	told, known := 0, false
	for _, line := range lines {
		if line.ActorKind == Nobody {
			told += line.Times
		}
		known = known || line.Actor == "vic@example.org"
	}
	if told != tries || !known {
		t.Errorf("%d of %d tries are told; the viewer's: %v", told, tries, known)
	}
	if most := linesAtOne + 30*(10+1) + 10 + 3; len(lines) > most {
		t.Errorf("%d lines of %d tries; %d are allowed", len(lines), tries, most)
	}
}

func TestWhatIsCountedIsBounded(t *testing.T) {
	t.Parallel()
	l, db, _ := newLog(t)
	db.Close() // nothing can be written
	for i := range 3 * mostKeys {
		l.Count(by(Nobody, ""), Entry{Action: TokenUse, Target: fmt.Sprint(i), Refused: "unauthenticated"})
	}
	if len(l.counted) > mostKeys+10 {
		t.Errorf("%d things are counted", len(l.counted))
	}
}

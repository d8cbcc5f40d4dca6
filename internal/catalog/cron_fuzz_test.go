package catalog

import (
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
)

// FuzzClock reads times of schedules. One that is taken comes within years, and always after the moment that it is asked for.
func FuzzClock(f *testing.F) {
	f.Add("30 2 * * *", "Europe/Berlin")
	f.Add("0 0 29 2 1", "UTC")
	f.Add("@every 1s", "Local")
	f.Add("*/7 1-5,8 ? jan-dec MON#1", "America/St_Johns")
	at := time.Date(2026, 3, 29, 0, 30, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text, zone string) {
		c, err := readClock(text, zone)
		if err != nil {
			if errs.Of(err) != errs.Invalid {
				t.Fatalf("%q, %q: %v", text, zone, err)
			}
			return
		}
		if next := c.next(at); !next.After(at) {
			t.Fatalf("%q in %q comes at %s after %s", text, zone, next, at)
		}
	})
}

package operations

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/queue"
)

func TestTheSameKeyIsTheSameImport(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	r := importOf("a", NDJSON)
	r.Key = "k"
	first, err := w.Import(t.Context(), r, strings.NewReader("{}\n{}\n"))
	if err != nil {
		t.Fatal(err)
	}
	again, err := w.Import(t.Context(), r, strings.NewReader("{}\n{}\n"))
	if err != nil || again.ID != first.ID {
		t.Errorf("%s and %s, error %v", first.ID, again.ID, err)
	}
	_, err = w.Import(t.Context(), r, strings.NewReader("{}\n{} \n"))
	checkRefusal(t, "another text under the same key", err, errs.Invalid, "idempotency_key")
	r.OnConflict = queue.Update
	_, err = w.Import(t.Context(), r, strings.NewReader("{}\n{}\n"))
	checkRefusal(t, "another policy under the same key", err, errs.Invalid, "idempotency_key")
	w.finish(first)
	if w.tally("a") != "pending 2" {
		t.Error(w.tally("a"))
	}
}

func TestAnUploadThatBrokeOffMayComeAgainUnderItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	r := importOf("a", NDJSON)
	r.Key = "k"
	if _, err := w.Import(t.Context(), r, breaks{strings.NewReader("{}\n"), errors.New("gone")}); err == nil {
		t.Fatal("it did not break off")
	}
	o, err := w.Import(t.Context(), r, strings.NewReader("{}\n{}\n"))
	if err != nil || w.finish(o).Created != 2 {
		t.Errorf("%+v, error %v", o, err)
	}
}

// TestAnUploadThatComesSlowlyGoesOn moves this machine's clock and that of the claim: a line comes every forty seconds.
func TestAnUploadThatComesSlowlyGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a")
	now := time.Now()
	w.Now = func() time.Time { return now }
	o, err := w.Import(t.Context(), importOf("a", NDJSON), &slowly{30, func() {
		now = now.Add(40 * time.Second)
		w.exec(`update fetchq.operations set claimed_until = claimed_until - interval '40 seconds'`)
		w.exec(`select fetchq.operations_tidy()`)
	}})
	if err != nil || w.finish(o).Created != 30 {
		t.Errorf("%+v, error %v", o, err)
	}
}

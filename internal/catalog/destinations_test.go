package catalog

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fetchq/server/internal/backup"
	"github.com/fetchq/server/internal/errs"
)

func TestADestinationIsRefusedByTheFieldThatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, tt := range []struct {
		d     Destination
		field string
	}{
		{Destination{Name: "A b", URL: w.url()}, "name"},
		{Destination{Name: "a", URL: "somewhere"}, "url"},
		{Destination{Name: "a", URL: "ftp://host/folder"}, "url"},
		{Destination{Name: "a", URL: "file://folder"}, "url"},
		{Destination{Name: "a", URL: "s3://user:password@bucket/prefix"}, "url"},
		{Destination{Name: "a", URL: "s3://bucket?secret_access_key=x"}, "url"},
		{Destination{Name: "a", URL: w.url(), Recipients: []string{"age1nonsense"}}, "recipients"},
		{Destination{Name: "a", URL: w.url(), Identity: "DATABASE_URL"}, "identity"},
		{Destination{Name: "a", URL: w.url(), Keep: backup.Keep{Weekly: -1}}, "keep_weekly"},
	} {
		_, err := w.s.PutDestination(t.Context(), tt.d, "ann")
		if field := fieldOf(err); errs.Of(err) != errs.Invalid || field != tt.field {
			t.Errorf("%+v: the field %q, %v", tt.d, field, err)
		}
		if err != nil && strings.Contains(err.Error(), "password@") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

func TestTheTestOfADestinationSaysWhichStepFailedAndKeepsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(w.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.PutDestination(t.Context(), Destination{Name: "bad", URL: "file://" + filepath.ToSlash(file) + "/below"}, "ann"); err != nil {
		t.Fatal(err)
	}
	err := w.s.Test(t.Context(), "bad")
	d, err2 := w.s.Destination(t.Context(), "bad")
	if err == nil || err2 != nil || d.TestError == nil || d.TestedAt == nil || !strings.Contains(*d.TestError, "failed") {
		t.Errorf("%v; %+v: %v", err, d, err2)
	}
	if err := w.s.Test(t.Context(), "here"); err != nil || len(w.files()) != 1 {
		t.Errorf("%v; %v is left", err, w.files())
	}
	if err := w.s.Test(t.Context(), "nowhere"); errs.Of(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}

func TestADestinationThatAScheduleWritesToStays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.s.PutSchedule(t.Context(), Schedule{Name: "nightly", Destination: "here", Cron: "@daily", Zone: "UTC"}, "ann"); err != nil {
		t.Fatal(err)
	}
	if err := w.s.DeleteDestination(t.Context(), "here"); errs.Of(err) != errs.Exists || !strings.Contains(err.Error(), "nightly") {
		t.Errorf("%v", err)
	}
	if err := w.s.DeleteSchedule(t.Context(), "nightly"); err != nil {
		t.Fatal(err)
	}
	if err := w.s.DeleteDestination(t.Context(), "here"); err != nil {
		t.Error(err)
	}
	if err := w.s.DeleteDestination(t.Context(), "here"); errs.Of(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}

func TestAListingIsKeptUntilSomethingIsDoneThere(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.fill("pages", 1)
	look := func() int {
		t.Helper()
		p, ready, err := w.s.Look(t.Context(), "here", "", 10, time.Minute)
		if err != nil || !ready {
			t.Fatalf("%v, ready %v", err, ready)
		}
		return len(p.Entries)
	}
	if n := look(); n != 0 {
		t.Fatalf("%d are there", n)
	}
	name := w.made()
	if n := look(); n != 1 {
		t.Errorf("%d are there after a run", n)
	}
	if err := os.Remove(filepath.Join(w.dir, name+".manifest.json")); err != nil {
		t.Fatal(err)
	}
	if n := look(); n != 1 {
		t.Errorf("%d are told; what was asked a moment ago is kept", n)
	}
	w.s.listings.forget("here")
	if n := look(); n != 0 {
		t.Errorf("%d are there", n)
	}
}

func TestAListingThatTakesLongHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	answer := make(chan struct{})
	l := newListings(func(_ context.Context, _ Destination, _ string, _ int) (Page, error) {
		<-answer
		return Page{Next: "x"}, nil
	}, time.Now)
	if _, ready, err := l.get(t.Context(), Destination{Name: "slow"}, "", 10, time.Millisecond); ready || err != nil {
		t.Fatalf("ready %v: %v", ready, err)
	}
	close(answer)
	if p, ready, err := l.get(t.Context(), Destination{Name: "slow"}, "", 10, time.Minute); !ready || err != nil || p.Next != "x" {
		t.Errorf("%+v, ready %v: %v", p, ready, err)
	}
}

// fieldOf is the field that an error names.
func fieldOf(err error) string {
	var e *errs.Error
	if errors.As(err, &e) {
		return e.Field
	}
	return ""
}

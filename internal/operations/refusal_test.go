package operations

import (
	"testing"
	"time"

	"github.com/fetchq/server/internal/errs"
	"github.com/fetchq/server/internal/wire"
)

func TestWhatCannotBeAskedForIsRefusedInClearWords(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "a", "b")
	five, many := 5, 40_000
	soon := time.Now()
	for name, tt := range map[string]struct {
		r     Request
		code  errs.Code
		field string
	}{
		"no queue":               {Request{Queue: "c", Action: Kill, Filter: all()}, errs.NotFound, "queue"},
		"no name":                {Request{Queue: "C'", Action: Kill, Filter: all()}, errs.NotFound, "queue"},
		"no action":              {Request{Queue: "a", Action: "explode", Filter: all()}, errs.Invalid, "action"},
		"an import":              {Request{Queue: "a", Action: Import, Filter: all()}, errs.Invalid, "action"},
		"neither":                {Request{Queue: "a", Action: Kill}, errs.Invalid, "filter"},
		"both":                   {Request{Queue: "a", Action: Kill, Filter: all(), Subjects: []string{"x"}}, errs.Invalid, "filter"},
		"an empty list":          {Request{Queue: "a", Action: Kill, Subjects: []string{}}, errs.Invalid, "subjects"},
		"a long list":            {Request{Queue: "a", Action: Kill, Subjects: make([]string, 10_001)}, errs.Invalid, "subjects"},
		"an empty subject":       {Request{Queue: "a", Action: Kill, Subjects: []string{"x", ""}}, errs.Invalid, "subjects"},
		"a subject with NUL":     {Request{Queue: "a", Action: Kill, Subjects: []string{"x\x00"}}, errs.Invalid, "subjects"},
		"no date":                {Request{Queue: "a", Action: Reschedule, Filter: all()}, errs.Invalid, "next_iteration"},
		"a date too much":        {Request{Queue: "a", Action: Kill, Filter: all(), Next: wire.Date{At: soon}}, errs.Invalid, "next_iteration"},
		"a date far away":        {Request{Queue: "a", Action: Reschedule, Filter: all(), Next: wire.Date{Delay: &wire.Interval{Months: 12 * 9000}}}, errs.Invalid, "next_iteration"},
		"no priority":            {Request{Queue: "a", Action: SetPriority, Filter: all()}, errs.Invalid, "priority"},
		"a priority too much":    {Request{Queue: "a", Action: Retry, Filter: all(), Priority: &five}, errs.Invalid, "priority"},
		"a high priority":        {Request{Queue: "a", Action: SetPriority, Filter: all(), Priority: &many}, errs.Invalid, "priority"},
		"nowhere":                {Request{Queue: "a", Action: Move, Filter: all()}, errs.Invalid, "to_queue"},
		"to itself":              {Request{Queue: "a", Action: Move, Filter: all(), ToQueue: "a"}, errs.Invalid, "to_queue"},
		"to none":                {Request{Queue: "a", Action: Move, Filter: all(), ToQueue: "c"}, errs.Invalid, "to_queue"},
		"a queue too much":       {Request{Queue: "a", Action: Drop, Filter: all(), ToQueue: "b"}, errs.Invalid, "to_queue"},
		"a long message":         {Request{Queue: "a", Action: Drop, Filter: all(), Message: string(make([]byte, 1001))}, errs.Invalid, "message"},
		"no status":              {Request{Queue: "a", Action: Drop, Filter: &Filter{Status: "gone"}}, errs.Invalid, "filter.status"},
		"no killed ones":         {Request{Queue: "a", Action: Retry, Filter: &Filter{Status: "pending"}}, errs.Invalid, "filter.status"},
		"run active ones":        {Request{Queue: "a", Action: RunNow, Filter: &Filter{Status: "active"}}, errs.Invalid, "filter.status"},
		"kill killed ones":       {Request{Queue: "a", Action: Kill, Filter: &Filter{Status: "killed"}}, errs.Invalid, "filter.status"},
		"complete finished":      {Request{Queue: "a", Action: Complete, Filter: &Filter{Status: "completed"}}, errs.Invalid, "filter.status"},
		"a long prefix":          {Request{Queue: "a", Action: Drop, Filter: &Filter{SubjectPrefix: string(make([]byte, 256))}}, errs.Invalid, "filter.subject_prefix"},
		"a high version":         {Request{Queue: "a", Action: Drop, Filter: &Filter{Version: &many}}, errs.Invalid, "filter.version"},
		"dates without status":   {Request{Queue: "a", Action: Drop, Filter: &Filter{DueBefore: &soon}}, errs.Invalid, "filter.due_before"},
		"dates of killed ones":   {Request{Queue: "a", Action: Drop, Filter: &Filter{Status: "killed", DueAfter: &soon}}, errs.Invalid, "filter.due_before"},
		"a key that is too long": {Request{Queue: "a", Action: Drop, Filter: all(), Key: string(make([]byte, 256))}, errs.Invalid, "idempotency_key"},
	} {
		_, err := w.Create(t.Context(), tt.r)
		checkRefusal(t, name, err, tt.code, tt.field)
		if tt.r.Key == "" {
			_, err = w.Count(t.Context(), tt.r)
			checkRefusal(t, name+", counted", err, tt.code, tt.field)
		}
	}
	if n := scanOne[int](w, `select count(*) from fetchq.operations`); n != 0 {
		t.Errorf("%d operations were made", n)
	}
}

func checkRefusal(t *testing.T, name string, err error, code errs.Code, field string) {
	t.Helper()
	var e *errs.Error
	if !asError(err, &e) || e.Code != code || e.Field != field || e.Message == "" {
		t.Errorf("%s: %v; %s of %s is wanted", name, err, code, field)
	}
}

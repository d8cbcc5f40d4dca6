package queue_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

func TestADelayOutOfTheCalendarSpoilsItsOwnDocumentOnly(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	for _, policy := range []queue.OnConflict{queue.Ignore, queue.Update} {
		results, err := e.Push(ctx, "a", []queue.Push{
			{Subject: "far", Next: years(170_000_000)}, {Subject: "early", Next: years(-8000)}, {Subject: "near" + string(policy), Next: years(1)},
		}, policy)
		if err != nil {
			t.Fatal(err)
		}
		const detail = "next_iteration is outside the years 1970 to 9999"
		want := []string{"far invalid " + detail, "early invalid " + detail, "near" + string(policy) + " created "}
		if diff := cmp.Diff(want, told(results)); diff != "" {
			t.Error(diff)
		}
	}
}

func TestArraysOfAnyShapeAreListsOfItems(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	exec(t, db, `select fetchq.queue_create('a')`)
	for _, shape := range []string{`array[['g','h']]`, `'[0:1]={g,h}'::text[]`, `'[5:6]={g,h}'::text[]`} {
		for _, want := range []string{"created, created", "updated, updated"} {
			got := one[string](t, db, `select string_agg(outcome, ', ') from fetchq.doc_push_many('a', `+shape+`, p_on_conflict => 'update')`)
			if got != want {
				t.Errorf("%s: %s; %s is wanted", shape, got, want)
			}
		}
		exec(t, db, `select fetchq.queue_truncate('a')`)
	}
	if n := one[int](t, db, `select count(*) from fetchq.doc_append_many('a', null)`); n != 0 {
		t.Errorf("no documents became %d", n)
	}
}

// TestDataThatCannotBeReadSpoilsItsOwnDocumentOnly sends, past the checks of the API, what Postgres refuses to read.
func TestDataThatCannotBeReadSpoilsItsOwnDocumentOnly(t *testing.T) {
	t.Parallel()
	ctx, e := engine(t)
	docs := []queue.Push{{Payload: []byte(`{}`)}, {Payload: []byte(`{"a":"\u0000"}`)}, {Subject: "x"}}
	first, err := e.Append(ctx, "a", "k", docs, queue.Ignore)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"created", "invalid", "created"}, outcomes(first)); diff != "" || first[1].Detail != "payload cannot be stored as jsonb" {
		t.Error(diff, first[1].Detail)
	}
	again, err := e.Append(ctx, "a", "k", docs, queue.Ignore)
	if err != nil || !slices.Equal(told(first), told(again)) {
		t.Errorf("%v after %v, error %v", told(again), told(first), err)
	}
}

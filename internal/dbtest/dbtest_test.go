package dbtest

import (
	"context"
	"testing"
)

func TestEachTestHasADatabaseOfItsOwn(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	one, two := New(t), New(t)
	if _, err := one.Exec(ctx, `select fetchq.queue_create('mine')`); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := two.QueryRow(ctx, `select count(*) from fetchq.queues`).Scan(&n); err != nil || n != 0 {
		t.Fatalf("the other database has %d queues, error %v; none is wanted", n, err)
	}
}

func TestReplacePlantsABug(t *testing.T) {
	t.Parallel()
	db := New(t)
	Replace(t, db, "job_kinds", "'vacuum'", "'nothing'")
	var kind string
	if err := db.QueryRow(context.Background(), `select k from unnest(fetchq.job_kinds()) k where k = 'nothing'`).Scan(&kind); err != nil {
		t.Fatal(err)
	}
}

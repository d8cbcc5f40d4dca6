package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fetchq/server/client"
	"github.com/fetchq/server/internal/database"
)

// inLine is how long a worker gets to begin its wait before something is pushed for it.
const inLine = 15 * time.Millisecond

// patience is how long it waits then.
const patience = 20 * time.Second

// wait measures how long a document takes from the push that is sent to the worker that waited. Each worker has a payload
// version of its own, so that nobody takes another one's document.
func wait(ctx context.Context, r *run) (load, error) {
	type arrival struct {
		docs []client.Leased
		at   time.Time
		err  error
	}
	return load{workers: r.o.Connections, turn: func(ctx context.Context, worker, turn int) (step, error) {
		arrived := make(chan arrival, 1)
		go func() {
			picked, err := r.http.Pick(ctx, r.queue, client.PickRequest{Version: worker, Wait: patience.String(), Worker: "bench"})
			arrived <- arrival{picked.Documents, r.Now(), err}
		}()
		if err := r.sleep(ctx, inLine); err != nil {
			return step{}, err
		}
		sent := r.Now()
		if err := r.pushOne(ctx, worker, turn); err != nil {
			return step{}, errors.Join(err, (<-arrived).err)
		}
		a := <-arrived
		if a.err == nil && len(a.docs) != 1 {
			a.err = fmt.Errorf("a worker that waits got %d documents within %s of a push", len(a.docs), patience)
		}
		if a.err != nil {
			return step{}, a.err
		}
		n, err := r.completeHTTP(ctx, a.docs)
		return step{documents: n, took: a.at.Sub(sent)}, err
	}}, nil
}

// pushOne pushes one document of a worker's own version.
func (r *run) pushOne(ctx context.Context, worker, turn int) error {
	subject := subjects(worker, turn, 1)[0]
	if r.o.By == BySQL {
		_, err := r.db.Exec(ctx, `select fetchq.doc_push($1, $2, $3, 0, null, $4)`, r.queue, subject, worker, r.payload)
		return err
	}
	_, err := r.http.Push(ctx, r.queue, client.PushRequest{Documents: []client.Push{{Subject: subject, Version: &worker, Payload: []byte(r.payload)}}})
	return err
}

// rawWait is an insert with a notification, and a connection that listens and then takes the row.
func rawWait(_ context.Context, r *run) (load, error) {
	take := r.rawTake("$2")
	push := `with made as (insert into ` + r.table("docs") + ` (subject, seq, lease, next_iteration, size, created_at, version, priority, status, payload)
		values ($1, 0, 0, now(), 0, now(), $2, 0, 1, $3::jsonb) returning 1) select pg_notify($4, '') from made`
	return load{workers: r.o.Connections, turn: func(ctx context.Context, worker, turn int) (step, error) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		conn, err := database.Connect(ctx, r.DatabaseURL, loadName)
		if err != nil {
			return step{}, err
		}
		defer conn.Close(context.WithoutCancel(ctx))
		channel := fmt.Sprintf("%s_%d", r.queue, worker)
		if _, err := conn.Exec(ctx, `listen `+channel); err != nil {
			return step{}, err
		}
		if _, err := conn.Prepare(ctx, "take", take); err != nil {
			return step{}, err
		}
		arrived := make(chan error, 1)
		var at time.Time
		go func() {
			_, err := conn.WaitForNotification(ctx)
			if err == nil {
				_, err = conn.Exec(ctx, "take", 1, worker)
			}
			at = r.Now()
			arrived <- err
		}()
		err = r.sleep(ctx, inLine)
		sent := r.Now()
		if err == nil {
			_, err = r.db.Exec(ctx, push, subjects(worker, turn, 1)[0], worker, r.payload, channel)
		}
		if err != nil {
			cancel()
		}
		err = errors.Join(err, <-arrived)
		return step{documents: 1, took: at.Sub(sent)}, err
	}}, nil
}

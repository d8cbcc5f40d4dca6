package metrics

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestSamplesAreTakenEveryFiveSecondsUntilStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := New(func(context.Context) ([]Sample, error) {
			n++
			return []Sample{{Queue: "a", Entered: int64(n)}}, nil
		}, nil, time.Now, slog.New(slog.DiscardHandler))
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		r.Stop()
		if n < 11 || n > 14 {
			t.Errorf("%d samples in a minute", n)
		}
		if got := r.Of("a"); !got.Known || got.EnteredPerMin < 10 || got.EnteredPerMin > 14 {
			t.Errorf("%+v", got)
		}
	})
}

func TestARowOfFailuresIsLoggedOnceAndTriedLessOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said bytes.Buffer
		var n atomic.Int64
		var mended atomic.Bool
		r := New(func(context.Context) ([]Sample, error) {
			n.Add(1)
			if !mended.Load() {
				return nil, errors.New("away")
			}
			return nil, nil
		}, nil, time.Now, slog.New(slog.NewTextHandler(&said, nil)))
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if n := n.Load(); n < 10 || n > 15 {
			t.Errorf("%d tries in ten minutes", n)
		}
		mended.Store(true)
		time.Sleep(2 * time.Minute)
		r.Stop()
		if text := said.String(); strings.Count(text, "cannot be read") != 1 || strings.Count(text, "can be read again") != 1 {
			t.Errorf("the log says:\n%s", text)
		}
	})
}

func TestStartAndStopComeInAnyOrder(t *testing.T) {
	reads := make(chan struct{}, 10)
	hangs := func(ctx context.Context) ([]Sample, error) {
		reads <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	}
	r := New(hangs, nil, time.Now, slog.New(slog.DiscardHandler))
	for range 2 {
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-reads
	r.Stop() // ends the read that hangs
	r.Stop()
	never := New(hangs, nil, time.Now, slog.New(slog.DiscardHandler))
	never.Stop()
	for _, r := range []*Recent{r, never} {
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Stop()
	}
	if len(reads) != 0 {
		t.Errorf("%d reads after the first", len(reads))
	}
}

func TestTrendsAreReadWhileSamplesCome(t *testing.T) {
	r := New(func(context.Context) ([]Sample, error) { return []Sample{{Queue: "a"}}, nil }, nil, time.Now, slog.New(slog.DiscardHandler))
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for range 1000 {
				if len(r.Of("a").Pending) != Points || len(r.Total().Errors) != Points {
					t.Error("a line is short")
				}
			}
		})
	}
	for range 1000 {
		if err := r.runOnce(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	readers.Wait()
}

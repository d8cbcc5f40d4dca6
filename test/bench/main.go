// Command bench measures what docs/performance.md reports: pushes, picks and resolutions by SQL and by HTTP, beside the
// barest SQL of the same work in the same run, and how long a start takes. It starts a server of its own with the
// product's defaults in a temporary folder, takes about a minute and a half, and removes what it made.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"sync"
	"time"
)

var (
	program  = flag.String("fetchq", "bin/fetchq", "the program; make build makes it")
	each     = flag.Duration("each", 3*time.Second, "how long each workload runs, 100ms to 1m")
	payload  = flag.Int("payload", 200, "bytes of a payload, 2 to 100000")
	backlog  = flag.Int("backlog", 200_000, "documents that wait in the queue before a drain, 1000 to 2000000")
	startRun = flag.Bool("start", true, "measure starts too")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if *each < 100*time.Millisecond || *each > time.Minute || *payload < 2 || *payload > 100_000 || *backlog < 1000 || *backlog > 2_000_000 {
		return fmt.Errorf("a flag is outside its limits; see -help")
	}
	s, cold, err := startServer(ctx)
	if err != nil {
		return err
	}
	defer s.remove()
	if err := s.describe(ctx); err != nil {
		return err
	}
	if *startRun {
		warm, err := s.restart(ctx)
		if err != nil {
			return err
		}
		fmt.Printf("Seconds to ready: cold (no cluster yet) %.2f, warm %.2f.\n\n", cold.Seconds(), warm.Seconds())
	}
	fmt.Println("| workload | documents/s | of the raw limit | p50 ms | p95 ms | p99 ms |")
	fmt.Println("|---|---:|---:|---:|---:|---:|")
	b := &bench{server: s, raw: map[string]float64{}}
	for _, part := range []func(context.Context) error{b.pushes, b.drains} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// bench is a run in progress.
type bench struct {
	*server
	raw map[string]float64 // documents a second of the raw limits, by their names
}

// measured is what one workload did.
type measured struct {
	documents int
	took      time.Duration
	calls     []time.Duration // of each call
}

func (m measured) rate() float64 { return float64(m.documents) / m.took.Seconds() }

// row prints a line of the table. limit names the raw limit that it is held against; "" for a limit itself.
func (b *bench) row(name, limit string, m measured) {
	slices.Sort(m.calls)
	at := func(share float64) float64 {
		if len(m.calls) == 0 {
			return 0
		}
		return float64(m.calls[min(int(share*float64(len(m.calls))), len(m.calls)-1)].Microseconds()) / 1000
	}
	ratio := "1 (the limit)"
	if limit == "" {
		b.raw[name] = m.rate()
	} else {
		ratio = fmt.Sprintf("%.2f", m.rate()/b.raw[limit])
	}
	fmt.Printf("| %s | %.0f | %s | %.2f | %.2f | %.2f |\n", name, m.rate(), ratio, at(0.5), at(0.95), at(0.99))
}

// repeat makes calls from n goroutines until the time is up or a call returns that nothing is left. Each call tells how
// many documents it dealt with.
func repeat(ctx context.Context, n int, call func(ctx context.Context, worker, turn int) (int, error)) (measured, error) {
	var (
		mu      sync.Mutex
		total   measured
		failure error
		all     sync.WaitGroup
	)
	began := time.Now()
	for worker := range n {
		all.Go(func() {
			var mine measured
			for turn := 0; time.Since(began) < *each && ctx.Err() == nil; turn++ {
				at := time.Now()
				done, err := call(ctx, worker, turn)
				if err != nil {
					mu.Lock()
					failure = err
					mu.Unlock()
					return
				}
				if done == 0 {
					break
				}
				mine.documents += done
				mine.calls = append(mine.calls, time.Since(at))
			}
			mu.Lock()
			defer mu.Unlock()
			total.documents += mine.documents
			total.calls = append(total.calls, mine.calls...)
		})
	}
	all.Wait()
	total.took = time.Since(began)
	if ctx.Err() != nil {
		return total, ctx.Err()
	}
	return total, failure
}

// machine describes what this runs on, in general words.
func machine() string {
	return fmt.Sprintf("%d cores, %s/%s, %s", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, runtime.Version())
}

package bench

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLimitsAreRefusedInClearWords(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		o    Options
		want string
	}{
		"good":             {Options{Workload: "drain"}, ""},
		"long stream":      {Options{Workload: "stream", Batch: 100_000}, ""},
		"no workload":      {Options{Workload: "drian"}, `there is no workload "drian"; there are ingest, stream, drain`},
		"no such door":     {Options{Workload: "stream", By: BySQL}, `--by is "sql"; the workload stream runs by http`},
		"no raw limit":     {Options{Workload: "mix", By: ByRaw}, `--by is "raw"`},
		"batch":            {Options{Workload: "ingest", Batch: 1001}, "--batch is 1001; 1 to 1000 are allowed for ingest"},
		"negative batch":   {Options{Workload: "ingest", Batch: -1}, "--batch is -1"},
		"stream":           {Options{Workload: "stream", Batch: 100_001}, "1 to 100000 are allowed for stream"},
		"many streams":     {Options{Workload: "stream", Connections: 9}, "--connections is 9; 1 to 8"},
		"connections":      {Options{Workload: "drain", Connections: 1001}, "--connections is 1001; 1 to 1000"},
		"small payload":    {Options{Workload: "drain", Payload: 15}, "--payload is 15; 16 to 1000000"},
		"backlog":          {Options{Workload: "drain", Backlog: 20_000_001}, "--backlog is 20000001; 0 to 20000000"},
		"planned":          {Options{Workload: "pick", Planned: -1}, "--planned is -1"},
		"queues":           {Options{Workload: "idle", Queues: 2001}, "--queues is 2001; 0 to 2000"},
		"journal":          {Options{Workload: "drain", Journal: "some"}, `--journal is "some"; off, errors or all is wanted`},
		"max active":       {Options{Workload: "drain", MaxActive: -1}, "--max-active is -1"},
		"short":            {Options{Workload: "drain", Duration: time.Millisecond}, "--duration is 1ms; 100ms to 1h0m0s"},
		"long":             {Options{Workload: "drain", Duration: 2 * time.Hour}, "--duration is 2h0m0s"},
		"rest":             {Options{Workload: "drain", Rest: time.Hour}, "--rest is 1h0m0s; 0s to 10m0s"},
		"full disk":        {Options{Workload: "drain", Backlog: 20_000_000, Payload: 10_000}, "are 200 GB; 100 are allowed"},
		"call too large":   {Options{Workload: "ingest", Batch: 1000, Payload: 100_000}, "larger than 16 MiB"},
		"what is not laid": {Options{Workload: "ingest", Backlog: 20_000_001}, ""},
	} {
		o, err := tt.o.Fill()
		if err == nil {
			err = o.Check()
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; %q is wanted", name, err, tt.want)
		}
	}
}

func TestTooManyConnectionsAreRefusedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	b, db := open(t)
	_, err := b.Run(context.Background(), Options{Workload: "ingest", By: BySQL, Connections: 900})
	if err == nil || !strings.Contains(err.Error(), "--connections is 900; this Postgres has ") {
		t.Errorf("900 connections: %v", err)
	}
	b.ServerURL = ""
	if _, err = b.Run(context.Background(), Options{Workload: "ingest", By: ByHTTP}); err == nil || !strings.Contains(err.Error(), "needs a server") {
		t.Errorf("without a server: %v", err)
	}
	nothingLeft(t, db)
}

func TestAServerOfAnotherDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	b, db := open(t)
	other, _ := open(t)
	b.ServerURL, b.Token = other.ServerURL, other.Token
	if _, err := b.Run(context.Background(), Options{Workload: "ingest", By: ByHTTP}); err == nil || !strings.Contains(err.Error(), "serves from another database") {
		t.Errorf("a server of another database: %v", err)
	}
	nothingLeft(t, db)
}

func TestSuitesAreWithinTheLimits(t *testing.T) {
	t.Parallel()
	for _, name := range []string{SuiteDocs, SuiteLong} {
		for _, scale := range []float64{1, 0.0001} {
			all, err := Suite(name, scale)
			if err != nil || len(all) == 0 {
				t.Fatal(err)
			}
			for _, o := range all {
				o, err := o.Fill()
				if err == nil {
					err = o.Check()
				}
				if err != nil {
					t.Errorf("%s × %v: %s by %s: %v", name, scale, o.Workload, o.By, err)
				}
			}
		}
	}
	for _, scale := range []float64{0, -1, 1.1} {
		if _, err := Suite(SuiteLong, scale); err == nil {
			t.Errorf("a suite takes the scale %v", scale)
		}
	}
}

func TestPercentilesAreRightToAPercent(t *testing.T) {
	t.Parallel()
	var one, two, none times
	var all []float64
	for n := range 10_000 {
		d := time.Duration(rand.ExpFloat64()*float64(20*time.Millisecond)) + time.Microsecond //nolint:gosec // a test
		all = append(all, float64(d)/float64(time.Millisecond))
		[]*times{&one, &two}[n%2].add(d)
	}
	one.merge(&two)
	slices.Sort(all)
	for _, share := range []float64{0.01, 0.5, 0.95, 0.99, 1} {
		want := all[int(share*10_000)-1]
		if got := one.at(share); got < want*0.999 || got > want*1.011 {
			t.Errorf("%v of the calls took %v ms at most; %v is wanted", share, got, want)
		}
	}
	if one.most() != all[len(all)-1] || none.at(0.5) != 0 {
		t.Errorf("the longest took %v ms; of none the median is %v", one.most(), none.at(0.5))
	}
}

func TestAPayloadIsJSONOfItsSize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{minPayload, 100, 4096} {
		text := newPayload(size)
		if len(text) != size || !json.Valid([]byte(text)) {
			t.Errorf("a payload of %d bytes is %.60s…, %d bytes", size, text, len(text))
		}
	}
}

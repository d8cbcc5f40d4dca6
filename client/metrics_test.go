package client_test

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/fetchq/server/client"
)

func TestWhatAHandlerMeasuresTravelsWithItsResolution(t *testing.T) {
	sent := make(chan client.Resolution, 1)
	picked := false
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Resolutions []client.Resolution `json:"resolutions"`
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		out := client.PickResponse{Results: []client.Result{}}
		for _, res := range body.Resolutions {
			out.Results = append(out.Results, client.Result{Subject: res.Subject, Outcome: client.OutcomeOK})
			sent <- res
		}
		if !picked && r.URL.Path == "/api/v1/queues/pages/pick" {
			picked = true
			out.Documents = []client.Leased{{Subject: "1", Lease: 7}}
		}
		answer(w, 200, out)
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- client.Worker{Client: c, Queue: "pages", Handler: func(ctx context.Context, _ client.Leased) client.Resolution {
			end := client.Timing(ctx, "parse")
			time.Sleep(2 * time.Millisecond)
			end()
			client.Count(ctx, "bytes", 100)
			client.Count(ctx, "bytes", 50)
			client.Gauge(ctx, "depth", 3)
			client.Gauge(ctx, "depth", 2)
			return client.Complete().WithMetrics(client.Metric{Name: "own", Type: client.TypeCounter, Value: 1})
		}}.Run(ctx)
	}()
	r := <-sent
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	want := []client.Metric{
		{Name: "own", Type: "counter", Value: 1}, {Name: "parse", Type: "timing"},
		{Name: "bytes", Type: "counter", Value: 150}, {Name: "depth", Type: "gauge", Value: 2},
	}
	if len(r.Metrics) != len(want) {
		t.Fatalf("%+v were sent; %+v are right", r.Metrics, want)
	}
	for i, m := range r.Metrics {
		if m.Type == client.TypeTiming {
			if m.Value < 2 || m.Value > 10_000 {
				t.Errorf("a piece of 2 ms took %v", m.Value)
			}
			m.Value = 0
		}
		if m != want[i] {
			t.Errorf("%+v was sent; %+v is right", m, want[i])
		}
	}
	client.Count(t.Context(), "elsewhere", 1) // outside of a handler it is not an error
}

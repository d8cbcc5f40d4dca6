package client_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"

	"github.com/fetchq/server/client"
)

// A worker that visits pages every second day until Ctrl-C.
func ExampleWorker() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := client.Worker{
		Client:      client.New("http://127.0.0.1:8080", os.Getenv("FETCHQ_TOKEN")),
		Queue:       "pages",
		Concurrency: 8,
		Handler: func(ctx context.Context, doc client.Leased) client.Resolution {
			size, err := visit(ctx, doc.Subject)
			if err != nil {
				return client.Reject(err)
			}
			return client.Reschedule("+2 days").WithPayload(json.RawMessage(fmt.Sprintf(`{"bytes":%d}`, size)))
		},
	}.Run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func visit(context.Context, string) (size int, err error) { return 0, nil }

// Three documents, one of them for tomorrow.
func ExampleClient_Push() {
	c := client.New("http://127.0.0.1:8080", os.Getenv("FETCHQ_TOKEN"))
	answer, err := c.Push(context.Background(), "pages", client.PushRequest{Documents: []client.Push{
		{Subject: "https://a.example/"},
		{Subject: "https://b.example/", Payload: json.RawMessage(`{"depth":3}`)},
		{Subject: "https://c.example/", NextIteration: "+1 day"},
	}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(answer.Created, answer.Ignored)
}

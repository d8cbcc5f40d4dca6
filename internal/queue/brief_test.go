package queue_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/queue"
)

// TestBriefListsLeaveLargePayloadsOut asks each way that a list may be read, and each place where a subject stands.
func TestBriefListsLeaveLargePayloadsOut(t *testing.T) {
	t.Parallel()
	_, e := engine(t)
	put(t, e, "b", `{}`)
	numbers := make([]string, 20_000) // they differ, so that compression leaves them above the limit
	for i := range numbers {
		numbers[i] = strconv.Itoa(i * i)
	}
	large := []byte("[" + strings.Join(numbers, ",") + "]")
	for _, name := range []string{"a", "b"} {
		if _, err := e.Push(t.Context(), name, []queue.Push{{Subject: "large", Payload: large}, {Subject: "small", Payload: []byte(`[1]`)}}, queue.Ignore); err != nil {
			t.Fatal(err)
		}
	}
	pending := queue.Pending
	for _, f := range []queue.DocFilter{{}, {Status: &pending}, {SubjectPrefix: "l"}, {SubjectPrefix: "s"}} {
		for _, brief := range []bool{false, true} {
			f.Limit, f.Brief = 10, brief
			page, err := e.Docs(t.Context(), "a", f)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range page.Documents {
				want := !brief || d.Subject == "small"
				if got := d.Payload != nil; got != want {
					t.Errorf("%+v: the payload of %s is read: %v", f, d.Subject, got)
				}
			}
		}
	}
	for subject, want := range map[string]bool{"large": false, "small": true} {
		docs, err := e.Everywhere(t.Context(), subject, nil)
		if err != nil || len(docs) != 2 || docs[0].Queue != "a" || docs[1].Queue != "b" {
			t.Fatalf("%s stands at %+v, %v", subject, docs, err)
		}
		for _, d := range docs {
			if got := d.Payload != nil; got != want {
				t.Errorf("the payload of %s in %s is read: %v", subject, d.Queue, got)
			}
		}
	}
}

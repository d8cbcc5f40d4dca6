package main

import (
	"fmt"
	"net/url"
)

const (
	large = "large"
	here  = "/queues/" + large
)

// list is the URL of the list of the large queue with filters: names and values in turns.
func list(filters ...string) string {
	v := url.Values{}
	for i := 0; i < len(filters); i += 2 {
		v.Set(filters[i], filters[i+1])
	}
	if len(v) == 0 {
		return here + "/documents"
	}
	return here + "/documents?" + v.Encode()
}

// largePages are those of the large queue: every filter that the form has, alone and with each status, and every order; "none" fits nothing.
func largePages() []string {
	pages := []string{
		list(), list("size", "200"), list("subject_prefix", "https://bench.example/0000"), list("subject_prefix", "none"),
		list("version", "2"), list("version", "32000"), list("priority", "2"), list("priority", "32000"),
		list("attempts_min", "6"), list("attempts_min", "32000"), list("worker", "worker-7"), list("worker", "none"),
		list("created_after", "-50 days", "created_before", "-49 days"), list("created_after", "+1 day"),
		list("payload", `{"host":"h17.example"}`), list("payload", `{"kind":"page"}`), list("payload", `{"kind":"none"}`),
	}
	for _, status := range []string{"planned", "pending", "active", "completed", "killed"} {
		date, span := "next_iteration", []string{"due_after", "due_before"}
		if status == "completed" || status == "killed" {
			date, span = "last_iteration", []string{"finished_after", "finished_before"}
		}
		days := []string{"-51 days", "-50 days"}
		if status == "planned" {
			days = []string{"+50 days", "+51 days"}
		}
		of := func(filters ...string) string { return list(append([]string{"status", status}, filters...)...) }
		pages = append(pages, of(), of("order", date), of("order", "subject"), of("version", "2", "priority", "2"), of("priority", "32000"), of("worker", "none"),
			of("attempts_min", "32000"), of("payload", `{"kind":"none"}`))
		if status != "active" {
			pages = append(pages, of(span[0], days[0], span[1], days[1]))
		}
	}
	ask := func(action string, filters ...string) string {
		v := url.Values{"action": {action}}
		for i := 0; i < len(filters); i += 2 {
			v.Set("filter."+filters[i], filters[i+1])
		}
		return here + "/operations/new?" + v.Encode()
	}
	return append(pages, here, here+"/document?subject="+url.QueryEscape("https://bench.example/000000100"),
		ask("kill"), ask("retry", "status", "killed"), ask("kill", "worker", "none"), ask("drop", "payload", `{"kind":"none"}`))
}

// manyPages are those that look into all queues.
func manyPages() []string {
	group := fmt.Sprintf("/queues/%s/errors", name(1))
	return []string{
		"/search?q=" + url.QueryEscape("https://bench.example/00"), "/search?q=" + url.QueryEscape(subject(7)), "/search?q=none", "/search?q=timeout",
		"/search?q=" + url.QueryEscape("in part 17 of"), "/search?q=queue_0", "/errors", "/errors?order=last_seen", "/errors?within=1h", "/errors?q=timeout",
		"/errors?q=none", "/errors?show=lines", "/errors?show=lines&q=timeout", "/errors?show=lines&q=none", group, group + "?show=lines", "/workers", "/", "/queues",
	}
}

func name(i int) string { return fmt.Sprintf("queue_%03d", i) }

func subject(i int) string { return fmt.Sprintf("https://bench.example/%09d", i) }

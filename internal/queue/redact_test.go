package queue_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/fetchq/server/internal/dbtest"
	"github.com/fetchq/server/internal/queue"
)

func TestHiddenPartsAreReplacedAndTheRestStays(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ paths, text, want string }{
		{"", `{"a": 1}`, `{"a": 1}`},
		{"$", `{"a": 1}`, `"[redacted]"`},
		{"$", `7`, `"[redacted]"`},
		{"$.a", `{"a": {"b": [1]}, "c": 1.50}`, `{"a": "[redacted]", "c": 1.50}`},
		{"$.a.b", `{"a": {"b": null, "<c>": 1e400}, "b": 2}`, `{"a": {"b": "[redacted]", "<c>": 1e400}, "b": 2}`},
		{"$.items[*].card", `{"items": [{"card": "1", "n": 1}, {"n": 2}, 3, [4]]}`, `{"items": [{"card": "[redacted]", "n": 1}, {"n": 2}, 3, [4]]}`},
		{"$[*]", `[1, {"a": 2}]`, `["[redacted]", "[redacted]"]`},
		{`$["a name"].ü $["ü"]`, `{"a name": {"ü": 1}, "ü": 2}`, `{"a name": {"ü": 1}, "ü": "[redacted]"}`}, // the first is no path: it hides all, see below
		{"$.a.b", `{"a":  [ 1 ],"c":2}`, `{"a":  [ 1 ],"c":2}`},
		{"$.b $.a.c", `{"a":{"c":1,"d":2},"b":3}`, `{"a": {"c": "[redacted]", "d": 2}, "b": "[redacted]"}`},
		{"$.a", `{"a": 1`, `"[redacted]"`},
	} {
		var paths []string
		if tt.paths != "" {
			paths = strings.Split(tt.paths, " $")
			for i := range paths[1:] {
				paths[i+1] = "$" + paths[i+1]
			}
		}
		want := tt.want
		if queue.CheckRedact(paths) != nil {
			want = queue.Redacted
		}
		if got := string(queue.NewRedaction(paths).Apply([]byte(tt.text))); got != want {
			t.Errorf("%s of %s: %s; %s is wanted", tt.paths, tt.text, got, want)
		}
	}
}

func TestAFilterTouchesWhatIsHidden(t *testing.T) {
	t.Parallel()
	r := queue.NewRedaction([]string{"$.user.email", "$.items[*].card"})
	for text, want := range map[string]bool{
		`{"user":{"email":"x"}}`: true, `{"user":{"email":{}}}`: true, `{ "user" : {"age":3, "email" : null}}`: true, `{"items":[{"n":1},{"card":1}]}`: true,
		`{"user":{"age":3}}`: false, `{"user":{}}`: false, `{"email":"x"}`: false, `{"items":[]}`: false, `{"items":[{"n":{"card":1}}]}`: false, ``: false,
	} {
		if got := r.Touches([]byte(text)); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
	if !queue.NewRedaction([]string{"$"}).Touches([]byte(`{}`)) || (queue.Redaction{}).Touches([]byte(`{"a":1}`)) {
		t.Error("all, or nothing, is told wrong")
	}
}

func TestPathsOfHiddenPartsHaveLimits(t *testing.T) {
	t.Parallel()
	many := make([]string, queue.MaxRedact+1)
	for i := range many {
		many[i] = "$.a"
	}
	e := stoppedClock(t, dbtest.New(t))
	put(t, e, "a", `{}`)
	for _, tt := range []struct {
		paths []string
		ok    bool
	}{
		{[]string{"$", "$.a", "$.a-b_C.d[*][*].e", `$["a b"]["ü"]`, "$" + strings.Repeat(".a", queue.MaxRedactSteps)}, true}, {many[1:], true},
		{many, false}, {[]string{"a"}, false}, {[]string{"$."}, false}, {[]string{"$.a[1]"}, false}, {[]string{"$..a"}, false}, {[]string{`$["a"b"]`}, false}, {[]string{`$["a\"]`}, false},
		{[]string{"$.a\n"}, false}, {[]string{"$[\"a\tb\"]"}, false}, {[]string{"$" + strings.Repeat(".a", queue.MaxRedactSteps+1)}, false}, {[]string{"$." + strings.Repeat("a", queue.MaxRedactPath)}, false}, {[]string{""}, false},
	} {
		if err := queue.CheckRedact(tt.paths); (err == nil) != tt.ok {
			t.Errorf("%.80q: %v", tt.paths, err)
		}
		patch, _ := json.Marshal(map[string]any{"redact": tt.paths})
		if _, err := e.Patch(t.Context(), "a", patch); (err == nil) != tt.ok {
			t.Errorf("the database of %.80q: %v", tt.paths, err)
		}
	}
}

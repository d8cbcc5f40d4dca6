package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAPreviewIsWhatAnImportWouldDo(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`{"subject":"x"}`+"\n", 30)
	for name, tt := range map[string]struct {
		format, text string
		whole        bool
		want         []string
	}{
		"ndjson":          {NDJSON, "{\"subject\":\"a\",\"payload\":{\"n\":1}}\n\n{\"subject\":\n{\"subject\":\"b\",\"priority\":3}", true, []string{"1 a {\"n\":1}", "3 wrong", "4 b "}},
		"csv":             {CSV, "subject,payload.url,version\na,\"x\ny\",2\nb,,high\n", true, []string{`2 a {"url":"x\ny"}`, "4 wrong"}},
		"csv in a quote":  {CSV, "subject,payload\na,1\nb,\"[1,\n2", false, []string{"2 a 1"}},
		"ndjson is cut":   {NDJSON, "{\"subject\":\"a\"}\n{\"subject\":\"b", false, []string{"1 a "}},
		"one line, cut":   {NDJSON, "{\"subject\":\"b", false, []string{"1 wrong"}},
		"many":            {NDJSON, long, true, nil},
		"nothing":         {NDJSON, "", true, []string{}},
		"only the header": {CSV, "subject\n", true, []string{}},
	} {
		lines, err := Preview(tt.format, []byte(tt.text), tt.whole)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		got := []string{}
		for _, l := range lines {
			if l.Wrong != "" {
				got = append(got, fmt.Sprint(l.Line, " wrong"))
			} else {
				got = append(got, fmt.Sprint(l.Line, " ", l.Doc.Subject, " ", string(l.Doc.Payload)))
			}
		}
		if name == "many" {
			if len(got) != PreviewLines {
				t.Errorf("%d lines are shown, %d are wanted", len(got), PreviewLines)
			}
		} else if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for _, tt := range [][2]string{{"xml", ""}, {CSV, "colour\nred\n"}, {CSV, ""}} {
		if _, err := Preview(tt[0], []byte(tt[1]), true); err == nil {
			t.Errorf("%q of %s is taken", tt[1], tt[0])
		}
	}
}

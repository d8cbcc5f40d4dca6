package templates

import (
	"strings"
	"testing"
)

func TestDiffTellsWhichLinesDiffer(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("same\n", 20)
	for name, tt := range map[string]struct{ before, after, want string }{
		"nothing":   {"a\nb", "a\nb", "……"},
		"a line":    {"a\nb\nc", "a\nx\nc", " a|-b|+x| c"},
		"more":      {"a\nc", "a\nb\nc\nd", " a|+b| c|+d"},
		"less":      {"a\nb\nc\nd", "b\nd", "-a| b|-c| d"},
		"the end":   {"a", "a\nb", " a|+b"},
		"far away":  {"x\n1\n2\n3\n" + long + "y", "z\n1\n2\n3\n" + long + "y", "-x|+z| 1| 2| 3|……"},
		"different": {strings.Repeat("a\n", 3000), strings.Repeat("b\n", 3000), ""},
	} {
		var got []string
		for _, l := range Diff(tt.before, tt.after) {
			got = append(got, l.Kind+l.Text)
		}
		if name == "different" {
			if len(got) > diffMost+2 || got[0] != "-a" {
				t.Errorf("%s: %d lines, %.20q", name, len(got), got)
			}
			continue
		}
		if text := strings.Join(got, "|"); text != tt.want {
			t.Errorf("%s: %q, want %q", name, text, tt.want)
		}
	}
}

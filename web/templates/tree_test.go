package templates

import (
	"fmt"
	"strings"
	"testing"
)

// shown is what a tree shows, one value a line.
func shown(n *treeNode, level int, b *strings.Builder) {
	fmt.Fprintf(b, "%s%s%s%s\n", strings.Repeat(" ", level), n.key, n.text, map[bool]string{true: fmt.Sprint("#", n.count)}[n.kind == "object" || n.kind == "array"])
	for _, inner := range n.nodes {
		shown(inner, level+1, b)
	}
}

func TestTreeTakesJSONAsItStands(t *testing.T) {
	t.Parallel()
	tree, ok := growTree([]byte(`{"z":1,"a":[true,null,{"k":"<\"é\u0001"}],"n":-1.50E+400,"big":123456789012345678901234567890,"e":{}}`), 100, 1000)
	if !ok || tree.hidden != 0 || tree.more {
		t.Fatalf("%+v %v", tree, ok)
	}
	var b strings.Builder
	shown(tree.root, 0, &b)
	want := "#5\n \"z\"1\n \"a\"#3\n  true\n  null\n  #1\n   \"k\"\"<\\\"é\\u0001\"\n \"n\"-1.50E+400\n \"big\"123456789012345678901234567890\n \"e\"#0\n"
	if b.String() != want {
		t.Errorf("the tree is\n%swant\n%s", b.String(), want)
	}
}

func TestTreeIsBounded(t *testing.T) {
	t.Parallel()
	list := "[" + strings.Repeat("7,", 4999) + "7]"
	tests := []struct {
		name, json string
		nodes      int
		size       int
		hidden     int
		more       bool
	}{
		{"nodes", list, 100, 1 << 20, 4901, false},
		{"text", `["` + strings.Repeat("x", 50) + `","y","z"]`, 100, 40, 2, false},
		{"depth", strings.Repeat("[", 100) + strings.Repeat("]", 100), 1000, 1000, 36, false},
		{"nested members are counted", `{"a":{"b":[1,2,3]},"c":4}`, 2, 1000, 5, false},
		{"what is read", "[" + strings.Repeat("1234567,", treeScan/8+9) + "7]", 10, 1000, treeScan/8 - 9, true},
	}
	for _, test := range tests {
		tree, ok := growTree([]byte(test.json), test.nodes, test.size)
		if !ok || tree.hidden != test.hidden || tree.more != test.more {
			t.Errorf("%s: %d hidden, more %v, %v; want %d, %v", test.name, tree.hidden, tree.more, ok, test.hidden, test.more)
		}
	}
	long, _ := growTree([]byte(`"`+strings.Repeat("é", treeText)+`"`), 10, 1<<20)
	if got := long.root; len(got.text) > treeText || got.cut < treeText || !strings.HasSuffix(got.text, "é") {
		t.Errorf("a long text is cut to %d bytes, %d less", len(got.text), got.cut)
	}
}

func TestTreeRefusesWhatIsNoJSON(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[1,", `{"a"}`, "nope", "]"} {
		if tree, ok := growTree([]byte(text), 10, 10); ok {
			t.Errorf("%q grows to %+v", text, tree)
		}
	}
	page := drawn(t, tree([]byte("nope"), 10, 10, "/whole"))
	stands(t, page, `a[href="/whole"]`, 1)
}

func TestTreeOpensTwoLevels(t *testing.T) {
	t.Parallel()
	page := drawn(t, tree([]byte(`{"a":{"b":{"c":"<script>"}},"l":[]}`), 3, 1000, "/whole"))
	stands(t, page, "details", 2)
	stands(t, page, "details[open]", 2)
	says(t, page, "[data-more]", "… 2 more values; get it whole")
	page = drawn(t, tree([]byte(`{"a":{"b":{"c":"<script>"}},"l":[]}`), 100, 1000, "/whole"))
	stands(t, page, "details", 3)
	stands(t, page, "details[open]", 2)
	stands(t, page, "script", 0)
	says(t, page, ".tree details > div > details > div > details",
		`"b": { 1 }"c": "<script>"`)
}

func TestPretty(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		raw, want string
		most      int
	}{
		{`{"a": 1.10}`, "{\n  \"a\": 1.10\n}", 100}, {`{"a": 1.10}`, `{"a": 1.10}`, 12}, {"[1,2]", "[1,2]", 3}, {"no", "no", 100},
	} {
		if got := Pretty([]byte(test.raw), test.most); got != test.want {
			t.Errorf("Pretty(%q, %d) is %q, want %q", test.raw, test.most, got, test.want)
		}
	}
}

func TestALongSubjectIsCutBeforeItsEnd(t *testing.T) {
	t.Parallel()
	for subject, want := range map[string]string{
		"":                      "",
		strings.Repeat("é", 32): strings.Repeat("é", 32),
		"https://a.example/" + strings.Repeat("é", 24): "https://a.example/",
		strings.Repeat("x", 40) + "\xff":               strings.Repeat("x", 17),
	} {
		if got := before(subject); got != want {
			t.Errorf("%q is cut behind %q; %q is wanted", subject, got, want)
		}
	}
}

package main

import (
	"bytes"
	"maps"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/fetchq/server/client"
)

// oddTree has the names that URLs and file servers stumble over.
func oddTree(t *testing.T) tree {
	t.Helper()
	root := t.TempDir()
	for _, name := range []string{"a b/c#d.txt", "100%/x?y=z", "ü/🦊", "a+b", "a:b", "<i>&b\"'", "%2F", "deep/er/and/deeper/file.go", "index.html", "deep/index.html", ".hidden/..x"} {
		full := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/", filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	return newTree(root)
}

// follow visits a site from its first page without a queue, and returns the size of each page found.
func follow(t *testing.T, s *site) map[string]int64 {
	t.Helper()
	c := &crawler{http: http.DefaultClient}
	sizes := map[string]int64{s.base + "/": 0}
	for todo := []string{s.base + "/"}; len(todo) > 0; todo = todo[1:] {
		body, err := c.fetch(t.Context(), todo[0])
		for range maxAttempts - 1 {
			if err != nil {
				body, err = c.fetch(t.Context(), todo[0])
			}
		}
		if err != nil {
			continue
		}
		sizes[todo[0]] = int64(len(body))
		if !strings.HasSuffix(todo[0], "/") {
			continue
		}
		links, err := findLinks(todo[0], string(body))
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links {
			if _, known := sizes[link]; !known {
				sizes[link] = -1
				todo = append(todo, link)
			}
		}
	}
	return sizes
}

func TestTheLinksOfASiteLeadToExactlyThePagesOfTheDisk(t *testing.T) {
	odd := oddTree(t)
	s, err := serve(odd, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	all, err := pages(odd, s.base)
	if err != nil {
		t.Fatal(err)
	}
	got := follow(t, s)
	if want, have := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(got)); !slices.Equal(want, have) {
		t.Fatalf("found %q\non the disk %q", have, want)
	}
	if len(all) != 19 {
		t.Errorf("%d pages", len(all))
	}
	for address, p := range all {
		if size := got[address]; p.fault != always && !p.dir && size != p.size || p.fault == always && size != -1 {
			t.Errorf("%s has %d bytes; on the disk %d (fault %d)", address, size, p.size, p.fault)
		}
	}
}

func TestFaultsAreAFewOfAllAndNeverADirectoryForGood(t *testing.T) {
	counts := map[fault]int{}
	for i := range 10_000 {
		p := "/src/file" + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26%19) + string(rune('a'+i/500))
		counts[faultOf(p)]++
		if faultOf(p+"/") == always {
			t.Fatalf("the directory %s/ always fails", p)
		}
	}
	if counts[once] < 50 || counts[always] < 20 || counts[never] < 9_000 {
		t.Errorf("faults %v", counts)
	}
}

func TestTheTableShowsEachDifference(t *testing.T) {
	all := map[string]page{"/": {dir: true}, "/a": {size: 10}, "/b": {size: 20, fault: once}, "/c": {size: 40, fault: always}}
	want := truthOf(all)
	if want != (truth{pages: 4, directories: 1, completed: 3, killed: 1, bytes: 30, visits: 4, failures: 6}) {
		t.Fatalf("truth %+v", want)
	}
	good := found{documents: 4, completed: 3, killed: 1, bytes: 30, measured: 30, planned: 6}
	counts := client.Counts{Completed: 3, Killed: 1}
	var out bytes.Buffer
	if ok, err := show(&out, compare(want, good, counts, 4, 6, false)); !ok || err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	for name, change := range map[string]func(f *found, c *client.Counts, served, failed *int64){
		"lost document":     func(f *found, _ *client.Counts, _, _ *int64) { f.documents--; f.completed--; f.missing++ },
		"double document":   func(f *found, _ *client.Counts, _, _ *int64) { f.unknown++ },
		"still active":      func(_ *found, c *client.Counts, _, _ *int64) { c.Active++ },
		"counter drifts":    func(_ *found, c *client.Counts, _, _ *int64) { c.Completed++ },
		"counted twice":     func(f *found, _ *client.Counts, _, _ *int64) { f.measured += 10 },
		"wrong bytes":       func(f *found, _ *client.Counts, _, _ *int64) { f.bytes-- },
		"unexplained error": func(f *found, _ *client.Counts, _, _ *int64) { f.unexplained++ },
		"lease ran out":     func(f *found, _ *client.Counts, _, _ *int64) { f.orphaned++ },
		"second visit":      func(_ *found, _ *client.Counts, served, _ *int64) { *served++ },
		"error twice":       func(f *found, _ *client.Counts, _, _ *int64) { f.planned++ },
		"error missing":     func(f *found, _ *client.Counts, _, _ *int64) { f.planned-- },
		"not killed":        func(f *found, c *client.Counts, _, _ *int64) { f.killed--; f.completed++; c.Killed--; c.Completed++ },
	} {
		f, c, served, failed := good, counts, int64(4), int64(6)
		change(&f, &c, &served, &failed)
		if ok, _ := show(&out, compare(want, f, c, served, failed, false)); ok {
			t.Errorf("%s: the table is right", name)
		}
	}
}

func TestADisturbedCrawlMayRepeatVisitsButCountsNothingTwice(t *testing.T) {
	want := truth{pages: 2, completed: 1, killed: 1, visits: 1, failures: 5}
	f := found{documents: 2, completed: 1, killed: 1, planned: 4, orphaned: 1}
	counts := client.Counts{Completed: 1, Killed: 1}
	var out bytes.Buffer
	if ok, _ := show(&out, compare(want, f, counts, 3, 5, true)); !ok {
		t.Errorf("an orphan is not taken:\n%s", &out)
	}
	f.planned = 6
	if ok, _ := show(&out, compare(want, f, counts, 3, 5, true)); ok {
		t.Error("six error lines of five failed visits are taken")
	}
}

func TestARowSaysWhatIsWanted(t *testing.T) {
	for want, r := range map[string]row{"5": {"", 5, 5, 0}, "5 or more": {"", 5, math.MaxInt64, 0}, "5 to 7": {"", 5, 7, 0}} {
		if r.wanted() != want {
			t.Errorf("%+v wants %q", r, r.wanted())
		}
	}
}

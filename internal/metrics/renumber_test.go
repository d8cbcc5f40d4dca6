package metrics

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRenumberChangesNumbersAlone(t *testing.T) {
	t.Parallel()
	h := &Histogram{}
	h.Add(12.5, 1)
	h.Add(0, 2)
	before := row{counter(1, 5), gauge(2, -1.25), {id: 64, kind: kindMoving, last: 1, low: 0.5, high: 3, mean: 2}, {id: 65, kind: kindTiming, timing: h}, counter(900, 1<<60)}
	data, err := Renumber(before.encode(), map[int]int{64: 1000, 65: 1001, 900: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	after := append(row(nil), before...)
	after[2].id, after[3].id, after[4].id = 1000, 1001, 100_000
	if diff := cmp.Diff(after.encode(), data); diff != "" {
		t.Errorf("the row differs: %s", diff)
	}
	whole := before.encode()
	if data, err := Renumber(whole, nil); err != nil || !cmp.Equal(data, whole) {
		t.Errorf("without other numbers: %v", err)
	}
	for n := range len(whole) {
		if _, err := Renumber(whole[:n], nil); err == nil {
			if _, err := decode(whole[:n], nil); err != nil {
				t.Errorf("the first %d bytes are taken, which decode refuses", n)
			}
		}
	}
	if _, err := Renumber(whole, map[int]int{64: 3, 65: 3}); err == nil {
		t.Error("two metrics got the same number")
	}
}

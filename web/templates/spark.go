package templates

import (
	"fmt"
	"math"
	"strings"
)

// Size of the picture that a sparkline is drawn into; the style sheet stretches it.
const (
	sparkWidth  = 100.0
	sparkHeight = 20.0
)

// spark returns the path of a line through values, oldest first, and that of the area below it. Where a value is not known
// (NaN) the line has a gap. Both are "" where nothing is known.
func spark(values []float64) (line, area string) {
	top := 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			top = math.Max(top, v)
		}
	}
	if top == 0 {
		top = 1 // a flat line at the foot
	}
	var l, a strings.Builder
	start := -1
	place := func(i int) (x, y float64) {
		return float64(i) * sparkWidth / math.Max(1, float64(len(values)-1)), sparkHeight - values[i]/top*(sparkHeight-2) - 1
	}
	end := func(i int) {
		if start < 0 {
			return
		}
		first, _ := place(start)
		last, _ := place(i)
		if start == i { // a point alone is a short line
			l.WriteString("h-0.5")
		}
		fmt.Fprintf(&a, "L%.1f %.0fL%.1f %.0fZ", last, sparkHeight, first, sparkHeight)
		start = -1
	}
	for i, v := range values {
		if math.IsNaN(v) {
			if start >= 0 {
				end(i - 1)
			}
			continue
		}
		command := "L"
		if start < 0 {
			command, start = "M", i
		}
		x, y := place(i)
		fmt.Fprintf(&l, "%s%.1f %.1f", command, x, y)
		fmt.Fprintf(&a, "%s%.1f %.1f", command, x, y)
	}
	end(len(values) - 1)
	return l.String(), a.String()
}

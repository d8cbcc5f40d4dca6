package templates

import (
	"slices"
	"strings"
)

// DiffLine is a line of a difference between two texts. Kind is "-" where only the first has it, "+" where only the second has, " " where both have,
// and "…" for lines that both have and that are left out.
type DiffLine struct {
	Kind, Text string
}

// Bounds of a difference.
const (
	diffCells  = 4_000_000 // of the table that is filled in: lines that differ times lines that differ
	diffAround = 3         // lines that both have, before and behind others
	diffMost   = 400       // lines that are shown
)

// Diff compares two texts line by line. Texts of which thousands of lines differ are told as one whole and the other.
func Diff(before, after string) []DiffLine {
	a, b := strings.Split(before, "\n"), strings.Split(after, "\n")
	begin := 0
	for begin < len(a) && begin < len(b) && a[begin] == b[begin] {
		begin++
	}
	end := 0
	for end < len(a)-begin && end < len(b)-begin && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	lines := marked(" ", a[:begin])
	lines = append(lines, between(a[begin:len(a)-end], b[begin:len(b)-end])...)
	return folded(append(lines, marked(" ", a[len(a)-end:])...))
}

// between finds the longest sequence of lines that both have.
func between(a, b []string) (lines []DiffLine) {
	if len(a)*len(b) > diffCells {
		return append(marked("-", a), marked("+", b)...)
	}
	common := make([][]int32, len(a)+1) // of what stands from i and from j on
	for i := range common {
		common[i] = make([]int32, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := range slices.Backward(b) {
			if a[i] == b[j] {
				common[i][j] = common[i+1][j+1] + 1
			} else {
				common[i][j] = max(common[i+1][j], common[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case a[i] == b[j]:
			lines = append(lines, DiffLine{" ", a[i]})
			i, j = i+1, j+1
		case common[i+1][j] >= common[i][j+1]:
			lines = append(lines, DiffLine{"-", a[i]})
			i++
		default:
			lines = append(lines, DiffLine{"+", b[j]})
			j++
		}
	}
	return append(append(lines, marked("-", a[i:])...), marked("+", b[j:])...)
}

func marked(kind string, texts []string) []DiffLine {
	lines := make([]DiffLine, len(texts))
	for i, text := range texts {
		lines[i] = DiffLine{kind, text}
	}
	return lines
}

// folded leaves out what both have and that is not near a difference, and what is too much.
func folded(all []DiffLine) (lines []DiffLine) {
	near := make([]bool, len(all))
	for i, l := range all {
		if l.Kind != " " {
			for k := max(i-diffAround, 0); k <= min(i+diffAround, len(all)-1); k++ {
				near[k] = true
			}
		}
	}
	for i, l := range all {
		switch {
		case near[i] && len(lines) < diffMost:
			lines = append(lines, l)
		case len(lines) == 0 || lines[len(lines)-1].Kind != "…":
			lines = append(lines, DiffLine{"…", "…"})
		}
	}
	return lines
}

package templates

import "strconv"

// Bytes writes how much something stores, or has sent: 512 B, 1.5 kB, 1.2 GB. Destinations count in thousands.
func Bytes(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10) + " B"
	}
	f := float64(n)
	for _, unit := range []string{"kB", "MB", "GB"} {
		if f /= 1000; f < 999.95 {
			return strconv.FormatFloat(f, 'f', 1, 64) + " " + unit
		}
	}
	return strconv.FormatFloat(f/1000, 'f', 1, 64) + " TB"
}

// ratio says how well something was packed; "" where nobody knows.
func ratio(bytes, stored int64) string {
	if bytes == 0 || stored == 0 {
		return ""
	}
	return " (" + strconv.FormatFloat(float64(bytes)/float64(stored), 'f', 1, 64) + " : 1)"
}

// Package wire reads and writes the words of the API: durations, dates, JSON documents, cursors. It knows nothing of
// HTTP or of the database, and it sits below everything that does.
package wire

import "time"

// Interval is a span of time as Postgres counts it: calendar months and days, and microseconds.
type Interval struct {
	Months int32
	Days   int32
	Micros int64
}

// Date is a moment given as an absolute time, or relative to the database's clock. The zero Date means "not given".
type Date struct {
	At    time.Time // absolute; zero if Delay is meant or nothing was given
	Delay *Interval // relative to now; may be negative
}

// IsZero tells whether no date was given.
func (d Date) IsZero() bool { return d.At.IsZero() && d.Delay == nil }

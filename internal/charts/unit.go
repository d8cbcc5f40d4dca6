package charts

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/fetchq/server/internal/errs"
)

// The units of values, as a browser writes them.
const (
	unitCount     = "count"
	unitRate      = "rate" // a second
	unitMS        = "ms"
	unitBytes     = "bytes"
	unitBytesRate = "bytes_rate" // a second
)

// maxUnits is how many units a chart has: one on each side.
const maxUnits = 2

// kinds returns the kinds of the metrics of a chart. Those of its queue's own are asked for only where they decide on a unit.
func (c Chart) kinds(ctx context.Context, from Source) (map[string]string, error) {
	kinds := map[string]string{}
	for _, m := range Core {
		kinds[m.Name] = m.Kind
	}
	if !slices.ContainsFunc(c.Measures, func(m Measure) bool { return kinds[m.Metric] == "" && m.Agg != "rate" && m.Agg[0] != 'p' }) {
		return kinds, nil
	}
	own, err := from.Names(ctx, c.Queues)
	for _, m := range own {
		kinds[m.Name] = m.Kind
	}
	return kinds, err
}

// units returns the kinds of the metrics of a chart and how many units it has. Errors: Invalid (m) where those are too many to be drawn.
func (c Chart) units(ctx context.Context, from Source) (kinds map[string]string, n int, err error) {
	if kinds, err = c.kinds(ctx, from); err != nil {
		return nil, 0, err
	}
	units := map[string]bool{}
	for _, m := range c.Measures {
		units[unit(m, kinds[m.Metric])] = true
	}
	if len(units) > maxUnits {
		return nil, 0, errs.Field("m", "a chart has two units at most; this one would have %s", strings.Join(slices.Sorted(maps.Keys(units)), ", "))
	}
	return kinds, len(units), nil
}

// Check says whether a chart can be drawn. Errors: Invalid (m).
func (c Chart) Check(ctx context.Context, from Source) error {
	_, _, err := c.units(ctx, from)
	return err
}

// unit is what values of a measure are counted in. Sizes and times that are no timings say so by their name.
func unit(m Measure, kind string) string {
	bytes := m.Metric == "bytes" || strings.HasSuffix(m.Metric, "_bytes")
	switch {
	case m.Agg == "rate" && bytes && kind != "timing":
		return unitBytesRate
	case m.Agg == "rate":
		return unitRate
	case kind == "timing", m.Agg[0] == 'p', strings.HasSuffix(m.Metric, "_ms"):
		return unitMS
	case bytes:
		return unitBytes
	}
	return unitCount
}

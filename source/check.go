package source

import (
	"cmp"
	"context"
	"errors"
	"hash/maphash"
	"slices"

	"liushui"
)

// CheckConfig says which file is looked at by which mapping.
type CheckConfig struct {
	File    string // CSV
	Mapping *Mapping
	First   int // how many events are shown; 0: 10
}

// Report is what a mapping makes of a file.
type Report struct {
	Rows   int64 // below the header
	Silent int64 // good rows that make no event
	Events map[string]int64
	First  []liushui.Event // of the file's order
	Bad    []BadCount      // most frequent first
	Same   int64           // events with the id of an earlier one, which are counted once
}

// BadCount is how many rows are bad for one reason.
type BadCount struct {
	Reason string
	Rows   int64
	First  BadRow
}

// Check reads a whole file through a mapping and sends nothing.
func Check(ctx context.Context, c CheckConfig) (report *Report, err error) {
	t, err := openTable(ctx, "csv", c.File, c.Mapping.csv, heldSize)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.text.Close()) }()
	p, err := c.Mapping.bindTo(ctx, t)
	if err != nil {
		return nil, err
	}
	report = &Report{Events: map[string]int64{}}
	ids, seed := map[uint64]struct{}{}, maphash.MakeSeed()
	bad := map[string]*BadCount{}
	s := &scan{table: t, plan: p}
	s.bad = func(b BadRow) error {
		if bad[b.Reason] == nil {
			bad[b.Reason] = &BadCount{Reason: b.Reason, First: b}
		}
		bad[b.Reason].Rows++
		return nil
	}
	s.event = func(_ *row, _ int, e *liushui.Event) error {
		report.Events[e.Type]++
		id := maphash.String(seed, e.ID)
		if _, known := ids[id]; known {
			report.Same++
		}
		ids[id] = struct{}{}
		if len(report.First) < cmp.Or(c.First, 10) {
			first := *e
			first.Extra = slices.Clone(e.Extra)
			report.First = append(report.First, first)
		}
		return nil
	}
	if err := s.run(ctx); err != nil {
		return nil, err
	}
	report.Rows, report.Silent = s.rows, s.silent
	for _, b := range bad {
		report.Bad = append(report.Bad, *b)
	}
	slices.SortFunc(report.Bad, func(a, b BadCount) int {
		return cmp.Or(cmp.Compare(b.Rows, a.Rows), cmp.Compare(a.Reason, b.Reason))
	})
	return report, nil
}

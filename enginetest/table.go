package enginetest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"

	"liushui"
	"liushui/reconcile"
)

// Table is a job's results, the standing one of each cell, by cell.
type Table map[string]liushui.Result

// cellOf names a result's cell.
func cellOf(r *liushui.Result) string {
	return fmt.Sprintf("%q %q %d %q", r.Statistic, r.Window, r.Start, r.Key)
}

// TableOf folds the records of a results topic: of the job's generation, and of
// each cell the highest. It
// refuses results that break a rule of system.md section 6.
func TableOf(records []liushui.Record, job *liushui.Job) (Table, error) {
	generation, table := GenerationOf(records, job), Table{}
	for _, record := range records {
		if liushui.KindOf(record.Key) != liushui.KindResult {
			continue
		}
		ours := true
		r, err := liushui.DecodeResult(record.Value, func(g int64) *liushui.Job {
			ours = g == generation
			return job
		})
		if !ours {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("results offset %d: %w", record.Offset, err)
		}
		if err := checkKey(record.Key, r); err != nil {
			return nil, fmt.Errorf("results offset %d: %w", record.Offset, err)
		}
		held, found := table[cellOf(r)]
		if found && !r.Newer(&held) && !held.Newer(r) {
			if difference := cmp.Diff(held.Values, r.Values); difference != "" || held.Late != r.Late {
				return nil, fmt.Errorf("results offset %d: %s: version %d was sent before with other values (late %d, now %d): %s",
					record.Offset, record.Key, r.Version, held.Late, r.Late, difference)
			}
		}
		if !found || r.Newer(&held) {
			table[cellOf(r)] = *r
		}
	}
	return table, nil
}

// GenerationOf is the generation of a job in a results topic, 0 where it has
// none: the one that its first record began, or that took its place.
func GenerationOf(records []liushui.Record, job *liushui.Job) (generation int64) {
	for _, record := range records {
		var j liushui.JobRecord
		if string(record.Key) == `["job"]` && json.Unmarshal(record.Value, &j) == nil && j.Hash == job.Hash() && j.Replaces == generation && j.Generation > generation {
			generation = j.Generation
		}
	}
	return generation
}

// checkKey compares a record key with the cell that the value names.
func checkKey(key []byte, r *liushui.Result) error {
	var parts []string
	if err := json.Unmarshal(key, &parts); err != nil {
		return fmt.Errorf("key %q: %w", key, err)
	}
	want := append([]string{r.Statistic, r.Window, fmt.Sprint(r.Start)}, r.Key...)
	if !slices.Equal(parts, want) {
		return fmt.Errorf("key %q does not name the cell %q", key, want)
	}
	return nil
}

// Diff says how table b differs from a, a line a cell; nil: not at all. Of the
// results it compares cell, end, values, version and sketches.
func Diff(a, b Table) []string {
	cells := maps.Clone(a)
	maps.Copy(cells, b)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(cells)) {
		x, inA := a[name]
		y, inB := b[name]
		switch {
		case !inB:
			lines = append(lines, fmt.Sprintf("%s: missing, want %s", name, show(&x)))
		case !inA:
			lines = append(lines, fmt.Sprintf("%s: not wanted, got %s", name, show(&y)))
		case x.End != y.End || x.Version != y.Version || !slices.Equal(x.Values, y.Values):
			lines = append(lines, fmt.Sprintf("%s: got %s, want %s", name, show(&y), show(&x)))
		default:
			if err := reconcile.DiffSketches(x.Sketches, y.Sketches); err != nil {
				lines = append(lines, name+": "+err.Error())
			}
		}
	}
	return lines
}

func show(r *liushui.Result) string {
	var values []string
	for _, v := range r.Values {
		if v.Null {
			values = append(values, "null")
		} else {
			values = append(values, fmt.Sprint(v.N))
		}
	}
	return fmt.Sprintf("[%s] version %d end %d", strings.Join(values, " "), r.Version, r.End)
}

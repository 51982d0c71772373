package spark

import (
	"fmt"
	"time"

	"liushui"
)

// spanColumns are the columns with a window's begin and end, in ms.
func spanColumns(w liushui.Window) (start, end string) {
	return name("start_" + w.Name), name("end_" + w.Name)
}

// spans adds to each event the windows that it lies in, as liushui.Calendar cuts
// them, and the measures' inputs.
func (c *cells) spans() string {
	list := []string{"*"}
	source := "FROM events"
	offset, fixed := fixedOffset(c.job.Zone)
	shift := fmt.Sprintf("%dL", offset)
	if !fixed {
		source, shift = from(zoned(c.job.Zone, c.widest())), "offset"
	}
	for _, w := range c.windows {
		start, end := spanColumns(w)
		begin := fmt.Sprintf("time - pmod(time + %s, %dL)", shift, w.Size)
		switch {
		case fixed:
			list = append(list, begin+" AS "+start, begin+fmt.Sprintf(" + %dL", w.Size)+" AS "+end)
		case w.Day():
			list = append(list, "day.start AS "+start, "day.`end` AS "+end)
		default: // a change of the zone's offset ends a window and begins another
			list = append(list, "greatest("+begin+", since) AS "+start, fmt.Sprintf("least(%s + %dL, until) AS %s", begin, w.Size, end))
		}
	}
	for i, input := range c.inputs {
		list = append(list, input+" AS "+inputColumn(i))
	}
	return "SELECT\n" + columns(list...) + "\n" + source
}

// widest is the size of the longest window below a day.
func (c *cells) widest() int64 {
	most := int64(1000)
	for _, w := range c.windows {
		if !w.Day() {
			most = max(most, w.Size)
		}
	}
	return most
}

// fixedOffset is a zone's offset from UTC in ms, where it has been the same since
// before the first event that may be, and will be.
func fixedOffset(zone *time.Location) (ms int64, fixed bool) {
	first := time.UnixMilli(liushui.MinTime).In(zone)
	_, seconds := first.Zone()
	begin, end := first.ZoneBounds()
	return int64(seconds) * 1000, end.IsZero() && (begin.IsZero() || first.Sub(begin) > 48*time.Hour)
}

// zoned adds to each event its zone's offset, the last change of it before the event
// and the next after it, where they are nearer than widest, and its day.
func zoned(zone *time.Location, widest int64) string {
	id := text(zone.String())
	offset := func(at string) string {
		return fmt.Sprintf("(unix_millis(from_utc_timestamp(timestamp_millis(%s), %s)) - %s)", at, id, at)
	}
	midnight := func(day string) string {
		return fmt.Sprintf("unix_millis(to_utc_timestamp(timestamp_millis((%s) * 86400000L), %s))", day, id)
	}
	// The change is looked for between a time that has the event's offset and one that has
	// another, by halves: 43,200,000 ms, a window's most, are fewer than 2^26.
	change := func(far, of, at string) string {
		return fmt.Sprintf("aggregate(sequence(1, 26), named_struct('near', time, 'far', %s),\n"+
			"      (a, i) -> IF(%s = offset, named_struct('near', (a.near + a.far) div 2, 'far', a.far), named_struct('near', a.near, 'far', (a.near + a.far) div 2)),\n"+
			"      a -> a.%s) END AS %s", far, offset("((a.near + a.far) div 2)"), of, at)
	}
	before, after := fmt.Sprintf("(time - %dL)", widest), fmt.Sprintf("(time + %dL)", widest)
	dated := "SELECT *,\n  " + offset("time") + " AS offset\nFROM events"
	return "SELECT *,\n" +
		"  CASE WHEN " + offset(before) + " = offset THEN " + before + "\n    ELSE " + change(before, "near", "since") + ",\n" +
		"  CASE WHEN " + offset(after) + " = offset THEN " + after + "\n    ELSE " + change(after, "far", "until") + ",\n" +
		// A day begins where its date is reached for the first time, even where the clock then goes back over midnight.
		"  IF(time < " + midnight("(time + offset) div 86400000L + 1") + ",\n" +
		"    struct(" + midnight("(time + offset) div 86400000L") + " AS start, " + midnight("(time + offset) div 86400000L + 1") + " AS `end`),\n" +
		"    struct(" + midnight("(time + offset) div 86400000L + 1") + " AS start, " + midnight("(time + offset) div 86400000L + 2") + " AS `end`)) AS day\n" +
		from(dated)
}

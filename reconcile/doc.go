// Package reconcile computes a job's results from records once more, by the
// plainest means, and compares them with the results that are held. The command
// of that name and the tests of every engine use the same computation.
//
// It shares no code with an engine, on purpose: it decodes with encoding/json,
// sums with math/big, cuts time into windows by looking at a zone's clock, and
// counts distinct values with the sketch library itself. It needs no order of
// records: what is counted depends on the set of events alone.
package reconcile

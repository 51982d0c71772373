// Package native is our own engine: it compiles a job to a plan, decodes and
// judges records, folds events into cells, and sends changed cells as results.
// A journal and checkpoints let it judge every record after a crash as it did
// before. DESIGN.md says what to read before changing what.
package native

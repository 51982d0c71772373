// Package enginetest is what any engine must pass: scripts in readable text
// files, an oracle that computes a job in the plainest way, random events, and
// topics in memory that all of it runs on.
//
// It shares no code with an engine, on purpose: it decodes with encoding/json,
// sums with math/big, and keeps everything in maps.
package enginetest

// Package enginetest is what any engine must pass: scripts in readable text
// files, random events, and topics in memory that all of it runs on. Its oracle
// is the computation of the package reconcile, which shares no code with an engine.
package enginetest

// Package kafka reads and writes topics of a Kafka, and holds an embedded one.
// It knows records, not what they mean.
//
// Client, Reader and Writer speak to any broker; Broker is a broker in this
// process that keeps its log in a directory. Readers consume partitions
// directly, from offsets that their callers keep: no consumer group decides
// who reads what, and a committed offset is a notice to others, no resume point.
package kafka

// Package proto is the part of Spark Connect's protocol that Liushui speaks, as
// Go. connect.proto is written by hand; a test of package spark holds it against
// the released protocol of each Spark.
package proto

//go:generate go run liushui/dev/protogo -root ../.. spark/proto/connect.proto

// Package spark runs a job on Apache Spark: it compiles the job to SQL, and
// drives a cluster over Spark Connect.
package spark

package spark

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

var update = flag.Bool("update", false, "write golden files")

func parse(t testing.TB, text string) *liushui.Job {
	t.Helper()
	job, err := liushui.ParseJob(t.Name(), text)
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func shop(t testing.TB) *liushui.Job {
	t.Helper()
	text, _ := liushui.BuiltinJob(liushui.DefaultJob)
	return parse(t, text)
}

// TestGolden shows what Spark will run for each built-in statistic, and for the
// whole job.
func TestGolden(t *testing.T) {
	job := shop(t)
	golden(t, job.Name, job)
	for _, s := range job.Statistics {
		alone := *job
		alone.Statistics = []*liushui.Statistic{s}
		golden(t, s.Name, &alone)
	}
}

func golden(t *testing.T, name string, job *liushui.Job) {
	t.Helper()
	p, err := compile(job, options{Generation: 1580486399000})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join("testdata", name+".sql")
	if *update {
		if err := os.WriteFile(file, []byte(p.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), p.String()); diff != "" {
		t.Errorf("%s (-want +got; -update writes it):\n%s", file, diff)
	}
}

// TestSource shows the options of the source of records.
func TestSource(t *testing.T) {
	for _, test := range []struct {
		source source
		want   map[string]string
	}{
		{source{Brokers: "b:9092", Topic: "category"}, map[string]string{"kafka.bootstrap.servers": "b:9092", "subscribe": "category",
			"startingOffsets": "earliest", "includeHeaders": "true", "failOnDataLoss": "true"}},
		{source{"b:9092", "category", "latest", 1000, map[string]string{"failOnDataLoss": "false"}}, map[string]string{"kafka.bootstrap.servers": "b:9092", "subscribe": "category",
			"startingOffsets": "latest", "maxOffsetsPerTrigger": "1000", "includeHeaders": "true", "failOnDataLoss": "false"}},
	} {
		read := test.source.records().GetRead()
		if diff := cmp.Diff(test.want, read.GetDataSource().GetOptions()); diff != "" || !read.GetIsStreaming() || read.GetDataSource().GetFormat() != "kafka" {
			t.Error(diff)
		}
	}
}

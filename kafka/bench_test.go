//go:build unix

package kafka_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"liushui"
	"liushui/kafka"
)

// cpu is the processor time of this process.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const benchEvent = `{"id":"20200220-%07d-order","type":"order","time":1582128000000,"order":"o%07d","user":"u%06d","category":"女装","province":"上海","quantity":1,"amount":178.76}`

func benchRecords(n int) []liushui.Record {
	records := make([]liushui.Record, n)
	for i := range records {
		records[i] = liushui.Record{Feed: liushui.FeedDemo, Key: fmt.Appendf(nil, "o%07d", i), Value: fmt.Appendf(nil, benchEvent, i, i, i%100000)}
	}
	return records
}

// BenchmarkRead compares Reader.Poll with a bare franz-go consumer that only
// counts, in turns within one run. The broker runs in the same process, so
// both figures hold its share: compare the two, and see their difference.
func BenchmarkRead(b *testing.B) {
	const events = 400_000
	broker, c := lineApart(b)
	w := openWriter(b, c, "category")
	if err := w.Write(b.Context(), benchRecords(events), nil); err != nil {
		b.Fatal(err)
	}
	if err := w.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	var bare, ours time.Duration
	var bareWall, oursWall time.Duration
	for b.Loop() {
		start, began := cpu(), time.Now()
		countBare(b, broker, events)
		bare += cpu() - start
		bareWall += time.Since(began)
		start, began = cpu(), time.Now()
		countOurs(b, c, events)
		ours += cpu() - start
		oursWall += time.Since(began)
	}
	n := float64(b.N) * events
	b.ReportMetric(float64(bare)/n, "bare-cpu-ns/record")
	b.ReportMetric(float64(ours)/n, "reader-cpu-ns/record")
	b.ReportMetric(float64(bareWall)/n, "bare-ns/record")
	b.ReportMetric(float64(oursWall)/n, "reader-ns/record")
	b.ReportMetric(float64(ours)/float64(bare), "ratio")
}

func countBare(b *testing.B, broker string, n int) {
	client, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics("category"))
	if err != nil {
		b.Fatal(err)
	}
	defer client.Close()
	for n > 0 {
		fetches := client.PollFetches(b.Context())
		if err := fetches.Err(); err != nil {
			b.Fatal(err)
		}
		n -= fetches.NumRecords()
	}
}

func countOurs(b *testing.B, c *kafka.Client, n int) {
	r, err := c.Reader(b.Context(), "category", kafka.From{})
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	for n > 0 {
		fetches, err := r.Poll(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range fetches {
			n -= len(f.Records)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	_, c := lineApart(b)
	w := openWriter(b, c, "category")
	for _, size := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("call=%d", size), func(b *testing.B) {
			records := benchRecords(size)
			start := cpu()
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Write(context.Background(), records, nil); err != nil {
					b.Fatal(err)
				}
			}
			if err := w.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N*size), "cpu-ns/record")
			b.ReportMetric(float64(b.Elapsed())/float64(b.N*size), "ns/record")
		})
	}
}

// lineApart is line with the broker in another process.
func lineApart(b *testing.B) (string, *kafka.Client) {
	p := launch(b, b.TempDir(), "127.0.0.1:0")
	c := connect(b, p.addr)
	if _, err := c.EnsureTopic(b.Context(), kafka.Topic{Name: "category", Partitions: 4}); err != nil {
		b.Fatal(err)
	}
	return p.addr, c
}

// BenchmarkRestart starts a broker on a full log of 1 GiB: after a kill and
// after a clean stop, with the most memory that the process ever took.
func BenchmarkRestart(b *testing.B) {
	dir := b.TempDir()
	p := launch(b, dir, "127.0.0.1:0", fmt.Sprintf("LIUSHUI_TEST_RETAIN=%d", 2<<30))
	c := connect(b, p.addr)
	ensure(b, c, kafka.Topic{Name: "category", Partitions: 4})
	w := openWriter(b, c, "category")
	for records := bulk(4096); ; {
		if err := w.Write(b.Context(), records, nil); err != nil {
			b.Fatal(err)
		}
		if _, end := extent(b, c, "category"); end > 1<<20 {
			break
		}
	}
	if err := w.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	p.kill(b)
	for _, after := range []string{"kill", "stop"} {
		b.Run("after="+after, func(b *testing.B) {
			peak := 0.0
			for b.Loop() {
				p := launch(b, dir, "127.0.0.1:0")
				b.StopTimer()
				peak = max(peak, mostMemory(b, p.cmd.Process.Pid))
				if after == "kill" {
					p.kill(b)
				} else {
					p.stop()
				}
				b.StartTimer()
			}
			b.ReportMetric(peak/(1<<20), "peak-MiB")
		})
	}
}

func mostMemory(b *testing.B, pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc on this system")
	}
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	kib := 0
	fmt.Sscan(line, &kib)
	return float64(kib) * 1024
}

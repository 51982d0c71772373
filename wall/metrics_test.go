package wall

import (
	"strings"
	"testing"
	"time"

	"liushui"
)

// Retries come from where they were made: an engine's and produce's in their
// records, the store's from its database, the wall's own from its client.
func TestMetricsTellRetries(t *testing.T) {
	s := serve(t, Config{History: &memory{}, Retries: func() int64 { return 7 }}, false)
	load(t, s.Wall)
	l := newLine(t, time.Now().UnixMilli())
	l.sendJob()
	l.produce(liushui.Produce{Retries: 5})
	l.progress(func(p *liushui.Progress) { p.Retries = 4 })
	s.Apply(l.take())
	if err := s.askStore(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, text := get(t, s, "/metrics")
	for _, line := range []string{`liushui_kafka_retries_total{part="native"} 4`, `liushui_kafka_retries_total{part="produce"} 5`,
		`liushui_kafka_retries_total{part="serve"} 7`, "liushui_store_retries_total 3"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("metrics lack %s:\n%s", line, text)
		}
	}
}

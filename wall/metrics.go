package wall

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"liushui"
)

// meters are the wall's own figures for /metrics.
type meters struct {
	set        *metrics.Set
	records    *metrics.Counter
	unreadable *metrics.Counter
	skipped    *metrics.Counter
	cut        *metrics.Counter
}

func (m *meters) register(w *Wall) {
	m.set = metrics.NewSet()
	m.records = m.set.NewCounter("liushui_wall_records_total")
	m.unreadable = m.set.NewCounter("liushui_wall_records_unreadable_total")
	m.skipped = m.set.NewCounter("liushui_wall_frames_skipped_total")
	m.cut = m.set.NewCounter("liushui_wall_viewers_cut_total")
	m.set.NewGauge("liushui_wall_viewers", func() float64 { return float64(w.viewer.open.Load()) })
	m.set.NewGauge("liushui_wall_frames", func() float64 { return float64(w.hub.newest.Load().seq) })
	m.set.RegisterMetricsWriter(w.writeLine)
}

// writeLine writes what the board knows of the line: freshness and, of each
// engine, progress and account.
func (w *Wall) writeLine(out io.Writer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().UnixMilli()
	state := w.board.stateView(now, w.config.ExpectEvery)
	for _, name := range []Freshness{Waiting, Live, Quiet, Delayed, Stalled} {
		held := uint64(0)
		if name == state.Name {
			held = 1
		}
		metrics.WriteGaugeUint64(out, fmt.Sprintf("liushui_freshness{state=%q}", name), held)
	}
	if state.Since != 0 {
		metrics.WriteGaugeFloat64(out, "liushui_data_age_seconds", float64(now-state.Since)/1000)
	}
	if state.Lag != nil {
		metrics.WriteGaugeUint64(out, "liushui_lag_records", uint64(*state.Lag))
	}
	if w.store.delay != nil {
		metrics.WriteGaugeFloat64(out, "liushui_store_delay_seconds", float64(*w.store.delay)/1000)
		metrics.WriteCounterUint64(out, "liushui_store_retries_total", uint64(w.store.retries))
	}
	if w.config.Retries != nil {
		writeRetries(out, "serve", w.config.Retries())
	}
	if p := w.board.standing.Produce(); p != nil {
		writeRetries(out, "produce", p.Retries)
	}
	for _, p := range w.board.standing.Engines(w.board.generation) {
		writeEngine(out, p, now)
	}
}

// writeRetries writes how often a part of the line found no broker or got no
// answer, and tried again.
func writeRetries(out io.Writer, part string, n int64) {
	metrics.WriteCounterUint64(out, fmt.Sprintf("liushui_kafka_retries_total{part=%q}", part), uint64(n))
}

func writeEngine(out io.Writer, p *liushui.Progress, now int64) {
	seconds := func(name string, ms int64) {
		metrics.WriteGaugeFloat64(out, fmt.Sprintf("%s{engine=%q}", name, p.Engine), float64(ms)/1000)
	}
	count := func(name string, n int64) {
		metrics.WriteGaugeUint64(out, fmt.Sprintf("%s{engine=%q}", name, p.Engine), uint64(n))
	}
	seconds("liushui_engine_progress_age_seconds", now-p.Time)
	if p.Watermark != 0 {
		seconds("liushui_engine_watermark_age_seconds", now-p.Watermark)
	}
	count("liushui_engine_corrected_records", p.Corrected)
	count("liushui_engine_cells_too_large", p.TooLarge)
	writeRetries(out, p.Engine, p.Retries)
	if c := p.Checkpoint; c != nil {
		seconds("liushui_engine_checkpoint_age_seconds", now-c.Time)
		seconds("liushui_engine_checkpoint_took_seconds", c.Took)
		count("liushui_engine_checkpoint_bytes", c.Bytes)
		count("liushui_engine_remembered_ids", c.IDs)
	}
	metrics.WriteGaugeFloat64(out, fmt.Sprintf("liushui_engine_rate_records{engine=%q}", p.Engine), p.Rate)
	metrics.WriteGaugeFloat64(out, fmt.Sprintf("liushui_engine_watermark_seconds{engine=%q}", p.Engine), float64(p.Watermark)/1000)
	for _, part := range []struct {
		name string
		n    int64
	}{{"counted", p.Account.Counted}, {"duplicate", p.Account.Duplicate}, {"late", p.Account.Late}, {"bad", p.Account.Bad}, {"ignored", p.Account.Ignored}} {
		metrics.WriteCounterUint64(out, fmt.Sprintf("liushui_engine_records_total{engine=%q,verdict=%q}", p.Engine, part.name), uint64(part.n))
	}
}

func (w *Wall) metrics(out http.ResponseWriter, _ *http.Request) {
	out.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	out.Header().Set("Cache-Control", "no-store")
	w.meters.set.WritePrometheus(out)
	metrics.WriteProcessMetrics(out)
}

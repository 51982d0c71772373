package wall

import (
	"bytes"
	"compress/flate"
	"strconv"
	"sync"
	"sync/atomic"
)

// frame is what the wall shows at one moment, made once and never changed. Its
// texts are made when the first viewer wants them, and shared by all.
type frame struct {
	seq      int64
	tick     text // what changed since the frame before
	snapshot text // all of it
	after    chan struct{}
}

// text is an SSE event, plain and as deflate blocks that need no others before
// them: such blocks may be appended to any deflate stream.
type text struct {
	plain    func() []byte
	deflated func() []byte
}

func newText(write func() []byte) text {
	plain := sync.OnceValue(write)
	return text{plain, sync.OnceValue(func() []byte { return deflate(plain()) })}
}

// gzipHeader begins a gzip stream without name and time.
var gzipHeader = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}

var deflaters = sync.Pool{New: func() any {
	w, _ := flate.NewWriter(nil, 6) // 6 is a level
	return w
}}

func deflate(plain []byte) []byte {
	w := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(w)
	var out bytes.Buffer
	w.Reset(&out)
	w.Write(plain) // a Buffer takes everything
	w.Flush()
	return out.Bytes()
}

// hub hands the newest frame to any number of viewers. A slow one skips frames;
// none is waited for.
type hub struct {
	newest atomic.Pointer[frame]
	epoch  string
	build  string
}

// artist makes a frame out of a board's sections and curve, and remembers them
// to tell what changes.
type artist struct {
	hub      *hub
	seq      int64
	sections sections
	curve    *curve
}

// publish makes the next frame and wakes the viewers.
func (a *artist) publish(now int64, drawn sections, c *curve) {
	a.seq++
	seq, last, lastCurve := a.seq, a.sections, a.curve
	points, reset := c.changed(lastCurve)
	same := !reset && len(points) == 0 && c.watermark == lastCurve.watermark
	f := &frame{seq: seq, after: make(chan struct{})}
	f.tick = newText(func() []byte {
		b := a.hub.open("tick", seq, now)
		for i, text := range drawn {
			if !bytes.Equal(text, last[i]) {
				b = appendSection(b, sectionNames[i], text)
			}
		}
		if !same {
			b = append(b, `,"curve":`...)
			b = c.appendJSON(b, points, reset)
		}
		return append(b, "}\n\n"...)
	})
	f.snapshot = newText(func() []byte {
		b := a.hub.open("snapshot", seq, now)
		b = appendSection(b, "epoch", strconv.AppendQuote(nil, a.hub.epoch))
		b = appendSection(b, "build", encode(a.hub.build))
		for i, text := range drawn {
			b = appendSection(b, sectionNames[i], text)
		}
		b = append(b, `,"curve":`...)
		b = c.appendJSON(b, c.points, true)
		return append(b, "}\n\n"...)
	})
	a.sections, a.curve = drawn, c
	if before := a.hub.newest.Swap(f); before != nil {
		close(before.after)
	}
}

// open begins an event: its id, name, and the start of its JSON object.
func (h *hub) open(event string, seq, now int64) []byte {
	b := append([]byte("id: "), h.epoch...)
	b = append(b, '-')
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, "\nevent: "...)
	b = append(b, event...)
	b = append(b, "\ndata: {\"seq\":"...)
	b = strconv.AppendInt(b, seq, 10)
	b = append(b, `,"now":`...)
	return strconv.AppendInt(b, now, 10)
}

func appendSection(b []byte, name string, text []byte) []byte {
	b = append(b, ',', '"')
	b = append(b, name...)
	b = append(b, '"', ':')
	return append(b, text...)
}

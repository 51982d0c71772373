package wall

import (
	"slices"
	"strconv"
	"strings"

	"liushui"
)

// accountsKept bounds the accounts remembered of an engine: two minutes of them.
const accountsKept = 120

// accounts compares the accounts of engines at equal offsets of one generation.
// The zero value is ready.
type accounts struct {
	byEngine map[string][]accountAt
	differ   map[[2]string]bool // what the newest comparison of two engines said
}

type accountAt struct {
	time    int64
	place   string // generation, topic and offsets
	account liushui.Account
}

// take compares a progress record with what other engines said at its offsets.
func (a *accounts) take(p *liushui.Progress) {
	if slices.ContainsFunc(p.Unknown, func(field string) bool { return strings.HasPrefix(field, "account") }) {
		return // it cannot be compared
	}
	if a.byEngine == nil {
		a.byEngine, a.differ = map[string][]accountAt{}, map[[2]string]bool{}
	}
	own := a.byEngine[p.Engine]
	if n := len(own); n > 0 && own[n-1].time == p.Time {
		return
	}
	at := accountAt{p.Time, place(p), p.Account}
	if n := len(own); n > 0 && own[n-1].place == at.place {
		own = own[:n-1]
	}
	own = append(own, at)
	if len(own) > accountsKept {
		own = own[1:]
	}
	a.byEngine[p.Engine] = own
	for engine, theirs := range a.byEngine {
		if engine == p.Engine {
			continue
		}
		for _, other := range theirs {
			if other.place == at.place {
				a.differ[[2]string{min(engine, p.Engine), max(engine, p.Engine)}] = other.account != at.account
			}
		}
	}
}

func (a *accounts) disagree() bool {
	for _, differ := range a.differ {
		if differ {
			return true
		}
	}
	return false
}

func place(p *liushui.Progress) string {
	text := append(strconv.AppendInt(nil, p.Generation, 10), ' ')
	text = append(text, p.TopicID...)
	for _, part := range p.Partitions {
		text = append(text, ' ')
		text = strconv.AppendInt(text, int64(part.Partition), 10)
		text = append(text, ':')
		text = strconv.AppendInt(text, part.Offset, 10)
	}
	return string(text)
}

// marks remember at which clock time offsets of the results topic were written,
// two a second for two minutes at most. The zero value is ready.
type marks struct{ all []mark }

type mark struct{ offset, time int64 }

const (
	marksApart = 500 // ms
	marksKept  = 240
	behind     = 5_000 // ms: a store further behind is said to be
)

func (m *marks) add(offset, time int64) {
	if n := len(m.all); n > 0 && time < m.all[n-1].time+marksApart {
		return
	}
	m.all = append(m.all, mark{offset, time})
	if len(m.all) > marksKept {
		m.all = append(m.all[:0], m.all[len(m.all)-marksKept/2:]...)
	}
}

// delay is how long ago the record at a store's position was written, where the
// newest seen has the offset newest and now is the clock: 0 for a store that has
// taken all of them.
func (m *marks) delay(position, newest, now int64) int64 {
	if position > newest || len(m.all) == 0 {
		return 0
	}
	at := m.all[0].time
	for _, k := range m.all {
		if k.offset > position {
			break
		}
		at = k.time
	}
	return max(0, now-at)
}

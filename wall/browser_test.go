package wall

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"liushui"
	"liushui/dev"
)

var shots = flag.String("shots", "", "folder to put pictures of the page in, at 1920x1080, 3840x1080 and 390x844, dark and light")

// fed is a wall on a real listener that a line reports to, as in real time.
type fed struct {
	addr string
	line *line
	wall *Wall
	stop func()

	mu     sync.Mutex
	events bool  // events come
	silent bool  // the engine says nothing
	judged int64 // of the newest event
	seed   uint64
}

// feed starts a wall on an address, and l anew behind it.
func feed(t *testing.T, addr string, l *line) *fed {
	t.Helper()
	return feedTo(t, addr, l, Config{Version: "test"})
}

// feedFor starts a wall of a configuration, and a line behind it.
func feedFor(t *testing.T, addr string, c Config) *fed {
	t.Helper()
	return feedTo(t, addr, newLine(t, time.Now().UnixMilli()), c)
}

func feedTo(t *testing.T, addr string, l *line, c Config) *fed {
	t.Helper()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	f := &fed{addr: ln.Addr().String(), line: l, wall: newWall(t, c), events: true}
	load(t, f.wall)
	l.generation++ // an engine of its own
	l.cells, l.changed, l.offset = map[string]*lineCell{}, nil, 0
	l.sendJob()
	ctx, cancel := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { f.wall.Run(ctx) })
	parts.Go(func() {
		if err := f.wall.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	parts.Go(func() { f.report(ctx) })
	f.stop = sync.OnceFunc(func() { cancel(); parts.Wait() })
	t.Cleanup(f.stop)
	return f
}

// report makes the line's events and records five times a second.
func (f *fed) report(ctx context.Context) {
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		f.mu.Lock()
		f.line.clock = time.Now().UnixMilli()
		if f.events {
			f.seed++
			f.line.busy(f.seed, f.line.clock-1000, 6)
			f.judged = f.line.clock
			f.wall.Sample(eventRecords(fmt.Sprintf(`{"id":"%d","type":"pay","time":%d,"order":"o%d","user":"u-%d","province":"上海","category":"手机","amount":%d.5}`,
				f.seed, f.line.clock, f.seed, f.seed, f.seed)))
		}
		if !f.silent {
			f.line.progress(func(p *liushui.Progress) { p.Judged = f.judged })
		}
		f.wall.Apply(f.line.take())
		f.mu.Unlock()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// set changes what comes.
func (f *fed) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// age lets the newest data be that old.
func (f *fed) age(ago time.Duration) {
	f.set(func() {
		f.events, f.silent = false, true
		f.judged = time.Now().Add(-ago).UnixMilli()
		f.line.clock = f.judged
		f.line.progress(func(p *liushui.Progress) { p.Judged = f.judged })
		f.wall.Apply(f.line.take())
	})
}

const stateIs = `document.querySelector('[data-testid=state]')?.dataset.state === '%s'`

func is(name Freshness) string { return fmt.Sprintf(stateIs, name) }

func wantNoProblems(t *testing.T, p *dev.Page) {
	t.Helper()
	for _, problem := range p.Problems() {
		t.Errorf("the page complains: %s", problem)
	}
}

func TestPageShowsMovingNumbers(t *testing.T) {
	p := dev.Chromium(t)
	f := feed(t, "127.0.0.1:0", newLine(t, time.Now().UnixMilli()))
	p.Resize(1920, 1080, false)
	p.Open("http://" + f.addr + "/?lang=en")
	p.Until(is(Live), 5*time.Second)
	p.Until(`/\d/.test(document.querySelector('[data-testid=hero]')?.textContent)`, 5*time.Second)
	first := p.Text("[data-testid=hero]")
	p.Until(fmt.Sprintf(`document.querySelector('[data-testid=hero]').innerText.trim() !== %q`, first), 5*time.Second)

	f.set(func() { f.events = false }) // the page shows the very figures of the line
	var paid liushui.Money
	f.set(func() { paid = paidToday(t, f.line) })
	digits := strings.NewReplacer(",", "", "\n", "", "¥", "", " ", "")
	p.Until(fmt.Sprintf(`document.querySelector('[data-testid=hero]').textContent.replace(/[^\d.]/g, '') === '%s'`, paid), 3*time.Second)
	if got := digits.Replace(p.Text("[data-testid=hero]")); got != paid.String() {
		t.Errorf("the page shows %q, the line says %s", got, paid)
	}
	var orders string
	if p.Eval(`document.querySelector('[data-testid=orders]').textContent`, &orders); !strings.Contains(orders, "手机") || strings.Contains(orders, "u-") {
		t.Errorf("the newest orders read %q", orders)
	}
	for _, id := range []string{"ranking", "curve", "map", "funnel", "orders", "health"} {
		var height float64
		p.Eval(fmt.Sprintf(`document.querySelector('[data-testid=%s]')?.getBoundingClientRect().height ?? 0`, id), &height)
		if height < 50 {
			t.Errorf("the panel %s is %v pixels high", id, height)
		}
	}
	var tiles int
	if p.Eval(`document.querySelectorAll('[data-testid^=tile-]').length`, &tiles); tiles != 34 {
		t.Errorf("%d tiles, want 34", tiles)
	}
	wantNoProblems(t, p)
}

// paidToday sums the payments of the line's cells of today.
func paidToday(t *testing.T, l *line) liushui.Money {
	start, _ := l.job.Calendar().Span(liushui.Window{Name: windowDay, Size: 86_400_000}, l.newest)
	for _, c := range l.cells {
		if c.result.Statistic == statSales && c.result.Window == windowDay && c.result.Start == start {
			return liushui.Money(columnsOf(c.statistic).read(&c.result)[fPaid].N)
		}
	}
	t.Fatal("the line has no day")
	return 0
}

func TestPageSaysHowFreshItsDataIs(t *testing.T) {
	p := dev.Chromium(t)
	f := feed(t, "127.0.0.1:0", newLine(t, time.Now().UnixMilli()))
	p.Resize(1920, 1080, false)
	p.Open("http://" + f.addr + "/?lang=en")
	p.Until(is(Live), 5*time.Second)
	f.age(3500 * time.Millisecond)
	p.Until(is(Delayed), 2*time.Second)
	f.age(14500 * time.Millisecond)
	p.Until(is(Stalled), 2*time.Second)
	p.Until(`document.querySelector('[data-testid=banner]').offsetHeight > 0`, time.Second)
	if text := p.Text("[data-testid=hero]"); !strings.ContainsAny(text, "123456789") {
		t.Errorf("a stalled wall keeps its values, but shows %q", text)
	}
	f.set(func() { f.silent = false; f.judged = time.Now().Add(-time.Minute).UnixMilli() })
	p.Until(is(Quiet), 2*time.Second)
	f.set(func() { f.events = true })
	p.Until(is(Live), 2*time.Second)
	wantNoProblems(t, p)

	f.stop()
	p.Until(is("disconnected"), 4*time.Second) // 3 s without a frame, looked for twice a second
	p.Until(`document.querySelector('[data-testid=banner]').offsetHeight > 0`, time.Second)
	feed(t, f.addr, f.line)
	if took := p.Until(is(Live), 6*time.Second); took > 5*time.Second {
		t.Errorf("live again %v after the server, want 5 s", took)
	}
	p.Until(`document.querySelector('[data-testid=banner]').offsetHeight === 0`, time.Second)
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "net::ERR_") { // the server was away
			t.Errorf("the page complains: %s", problem)
		}
	}
}

func TestPageLayouts(t *testing.T) {
	p := dev.Chromium(t)
	f := feed(t, "127.0.0.1:0", newLine(t, time.Now().UnixMilli()))
	for _, size := range []struct {
		name          string
		width, height int64
		phone         bool
	}{{"wall", 1920, 1080, false}, {"led", 3840, 1080, false}, {"laptop", 1366, 768, false}, {"phone", 390, 844, true}} {
		for _, lang := range []string{"zh", "en"} {
			p.Resize(size.width, size.height, size.phone)
			p.Open("http://" + f.addr + "/?lang=" + lang)
			p.Until(is(Live), 5*time.Second)
			p.Until(`/\d/.test(document.querySelector('[data-testid=hero]')?.textContent)`, 5*time.Second)
			var page struct{ Width, Height, Inner int64 }
			p.Eval(`({Width: document.documentElement.scrollWidth, Height: document.documentElement.scrollHeight, Inner: innerWidth})`, &page)
			if page.Width > size.width || page.Inner != size.width {
				t.Errorf("%s, %s: %d pixels wide in %d: it scrolls sideways", size.name, lang, page.Width, page.Inner)
			}
			if !size.phone && page.Height > size.height {
				t.Errorf("%s, %s: %d pixels high: it scrolls", size.name, lang, page.Height)
			}
			var cut []string
			p.Eval(`[...document.querySelectorAll('[data-testid=hero],[data-testid^=kpi-],[data-testid=state],[data-testid=reading]')]
				.filter(e => e.getClientRects().length && (e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().left < -1)).map(e => e.dataset.testid)`, &cut)
			if len(cut) > 0 {
				t.Errorf("%s, %s: beyond the edge: %v", size.name, lang, cut)
			}
			picture(p, size.name+"-"+lang)
		}
	}
	wantNoProblems(t, p)
}

func picture(p *dev.Page, name string) {
	if *shots != "" {
		p.Screenshot(filepath.Join(*shots, name+".png"))
	}
}

// axeRun asks for the rules of WCAG 2.2 A and AA, and of good practice.
const axeRun = `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
	.then(r => ({violations: r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html.slice(0, 120)).slice(0, 3).join(' | ')), passes: r.passes.length}))`

// axeScript is the checker, where it is installed.
func axeScript(t *testing.T) string {
	t.Helper()
	axe, err := os.ReadFile(filepath.Join("ui", "node_modules", "axe-core", "axe.min.js"))
	if err != nil {
		t.Skip("axe-core is not installed; run npm ci in wall/ui")
	}
	return string(axe)
}

// wantAccessible lets axe look at the page, by so many rules at least.
func wantAccessible(t *testing.T, p *dev.Page, axe string, rules int) {
	t.Helper()
	p.Eval(axe+";0", nil)
	var found struct {
		Violations []string
		Passes     int
	}
	p.Eval(axeRun, &found)
	for _, v := range found.Violations {
		t.Error(v)
	}
	if found.Passes < rules {
		t.Errorf("axe looked at %d rules only", found.Passes)
	}
}

func TestPageIsAccessible(t *testing.T) {
	axe := axeScript(t)
	p := dev.Chromium(t)
	f := feed(t, "127.0.0.1:0", newLine(t, time.Now().UnixMilli()))
	for _, c := range []struct {
		name  string
		phone bool
		state string
	}{{"wall", false, "live"}, {"phone", true, "live"}, {"stalled", false, "stalled"}} {
		for _, theme := range []string{"dark", "light"} {
			t.Run(c.name+" "+theme, func(t *testing.T) {
				p.Resize(1920, 1080, false)
				if c.phone {
					p.Resize(390, 844, true)
				}
				p.Open("http://" + f.addr + "/?lang=zh&theme=" + theme)
				p.Until(is(Live), 5*time.Second)
				if c.state == "stalled" {
					f.age(20 * time.Second)
					p.Until(is(Stalled), 3*time.Second)
					defer f.set(func() { f.events, f.silent = true, false })
				}
				picture(p, c.name+"-"+theme)
				wantAccessible(t, p, axe, 15)
			})
		}
	}
	wantNoProblems(t, p)
}

func TestHostileNamesRunNothing(t *testing.T) {
	p := dev.Chromium(t)
	l := newLine(t, time.Now().UnixMilli())
	f := feed(t, "127.0.0.1:0", l)
	const hostile = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>`
	f.set(func() {
		l.fold(liushui.Event{ID: "h", Type: "pay", Time: time.Now().UnixMilli(), User: hostile, Category: hostile, Province: hostile, Amount: 1e12, HasAmount: true})
		text, _ := json.Marshal(map[string]any{"id": "h", "type": "pay", "time": time.Now().UnixMilli(), "user": hostile, "order": hostile, "category": hostile, "province": hostile, "amount": 1})
		f.wall.Sample([]liushui.Record{{Value: text}})
	})
	p.Resize(1920, 1080, false)
	p.Open("http://" + f.addr + "/?lang=en&theme=%3Cscript%3E")
	p.Until(`document.querySelector('[data-testid=ranking]').innerText.includes('onerror')`, 5*time.Second)
	var owned bool
	if p.Eval("'owned' in window || document.querySelectorAll('img,body script').length > 0", &owned); owned {
		t.Error("a name of the data ran as a script or became an element")
	}
	// The policy refuses what would be put into the page.
	p.Eval(`{const s = document.createElement('script'); s.textContent = 'window.owned = 1'; document.body.append(s)}; 0`, nil)
	if p.Eval("'owned' in window", &owned); owned {
		t.Error("the policy lets an inline script run")
	}
	if problems := p.Problems(); !slices.ContainsFunc(problems, func(s string) bool { return strings.Contains(s, "Content Security Policy") }) {
		t.Errorf("the browser did not say that it refused the script: %q", problems)
	}
}

package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A Page is the one tab of a Chromium that a test has for itself, without a
// window and with an empty profile. Its methods end the test on any error.
type Page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	problems []string
}

// chromiumLimit is how long one step in the browser may take.
const chromiumLimit = 30 * time.Second

// Chromium starts Debian's Chromium, or skips the test where there is none. It
// ends with the test.
func Chromium(t testing.TB) *Page {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("there is no chromium on this machine; apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], // headless, first run, background networking, sync: off
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP *.test 127.0.0.1")) // names that the browser trusts no more than those of other machines
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	p := &Page{t: t}
	ctx, leave := chromedp.NewContext(allocator, chromedp.WithListener(p.listen))
	t.Cleanup(leave)
	p.ctx = ctx
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[int]("1")); err != nil { // a limit on the first step would be one on the browser's life
		t.Fatalf("start chromium: %v", err)
	}
	if _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return p
}

// listen keeps what the page complains of: exceptions, errors on the console, and
// what the browser refused, as its content security policy does.
func (p *Page) listen(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
		if e.ExceptionDetails.Exception != nil {
			text += " " + e.ExceptionDetails.Exception.Description
		}
	case *runtime.EventConsoleAPICalled:
		if e.Type != runtime.ConsoleAPICalledTypeError {
			return
		}
		for _, arg := range e.Args {
			text += string(arg.Value) + arg.Description + " "
		}
	case *log.EventEntryAdded:
		if e.Entry.Level != log.EntryLevelError {
			return
		}
		text = e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.problems = append(p.problems, text)
}

// Problems returns what the page has complained of since it was asked last.
func (p *Page) Problems() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	problems := p.problems
	p.problems = nil
	return problems
}

func (p *Page) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, chromiumLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v", what, err)
	}
}

// Open goes to an address and waits until the page has loaded.
func (p *Page) Open(url string) {
	p.t.Helper()
	p.do("open "+url, chromedp.Navigate(url))
}

// Resize sets the size of the page; mobile makes it a phone's.
func (p *Page) Resize(width, height int64, mobile bool) {
	p.t.Helper()
	var options []chromedp.EmulateViewportOption
	if mobile {
		options = append(options, chromedp.EmulateMobile, chromedp.EmulateTouch)
	}
	p.do("resize", chromedp.EmulateViewport(width, height, options...))
}

// Eval evaluates an expression of JavaScript, a promise too, and decodes its
// value, unless into is nil.
func (p *Page) Eval(expression string, into any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, chromiumLimit)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[[]byte](expression, chromedp.EvalAwaitPromise))
	if err == nil && into != nil {
		err = json.Unmarshal(value, into)
	}
	if err != nil {
		p.t.Fatalf("evaluate %.200s: %v", expression, err)
	}
}

// Text is the text that a person sees of the first element of a CSS selector.
func (p *Page) Text(selector string) (text string) {
	p.t.Helper()
	p.Eval(fmt.Sprintf("(document.querySelector(%q)?.innerText ?? '').trim()", selector), &text)
	return text
}

// Click clicks the first element of a CSS selector.
func (p *Page) Click(selector string) {
	p.t.Helper()
	p.do("click "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// Until waits until an expression of JavaScript is true, and returns how long it
// took.
func (p *Page) Until(expression string, within time.Duration) time.Duration {
	p.t.Helper()
	begin := time.Now()
	for {
		held := false
		p.Eval("Boolean("+expression+")", &held)
		took := time.Since(begin)
		if held {
			return took
		}
		if took > within {
			var seen string
			p.Eval("document.body.innerText.slice(0, 600)", &seen)
			p.t.Fatalf("not within %v: %s; the page reads: %s", within, expression, strings.Join(strings.Fields(seen), " "))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// Screenshot writes a picture of the page as PNG.
func (p *Page) Screenshot(path string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, chromiumLimit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(path, png, 0o644)
	}
	if err != nil {
		p.t.Fatalf("screenshot: %v", err)
	}
}

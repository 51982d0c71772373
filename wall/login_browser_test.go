package wall

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"liushui/dev"
	"liushui/wall/access"
)

// typed puts a text into a field of a form, as if it were typed.
func typed(p *dev.Page, field, text string) {
	p.Eval(`document.querySelector('input[name=`+field+`]').value = '`+text+`'`, nil)
}

// Over plain HTTP and a name of a network browsers say less of where a form comes
// from than on localhost, so both are tried.
func TestLoginInABrowser(t *testing.T) {
	p := dev.Chromium(t)
	f := feedFor(t, "127.0.0.1:0", Config{Version: "test", Access: people(), Hosts: []string{"wall.test"}})
	_, port, err := net.SplitHostPort(f.addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "wall.test"} {
		wall := "http://" + net.JoinHostPort(host, port)
		p.Resize(1920, 1080, false)
		p.Open(wall + "/?lang=en&theme=light")
		p.Until(`location.pathname === '/login' && document.querySelector('input[name=password]')`, 5*time.Second)
		picture(p, "login-en-light")
		typed(p, "name", "li")
		typed(p, "password", "sun over water")
		p.Click("button")
		p.Until(`document.querySelector('[data-testid=refused]')?.innerText.includes('password is wrong')`, 5*time.Second)
		picture(p, "login-wrong")
		typed(p, "password", testPassword)
		p.Click("button")
		p.Until(is(Live), 5*time.Second)
		var at string
		if p.Eval("location.pathname + location.search", &at); at != "/?lang=en&theme=light" {
			t.Errorf("%s: after the login the page is at %s", host, at)
		}
		var seen string
		if p.Eval("document.cookie", &seen); seen != "" {
			t.Errorf("%s: scripts see the cookie %s", host, seen)
		}
		p.Until(`document.querySelector('[data-testid=logout]').innerText.trim() === 'Log out li'`, 5*time.Second)
		picture(p, "logged-in")
		p.Resize(390, 844, true)
		var width int64
		if p.Eval("document.documentElement.scrollWidth", &width); width > 390 {
			t.Errorf("%s: on a phone the page is %d pixels wide", host, width)
		}
		picture(p, "logged-in-phone")
		p.Click("[data-testid=logout]")
		p.Until(`location.pathname === '/login'`, 5*time.Second)
		p.Open(wall + "/")
		p.Until(`location.pathname === '/login'`, 5*time.Second)
	}
	wantOnlyRefusals(t, p)
}

// wantOnlyRefusals lets the browser name answers that refuse, and no fault.
func wantOnlyRefusals(t *testing.T, p *dev.Page) {
	t.Helper()
	for _, problem := range p.Problems() {
		if !strings.Contains(problem, "401") && !strings.Contains(problem, "Opener-Policy header has been ignored") { // as it is without TLS
			t.Errorf("the page complains: %s", problem)
		}
	}
}

// A screen comes in by its link, and is shown the way in when the token is another.
func TestScreenInABrowser(t *testing.T) {
	p := dev.Chromium(t)
	f := feedFor(t, "127.0.0.1:0", Config{Version: "test", Access: screens(t)})
	p.Resize(1920, 1080, false)
	p.Open("http://" + f.addr + "/?kiosk=1&lang=zh&token=" + testToken)
	p.Until(is(Live), 5*time.Second)
	var at string
	if p.Eval("location.search", &at); strings.Contains(at, "token") || !strings.Contains(at, "kiosk=1") {
		t.Errorf("the screen is at %s", at)
	}
	var shown int
	if p.Eval(`document.querySelector('[data-testid=logout]').getClientRects().length`, &shown); shown != 0 {
		t.Error("a screen shows a button")
	}
	f.stop()
	p.Until(is("disconnected"), 5*time.Second)
	p.Problems() // the server was away
	other, err := access.NewList(nil, strings.ToUpper(testToken))
	if err != nil {
		t.Fatal(err)
	}
	again := feedFor(t, f.addr, Config{Version: "test", Access: other})
	p.Until(`location.pathname === '/login' && document.querySelector('input[name=token]')`, 10*time.Second)
	picture(p, "login-token-zh")
	again.stop()
	feedFor(t, f.addr, Config{Version: "test", Access: screens(t)}) // the session goes with the token, not with the process
	p.Open("http://" + f.addr + "/?kiosk=1&lang=zh")
	p.Until(is(Live), 5*time.Second)
}

// A wall that asks nobody shows no way out.
func TestOpenWallShowsNoLogout(t *testing.T) {
	p := dev.Chromium(t)
	f := feedFor(t, "127.0.0.1:0", Config{Version: "test"})
	p.Resize(1920, 1080, false)
	p.Open("http://" + f.addr + "/?lang=en")
	p.Until(is(Live), 5*time.Second)
	p.Until(`performance.getEntriesByName(new URL('api/v1/me', location).href).length`, 5*time.Second)
	var shown int
	if p.Eval(`document.querySelector('[data-testid=logout]').getClientRects().length`, &shown); shown != 0 {
		t.Error("an open wall shows the way out")
	}
	wantNoProblems(t, p)
}

func TestLoginLooks(t *testing.T) {
	axe := axeScript(t)
	p := dev.Chromium(t)
	s := serve(t, Config{Access: people()}, false)
	for _, c := range []struct {
		name, lang, theme string
		width, height     int64
		phone             bool
	}{{"wall", "zh", "dark", 1920, 1080, false}, {"phone", "zh", "light", 390, 844, true}, {"laptop", "en", "dark", 1366, 768, false}} {
		p.Resize(c.width, c.height, c.phone)
		p.Open(s.url + "/?lang=" + c.lang + "&theme=" + c.theme)
		p.Until(`document.querySelector('form button') && document.fonts.status === 'loaded'`, 5*time.Second)
		picture(p, "login-"+c.name+"-"+c.lang+"-"+c.theme)
		var width int64
		if p.Eval("document.documentElement.scrollWidth", &width); width > c.width {
			t.Errorf("%s: %d pixels wide in %d", c.name, width, c.width)
		}
		var styled bool
		if p.Eval("getComputedStyle(document.querySelector('main')).backgroundColor !== 'rgba(0, 0, 0, 0)'", &styled); !styled {
			t.Errorf("%s: the page has lost its style", c.name)
		}
		wantAccessible(t, p, axe, 10)
	}
	wantNoProblems(t, p)
}

// While a login is refused for a time, people read how long.
func TestLoginSaysHowLongToWait(t *testing.T) {
	p := dev.Chromium(t)
	s := serve(t, Config{Access: people()}, false)
	for range 10 {
		if answer, _ := get(t, s, "/login", post("name", "li", "password", "wrong")); answer.StatusCode != http.StatusUnauthorized {
			t.Fatal(answer.Status)
		}
	}
	p.Open(s.url + "/login?lang=zh")
	typed(p, "name", "li")
	typed(p, "password", testPassword)
	p.Click("button")
	p.Until(`/^尝试次数过多，请 \d+ 秒后再试。$/.test(document.querySelector('[data-testid=refused]')?.innerText.trim())`, 5*time.Second)
	picture(p, "login-wait-zh")
}

package wall

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"liushui/wall/access"
)

const (
	testToken    = "0123456789abcdef0123456789abcdef"
	testPassword = "moon over water"
)

// people is li, an operator, wang, a viewer, and screens with the token.
var people = sync.OnceValue(func() *access.List {
	text := ""
	for _, who := range []access.Who{{Name: "li", Role: access.Operator}, {Name: "王芳", Role: access.Viewer}} {
		line, err := access.Line(who, testPassword)
		if err != nil {
			panic(err)
		}
		text += line + "\n"
	}
	users, err := access.ParseUsers("users", text)
	if err != nil {
		panic(err)
	}
	list, err := access.NewList(users, testToken)
	if err != nil {
		panic(err)
	}
	return list
})

func screens(t *testing.T) *access.List {
	t.Helper()
	list, err := access.NewList(nil, testToken)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// post sends a form, as a browser does from a page of the wall.
func post(form ...string) func(*http.Request) {
	return func(r *http.Request) {
		values := url.Values{}
		for i := 0; i < len(form); i += 2 {
			values.Set(form[i], form[i+1])
		}
		body := values.Encode()
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "http://"+r.Host)
	}
}

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

// with sends the cookie that an answer set.
func with(t *testing.T, answer *http.Response) func(*http.Request) {
	t.Helper()
	cookies := answer.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("%s sets %d cookies, want one", answer.Status, len(cookies))
	}
	return header("Cookie", cookies[0].Name+"="+cookies[0].Value)
}

// wantPage checks the page of the login.
func wantPage(t *testing.T, answer *http.Response, body string, status int, says string) {
	t.Helper()
	if answer.StatusCode != status || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" || answer.Header.Get("Cache-Control") != "no-store" ||
		!strings.Contains(body, `<form method="post" action="/login">`) || !strings.Contains(body, says) || len(answer.Cookies()) > 0 {
		t.Errorf("%s, %v\n%s\nwant %d and a page that says %q", answer.Status, answer.Header, body, status, says)
	}
}

// wantGone checks a redirect.
func wantGone(t *testing.T, answer *http.Response, to string) {
	t.Helper()
	if got := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || got != to || answer.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s to %q, %v; want 303 to %q", answer.Status, got, answer.Header, to)
	}
}

func TestWhoMayLook(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	load(t, s.Wall)
	nothing := func(*http.Request) {}
	session := with(t, first(get(t, s, "/login", post("name", "li", "password", testPassword))))
	stylesheet := ""
	for path := range s.assets {
		if strings.HasPrefix(path, "/assets/login") {
			stylesheet = path
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/login", "/favicon.svg", stylesheet} {
		if answer, _ := get(t, s, path); answer.StatusCode != http.StatusOK {
			t.Errorf("%s, for everybody: %s", path, answer.Status)
		}
	}
	for path, to := range map[string]string{"/": "/login", "/index.html": "/login?next=%2Findex.html", "/charts": "/login?next=%2Fcharts",
		"/?kiosk=1&lang=zh": "/login?next=%2F%3Fkiosk%3D1%26lang%3Dzh", "//other.example/": "/login?next=%2F%2Fother.example%2F", "/login.html": "/login?next=%2Flogin.html"} {
		answer, body := get(t, s, path)
		wantGone(t, answer, to)
		if strings.Contains(body, "<script") {
			t.Errorf("%s shows the page", path)
		}
	}
	for _, path := range []string{"/api/v1/live", "/api/v1/health", "/api/v1/statistics", "/api/v1/statistics/sales", "/api/v1/me", "/api/v1/nothing", "/metrics"} {
		for name, edit := range map[string]func(*http.Request){"nobody": nothing, "a wrong token": bearer(testToken + "x"), "an empty token": bearer(""),
			"a wrong session": header("Cookie", cookieName(&http.Request{Host: s.addr})+"=1.bGk.x"), "a token in the address": func(r *http.Request) { r.URL.RawQuery = "token=" + testToken }} {
			s.tries = access.Tries{}
			answer, body := get(t, s, path, edit)
			wantProblem(t, answer, body, http.StatusUnauthorized, "")
			if got := answer.Header.Get("WWW-Authenticate"); got != `Bearer realm="liushui"` {
				t.Errorf("%s, %s: WWW-Authenticate %q", path, name, got)
			}
		}
	}
	for name, edit := range map[string]func(*http.Request){"a session": session, "the token": bearer(testToken),
		"a session behind a proxy's password": func(r *http.Request) { session(r); r.Header.Set("Authorization", "Basic eDp5") }} {
		for _, path := range []string{"/", "/api/v1/health", "/metrics", "/api/v1/me"} {
			if answer, _ := get(t, s, path, edit); answer.StatusCode != http.StatusOK {
				t.Errorf("%s with %s: %s", path, name, answer.Status)
			}
		}
		if answer, body := get(t, s, "/api/v1/nothing", edit); answer.StatusCode != http.StatusNotFound {
			t.Errorf("what is not there, with %s: %s %s", name, answer.Status, body)
		}
	}
}

func first(answer *http.Response, _ string) *http.Response { return answer }

func TestMe(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	me := func(s *served, edit func(*http.Request)) (view map[string]any) {
		t.Helper()
		answer, body := get(t, s, "/api/v1/me", edit)
		if err := json.Unmarshal([]byte(body), &view); err != nil || answer.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s: %v", answer.Status, body, err)
		}
		return view
	}
	for name, role := range map[string]string{"li": "operator", "王芳": "viewer"} {
		session := with(t, first(get(t, s, "/login", post("name", name, "password", testPassword))))
		if diff := cmp.Diff(map[string]any{"open": false, "name": name, "role": role}, me(s, session)); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff(map[string]any{"open": false, "role": "viewer"}, me(s, bearer(testToken))); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"open": true}, me(serve(t, Config{}, false), func(*http.Request) {})); diff != "" {
		t.Error(diff)
	}
}

func TestLogin(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	answer, body := get(t, s, "/login?next=%2F%3Fkiosk%3D1%26lang%3Dzh%26theme%3Dlight")
	wantPage(t, answer, body, http.StatusOK, `<html lang="zh-CN" data-theme="light">`)
	for _, part := range []string{`name="next" value="/?kiosk=1&amp;lang=zh&amp;theme=light"`, `name="password"`, "用户名", `href="/login?lang=en&amp;next=`} {
		if !strings.Contains(body, part) {
			t.Errorf("the page lacks %s:\n%s", part, body)
		}
	}
	for _, wrong := range []func(*http.Request){post("name", "li", "password", "sun over water"), post("name", "nobody", "password", testPassword),
		post("name", "li"), post(), post("token", "x")} {
		answer, body := get(t, s, "/login", wrong)
		wantPage(t, answer, body, http.StatusUnauthorized, "The name or the password is wrong.")
	}
	const hostile = `"><script>alert(1)</script>`
	answer, body = get(t, s, "/login", post("name", hostile, "password", "x", "next", "/?x="+hostile))
	wantPage(t, answer, body, http.StatusUnauthorized, "")
	if strings.Contains(body, "<script") {
		t.Errorf("a name became an element:\n%s", body)
	}

	answer, _ = get(t, s, "/login", post("name", "li", "password", testPassword, "next", "/?kiosk=1"))
	wantGone(t, answer, "/?kiosk=1")
	cookie := answer.Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Secure || cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge != 30*86400 {
		t.Errorf("the cookie is %s", cookie)
	}
	if _, port, _ := net.SplitHostPort(s.addr); cookie.Name != "liushui-"+port {
		t.Errorf("the cookie %s is taken for that of another wall on this machine", cookie.Name)
	}
	session := with(t, answer)
	answer, _ = get(t, s, "/login?next=%2F%3Flang%3Den", session)
	wantGone(t, answer, "/?lang=en")
	answer, _ = get(t, s, "/logout", session, post())
	wantGone(t, answer, "/login")
	if cookie := answer.Cookies()[0]; cookie.Value != "" || cookie.MaxAge >= 0 {
		t.Errorf("after the logout the cookie is %s", cookie)
	}
	if answer, _ := get(t, s, "/login", post("name", "li", "password", testPassword), header("X-Forwarded-Proto", "https")); !answer.Cookies()[0].Secure {
		t.Errorf("behind a proxy with TLS the cookie is %s", answer.Cookies()[0])
	}
}

func TestLoginWithATokenOnly(t *testing.T) {
	s := serve(t, Config{Access: screens(t)}, false)
	answer, body := get(t, s, "/login", header("Accept-Language", "fr;q=0.9, zh-CN, en"))
	wantPage(t, answer, body, http.StatusOK, "访问令牌")
	if strings.Contains(body, `name="password"`) {
		t.Errorf("it asks for a password:\n%s", body)
	}
	answer, body = get(t, s, "/login", post("token", "wrong", "lang", "zh"))
	wantPage(t, answer, body, http.StatusUnauthorized, "令牌不对。")
	answer, _ = get(t, s, "/login", post("token", " "+testToken+"\n", "lang", "zh"))
	wantGone(t, answer, "/")
	if answer, _ := get(t, s, "/", with(t, answer)); answer.StatusCode != http.StatusOK {
		t.Errorf("with the token's session: %s", answer.Status)
	}
}

func TestLinkOfAScreen(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	answer, _ := get(t, s, "/?kiosk=1&token="+testToken+"&lang=zh")
	wantGone(t, answer, "/?kiosk=1&lang=zh")
	session := with(t, answer)
	if answer, _ := get(t, s, "/api/v1/health", session); answer.StatusCode != http.StatusOK {
		t.Errorf("the screen's stream: %s", answer.Status)
	}
	answer, _ = get(t, s, "/?token="+testToken, session)
	wantGone(t, answer, "/") // the token never stays in the address
	answer, body := get(t, s, "/?kiosk=1&lang=zh&token="+testToken[1:])
	wantPage(t, answer, body, http.StatusUnauthorized, "这个链接已经失效")
	if strings.Contains(body, testToken[1:]) {
		t.Errorf("the page shows the token:\n%s", body)
	}
	answer, body = get(t, s, "/?token=")
	wantPage(t, answer, body, http.StatusUnauthorized, "no longer valid")
}

func TestLoginLeadsToThisWallOnly(t *testing.T) {
	for next, want := range map[string]string{
		"": "/", "/": "/", "/charts?lang=zh": "/charts?lang=zh", "/?a=https://other.example/": "/?a=https://other.example/",
		"https://other.example/": "/", "//other.example/": "/", "///other.example": "/", "////other.example": "/", `/\other.example`: "/", `\\other.example`: "/",
		"/%2fother.example": "/", "http:/other.example": "/", "javascript:alert(1)": "/", "charts": "/", "?lang=zh": "/", "/\tx": "/", "/\nx": "/", "user@other.example": "/",
		"/login": "/", "/login?next=/login": "/", "/logout": "/", "/charts#x": "/charts",
	} {
		if got := safe(next); got != want {
			t.Errorf("after the login with next=%q one is at %q, want %q", next, got, want)
		}
	}
}

func TestOtherSitesChangeNothing(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	login := post("name", "li", "password", testPassword)
	for name, edit := range map[string]func(*http.Request){
		"another site":              header("Sec-Fetch-Site", "cross-site"),
		"another machine's sibling": header("Sec-Fetch-Site", "same-site"),
		"an old browser elsewhere":  header("Origin", "http://other.example"),
		"a hidden origin":           header("Origin", "null"),
		"another port":              header("Origin", "http://127.0.0.1:1"),
	} {
		for _, path := range []string{"/login", "/logout"} {
			answer, body := get(t, s, path, login, edit)
			wantProblem(t, answer, body, http.StatusForbidden, "change nothing here")
			if len(answer.Cookies()) > 0 {
				t.Errorf("%s: %s sets a cookie", name, path)
			}
		}
	}
	for name, edit := range map[string]func(*http.Request){
		"the wall's own page":          header("Sec-Fetch-Site", "same-origin"),
		"its page in an older browser": func(*http.Request) {}, // post sends the origin
		"a program":                    func(r *http.Request) { r.Header.Del("Origin") },
	} {
		if answer, _ := get(t, s, "/login", login, edit); answer.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %s", name, answer.Status)
		}
	}
}

func TestRequestsThatChangeNothingAreRefused(t *testing.T) {
	s := serve(t, Config{Access: people()}, false)
	for path, edit := range map[string]func(*http.Request){"/": post(), "/api/v1/health": post(), "/login": method(http.MethodPut), "/logout": method(http.MethodDelete)} {
		answer, body := get(t, s, path, edit)
		wantProblem(t, answer, body, http.StatusMethodNotAllowed, "not allowed")
	}
	answer, body := get(t, s, "/login", post("name", strings.Repeat("x", 5000)))
	wantProblem(t, answer, body, http.StatusBadRequest, "no login")
	open := serve(t, Config{}, false)
	answer, body = get(t, open, "/login", post("name", "li", "password", testPassword))
	wantProblem(t, answer, body, http.StatusMethodNotAllowed, "not allowed")
	if answer, _ := get(t, open, "/login"); answer.StatusCode != http.StatusNotFound {
		t.Errorf("/login of an open wall: %s", answer.Status)
	}
}

// asked is a request to a wall without a network between, so that a test has its
// own clock.
func asked(w *Wall, path string, edit ...func(*http.Request)) (*http.Response, string) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	for _, e := range edit {
		e(r)
	}
	out := httptest.NewRecorder()
	w.Handler().ServeHTTP(out, r)
	return out.Result(), out.Body.String()
}

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

func TestTooManyGuesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall(t, Config{Access: screens(t)})
		wrong, right := post("token", "wrong"), post("token", testToken)
		mine, other := from("192.0.2.1:1000"), from("192.0.2.2:1000")
		for range 10 {
			answer, body := asked(w, "/login", wrong, mine)
			wantPage(t, answer, body, http.StatusUnauthorized, "The token is wrong.")
		}
		answer, body := asked(w, "/login", right, mine)
		wantPage(t, answer, body, http.StatusTooManyRequests, "Try again in 30 s.")
		if got := answer.Header.Get("Retry-After"); got != "30" {
			t.Errorf("Retry-After: %q", got)
		}
		answer, body = asked(w, "/?token="+testToken, mine)
		wantPage(t, answer, body, http.StatusTooManyRequests, "Try again in 30 s.")
		answer, body = asked(w, "/api/v1/health", bearer(testToken), mine)
		wantProblem(t, answer, body, http.StatusTooManyRequests, "try again in 30 s")
		if got := answer.Header.Get("Retry-After"); got != "30" {
			t.Errorf("Retry-After: %q", got)
		}
		answer, _ = asked(w, "/login", right, other)
		wantGone(t, answer, "/")
		session := with(t, answer)
		if answer, _ := asked(w, "/", session, mine); answer.StatusCode != http.StatusOK {
			t.Errorf("who is logged in already, from that address: %s", answer.Status)
		}
		time.Sleep(30 * time.Second)
		answer, _ = asked(w, "/login", right, mine)
		wantGone(t, answer, "/")
	})
}

// A program that sends the right token is never told to wait.
func TestRightTokensAreNoGuesses(t *testing.T) {
	w := newWall(t, Config{Access: screens(t)})
	for i := range 100 {
		if answer, body := asked(w, "/api/v1/me", bearer(testToken)); answer.StatusCode != http.StatusOK {
			t.Fatalf("question %d: %s %s", i+1, answer.Status, body)
		}
	}
}

func TestGuessesThroughAProxy(t *testing.T) {
	for _, c := range []struct {
		peer, said, want string
	}{
		{"192.0.2.1:1000", "", "192.0.2.1"},
		{"192.0.2.1:1000", "198.51.100.7", "192.0.2.1"}, // who is no proxy of ours may say anything
		{"127.0.0.1:1000", "", "127.0.0.1"},
		{"127.0.0.1:1000", "198.51.100.7", "198.51.100.7"},
		{"[::1]:1000", "10.0.0.1, 198.51.100.7", "198.51.100.7"}, // the last is the proxy's own word
		{"127.0.0.1:1000", "nonsense", "127.0.0.1"},
		{"[::ffff:127.0.0.1]:1000", "::ffff:198.51.100.7", "198.51.100.7"},
		{"", "", "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		if c.said != "" {
			r.Header.Set("X-Forwarded-For", c.said)
		}
		if got := comesFrom(r).String(); got != c.want {
			t.Errorf("%+v comes from %s", c, got)
		}
	}
}

// A screen that is on every day stays for good; one that was off for a month logs in again.
func TestSessionsLastWhileTheyAreUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWall(t, Config{Access: screens(t)})
		answer, _ := asked(w, "/?token="+testToken)
		session := with(t, answer)
		if answer, _ := asked(w, "/api/v1/me", session); answer.StatusCode != http.StatusOK || len(answer.Cookies()) > 0 {
			t.Errorf("the next moment: %s, %v", answer.Status, answer.Cookies())
		}
		for day := range 100 {
			time.Sleep(24*time.Hour + time.Minute)
			answer, _ := asked(w, "/api/v1/me", session)
			if answer.StatusCode != http.StatusOK {
				t.Fatalf("on day %d: %s", day, answer.Status)
			}
			session = with(t, answer)
		}
		time.Sleep(30 * 24 * time.Hour)
		answer, body := asked(w, "/api/v1/me", session)
		wantProblem(t, answer, body, http.StatusUnauthorized, "log in")
	})
}

// patient is a viewer who takes what comes.
type patient struct{ *httptest.ResponseRecorder }

func (patient) SetWriteDeadline(time.Time) error { return nil }

// A stream ends after a day, so that a screen that is never touched asks again,
// and its session is written anew.
func TestStreamsEndForTheirSessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name  string
			list  *access.List
			lasts time.Duration
		}{{"with a session", screens(t), 24 * time.Hour}, {"of an open wall", nil, 48 * time.Hour}} {
			w := newWall(t, Config{Access: c.list})
			ctx, leave := context.WithTimeout(t.Context(), 48*time.Hour)
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/api/v1/live", nil)
			if c.list != nil {
				with(t, first(asked(w, "/?token="+testToken)))(r)
			}
			began := time.Now()
			w.Handler().ServeHTTP(patient{httptest.NewRecorder()}, r)
			if took := time.Since(began); took != c.lasts {
				t.Errorf("a stream %s ended after %s, want %s", c.name, took, c.lasts)
			}
			leave()
		}
	})
}

// FuzzSafe finds no address that leads a browser to another site.
func FuzzSafe(f *testing.F) {
	f.Add("/charts?lang=zh")
	f.Add("//other.example/")
	f.Add("/\\other.example")
	wall := &url.URL{Scheme: "http", Host: "wall.example", Path: loginPath}
	f.Fuzz(func(t *testing.T, next string) {
		to := safe(next)
		if len(to) > 1 && strings.ContainsAny(to[1:2], `/\`) {
			t.Errorf("%q leads to %q", next, to)
		}
		if u, err := wall.Parse(to); err != nil || u.Host != wall.Host || !strings.HasPrefix(to, "/") {
			t.Errorf("%q leads to %q, %v", next, to, err)
		}
	})
}

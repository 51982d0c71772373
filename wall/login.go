package wall

import (
	"bytes"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"

	"liushui/wall/access"
)

const (
	loginPath  = "/login"
	logoutPath = "/logout"
)

// What a login may be: its bytes, and the time in which they must come.
const (
	loginMost   = 4 << 10
	loginWithin = 5 * time.Second
)

// entry is what the page of the login shows.
type entry struct {
	Lang, Theme string // zh or en, dark or light
	Next        string // where to go then, within this wall
	Name        string // as it was typed
	Users       bool   // asks for name and password, else for the token
	Wrong       bool
	BadLink     bool          // the token of a link is wrong
	Wait        time.Duration // above 0: too many guesses
}

// Seconds is how long to wait, for people.
func (e *entry) Seconds() string { return seconds(e.Wait) }

// Other is the same page in the other language.
func (e *entry) Other() string {
	lang := "zh"
	if e.Lang == "zh" {
		lang = "en"
	}
	return loginPath + "?" + url.Values{"lang": {lang}, "next": {e.Next}}.Encode()
}

// loginFor is the login that then goes on to an address of this wall.
func loginFor(address string) string {
	if address == "/" {
		return loginPath
	}
	return loginPath + "?" + url.Values{"next": {address}}.Encode()
}

// login asks who somebody is.
func (w *Wall) login(out http.ResponseWriter, r *http.Request) {
	next := safe(r.URL.Query().Get("next"))
	if _, _, in := w.session(r); in {
		out.Header().Set("Cache-Control", "no-store")
		http.Redirect(out, r, next, http.StatusSeeOther)
		return
	}
	w.ask(out, r, http.StatusOK, &entry{Next: next})
}

// loggedIn takes the answer.
func (w *Wall) loggedIn(out http.ResponseWriter, r *http.Request) {
	_ = http.NewResponseController(out).SetReadDeadline(time.Now().Add(loginWithin)) // of a test's recorder: there is none
	r.Body = http.MaxBytesReader(out, r.Body, loginMost)
	if err := r.ParseForm(); err != nil {
		problem(out, http.StatusBadRequest, "this is no login: want a form with name and password, or with token")
		return
	}
	form := r.PostForm
	e := &entry{Next: safe(form.Get("next")), Name: form.Get("name"), Wrong: true}
	who, ok, wait := w.guess(r, func() (access.Who, bool) {
		if form.Has("token") {
			return w.config.Access.ByToken(strings.TrimSpace(form.Get("token")))
		}
		return w.config.Access.ByPassword(e.Name, form.Get("password"))
	})
	if !ok {
		e.Wait = wait
		w.askAgain(out, r, e)
		return
	}
	w.admit(out, r, who)
	out.Header().Set("Cache-Control", "no-store")
	http.Redirect(out, r, e.Next, http.StatusSeeOther)
}

// logout ends the session in this browser.
func (w *Wall) logout(out http.ResponseWriter, r *http.Request) {
	setCookie(out, r, "", 0)
	out.Header().Set("Cache-Control", "no-store")
	http.Redirect(out, r, loginPath, http.StatusSeeOther)
}

// askAgain asks somebody whose guess was wrong, or one too many.
func (w *Wall) askAgain(out http.ResponseWriter, r *http.Request, e *entry) {
	status := http.StatusUnauthorized
	if e.Wait > 0 {
		retryAfter(out, e.Wait)
		status = http.StatusTooManyRequests
	}
	w.ask(out, r, status, e)
}

// ask shows the page of the login, in the language and colours of the page that
// somebody wants to see.
func (w *Wall) ask(out http.ResponseWriter, r *http.Request, status int, e *entry) {
	e.Users = w.config.Access.HasUsers()
	e.Lang = language(r.FormValue("lang"), choice(e.Next, "lang"), r.Header.Get("Accept-Language"))
	if e.Theme = "dark"; choice(e.Next, "theme") == "light" {
		e.Theme = "light"
	}
	var page bytes.Buffer
	if err := w.loginPage.Execute(&page, e); err != nil {
		w.log.Error("the page of the login cannot be made", "error", err)
		problem(out, http.StatusInternalServerError, "the page of the login cannot be made; the log says why")
		return
	}
	header := out.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Vary", "Accept-Language")
	out.WriteHeader(status)
	out.Write(page.Bytes())
}

// choice is what an address of this wall has chosen.
func choice(address, name string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Query().Get(name)
}

// language is the first that is ours, of choices and of what a browser accepts.
func language(choices ...string) string {
	for _, one := range choices {
		for tag := range strings.SplitSeq(one, ",") {
			for _, ours := range []string{"zh", "en"} {
				if strings.HasPrefix(strings.ToLower(strings.TrimSpace(tag)), ours) {
					return ours
				}
			}
		}
	}
	return "en"
}

// safe is an address of this wall to go on to, or the wall: never one of
// another site.
func safe(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") ||
		strings.HasPrefix(u.Path, "//") || strings.ContainsAny(next, "\\") || u.Path == loginPath || u.Path == logoutPath {
		return "/"
	}
	return u.RequestURI()
}

// readLogin reads the page of the login, which the build made with that of the wall.
func readLogin() (*template.Template, error) { return template.ParseFS(dist, "dist"+loginFile) }

package wall

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"liushui/wall/access"
)

type whoKey struct{}

// gate lets in who is on the list. Without a list everybody is.
func (w *Wall) gate(next http.Handler) http.Handler {
	if w.config.Access == nil {
		return next
	}
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		bearer, hasBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		isPage := !strings.HasPrefix(r.URL.Path, "/api/") && r.URL.Path != "/metrics"
		switch {
		case w.forAll(r.URL.Path):
			next.ServeHTTP(out, r)
		case hasBearer:
			w.byBearer(out, r, bearer, next)
		case isPage && r.URL.Query().Has("token"):
			w.byLink(out, r)
		default:
			w.bySession(out, r, isPage, next)
		}
	})
}

// forAll reports whether a path is for everybody: the way in, health checks, and
// the files of the page, which are the same everywhere and hold no figure.
func (w *Wall) forAll(path string) bool {
	switch path {
	case "/", "/index.html":
		return false
	case loginPath, logoutPath, "/healthz", "/readyz":
		return true
	}
	return w.assets[path] != nil
}

// bySession serves who has a session, and shows others the way in.
func (w *Wall) bySession(out http.ResponseWriter, r *http.Request, isPage bool, next http.Handler) {
	who, renew, ok := w.session(r)
	switch {
	case ok:
		if renew {
			w.admit(out, r, who)
		}
		w.serveTo(who, next, out, r)
	case isPage:
		out.Header().Set("Cache-Control", "no-store")
		http.Redirect(out, r, loginFor(r.URL.RequestURI()), http.StatusSeeOther)
	default:
		w.unknown(out, "log in at /login, or send the wall's token: Authorization: Bearer TOKEN")
	}
}

// byBearer serves a program that sends the token with each request.
func (w *Wall) byBearer(out http.ResponseWriter, r *http.Request, token string, next http.Handler) {
	who, ok, wait := w.guess(r, func() (access.Who, bool) { return w.config.Access.ByToken(token) })
	switch {
	case wait > 0:
		retryAfter(out, wait)
		problem(out, http.StatusTooManyRequests, "too many wrong tokens or passwords; try again in "+seconds(wait)+" s")
	case !ok:
		w.unknown(out, "this is not the wall's token")
	default:
		w.serveTo(who, next, out, r)
	}
}

// byLink lets in a screen whose link has the token, and takes it out of the address.
func (w *Wall) byLink(out http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	token := query.Get("token")
	query.Del("token")
	to := url.URL{Path: r.URL.Path, RawQuery: query.Encode()}
	who, ok, wait := w.guess(r, func() (access.Who, bool) { return w.config.Access.ByToken(token) })
	if !ok {
		w.askAgain(out, r, &entry{Next: safe(to.String()), Wait: wait, BadLink: true})
		return
	}
	w.admit(out, r, who)
	out.Header().Set("Cache-Control", "no-store")
	http.Redirect(out, r, safe(to.String()), http.StatusSeeOther)
}

// unknown refuses a program that has not said who it is.
func (w *Wall) unknown(out http.ResponseWriter, detail string) {
	out.Header().Set("WWW-Authenticate", `Bearer realm="liushui"`)
	problem(out, http.StatusUnauthorized, detail)
}

// serveTo serves somebody who is let in. An answer that goes on ends when the
// session is to be looked at and written anew: the page then asks again.
func (w *Wall) serveTo(who access.Who, next http.Handler, out http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(context.WithValue(r.Context(), whoKey{}, who), access.Renewed)
	defer cancel()
	next.ServeHTTP(out, r.WithContext(ctx))
}

// me tells the page who is looking.
func (w *Wall) me(out http.ResponseWriter, r *http.Request) {
	who, in := r.Context().Value(whoKey{}).(access.Who)
	answer(out, struct {
		Open bool        `json:"open"` // the wall asks nobody who they are
		Name string      `json:"name,omitempty"`
		Role access.Role `json:"role,omitempty"`
	}{!in, who.Name, who.Role})
}

// guess lets a request guess once; it must rest for wait first, where that is above 0.
func (w *Wall) guess(r *http.Request, right func() (access.Who, bool)) (who access.Who, ok bool, wait time.Duration) {
	from := comesFrom(r)
	if wait = w.tries.Take(from, time.Now()); wait > 0 {
		return who, false, wait
	}
	if who, ok = right(); ok {
		w.tries.GiveBack(from, time.Now())
		return who, true, 0
	}
	w.log.Warn("a wrong password or token", "from", from)
	return who, false, 0
}

// comesFrom is the address of who asks. A proxy on this machine says for whom.
func comesFrom(r *http.Request) netip.Addr {
	peer, _ := netip.ParseAddrPort(r.RemoteAddr) // of none: no address, which is one too
	from := peer.Addr().Unmap()
	if from.IsLoopback() {
		lines := r.Header.Values("X-Forwarded-For")
		all := strings.Split(strings.Join(lines, ","), ",")
		if said, err := netip.ParseAddr(strings.TrimSpace(all[len(all)-1])); err == nil {
			return said.Unmap()
		}
	}
	return from
}

// session tells whose session a request has.
func (w *Wall) session(r *http.Request) (who access.Who, renew, ok bool) {
	cookie, err := r.Cookie(cookieName(r))
	if err != nil {
		return who, false, false
	}
	return w.config.Access.Unseal(cookie.Value, time.Now())
}

// admit begins a session, or writes it anew.
func (w *Wall) admit(out http.ResponseWriter, r *http.Request, who access.Who) {
	setCookie(out, r, w.config.Access.Seal(who, time.Now()), access.Lasts)
}

// setCookie keeps a session in the browser; without one it is forgotten.
func setCookie(out http.ResponseWriter, r *http.Request, session string, lasts time.Duration) {
	age := int(lasts.Seconds())
	if session == "" {
		age = -1
	}
	http.SetCookie(out, &http.Cookie{Name: cookieName(r), Value: session, Path: "/", MaxAge: age,
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https"})
}

// cookieName holds the port: browsers mix the cookies of walls on one machine.
func cookieName(r *http.Request) string {
	if _, port, err := net.SplitHostPort(r.Host); err == nil {
		return "liushui-" + port
	}
	return "liushui"
}

func retryAfter(out http.ResponseWriter, wait time.Duration) {
	out.Header().Set("Retry-After", seconds(wait))
}

// seconds rounds up, so that whoever waits so long has waited enough.
func seconds(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

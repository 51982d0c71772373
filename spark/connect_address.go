package spark

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"liushui"
)

// address is what a Spark Connect URL says:
//
//	sc://host:15002/;use_ssl=true;token=secret;user_id=shop;x-tenant=a
//
// What begins with x- is sent as a header of every call, as proxies want it.
type address struct {
	host    string // host:port
	tls     bool
	token   string
	user    string
	headers map[string]string
}

// String is the address without anything secret.
func (a *address) String() string { return "sc://" + a.host }

const defaultPort = "15002"

// parseAddress reads a URL. A token beside it goes before the one in it. Where
// nothing is said of TLS, a token is sent over it, but for this machine's own
// servers. No error holds what stands behind the host.
func parseAddress(text, token string) (*address, error) {
	rest, ok := strings.CutPrefix(text, "sc://")
	host, path, _ := strings.Cut(rest, "/")
	shown, _, _ := strings.Cut(text, "/;")
	shown, _, _ = strings.Cut(shown, ";")
	if i := strings.LastIndex(shown, "@"); i >= 0 {
		shown = "sc://…" + shown[i:] // as in other URLs, it may be a password
	}
	if !ok {
		return nil, fmt.Errorf("%q is not the address of a Spark Connect server: write sc://host:%s: %w", shown, defaultPort, liushui.ErrMisuse)
	}
	a := &address{headers: map[string]string{}}
	name, port, err := net.SplitHostPort(host)
	if err != nil && (!strings.Contains(host, ":") || strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]")) {
		name, port, err = strings.Trim(host, "[]"), defaultPort, nil
	}
	if number, wrong := strconv.ParseUint(port, 10, 16); err != nil || wrong != nil || number == 0 || name == "" || strings.ContainsAny(name, "@;?# ") {
		return nil, fmt.Errorf("%q is not the address of a Spark Connect server: write sc://host:%s: %w", shown, defaultPort, liushui.ErrMisuse)
	}
	a.host = net.JoinHostPort(name, port)
	if path != "" && !strings.HasPrefix(path, ";") {
		return nil, fmt.Errorf("%s: what follows the host begins with /; as in sc://host:%s/;use_ssl=true: %w", a, defaultPort, liushui.ErrMisuse)
	}
	said := false // whether it says anything about TLS
	for _, part := range strings.Split(path, ";") {
		if part == "" {
			continue
		}
		key, value, _ := strings.Cut(part, "=")
		if err := a.set(key, value, &said); err != nil {
			return nil, fmt.Errorf("%s: %w: %w", a, err, liushui.ErrMisuse)
		}
	}
	if token != "" {
		a.token = token
	}
	if err := properToken(a.token); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", a, err, liushui.ErrMisuse)
	}
	if !said {
		a.tls = a.token != "" && !loopback(name)
	}
	return a, nil
}

// set takes one parameter. Its errors name the parameter and not its value.
func (a *address) set(key, value string, saidTLS *bool) error {
	value, err := url.PathUnescape(value)
	if err != nil {
		return fmt.Errorf("the value of %s has a %% that begins no %%XX", key)
	}
	if value == "" {
		return fmt.Errorf("%s has no value", key)
	}
	switch {
	case key == "use_ssl":
		*saidTLS = true
		if a.tls, err = strconv.ParseBool(value); err != nil {
			return fmt.Errorf("use_ssl is true or false")
		}
	case key == "token":
		a.token = value
	case key == "user_id":
		a.user = value
	case strings.HasPrefix(key, "x-"):
		a.headers[strings.ToLower(key)] = value
	default:
		return fmt.Errorf("no parameter %q; there are use_ssl, token, user_id and x-…", key)
	}
	return nil
}

// properToken refuses what no header can carry.
func properToken(token string) error {
	for _, r := range token {
		if r <= ' ' || r > '~' {
			return fmt.Errorf("the token has characters that no token has, such as a line's end")
		}
	}
	return nil
}

func loopback(name string) bool {
	ip, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && ip.IsLoopback()
}

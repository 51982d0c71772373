package store

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"liushui"
)

// misuse is an error that the user must mend; its text stands alone.
type misuse struct {
	text   string
	causes []error
}

func (e *misuse) Error() string   { return e.text }
func (e *misuse) Unwrap() []error { return e.causes }

func misusef(format string, args ...any) error {
	return &misuse{fmt.Sprintf(format, args...), []error{liushui.ErrMisuse}}
}

// missingf is a misuse that time may mend: what is to be read was not made yet,
// which errors.Is knows as fs.ErrNotExist.
func missingf(format string, args ...any) error {
	return &misuse{fmt.Sprintf(format, args...), []error{liushui.ErrMisuse, fs.ErrNotExist}}
}

// address is a DSN taken apart. Its String carries no password.
type address struct {
	file string // of SQLite; else the rest is set

	user, password string
	host           string // host:port
	database       string
	tls            string         // true, skip-verify or preferred; empty: none
	authorities    *x509.CertPool // nil: the system's
}

func (a *address) String() string {
	if a.file != "" {
		return "sqlite:" + a.file
	}
	return "mysql://" + a.user + "@" + a.host + "/" + a.database
}

const dsnForms = "sqlite:PATH or mysql://user@host:3306/database"

// parseDSN reads a DSN. Its errors never show one of mysql, which may hold a password.
func parseDSN(dsn, password string) (*address, error) {
	scheme, rest, ok := strings.Cut(dsn, ":")
	switch {
	case dsn == "":
		return nil, misusef("no database is named; want %s", dsnForms)
	case ok && scheme == "sqlite":
		return parseFile(rest)
	case ok && (scheme == "mysql" || scheme == "mariadb") && strings.HasPrefix(rest, "//"):
		return parseServer(rest, password)
	case ok && scheme != "" && strings.HasPrefix(rest, "//"):
		return nil, misusef("the database address begins with %q; want %s", scheme+"://", dsnForms)
	}
	return nil, misusef("the database address has no known form; want %s", dsnForms)
}

func parseFile(path string) (*address, error) {
	if strings.HasPrefix(path, "///") { // sqlite:///var/lib/x.db, as others write it
		path = path[2:]
	}
	switch {
	case strings.ContainsFunc(path, unicode.IsControl):
		return nil, misusef("sqlite: the path %q holds a control character", path)
	case path == "":
		return nil, misusef("sqlite: names no file; want a path after the colon, such as sqlite:liushui.db")
	case strings.HasPrefix(path, ":"):
		return nil, misusef("sqlite:%s: a store in memory would be gone at the end; want a path, such as sqlite:liushui.db", path)
	case strings.HasPrefix(path, "//"):
		return nil, misusef("sqlite:%s: after the colon stands a path, not an address; want sqlite:liushui.db or sqlite:/var/lib/liushui.db", path)
	}
	return &address{file: path}, nil
}

// parseServer shows nothing of what it could not read: a character such as / in
// a password moves parts of it to any place of an address.
func parseServer(rest, password string) (*address, error) {
	wrong := func(what string) error {
		return misusef("the database address mysql://… %s; want mysql://user@host:3306/database, with / ? # %% @ in user and password written as %%2F %%3F %%23 %%25 %%40, or the password in LIUSHUI_DATABASE_PASSWORD", what)
	}
	u, err := url.Parse("mysql:" + rest)
	if err != nil {
		return nil, wrong("cannot be read")
	}
	a := &address{database: strings.TrimPrefix(u.Path, "/"), user: u.User.Username(), password: password}
	if own, ok := u.User.Password(); ok {
		a.password = own
	}
	port := u.Port()
	if port == "" {
		port = "3306"
	}
	a.host = net.JoinHostPort(u.Hostname(), port)
	number, _ := strconv.Atoi(port)
	switch {
	case a.user == "":
		return nil, wrong("names no user")
	case u.Hostname() == "":
		return nil, wrong("names no host")
	case number < 1 || number > 65535:
		return nil, wrong("has a port that is not in 1 to 65535")
	case a.database == "":
		return nil, wrong("names no database")
	case strings.ContainsAny(a.database, "/@\x00") || u.Fragment != "":
		return nil, wrong("has more than a database after the host")
	}
	options, err := url.ParseQuery(u.RawQuery)
	a.tls = options.Get("tls")
	delete(options, "tls")
	switch {
	case err != nil || len(options) > 0:
		return nil, wrong("has an option other than tls")
	case !slices.Contains([]string{"", "true", "skip-verify", "preferred"}, a.tls):
		return nil, wrong("has a tls that is not true, skip-verify or preferred")
	}
	return a, nil
}

// secure asks for TLS beside what the address says.
func (a *address) secure(on bool, caFile string) error {
	if !on && caFile == "" {
		return nil
	}
	flag := "--database-tls"
	if caFile != "" {
		flag = "--database-tls-ca"
	}
	switch {
	case a.file != "":
		return misusef("%s: SQLite is a file on this machine; leave the flag out, or name a server with --database mysql://user@host:3306/database", flag)
	case a.tls != "" && a.tls != "true":
		return misusef("%s: the database address says tls=%s, which trusts anybody; leave that out", flag, a.tls)
	}
	a.tls = "true"
	if caFile == "" {
		return nil
	}
	text, err := os.ReadFile(caFile)
	if err != nil {
		return misusef("--database-tls-ca: %v", err)
	}
	a.authorities = x509.NewCertPool()
	if !a.authorities.AppendCertsFromPEM(text) {
		return misusef("--database-tls-ca %s: holds no certificate in PEM", caFile)
	}
	return nil
}

// config is that of TLS. The driver adds the server's name where it is checked.
func (a *address) config() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.authorities, InsecureSkipVerify: a.tls != "true"}
	for _, suite := range tls.CipherSuites() {
		c.CipherSuites = append(c.CipherSuites, suite.ID)
	}
	// MySQL that was built with OpenSSL 1.0 knows nothing better; it is chosen last.
	c.CipherSuites = append(c.CipherSuites, tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_256_GCM_SHA384)
	return c
}

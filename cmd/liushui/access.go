package main

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"github.com/spf13/cobra"

	"liushui/wall"
	"liushui/wall/access"
)

// accessFlags say who may look at the wall, and over what.
type accessFlags struct {
	tokenFile string
	usersFile string
	public    bool
	certFile  string
	keyFile   string
}

func (f *accessFlags) bind(c *cobra.Command) {
	flags := c.Flags()
	flags.StringVar(&f.usersFile, "users-file", "", "`file` of users who may look, of lines name:role:hash as `liushui user` makes them")
	flags.StringVar(&f.tokenFile, "viewer-token-file", "", "`file` with a token that lets screens in; LIUSHUI_VIEWER_TOKEN holds it directly")
	flags.BoolVar(&f.public, "public", false, "let everybody look who can reach --listen")
	flags.StringVar(&f.certFile, "tls-cert", "", "speak TLS, with the certificate in this PEM `file`")
	flags.StringVar(&f.keyFile, "tls-key", "", "`file` with the key of that certificate")
}

// guard puts into a wall's configuration who is let in. On an address that others
// can reach somebody must have said so.
func (p *program) guard(c *wall.Config, f *accessFlags, listen addressFlag) error {
	token, err := p.password("viewer-token", f.tokenFile)
	if err != nil {
		return err
	}
	if f.tokenFile != "" && token == "" {
		return misuse("--viewer-token-file %s is empty; `openssl rand -hex 16` makes a token", f.tokenFile)
	}
	asks := token != "" || f.usersFile != ""
	switch {
	case f.public && asks:
		return misuse("--public lets everybody look; leave it out, or --users-file and --viewer-token-file")
	case !f.public && !asks && !listen.loopback():
		return misuse("--listen %s can be reached from other machines: say who may look, with --users-file or --viewer-token-file, or everybody with --public", listen)
	case (f.certFile == "") != (f.keyFile == ""):
		return misuse("--tls-cert and --tls-key go together")
	}
	if asks {
		if c.Access, err = p.accessList(f, token); err != nil {
			return err
		}
	}
	if f.certFile != "" {
		if c.Certificate, err = wall.OpenCertificate(f.certFile, f.keyFile, p.log); err != nil {
			return misuse("--tls-cert, --tls-key: %w", err)
		}
		p.warnOfReaders("--tls-key", f.keyFile)
	} else if asks && !listen.loopback() {
		p.log.Warn("the wall speaks no TLS: passwords and figures can be read on the way, unless a proxy before it does; see --tls-cert", "listen", listen.String())
	}
	return nil
}

// accessList reads who may look.
func (p *program) accessList(f *accessFlags, token string) (*access.List, error) {
	var users []access.User
	if f.usersFile != "" {
		text, err := os.ReadFile(f.usersFile)
		if err != nil {
			return nil, misuse("--users-file %s: %w", f.usersFile, reason(err))
		}
		if users, err = access.ParseUsers(f.usersFile, string(text)); err != nil {
			return nil, misuse("--users-file %w", err)
		}
		p.warnOfReaders("--users-file", f.usersFile)
	}
	list, err := access.NewList(users, token)
	if err != nil {
		return nil, misuse("%s: %w", tokenSource(f), err)
	}
	if f.tokenFile != "" {
		p.warnOfReaders("--viewer-token-file", f.tokenFile)
	}
	return list, nil
}

func tokenSource(f *accessFlags) string {
	if f.tokenFile == "" {
		return environmentName("viewer-token")
	}
	return "--viewer-token-file " + f.tokenFile
}

// warnOfReaders names a secret that everybody on the machine can read. It is no
// more than a warning: files that are mounted into containers mostly are so, and
// there is nobody else in there.
func (p *program) warnOfReaders(flag, file string) {
	info, err := os.Stat(file)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o007 == 0 {
		return
	}
	p.log.Warn(fmt.Sprintf("everybody on this machine can read %s %s, and so let themselves in; mend it with  chmod o= %s", flag, file, file))
}

// loopback reports whether only this machine reaches an address. Of names only
// localhost is taken for one.
func (f addressFlag) loopback() bool {
	host, _, err := net.SplitHostPort(string(f))
	if err != nil {
		return false
	}
	at, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && at.Unmap().IsLoopback()
}

// Package access knows who may look at a wall: users with their passwords, the
// token of screens, the sessions of both, and how often somebody may guess. It
// reads no file and answers no request.
package access

import (
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// Role is what somebody may do.
type Role string

const (
	Viewer   Role = "viewer"   // looks
	Operator Role = "operator" // will also change what the others see; so far nothing asks for one
)

// ParseRole reads the name of a role.
func ParseRole(text string) (Role, error) {
	if role := Role(text); role == Viewer || role == Operator {
		return role, nil
	}
	return "", fmt.Errorf("role %q; want %s or %s", text, Viewer, Operator)
}

// Who is somebody who was let in. A screen with the token has no name.
type Who struct {
	Name string
	Role Role
}

// nameMost bounds a name, in bytes: it is part of a cookie.
const nameMost = 64

// CheckName says what is wrong with a user's name.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > nameMost:
		return fmt.Errorf("the name has %d bytes; want at most %d", len(name), nameMost)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r == ':' || !unicode.IsPrint(r) }):
		return fmt.Errorf("the name %q holds a colon, or what cannot be printed", name)
	case strings.TrimSpace(name) != name || name[0] == '#':
		return fmt.Errorf("the name %q begins with a blank or #, or ends with a blank", name)
	}
	return nil
}

// User is a line of a list of users.
type User struct {
	Who
	line    string                     // as it stands there; the key of its sessions
	matches func(password string) bool // takes about as long for every password
}

// ParseUsers reads a list of users, of lines name:role:hash. Empty lines and those
// that begin with # are left out. Errors begin with the list's name and the line.
func ParseUsers(list, text string) (users []User, err error) {
	stands := map[string]int{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		u, err := parseUser(line)
		if err == nil && stands[u.Name] > 0 {
			err = fmt.Errorf("%s stands in line %d already", u.Name, stands[u.Name])
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", list, number, err)
		}
		stands[u.Name] = number
		users = append(users, u)
	}
	if len(users) == 0 {
		return nil, fmt.Errorf("%s: names no user; `liushui user NAME` makes a line", list)
	}
	return users, nil
}

// parseUser reads a line. Its errors never show the hash.
func parseUser(line string) (u User, err error) {
	name, rest, _ := strings.Cut(line, ":")
	role, hash, ok := strings.Cut(rest, ":")
	if !ok {
		return u, errors.New("want name:role:hash; `liushui user NAME` makes such a line")
	}
	u = User{Who: Who{Name: name}, line: line}
	if err := CheckName(name); err != nil {
		return u, err
	}
	if u.Role, err = ParseRole(role); err != nil {
		return u, err
	}
	u.matches, err = parseHash(hash)
	return u, err
}

// tokenLeast is how many characters a token has at least: nobody types it.
const tokenLeast = 20

// checkToken says what is wrong with a token, without showing it.
func checkToken(token string) error {
	if len(token) < tokenLeast {
		return fmt.Errorf("the token has %d characters; want %d or more, as `openssl rand -hex 16` makes them", len(token), tokenLeast)
	}
	if strings.ContainsFunc(token, func(r rune) bool {
		return !strings.ContainsRune("-._~", r) && (r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r))
	}) {
		return errors.New("the token holds what cannot stand in a link; want letters, digits and - . _ ~ only, as `openssl rand -hex 16` makes them")
	}
	return nil
}

// List is who is let in. Its methods may be used by several goroutines at once.
type List struct {
	users  map[string]*User
	anyone *User     // whose hash is computed where there is no such user; nil: there are no users
	token  *[32]byte // hash of the token; nil: there is none
	keys   keys

	hashing sync.Mutex // one hash at a time: each takes memory and a processor
}

// NewList makes a list of users, a token, or both; an empty token is none.
func NewList(users []User, token string) (*List, error) {
	l := &List{users: map[string]*User{}, keys: keys{}}
	for i := range users {
		u := &users[i]
		l.users[u.Name], l.anyone = u, u
		l.keys[u.Name] = sessionKey("user", u.line)
	}
	if token != "" {
		if err := checkToken(token); err != nil {
			return nil, err
		}
		sum := sha256.Sum256([]byte(token))
		l.token = &sum
		l.keys[screen] = sessionKey("token", token)
	}
	if l.anyone == nil && l.token == nil {
		return nil, errors.New("the list lets nobody in")
	}
	return l, nil
}

// HasUsers reports whether somebody may log in with a name.
func (l *List) HasUsers() bool { return l.anyone != nil }

// ByPassword lets a user in. It takes as long where there is no such user.
func (l *List) ByPassword(name, password string) (Who, bool) {
	if l.anyone == nil {
		return Who{}, false
	}
	u, known := l.users[name]
	if !known {
		u = l.anyone
	}
	l.hashing.Lock()
	defer l.hashing.Unlock()
	if !u.matches(password) || !known {
		return Who{}, false
	}
	return u.Who, true
}

// ByToken lets a screen in, as a viewer.
func (l *List) ByToken(token string) (Who, bool) {
	if l.token == nil {
		return Who{}, false
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], l.token[:]) == 0 {
		return Who{}, false
	}
	return Who{Role: Viewer}, true
}

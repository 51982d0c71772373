package access

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// A session ends when it has not been used for Lasts. One that is older than
// Renewed is to be written anew when it is used.
const (
	Lasts   = 30 * 24 * time.Hour
	Renewed = 24 * time.Hour
)

// screen is the name under which the sessions of the token are kept; no user has it.
const screen = ""

// keys sign sessions, one key a user, and one for the token. They are made of
// what the list says, so that sessions outlive a restart, and end with the line,
// its role or its password.
type keys map[string][]byte

func sessionKey(kind, line string) []byte {
	sum := sha256.Sum256([]byte("liushui session, " + kind + "\n" + line))
	return sum[:]
}

// Seal makes a session that begins now: when it began, whose it is, and a
// signature, fit for a cookie.
func (l *List) Seal(who Who, now time.Time) string {
	body := strconv.FormatInt(now.Unix(), 10) + "." + base64.RawURLEncoding.EncodeToString([]byte(who.Name))
	return body + "." + sign(l.keys[who.Name], body)
}

// Unseal tells whose session it is, and whether it is to be written anew.
func (l *List) Unseal(session string, now time.Time) (who Who, renew, ok bool) {
	at := strings.LastIndexByte(session, '.')
	if at < 0 {
		return who, false, false
	}
	body, signature := session[:at], session[at+1:]
	seconds, encoded, _ := strings.Cut(body, ".")
	began, err := strconv.ParseInt(seconds, 10, 64)
	name, bad := base64.RawURLEncoding.DecodeString(encoded)
	key, known := l.keys[string(name)]
	if err != nil || bad != nil || !known || !hmac.Equal([]byte(signature), []byte(sign(key, body))) {
		return who, false, false
	}
	age := now.Sub(time.Unix(began, 0))
	who.Role = Viewer
	if string(name) != screen {
		who = l.users[string(name)].Who
	}
	return who, age > Renewed, age < Lasts
}

func sign(key []byte, body string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(body))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

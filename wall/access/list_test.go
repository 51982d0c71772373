package access

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

const token = "0123456789abcdef0123456789abcdef"

// line makes a line of a list.
func line(t *testing.T, name string, role Role, password string) string {
	t.Helper()
	text, err := Line(Who{name, role}, password)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// list makes a list of lines.
func list(t *testing.T, token string, lines ...string) *List {
	t.Helper()
	var users []User
	if len(lines) > 0 {
		var err error
		if users, err = ParseUsers("users", strings.Join(lines, "\n")); err != nil {
			t.Fatal(err)
		}
	}
	l, err := NewList(users, token)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestWhoIsLetIn(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("old password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	l := list(t, token, "# the shop's people", "", line(t, "li", Operator, "moon over water"), "  "+line(t, "王 芳", Viewer, "一二三四五六")+"\r",
		"old:viewer:"+string(hash), "htpasswd:viewer:"+strings.Replace(string(hash), "$2a$", "$2y$", 1))
	for _, c := range []struct {
		name, password string
		want           Role
	}{
		{"li", "moon over water", Operator},
		{"王 芳", "一二三四五六", Viewer},
		{"old", "old password", Viewer},
		{"htpasswd", "old password", Viewer},
		{"li", "moon over wate", ""},
		{"li", "", ""},
		{"Li", "moon over water", ""},
		{"old", "moon over water", ""},
		{"nobody", "old password", ""},
		{"", "", ""},
		{"", token, ""},
	} {
		who, ok := l.ByPassword(c.name, c.password)
		if ok != (c.want != "") || ok && who != (Who{c.name, c.want}) {
			t.Errorf("%q with %q: %+v, %t; want %q", c.name, c.password, who, ok, c.want)
		}
	}
	for text, want := range map[string]bool{token: true, token + "0": false, token[1:]: false, "": false} {
		if who, ok := l.ByToken(text); ok != want || ok && who != (Who{"", Viewer}) {
			t.Errorf("the token %q: %+v, %t", text, who, ok)
		}
	}
	if _, ok := list(t, "", line(t, "li", Viewer, "moon over water")).ByToken(""); ok {
		t.Error("a list without a token lets the empty one in")
	}
	if _, ok := list(t, token).ByPassword("", ""); ok {
		t.Error("a list without users lets the empty one in")
	}
}

func TestListsRefused(t *testing.T) {
	good := line(t, "li", Viewer, "moon over water")
	hash := good[len("li:viewer:"):]
	for text, want := range map[string]string{
		"":                    "users: names no user; `liushui user NAME` makes a line",
		"# nobody\n\n":        "users: names no user; `liushui user NAME` makes a line",
		"li":                  "users:1: want name:role:hash; `liushui user NAME` makes such a line",
		"\n\nli:" + hash:      "users:3: want name:role:hash; `liushui user NAME` makes such a line",
		"li:admin:" + hash:    `users:1: role "admin"; want viewer or operator`,
		":viewer:" + hash:     "users:1: the name is empty",
		"a\tb:viewer:" + hash: `users:1: the name "a\tb" holds a colon, or what cannot be printed`,
		"li :viewer:" + hash:  `users:1: the name "li " begins with a blank or #, or ends with a blank`,
		strings.Repeat("x", 65) + ":viewer:" + hash:                     "users:1: the name has 65 bytes; want at most 64",
		good + "\n" + good:                                              "users:2: li stands in line 1 already",
		"li:viewer:moon over water":                                     "users:1: this is no hash of argon2id or bcrypt; `liushui user NAME` makes one",
		"li:viewer:{SHA}W6ph5Mm5Pz8=":                                   "users:1: this is no hash of argon2id or bcrypt; `liushui user NAME` makes one",
		"li:viewer:" + hash[:len(hash)-30]:                              "users:1: this hash of argon2id is cut or changed",
		"li:viewer:" + strings.Replace(hash, "t=2", "t=0", 1):           "users:1: this hash of argon2id is cut or changed",
		"li:viewer:" + strings.Replace(hash, "v=19", "v=16", 1):         "users:1: this hash of argon2id is cut or changed",
		"li:viewer:" + strings.Replace(hash, "m=19456", "m=9999999", 1): "users:1: this hash of argon2id takes m=9999999,t=2,p=1; want at most m=262144,t=16,p=16",
		"li:viewer:$2a$10$short":                                        "users:1: this hash of bcrypt is cut or changed",
		"li:viewer:$2a$16$" + strings.Repeat("x", 53):                   "users:1: this hash of bcrypt has the cost 16; want at most 14",
	} {
		if _, err := ParseUsers("users", text); err == nil || err.Error() != want {
			t.Errorf("%q:\ngot  %v\nwant %s", text, err, want)
		}
	}
	for text, want := range map[string]string{
		"short":                    "the token has 5 characters; want 20 or more",
		"blanks are not for links": "what cannot stand in a link",
		"plus+is+a+blank+in+links": "what cannot stand in a link",
		"":                         "the list lets nobody in",
	} {
		if _, err := NewList(nil, text); err == nil || !strings.Contains(err.Error(), want) || text != "" && strings.Contains(err.Error(), text) {
			t.Errorf("the token %q: %v, want %s, and not the token", text, err, want)
		}
	}
}

func TestLine(t *testing.T) {
	one, two := line(t, "li", Viewer, "moon over water"), line(t, "li", Viewer, "moon over water")
	if one == two {
		t.Error("two hashes of one password are the same")
	}
	if !strings.HasPrefix(one, "li:viewer:$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the line is %s", one)
	}
	for password, want := range map[string]string{"": "has 0 characters; want 8 to 256", "1234567": "has 7", strings.Repeat("x", 257): "has 257"} {
		if _, err := Line(Who{"li", Viewer}, password); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", password, err)
		}
	}
	if _, err := Line(Who{"a:b", Viewer}, "moon over water"); err == nil || !strings.Contains(err.Error(), "colon") {
		t.Errorf("a name with a colon: %v", err)
	}
}

// FuzzParseUsers takes only names that come back out of a session.
func FuzzParseUsers(f *testing.F) {
	f.Add("li:viewer:$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$c3Vtc3Vtc3Vtc3Vtc3Vt")
	f.Add("# x\n\nli:operator:$2y$04$" + strings.Repeat("x", 53))
	f.Fuzz(func(t *testing.T, text string) {
		users, err := ParseUsers("users", text)
		if err != nil {
			return
		}
		l, err := NewList(users, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if who, _, ok := l.Unseal(l.Seal(u.Who, began), began); !ok || who != u.Who {
				t.Errorf("%+v comes back as %+v, %t", u.Who, who, ok)
			}
		}
	})
}

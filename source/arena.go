package source

import (
	"strconv"
	"strings"
)

// arenaSize is how much text shares one allocation.
const arenaSize = 64 << 10

// arena makes strings that share memory: one allocation for thousands of ids.
// Strings stay valid for as long as they are held.
type arena struct {
	text   strings.Builder
	begin  int
	digits []byte
}

// open begins a string of at most n bytes, so that writing never moves it.
func (a *arena) open(n int) {
	if a.text.Cap()-a.text.Len() < n {
		a.text.Reset() // strings made so far keep the old memory
		a.text.Grow(max(n, arenaSize))
	}
	a.begin = a.text.Len()
}

func (a *arena) string(s string) { a.text.WriteString(s) }

func (a *arena) number(n int64, base int) {
	a.digits = strconv.AppendInt(a.digits[:0], n, base)
	a.text.Write(a.digits)
}

// close ends the string.
func (a *arena) close() string { return a.text.String()[a.begin:] }

// join makes one string of two.
func (a *arena) join(s, t string) string {
	a.open(len(s) + len(t))
	a.string(s)
	a.string(t)
	return a.close()
}

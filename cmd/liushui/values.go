package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"liushui"
)

// Values of flags that the flag library has no type for. Each says in its error
// what it wants; the flag's name is put before it.

// sizeFlag is a number of bytes, such as 500MB or 1GiB.
type sizeFlag int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

func (f *sizeFlag) Type() string { return "size" }

func (f *sizeFlag) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if unit := sizeUnits[u]; int64(*f) >= unit.bytes && int64(*f)%unit.bytes == 0 {
			return strconv.FormatInt(int64(*f)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(*f), 10) + "B"
}

func (f *sizeFlag) Set(s string) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(s, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || n <= 0 || n*float64(unit.bytes) > 1<<60 {
			break
		}
		*f = sizeFlag(n * float64(unit.bytes))
		return nil
	}
	return errors.New("want a size such as 500MB or 1GiB")
}

// percentFlag is a share, such as 1%.
type percentFlag float64

func (f *percentFlag) Type() string { return "percent" }

func (f *percentFlag) String() string {
	return strconv.FormatFloat(float64(*f)*100, 'f', -1, 64) + "%"
}

func (f *percentFlag) Set(s string) error {
	number, ok := strings.CutSuffix(s, "%")
	n, err := strconv.ParseFloat(number, 64)
	if !ok || err != nil || n < 0 || n > 100 {
		return errors.New("want a percentage from 0% to 100%")
	}
	*f = percentFlag(n / 100)
	return nil
}

// addressFlag is HOST:PORT to listen on; the port 0 takes a free one.
type addressFlag string

func (f *addressFlag) Type() string   { return "host:port" }
func (f *addressFlag) String() string { return string(*f) }

func (f *addressFlag) Set(s string) error {
	_, port, err := net.SplitHostPort(s)
	if n, bad := strconv.Atoi(port); err != nil || bad != nil || n < 0 || n > 65535 {
		return errors.New("want HOST:PORT such as 127.0.0.1:8080")
	}
	*f = addressFlag(s)
	return nil
}

// hostsFlag is a list of names, repeated or separated by commas.
type hostsFlag []string

const allowHostUsage = "name that the wall answers to besides localhost, as behind a proxy; may be repeated"

var hostForm = regexp.MustCompile(`^[a-zA-Z0-9]([a-zA-Z0-9._-]{0,252})$`)

func (f *hostsFlag) Type() string   { return "name" }
func (f *hostsFlag) String() string { return strings.Join(*f, ",") }

func (f *hostsFlag) Set(s string) error {
	for name := range strings.SplitSeq(s, ",") {
		if !hostForm.MatchString(name) {
			return errors.New("want a name such as wall.example.com, without scheme and port")
		}
		*f = append(*f, name)
	}
	return nil
}

// keepFlag is WINDOW=AGE, repeated: rows of that window size are dropped at that age.
type keepFlag map[string]time.Duration

func (f *keepFlag) Type() string { return "window=age" }

func (f *keepFlag) String() string { return "" }

func (f *keepFlag) Set(s string) error {
	if *f == nil {
		*f = keepFlag{}
	}
	for part := range strings.SplitSeq(s, ",") {
		window, age, ok := strings.Cut(part, "=")
		if !ok {
			return errors.New("want WINDOW=AGE such as 1s=7d")
		}
		if _, err := liushui.ParseWindow(window); err != nil {
			return err
		}
		d, err := parseAge(age)
		if err != nil {
			return err
		}
		(*f)[window] = d
	}
	return nil
}

// parseAge reads a duration that may be in days.
func parseAge(s string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n > 0 && n <= 36500 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(s); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("age %q: want a time such as 7d, 36h or 90m", s)
}

// nameFlag is the name of a built-in job or mapping, or a file.
type nameFlag string

func (f *nameFlag) Type() string       { return "name|file" }
func (f *nameFlag) String() string     { return string(*f) }
func (f *nameFlag) Set(s string) error { *f = nameFlag(s); return nil }

// loadJob reads a built-in job, or a file.
func loadJob(flag string, name nameFlag) (*liushui.Job, error) {
	text, builtin := liushui.BuiltinJob(string(name))
	if !builtin {
		b, err := os.ReadFile(string(name))
		if os.IsNotExist(err) {
			return nil, misuse("%s%s: there is no such file, and no built-in job of this name (there is %s)", flag, name, liushui.DefaultJob)
		} else if err != nil {
			return nil, misuse("%s%s: %w", flag, name, reason(err))
		}
		text = string(b)
	}
	job, err := liushui.ParseJob(string(name), text)
	if err != nil {
		return nil, misuse("%w", err)
	}
	return job, nil
}

package source

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/ianaindex"
)

// format is how a CSV file is written.
type format struct {
	header       bool
	columns      []string // of a file without header
	delimiter    string
	quote        byte // 0: none
	newline      string
	encoding     encoding.Encoding // nil: UTF-8
	encodingName string
}

// Values of csv: newline. Where it is auto, the first line's end decides.
const (
	newlineAuto = "auto"
	newlineLF   = "lf" // and CRLF
	newlineCR   = "cr"
)

func (f csvFile) format() (format, error) {
	t := format{header: f.Header == nil || *f.Header, delimiter: f.Delimiter, quote: '"', newline: strings.ToLower(f.Newline)}
	for _, c := range f.Columns {
		t.columns = append(t.columns, strings.TrimSpace(c))
	}
	if !t.header && len(t.columns) == 0 {
		return t, errors.New("csv: columns: missing; a file without header needs names, such as  columns: [user, item, time]")
	}
	if t.header && len(t.columns) > 0 {
		return t, errors.New("csv: columns: only beside  header: false; the header names them")
	}
	if t.delimiter == "" {
		t.delimiter = ","
	}
	switch f.Quote {
	case "":
	case "none":
		t.quote = 0
	default:
		if len(f.Quote) != 1 || f.Quote[0] >= 0x80 {
			return t, fmt.Errorf(`csv: quote: %q; want one ASCII character such as '"', or none`, f.Quote)
		}
		t.quote = f.Quote[0]
	}
	if strings.ContainsAny(t.delimiter, "\r\n") || t.quote != 0 && strings.IndexByte(t.delimiter, t.quote) >= 0 || t.quote == '\n' || t.quote == '\r' {
		return t, fmt.Errorf("csv: delimiter: %q cannot be told from quotes or line ends", t.delimiter)
	}
	switch t.newline {
	case "":
		t.newline = newlineAuto
	case "crlf":
		t.newline = newlineLF
	case newlineAuto, newlineLF, newlineCR:
	default:
		return t, fmt.Errorf("csv: newline: %q; want auto, lf, crlf or cr", f.Newline)
	}
	return t, t.setEncoding(f.Encoding)
}

func (t *format) setEncoding(name string) error {
	t.encodingName = name
	switch strings.ToUpper(name) {
	case "", "UTF-8", "UTF8":
		t.encodingName = "UTF-8"
		return nil
	}
	e, err := ianaindex.IANA.Encoding(name)
	if err != nil || e == nil {
		return fmt.Errorf("csv: encoding: %q is not known; want an IANA name such as UTF-8, GB18030, GBK or windows-1252", name)
	}
	t.encoding = e
	return nil
}

package source

import (
	"errors"
	"strings"
)

var (
	errBareQuote = errors.New("a quote inside an unquoted field (where quotes mean nothing, write  quote: none)")
	errOpenQuote = errors.New("a quoted field that does not end where it should")
	errMore      = errors.New("the row goes on in the next line")
)

// splitter cuts rows into fields, as encoding/csv does: a row without quotes
// by a plain search, any other by the rules of RFC 4180.
type splitter struct {
	delimiter string
	quote     byte // 0: none
	eol       byte
	fields    []string // of the newest row
}

// plain splits a row without quotes.
func (s *splitter) plain(row string) {
	fields := s.fields[:0]
	if len(s.delimiter) == 1 {
		d := s.delimiter[0]
		for {
			i := strings.IndexByte(row, d)
			if i < 0 {
				break
			}
			fields = append(fields, row[:i])
			row = row[i+1:]
		}
	} else {
		for {
			i := strings.Index(row, s.delimiter)
			if i < 0 {
				break
			}
			fields = append(fields, row[:i])
			row = row[i+len(s.delimiter):]
		}
	}
	s.fields = append(fields, row)
}

// row splits a row that stands alone, without the end of its line.
func (s *splitter) row(row string) error {
	if s.quote == 0 || strings.IndexByte(row, s.quote) < 0 {
		s.plain(row)
		return nil
	}
	if s.eol == '\n' && strings.HasSuffix(row, "\r") {
		row += "\r\n" // that CR belongs to the field: the line's own was cut off before
	}
	_, err := s.quoted(row, true)
	return err
}

// quoted splits the row that text begins with and returns the length of that
// row without its line's end. complete says that nothing follows text; where
// something does, errMore asks for it.
func (s *splitter) quoted(text string, complete bool) (n int, err error) {
	s.fields = s.fields[:0]
	for {
		if n < len(text) && text[n] == s.quote {
			field, length, err := s.quotedField(text[n:], complete)
			if err != nil {
				return n, err
			}
			s.fields = append(s.fields, field)
			n += length
		} else {
			length, err := s.bareField(text[n:], complete)
			if err != nil {
				return n, err
			}
			last := n+length == len(text) || text[n+length] == s.eol
			s.fields = append(s.fields, trimCR(text[n:n+length], s.eol, last))
			n += length
		}
		if n == len(text) || !strings.HasPrefix(text[n:], s.delimiter) {
			break
		}
		n += len(s.delimiter)
	}
	if s.eol == '\n' && n < len(text) && text[n] == '\r' {
		n++
	}
	return n, nil
}

// trimCR cuts the CR of a CRLF.
func trimCR(field string, eol byte, last bool) string {
	if last && eol == '\n' {
		return strings.TrimSuffix(field, "\r")
	}
	return field
}

// bareField returns the length of the unquoted field that text begins with.
func (s *splitter) bareField(text string, complete bool) (int, error) {
	if end := strings.IndexByte(text, s.eol); end >= 0 {
		text = text[:end]
	} else if !complete {
		return 0, errMore
	}
	if end := strings.Index(text, s.delimiter); end >= 0 {
		text = text[:end]
	}
	if strings.IndexByte(text, s.quote) >= 0 {
		return 0, errBareQuote
	}
	return len(text), nil
}

// quotedField returns the value and length of the quoted field that text begins with.
func (s *splitter) quotedField(text string, complete bool) (value string, length int, err error) {
	end, doubled := 1, false
	for {
		i := strings.IndexByte(text[end:], s.quote)
		if i < 0 {
			if complete {
				return "", 0, errOpenQuote
			}
			return "", 0, errMore
		}
		end += i
		if end+1 == len(text) || text[end+1] != s.quote {
			break
		}
		end, doubled = end+2, true
	}
	value = text[1:end]
	if doubled {
		quote := string(rune(s.quote))
		value = strings.ReplaceAll(value, quote+quote, quote)
	}
	if s.eol == '\n' && strings.IndexByte(value, '\r') >= 0 {
		value = strings.ReplaceAll(value, "\r\n", "\n")
	}
	rest := text[end+1:]
	switch {
	case rest == "" && !complete:
		return "", 0, errMore // a second quote may follow
	case rest == "", rest[0] == s.eol, strings.HasPrefix(rest, s.delimiter):
	case s.eol == '\n' && rest[0] == '\r' && (len(rest) == 1 && complete || len(rest) > 1 && rest[1] == '\n'):
	case s.eol == '\n' && rest == "\r":
		return "", 0, errMore
	case len(rest) < len(s.delimiter) && strings.HasPrefix(s.delimiter, rest) && !complete:
		return "", 0, errMore
	default:
		return "", 0, errOpenQuote
	}
	return value, end + 1, nil
}

package enginetest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"liushui"
)

// sendEvent sends an event: [@partition] time type [field=value …].
func (p *player) sendEvent(s step) error {
	p.made++
	partition, words, err := s.partition()
	if err != nil || len(words) < 2 {
		return errors.Join(err, errors.New("want [@partition] time type field=value …"))
	}
	at, err := parseTime(words[0], p.date, p.line.Job.Zone)
	if err != nil {
		return err
	}
	fields, err := pairs(words[2:])
	if err != nil {
		return err
	}
	if _, given := fields["id"]; !given {
		fields["id"] = fmt.Sprintf("e%d", p.made)
	}
	value := fmt.Appendf(nil, `{"type":%q,"time":%d`, words[1], at)
	for _, name := range keys(fields) {
		value = append(value, ',')
		value = liushui.AppendQuoted(value, name)
		value = append(value, ':')
		if name == "amount" || name == "quantity" {
			value = append(value, fields[name]...)
		} else {
			value = liushui.AppendQuoted(value, fields[name])
		}
	}
	p.send(partition, liushui.Record{Key: []byte(fields["id"]), Feed: p.feed, Value: append(value, '}')})
	return nil
}

// repeat sends an event several times; {n} in it is its number, from 1.
func (p *player) repeat(s step) error {
	n, err := s.number(0)
	if err != nil || len(s.words) < 2 || s.words[1] != "send" {
		return errors.Join(err, errors.New("want a number and send …"))
	}
	for i := range n {
		one := step{verb: "send"}
		for _, word := range s.words[2:] {
			one.words = append(one.words, strings.ReplaceAll(word, "{n}", strconv.Itoa(i+1)))
		}
		if err := p.sendEvent(one); err != nil {
			return err
		}
	}
	return nil
}

// raw sends a record's value as it stands, or unquoted where it begins with a quote.
func (p *player) raw(s step) error {
	partition, text := int32(0), s.text
	if at, rest, found := strings.Cut(text, " "); found && strings.HasPrefix(at, "@") {
		n, err := strconv.ParseInt(at[1:], 10, 32)
		if err != nil {
			return err
		}
		partition, text = int32(n), strings.TrimSpace(rest)
	}
	if strings.HasPrefix(text, `"`) {
		var err error
		if text, err = strconv.Unquote(text); err != nil {
			return err
		}
	}
	p.send(partition, liushui.Record{Feed: p.feed, Value: []byte(text)})
	return nil
}

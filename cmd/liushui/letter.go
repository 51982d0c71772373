package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"time"

	"liushui"
	"liushui/kafka"
	"liushui/reconcile"
)

// Reasons in the header of a dead letter.
const (
	reasonBad      = "bad"
	reasonLate     = "late"
	reasonReplayed = "replayed" // no letter of its own: it says that the one of its key was sent again
)

// letter is a dead letter: a record that could not be counted.
type letter struct {
	place  reconcile.Place // of the letter itself
	key    []byte
	topic  string
	of     reconcile.Place // the record that it speaks of
	reason string
	detail string
	engine string

	generation int64
	time       int64 // Kafka's, of the record
	replayed   int64 // clock time at which it was sent again, known when all are read; 0: it was not
	feed       string
	value      []byte
	bytes      int // of the record, of which value may be the beginning only
}

// readLetter reads a record of the topic of dead letters; ok is false for any other.
func readLetter(r *liushui.Record) (l letter, ok bool) {
	var key []json.RawMessage
	if json.Unmarshal(r.Key, &key) != nil || len(key) != 3 || json.Unmarshal(key[0], &l.topic) != nil ||
		json.Unmarshal(key[1], &l.of.Partition) != nil || json.Unmarshal(key[2], &l.of.Offset) != nil {
		return l, false
	}
	l.key, l.place, l.feed, l.value = r.Key, reconcile.PlaceOf(r), r.Feed, r.Value
	l.bytes = len(r.Value)
	for _, h := range r.Headers {
		switch text := string(h.Value); h.Key {
		case "reason":
			l.reason = text
		case "detail":
			l.detail = text
		case "engine":
			l.engine = text
		case "generation":
			l.generation, _ = strconv.ParseInt(text, 10, 64)
		case "time":
			l.time, _ = strconv.ParseInt(text, 10, 64)
		case "bytes":
			l.bytes, _ = strconv.Atoi(text)
		}
	}
	return l, true
}

// record names the record that the letter speaks of: category/2/1234.
func (l *letter) record() string {
	return fmt.Sprintf("%s/%d/%d", l.topic, l.of.Partition, l.of.Offset)
}

// replayMark says that a letter was sent again. Readers fold by key, so it
// belongs to the letter of its key.
func replayMark(key []byte, now time.Time) liushui.Record {
	return liushui.Record{Key: key, Headers: []liushui.Header{
		{Key: "reason", Value: []byte(reasonReplayed)}, {Key: "time", Value: strconv.AppendInt(nil, now.UnixMilli(), 10)}}}
}

// letterKeys folds letters by key, as hashes of eight bytes.
type letterKeys struct {
	seed maphash.Seed
	seen map[uint64]string // reason of the newest letter of a key
	sent map[uint64]int64  // clock times at which keys were sent again
}

func newLetterKeys() *letterKeys {
	return &letterKeys{maphash.MakeSeed(), map[uint64]string{}, map[uint64]int64{}}
}

func (k *letterKeys) hash(l *letter) uint64 { return maphash.Bytes(k.seed, l.key) }

func (k *letterKeys) take(l *letter) {
	h := k.hash(l)
	if l.reason == reasonReplayed {
		k.sent[h] = l.time
		return
	}
	k.seen[h] = l.reason
}

// replayed is when the letter was sent again; 0: it was not.
func (k *letterKeys) replayed(l *letter) int64 { return k.sent[k.hash(l)] }

// scanLetters calls each with all dead letters, and the marks among them, in the log's order.
func (p *program) scanLetters(ctx context.Context, client *kafka.Client, topic string, each func(l *letter) error) error {
	all, err := whole(ctx, client, topic)
	if err != nil {
		return err
	}
	reading := p.newMeter("reading dead letters", "records")
	defer reading.close()
	return scan(ctx, client, topic, all, reading, func(r *liushui.Record) error {
		l, ok := readLetter(r)
		if !ok {
			return nil // somebody else's
		}
		return each(&l)
	})
}

// escaped shows bytes as text that no terminal obeys: what cannot be printed as
// \n, \u202e or \xff, and \ as \\.
func escaped(value []byte) string {
	quoted := strconv.Quote(string(value))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
}

// clock shows a time in ms as people read it, in UTC.
func clock(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

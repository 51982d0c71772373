package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
	"liushui/reconcile"
)

func (p *program) replayLettersCommand() *cobra.Command {
	var topics topicFlags
	var yes bool
	c := &cobra.Command{
		Use:   "replay [TOPIC/PARTITION/OFFSET…]",
		Short: "Send bad records again that can be read by now",
		Long: `Send bad records again that can be read by now, as after a new version or job: all of
them, or those that are named by their record. What still cannot be read stays where
it is; so does what is too late for the engine: ` + "`liushui reconcile --repair`" + ` counts
that. A letter that was sent again is marked in its topic, and not sent a third time.`,
		Example: `  liushui deadletters replay
  liushui deadletters replay category/2/1234 --yes`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			only := map[string]bool{}
			for _, arg := range args {
				wanted, err := parseLetter(arg)
				if err == nil && wanted.own {
					err = misuse("%s: name a record, as TOPIC/PARTITION/OFFSET", arg)
				}
				if err != nil {
					return err
				}
				only[arg] = true
			}
			client, err := p.letters(c.Context(), &topics)
			if err != nil {
				return err
			}
			defer client.Close()
			return p.replayLetters(c.Context(), client, &topics, only, yes)
		},
	}
	topics.bind(c)
	c.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return c
}

// replay is the sending again of bad records.
type replay struct {
	*program
	client  *kafka.Client
	topics  *topicFlags
	only    map[string]bool // records; empty: all
	fields  reconcile.Fields
	tooLate int64 // the latest event time that is
	keys    *letterKeys
	now     int64
}

func (p *program) replayLetters(ctx context.Context, client *kafka.Client, topics *topicFlags, only map[string]bool, yes bool) error {
	standing, err := newestStanding(ctx, client, string(topics.results))
	if err != nil {
		return err
	}
	generation, job := standing.Current()
	if job == nil {
		return fmt.Errorf("topic %s names no job; has `liushui process` run?", topics.results)
	}
	r := &replay{program: p, client: client, topics: topics, only: only, fields: reconcile.FieldsOf(job),
		tooLate: standing.Watermark(generation) - job.Corrections.Milliseconds(), keys: newLetterKeys(), now: time.Now().UnixMilli()}
	readable, err := r.look(ctx)
	if err != nil || readable == 0 {
		return err
	}
	if !yes {
		sure, err := p.ask(fmt.Sprintf("Send %d records to %s again?", readable, topics.events))
		if err != nil {
			return err
		}
		if !sure {
			fmt.Fprintln(p.stdout, "nothing was sent")
			return nil
		}
	}
	sent, err := r.send(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d records were sent to %s again, and their letters marked\n", sent, topics.events)
	return nil
}

// chosen reports whether a letter may be sent again at all.
func (r *replay) chosen(l *letter) bool {
	return l.reason == reasonBad && l.topic == string(r.topics.events) && (len(r.only) == 0 || r.only[l.record()])
}

// judge says whether a letter can be read now, or why not.
func (r *replay) judge(l *letter) (late bool, err error) {
	e, err := reconcile.Decode(l.value, r.fields)
	if err != nil {
		return false, err
	}
	if reconcile.Ahead(e, &liushui.Record{Feed: l.feed, Time: r.now}, reconcile.MaxAhead) {
		return false, errors.New("its time is still ahead of the clock")
	}
	return e.Time <= r.tooLate, nil
}

// look counts what could be sent, and says so.
func (r *replay) look(ctx context.Context) (readable int, err error) {
	states := map[uint64]string{} // by key
	err = r.scanLetters(ctx, r.client, r.topics.deadLetters(), func(l *letter) error {
		r.keys.take(l)
		if !r.chosen(l) {
			return nil
		}
		late, err := r.judge(l)
		switch {
		case err != nil:
			states[r.keys.hash(l)] = "bad"
		case late:
			states[r.keys.hash(l)] = "late"
		default:
			states[r.keys.hash(l)] = "readable"
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	count := map[string]int{}
	for key, state := range states {
		if r.keys.sent[key] != 0 {
			state = "sent"
		}
		count[state]++
	}
	if len(states) == 0 {
		fmt.Fprintln(r.stdout, "there are no bad records to send again")
		return 0, nil
	}
	fmt.Fprintf(r.stdout, "bad records: %d can be read now, %d still cannot, %d are too late (`liushui reconcile --repair` counts them), %d were sent again before\n",
		count["readable"], count["bad"], count["late"], count["sent"])
	return count["readable"], nil
}

// sendAtOnce is how many records are sent before their letters are marked: after
// a crash in between they are sent once more, and count as duplicates.
const sendAtOnce = 1000

// send sends what look found, and marks its letters.
func (r *replay) send(ctx context.Context) (sent int, err error) {
	events, err := r.client.Writer(ctx, string(r.topics.events))
	if err != nil {
		return 0, err
	}
	defer events.Close()
	letters, err := r.client.Writer(ctx, r.topics.deadLetters())
	if err != nil {
		return 0, err
	}
	defer letters.Close()
	var again, marks []liushui.Record
	flush := func() error {
		for _, out := range []struct {
			liushui.Writer
			records []liushui.Record
		}{{events, again}, {letters, marks}} {
			if err := errors.Join(out.Write(ctx, out.records, nil), out.Flush(ctx)); err != nil {
				return fmt.Errorf("send again: %w", err)
			}
		}
		sent += len(again)
		again, marks = nil, nil
		return nil
	}
	err = r.scanLetters(ctx, r.client, r.topics.deadLetters(), func(l *letter) error {
		if !r.chosen(l) || r.keys.replayed(l) != 0 {
			return nil
		}
		if late, err := r.judge(l); err != nil || late {
			return nil
		}
		r.keys.sent[r.keys.hash(l)] = r.now
		again = append(again, liushui.Record{Feed: l.feed, Key: recordKey(l.value), Value: l.value})
		marks = append(marks, replayMark(l.key, time.Now()))
		if len(again) < sendAtOnce {
			return nil
		}
		return flush()
	})
	if err != nil {
		return sent, err
	}
	return sent, flush()
}

// recordKey is what keeps events in order: order, else user, else id.
func recordKey(value []byte) []byte {
	var fields map[string]json.RawMessage
	_ = json.Unmarshal(value, &fields) // it was decoded before
	e := liushui.Event{}
	for name, into := range map[string]*string{"order": &e.Order, "user": &e.User, "id": &e.ID} {
		_ = json.Unmarshal(fields[name], into) // of another type: as if it were not there
	}
	return []byte(e.RecordKey())
}

// ask asks a person; anything but y or yes is no.
func (p *program) ask(question string) (bool, error) {
	fmt.Fprintf(p.stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	if err != nil && answer == "" {
		return false, misuse("there is nobody to ask; say --yes")
	}
	return answer == "y" || answer == "yes", nil
}

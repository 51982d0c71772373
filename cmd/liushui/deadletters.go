package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"liushui/kafka"
)

func (p *program) deadLettersCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "deadletters",
		Short: "Show records that could not be counted, and send them again",
		Long: `Records that are bad, or too late, stop nothing: the engine parks them with their
bytes in the topic of dead letters. Bad ones that can be read by now are sent again
with replay; late ones are counted by ` + "`liushui reconcile --repair --with-late`" + `.`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return misuse("there is no `liushui deadletters %s`; want list, show or replay", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(p.listLettersCommand(), p.showLetterCommand(), p.replayLettersCommand())
	return c
}

// letters connects to the topic of dead letters.
func (p *program) letters(ctx context.Context, topics *topicFlags) (*kafka.Client, error) {
	if err := topics.check(); err != nil {
		return nil, err
	}
	config, err := p.kafkaConfig(topics, "liushui-deadletters")
	if err != nil {
		return nil, err
	}
	client, err := kafka.Connect(ctx, config)
	if err != nil {
		return nil, err
	}
	there, err := client.HasTopic(ctx, topics.deadLetters())
	if err == nil && !there {
		err = misuse("there is no topic %s: has `liushui process` run on --topic %s?", topics.deadLetters(), topics.events)
	}
	if err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// listSpec is which letters are listed, and how.
type listSpec struct {
	reason reasonFlag
	limit  int
	format listFormat
}

func (p *program) listLettersCommand() *cobra.Command {
	var topics topicFlags
	l := listSpec{limit: 20, format: "table"}
	c := &cobra.Command{
		Use:   "list",
		Short: "List dead letters, the newest first",
		Long: `List dead letters, the newest first: one for each record, however often an engine
parked it. The first column is for ` + "`liushui deadletters show`" + `.`,
		Example: `  liushui deadletters list
  liushui deadletters list --reason bad --limit 100
  liushui deadletters list --format json --limit 0     # all of them`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if l.limit < 0 {
				return misuse("--limit %d: want a number above 0, or 0 for all", l.limit)
			}
			client, err := p.letters(c.Context(), &topics)
			if err != nil {
				return err
			}
			defer client.Close()
			return p.listLetters(c.Context(), client, topics.deadLetters(), &l)
		},
	}
	topics.bind(c)
	c.Flags().Var(&l.reason, "reason", "only the bad, or only the late ones")
	c.Flags().IntVar(&l.limit, "limit", l.limit, "at most `N` letters; 0: all")
	c.Flags().Var(&l.format, "format", "how to write them")
	return c
}

// previewed is how many bytes of a record a list shows.
const previewed = 160

func (p *program) listLetters(ctx context.Context, client *kafka.Client, topic string, spec *listSpec) error {
	keys, newest := newLetterKeys(), &newestLetters{limit: spec.limit, at: map[string]int{}}
	err := p.scanLetters(ctx, client, topic, func(l *letter) error {
		keys.take(l)
		if l.reason != reasonReplayed {
			newest.take(l, spec.reason == "" || l.reason == string(spec.reason))
		}
		return nil
	})
	if err != nil {
		return err
	}
	shown := newest.list()
	for _, l := range shown {
		l.replayed = keys.replayed(l)
	}
	if spec.format == "json" {
		return writeLettersJSON(p.stdout, shown)
	}
	return p.writeLetters(shown, keys)
}

// newestLetters are the newest letters, one a key, no more than a few times the limit.
type newestLetters struct {
	limit int
	all   []*letter      // oldest first; nil where the key came again
	at    map[string]int // by key
}

// take puts a letter in its place; unwanted, it only takes that of an older one.
func (n *newestLetters) take(l *letter, wanted bool) {
	key := string(l.key)
	if at, held := n.at[key]; held {
		n.all[at] = nil
		delete(n.at, key)
	}
	if !wanted {
		return
	}
	kept := *l
	kept.key, kept.value = []byte(key), slices.Clone(l.value[:min(len(l.value), previewed)])
	n.at[key] = len(n.all)
	if n.all = append(n.all, &kept); n.limit > 0 && len(n.all) > 2*n.limit+1000 {
		n.cut()
	}
}

// cut drops what is older than the limit.
func (n *newestLetters) cut() {
	newest := n.list()
	n.all, n.at = nil, map[string]int{}
	for i, l := range slices.Backward(newest) {
		n.at[string(l.key)] = len(newest) - 1 - i
		n.all = append(n.all, l)
	}
}

// list is the newest ones, newest first.
func (n *newestLetters) list() []*letter {
	var list []*letter
	for _, l := range slices.Backward(n.all) {
		if l != nil && (n.limit == 0 || len(list) < n.limit) {
			list = append(list, l)
		}
	}
	return list
}

func (p *program) writeLetters(shown []*letter, keys *letterKeys) error {
	if len(shown) == 0 {
		fmt.Fprintln(p.stdout, "no dead letters")
		return nil
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "letter\trecord\ttime\treason\tsent again\tdetail\tbytes")
	for _, l := range shown {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", placeText(l), l.record(), clock(l.time), escaped([]byte(l.reason)), clock(l.replayed), escaped([]byte(l.detail)), preview(l.value))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	byReason := map[string]int{}
	for _, reason := range keys.seen {
		byReason[reason]++
	}
	_, err := fmt.Fprintf(p.stdout, "%d of %d: %d bad, %d late\n", len(shown), len(keys.seen), byReason[reasonBad], byReason[reasonLate])
	return err
}

// placeText names a letter by its own place.
func placeText(l *letter) string {
	if l.place.Partition == 0 {
		return strconv.FormatInt(l.place.Offset, 10)
	}
	return fmt.Sprintf("%d:%d", l.place.Partition, l.place.Offset)
}

func preview(value []byte) string {
	const most = 80
	text := []rune(escaped(value))
	if len(text) > most {
		return string(text[:most-1]) + "…"
	}
	return string(text)
}

// letterJSON is a letter in a list for programs.
type letterJSON struct {
	Letter     string `json:"letter"`
	Record     string `json:"record"`
	Time       string `json:"time"`
	Reason     string `json:"reason"`
	Detail     string `json:"detail"`
	Engine     string `json:"engine"`
	Generation int64  `json:"generation"`
	Feed       string `json:"feed,omitempty"`
	Replayed   string `json:"replayed,omitempty"`
	Begin      string `json:"begin"` // of the bytes, escaped
}

func writeLettersJSON(w io.Writer, shown []*letter) error {
	all := make([]letterJSON, 0, len(shown))
	for _, l := range shown {
		one := letterJSON{placeText(l), l.record(), clock(l.time), l.reason, l.detail, l.engine, l.generation, l.feed, "", escaped(l.value)}
		if l.replayed != 0 {
			one.Replayed = clock(l.replayed)
		}
		all = append(all, one)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(all)
}

// reasonFlag is a reason to list only.
type reasonFlag string

func (f *reasonFlag) Type() string   { return "bad|late" }
func (f *reasonFlag) String() string { return string(*f) }

func (f *reasonFlag) Set(s string) error {
	if s != reasonBad && s != reasonLate {
		return errors.New("want bad or late")
	}
	*f = reasonFlag(s)
	return nil
}

// listFormat is how lists are written.
type listFormat string

func (f *listFormat) Type() string   { return "table|json" }
func (f *listFormat) String() string { return string(*f) }

func (f *listFormat) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("want table or json")
	}
	*f = listFormat(s)
	return nil
}

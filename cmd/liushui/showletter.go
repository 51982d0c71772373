package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"liushui/kafka"
)

func (p *program) showLetterCommand() *cobra.Command {
	var topics topicFlags
	var hexadecimal, raw bool
	c := &cobra.Command{
		Use:   "show LETTER",
		Short: "Show one dead letter with its bytes",
		Long: `Show one dead letter with its bytes. LETTER is the letter's own offset, as in the first
column of list, or the record that it speaks of, as TOPIC/PARTITION/OFFSET.`,
		Example: `  liushui deadletters show 57
  liushui deadletters show category/2/1234 --hex
  liushui deadletters show 57 --raw > record.json`,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return misuse("`liushui deadletters show` takes one letter: its offset, or TOPIC/PARTITION/OFFSET of its record")
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if hexadecimal && raw {
				return misuse("--hex and --raw: want one of them")
			}
			wanted, err := parseLetter(args[0])
			if err != nil {
				return err
			}
			client, err := p.letters(c.Context(), &topics)
			if err != nil {
				return err
			}
			defer client.Close()
			l, err := p.findLetter(c.Context(), client, topics.deadLetters(), wanted)
			if err != nil {
				return err
			}
			return p.showLetter(l, hexadecimal, raw)
		},
	}
	topics.bind(c)
	c.Flags().BoolVar(&hexadecimal, "hex", false, "show the bytes in hexadecimal, too")
	c.Flags().BoolVar(&raw, "raw", false, "write the bytes as they are, and nothing else")
	return c
}

// letterWanted is a letter as named on the command line.
type letterWanted struct {
	text string
	own  bool // named by its own place
}

// parseLetter checks how a letter was named.
func parseLetter(text string) (letterWanted, error) {
	bad := misuse("%q names no letter: want its offset such as 57, or its record as TOPIC/PARTITION/OFFSET", text)
	numbers := strings.Split(text, "/")
	own := len(numbers) == 1
	switch {
	case own:
		numbers = strings.Split(text, ":")
		if len(numbers) > 2 {
			return letterWanted{}, bad
		}
	case len(numbers) != 3 || !topicForm.MatchString(numbers[0]):
		return letterWanted{}, bad
	default:
		numbers = numbers[1:]
	}
	for _, number := range numbers {
		if n, err := strconv.ParseInt(number, 10, 64); err != nil || n < 0 {
			return letterWanted{}, bad
		}
	}
	return letterWanted{text, own}, nil
}

func (w letterWanted) is(l *letter) bool {
	if w.own {
		return placeText(l) == w.text || fmt.Sprintf("%d:%d", l.place.Partition, l.place.Offset) == w.text
	}
	return l.record() == w.text
}

// findLetter reads the letters through; of several for a record the newest counts.
func (p *program) findLetter(ctx context.Context, client *kafka.Client, topic string, wanted letterWanted) (found *letter, err error) {
	keys := newLetterKeys()
	err = p.scanLetters(ctx, client, topic, func(l *letter) error {
		keys.take(l)
		if l.reason != reasonReplayed && wanted.is(l) {
			kept := *l
			found = &kept
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, errors.New("there is no dead letter " + wanted.text + "; `liushui deadletters list` shows those that there are")
	}
	found.replayed = keys.replayed(found)
	return found, nil
}

func (p *program) showLetter(l *letter, hexadecimal, raw bool) error {
	if raw {
		_, err := p.stdout.Write(l.value)
		return err
	}
	w := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"letter", placeText(l)}, {"record", l.record()}, {"record's time", clock(l.time)}, {"feed", l.feed},
		{"reason", l.reason}, {"detail", l.detail}, {"engine", l.engine}, {"generation", strconv.FormatInt(l.generation, 10)},
		{"sent again", clock(l.replayed)}, {"bytes", l.size()},
	} {
		if line[1] == "" {
			line[1] = "-"
		}
		fmt.Fprintf(w, "%s\t%s\n", line[0], escaped([]byte(line[1])))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "\n%s\n", escaped(l.value))
	if hexadecimal {
		fmt.Fprintf(p.stdout, "\n%s", hex.Dump(l.value))
	}
	return nil
}

// size is how large the record is, and how much of it the letter keeps.
func (l *letter) size() string {
	if l.bytes == len(l.value) {
		return strconv.Itoa(l.bytes)
	}
	return fmt.Sprintf("%d, of which the letter keeps the first %d", l.bytes, len(l.value))
}

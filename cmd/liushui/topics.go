package main

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"liushui"
	"liushui/kafka"
)

// topicFlags say where Kafka is and what the line's topics are called.
type topicFlags struct {
	brokers  brokersFlag
	security securityFlags
	events   topicFlag
	results  topicFlag
}

func (f *topicFlags) bind(c *cobra.Command) {
	f.brokers = brokersFlag{"127.0.0.1:9092"}
	f.bindNames(c)
	c.Flags().Var(&f.brokers, "brokers", "where Kafka is; several addresses are separated by commas")
	f.security.bind(c)
}

// bindNames is for a command that has Kafka in itself.
func (f *topicFlags) bindNames(c *cobra.Command) {
	f.events, f.results = liushui.TopicEvents, liushui.TopicResults
	c.Flags().Var(&f.events, "topic", "where events are")
	c.Flags().Var(&f.results, "results", "where results are")
}

// deadLetters is the topic of what could not be counted: category_deadletter.
func (f *topicFlags) deadLetters() string { return string(f.events) + "_deadletter" }

func (f *topicFlags) check() error {
	if f.events == f.results || f.deadLetters() == string(f.results) {
		return misuse("--results %s is also the topic of events or dead letters; results need one of their own", f.results)
	}
	return nil
}

// brokersFlag is a list of HOST:PORT.
type brokersFlag []string

func (f *brokersFlag) Type() string   { return "host:port" }
func (f *brokersFlag) String() string { return strings.Join(*f, ",") }

func (f *brokersFlag) Set(s string) error {
	brokers := strings.Split(s, ",")
	for _, b := range brokers {
		host, port, err := net.SplitHostPort(b)
		if n, bad := strconv.Atoi(port); err != nil || host == "" || bad != nil || n < 1 || n > 65535 {
			return errors.New("want HOST:PORT such as 127.0.0.1:9092, several separated by commas")
		}
	}
	*f = brokers
	return nil
}

// topicFlag is a topic's name.
type topicFlag string

var topicForm = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,200}$`)

func (f *topicFlag) Type() string   { return "topic" }
func (f *topicFlag) String() string { return string(*f) }

func (f *topicFlag) Set(s string) error {
	if !topicForm.MatchString(s) || s == "." || s == ".." {
		return errors.New("want a topic's name of letters, digits, dots, _ and -")
	}
	*f = topicFlag(s)
	return nil
}

// How often a wait looks again, when it first names what it waits for (programs
// that start together miss one another for a moment), and how often after that.
const (
	lookEvery = 250 * time.Millisecond
	nameAfter = 2 * time.Second
	nameEvery = 10 * time.Second
)

// connect waits for Kafka, saying so once, and goes on when it comes.
func (p *program) connect(ctx context.Context, f *topicFlags, clientID string) (*kafka.Client, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	config, err := p.kafkaConfig(f, clientID)
	if err != nil {
		return nil, err
	}
	for waited := false; ; waited = true {
		client, err := kafka.Connect(ctx, config)
		switch {
		case err == nil && waited:
			p.log.Info("Kafka is there", "brokers", f.brokers.String())
			return client, nil
		case err == nil, errors.Is(err, liushui.ErrMisuse):
			return client, err
		case ctx.Err() != nil:
			return nil, ctx.Err() // stopped in the middle of an attempt, which is no failure
		case !waited:
			p.log.Warn("waiting for Kafka: " + oneLine(err))
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return nil, err
		}
	}
}

// awaitTopic waits for a topic that another program makes, and names it every
// 10 s: it may be a typing error, so it is not made here.
func (p *program) awaitTopic(ctx context.Context, client *kafka.Client, flag, name, maker string) error {
	nextName, named := time.Now().Add(nameAfter), false
	for {
		there, err := client.HasTopic(ctx, name)
		if err == nil && there {
			if named {
				p.log.Info("the topic is there", "topic", name)
			}
			return nil
		}
		if time.Now().After(nextName) {
			nextName, named = time.Now().Add(nameEvery), true
			if err != nil {
				p.log.Warn("waiting for Kafka: " + oneLine(err))
			} else {
				p.log.Warn("waiting for topic " + name + ": it does not exist; `liushui " + maker + "` makes it, or mend " + flag)
			}
		}
		if err := sleep(ctx, lookEvery); err != nil {
			return err
		}
	}
}

// sleep waits, or returns ctx's error when it is done first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

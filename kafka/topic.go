package kafka

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"liushui"
)

// Topic is a topic as EnsureTopic wants it.
type Topic struct {
	Name       string
	Partitions int  // where it is made; 0 = the broker's default
	Results    bool // exactly one partition, never compacted: its order is the order of results
}

var topicName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// EnsureTopic makes a topic where it is missing and reports whether it did. One
// that exists is taken as it is, but a results topic of more than one
// partition or with compaction is refused.
func (c *Client) EnsureTopic(ctx context.Context, t Topic) (created bool, err error) {
	if !topicName.MatchString(t.Name) || t.Name == "." || t.Name == ".." {
		return false, fmt.Errorf("%q cannot be a topic's name: take 1 to 249 of a-z A-Z 0-9 . _ -: %w", t.Name, liushui.ErrMisuse)
	}
	if t.Results {
		t.Partitions = 1
	}
	_, err = patiently(ctx, func() (struct{}, error) {
		made, err := c.ensure(ctx, t)
		created = created || made
		return struct{}{}, err
	})
	return created, err
}

func (c *Client) ensure(ctx context.Context, t Topic) (created bool, err error) {
	have, err := c.describe(ctx, t.Name)
	for err == nil && have == nil {
		// Again and again: a topic that is still being deleted exists for who
		// makes it, and not for who asks.
		made := false
		if made, err = c.create(ctx, t); err != nil {
			return created, err
		}
		created = created || made
		select {
		case <-ctx.Done():
			return created, fmt.Errorf("wait for topic %s: %w", t.Name, ctx.Err())
		case <-time.After(50 * time.Millisecond): // until the brokers know it
		}
		have, err = c.describe(ctx, t.Name)
	}
	if err != nil {
		return created, err
	}
	if t.Results {
		if err := c.checkResults(ctx, t.Name, have); err != nil {
			return created, err
		}
	}
	if created {
		c.log.Info("topic created", "topic", t.Name, "partitions", len(have.leaders))
	}
	return created, nil
}

// create makes a topic; false without an error means that somebody else was first.
func (c *Client) create(ctx context.Context, t Topic) (bool, error) {
	partitions := int32(t.Partitions)
	if partitions == 0 {
		partitions = -1
	}
	made, err := kadm.NewClient(c.kafka).CreateTopic(ctx, partitions, -1, map[string]*string{
		"message.timestamp.type": kmsg.StringPtr("LogAppendTime"),
		"cleanup.policy":         kmsg.StringPtr("delete"),
	}, t.Name)
	switch {
	case errors.Is(err, kerr.TopicAlreadyExists):
		return false, nil
	case errors.Is(err, kerr.InvalidTopicException):
		return false, fmt.Errorf("topic %s cannot be made (is there one whose name differs in . and _ only?): %w", t.Name, liushui.ErrMisuse)
	case err != nil && made.ErrMessage != "":
		return false, fmt.Errorf("create topic %s: %w (%s)", t.Name, err, made.ErrMessage)
	case err != nil:
		return false, fmt.Errorf("create topic %s: %w", t.Name, err)
	}
	return true, nil
}

func (c *Client) checkResults(ctx context.Context, name string, have *topic) error {
	if n := len(have.leaders); n != 1 {
		return fmt.Errorf("topic %s has %d partitions, but results need a topic with exactly one: name another with --results: %w",
			name, n, liushui.ErrMisuse)
	}
	described, err := kadm.NewClient(c.kafka).DescribeTopicConfigs(ctx, name)
	if err != nil {
		return fmt.Errorf("ask for the settings of topic %s: %w", name, err)
	}
	for _, resource := range described {
		for _, setting := range resource.Configs {
			if setting.Key == "cleanup.policy" && strings.Contains(setting.MaybeValue(), "compact") {
				return fmt.Errorf("topic %s has cleanup.policy=%s, but results need delete (compaction keeps the last, not the highest): change it, or name another with --results: %w",
					name, setting.MaybeValue(), liushui.ErrMisuse)
			}
		}
	}
	return nil
}

// HasTopic reports whether a topic exists.
func (c *Client) HasTopic(ctx context.Context, name string) (bool, error) {
	have, err := patiently(ctx, func() (*topic, error) { return c.describe(ctx, name) })
	return have != nil, err
}

// spread is how long a cluster's brokers may take to learn of a topic that one of
// them has made.
const spread = 3 * time.Second

// lookFor is describe with patience: the broker that is asked may not yet know
// what another one knows.
func (c *Client) lookFor(ctx context.Context, name string) (*topic, error) {
	for begun := time.Now(); ; {
		have, err := patiently(ctx, func() (*topic, error) { return c.describe(ctx, name) })
		if err != nil || have != nil || len(c.kafka.DiscoveredBrokers()) < 2 || time.Since(begun) > spread {
			return have, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("look for topic %s: %w", name, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// TopicID names a topic for good: one deleted and made again has another.
func (c *Client) TopicID(ctx context.Context, name string) (string, error) {
	have, err := c.mustHave(ctx, name)
	if err != nil {
		return "", err
	}
	return have.id, nil
}

// topic is a topic as the brokers describe it.
type topic struct {
	id      string
	raw     [16]byte        // the same, as brokers take it
	leaders map[int32]int32 // the broker that leads each partition; -1: none does
}

func (t *topic) partitions() []int32 { return slices.Sorted(maps.Keys(t.leaders)) }

// describe asks the brokers for a topic; nil where it does not exist.
func (c *Client) describe(ctx context.Context, name string) (*topic, error) {
	return describe(ctx, c.kafka, name)
}

func describe(ctx context.Context, kafka *kgo.Client, name string) (*topic, error) {
	ask := kmsg.NewMetadataRequestTopic()
	ask.Topic = kmsg.StringPtr(name)
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = append(req.Topics, ask)
	resp, err := req.RequestWith(ctx, kafka)
	if err != nil {
		return nil, fmt.Errorf("ask for topic %s: %w", name, err)
	}
	for _, t := range resp.Topics {
		if t.Topic == nil || *t.Topic != name {
			continue
		}
		switch err := kerr.ErrorForCode(t.ErrorCode); {
		case errors.Is(err, kerr.UnknownTopicOrPartition):
			return nil, nil
		case errors.Is(err, kerr.InvalidTopicException):
			return nil, fmt.Errorf("%q cannot be a topic's name: %w", name, liushui.ErrMisuse)
		case err != nil:
			return nil, fmt.Errorf("ask for topic %s: %w", name, err)
		}
		have := &topic{id: base64.RawURLEncoding.EncodeToString(t.TopicID[:]), raw: t.TopicID, leaders: map[int32]int32{}}
		for _, p := range t.Partitions {
			have.leaders[p.Partition] = p.Leader
		}
		return have, nil
	}
	return nil, nil
}

// mustHave is describe for a topic that has to exist.
func (c *Client) mustHave(ctx context.Context, name string) (*topic, error) {
	have, err := c.lookFor(ctx, name)
	if err != nil {
		return nil, err
	}
	if have == nil {
		return nil, fmt.Errorf("there is no topic %s at %s: is the name right?: %w", name, c.address(), liushui.ErrMisuse)
	}
	return have, nil
}

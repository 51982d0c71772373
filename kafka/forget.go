package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"liushui"
)

// Forget drops a group from the broker whose directory is named, whether that
// runs, in whatever process, or not. It returns the address of the one that runs.
func Forget(ctx context.Context, c BrokerConfig, group string) (address string, err error) {
	if err := c.complete(); err != nil {
		return "", err
	}
	if _, err := os.Stat(versionIn(c.Dir)); err != nil {
		return "", fmt.Errorf("%s is no broker's directory, so there is no group to forget; name the broker's own with --data: %w", c.Dir, liushui.ErrMisuse)
	}
	c.Listen = "127.0.0.1:0"
	b, err := StartBroker(ctx, c)
	if err == nil {
		return "", errors.Join(b.Forget(ctx, group), b.Close())
	}
	if !errors.Is(err, liushui.ErrDirectoryInUse) {
		return "", err
	}
	at, unread := readHolder(c.Dir)
	if unread != nil || at.address == "" {
		return "", err
	}
	client, err := Connect(ctx, Config{Brokers: []string{at.address}, Log: c.Log})
	if err != nil {
		return "", err
	}
	defer client.Close()
	return at.address, client.Forget(ctx, group)
}

// Forget drops a group and all that it committed, so that it holds nothing
// any more. The name may come without its prefix "liushui-".
func (b *Broker) Forget(ctx context.Context, group string) error { return forget(ctx, b.admin, group) }

// Forget is the same for a broker that runs elsewhere.
func (c *Client) Forget(ctx context.Context, group string) error {
	_, err := patiently(ctx, func() (struct{}, error) { return struct{}{}, forget(ctx, kadm.NewClient(c.kafka), group) })
	return err
}

func forget(ctx context.Context, admin *kadm.Client, group string) error {
	if !strings.HasPrefix(group, groupPrefix) {
		group = groupPrefix + group
	}
	groups, err := admin.ListGroups(ctx)
	if err != nil {
		return fmt.Errorf("list the groups: %w", err)
	}
	if _, there := groups[group]; !there {
		return fmt.Errorf("there is no group %s to forget; %s: %w", group, namesOf(groups), liushui.ErrMisuse)
	}
	kept, err := admin.FetchOffsets(ctx, group)
	if err != nil {
		return fmt.Errorf("ask for the offsets of group %s: %w", group, err)
	}
	// Each offset is deleted by itself first: kfake writes that down at once,
	// but the end of a group only when it is closed cleanly.
	if gone := kept.Offsets().TopicsSet(); len(gone) > 0 {
		if _, err := admin.DeleteOffsets(ctx, group, gone); err != nil {
			return fmt.Errorf("forget the offsets of group %s: %w", group, err)
		}
	}
	if _, err := admin.DeleteGroup(ctx, group); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("forget group %s: %w", group, err)
	}
	return nil
}

// namesOf lists the groups that may be forgotten.
func namesOf(groups kadm.ListedGroups) string {
	var names []string
	for _, name := range groups.Groups() {
		if short, ours := strings.CutPrefix(name, groupPrefix); ours {
			names = append(names, short)
		}
	}
	if len(names) == 0 {
		return "there is none"
	}
	return "there are: " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
}

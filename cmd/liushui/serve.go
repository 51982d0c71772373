package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"liushui"
	"liushui/kafka"
	"liushui/store"
	"liushui/wall"
)

func (p *program) serveCommand() *cobra.Command {
	var topics topicFlags
	var database databaseFlags
	listen := addressFlag("127.0.0.1:8080")
	var expectEvery time.Duration
	var hosts hostsFlag
	var who accessFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve the wall: results and history → the big screen",
		Long: `Serve the wall. It reads the history from the store's database and follows the topic
of results from there. Without --database it shows what the topic still holds, and
says that the history is missing.

On a loopback address it answers to localhost and 127.0.0.1 only, so that no site can
reach it through a name of its own. Behind a proxy under another name, allow that name.

On any other address it wants to know who may look: users with passwords, screens
with a token in their link (?token=…), or everybody. Given on a loopback address, too,
users and token are asked for. See docs/access.md.`,
		Example: `  liushui serve --database sqlite:liushui-data/line/liushui.db
  liushui serve --database mysql://reader@db:3306/liushui --listen 0.0.0.0:443 \
    --users-file users --viewer-token-file token --tls-cert wall.pem --tls-key wall.key
  liushui serve --expect-every 1m      # a live feed that is never quiet for longer
  liushui serve --allow-host wall.example.com`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if expectEvery < 0 {
				return misuse("--expect-every %s: want a time such as 1m", expectEvery)
			}
			if err := topics.check(); err != nil {
				return err
			}
			config := wall.Config{ExpectEvery: expectEvery, Hosts: hosts}
			if err := p.guard(&config, &who, listen); err != nil {
				return err
			}
			if database.dsn != "" {
				history, err := p.openHistory(c.Context(), &database)
				if err != nil {
					return err
				}
				defer history.close()
				config.History = history
			}
			var client atomic.Pointer[kafka.Client] // nil while Kafka is away
			defer func() {
				if c := client.Load(); c != nil {
					c.Close()
				}
			}()
			config.Retries = func() int64 {
				if c := client.Load(); c != nil {
					return c.Retries()
				}
				return 0
			}
			s, err := p.openServer(&topics, config, string(listen), func(ctx context.Context) (*kafka.Client, error) {
				c, err := p.connect(ctx, &topics, "liushui-serve")
				client.Store(c)
				return c, err
			})
			if err != nil {
				return err
			}
			fmt.Fprintln(p.stdout, "the wall is at", s.address())
			return p.runLine(c.Context(), false, s.station())
		},
	}
	topics.bind(c)
	database.bind(c, "`DSN` of the store: sqlite:PATH or mysql://user@host:3306/db (default: none, the history is missing)")
	c.Flags().Var(&listen, "listen", "where the wall is")
	c.Flags().Var(&hosts, "allow-host", allowHostUsage)
	who.bind(c)
	c.Flags().DurationVar(&expectEvery, "expect-every", 0, "`time` without an event after which a live feed is an alarm (default: never)")
	return c
}

// server is the wall at work.
type server struct {
	*program
	topics   *topicFlags
	wall     *wall.Wall
	listener net.Listener
	client   func(ctx context.Context) (*kafka.Client, error) // waits for it; the caller closes it
}

// openServer takes the address and makes the wall.
func (p *program) openServer(topics *topicFlags, config wall.Config, listen string, client func(context.Context) (*kafka.Client, error)) (*server, error) {
	s := &server{program: p, topics: topics, client: client}
	var err error
	config.Version, config.Log = build(), p.log
	if s.wall, err = wall.New(config); err != nil {
		return nil, err
	}
	if s.listener, err = net.Listen("tcp", listen); err != nil {
		return nil, fmt.Errorf("--listen %s: %w; stop what listens there, or name another address", listen, errors.Unwrap(err))
	}
	return s, nil
}

func (s *server) address() string { return s.wall.Address(s.listener) }

func (s *server) station() station {
	return station{name: "serve", run: s.run, drained: atOnce}
}

func (s *server) run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.wall.Serve(ctx, s.listener) })
	g.Go(func() error { return s.wall.Run(ctx) })
	loaded := make(chan kafka.From, 1)
	g.Go(func() error { // at once, as old as it is, also while Kafka is away
		from, err := s.load(ctx)
		if err == nil {
			loaded <- from
		}
		return err
	})
	g.Go(func() error {
		client, err := s.client(ctx)
		if err != nil {
			return err
		}
		both, ctx := errgroup.WithContext(ctx)
		both.Go(func() error { return s.followResults(ctx, client, loaded) })
		both.Go(func() error { return s.sampleEvents(ctx, client) })
		return both.Wait()
	})
	return g.Wait()
}

// followResults follows the topic from where the loaded history ends.
func (s *server) followResults(ctx context.Context, client *kafka.Client, loaded <-chan kafka.From) error {
	topic := string(s.topics.results)
	if err := s.awaitTopic(ctx, client, "--results", topic, "process"); err != nil {
		return err
	}
	var from kafka.From
	select {
	case from = <-loaded:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		if _, err := client.EnsureTopic(ctx, kafka.Topic{Name: topic, Results: true}); err != nil {
			return err
		}
		err := s.follow(ctx, client, topic, from)
		switch {
		case errors.Is(err, liushui.ErrOtherTopic):
			from, err = s.loadAnew(ctx, client, err)
		case errors.Is(err, liushui.ErrGone):
			from, err = s.loadFurther(ctx, from, err)
		}
		if err != nil {
			return err
		}
	}
}

// loadFurther loads once more: the store may have come further meanwhile.
func (s *server) loadFurther(ctx context.Context, from kafka.From, gone error) (kafka.From, error) {
	again, err := s.load(ctx)
	if err == nil && again.Offsets[0] == from.Offsets[0] {
		s.log.Warn("results after the store's place are no longer in the topic: what they said is missing until it is computed again", "error", gone)
		again = kafka.From{}
	}
	return again, err
}

// loadAnew goes on with a topic of results that was made again. Until the store
// goes on with it, too, the history is what the one before said.
func (s *server) loadAnew(ctx context.Context, client *kafka.Client, other error) (kafka.From, error) {
	s.log.Warn("the results were lost; `liushui process --from earliest` computes them anew, and `liushui store --adopt` keeps them; the wall goes on with the new topic", "error", other)
	topic := string(s.topics.results)
	if err := s.awaitTopic(ctx, client, "--results", topic, "process"); err != nil {
		return kafka.From{}, err
	}
	again, err := s.load(ctx)
	if err != nil {
		return kafka.From{}, err
	}
	now, err := client.TopicID(ctx, topic)
	if err == nil && again.TopicID != now {
		again = kafka.From{}
	}
	return again, err
}

func (s *server) follow(ctx context.Context, client *kafka.Client, topic string, from kafka.From) error {
	reader, err := client.Reader(ctx, topic, from)
	if err != nil {
		return err
	}
	defer reader.Close()
	for {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		for _, f := range fetches {
			s.wall.Apply(f.Records)
		}
	}
}

// load fills the wall from the history, waiting for a database that is away.
func (s *server) load(ctx context.Context) (kafka.From, error) {
	for waited := false; ; waited = true {
		id, offset, err := s.wall.Load(ctx)
		switch {
		case err == nil && id == "":
			return kafka.From{}, nil
		case err == nil:
			return kafka.From{Offsets: map[int32]int64{0: offset}, TopicID: id}, nil
		case ctx.Err() != nil, mustMend(err):
			return kafka.From{}, err
		case !waited:
			s.log.Warn("waiting for the history: " + oneLine(err))
		}
		if err := sleep(ctx, time.Second); err != nil {
			return kafka.From{}, err
		}
	}
}

// The sample of the newest orders reads along while events are few. Where they
// are many it looks at the tail once a second: reading all would cost as much as
// computing.
const (
	sampleTail = 100
	sampleMany = 5000 // records a second
)

// sampleEvents shows the wall the tail of the events.
func (s *server) sampleEvents(ctx context.Context, client *kafka.Client) error {
	topic := string(s.topics.events)
	for {
		if err := s.awaitTopic(ctx, client, "--topic", topic, "produce"); err != nil {
			return err
		}
		err := s.sample(ctx, client, topic)
		if err != nil && !errors.Is(err, liushui.ErrGone) && !errors.Is(err, liushui.ErrOtherTopic) {
			return err
		}
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
	}
}

// sample reads from the tail until there are too many records to read along.
func (s *server) sample(ctx context.Context, client *kafka.Client, topic string) error {
	reader, err := client.Reader(ctx, topic, kafka.From{Tail: sampleTail})
	if err != nil {
		return err
	}
	defer reader.Close()
	for seen, since := 0, time.Now(); seen < sampleMany; {
		fetches, err := reader.Poll(ctx)
		if err != nil {
			return err
		}
		if time.Since(since) > time.Second {
			seen, since = 0, time.Now()
		}
		for _, f := range fetches {
			s.wall.Sample(f.Records)
			seen += len(f.Records)
		}
	}
	return nil
}

// history is a store that is opened when it is first read: serve may be started
// before the store has made its database.
type history struct {
	config store.Config
	mu     sync.Mutex
	store  *store.Store
}

// openHistory opens the database, or leaves it for later where the store has not made it yet.
func (p *program) openHistory(ctx context.Context, f *databaseFlags) (*history, error) {
	config, err := p.databaseConfig(f)
	if err != nil {
		return nil, err
	}
	config.ReadOnly = true
	h := &history{config: config}
	if _, err := h.opened(ctx); mustMend(err) {
		return nil, err
	}
	return h, nil
}

// mustMend reports whether waiting for a history is in vain.
func mustMend(err error) bool {
	return errors.Is(err, liushui.ErrMisuse) && !errors.Is(err, fs.ErrNotExist)
}

func (h *history) opened(ctx context.Context) (*store.Store, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		return h.store, nil
	}
	s, err := store.Open(ctx, h.config)
	if err == nil {
		h.store = s
	}
	return s, err
}

// View implements liushui.History.
func (h *history) View(ctx context.Context, read func(liushui.Snapshot) error) error {
	s, err := h.opened(ctx)
	if err != nil {
		return err
	}
	return s.View(ctx, read)
}

func (h *history) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.store != nil {
		h.store.Close()
	}
}

package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"liushui"
)

// BrokerConfig is what an embedded broker needs.
type BrokerConfig struct {
	Dir        string       // of its own; required
	Listen     string       // host:port, default 127.0.0.1:9092; port 0 = any free one; clients elsewhere need a host that they reach
	Partitions int          // of topics that are made without a number; default 4
	Retain     int64        // bound of the events kept, bytes; as much again for results and for dead letters; default 1 GiB
	Log        *slog.Logger // default slog.Default()

	// Names of the topics that are kept within the bound; defaults liushui.TopicEvents and so on.
	Events, Results, DeadLetters string
}

// minRetain leaves room for the smallest segments of some partitions.
const minRetain = 4 << 20

// Broker is a Kafka broker in this process, its log in a directory. Every
// batch is synced before it is acknowledged. It makes no topic by itself.
type Broker struct {
	log     *slog.Logger
	dir     *directory
	address string
	retain  int64
	topics  struct{ events, results, deadLetters string }
	gate    gate
	cluster *kfake.Cluster
	client  *kgo.Client // to itself
	admin   *kadm.Client

	closing context.Context // done when Close begins
	stop    context.CancelFunc
	running sync.WaitGroup // Run
	close   sync.Once
}

// StartBroker starts a broker that serves until Close. A directory of another
// process is ErrDirectoryInUse, an address in use ErrMisuse.
func StartBroker(ctx context.Context, c BrokerConfig) (*Broker, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	b := &Broker{log: c.Log, address: reachable(listener.Addr()).String(), retain: c.Retain}
	b.topics.events, b.topics.results, b.topics.deadLetters = c.Events, c.Results, c.DeadLetters
	b.gate = gate{bound: c.Retain, events: c.Events, kick: make(chan struct{}, 1)}
	b.closing, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	if b.dir, err = takeDirectory(c.Dir, b.address); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := b.start(listener, c.Partitions); err != nil {
		return nil, errors.Join(err, listener.Close(), b.dir.release())
	}
	b.log.Info("broker started", "address", b.address, "directory", c.Dir)
	return b, nil
}

func (c *BrokerConfig) complete() error {
	if c.Dir == "" {
		return fmt.Errorf("the broker needs a directory: name it with --data: %w", liushui.ErrMisuse)
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:9092")
	c.Partitions = cmp.Or(c.Partitions, 4)
	c.Retain = cmp.Or(c.Retain, 1<<30)
	c.Log = cmp.Or(c.Log, slog.Default())
	c.Events = cmp.Or(c.Events, liushui.TopicEvents)
	c.Results = cmp.Or(c.Results, liushui.TopicResults)
	c.DeadLetters = cmp.Or(c.DeadLetters, liushui.TopicDeadLetters)
	if c.Retain < minRetain {
		return fmt.Errorf("a bound of %d bytes is too small for the broker's log: --retain takes %s and more: %w", c.Retain, mebibytes(minRetain), liushui.ErrMisuse)
	}
	return nil
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	var wrong *net.AddrError
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s is in use by another program (a broker that runs already?): stop it, or choose another port with --listen: %w", address, liushui.ErrMisuse)
	case errors.As(err, &wrong), errors.Is(err, syscall.EADDRNOTAVAIL), errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("the broker cannot listen on %q (%v): name host:port with --listen: %w", address, err, liushui.ErrMisuse)
	case err != nil:
		return nil, fmt.Errorf("listen for the broker: %w", err)
	}
	return listener, nil
}

// start brings kfake up behind a door that opens when everything is in place.
func (b *Broker) start(listener net.Listener, partitions int) error {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.DescribeTopicPartitions), -1) // Java clients fail on kfake's answer
	versions.SetMaxKeyVersion(int16(kmsg.SASLHandshake), -1)           // kfake names ways to log in, though nobody need
	versions.SetMaxKeyVersion(int16(kmsg.SASLAuthenticate), -1)
	mended, err := mend(b.dir.log())
	if err != nil {
		return fmt.Errorf("start the broker on %s: %w", b.dir.path, err)
	}
	if mended {
		b.log.Info("the broker had not been closed cleanly; its log was mended", "directory", b.dir.path)
	}
	// kfake reads the whole log once, a segment of each partition at a time:
	// collect what it leaves behind early, and give it back.
	percent := debug.SetGCPercent(20)
	defer func() {
		debug.SetGCPercent(percent)
		debug.FreeOSMemory()
	}()
	door := &door{Listener: listener, open: make(chan struct{})}
	defer close(door.open)
	cluster, err := kfake.NewCluster(
		kfake.MaxVersions(versions),
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return door, nil }),
		kfake.DataDir(b.dir.log()),
		kfake.SyncWrites(),
		kfake.DefaultNumPartitions(partitions),
		kfake.WithLogger(brokerLog{b.log}),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes":         strconv.FormatInt(b.segmentBytes(partitions), 10),
			"log.retention.ms":          "-1",         // kfake's own would cut logs to nothing, after which offsets begin anew
			"offsets.retention.minutes": "2147483647", // a group that rests for a week still holds what it needs
		}),
	)
	if err != nil {
		return fmt.Errorf("start the broker on %s: %w", b.dir.path, err)
	}
	if err := unmark(b.dir.log()); err != nil {
		cluster.Close()
		return err
	}
	b.cluster = cluster
	cluster.ControlKey(int16(kmsg.Produce), b.produce)
	cluster.ControlKey(int16(kmsg.DeleteRecords), b.deleteRecords)
	self := &Client{brokers: []string{b.address}, id: "liushui-broker", log: b.log}
	if b.client, err = self.open(); err != nil {
		cluster.Close()
		return fmt.Errorf("open the broker's client to itself: %w", err)
	}
	b.admin = kadm.NewClient(b.client)
	return nil
}

// door lets nobody in before it is open: a batch that came before the gate
// stands would carry its client's time.
type door struct {
	net.Listener
	open chan struct{}
}

func (d *door) Accept() (net.Conn, error) {
	<-d.open
	return d.Listener.Accept()
}

// Addr is what kfake tells clients to connect to.
func (d *door) Addr() net.Addr { return reachable(d.Listener.Addr()) }

// reachable is where a listener on all addresses is reached from this machine.
func reachable(a net.Addr) net.Addr {
	if tcp, ok := a.(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: tcp.Port}
	}
	return a
}

// Addr is host:port, where clients reach the broker.
func (b *Broker) Addr() string { return b.address }

// Close stops serving and writes what makes the next start quick. Close the
// clients of this process first: kfake remembers members of groups that are
// still there, and a later start would wait for them.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		b.stop()
		b.running.Wait()
		b.settle()
		b.client.Close()
		b.cluster.Close()
		err = b.dir.release()
		b.log.Info("broker stopped", "address", b.address)
	})
	return err
}

// settle waits until no batch is on its way into the log. kfake would
// otherwise close between the gate and the log, and write the batch after that
// into what may belong to another broker by then. It answers requests one
// after the other: when it answers this one, those let in before are done.
func (b *Broker) settle() {
	b.gate.close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := b.client.Ping(ctx); err != nil {
		b.log.Warn("the broker closes without having answered its last requests", "error", err)
	}
}

// brokerLog passes on what kfake says is wrong.
type brokerLog struct{ log *slog.Logger }

func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("broker: " + fmt.Sprintf(format, args...))
	}
}

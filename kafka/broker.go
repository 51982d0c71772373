package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"liushui"
)

// BrokerConfig is what an embedded broker needs.
type BrokerConfig struct {
	Dir        string       // of its own; required
	Listen     string       // host:port, default 127.0.0.1:9092; port 0 = any free one
	Partitions int          // of topics that are made without a number; default 4
	Log        *slog.Logger // default slog.Default()
}

// Broker is a Kafka broker in this process, its log in a directory. Every
// batch is synced before it is acknowledged. It makes no topic by itself.
type Broker struct {
	log     *slog.Logger
	dir     *directory
	address string
	cluster *kfake.Cluster
	close   sync.Once
}

// StartBroker starts a broker that serves until Close. A directory of another
// process is ErrDirectoryInUse, an address in use ErrMisuse.
func StartBroker(ctx context.Context, c BrokerConfig) (*Broker, error) {
	if c.Listen == "" {
		c.Listen = "127.0.0.1:9092"
	}
	if c.Partitions == 0 {
		c.Partitions = 4
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	b := &Broker{log: c.Log, address: listener.Addr().String()}
	if b.dir, err = takeDirectory(c.Dir); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := b.start(listener, c.Partitions); err != nil {
		return nil, errors.Join(err, listener.Close(), b.dir.release())
	}
	b.log.Info("broker started", "address", b.address, "directory", c.Dir)
	return b, nil
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

func (b *Broker) start(listener net.Listener, partitions int) error {
	versions := kversion.Stable()
	versions.SetMaxKeyVersion(int16(kmsg.DescribeTopicPartitions), -1) // Java clients fail on kfake's answer
	cluster, err := kfake.NewCluster(
		kfake.MaxVersions(versions),
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return listener, nil }),
		kfake.DataDir(b.dir.log()),
		kfake.SyncWrites(),
		kfake.DefaultNumPartitions(partitions),
		kfake.WithLogger(brokerLog{b.log}),
		kfake.BrokerConfigs(map[string]string{
			"log.retention.ms":          "-1",         // kfake's own would cut logs to nothing, after which offsets begin anew
			"offsets.retention.minutes": "2147483647", // a group that rests for a week still holds what it needs
		}),
	)
	if err != nil {
		return fmt.Errorf("start the broker on %s: %w", b.dir.path, err)
	}
	cluster.ControlKey(int16(kmsg.Produce), b.produce)
	b.cluster = cluster
	return nil
}

// produce sees each produce request before kfake does, one at a time.
func (b *Broker) produce(req kmsg.Request) (kmsg.Response, error, bool) {
	stamp(req.(*kmsg.ProduceRequest), time.Now())
	return nil, nil, false
}

// Addr is host:port, where clients reach the broker.
func (b *Broker) Addr() string { return b.address }

// Close stops serving and writes what makes the next start quick. Close the
// clients of this process first: kfake remembers members of groups that are
// still there, and a later start would wait for them.
func (b *Broker) Close() error {
	var err error
	b.close.Do(func() {
		b.cluster.Close()
		err = b.dir.release()
		b.log.Info("broker stopped", "address", b.address)
	})
	return err
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

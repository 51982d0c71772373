package dev

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A KafkaBroker is one broker of a KafkaServer. Its addresses stay the same over
// restarts.
type KafkaBroker struct {
	Addr string // of the plain listener

	server     *KafkaServer
	id         int
	listeners  map[string]string // name → address
	controller string
	process    *process
	killed     time.Time
}

// session is how long ZooKeeper and the controller believe that a broker lives
// that was killed. Until then ZooKeeper does not take the same broker again.
const session = 3 * time.Second

// Listener is the address of a listener by its name.
func (b *KafkaBroker) Listener(name string) string { return b.listeners[name] }

func (b *KafkaBroker) dir() string { return filepath.Join(b.server.dir, fmt.Sprintf("broker%d", b.id)) }

// Partition is the folder of a partition's log.
func (b *KafkaBroker) Partition(topic string, partition int) string {
	return filepath.Join(b.dir(), "data", fmt.Sprintf("%s-%d", topic, partition))
}

func (b *KafkaBroker) log() string        { return filepath.Join(b.dir(), "log") }
func (b *KafkaBroker) properties() string { return filepath.Join(b.dir(), "server.properties") }

// place chooses the broker's other addresses.
func (b *KafkaBroker) place() (err error) {
	b.listeners["PLAINTEXT"] = b.Addr
	for _, name := range slices.Sorted(maps.Keys(b.server.config.Listeners)) {
		if b.listeners[name], err = b.server.port(); err != nil {
			return err
		}
	}
	if b.server.config.Release == Kafka39 {
		b.server.zookeeper, err = b.server.port()
		return err
	}
	b.controller, err = b.server.port()
	return err
}

// settings are those of server.properties.
func (b *KafkaBroker) settings() map[string]string {
	k := b.server
	replicas, enough := strconv.Itoa(min(k.config.Brokers, 3)), strconv.Itoa(min(k.config.Brokers, 2))
	settings := map[string]string{
		"log.dirs":                                 filepath.Join(b.dir(), "data"),
		"num.partitions":                           "2",
		"default.replication.factor":               replicas,
		"min.insync.replicas":                      enough,
		"offsets.topic.replication.factor":         replicas,
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.replication.factor": replicas,
		"transaction.state.log.min.isr":            enough,
		"group.initial.rebalance.delay.ms":         "0",
		"log.retention.check.interval.ms":          "500", // of one second
		"log.initial.task.delay.ms":                "500",
		"file.delete.delay.ms":                     "1000",
	}
	var addresses, protocols, voters []string
	for _, name := range slices.Sorted(maps.Keys(b.listeners)) {
		protocol := k.config.Listeners[name]
		if name == "PLAINTEXT" {
			protocol = name
		}
		addresses = append(addresses, name+"://"+b.listeners[name])
		protocols = append(protocols, name+":"+protocol)
	}
	settings["advertised.listeners"] = strings.Join(addresses, ",")
	if k.config.Release == Kafka39 {
		settings["broker.id"] = strconv.Itoa(b.id)
		settings["zookeeper.connect"] = k.zookeeper
		settings["zookeeper.session.timeout.ms"] = strconv.FormatInt(session.Milliseconds(), 10)
	} else {
		for _, other := range k.Brokers {
			voters = append(voters, fmt.Sprintf("%d@%s", other.id, other.controller))
		}
		addresses = append(addresses, "CONTROLLER://"+b.controller)
		protocols = append(protocols, "CONTROLLER:PLAINTEXT")
		settings["process.roles"] = "broker,controller"
		settings["node.id"] = strconv.Itoa(b.id)
		settings["controller.quorum.voters"] = strings.Join(voters, ",")
		settings["controller.listener.names"] = "CONTROLLER"
		settings["broker.session.timeout.ms"] = strconv.FormatInt(session.Milliseconds(), 10)
		settings["broker.heartbeat.interval.ms"] = "500"
	}
	settings["listeners"] = strings.Join(addresses, ",")
	settings["listener.security.protocol.map"] = strings.Join(protocols, ",")
	maps.Copy(settings, k.config.Settings)
	return settings
}

func (b *KafkaBroker) launch() error {
	command, err := b.server.java(b.server.config.Heap, "kafka.Kafka", b.properties())
	if err != nil {
		return err
	}
	if b.process, err = launch(b.log(), b.server.removed(b.dir()), command[0], command[1:]...); err != nil {
		return fmt.Errorf("start broker %d: %w", b.id, err)
	}
	return nil
}

// await waits until the broker says that it is one of the cluster.
func (b *KafkaBroker) await() error {
	err := b.process.await(b.log(), time.Minute, func() error {
		client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr), kgo.RetryTimeout(time.Second), kgo.DialTimeout(time.Second))
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		brokers, err := kadm.NewClient(client).ListBrokers(ctx)
		if err != nil {
			return err
		}
		if !slices.Contains(brokers.NodeIDs(), int32(b.id)) {
			return fmt.Errorf("the cluster has brokers %v", brokers.NodeIDs())
		}
		return nil
	})
	if err != nil {
		b.Kill()
		return fmt.Errorf("start broker %d on %s: %w", b.id, b.Addr, err)
	}
	return nil
}

// Start starts a broker that was stopped or killed, and waits until it is one
// of the cluster again.
func (b *KafkaBroker) Start() error {
	if b.server.zoo != nil {
		time.Sleep(time.Until(b.killed.Add(session + time.Second)))
	}
	if err := b.launch(); err != nil {
		return err
	}
	return b.await()
}

// Stop asks the broker to leave the cluster and end, as an administrator does.
func (b *KafkaBroker) Stop() error {
	if b.process == nil {
		return nil
	}
	defer func() { b.process = nil }()
	if err := b.process.stop(20 * time.Second); err != nil {
		return fmt.Errorf("stop broker %d: %w", b.id, err)
	}
	return nil
}

// Kill kills the broker at once, as a power cut would, and waits for its end.
func (b *KafkaBroker) Kill() {
	if b.process != nil {
		b.process.kill()
		b.process, b.killed = nil, time.Now()
	}
}

// Signal sends the broker a signal by its name: STOP freezes it, CONT lets it go on.
func (b *KafkaBroker) Signal(name string) error { return b.process.signal(name) }

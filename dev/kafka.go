package dev

import (
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// Releases of Apache Kafka.
const (
	Kafka43 = kafka43 // without ZooKeeper
	Kafka39 = kafka39 // with ZooKeeper 3.8.4, as many still run it
)

// KafkaConfig says which Kafka to start. Its zero value is one broker of the
// newest release, on any free ports, with a plain listener.
type KafkaConfig struct {
	Release   string            // default Kafka43
	Brokers   int               // default 1; three replicate everything, and two of them suffice. Kafka39: 1
	Port      int               // the first of the fixed ports; 0 = any that are free
	Listeners map[string]string // name → protocol, as in TLS → SSL, beside PLAINTEXT
	Settings  map[string]string // of server.properties, over ours
	Heap      string            // of each broker, default 256m
}

// A KafkaServer is an Apache Kafka of one or several brokers.
type KafkaServer struct {
	Brokers []*KafkaBroker

	config    KafkaConfig
	dir       string
	temporary bool   // no test removes dir
	zookeeper string // its address, with Kafka39
	zoo       *process
}

// StartKafka starts a Kafka for one test, which may stop and start its brokers.
func StartKafka(t testing.TB, c KafkaConfig) *KafkaServer {
	t.Helper()
	k := &KafkaServer{config: c, dir: t.TempDir()}
	requires(t, k.start())
	t.Cleanup(k.Kill)
	return k
}

// RunKafka starts a Kafka that ends with this process at the latest.
func RunKafka(c KafkaConfig) (*KafkaServer, error) {
	dir, err := os.MkdirTemp("", "liushui-kafka-")
	if err != nil {
		return nil, err
	}
	k := &KafkaServer{config: c, dir: dir, temporary: true}
	if err := k.start(); err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return k, nil
}

// Addrs are the brokers' plain addresses, as --brokers takes them.
func (k *KafkaServer) Addrs() string {
	var all []string
	for _, b := range k.Brokers {
		all = append(all, b.Addr)
	}
	return strings.Join(all, ",")
}

// Kill kills all at once, and waits for their end.
func (k *KafkaServer) Kill() {
	for _, b := range k.Brokers {
		b.Kill()
	}
	if k.zoo != nil {
		k.zoo.kill()
		k.zoo = nil
	}
}

func (k *KafkaServer) start() (err error) {
	if k.config.Release == "" {
		k.config.Release = Kafka43
	}
	k.config.Brokers = max(k.config.Brokers, 1)
	if k.config.Heap == "" {
		k.config.Heap = "256m"
	}
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("java is %w; apt-get install default-jre-headless", errMissing)
	}
	if _, err := artifacts(k.config.Release); err != nil {
		return err
	}
	for id := 1; id <= k.config.Brokers; id++ {
		b := &KafkaBroker{server: k, id: id, listeners: map[string]string{}}
		if b.Addr, err = k.port(); err != nil {
			return err
		}
		k.Brokers = append(k.Brokers, b)
	}
	for _, b := range k.Brokers {
		if err := b.place(); err != nil {
			return err
		}
	}
	for _, b := range k.Brokers { // which name one another
		if _, err := writeProperties(b.dir(), b.settings()); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			k.Kill()
		}
	}()
	if k.config.Release == Kafka39 {
		if err := k.startZooKeeper(); err != nil {
			return err
		}
	} else if err := k.format(); err != nil {
		return err
	}
	for _, b := range k.Brokers {
		if err := b.launch(); err != nil {
			return err
		}
	}
	for _, b := range k.Brokers {
		if err := b.await(); err != nil {
			return err
		}
	}
	return nil
}

// removed is what a process removes at its end, of its own folders.
func (k *KafkaServer) removed(dir string) string {
	if k.temporary {
		return dir
	}
	return ""
}

// java is the command that runs a class of the release.
func (k *KafkaServer) java(heap, class string, args ...string) ([]string, error) {
	libs, err := artifacts(k.config.Release)
	if err != nil {
		return nil, err
	}
	command := []string{"java", "-Xmx" + heap, "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", filepath.Join(libs, "*")}
	if strings.HasSuffix(heap, "m") {
		command = append(command, "-XX:TieredStopAtLevel=1") // one that is small is short-lived too
	}
	return append(append(command, class), args...), nil
}

// clusterID is any: what matters is that all brokers have the same.
const clusterID = "bGl1c2h1aS1kZXYtMDAwMQ"

// format makes the brokers' folders, as an administrator does once.
func (k *KafkaServer) format() error {
	for _, b := range k.Brokers {
		command, err := k.java("128m", "kafka.tools.StorageTool", "format", "-t", clusterID, "-c", b.properties())
		if err != nil {
			return err
		}
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("format the folder of broker %d: %w\n%s", b.id, err, out)
		}
	}
	return nil
}

func (k *KafkaServer) startZooKeeper() (err error) {
	dir := filepath.Join(k.dir, "zookeeper")
	host, port, err := net.SplitHostPort(k.zookeeper)
	if err != nil {
		return err
	}
	file, err := writeProperties(dir, map[string]string{
		"dataDir": filepath.Join(dir, "data"), "clientPort": port, "clientPortAddress": host,
		"admin.enableServer": "false", "tickTime": "500",
	})
	if err != nil {
		return err
	}
	command, err := k.java("128m", "org.apache.zookeeper.server.quorum.QuorumPeerMain", file)
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "log")
	if k.zoo, err = launch(log, k.removed(dir), command[0], command[1:]...); err != nil {
		return err
	}
	return k.zoo.await(log, 30*time.Second, func() error {
		conn, err := net.DialTimeout("tcp", k.zookeeper, time.Second)
		if err == nil {
			conn.Close()
		}
		return err
	})
}

// writeProperties writes a Java properties file into a folder, which it makes.
func writeProperties(dir string, settings map[string]string) (path string, err error) {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(&text, "%s=", key)
		for _, unit := range utf16.Encode([]rune(settings[key])) { // Java reads the file as Latin 1
			if unit == '\\' || unit > '~' {
				fmt.Fprintf(&text, `\u%04x`, unit)
			} else {
				text.WriteByte(byte(unit))
			}
		}
		text.WriteByte('\n')
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	path = filepath.Join(dir, "server.properties")
	return path, os.WriteFile(path, []byte(text.String()), 0o600)
}

// port is the next fixed address, or one that is free.
func (k *KafkaServer) port() (addr string, err error) {
	if k.config.Port == 0 {
		return fixed("127.0.0.1:0")
	}
	defer func() { k.config.Port++ }()
	return "127.0.0.1:" + strconv.Itoa(k.config.Port), nil
}

// Command servers starts real servers on fixed ports of loopback, says how
// Liushui is run with them, and stops them with Ctrl-C, with all that they hold:
//
//	go run ./dev/servers                    Kafka and MySQL
//	go run ./dev/servers cluster mariadb    those: kafka, cluster, kafka39, mysql, mariadb, spark
//	go run ./dev/servers fetch              only fetches what they are made of
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"liushui/dev"
)

// server is one that can be started.
type server struct {
	name  string
	about string
	// start returns how the programs of the line are told of it, or its address
	// where none of them is, and what ends it.
	start func() (flag string, end func(), err error)
}

var servers = []server{
	{"kafka", "Apache Kafka 4.3.1, one broker", kafka(dev.KafkaConfig{Port: 19092, Heap: "1g"})},
	{"cluster", "Apache Kafka 4.3.1, three brokers, everything three times, two suffice", kafka(dev.KafkaConfig{Port: 19192, Brokers: 3, Heap: "1g"})},
	{"kafka39", "Apache Kafka 3.9.2 with ZooKeeper 3.8.4", kafka(dev.KafkaConfig{Port: 19392, Release: dev.Kafka39, Heap: "1g"})},
	{"mysql", "MySQL 8.0.12", database(dev.RunMySQL, "127.0.0.1:13308")},
	{"mariadb", "MariaDB of Debian", database(dev.RunMariaDB, "127.0.0.1:13306")},
	{"spark", "Apache Spark 4.2.0 with Spark Connect, on two cores", spark},
}

func spark() (string, func(), error) {
	s, err := dev.RunSpark(dev.SparkConfig{Port: 15002, Heap: "2g"})
	if err != nil {
		return "", nil, err
	}
	return s.Addr, s.Kill, nil
}

func kafka(c dev.KafkaConfig) func() (string, func(), error) {
	return func() (string, func(), error) {
		k, err := dev.RunKafka(c)
		if err != nil {
			return "", nil, err
		}
		return "--brokers " + k.Addrs(), k.Kill, nil
	}
}

func database(run func(addr string) (*dev.SQLServer, error), addr string) func() (string, func(), error) {
	return func() (string, func(), error) {
		s, err := run(addr)
		if err != nil {
			return "", nil, err
		}
		if err := s.Run("CREATE DATABASE shop"); err != nil {
			s.Kill()
			return "", nil, err
		}
		return "--database mysql://root@" + s.Addr + "/shop", s.Kill, nil
	}
}

func main() {
	names := os.Args[1:]
	if len(names) == 0 {
		names = []string{"kafka", "mysql"}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if slices.Equal(names, []string{"fetch"}) {
		err = dev.Fetch()
	} else {
		err = run(ctx, names)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, names []string) error {
	var chosen []server
	for _, name := range names {
		i := slices.IndexFunc(servers, func(s server) bool { return s.name == name })
		if i < 0 {
			return fmt.Errorf("no server %q; there are kafka, cluster, kafka39, mysql, mariadb, spark", name)
		}
		chosen = append(chosen, servers[i])
	}
	brokers, database := "", "--database sqlite:shop.db"
	for _, s := range chosen {
		if ctx.Err() != nil {
			return nil
		}
		fmt.Printf("%-8s ", s.name)
		flag, end, err := s.start()
		if err != nil {
			fmt.Println()
			return fmt.Errorf("%s: %w", s.name, err)
		}
		defer end()
		fmt.Printf("%s: %s\n", s.about, flag)
		switch {
		case strings.HasPrefix(flag, "--database"):
			database = flag
		case strings.HasPrefix(flag, "--brokers"):
			brokers = flag
		}
	}
	fmt.Print(commands(brokers, database))
	<-ctx.Done()
	fmt.Println("stopping; what they held is gone")
	return nil
}

// commands are the programs of the line, as a person types them.
func commands(brokers, database string) string {
	lines := []string{"liushui produce --demo", "liushui process", "liushui store " + database, "liushui serve " + database}
	text := "\nThe line with the last of each, every program in a terminal of its own:\n"
	if brokers == "" {
		text += "    liushui broker\n"
	}
	for _, line := range lines {
		text += "    " + strings.TrimSpace(line+" "+brokers) + "\n"
	}
	return text + "Ctrl-C stops the servers.\n"
}

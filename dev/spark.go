package dev

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// Releases of Apache Spark.
const (
	Spark42 = spark42
	Spark41 = spark41
	Spark40 = spark40 // no server: for SparkProtocol
)

// SparkConfig says which Spark to start. Its zero value is one process of the
// newest release that computes on two cores, at any free port.
type SparkConfig struct {
	Release  string            // default Spark42
	Workers  int               // of one core each, beside a master; 0: the Connect server computes by itself
	Port     int               // of the Connect server; 0 = any that is free
	Token    string            // that a client must send; "" = none
	Settings map[string]string // of Spark, over ours
	Heap     string            // of the Connect server, default 1024m; an executor has 768m
}

// A SparkServer is an Apache Spark that is driven over Spark Connect.
type SparkServer struct {
	Addr    string // sc://127.0.0.1:port, the same after a restart
	Connect *SparkPart
	Master  *SparkPart   // nil without workers
	Workers []*SparkPart // each is gone with the executor that it has started

	config    SparkConfig
	dir       string
	temporary bool   // no test removes dir
	listen    string // of the Connect server
	master    string // its address
	page      string // the master's page of its own state
}

// sparks are the servers of a test binary, by release.
var sparks = map[string]func() (*SparkServer, error){
	Spark42: sync.OnceValues(func() (*SparkServer, error) { return RunSpark(SparkConfig{}) }),
	Spark41: sync.OnceValues(func() (*SparkServer, error) { return RunSpark(SparkConfig{Release: Spark41}) }),
}

// Spark returns a Spark of a release that all tests of the binary share, so they
// use sessions, topics and checkpoints of their own.
func Spark(t testing.TB, release string) *SparkServer {
	t.Helper()
	s, err := sparks[release]()
	requires(t, err)
	s.tellWhere(t)
	return s
}

// StartSpark starts a Spark for one test, which may stop and start its parts.
func StartSpark(t testing.TB, c SparkConfig) *SparkServer {
	t.Helper()
	s := &SparkServer{config: c, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	s.tellWhere(t)
	requires(t, s.start())
	return s
}

// StartSparkCluster starts a standalone cluster of a master, workers (default
// two) and the Connect server for one test.
func StartSparkCluster(t testing.TB, c SparkConfig) *SparkServer {
	t.Helper()
	if c.Workers == 0 {
		c.Workers = 2
	}
	return StartSpark(t, c)
}

// RunSpark starts a Spark that ends with this process at the latest.
func RunSpark(c SparkConfig) (*SparkServer, error) {
	dir, err := os.MkdirTemp("", "liushui-spark-")
	if err != nil {
		return nil, err
	}
	s := &SparkServer{config: c, dir: dir, temporary: true}
	if err := s.start(); err != nil {
		s.Kill()
		os.RemoveAll(dir)
		return nil, err
	}
	return s, nil
}

// tellWhere shows what the parts have said when the test fails.
func (s *SparkServer) tellWhere(t testing.TB) {
	t.Cleanup(func() {
		if !t.Failed() {
			return
		}
		for _, part := range s.parts() {
			for _, log := range part.logs() {
				t.Logf("%s of Spark:\n%s", part.name, tail(log))
			}
		}
	})
}

func (s *SparkServer) parts() []*SparkPart {
	var all []*SparkPart
	if s.Connect != nil {
		all = append(all, s.Connect)
	}
	all = append(all, s.Workers...)
	if s.Master != nil {
		all = append(all, s.Master)
	}
	return all
}

// Kill kills all parts at once, and waits for their end.
func (s *SparkServer) Kill() {
	for _, part := range s.parts() {
		part.Kill()
	}
}

func (s *SparkServer) start() (err error) {
	if s.config.Release == "" {
		s.config.Release = Spark42
	}
	if s.config.Heap == "" {
		s.config.Heap = "1024m"
	}
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("java is %w; apt-get install default-jre-headless", errMissing)
	}
	if _, err := artifacts(s.config.Release); err != nil {
		return err
	}
	if s.listen, err = fixed("127.0.0.1:" + strconv.Itoa(s.config.Port)); err != nil {
		return err
	}
	s.Addr = "sc://" + s.listen
	if s.config.Workers > 0 {
		if err := s.startCluster(); err != nil {
			return err
		}
	}
	s.Connect = &SparkPart{server: s, name: "connect", command: s.connect, ready: s.connected}
	return s.Connect.Start()
}

// startCluster starts what computes for the Connect server.
func (s *SparkServer) startCluster() (err error) {
	if _, err := exec.LookPath("setsid"); err != nil {
		return fmt.Errorf("setsid, which lets a worker die with its executors, is %w", errMissing)
	}
	if s.master, err = fixed("127.0.0.1:0"); err != nil {
		return err
	}
	if s.page, err = fixed("127.0.0.1:0"); err != nil {
		return err
	}
	s.Master = &SparkPart{server: s, name: "master", command: s.masterCommand, ready: func() error { return s.working(0) }}
	if err := s.Master.Start(); err != nil {
		return err
	}
	for id := 1; id <= s.config.Workers; id++ {
		worker := &SparkPart{server: s, name: fmt.Sprintf("worker%d", id), command: s.workerCommand, ready: func() error { return s.working(id) }}
		s.Workers = append(s.Workers, worker)
		if err := worker.Start(); err != nil {
			return err
		}
	}
	return nil
}

// connected says whether the Connect server takes calls, and has its executors.
func (s *SparkServer) connected() error {
	conn, err := net.DialTimeout("tcp", s.listen, time.Second)
	if err != nil {
		return err
	}
	conn.Close()
	if s.Master == nil {
		return nil
	}
	state, err := s.state()
	if err == nil && state.CoresUsed == 0 {
		err = errors.New("no worker has an executor yet")
	}
	return err
}

// working says whether the master knows so many workers that live.
func (s *SparkServer) working(workers int) error {
	state, err := s.state()
	if err == nil && state.AliveWorkers < workers {
		err = fmt.Errorf("the master knows %d workers", state.AliveWorkers)
	}
	return err
}

// masterState is a part of what the master tells.
type masterState struct {
	AliveWorkers int `json:"aliveworkers"`
	CoresUsed    int `json:"coresused"`
}

func (s *SparkServer) state() (state masterState, err error) {
	client := http.Client{Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	response, err := client.Get("http://" + s.page + "/json/")
	if err != nil {
		return state, err
	}
	defer response.Body.Close()
	return state, json.NewDecoder(response.Body).Decode(&state)
}

// home is a part's folder as Spark wants it: with the jars in it.
func (s *SparkServer) home(dir string) error {
	libs, err := artifacts(s.config.Release)
	if err != nil {
		return err
	}
	for _, name := range []string{"tmp", "local"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return err
		}
	}
	if err := os.Symlink(libs, filepath.Join(dir, "jars")); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "log4j2.properties"), []byte(sparkLogging), 0o644)
}

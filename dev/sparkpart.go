package dev

import (
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A SparkPart is one process of a Spark. Its addresses stay the same over
// restarts.
type SparkPart struct {
	server  *SparkServer
	name    string
	command func(dir string) []string // what runs in the part's folder
	ready   func() error
	process *process
}

// sparkLogging: only what goes wrong, on the standard error.
const sparkLogging = `rootLogger.level = warn
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss.SSS} %p %c{1}: %m%n%ex
`

// sparkOpens are the packages of Java that Spark reaches into, as its own
// scripts open them.
var sparkOpens = []string{
	"java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
	"java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action", "sun.util.calendar",
}

func (p *SparkPart) dir() string { return filepath.Join(p.server.dir, p.name) }
func (p *SparkPart) log() string { return filepath.Join(p.dir(), "log") }

// logs are the part's own and those of its executors.
func (p *SparkPart) logs() []string {
	executors, _ := filepath.Glob(filepath.Join(p.dir(), "work", "*", "*", "stderr")) // the pattern is right
	return append([]string{p.log()}, executors...)
}

// Start starts a part, also one that was killed, and waits until it is of use.
func (p *SparkPart) Start() error {
	if err := p.server.home(p.dir()); err != nil {
		return fmt.Errorf("start Spark's %s: %w", p.name, err)
	}
	remove := ""
	if p.server.temporary {
		remove = p.dir()
	}
	command := append([]string{"SPARK_LOCAL_IP=127.0.0.1", "SPARK_HOME=" + p.dir(), "SPARK_SCALA_VERSION=2.13", "SPARK_LOCAL_DIRS=" + filepath.Join(p.dir(), "local")}, p.command(p.dir())...)
	var err error
	if p.process, err = launch(p.log(), remove, "env", command...); err != nil {
		return fmt.Errorf("start Spark's %s: %w", p.name, err)
	}
	if err := p.process.await(p.log(), time.Minute, p.ready); err != nil {
		p.Kill()
		return fmt.Errorf("start Spark's %s: %w", p.name, err)
	}
	return nil
}

// Kill kills the part at once, as a power cut would, and waits for its end.
func (p *SparkPart) Kill() {
	if p.process != nil {
		p.process.kill()
		p.process = nil
	}
}

// Signal sends the part a signal by its name: STOP freezes it, CONT lets it go on.
func (p *SparkPart) Signal(name string) error { return p.process.signal(name) }

// jvm are the options of every process in a folder, executors included.
func (s *SparkServer) jvm(dir string) []string {
	options := []string{"-XX:+UseSerialGC", "-Djava.io.tmpdir=" + filepath.Join(dir, "tmp"),
		"-Dlog4j2.configurationFile=" + filepath.Join(dir, "log4j2.properties")}
	if strings.HasSuffix(s.config.Heap, "m") {
		options = append(options, "-XX:TieredStopAtLevel=1") // one that is small is short-lived too
	}
	for _, name := range sparkOpens {
		options = append(options, "--add-opens=java.base/"+name+"=ALL-UNNAMED")
	}
	return options
}

// java is the command that runs a class of the release.
func (s *SparkServer) java(dir, heap, class string, options ...string) []string {
	command := append([]string{"java", "-Xmx" + heap}, s.jvm(dir)...)
	return append(append(command, options...), "-cp", filepath.Join(dir, "jars", "*"), class)
}

func (s *SparkServer) connect(dir string) []string {
	host, port, _ := net.SplitHostPort(s.listen) // as fixed made it
	settings := map[string]string{
		"spark.app.name":                     "liushui",
		"spark.master":                       "local[2]",
		"spark.ui.enabled":                   "false",
		"spark.sql.shuffle.partitions":       "2",
		"spark.sql.session.timeZone":         "UTC",
		"spark.sql.warehouse.dir":            filepath.Join(dir, "warehouse"),
		"spark.connect.grpc.binding.address": host,
		"spark.connect.grpc.binding.port":    port,
	}
	if s.Master != nil {
		settings["spark.master"] = "spark://" + s.master
		settings["spark.executor.memory"] = "768m"
		settings["spark.executor.extraJavaOptions"] = strings.Join(s.jvm(dir), " ")
	}
	if s.config.Token != "" {
		settings["spark.connect.authenticate.token"] = s.config.Token
	}
	maps.Copy(settings, s.config.Settings)
	var options []string
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		options = append(options, "-D"+key+"="+settings[key])
	}
	return s.java(dir, s.config.Heap, "org.apache.spark.sql.connect.service.SparkConnectServer", options...)
}

func (s *SparkServer) masterCommand(dir string) []string {
	host, port, _ := net.SplitHostPort(s.master)
	_, page, _ := net.SplitHostPort(s.page)
	return append(s.java(dir, "192m", "org.apache.spark.deploy.master.Master", "-Dspark.master.rest.enabled=false"),
		"--host", host, "--port", port, "--webui-port", page)
}

// workerCommand starts a worker in a process group of its own, which it shares
// with its executors.
func (s *SparkServer) workerCommand(dir string) []string {
	return append(append([]string{"setsid"}, s.java(dir, "192m", "org.apache.spark.deploy.worker.Worker")...),
		"--host", "127.0.0.1", "--port", "0", "--webui-port", "0", "--cores", "1", "--memory", "1g",
		"--work-dir", filepath.Join(dir, "work"), "spark://"+s.master)
}

package main

import (
	"bytes"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

// composed reads a compose file as `docker compose config` does, schema included.
func composed(t *testing.T, file string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{file}, cli.WithDiscardEnvFile)
	if err != nil {
		return nil, err
	}
	return options.LoadProject(t.Context())
}

func TestComposeFile(t *testing.T) {
	project, err := composed(t, "../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"connect", "kafka1", "kafka2", "kafka3", "master", "mysql", "process", "produce", "serve", "slave1", "slave2", "store"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(project.Services))); diff != "" {
		t.Errorf("its services are not those of the classic line:\n%s", diff)
	}
	for name, service := range project.Services {
		if service.HealthCheck == nil || len(service.HealthCheck.Test) == 0 {
			t.Errorf("%s has no health check", name)
		}
		for _, port := range service.Ports {
			if port.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want this machine only", name, port.Published, port.HostIP)
			}
		}
		if service.Build != nil {
			if _, err := os.Stat(filepath.Join(service.Build.Context, service.Build.Dockerfile)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if slices.Contains(parts, name) {
			for _, fault := range append(unknown(t, service), unopened(t, service.Command)...) {
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
}

// TestComposeFaultsAreSeen breaks the file in the ways that the check must see.
func TestComposeFaultsAreSeen(t *testing.T) {
	text, err := os.ReadFile("../../deploy/compose.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for from, to := range map[string]string{
		"restart: unless-stopped":      "restrat: unless-stopped",
		"volumes: [mysql:":             "volumes: [mysqll:",
		"--spark-partitions":           "--spark-parts",
		"LIUSHUI_BROKERS":              "LIUSHUI_BROKER",
		", --public]":                  "]",
		"/liushui, health, process":    "/liushui, healthy, process",
		"mysql: {condition: service_h": "mysqll: {condition: service_h",
	} {
		broken := strings.ReplaceAll(string(text), from, to)
		if broken == string(text) {
			t.Errorf("the file has no %q", from)
		}
		path := filepath.Join(t.TempDir(), "compose.yaml")
		if err := os.WriteFile(path, []byte(broken), 0o644); err != nil {
			t.Fatal(err)
		}
		project, err := composed(t, path)
		faults := 0
		if err == nil {
			for _, name := range parts {
				faults += len(unknown(t, project.Services[name])) + len(unopened(t, project.Services[name].Command))
			}
		}
		if err == nil && faults == 0 {
			t.Errorf("%s instead of %s is not seen", to, from)
		}
	}
}

// unknown lists what a service of ours is told that the program does not know.
func unknown(t *testing.T, service types.ServiceConfig) (faults []string) {
	t.Helper()
	for _, args := range [][]string{service.Command, service.HealthCheck.Test[2:]} {
		r := command(t, append(slices.Clone(args), "--help")...)
		if r.code != exitFine || !strings.Contains(r.out, "liushui "+args[0]) {
			faults = append(faults, strings.Join(args, " ")+": "+r.errOut)
		}
		for variable := range service.Environment {
			if !reads(r.out, variable) {
				faults = append(faults, args[0]+" reads no "+variable)
			}
		}
	}
	return faults
}

// unopened says why `serve` would not begin, which is told in its arguments who may
// look: it is run with those, on an address that is not this machine's.
func unopened(t *testing.T, args []string) []string {
	t.Helper()
	if args[0] != "serve" {
		return nil
	}
	line := []string{"serve"}
	for _, arg := range args {
		switch arg {
		case "--listen":
			line = append(line, arg, elsewhere)
		case "--users-file", "--viewer-token-file":
			line = append(line, "--viewer-token-file", secret(t, "token", viewerToken))
		case "--public":
			line = append(line, arg)
		}
	}
	if r := command(t, line...); !wouldListen(r) {
		return []string{strings.Join(args, " ") + ": " + r.errOut}
	}
	return nil
}

// reads tells from a command's help whether a variable is one of its flags.
func reads(help, variable string) bool {
	flag := strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(variable, environmentPrefix), "_", "-"))
	return strings.Contains(help, "--"+flag+" ")
}

// TestKubernetesManifest holds what the sample tells the four programs against them.
func TestKubernetesManifest(t *testing.T) {
	text, err := os.ReadFile("../../deploy/kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type container struct {
		Name           string
		Args           []string
		ReadinessProbe struct{ Exec struct{ Command []string } } `yaml:"readinessProbe"`
	}
	type manifest struct {
		Data map[string]string
		Spec struct {
			Template struct {
				Spec struct{ Containers []container }
			}
		}
	}
	var names, helps []string
	var variables map[string]string
	for decoder := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var m manifest
		if err := decoder.Decode(&m); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if m.Data != nil {
			variables = m.Data
		}
		for _, c := range m.Spec.Template.Spec.Containers {
			names = append(names, c.Name)
			lines := [][]string{c.Args}
			if probe := c.ReadinessProbe.Exec.Command; probe != nil {
				lines = append(lines, probe[1:])
			}
			for _, args := range lines {
				r := command(t, append(slices.Clone(args), "--help")...)
				if r.code != exitFine || !strings.Contains(r.out, "liushui "+args[0]) {
					t.Errorf("%s: %s: %s", c.Name, strings.Join(args, " "), r.errOut)
				}
				helps = append(helps, r.out)
			}
			for _, fault := range unopened(t, c.Args) {
				t.Errorf("%s: %s", c.Name, fault)
			}
		}
	}
	slices.Sort(names)
	if want := slices.Sorted(slices.Values(parts)); !slices.Equal(names, want) {
		t.Errorf("it runs %q, want %q", names, want)
	}
	for variable := range variables {
		if !slices.ContainsFunc(helps, func(help string) bool { return reads(help, variable) }) {
			t.Errorf("no program reads %s", variable)
		}
	}
}

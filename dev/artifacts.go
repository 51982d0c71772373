package dev

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Profiles of pom.xml.
const (
	kafka43 = "kafka-4.3.1"
	kafka39 = "kafka-3.9.2"
	mysql80 = "mysql-8.0.12"
	spark42 = "spark-4.2.0"
	spark41 = "spark-4.1.3"
	spark40 = "spark-4.0.1-protocol"
)

//go:embed pom.xml
var pom []byte

// errMissing is what this machine lacks to start a server; tests are skipped.
var errMissing = errors.New("not on this machine")

// requires skips the test where err says that this machine lacks something, and
// ends it on any other error.
func requires(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, errMissing):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
}

// Fetch fetches what Kafka, MySQL and Spark are made of, where it is not here yet.
func Fetch() error {
	for _, profile := range []string{kafka43, kafka39, mysql80, spark42, spark41, spark40} {
		if _, err := artifacts(profile); err != nil {
			return err
		}
	}
	return nil
}

// artifacts returns the folder with the files of a profile. They are fetched
// through Maven once, into the user's cache; a folder there is always whole.
func artifacts(profile string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", profile, errMissing, err)
	}
	cache = filepath.Join(cache, "liushui-dev")
	have := filepath.Join(cache, profile)
	if _, err := os.Stat(have); err == nil {
		return have, nil
	}
	if _, err := exec.LookPath("mvn"); err != nil {
		return "", fmt.Errorf("%s is %w, and there is no mvn to fetch it; apt-get install maven", profile, errMissing)
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(cache, "fetching-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	if err := fetch(profile, dir); err != nil {
		return "", err
	}
	if err := os.Rename(filepath.Join(dir, profile), have); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err // where it exists, another process was faster
	}
	return have, nil
}

func fetch(profile, dir string) error {
	file, into := filepath.Join(dir, "pom.xml"), filepath.Join(dir, profile)
	if err := os.WriteFile(file, pom, 0o644); err != nil {
		return err
	}
	var out []byte
	var err error
	for range 3 { // the way to a registry is long
		cmd := exec.Command("mvn", "--quiet", "--batch-mode", "--file", file, "--activate-profiles", profile,
			"dependency:copy-dependencies", "-DoutputDirectory="+into)
		if out, err = cmd.CombinedOutput(); err == nil {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("%s is %w, and Maven did not fetch it: %w\n%s", profile, errMissing, err, out)
	}
	if profile == mysql80 {
		return unpackMySQL(into)
	}
	return nil
}

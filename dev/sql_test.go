package dev

import (
	"os"
	"strings"
	"testing"
	"time"
)

func TestDatabasesStartDieAndStartAgain(t *testing.T) {
	for name, start := range map[string]func(testing.TB, ...string) *SQLServer{"mariadb": StartMariaDB, "mysql": StartMySQL} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			dsn := s.Database(t)
			table := dsn[strings.LastIndex(dsn, "/")+1:] + ".t"
			if err := s.Run("CREATE TABLE " + table + " (a INT)"); err != nil {
				t.Fatal(err)
			}
			s.Kill()
			if err := s.Run("SELECT 1"); err == nil {
				t.Fatal("the server answers after Kill")
			}
			if err := s.Start(); err != nil {
				t.Fatal(err)
			}
			if err := s.Run("INSERT INTO " + table + " VALUES (1)"); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestTestsShareAServerAndNoDatabase(t *testing.T) {
	for name, database := range map[string]func(testing.TB) string{"mariadb": MariaDB, "mysql": MySQL} {
		t.Run(name, func(t *testing.T) {
			a, b := database(t), database(t)
			if a == b {
				t.Errorf("one database twice: %s", a)
			}
			if a[:strings.LastIndex(a, "/")] != b[:strings.LastIndex(b, "/")] {
				t.Errorf("two servers: %s and %s", a, b)
			}
		})
	}
}

// A server that no test stops ends when the orders end, and its folder with it.
func TestNothingIsLeftBehind(t *testing.T) {
	s, err := RunMariaDB("127.0.0.1:0")
	requires(t, err)
	s.process.orders.Close() // as the system does when this process ends
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(s.dir)
		if os.IsNotExist(err) && s.Run("SELECT 1") != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the folder: %v; the server: %v", err, s.Run("SELECT 1"))
		}
	}
	s.process.keeper.Wait()
}

func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	s := &SQLServer{kind: mariaDB, dir: t.TempDir(), options: []string{"--no-such-option"}}
	err := s.begin("127.0.0.1:0")
	if err == nil || !strings.Contains(err.Error(), "the server ended by itself") || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("got %v", err)
	}
}

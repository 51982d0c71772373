package dev

import (
	"strings"
	"testing"
)

func TestMariaDBStartsKillsAndStartsAgain(t *testing.T) {
	s := StartMariaDB(t)
	dsn := s.Database(t)
	name := dsn[strings.LastIndex(dsn, "/")+1:]
	if err := s.Run("CREATE TABLE " + name + ".t (a INT)"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := s.Run("SELECT 1"); err == nil {
		t.Fatal("the server answers after Kill")
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	if err := s.Run("INSERT INTO " + name + ".t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if a, b := MariaDB(t), MariaDB(t); a == b {
		t.Errorf("one database twice: %s", a)
	}
}

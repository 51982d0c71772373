package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"liushui/dev"
)

// The whole line over TLS, with a user and with a database that is checked; what
// is secret is shown nowhere.
func TestSecureLine(t *testing.T) {
	k := dev.Kafka(t, dev.Kafka43)
	c := k.Certificates
	dir := t.TempDir()
	shown := c.Server
	database := dev.StartMariaDB(t, "--ssl-ca="+c.CA, "--ssl-cert="+shown.Cert, "--ssl-key="+shown.Key)
	dsn := database.Database(t)
	if err := database.Run("CREATE USER shop@127.0.0.1 IDENTIFIED BY 'very secret' REQUIRE SSL; GRANT ALL ON *.* TO shop@127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	dsn = strings.Replace(dsn, "root@", "shop@", 1)
	password := file(t, filepath.Join(dir, "kafka-password"), k.Password+"\n")
	databasePassword := file(t, filepath.Join(dir, "database-password"), "very secret\n")
	kafka := []string{"--brokers", k.Listener(dev.ListenSASLTLS), "--kafka-tls-ca", c.CA, "--kafka-sasl", "SCRAM-SHA-512", "--kafka-user", k.User,
		"--kafka-password-file", password, "--topic", "secure", "--results", "secure_results"}
	tables := []string{"--database", dsn, "--database-password-file", databasePassword, "--database-tls-ca", c.CA}

	said := ""
	run := func(name string, more ...[]string) {
		t.Helper()
		r := must(t, command(t, append([]string{name}, slices.Concat(more...)...)...))
		said += r.out + r.errOut
	}
	data := []string{"--data", filepath.Join(dir, "line")}
	run("produce", kafka, data, []string{"--csv", "testdata/orders.csv", "--mapping", "tmall-orders", "--speed", "max", "--max-bad", "10%"})
	run("process", kafka, data, []string{"--exit-when-done"})
	store := launch(t, append([]string{"store"}, slices.Concat(kafka, data, tables)...)...)
	eventually(t, "the tables have all payments", func() bool {
		r := command(t, append([]string{"query", "sales", "--format", "json"}, tables...)...)
		return r.code == exitFine && sum(t, rows(t, append([]string{"sales"}, tables...)...), "paid") == paidInOrders
	})
	store.stop()
	run("reconcile", kafka, tables)
	run("deadletters", []string{"list"}, kafka)
	said += store.out.String() + store.errOut.String()
	for _, secret := range []string{k.Password, "very secret"} {
		if strings.Contains(said, secret) {
			t.Errorf("the line shows a secret:\n%s", said)
		}
	}

	// What Kafka or the database does not take stops a program at once, with 2.
	t.Run("refused", func(t *testing.T) {
		wrong := file(t, filepath.Join(dir, "wrong-password"), "hush\n")
		data := []string{"--data", filepath.Join(dir, "refused")}
		for _, name := range []string{"produce --demo", "process", "store", "serve --listen " + freePort(t), "reconcile", "deadletters list"} {
			args := slices.Concat(strings.Fields(name), kafka, []string{"--kafka-password-file", wrong})
			if name != "deadletters list" && !strings.HasPrefix(name, "serve") && name != "reconcile" {
				args = append(args, data...)
			}
			refused(t, command(t, args...), "Kafka refuses the user or its password: check --kafka-user")
		}
		args := slices.Concat([]string{"store"}, kafka, data, tables)
		refused(t, command(t, append(args, "--database-password-file", wrong)...), "check user and password")
		refused(t, command(t, append(args, "--database-tls-ca", c.OtherCA)...), "name the file of its authority with --database-tls-ca")
		refused(t, command(t, "process", "--brokers", k.Listener(dev.ListenTLS), "--kafka-tls-ca", c.OtherCA), "name the file of its authority with --kafka-tls-ca")
		refused(t, command(t, "process", "--kafka-password-file", filepath.Join(dir, "nothing")), "--kafka-password-file "+filepath.Join(dir, "nothing")+":")
		refused(t, command(t, "process", "--kafka-sasl", "kerberos"), "want plain, scram-sha-256, scram-sha-512")
		refused(t, commandWith(t, []string{"LIUSHUI_KAFKA_PASSWORD=hush", "LIUSHUI_KAFKA_SASL=plain", "LIUSHUI_KAFKA_USER=shop", "LIUSHUI_BROKERS=" + k.Listener(dev.ListenSASL)}, "process"),
			"Kafka refuses the user or its password")
	})
}

func refused(t *testing.T, r result, want string) {
	t.Helper()
	last := r.errOut[strings.LastIndexByte(strings.TrimSuffix(r.errOut, "\n"), '\n')+1:]
	if r.code != exitMisuse || !strings.Contains(last, want) || strings.Contains(r.out+r.errOut, "hush") || strings.Contains(r.errOut, "waiting") {
		t.Errorf("exit code %d, and it says\n%swant 2 and: %s", r.code, r.errOut, want)
	}
}

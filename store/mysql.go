package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// mysqlServer is the dialect of MySQL 8 and MariaDB.
type mysqlServer struct {
	address   *address
	log       *slog.Logger
	collation string // of text in views: compares byte by byte, as far as the server can
}

func (d *mysqlServer) open(readOnly bool) (write, read *sql.DB, err error) {
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = d.address.user, d.address.password, "tcp", d.address.host, d.address.database
	c.Timeout, c.ReadTimeout, c.WriteTimeout = 5*time.Second, time.Minute, time.Minute
	if d.address.tls != "" {
		c.TLS = d.address.config()
		c.AllowFallbackToPlaintext = d.address.tls == "preferred"
	}
	c.Logger = driverLog{d.log}
	c.Params = map[string]string{
		"sql_mode":                 "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
		"innodb_lock_wait_timeout": "20",
		"lock_wait_timeout":        "20",
	}
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", d, err)
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", d, err)
	}
	if !readOnly {
		write = sql.OpenDB(connector)
		write.SetMaxOpenConns(1)
	}
	read = sql.OpenDB(connector)
	read.SetMaxOpenConns(4)
	read.SetMaxIdleConns(4)
	read.SetConnMaxIdleTime(5 * time.Minute)
	return write, read, nil
}

// driverLog takes the driver's own words; errors are returned as well.
type driverLog struct{ log *slog.Logger }

func (l driverLog) Print(v ...any) {
	l.log.Debug("mysql driver: " + strings.TrimSpace(fmt.Sprintln(v...)))
}

func (d *mysqlServer) String() string { return d.address.String() }

// prepare asks what the server can do.
func (d *mysqlServer) prepare(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "SELECT collation_name FROM information_schema.collations WHERE collation_name IN ('utf8mb4_nopad_bin', 'utf8mb4_0900_bin')")
	if err != nil {
		return fmt.Errorf("ask for collations: %w", err)
	}
	defer rows.Close()
	d.collation = "utf8mb4_bin" // which pads: trailing blanks do not count in a view's text before MySQL 8.0.17
	for rows.Next() {
		if err := rows.Scan(&d.collation); err != nil {
			return fmt.Errorf("ask for collations: %w", err)
		}
	}
	return rows.Err()
}

func (d *mysqlServer) quote(name string) string { return "`" + name + "`" }

// keyType compares byte by byte on every server: five of them, with window,
// start and generation, take 2,584 of the 3,072 bytes that InnoDB allows a key.
func (d *mysqlServer) keyType() string    { return "VARBINARY(512)" }
func (d *mysqlServer) windowType() string { return "VARCHAR(8) CHARACTER SET ascii COLLATE ascii_bin" }
func (d *mysqlServer) textType() string   { return "MEDIUMTEXT" }
func (d *mysqlServer) bytesType() string  { return "MEDIUMBLOB" }

func (d *mysqlServer) tableOptions(bool) string {
	return " ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
}

func (d *mysqlServer) maxParameters() int { return 65535 }

// upsert assigns from left to right, each seeing what was assigned before it:
// version and then repair stand last, so that all others are judged by the row
// as it was held. A repair that grows takes its version along, also a lower one.
func (d *mysqlServer) upsert(_ string, key, rest []string) string {
	const newer = "VALUES(`repair`) > `repair` OR VALUES(`repair`) = `repair` AND VALUES(`version`) > `version`"
	var set []string
	for _, c := range rest {
		if c != "repair" && c != "version" {
			set = append(set, d.quote(c)+"=IF("+newer+", VALUES("+d.quote(c)+"), "+d.quote(c)+")")
		}
	}
	set = append(set, "`version`=IF("+newer+", VALUES(`version`), `version`)", "`repair`=GREATEST(`repair`, VALUES(`repair`))")
	return " ON DUPLICATE KEY UPDATE " + strings.Join(set, ", ")
}

func (d *mysqlServer) columnsQuery() string {
	return "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()"
}

func (d *mysqlServer) createView(ctx context.Context, db *sql.DB, name, query string) error {
	_, err := db.ExecContext(ctx, "CREATE OR REPLACE SQL SECURITY INVOKER VIEW "+d.quote(name)+" AS "+query)
	return err
}

func (d *mysqlServer) localTime(ms, offset string) string {
	return "TIMESTAMPADD(SECOND, " + ms + " DIV 1000 + " + offset + ", TIMESTAMP'1970-01-01 00:00:00')"
}

func (d *mysqlServer) decimal(column string) string {
	return "CAST(" + column + " * 0.0001 AS DECIMAL(19,4))"
}

func (d *mysqlServer) text(column string) string {
	return "CONVERT(" + column + " USING utf8mb4) COLLATE " + d.collation
}

func (d *mysqlServer) snapshotIsolation() sql.IsolationLevel { return sql.LevelRepeatableRead }

// Errors of the server that pass by themselves: it is full, starting, stopping,
// read-only during a change of the primary, or another transaction was in the way.
var passingErrors = []uint16{1021, 1040, 1041, 1053, 1077, 1079, 1114, 1152, 1158, 1159, 1160, 1161, 1180, 1203, 1205, 1213, 1226, 1290, 1317, 1836, 1927, 2006, 2013, 3024, 3100, 3101, 4031}

func (d *mysqlServer) judge(err error) (fault, string) {
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return judgeConnection(err)
	}
	switch {
	case slices.Contains(passingErrors, e.Number):
		return passing, ""
	case e.Number == 1045 || e.Number == 1698 || e.Number == 1251 || e.Number == 2061:
		return mendable, "check user and password; the password comes from the address, --database-password-file or LIUSHUI_DATABASE_PASSWORD" + d.wantsTLS()
	case e.Number == 3159:
		return mendable, "add --database-tls, or --database-tls-ca with the file of the server's authority"
	case e.Number == 1049:
		return mendable, "make it first: CREATE DATABASE " + d.quote(d.address.database)
	case e.Number == 1044 || e.Number == 1142 || e.Number == 1143 || e.Number == 1370:
		return mendable, "the user may not do this; GRANT ALL ON " + d.quote(d.address.database) + ".* to it"
	case e.Number == 1347 || e.Number == 1050:
		return mendable, "another table has this name; give Liushui a database of its own"
	}
	return fatal, ""
}

// wantsTLS is said where a server may refuse a user for want of TLS.
func (d *mysqlServer) wantsTLS() string {
	if d.address.tls != "" {
		return ""
	}
	return "; a server that takes a user with TLS only says the same: then add --database-tls"
}

func judgeConnection(err error) (fault, string) {
	var network net.Error
	var said *net.OpError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return mendable, fmt.Sprintf("the server's certificate is valid from %s to %s; renew it there, or mend the clock here",
			invalid.Cert.NotBefore.Format(time.DateTime), invalid.Cert.NotAfter.Format(time.DateTime))
	case errors.As(err, &name):
		return mendable, "name the server in the database address as its certificate does"
	case errors.As(err, &certificate):
		return mendable, "the server's certificate is not trusted here; name the file of its authority with --database-tls-ca"
	case errors.As(err, &said) && said.Op == "remote error":
		return mendable, "the server refuses our TLS; it must speak TLS 1.2 or 1.3"
	case errors.Is(err, mysql.ErrNoTLS):
		return mendable, "the server has no TLS; leave --database-tls and its kin, and tls in the address, out"
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, driver.ErrBadConn),
		errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, mysql.ErrMalformPkt), errors.Is(err, mysql.ErrPktSync),
		errors.Is(err, mysql.ErrPktSyncMul), errors.Is(err, mysql.ErrBusyBuffer):
		return passing, ""
	}
	return fatal, ""
}

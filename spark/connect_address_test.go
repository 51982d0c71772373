package spark

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

func TestAddress(t *testing.T) {
	for text, want := range map[string]address{
		"sc://spark":                            {host: "spark:15002"},
		"sc://spark:15003/":                     {host: "spark:15003"},
		"sc://[::1]":                            {host: "[::1]:15002"},
		"sc://[::1]:99/;use_ssl=true":           {host: "[::1]:99", tls: true},
		"sc://spark/;token=a%3Bb;user_id=shop;": {host: "spark:15002", tls: true, token: "a;b", user: "shop"},
		"sc://spark/;use_ssl=false;token=t":     {host: "spark:15002", token: "t"},
		"sc://127.0.0.1/;token=t":               {host: "127.0.0.1:15002", token: "t"}, // this machine's own
		"sc://localhost/;token=t;X-Tenant=a":    {},
		"sc://localhost/;token=t;x-Tenant=a":    {host: "localhost:15002", token: "t", headers: map[string]string{"x-tenant": "a"}},
	} {
		got, err := parseAddress(text, "")
		if want.host == "" {
			if err == nil {
				t.Errorf("%s is taken", text)
			}
			continue
		}
		if want.headers == nil {
			want.headers = map[string]string{}
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if diff := cmp.Diff(want, *got, cmp.AllowUnexported(address{})); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
	}
	if a, err := parseAddress("sc://spark/;token=old", "new"); err != nil || a.token != "new" || !a.tls {
		t.Errorf("a token beside the address: %+v, %v", a, err)
	}
}

func TestAddressSaysWhatIsWrong(t *testing.T) {
	for text, words := range map[string]string{
		"spark:15002":                   `"spark:15002" is not the address of a Spark Connect server: write sc://host:15002`,
		"http://spark/;token=secret":    `"http://spark" is not the address`,
		"sc://":                         `"sc://" is not the address`,
		"sc://:15002":                   `is not the address`,
		"sc://spark:http":               `is not the address`,
		"sc://spark:0":                  `is not the address`,
		"sc://spark:99999":              `is not the address`,
		"sc://user:secret@spark":        `is not the address`,
		"sc://spark;token=secret":       `"sc://spark" is not the address`,
		"sc://spark/path;token=secret":  "sc://spark:15002: what follows the host begins with /;",
		"sc://spark/;use_ssl=secret":    "use_ssl is true or false",
		"sc://spark/;tokn=secret":       `no parameter "tokn"; there are use_ssl, token, user_id and x-…`,
		"sc://spark/;token=":            "token has no value",
		"sc://spark/;token=secret%2":    "the value of token has a % that begins no %XX",
		"sc://spark/;token=secret%0Ax":  "the token has characters that no token has",
		"sc://spark/;session_id=secret": `no parameter "session_id"`,
	} {
		_, err := parseAddress(text, "")
		if err == nil || !errors.Is(err, liushui.ErrMisuse) || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v; want %s", text, err, words)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("it tells what is secret: %v", err)
		}
	}
}

func TestATokenInTheClearIsWarnedOf(t *testing.T) {
	for address, warned := range map[string]bool{
		"sc://spark.example/;use_ssl=false": true, "sc://spark.example": false, "sc://127.0.0.1": false,
	} {
		var log bytes.Buffer
		c, err := open(server{Address: address, Token: "secret", Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if got := strings.Contains(log.String(), "in the clear"); got != warned || strings.Contains(log.String(), "secret") {
			t.Errorf("%s: %s", address, log.String())
		}
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]struct{ fault, realtime string }{
		"3.5.8":          {fault: "this is Spark 3.5.8; Liushui needs 4.1 or 4.2"},
		"4.0.1":          {fault: "this is Spark 4.0.1; Liushui needs 4.1 or 4.2"},
		"4.1.1":          {realtime: "--trigger realtime wants Spark 4.3 or later, where it can aggregate; this is 4.1.1"},
		"4.2.0":          {realtime: "this is 4.2.0"},
		"4.3.0-SNAPSHOT": {},
		"4.12.0":         {},
		"5.0.0":          {fault: "this is Spark 5.0.0, which Liushui does not know"},
		"4":              {fault: `the server calls its version "4", which is none`},
		"four.two.zero":  {fault: "which is none"},
		"":               {fault: "which is none"},
	} {
		v, err := parseVersion(text)
		if err == nil {
			err = v.supported()
		}
		if (err == nil) != (want.fault == "") || err != nil && !strings.Contains(err.Error(), want.fault) {
			t.Errorf("%q: %v; want %q", text, err, want.fault)
		}
		if want.fault != "" {
			continue
		}
		if err := v.realtime(); (err == nil) != (want.realtime == "") || err != nil && (!strings.Contains(err.Error(), want.realtime) || !errors.Is(err, liushui.ErrMisuse)) {
			t.Errorf("%q in real time: %v; want %q", text, err, want.realtime)
		}
	}
}

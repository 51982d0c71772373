package main

import (
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	for name, args := range map[string]string{
		"shop.txt":    "shop",
		"small.txt":   "testdata/small.yaml",
		"mapping.txt": "tmall-orders",
		"orders.txt":  "tmall-orders --csv testdata/orders.csv",
		"own.txt":     "testdata/own-mapping.yaml --csv testdata/orders.csv",
	} {
		r := command(t, append([]string{"check"}, strings.Fields(args)...)...)
		if r.code != exitFine || r.errOut != "" {
			t.Errorf("check %s exits with %d: %s", args, r.code, r.errOut)
		}
		golden(t, "check/"+name, r.out)
	}
}

package store

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"liushui"
)

// shop is a small job of the tests.
const shopText = `job: shop
zone: Asia/Shanghai
currency: CNY
lateness: 10s
corrections: 1h
statistics:
  sales:
    windows: [1m, 1d]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
  sales_by_province:
    windows: [1m, 1d]
    by: [province]
    measures:
      orders: {compute: count, where: {type: order}}
      paid: {compute: sum amount, where: {type: pay}}
`

// topic makes the records of a results topic.
type topic struct {
	t       *testing.T
	records []liushui.Record
	jobs    map[int64]*liushui.Job
}

func (l *topic) add(key string, value []byte) {
	l.records = append(l.records, liushui.Record{Offset: int64(len(l.records)), Key: []byte(key), Value: value})
}

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "a b?#%.db")
	s, err := Open(ctx, Config{DSN: "sqlite:" + path, Log: slog.Default()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Begin(ctx, "T", 0, 0); err != nil {
		t.Fatal(err)
	}
	l := &topic{t: t}
	l.add(liushui.KeyJob, []byte(fmt.Sprintf(`{"job":"shop","generation":5,"text":%s}`, liushui.AppendQuoted(nil, shopText))))
	l.add(`["sales_by_province","1d","1580486400000","上海"]`, []byte(`{"statistic":"sales_by_province","window":"1d","start":1580486400000,"end":1580572800000,"key":{"province":"上海"},
            "values":{"orders":3,"paid":178.76},"version":5,"late":0,"generation":5,"repair":0,"engine":"native"}`))
	if err := s.Apply(ctx, l.records); err != nil {
		t.Fatal(err)
	}
	err = s.View(ctx, func(v liushui.Snapshot) error {
		rows, err := v.Rows(ctx, liushui.Query{Statistic: "sales_by_province", Window: "1d", Top: 3, By: "paid"})
		t.Logf("%+v", rows)
		if len(rows) != 1 || rows[0].Values[1].N != 1787600 {
			t.Errorf("rows: %+v", rows)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s.Health())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

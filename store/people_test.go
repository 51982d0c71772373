package store

import (
	"fmt"
	"net/url"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"liushui"
)

// peopleTopic has two days, and results of all states.
func peopleTopic(t testing.TB) *topic {
	l := newTopic(t)
	l.job(5, shopText)
	l.progress(liushui.Progress{Generation: 5, Watermark: start + day})
	for i, r := range []struct {
		province    string
		day         int64
		orders      int64
		paid        liushui.Value
		late, start int64
	}{
		{"上海", 0, 3, liushui.Value{N: 1787600}, 0, 0},
		{"江苏", 0, 12, liushui.Value{N: 29957606100}, 2, 0},
		{"", 0, 1, liushui.Value{N: 30000}, liushui.LateUnknown, 0},
		{"shanghai", 0, 2, liushui.Value{N: 1}, 0, 0},
		{"Shanghai", 0, 4, liushui.Value{N: 999999999999999}, 0, 0},
		{"Shanghai ", 0, 5, liushui.Value{N: 1<<63 - 1}, 0, 0},
		{"上海", 1, 2, liushui.Value{N: 1234500}, 0, 0},
		{"江苏", 1, 7, liushui.Value{Null: true}, 0, 0},
	} {
		l.result(liushui.Result{Statistic: "sales_by_province", Window: "1d", Start: start + r.day*day, Key: []string{r.province}, Generation: 5,
			Version: int64(i + 1), Late: r.late, Values: []liushui.Value{{N: r.orders}, r.paid}})
	}
	for m := range int64(3) {
		l.result(liushui.Result{Statistic: "sales", Window: "1m", Start: start + 10*60*minute + m*minute, Generation: 5, Version: 1, Values: values(m, 10_000_000_000+m)})
	}
	return l
}

// What a person types is answered in words and numbers of people: local time,
// decimal money, how firm it is.
func TestPeopleReadPlainSelects(t *testing.T) {
	asked := []string{
		"SELECT * FROM sales_by_province",
		"SELECT start, state, province, paid FROM sales_by_province WHERE window_size = '1d' AND start >= '2020-02-01' AND start < '2020-02-02' AND state <> 'provisional' ORDER BY paid DESC LIMIT 3",
		"SELECT orders, paid FROM sales_by_province WHERE province = '上海' ORDER BY start",
		"SELECT province, COUNT(*) AS days, SUM(orders) AS orders FROM sales_by_province GROUP BY province ORDER BY province",
		"SELECT SUM(paid) AS paid FROM sales WHERE window_size = '1m' AND start BETWEEN '2020-02-01 10:00:00' AND '2020-02-01 10:01:00'",
		"SELECT start, `end` FROM sales ORDER BY start",
	}
	l := peopleTopic(t)
	onEach(t, func(t *testing.T, dsn string) {
		s := begun(t, Config{DSN: dsn})
		s.mustApply(t, l.records)
		var b strings.Builder
		for _, statement := range asked {
			fmt.Fprintf(&b, "%s;\n%s\n", statement, s.ask(t, dsn, statement))
		}
		kind, _, _ := strings.Cut(dsn, ":")
		if d, ok := s.db.(*mysqlServer); ok && d.collation == "utf8mb4_bin" {
			kind = "mysql-before-8.0.17" // GROUP BY a view's text does not see trailing blanks there
		}
		golden(t, "people."+kind+".txt", b.String())
	})
}

// ask asks as a person does: MariaDB with its own client, SQLite as its shell shows values.
func (s *Store) ask(t testing.TB, dsn, statement string) string {
	t.Helper()
	if u, err := url.Parse(dsn); err == nil && u.Scheme == "mysql" {
		out, err := exec.Command("mariadb", "--no-defaults", "--protocol=tcp", "--default-character-set=utf8mb4", "--host="+u.Hostname(), "--port="+u.Port(), "--user=root", "--table",
			"--execute="+statement, strings.TrimPrefix(u.Path, "/")).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", statement, err, out)
		}
		return string(out)
	}
	rows, err := s.read.QueryContext(t.Context(), statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(names, "|") + "\n"
	for rows.Next() {
		cells := make([]any, len(names))
		into := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var shown []string
		for _, cell := range cells {
			switch v := cell.(type) {
			case nil:
				shown = append(shown, "NULL")
			case float64:
				number := strconv.FormatFloat(v, 'g', 15, 64)
				if !strings.ContainsAny(number, ".e") {
					number += ".0"
				}
				shown = append(shown, number)
			default:
				shown = append(shown, fmt.Sprint(v))
			}
		}
		text += strings.Join(shown, "|") + "\n"
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return text
}

package main

import (
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"liushui"
)

// The true figures of the real files, computed from the files with exact
// decimals; the files lie beside a checkout, see CONTRIBUTING.md.
const shared = "../../../shared/data/"

func realFile(t *testing.T, name string) string {
	t.Helper()
	if _, err := os.Stat(shared + name); err != nil {
		t.Skip("the real files are not there: ", shared+name)
	}
	return shared + name
}

// replayed runs a real file through the whole line, and returns its data directory and summary.
func replayed(t *testing.T, name string, more ...string) (data, summary string) {
	t.Helper()
	csv := realFile(t, name)
	data = filepath.Join(t.TempDir(), "data")
	r := must(t, command(t, upArgs(t, data, append([]string{"--csv", csv, "--speed", "max", "--exit-when-done"}, more...)...)...))
	return data, r.out
}

// totals adds up measures over the rows of a query.
func totals(t *testing.T, data, statistic string, measures ...string) map[string]string {
	t.Helper()
	all := rows(t, statistic, "--data", data)
	got := map[string]string{}
	for _, m := range measures {
		got[m] = sum(t, all, m)
	}
	return got
}

// sums adds up measures by a key field.
func sums(t *testing.T, data, statistic, field string, measures ...string) map[string][]string {
	t.Helper()
	by := map[string][]row{}
	for _, r := range rows(t, statistic, "--data", data) {
		if r["state"] != "final" && r["state"] != "corrected" {
			t.Errorf("%s of %s is %s, want final", statistic, r["start"], r["state"])
		}
		by[r.text(field)] = append(by[r.text(field)], r)
	}
	got := map[string][]string{}
	for key, all := range by {
		for _, m := range measures {
			got[key] = append(got[key], strings.TrimSuffix(sum(t, all, m), ".00"))
		}
	}
	return got
}

// pick keeps the keys that want has.
func pick(got, want map[string][]string) map[string][]string {
	kept := map[string][]string{}
	for key := range want {
		kept[key] = got[key]
	}
	return kept
}

func contains(t *testing.T, summary, want string) {
	t.Helper()
	if !strings.Contains(summary, want) {
		t.Errorf("the summary has not %q:\n%s", want, summary)
	}
}

func TestTrueTmall(t *testing.T) {
	data, summary := replayed(t, "tmall_orders_202002.csv", "--mapping", "tmall-orders")
	contains(t, summary, "events   57743 (order 28010, pay 24087, refund 5646)\n")
	contains(t, summary, "records  57743 read = 57743 counted + 0 duplicate + 0 late + 0 bad + 0 ignored\n")

	want := map[string]string{"orders": "28010.00", "ordered": "2995760.61", "payments": "24087.00",
		"paid": "2474823.07", "refunds": "5646.00", "refunded": "572335.92"}
	if diff := cmp.Diff(want, totals(t, data, "sales", "orders", "ordered", "payments", "paid", "refunds", "refunded")); diff != "" {
		t.Errorf("February 2020: %s", diff)
	}

	provinces := sums(t, data, "sales_by_province", "province", "orders", "ordered", "payments", "paid", "refunded")
	if len(provinces) != 31 {
		t.Errorf("%d provinces, want 31", len(provinces))
	}
	wantProvinces := map[string][]string{
		"上海": {"3353", "544907.63", "3060", "326457.79", "62418.01"},
		"北京": {"2054", "231055.49", "1853", "212389.84", "45941.36"},
		"江苏": {"2126", "227930.93", "1845", "202370.52", "43011.34"},
		"广东": {"2463", "227855.28", "2022", "193411.60", "45588.70"},
		"浙江": {"2061", "203126.96", "1822", "184899.60", "43234.80"},
		"四川": {"2019", "188948.12", "1752", "167947.91", "40299.76"},
	}
	if diff := cmp.Diff(wantProvinces, pick(provinces, wantProvinces)); diff != "" {
		t.Errorf("provinces: %s", diff)
	}
	for province, orders := range map[string]string{"西藏": "3", "青海": "19", "宁夏": "42"} {
		if got := provinces[province]; len(got) == 0 || got[0] != orders {
			t.Errorf("%s has %v, want %s orders", province, got, orders)
		}
	}

	days := sums(t, data, "sales", "start", "orders", "ordered")
	wantDays := map[string][]string{
		"2020-02-24T00:00:00+08:00": {"1998", "398538"},
		"2020-02-25T00:00:00+08:00": {"3416", "338586.40"},
	}
	if diff := cmp.Diff(wantDays, pick(days, wantDays)); diff != "" {
		t.Errorf("days: %s", diff)
	}
	for day, orders := range map[string]string{"2020-02-08": "0", "2020-02-12": "1", "2020-02-16": "0"} {
		if got := days[day+"T00:00:00+08:00"]; len(got) > 0 && got[0] != orders { // payments and refunds of the day before may be there
			t.Errorf("%s has %s orders, want %s", day, got[0], orders)
		}
	}
}

// TestTrueRawHeaders is the other public copy of the export, whose header names
// have blanks at their ends: the same mapping makes the same events of it.
func TestTrueRawHeaders(t *testing.T) {
	said := map[string]string{}
	for _, name := range []string{"tmall_orders_202002.csv", "tmall_orders_202002_raw_headers.csv"} {
		r := must(t, command(t, "check", "tmall-orders", "--csv", realFile(t, name)))
		said[name] = strings.ReplaceAll(r.out, name, "FILE")
		contains(t, r.out, "events: 57743 (order 28010, pay 24087, refund 5646)\n")
		contains(t, r.out, "bad rows: none\n")
	}
	if diff := cmp.Diff(said["tmall_orders_202002.csv"], said["tmall_orders_202002_raw_headers.csv"]); diff != "" {
		t.Error(diff)
	}
}

func TestTrueTaobaoBehavior(t *testing.T) {
	data, summary := replayed(t, "taobao_userbehavior_96k.csv", "--mapping", "taobao-behavior")
	contains(t, summary, "events   96168 (view 85773, cart 5292, favorite 2959, pay 2144)\n")
	rejects, err := os.ReadFile(filepath.Join(data, "rejects.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(rejects); strings.Count(text, "\n") != 2 || !strings.Contains(text, "taobao_userbehavior_96k.csv,96169,") || !strings.Contains(text, "301780,543546,4181361,pv,15") {
		t.Errorf("rejects.csv is\n%s, want the cut line 96169 alone", text)
	}

	visitors := rows(t, "visitors", "--data", data)
	if len(visitors) != 1 {
		t.Fatalf("%d days of visitors, want 1", len(visitors))
	}
	users, err := strconv.ParseFloat(string(visitors[0].number(t, "users")), 64)
	if err != nil {
		t.Fatal(err)
	}
	if off := math.Abs(users-58732) / 58732; off > 3*0.013 {
		t.Errorf("%.0f users, want 58732 within three standard errors of 1.3 %%", users)
	}

	want := map[string]string{ // parent: view cart favorite pay
		"Clothing & Shoes": "13259 893 431 437", "Tools": "7746 524 297 231", "Books": "9098 597 275 228",
		"Foods": "6879 434 232 225", "Electronics": "7974 480 288 216", "Sports & Outdoors": "9401 594 347 205",
		"Cell Phones": "14875 782 488 203", "Home & Kitchens": "9105 539 333 195", "Others": "6895 427 247 187", "": "541 22 21 17",
	}
	counts := map[string]map[string]string{}
	for _, r := range rows(t, "activity_by_category", "--data", data) {
		category := r.text("category")
		if counts[category] == nil {
			counts[category] = map[string]string{}
		}
		counts[category][r.text("type")] = string(r.number(t, "events"))
	}
	got := map[string]string{}
	for category, c := range counts {
		got[category] = strings.Join([]string{c["view"], c["cart"], c["favorite"], c["pay"]}, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("categories: %s", diff)
	}

	top := rows(t, "activity_by_item", "--data", data, "--window", "1h", "--where", "item=2338453", "--where", "type=view")
	if got := sum(t, top, "events"); got != "61.00" {
		t.Errorf("item 2338453 has %s views, want 61", got)
	}
}

func TestTrueTaobaoUserLog(t *testing.T) {
	data, summary := replayed(t, "taobao_user_log_1111_10k.csv", "--mapping", "taobao-user-log")
	contains(t, summary, "events   10000 (view 8644, cart 6, favorite 101, pay 1249)\n")
	contains(t, summary, "10000 counted + 0 duplicate + 0 late")
	genders := map[string]string{}
	for _, r := range rows(t, "activity_by_gender", "--data", data, "--where", "type=pay") {
		genders[r.text("gender")] = string(r.number(t, "events"))
	}
	want := map[string]string{"female": "429", "male": "401", "": "419"}
	if diff := cmp.Diff(want, genders); diff != "" {
		t.Errorf("buys by gender: %s", diff)
	}
}

func TestTrueOnlineRetail(t *testing.T) {
	data, _ := replayed(t, "online_retail_201112.csv", "--mapping", "online-retail", "--job", "testdata/countries.yaml")
	got := totals(t, data, "totals", "sold", "cancelled", "paid", "refunded")
	want := map[string]string{"sold": "25111.00", "cancelled": "360.00", "paid": "638792.68", "refunded": "205124.67"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("December 2011: %s", diff)
	}

	net := map[string]string{}
	for country, figures := range sums(t, data, "by_country", "country", "paid", "refunded") {
		paid, refunded := money(t, figures[0]), money(t, figures[1])
		net[country] = (paid - refunded).String()
	}
	if len(net) != 21 {
		t.Errorf("%d countries, want 21", len(net))
	}
	for country, want := range map[string]string{"United Kingdom": "388735.43", "Netherlands": "11728.02", "Germany": "7804.70",
		"EIRE": "7323.04", "France": "7048.83", "Portugal": "2801.95", "Norway": "2785.70", "Belgium": "1409.43",
		"Japan": "-116.93", "Cyprus": "-91.25", "Malta": "-30.81", "Sweden": "0.00"} {
		if net[country] != want {
			t.Errorf("net of %s is %q, want %s", country, net[country], want)
		}
	}
}

func money(t *testing.T, s string) liushui.Money {
	t.Helper()
	m, err := liushui.ParseMoney(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

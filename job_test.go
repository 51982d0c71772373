package liushui

import "testing"

func TestX(t *testing.T) {
	text, _ := BuiltinJob("shop")
	j, err := ParseJob("shop", text)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range j.Statistics {
		t.Logf("%+v", *s)
	}
	t.Log(j.Hash())
	for _, bad := range []string{"job: a\nfoo: 3", "job: a\nzone: UTC\ncurrency: CNY\nlateness: 1s\ncorrections: 1h\nstatistics:\n  a:\n    windows: [1m]\n    bye: [x]\n"} {
		_, err := ParseJob("b.yaml", bad)
		t.Log(err)
	}
}

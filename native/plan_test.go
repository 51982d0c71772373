package native

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write golden files anew")

// The plan of the built-in job, for people to read: a change of the job shows
// here what the engine will run.
func TestPlanOfShop(t *testing.T) {
	const path = "testdata/shop.plan"
	got := compile(shop(t)).String()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the plan has changed (-update writes it anew):\n%s", diff)
	}
}

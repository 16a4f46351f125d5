package notify

import (
	"os"
	"strings"
	"testing"

	"weir/internal/config"
)

const exampleUnits = "../../examples/notify/units.yaml"

func TestTheExampleIsValidItsTestsHoldAndTheDocsShowIt(t *testing.T) {
	u, err := LoadUnits(exampleUnits)
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Tests) < 7 {
		t.Errorf("only %d tests", len(u.Tests))
	}
	failed, err := u.Test()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range failed {
		t.Error(f)
	}
	text, err := os.ReadFile(exampleUnits)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../../docs/notify-units.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), "```yaml\n"+string(text)+"```\n") {
		t.Error("docs/notify-units.md shows another file than examples/notify/units.yaml")
	}
}

func TestTestsWithATimeSayWhatIsHeld(t *testing.T) {
	b, err := os.ReadFile(exampleUnits)
	if err != nil {
		t.Fatal(err)
	}
	u := units(t, strings.Replace(string(b), "at: \"2026-11-23 21:00\"", "at: \"2026-11-23 12:00\"", 1))
	failed, err := u.Test()
	if err != nil || len(failed) != 1 || failed[0].Got.String() != "[fin-mail]" || failed[0].Want.String() != "[], held in [fin-mail]" {
		t.Errorf("%v, %v", failed, err)
	}
	var bad Units
	if err := config.Decode("units.yaml", []byte(strings.Replace(string(b), "2026-11-23 21:00", "tonight", 1)), &bad); err == nil || !strings.Contains(err.Error(), `"tonight" is no time`) {
		t.Errorf("got %v", err)
	}
}

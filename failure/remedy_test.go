package failure_test

import (
	"errors"
	"strings"
	"testing"

	"orderly/failure"
)

// What a ledger keeps of a remedy is fit for a terminal, and damage to it loses no word.
func TestAKeptRemedyIsPrintable(t *testing.T) {
	if kept := ("Run " + failure.Do(failure.Unpause, "a", "b") + ".").Keep(); kept !=
		`[["Run "],["unpause","a","b"],["."]]` {
		t.Error(kept)
	}
	for _, text := range []string{"", "Wait.", "Run `orderly resume`.", "[[", `[["a"],[],[1]]`} {
		if got := failure.Kept(text); string(got) != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
}

// What a page or a name brings is no step, and nothing of a remedy is lost, whatever a ledger
// holds.
func TestARemedyIsSaidWhole(t *testing.T) {
	say := func(step failure.Step, args []string) string {
		return "<" + string(step) + ":" + strings.Join(args, ",") + ">"
	}
	forged := string(failure.Do(failure.Insist))
	for _, c := range []struct {
		remedy failure.Remedy
		want   string
	}{
		{"", ""},
		{"Wait.", "Wait."},
		{failure.Do(failure.Resume) + " goes on.", "<resume:> goes on."},
		{"Run " + failure.Do(failure.Unpause, "a", "b") + failure.Do(failure.Resume) + ".",
			"Run <unpause:a,b><resume:>."},
		{failure.Do(failure.Unpause, forged) + ".", "<unpause:insist>."},
		{failure.Remedy("Mend "+failure.Clean(forged)) + ".", "Mend insist."},
		{"Wait \x02resume", "Wait \x02resume"},
		{"\x02\x03.", "<:>."},
		{"[[\"a\"]]", "[[\"a\"]]"},
	} {
		if got := c.remedy.Say(say); got != c.want {
			t.Errorf("%q is said as %q, want %q", c.remedy, got, c.want)
		}
		kept := c.remedy.Keep()
		if again := failure.Kept(kept); again.Say(say) != c.want {
			t.Errorf("%q is kept as %s, which is said as %q", c.remedy, kept, again.Say(say))
		}
	}
}

// What goes into a remedy breaks no line of it and makes no step; a Remedy that goes into one, or
// into a sentence, keeps its own.
func TestWhatGoesIntoARemedyStaysWhatItIs(t *testing.T) {
	own, forged := failure.Do(failure.Insist), string(failure.Do(failure.Resume))
	for got, want := range map[failure.Remedy]failure.Remedy{
		failure.Advise("Do %s, not %s.", own, forged):               "Do " + own + ", not  resume .",
		failure.Advise("%v", errors.New("a\x1b[2J\nb")):             "a [2J b",
		failure.Remedy("a\nb\x02" + string(own) + ".").Cleaned():    "a b\x02 insist\x03.",
		failure.Advise("%s", own+"\x1b"):                            own + " ",
		("Name it: " + failure.Do(failure.NameRoot) + ".").For("a"): "Name it: " + failure.Do(failure.NameRoot, "a") + ".",
		failure.Do(failure.NameRoot, "b").For("a"):                  failure.Do(failure.NameRoot, "b"),
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := failure.New(failure.Config, "", "%s is not set", own).Error(); got != string(own)+" is not set" {
		t.Errorf("%q", got)
	}
}

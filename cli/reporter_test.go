package cli

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/outside"
	"orderly/renewal"
)

// What the packages below tell is one line, whatever they put into it; its steps are in words, also
// in the log.
func TestNothingThatIsToldForgesALine(t *testing.T) {
	var out, log bytes.Buffer
	p := &printer{out: &out, err: &out, getenv: func(string) string { return "" }}
	p.file = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug,
		ReplaceAttr: p.logged}))
	const forged = "a\nwarning: \x02insist\x03"
	r := reporter{p: p}
	for _, tell := range []func(string, ...any){r.Say, r.Tell, r.Warn} {
		tell("%s, %v, %v: %s", forged, errors.New(forged), []string{forged},
			failure.Do(failure.RequestFile, forged))
	}
	const want = "a warning:  insist , a warning:  insist , [a warning:  insist ]: --csr 'a warning:  insist'"
	if got := out.String(); got != want+"\n"+want+"\nwarning: "+want+"\n" {
		t.Errorf("%q", got)
	}
	out.Reset()
	r.Say("it printed\n%s", outside.PrintedBy("one\ntwo\x1b[2J\n"))
	if got := out.String(); got != "it printed\n one\n two [2J\n" {
		t.Errorf("%q", got)
	}
	p.file.Info("m", "err", failure.New(failure.Config, "", "%s: no", failure.Do(failure.KeyFile)),
		"remedy", "Run "+failure.Do(failure.Resume)+".")
	for _, words := range []string{`err="--key-path: no"`, "remedy=\"Run `orderly resume`.\""} {
		if !strings.Contains(log.String(), words) {
			t.Errorf("the log lacks %s: %s", words, log.String())
		}
	}
	if lines := strings.Count(log.String(), "\n"); lines != 5 {
		t.Errorf("%d lines in the log: %s", lines, log.String())
	}
}

// The line of a round under way stands beneath whatever is printed, and is gone when all is done.
func TestTheProgressOfARoundStandsBeneath(t *testing.T) {
	var out, shown bytes.Buffer
	p := &printer{out: &out, err: &shown, getenv: func(string) string { return "" }}
	p.barred = "Renewing [] 1 of 2"
	p.Say("a block")
	p.Warn("mind")
	p.unbar()
	p.Tell("over")
	if out.String() != "a block\n" || shown.String() != markErase+"Renewing [] 1 of 2"+markErase+"warning: mind\nRenewing [] 1 of 2"+markErase+"over\n" {
		t.Errorf("%q, %q", out.String(), shown.String())
	}
	for want, g := range map[string]renewal.Progress{
		"":                          {All: 9, Done: 9},
		", 3 under way":             {All: 9, UnderWay: 3},
		", 2 failed, 20.0 s left":   {All: 9, Done: 5, Failed: 2},
		", 1 under way, 5 min left": {All: 64, Done: 4, UnderWay: 1},
	} {
		if got := behindBar(g, g.Done, time.Duration(g.Done)*5*time.Second); strings.ReplaceAll(got, "about ", "") != want {
			t.Errorf("%+v: %q", g, got)
		}
	}
}

// In a narrow terminal the bar gives way before the numbers do.
func TestABarFitsItsLine(t *testing.T) {
	for columns, want := range map[int]string{
		0:  "Renewing [=====                         ] 1 of 6, 3 under way",
		80: "Renewing [=====                         ] 1 of 6, 3 under way",
		45: "Renewing [==           ] 1 of 6, 3 under way",
		38: "Renewing 1 of 6, 3 under way",
		12: "Renewing 1 ",
	} {
		if got := barLine("Renewing", 1, 6, ", 3 under way", columns); got != want {
			t.Errorf("%d columns: %q", columns, got)
		}
	}
}

// What one lineage waits for is told between the blocks of others.
func TestWhatIsWaitedForStandsInNoBlock(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out, err: &out, getenv: func(string) string { return "" }}
	begin, end := p.whole(p.processing, p.looked)
	begin("a.conf")
	told := make(chan struct{})
	begun := make(chan struct{})
	go func() {
		close(begun)
		p.Tell("Waiting for another.")
		close(told)
	}()
	<-begun
	p.Say("Renewing a")
	end(renewal.Result{Outcome: renewal.Kept})
	<-told
	if got := out.String(); !strings.HasSuffix(got, "\nRenewing a\nCertificate not yet due for renewal\nWaiting for another.\n") {
		t.Errorf("%q", got)
	}
}

// Where nobody watches, nobody is told of each of thousands of lineages how far a round has come.
func TestNobodyIsToldHowFarWithoutATerminal(t *testing.T) {
	p := &printer{err: io.Discard, getenv: func(string) string { return "" }}
	if p.roundBar("Renewing") != nil {
		t.Error("a bar is drawn where there is no terminal")
	}
	p.bar("read")(1, 2) // and this is nothing
}

// Whatever becomes of a certificate is counted.
func TestEveryOutcomeIsCounted(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out, err: &out, getenv: func(string) string { return "" }}
	count(p, []renewal.Result{{Outcome: renewal.Issued}, {Outcome: renewal.Kept}, {Outcome: renewal.Kept},
		{Outcome: renewal.Failed}, {Outcome: renewal.Failed, Refused: true}, {Outcome: renewal.Locked},
		{Outcome: renewal.Invalid}, {Outcome: string(ledger.LostState)}, {Outcome: string(ledger.ReleasedState)},
		{Outcome: renewal.Rehearsed}, {Outcome: renewal.Skipped}, {Outcome: renewal.Stopped}}, 39)
	if want := "1 renewed, 1 rehearsed, 2 kept, 1 refused before any order, 1 locked by another run, 1 failed, 1 stopped, to be continued, " +
		"1 unusable, 1 left alone as a copy, 2 over without a certificate, 39 not reached.\n"; out.String() != want {
		t.Errorf("%q", out.String())
	}
}

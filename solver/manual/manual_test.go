package manual_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/solver/manual"
)

// desk is a solver with a clock and a directory for what hooks write.
type desk struct {
	*manual.Solver
	dir     string
	now     time.Time
	reports []string
}

func newDesk(t *testing.T) *desk {
	d := &desk{dir: t.TempDir(), now: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}
	d.Solver = &manual.Solver{
		Now: func() time.Time { return d.now }, Env: []string{"DIR=" + d.dir},
		Report: func(kind, domain string, r manual.Result) {
			d.reports = append(d.reports, fmt.Sprintf("%s %s: %d %q %q", kind, domain, r.Code, r.Stdout.Arrived(), r.Stderr.Arrived()))
		},
	}
	return d
}

// wrote is what hooks wrote into a file.
func (d *desk) wrote(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

const tell = `env | grep ^CERTBOT_ | sort >> $DIR/`

func proof() manual.Proof {
	return manual.Proof{Auth: tell + "auth; echo ' the output '; echo aside >&2", Cleanup: tell + "cleanup", Domain: "a.example", Validation: "v.t",
		Token: "v", Remaining: 1, All: []string{"a.example", "b.example"}}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// planned is the placement of a proof.
func (d *desk) planned(t *testing.T, p manual.Proof) manual.Placement {
	t.Helper()
	placement, err := d.Plan(p, nil)
	must(t, err)
	return placement
}

func TestHooksAreToldWhatCertbotTells(t *testing.T) {
	d := newDesk(t)
	placement, stands, err := d.Place(t.Context(), d.planned(t, proof()))
	must(t, err)
	if !stands || placement.DoneAt.IsZero() {
		t.Errorf("%v %+v", stands, placement)
	}
	told := "CERTBOT_ALL_DOMAINS=a.example,b.example\nCERTBOT_DOMAIN=a.example\nCERTBOT_IDENTIFIER=a.example\nCERTBOT_REMAINING_CHALLENGES=1\nCERTBOT_TOKEN=v\nCERTBOT_VALIDATION=v.t"
	if got := d.wrote(t, "auth"); got != told {
		t.Errorf("the auth hook: %s", got)
	}
	// Another process cleans up, by the record alone.
	other := newDesk(t)
	must(t, other.Remove(t.Context(), reread(t, placement).Leaving()))
	if got, want := other.wrote(t, "cleanup"), strings.Replace(told, "CERTBOT_DOMAIN", "CERTBOT_AUTH_OUTPUT=the output\nCERTBOT_DOMAIN", 1); got != want {
		t.Errorf("the cleanup hook: %s", got)
	}
	if got := strings.Join(d.reports, "; "); got != `auth-hook a.example: 0 " the output \n" "aside\n"` {
		t.Errorf("reported: %s", got)
	}
}

// reread is a placement as another process reads it.
func reread(t *testing.T, p manual.Placement) manual.Placement {
	t.Helper()
	again, err := manual.Decode(p.String())
	must(t, err)
	return again
}

// Hooks for both challenges tell by CERTBOT_TOKEN which it is.
func TestAHookForDNSHasNoToken(t *testing.T) {
	d, p := newDesk(t), proof()
	p.Token = ""
	_, _, err := d.Place(t.Context(), d.planned(t, p))
	must(t, err)
	if got := d.wrote(t, "auth"); strings.Contains(got, "CERTBOT_TOKEN") || !strings.Contains(got, "CERTBOT_VALIDATION=v.t") {
		t.Errorf("told: %s", got)
	}
}

func TestAHookThatHasRunIsNotRunAgain(t *testing.T) {
	d := newDesk(t)
	placement, _, err := d.Place(t.Context(), d.planned(t, proof()))
	must(t, err)
	again, stands, err := d.Place(t.Context(), reread(t, placement))
	if must(t, err); !stands || again.String() != placement.String() || strings.Count(d.wrote(t, "auth"), "CERTBOT_DOMAIN") != 1 {
		t.Errorf("%v: %s", stands, d.wrote(t, "auth"))
	}
}

func TestAFailingAuthHookIsCleanedUpAfterAndNothingStands(t *testing.T) {
	d, p := newDesk(t), proof()
	p.Auth = "exit 7"
	_, stands, err := d.Place(t.Context(), d.planned(t, p))
	if stands || failure.ClassOf(err) != failure.Hook || !strings.Contains(err.Error(), "code 7") || failure.RemedyOf(err) == "" {
		t.Errorf("%v: %v", stands, err)
	}
	if d.wrote(t, "cleanup") == "" {
		t.Error("the cleanup hook did not run")
	}
	p.Cleanup = "exit 2"
	if err := d.Remove(t.Context(), d.planned(t, p).Leaving()); err != nil {
		t.Errorf("a cleanup hook's failure is reported and no more: %v", err)
	}
	if got := d.reports[len(d.reports)-1]; got != `cleanup-hook a.example: 2 "" ""` {
		t.Errorf("reported: %s", got)
	}
}

func TestAHookThatIsCutShortIsOwedItsCleanup(t *testing.T) {
	d, p := newDesk(t), proof()
	p.Auth = "touch $DIR/begun; sleep 60"
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		defer cancel()
		for {
			if _, err := os.Stat(filepath.Join(d.dir, "begun")); err == nil {
				return
			}
		}
	}()
	before := d.planned(t, p)
	after, stands, err := d.Place(ctx, before)
	if !stands || failure.ClassOf(err) != failure.Stopped || !after.DoneAt.IsZero() || d.wrote(t, "cleanup") != "" {
		t.Errorf("%v %+v: %v", stands, after, err)
	}
	if d.Suits(after, p) {
		t.Error("what the next run finds of it is taken for whole")
	}
}

func TestWhatStandsForLongIsNotTrusted(t *testing.T) {
	d := newDesk(t)
	placement, _, err := d.Place(t.Context(), d.planned(t, proof()))
	must(t, err)
	other := proof()
	other.Auth = "true"
	if !d.Suits(reread(t, placement), proof()) || d.Suits(placement, other) {
		t.Error("just put in place")
	}
	d.now = d.now.Add(2 * time.Hour)
	if d.Suits(placement, proof()) {
		t.Error("two hours later")
	}
	d.now = d.now.Add(-300 * time.Hour)
	if d.Suits(placement, proof()) {
		t.Error("by a clock that was set back")
	}
}

// A hook may end whoever runs it: it restarts the panel that called us.
func TestAHookThatEndsItsRunsIsNotBegunForEver(t *testing.T) {
	d := newDesk(t)
	begun := 0
	var former *manual.Placement
	for ; begun < 10; begun++ {
		next, err := d.Plan(proof(), former)
		if failure.ClassOf(err) == failure.Hook {
			break
		}
		must(t, err)
		former = new(manual.Placement)
		*former = reread(t, next)
	}
	if begun != 3 {
		t.Errorf("the auth hook was begun %d times", begun)
	}
	placement := d.planned(t, proof())
	for range 10 {
		placement = reread(t, placement.Leaving())
		if err := d.Remove(t.Context(), placement); failure.ClassOf(err) == failure.Hook {
			break
		}
	}
	if got := strings.Count(d.wrote(t, "cleanup"), "CERTBOT_DOMAIN"); got != 3 {
		t.Errorf("the cleanup hook was begun %d times", got)
	}
	p := proof()
	p.Cleanup = ""
	without := d.planned(t, p)
	if without.Leaving().String() != without.String() {
		t.Error("there is nothing to count")
	}
	must(t, d.Remove(t.Context(), without))
}

func FuzzDecode(f *testing.F) {
	f.Add(`{"auth":"a","domain":"b","validation":"v","all":null,"begun":2}`)
	f.Add(`{`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := manual.Decode(text)
		if err != nil {
			return
		}
		again, err := manual.Decode(p.String())
		if err != nil || again.String() != p.String() {
			t.Errorf("%q becomes %q, then %q: %v", text, p.String(), again.String(), err)
		}
	})
}

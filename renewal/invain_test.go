package renewal_test

import (
	"context"
	"os"
	"testing"

	"orderly/renewal"
	"orderly/testca"
)

// irrevocable are the commands that a CA obeys for good.
func irrevocable(h *machine) map[string]func(context.Context, *renewal.Server) error {
	return map[string]func(context.Context, *renewal.Server) error{
		"revoke": func(ctx context.Context, s *renewal.Server) error {
			_, err := s.Revoke(ctx, renewal.Revocation{CertName: "a.example.com"})
			return err
		},
		"deactivate-account": func(ctx context.Context, s *renewal.Server) error {
			return s.Accounts().Unregister(ctx, h.account())
		},
	}
}

// obeyed reports whether the CA has done what cannot be undone.
func (h *machine) obeyed() bool {
	return len(h.ca.Truth().Revoked) > 0 || h.theirs().Status == "deactivated"
}

// A command that was ended before anything was sent said so. The run that cron begins next must not
// do behind the person's back what cannot be undone.
func TestWhatWasEndedBeforeItWasSentIsNotDoneLater(t *testing.T) {
	t.Parallel()
	for kind := range irrevocable(nil) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com")
			do := irrevocable(h)[kind]
			h.once("directory", testca.Hold)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			s := h.process(kind)
			go func() { ended <- do(ctx, s) }()
			<-h.ca.Held()
			cancel()
			if err := <-ended; err == nil {
				t.Error("it was not ended")
			}
			h.ca.ClearFaults()
			h.ca.Release()
			must(t, s.End("stopped", 75, ""))
			h.vanish()
			h.night()
			if h.obeyed() || !h.whole("a.example.com") {
				t.Errorf("it was done by the next run: revoked %+v, account %s", h.ca.Truth().Revoked, h.theirs().Status)
			}
		})
	}
}

// What a dead run had asked for is found out once the CA can be reached again: that it could not be
// in between, or had no time, is no answer. A revoked certificate would stay in use, and a
// deactivated account be the one that renews.
func TestWhatADeadRunSentIsFollowedOnceTheCAAnswers(t *testing.T) {
	t.Parallel()
	for kind := range irrevocable(nil) {
		for name, fault := range map[string]testca.Fault{
			"cannot be reached": {Kind: "directory", Action: testca.Drop},
			"is being mended":   {Kind: "directory", Action: testca.Respond, Status: 503},
			"has no time":       {Kind: kind, Action: testca.Respond, Status: 429, Problem: "rateLimited"},
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, testca.Config{})
				h.has("a.example.com")
				do, a := irrevocable(h)[kind], h.account()
				// Effects 1 and 2 are the commit of the intent; it dies before it can note the
				// answer.
				if died := h.killed(3, kind, func(s *renewal.Server) error { return do(t.Context(), s) }); !died || !h.obeyed() {
					t.Fatal("the CA has not done it")
				}
				h.ca.Inject(fault)
				must(t, h.process("renew").End("done", 0, ""))
				h.vanish()
				if tasks, err := h.ledger.Tasks(t.Context()); err != nil || len(tasks) != 1 {
					t.Errorf("tasks while the CA %s: %+v, %v", name, tasks, err)
				}
				h.ca.ClearFaults()
				h.night()
				if _, err := os.Stat(a.Dir); kind == "deactivate-account" && !os.IsNotExist(err) {
					t.Errorf("the deactivated account is there: %v", err)
				}
				if kind == "revoke" && !h.gone("a.example.com") {
					t.Error("the revoked certificate is there")
				}
			})
		}
	}
}

// A rehearsal changes nothing: it must not revoke and delete what a dead run had begun to.
func TestARehearsalLeavesWhatADeadRunBegan(t *testing.T) {
	t.Parallel()
	for kind := range irrevocable(nil) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example.com")
			do := irrevocable(h)[kind]
			// Effect 2 is behind the commit of the intent.
			if !h.killed(2, kind, func(s *renewal.Server) error { return do(t.Context(), s) }) {
				t.Fatal("it did not die")
			}
			h.set.Rehearsal = true
			must(t, h.process("renew --dry-run").End("done", 0, ""))
			h.vanish()
			if h.obeyed() || !h.whole("a.example.com") {
				t.Errorf("the rehearsal did it: revoked %+v, account %s", h.ca.Truth().Revoked, h.theirs().Status)
			}
			h.set.Rehearsal = false
			must(t, h.process("renew").End("done", 0, ""))
			if !h.obeyed() {
				t.Error("the next run did not")
			}
		})
	}
}

package drive_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/order"
	"orderly/preflight"
	"orderly/testca"
)

// A challenge that failed and whose authorization stays pending is not answered again and again: the CA's reason is said, and
// the same order goes on once the site has changed or the back-off is over.
func TestAFailedChallengeUnderAPendingAuthorization(t *testing.T) {
	for _, stays := range []string{"pending", "invalid"} {
		for _, hides := range []bool{false, true} {
			t.Run(stays, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{HideProcessing: hides})
				w.ca.SetOdd(testca.Odd{OddChallenge: testca.OddChallenge{FailedStays: stays}})
				p := order.Plan{Request: request("a.example", "a.example", "b.example")}
				w.web.roots["b.example"] = "/elsewhere"
				_, err := w.fails(p, failure.Validation)
				if !strings.Contains(err.Error(), "b.example: unauthorized") {
					t.Errorf("the reason is not the CA's: %v", err)
				}
				if n := w.requests("challenge"); n != 2 {
					t.Errorf("%d answers to two challenges", n)
				}
				for range 2 {
					if _, err := w.fails(p, failure.BackOff); !strings.Contains(err.Error(), "b.example: unauthorized") {
						t.Errorf("the reason is not the CA's: %v", err)
					}
				}
				if n := w.requests("challenge"); n != 2 {
					t.Errorf("%d answers, though nothing changed", n)
				}
				w.clock.skip(2 * time.Minute)
				w.fails(p, failure.Validation)
				w.fails(p, failure.BackOff)
				if n := w.requests("challenge"); n != 3 {
					t.Errorf("%d answers after the back-off", n)
				}
				delete(w.web.roots, "b.example")
				w.report = func(names []string) preflight.Report { return passing("mended", names...) }
				w.get(p.Request)
				w.settled(p.Request)
				w.served("a.example", 1, true)
			})
		}
	}
}

// A CA that takes no second answer to a challenge that it calls invalid is asked for another order, after the back-off.
func TestAChallengeThatIsInvalidForGoodEndsItsOrder(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetOdd(testca.Odd{OddChallenge: testca.OddChallenge{FailedStays: "invalid"}})
	p := order.Plan{Request: request("a.example", "a.example")}
	w.web.roots["a.example"] = "/elsewhere"
	w.fails(p, failure.Validation)
	delete(w.web.roots, "a.example")
	w.ca.SetOdd(testca.Odd{})
	w.ca.Inject(testca.Fault{Kind: "challenge", Nth: 1, Action: testca.Respond, Status: 400, Problem: "malformed", Detail: "challenge is not pending"})
	w.clock.skip(2 * time.Minute)
	w.fails(p, failure.Validation)
	if truth := w.ca.Truth(); truth.Pending() != 0 {
		t.Errorf("%d are left pending", truth.Pending())
	}
	w.fails(p, failure.BackOff)
	w.clock.skip(20 * time.Minute)
	w.get(p.Request)
	w.served("a.example", 2, true)
}

// A page in the place of an answer, of a firewall before the CA perhaps, is the reason, and not met five times.
func TestAnAnswerThatIsRefusedIsNotSentAgainAtOnce(t *testing.T) {
	for _, hides := range []bool{false, true} {
		w := newWorld(t, testca.Config{HideProcessing: hides})
		w.ca.Inject(testca.Fault{Kind: "challenge", Action: testca.Respond, Status: 403})
		p := order.Plan{Request: request("a.example", "a.example")}
		_, err := w.fails(p, failure.Validation)
		if !strings.Contains(err.Error(), "refused with 403") || w.requests("challenge") != 1 {
			t.Errorf("%d answers: %v", w.requests("challenge"), err)
		}
		w.fails(p, failure.BackOff)
		w.ca.ClearFaults()
		w.clock.skip(2 * time.Minute)
		w.get(p.Request)
		w.served("a.example", 1, true)
	}
}

// An error of a time before is none of today's answer: another program may have tried the challenge, and failed.
func TestAnOldErrorDoesNotEndAValidation(t *testing.T) {
	w := newWorld(t, testca.Config{HideProcessing: true})
	old := map[string]any{"type": "urn:ietf:params:acme:error:dns", "detail": "of before"}
	w.rewrite("authorization", func(_ http.Header, object map[string]any) {
		for _, one := range object["challenges"].([]any) {
			one.(map[string]any)["error"] = old
		}
	})
	shown := w.wire.after
	w.rewrite("challenge", func(_ http.Header, object map[string]any) { object["error"] = old })
	answered := w.wire.after
	w.wire.after = func(n int, kind string, answer *http.Response) *http.Response {
		return answered(n, kind, shown(n, kind, answer))
	}
	w.get(request("a.example", "a.example"))
	if n := w.requests("challenge"); n != 1 {
		t.Errorf("%d answers", n)
	}
}

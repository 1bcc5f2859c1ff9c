package e2e_test

// A certbot that is at work while its logs are scanned is not a killed one, and what it has open is
// left to it.

import (
	"encoding/json"
	"syscall"
	"testing"

	"orderly/testca"
)

// scanReport is what `pending scan --json` prints.
type scanReport struct {
	Open     []scanRow `json:"open"`
	Doubtful []scanRow `json:"doubtful"`
	Lost     []struct {
		Names []string `json:"names"`
	} `json:"lost"`
	Runs []struct {
		Fate string `json:"fate"`
		Step string `json:"step"`
	} `json:"runs"`
	Failures []struct {
		Class string `json:"class"`
	} `json:"failures"`
	Checked struct{ Asked, Pending, Final int } `json:"checked"`
}

type scanRow struct {
	URL    string `json:"url"`
	Name   string `json:"name"`
	Reason string `json:"reason"`
}

// killCertbotAt has certbot killed at a request, if it comes to it.
func (h *host) killCertbotAt(at point, args ...string) {
	h.t.Helper()
	h.hold(at.kind, at.nth, at.after)
	c := h.startCertbot(args...)
	if _, held := h.heldOrEnded(c); held {
		c.signal(syscall.SIGKILL)
	}
	c.wait()
	h.ca.ClearFaults()
	h.ca.Release()
}

// scan runs `pending scan` and wants exit code 0.
func (h *host) scan(args ...string) scanReport {
	h.t.Helper()
	var report scanReport
	said := h.must(append([]string{"pending", "scan", "--json"}, args...)...).stdout
	if err := json.Unmarshal([]byte(said), &report); err != nil {
		h.t.Fatal(err, said)
	}
	return report
}

func TestACertbotAtWorkIsLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	const name = "shop.example.com"
	h.must(h.certonly(w.site(name), name)...)
	h.hold("challenge", 1, false)
	certbot := h.startCertbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.held(certbot)

	asked := w.requests("authorization")
	report := h.scan("--check", h.logs)
	if len(report.Open) != 0 || len(report.Doubtful) != 1 || report.Checked.Asked != 0 ||
		w.requests("authorization") != asked {
		t.Errorf("the CA was asked about what certbot is at: %+v", report)
	}
	if n := len(report.Runs); n != 1 || report.Runs[0].Fate != "running" || len(report.Failures) != 0 {
		t.Errorf("runs %+v, failures %+v", report.Runs, report.Failures)
	}
	if got := h.pendingURLs(); len(got) != 0 {
		t.Errorf("taken over from certbot: %q", got)
	}
	// Whatever is done next waits for certbot.
	before := len(w.ca.Truth().Requests)
	for _, next := range [][]string{{"pending", "drain"}, {"pending", "release", "--all", "--yes"}} {
		if r := h.orderly(append(next, "--deadline", "1500ms")...); r.code != 75 {
			t.Errorf("%v beside certbot: %s", next, r)
		}
	}
	if n := len(w.ca.Truth().Requests); n != before {
		t.Errorf("%d requests beside certbot", n-before)
	}

	certbot.signal(syscall.SIGKILL)
	certbot.wait()
	w.ca.ClearFaults()
	w.ca.Release()
	report = h.scan("--check", h.logs)
	if report.Checked.Asked != 1 || report.Runs[0].Fate != "killed" ||
		report.Runs[0].Step != "challenge" || len(report.Failures) == 0 {
		t.Errorf("after the kill: %+v", report)
	}
	h.must("pending", "drain")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending at the end", n)
	}
}

// A path below which Orderly's own files are must not cost it its locks: whoever closes a file drops
// all locks that its process has on it, those of SQLite too.
func TestAScanOfItsOwnDirectoryKeepsTheLocks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	const name = "shop.example.com"
	h.must(h.certonly(w.site(name), name)...)
	h.killCertbotAt(point{"challenge", 1, false}, "renew", "--force-renewal", "--no-random-sleep-on-renew")

	h.hold("authorization", 1, false)
	scan := h.start("pending", "scan", "--check", h.dir)
	h.held(scan)
	if got := h.runs(); got[0].Command != "pending scan --check" || got[0].Ended != "running" {
		t.Errorf("the scan's own run: %+v", got[0])
	}
	w.ca.Release()
	if r := scan.wait(); r.code != 0 {
		t.Errorf("scan: %s", r)
	}
}

// What certbot finished itself after the CA was asked is neither given up nor validated again.
func TestWhatCertbotFinishedSinceIsLeftAsItIs(t *testing.T) {
	t.Parallel()
	for _, next := range [][]string{{"pending", "drain"}, {"pending", "release", "--all", "--yes"}} {
		t.Run(next[1], func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{HideProcessing: true, Reuse: true})
			h := w.host("one")
			const name = "shop.example.com"
			h.must(h.certonly(w.site(name), name)...)
			renew := []string{"renew", "--force-renewal", "--no-random-sleep-on-renew"}
			h.killCertbotAt(point{"authorization", 1, true}, renew...)
			h.scan("--check", h.logs)
			if got := h.pendingURLs(); len(got) != 1 {
				t.Fatalf("pending %q", got)
			}
			h.mustCertbot(renew...)
			if n := len(w.ca.Truth().Orders); n != 2 {
				t.Fatalf("%d orders: the CA reused none", n)
			}
			said := h.must(next...)
			a := w.ca.Truth().Orders[1].Authorizations[0]
			if a.Status != "valid" || a.Validations != 1 {
				t.Errorf("the authorization is %s after %d validations: %s", a.Status, a.Validations, said)
			}
			if got := h.pendingURLs(); len(got) != 0 {
				t.Errorf("pending %q", got)
			}
			if report := h.scan("--check", h.logs); len(report.Open)+len(report.Doubtful) != 0 {
				t.Errorf("%+v", report)
			}
		})
	}
}

// What certbot went on with after the check is not listed as pending any more once its logs are checked
// again: its CA is asked, however lately it was.
func TestWhatCertbotFinishedSinceIsNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true, Reuse: true})
	h := w.host("one")
	const name = "shop.example.com"
	h.must(h.certonly(w.site(name), name)...)
	renew := []string{"renew", "--force-renewal", "--no-random-sleep-on-renew"}
	h.killCertbotAt(point{"authorization", 1, true}, renew...)
	h.scan("--check", h.logs)
	if got := h.pendingURLs(); len(got) != 1 {
		t.Fatalf("pending %q", got)
	}
	h.mustCertbot(renew...)
	if report := h.scan("--check", h.logs); len(report.Open)+len(report.Doubtful) != 0 {
		t.Errorf("%+v", report)
	}
	if got := h.pendingURLs(); len(got) != 0 {
		t.Errorf("pending %q", got)
	}
	h.must("pending", "drain").says(t, 0, "Nothing was left unfinished")
}

package e2e_test

// What was found and is pending at the CA does not stand in the way of the certificate that has the
// name: it is finished by the order for it, or beside it.

import (
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

func TestACertificateIsRenewedWhileWhatWasFoundIsPending(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]testca.Config{
		"orders are reused": {HideProcessing: true, Reuse: true},
		"orders are not":    {HideProcessing: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, config)
			h := w.host("one")
			names := []string{"a.example.com", "b.example.com"}
			root := w.site(names...)
			h.must(append(h.certonly(root, names[0]), "-d", names[1])...)
			conf := filepath.Join(h.config, "renewal", names[0]+".conf")
			good := w.read(conf)
			w.write(conf, unrooted.ReplaceAllString(good, ""))
			h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
			w.write(conf, good)
			h.must("pending", "scan", "--check", h.logs)
			if n := len(h.pendingURLs()); n != 2 {
				t.Fatalf("%d are pending", n)
			}
			h.must("renew", "--force-renewal", "--no-random-sleep-on-renew")
			h.must("pending", "drain")
			if n := w.ca.Truth().Pending(); n != 0 || len(h.pendingURLs()) != 0 {
				t.Errorf("%d are pending at the CA, and by the ledger %q", n, h.pendingURLs())
			}
		})
	}
}

// What no certificate of this host has cannot be proven here: drain says so, release gives it up, and
// no renewal fails for it day by day.
func TestWhatNobodyHereCanProveFailsNoRenewal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	root := w.site("a.example.com", "gone.example.com")
	h.must(h.certonly(root, "a.example.com")...)
	h.must(h.certonly(root, "gone.example.com")...)
	conf := filepath.Join(h.config, "renewal", "gone.example.com.conf")
	w.write(conf, unrooted.ReplaceAllString(w.read(conf), ""))
	h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", "gone.example.com")
	h.must("delete", "-n", "--cert-name", "gone.example.com")
	h.must("pending", "scan", "--check", h.logs)
	before := w.ca.Truth().RequestsByKind["authorization"]
	h.must("renew")
	h.must(h.certonly(root, "a.example.com")...)
	if n := w.ca.Truth().RequestsByKind["authorization"] - before; n != 0 {
		t.Errorf("%d questions were asked by commands that are about something else", n)
	}
	drained := h.orderly("pending", "drain")
	if drained.code != 1 || !strings.Contains(drained.stderr, "pending release --name gone.example.com") {
		t.Errorf("%s", drained)
	}
	h.must("pending", "release", "--all", "-y")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending at the end", n)
	}
}

// What is missing is written where a remedy says, in whole or in half; what was found stands in the way
// of neither.
func TestWhatWasMissingIsWrittenWhileWhatWasFoundIsPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	names := []string{"a.example.com", "b.example.com"}
	root := w.site(names...)
	h.must(append(h.certonly(root, names[0]), "-d", names[1])...)
	conf := filepath.Join(h.config, "renewal", names[0]+".conf")
	bare := unrooted.ReplaceAllString(w.read(conf), "")
	w.write(conf, bare)
	h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.must("pending", "scan", "--check", h.logs)

	w.write(conf, bare+"[[webroot_map]]\na.example.com = "+root+"\n")
	drained := h.orderly("pending", "drain")
	if n := w.ca.Truth().Pending(); n != 1 || drained.code != 1 ||
		!strings.Contains(drained.stderr, "b.example.com is served from") {
		t.Errorf("%d are pending where one of two has a document root: %s", n, drained)
	}
	w.write(conf, bare)
	h.must("reconfigure", "--cert-name", names[0], "--webroot", "-w", root, "-n")
	h.must("pending", "drain")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending at the end", n)
	}
}

// Two checks at once are shown the same, and make one order of it.
func TestTwoChecksAtOnceEnterWhatIsPendingOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	root := w.site("a.example.com")
	h.must(h.certonly(root, "a.example.com")...)
	conf := filepath.Join(h.config, "renewal", "a.example.com.conf")
	w.write(conf, unrooted.ReplaceAllString(w.read(conf), ""))
	h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	h.hold("authorization", 1, true)
	first := h.start("pending", "scan", "--check", h.logs)
	if _, held := h.heldOrEnded(first); !held {
		t.Fatal("the first asked nothing")
	}
	h.ca.ClearFaults()
	h.must("pending", "scan", "--check", h.logs)
	h.ca.Release()
	if r := first.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	if urls := h.pendingURLs(); len(urls) != 1 {
		t.Errorf("pending %q", urls)
	}
}

// Whatever the CA says to a check: it is told, nothing is lost of it, and the next one goes on.
func TestACheckOutlivesItsCAsTroubles(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	root := w.site("a.example.com", "b.example.com")
	h.must(append(h.certonly(root, "a.example.com"), "-d", "b.example.com")...)
	conf := filepath.Join(h.config, "renewal", "a.example.com.conf")
	w.write(conf, unrooted.ReplaceAllString(w.read(conf), ""))
	h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	for name, fault := range map[string]testca.Fault{
		"an error":       {Action: testca.Respond, Status: 500, Problem: "serverInternal", Detail: "no"},
		"a page":         {Action: testca.Respond, Status: 503},
		"too many":       {Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "30"},
		"another's":      {Action: testca.Respond, Status: 403, Problem: "unauthorized", Detail: "no"},
		"no answer":      {Action: testca.LoseAnswer},
		"a page for 200": {Action: testca.Misshape, Shape: testca.PageInstead, Status: 200},
		"no status":      {Action: testca.Rewrite, Patch: []byte(`{"status":null}`)},
		"an odd status":  {Action: testca.Rewrite, Patch: []byte(`{"status":"on holiday"}`)},
		"no name":        {Action: testca.Rewrite, Patch: []byte(`{"identifier":{"value":"\u001b[2J"}}`)},
	} {
		fault.Kind = "authorization"
		h.ca.Inject(fault)
		r := h.orderly("pending", "scan", "--check", h.logs)
		if r.code != 1 || !strings.Contains(r.stdout, "asked about 0:") || len(h.pendingURLs()) != 0 ||
			!strings.Contains(r.stderr, "warning: https://") || strings.Contains(r.stderr, "\x1b") {
			t.Errorf("%s: %s", name, r)
		}
		h.ca.ClearFaults()
	}
	// A copy of the CA's that does not have it yet is not the CA's last word.
	h.ca.Inject(testca.Fault{Kind: "authorization", Action: testca.Respond, Status: 404,
		Problem: "malformed", Detail: "no such authorization"})
	h.must("pending", "scan", "--check", h.logs).says(t, 0, "asked about 2: 0 are pending, 2 are not")
	h.ca.ClearFaults()
	h.must("pending", "scan", "--check", h.logs)
	if got := h.pendingURLs(); len(got) != 2 || w.ca.Truth().Pending() != 2 {
		t.Errorf("pending %q, at the CA %d", got, w.ca.Truth().Pending())
	}
}

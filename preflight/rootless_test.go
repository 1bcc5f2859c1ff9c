package preflight_test

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// shelf serves probes as a run's own web server does.
type shelf struct {
	mu     sync.Mutex
	tokens map[string]string
	served int
}

// Serve is what a Site is told.
func (s *shelf) Serve(p webroot.Probe) (func(), error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[p.Token] = p.Content
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.tokens, p.Token)
	}, nil
}

// ServeHTTP serves probes.
func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.tokens[strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.served++
	_, _ = w.Write([]byte(content))
}

func TestAProbeIsServedByTheRunsOwnWebServer(t *testing.T) {
	w := newWorld(t)
	s := &shelf{tokens: map[string]string{}}
	w.host(global+":80", s)
	site := preflight.Site{Name: "a.example", Serve: s.Serve}
	report := w.checkAll(site)
	for check, want := range map[string]preflight.Verdict{preflight.Webroot: preflight.Skipped, preflight.Writable: preflight.Skipped,
		preflight.DNS: preflight.Pass, preflight.HTTP: preflight.Pass} {
		if r := result(t, report, check); r.Verdict != want {
			t.Errorf("%+v", r)
		}
	}
	if s.served != 1 || len(s.tokens) != 0 {
		t.Errorf("served %d times, left: %v", s.served, s.tokens)
	}
	w.host(global+":80", http.NotFoundHandler())
	other := w.checkAll(site)
	if r := result(t, other, preflight.HTTP); r.Verdict != preflight.Refuse || r.Class != failure.HTTPWrong || strings.Contains(string(r.Remedy), "document root") {
		t.Errorf("%+v", r)
	}
	if report.Fingerprint == other.Fingerprint {
		t.Error("another answer has the same fingerprint")
	}
}

func TestAServerThatDoesNotListenIsNotAskedForAProbe(t *testing.T) {
	w := newWorld(t)
	report := w.checkAll(preflight.Site{Name: "a.example", Serve: func(webroot.Probe) (func(), error) { return nil, errors.New("no") }})
	if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Skipped || len(w.dials()) != 0 {
		t.Errorf("%+v, dialled %v", r, w.dials())
	}
}

func TestWhatHooksServeIsNotFetched(t *testing.T) {
	w := newWorld(t)
	report := w.checkAll(preflight.Site{Name: "a.example", Elsewhere: "a hook"})
	if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Skipped || !strings.Contains(r.Sentence, "a hook proves a.example") {
		t.Errorf("%+v", r)
	}
	if r := result(t, report, preflight.DNS); r.Verdict != preflight.Pass {
		t.Errorf("%+v", r)
	}
}

// A name that a TXT record proves needs no address, and the record need not be there yet; but its zone must answer.
func TestARecordsZoneMustAnswerAndNoMore(t *testing.T) {
	const record = "_acme-challenge.a.example"
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		verdict preflight.Verdict
		class   failure.Class
	}{
		{"no such record", func(*world) {}, preflight.Pass, ""},
		{"a record of before", func(w *world) {
			w.answers(record, func(int, uint16) ([]string, int) { return []string{record + ". 60 IN TXT \"old\""}, dns.RcodeSuccess })
		}, preflight.Pass, ""},
		{"led elsewhere", func(w *world) {
			w.answers(record, func(int, uint16) ([]string, int) {
				return []string{record + ". 60 IN CNAME b.example."}, dns.RcodeSuccess
			})
		}, preflight.Pass, ""},
		{"a broken zone", func(w *world) { w.code(record, dns.RcodeServerFailure) }, preflight.Refuse, failure.DNSBroken},
		{"a refusing server", func(w *world) { w.code(record, dns.RcodeRefused) }, preflight.Refuse, failure.DNSBroken},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.code("a.example", dns.RcodeNameError)
			test.prepare(w)
			report := w.checkAll(preflight.Site{Name: "a.example", Elsewhere: "a record", Record: record})
			if r := result(t, report, preflight.DNS); r.Verdict != test.verdict || r.Class != test.class {
				t.Errorf("%+v", r)
			}
			if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Skipped || len(w.dials()) != 0 {
				t.Errorf("%+v, dialled %v", r, w.dials())
			}
		})
	}
}

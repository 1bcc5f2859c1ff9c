package renewal

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/host"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
)

// silence is a report that nobody reads.
type silence struct{}

func (silence) Say(string, ...any)  {}
func (silence) Tell(string, ...any) {}
func (silence) Warn(string, ...any) {}

// infoCA is a CA of which renewal information is all that is asked. It answers when as many are under way as may be, or
// no more will come.
type infoCA struct {
	*httptest.Server
	all, most          int
	mu                 sync.Mutex
	come, open, opened int
	gate               chan struct{}
	count              atomic.Int64
}

func newInfoCA(t *testing.T, all, most int, answer http.HandlerFunc) *infoCA {
	ca := &infoCA{all: all, most: most, gate: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/directory", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"newNonce":"%[1]s/n","newAccount":"%[1]s/a","newOrder":"%[1]s/o","renewalInfo":"%[1]s/info"}`, ca.URL)
	})
	mux.HandleFunc("/info/", func(w http.ResponseWriter, r *http.Request) {
		ca.count.Add(1)
		ca.enter(r.Context())
		answer(w, r)
		ca.mu.Lock()
		ca.open--
		ca.mu.Unlock()
	})
	ca.Server = httptest.NewServer(mux)
	t.Cleanup(ca.Close)
	return ca
}

// enter waits until as many requests are under way as may be.
func (ca *infoCA) enter(ctx context.Context) {
	ca.mu.Lock()
	ca.come++
	ca.open++
	ca.opened = max(ca.opened, ca.open)
	if gate := ca.gate; ca.open < min(ca.most, ca.all-ca.come+ca.open) {
		ca.mu.Unlock()
		select {
		case <-gate:
		case <-ctx.Done():
		}
		return
	}
	close(ca.gate)
	ca.gate = make(chan struct{})
	ca.mu.Unlock()
}

// asking is a server whose CA is asked about some lineages.
func asking(t *testing.T, lineages int, server string) (*inquirer, []*question) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	locks, err := lock.Open(filepath.Join(t.TempDir(), "locks"))
	must(t, err)
	t.Cleanup(func() { _ = locks.Close() })
	s := New(t.Context(), Parts{Locks: locks, Disk: &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(t.TempDir(), "etc")}}, Ledger: memory.New(),
		HTTP: &http.Client{Transport: transport}, Clock: host.Clock{}, Log: slog.New(slog.DiscardHandler), Report: silence{}})
	s.calendar.all = true
	in := newInquirer(s.base, s.engines, s.calendar)
	in.chance = func() float64 { return 0.5 }
	var all []*question
	born := time.Now().Add(-time.Hour).Truncate(time.Second)
	for i := range lineages {
		name := fmt.Sprint("l", i)
		all = append(all, &question{term: Term{Lineage: name, NotBefore: born, NotAfter: born.Add(90 * day)}, server: server,
			id: "a." + name, fingerprint: name})
	}
	return in, all
}

func TestSixteenQuestionsAreUnderWayAtOnce(t *testing.T) {
	t.Parallel()
	const lineages = 100
	ca := newInfoCA(t, lineages, inquiries, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "21600")
		fmt.Fprintf(w, `{"suggestedWindow":{"start":%q,"end":%q}}`, time.Now().Add(day).Format(time.RFC3339), time.Now().Add(3*day).Format(time.RFC3339))
	})
	in, all := asking(t, lineages, ca.URL+"/directory")
	in.ask(t.Context(), all)
	if ca.count.Load() != lineages || ca.opened != inquiries {
		t.Errorf("%d requests for %d certificates, %d at once", ca.count.Load(), lineages, ca.opened)
	}
	for _, q := range all {
		due, err := in.known.without(q.term, q.server, q.id)
		if err != nil || due.Because != DueByCA || due.At.Sub(time.Now().Add(2*day)).Abs() > time.Minute {
			t.Fatalf("%+v, %v", due, err)
		}
	}
	if rows, err := in.Ledger.RenewalInfos(t.Context(), ""); err != nil || len(rows) != lineages {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// A busy CA is left alone: about the rest it is asked later.
func TestACAThatDoesNotAnswerIsLetAlone(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]http.HandlerFunc{
		"500": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"503": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "7200")
			w.WriteHeader(503)
		},
		"cut": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	} {
		const lineages = 200
		ca := newInfoCA(t, lineages, 1, answer)
		in, all := asking(t, lineages, ca.URL+"/directory")
		in.ask(t.Context(), all)
		if n := ca.count.Load(); n < 1 || n > mostSilent+2*inquiries {
			t.Errorf("%s: %d requests", name, n)
		}
		whole := in.known.Suggestions.said[suggestion{ca.URL + "/directory", ""}]
		if pause := whole.NextAt.Sub(whole.AskedAt); pause != map[string]time.Duration{"503": 2 * time.Hour}[name] && pause != usualPause {
			t.Errorf("%s: let alone for %s", name, pause)
		}
	}
}

// One that hangs costs the patience with one answer, and not with each.
func TestACAThatHangsIsLetAlone(t *testing.T) {
	t.Parallel()
	const lineages = 200
	ca := newInfoCA(t, lineages, 1, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	in, all := asking(t, lineages, ca.URL+"/directory")
	in.patience = 200 * time.Millisecond
	in.ask(t.Context(), all)
	if n := ca.count.Load(); n > 3*inquiries {
		t.Errorf("%d requests", n)
	}
	if whole := in.known.Suggestions.said[suggestion{ca.URL + "/directory", ""}]; whole.NextAt.Sub(whole.AskedAt) != usualPause {
		t.Errorf("%+v", whole)
	}
}

// A run that is to end does not wait for answers, and does not blame the CA.
func TestNoAnswerIsWaitedForWhenTheRunEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	ca := newInfoCA(t, 3, 1, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	in, all := asking(t, 3, ca.URL+"/directory")
	in.ask(ctx, all)
	if rows, err := in.Ledger.RenewalInfos(t.Context(), ""); err != nil || len(rows) != 0 {
		t.Errorf("%+v, %v", rows, err)
	}
}

// What another CA has issued than the one that the renewal file names is none of its business.
func TestACAIsNotAskedAboutAnothersCertificate(t *testing.T) {
	t.Parallel()
	var asked sync.Map
	ca := newInfoCA(t, 3, 1, func(w http.ResponseWriter, r *http.Request) {
		asked.Store(strings.TrimPrefix(r.URL.Path, "/info/"), true)
		w.WriteHeader(404)
	})
	in, all := asking(t, 3, ca.URL+"/directory")
	for i, server := range []string{"https://another.example/directory", ca.URL + "/directory"} {
		account := &ledger.Account{Server: server, URL: server + "/1"}
		must(t, in.Ledger.Commit(t.Context(), &ledger.Change{Account: account}))
		must(t, in.Ledger.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{{AccountID: account.ID,
			Lineage: all[i].term.Lineage, Names: []string{"a.example"}, State: ledger.Installed}},
			Certificate: &ledger.Certificate{AccountID: account.ID, Lineage: all[i].term.Lineage, Fingerprint: all[i].fingerprint}}))
	}
	in.ask(t.Context(), all)
	for i, want := range []bool{false, true, true} {
		if _, got := asked.Load(all[i].id); got != want {
			t.Errorf("%d: asked %v", i, got)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhomNobodyIsAskedAbout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		next time.Duration
		want bool
	}{{-time.Second, false}, {time.Minute, true}, {day, true}, {day + time.Hour, true}, {day + 2*time.Hour, false}} {
		if got := waits(noon.Add(c.next), noon); got != c.want {
			t.Errorf("%s: %v", c.next, got)
		}
	}
	if waits(time.Time{}, noon) {
		t.Error("what was never asked waits")
	}
}

package host

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"testing"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/lock"
	"orderly/order"
)

// Many orders of one run prove their names by its own web server, on one port: nobody waits for a port
// that the run has already, and nobody's end takes another one's token away.
func TestOnePortIsForManyOrdersAtOnce(t *testing.T) {
	h, port := portHost(t), freePort(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			r := Request{Request: ledger.Request{Lineage: fmt.Sprintf("site%d", i)}, Payload: Payload{
				Solver: StandaloneSolver, Standalone: Standalone{Address: "127.0.0.1", Port: port}}}
			for range 3 {
				proveByPort(t, h, r)
			}
		})
	}
	all.Wait()
	l, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatalf("the port is taken for nobody: %v", err)
	}
	_ = l.Close()
}

// proveByPort plays one order's way: what preflight fetches, then the CA, then the end.
func proveByPort(t *testing.T, h *Host, r Request) {
	token := r.Lineage + "-token"
	for _, result := range h.Checks.checkSolver(t.Context(), r, nil) {
		if result.Class != "" {
			t.Errorf("%s: %s", r.Lineage, result.Sentence)
		}
	}
	record, err := h.Plan(t.Context(), r.Filed(), order.Proof{Token: token}, "")
	if err == nil {
		record, err = h.Place(t.Context(), record, "content")
	}
	if err != nil {
		t.Errorf("%s: %v", r.Lineage, err)
		return
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Get(fmt.Sprintf("http://127.0.0.1:%d/.well-known/acme-challenge/%s",
		r.Standalone.Port, token))
	if err != nil {
		t.Errorf("%s: %v", r.Lineage, err)
		return
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "content" {
		t.Errorf("%s: %q, %v", r.Lineage, body, err)
	}
	if err := h.Remove(t.Context(), record); err != nil {
		t.Errorf("%s: %v", r.Lineage, err)
	}
	h.Ports.Rest(r.Lineage)
}

func portHost(t *testing.T) *Host {
	dir := t.TempDir()
	locks, err := lock.Open(filepath.Join(dir, "locks"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = locks.Close() })
	return New(Parts{Disk: &certbot.Store{Dirs: certbot.Dirs{Config: dir}}, Ledger: memory.New(),
		Locks: locks, Clock: Clock{}, Log: slog.New(slog.DiscardHandler), Report: quiet{},
		Run: &ledger.Run{}})
}

// freePort is a port that nobody listens on just now.
func freePort(t *testing.T) int {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

package e2e_test

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	_ "modernc.org/sqlite" // to make ledgers that are none

	"orderly/testca"
)

// complains wants a command to fail with a sentence about path that has a remedy.
func (h *host) complains(r result, words ...string) {
	h.t.Helper()
	if r.code != 1 || !strings.Contains(r.stderr, "remedy: ") || strings.Contains(r.stderr, "goroutine") {
		h.t.Errorf("no failure with a sentence and a remedy: %s", r)
	}
	for _, word := range words {
		if !strings.Contains(r.stderr, word) {
			h.t.Errorf("%q is not said: %s", word, r)
		}
	}
}

// unwritable says how a directory can be made so even for root.
func unwritable(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("in the way"), 0o644); err != nil {
		t.Fatal(err)
	}
}

// But for the directory of logs: no run fails for its log.
func TestADirectoryThatCannotBeWrittenIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	for i, which := range []func(*host) string{
		func(h *host) string { return h.config }, func(h *host) string { return h.working },
		func(h *host) string { return filepath.Join(h.config, "orderly") },
	} {
		h := w.host(fmt.Sprint("h", i))
		unwritable(t, which(h))
		for _, command := range [][]string{h.certonly(w.site("a.example.com"), "a.example.com"), {"renew"}, {"resume"}} {
			h.complains(h.orderly(command...), which(h))
		}
	}
	if n := w.requests(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// The certificate is issued, and cannot be put in place: it is kept until it can.
func TestACertificateThatCannotBePutInPlaceIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"finalize", 1, true}, syscall.SIGKILL, command...)
	live := filepath.Join(h.config, "live")
	unwritable(t, live)
	for range 2 {
		h.complains(h.orderly(command...), live)
	}
	before := w.requests("")
	h.remove(live)
	h.must(command...)
	h.kept(promise{names: names})
	if n := w.requests("") - before; n > 1 {
		t.Errorf("%d requests were made for a certificate that was downloaded before", n)
	}
}

// damage is a ledger that cannot be used.
type damage struct {
	name string
	do   func(h *host, path string)
	says string
}

func damages() []damage {
	write := func(content string) func(*host, string) {
		return func(h *host, path string) { h.write(path, content) }
	}
	return []damage{
		{"empty", write(""), "is damaged: it has only 0 bytes"},
		{"cut to a few bytes", write("SQLite format 3\x00"), "is damaged"},
		{"text", write(strings.Repeat("this is no ledger\n", 400)), "is damaged"},
		{"cut within a page", func(h *host, path string) { h.truncate(path, 4096+1000) }, "is damaged"},
		{"cut after the first page", func(h *host, path string) { h.truncate(path, 4096) }, "is damaged"},
		{"another program's", func(h *host, path string) {
			h.remove(path)
			h.sqlite(path, "CREATE TABLE customers (id INTEGER)")
			if err := os.Chmod(path, 0o600); err != nil {
				h.t.Error(err)
			}
		}, "is an SQLite file of another program"},
		{"another host's", func(h *host, _ string) { h.setenv("ORDERLY_HOST", "another") }, "was written on another host"},
	}
}

func (h *host) setenv(key, value string) { h.env = append(h.env, key+"="+value) }

func (h *host) truncate(path string, size int64) {
	h.t.Helper()
	h.sqlite(path, "PRAGMA wal_checkpoint(TRUNCATE)")
	if err := os.Truncate(path, size); err != nil {
		h.t.Fatal(err)
	}
}

func (h *host) sqlite(path, statement string) {
	h.t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		h.t.Fatal(err)
	}
}

func TestALedgerThatCannotBeUsedStopsEverything(t *testing.T) {
	t.Parallel()
	for _, d := range damages() {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			command := h.certonly(w.site("a.example.com"), "a.example.com")
			h.must(command...)
			path := filepath.Join(h.config, "orderly", "ledger.db")
			d.do(h, path)
			before, _ := os.ReadFile(path)
			requests := w.requests("")
			for _, args := range [][]string{command, {"renew", "--force-renewal"}, {"resume"}, {"pending"}, {"runs"}, {"order", "list"}, {"order", "show", "1"}} {
				h.complains(h.orderly(args...), path, d.says)
			}
			if n := w.requests("") - requests; n != 0 {
				t.Errorf("%d requests were made", n)
			}
			if after, _ := os.ReadFile(path); string(after) != string(before) {
				t.Error("the file was changed")
			}
			if r := h.orderly("certificates"); r.code != 0 {
				t.Errorf("certificates needs no ledger: %s", r)
			}
			h.goodPair("a.example.com", "a.example.com")
		})
	}
}

// A configuration directory that was restored on another host goes on there once a person says so.
func TestAnAdoptedLedgerGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"challenge", 1, true}, syscall.SIGKILL, command...)
	h.setenv("ORDERLY_HOST", "its successor")
	h.complains(h.orderly(command...), "orderly ledger adopt")
	h.must("ledger", "adopt")
	h.must(command...)
	h.kept(promise{names: names})
}

// A document root with what a customer may put there: a link instead of the directory for tokens.
func TestAHostileWebrootIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	root := w.site("a.example.com")
	victim := filepath.Join(w.dir, "victim")
	w.write(filepath.Join(victim, "keep"), "untouched")
	if err := os.Chown(root, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(root, ".well-known")
	if err := os.Symlink(victim, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(link, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	h.complains(h.orderly(h.certonly(root, "a.example.com")...), root, ".well-known")
	if n := w.requests("new-order"); n != 0 {
		t.Errorf("%d newOrders were sent", n)
	}
	if left := below(victim); len(left) != 1 {
		t.Errorf("outside the document root: %q", left)
	}
}

func TestALineagesPlaceMustBeFreeBeforeTheOrder(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"archive", "live"} {
		t.Run(dir, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			w.write(filepath.Join(h.config, dir, "a.example.com", "somebody's"), "x")
			h.complains(h.orderly(h.certonly(w.site("a.example.com"), "a.example.com")...), filepath.Join(h.config, dir, "a.example.com"))
			if n := w.requests("new-order"); n != 0 {
				t.Errorf("%d newOrders were sent", n)
			}
		})
	}
}

func TestAnAccountTheCADoesNotKnowStopsEverything(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 400, Problem: "accountDoesNotExist", Detail: "Account \"x\" not found"})
	before := w.requests("new-order")
	r := h.orderly("renew", "--force-renewal", "--jobs", "1") // of many at once each may have been told
	h.complains(r, "does not accept the account")
	if n := w.requests("new-order") - before; n != 1 {
		t.Errorf("%d newOrders were sent with that account, not 1", n)
	}
	if n := w.requests("new-account"); n != 1 {
		t.Errorf("%d accounts were made", n)
	}
}

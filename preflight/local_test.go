package preflight_test

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/preflight"
)

func TestAHealthySitePassesAndNothingIsLeftBehind(t *testing.T) {
	w := newWorld(t)
	report := w.check()
	for _, r := range report.Results {
		if r.Verdict != preflight.Pass {
			t.Errorf("%+v", r)
		}
		if r.Local != (r.Check == preflight.Webroot || r.Check == preflight.Writable) {
			t.Errorf("%s local: %v", r.Check, r.Local)
		}
	}
	if report.Refusal() != nil || report.Certain() {
		t.Error("a pass is called a refusal")
	}
	if entries, err := os.ReadDir(w.root); err != nil || len(entries) != 0 {
		t.Errorf("left in the document root: %v %v", entries, err)
	}
}

func TestWhatTheDocumentRootForbidsIsNeverAskedOfTheNetwork(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(w *world)
		check   string
		class   failure.Class
		words   []string
	}{
		{"not configured", func(w *world) { w.root = "" }, preflight.Webroot, failure.WebrootUnset,
			[]string{"a.example: no document root is configured"}},
		{"missing", func(w *world) { w.root += "/gone" }, preflight.Webroot, failure.WebrootGone,
			[]string{"document root ", "/gone for a.example does not exist"}},
		{"a customer's link", func(w *world) {
			target := w.t.TempDir() // which he may not enter
			if err := os.Chmod(w.root, 0o777); err != nil {
				w.t.Fatal(err)
			}
			w.root = filepath.Join(w.root, "link")
			if err := errors.Join(os.Symlink(target, w.root), os.Lchown(w.root, 12345, 12345)); err != nil {
				w.t.Fatal(err)
			}
		}, preflight.Webroot, failure.WebrootLocked, []string{"for a.example cannot be reached", "the user 12345 may not enter"}},
		{"a file in the way", func(w *world) {
			if err := os.WriteFile(filepath.Join(w.root, ".well-known"), nil, 0o644); err != nil {
				w.t.Fatal(err)
			}
		}, preflight.Writable, failure.WebrootLocked, []string{"for a.example cannot be written", "/.well-known is a plain file"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			test.prepare(w)
			report := w.check()
			r := result(t, report, test.check)
			if r.Verdict != preflight.Refuse || r.Class != test.class || !r.Local {
				t.Errorf("%+v", r)
			}
			for _, word := range test.words {
				if !strings.Contains(r.Sentence, word) {
					t.Errorf("%q does not say %q", r.Sentence, word)
				}
			}
			for _, check := range []string{preflight.DNS, preflight.HTTP} {
				if got := result(t, report, check).Verdict; got != preflight.Skipped {
					t.Errorf("%s: %s", check, got)
				}
			}
			if len(w.questions()) != 0 || len(w.dials()) != 0 {
				t.Errorf("asked %v, dialled %v", w.questions(), w.dials())
			}
			if refusal := report.Refusal(); refusal == nil || refusal.Class != test.class || !report.Certain() {
				t.Errorf("refusal %+v, certain %v", refusal, report.Certain())
			}
		})
	}
}

func TestACertainRefusalComesBeforeAnother(t *testing.T) {
	w := newWorld(t)
	w.code("b.example", 3)
	report := w.checkAll(preflight.Site{Name: "b.example", Root: w.root}, preflight.Site{Name: "a.example", Root: w.root + "/gone"})
	if r := report.Refusal(); r == nil || r.Name != "a.example" || !report.Certain() {
		t.Errorf("%+v", r)
	}
	report = w.checkAll(preflight.Site{Name: "b.example", Root: w.root})
	if r := report.Refusal(); r == nil || r.Class != failure.DNSMissing || report.Certain() {
		t.Errorf("%+v", r)
	}
}

func TestNamesOfOneDocumentRootShareOneProbe(t *testing.T) {
	w := newWorld(t)
	paths := make(chan string, 10)
	w.points("b.example", global)
	w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		paths <- r.URL.Path
		http.FileServer(http.Dir(w.root)).ServeHTTP(to, r)
	}))
	report := w.checkAll(preflight.Site{Name: "a.example", Root: w.root}, preflight.Site{Name: "b.example", Root: w.root})
	if report.Refusal() != nil {
		t.Errorf("%+v", report.Refusal())
	}
	if first, second := <-paths, <-paths; first != second {
		t.Errorf("two probes: %s and %s", first, second)
	}
}

func TestACheckSkippedOnRequestIsNotMade(t *testing.T) {
	for _, check := range preflight.Checks() {
		t.Run(check, func(t *testing.T) {
			w := newWorld(t)
			w.checker.Skip = map[string]bool{check: true}
			report := w.check()
			for _, r := range report.Results {
				want := preflight.Pass
				if r.Check == check || r.Check == preflight.HTTP && check == preflight.Writable {
					want = preflight.Skipped
				}
				if r.Verdict != want {
					t.Errorf("%+v", r)
				}
			}
			if check == preflight.HTTP && len(w.dials()) != 0 {
				t.Errorf("dialled %v", w.dials())
			}
		})
	}
	w := newWorld(t)
	w.code("a.example", 3)
	w.checker.Skip = map[string]bool{preflight.DNS: true}
	if r := w.check().Refusal(); r != nil {
		t.Errorf("skipping dns does not help against %+v", r)
	}
}

func TestStaleProbesAreClearedAway(t *testing.T) {
	w := newWorld(t)
	dir := filepath.Join(w.root, ".well-known/acme-challenge")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	stale := filepath.Join(dir, "orderly-"+strings.Repeat("s", 35))
	if err := os.WriteFile(stale, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	w.checker.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	w.checker.Skip = map[string]bool{preflight.HTTP: true}
	w.check()
	if _, err := os.Stat(stale); !os.IsNotExist(err) {
		t.Errorf("the stale probe stayed: %v", err)
	}
}

func TestAProbeThatCannotBeRemovedIsTold(t *testing.T) {
	w := newWorld(t)
	aside := t.TempDir()
	w.host(global+":80", http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		http.FileServer(http.Dir(w.root)).ServeHTTP(to, r)
		// A customer who swaps the directory for a link to where he may not go.
		link := filepath.Join(w.root, ".well-known")
		if err := os.Rename(link, filepath.Join(w.root, "moved")); err != nil {
			t.Error(err)
		}
		if err := errors.Join(os.Symlink(aside, link), os.Chmod(aside, 0o700), os.Lchown(link, 12345, 12345)); err != nil {
			t.Errorf("this test gives files away, run it as root: %v", err)
		}
	}))
	w.want(preflight.Writable, preflight.Warn, failure.WebrootLocked, "stays behind")
}

func TestAnEndedContextStopsBeforeAnythingIsDone(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	report := w.checker.Check(ctx, []preflight.Site{{Name: "a.example", Root: w.root}})
	for _, r := range report.Results {
		if r.Verdict != preflight.Warn || r.Class != failure.Stopped {
			t.Errorf("%+v", r)
		}
	}
	if len(w.dials()) != 0 {
		t.Errorf("dialled %v", w.dials())
	}
}

func TestARefusalThatRestsOnAnAnswerOutlastsTheEndOfTheContext(t *testing.T) {
	w := newWorld(t)
	w.code("a.example", 3)
	ctx, cancel := context.WithCancel(t.Context())
	w.checker.Now = func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		if len(w.asked) == 2 { // the clock is looked at once more after both answers
			cancel()
		}
		return time.Now()
	}
	report := w.checker.Check(ctx, []preflight.Site{{Name: "a.example", Root: w.root}})
	if r := result(t, report, preflight.DNS); ctx.Err() == nil || r.Verdict != preflight.Refuse || r.Class != failure.DNSMissing {
		t.Errorf("%v %+v", ctx.Err(), r)
	}
	if r := result(t, report, preflight.HTTP); r.Verdict != preflight.Skipped {
		t.Errorf("%+v", r)
	}
}

func TestTheFingerprintChangesWithWhatCouldMakeADifferenceAndWithNothingElse(t *testing.T) {
	w := newWorld(t)
	print := func() string { return w.check().Fingerprint }
	old := print()
	changed := func(what string, is bool) {
		t.Helper()
		now := print()
		if (now != old) != is {
			t.Errorf("%s: changed %v, want %v", what, now != old, is)
		}
		old = now
	}
	changed("nothing", false)
	if err := os.WriteFile(filepath.Join(w.root, "index.html"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	changed("another file in the document root", false)
	if err := errors.Join(os.Rename(w.root, w.root+"-first"), os.Mkdir(w.root, 0o755)); err != nil {
		t.Fatal(err)
	}
	changed("another directory of the same name", true)
	w.points("a.example", global, "93.184.216.35")
	changed("another address", true)
	rotated := false
	w.answers("a.example", func(times int, kind uint16) ([]string, int) {
		if kind != 1 {
			return nil, 0
		}
		rotated = !rotated
		records := []string{"a.example. 60 IN A " + global, "a.example. 60 IN A 93.184.216.35"}
		if rotated {
			records[0], records[1] = records[1], records[0]
		}
		return records, 0
	})
	w.host("93.184.216.35:80", http.FileServer(http.Dir(w.root)))
	changed("addresses in another order", false)
	changed("addresses in another order again", false)
	for _, address := range []string{global, "93.184.216.35"} {
		w.host(address+":80", http.NotFoundHandler())
	}
	changed("404 instead of the probe", true)
	changed("404 with another probe's name", false)
	for _, address := range []string{global, "93.184.216.35"} {
		w.host(address+":80", leadTo(301, "ftp://a.example/"))
	}
	changed("a redirect", true)
	w.code("a.example", 3)
	changed("no such name", true)
	if err := os.Rename(w.root, w.root+"-old"); err != nil {
		t.Fatal(err)
	}
	changed("the document root is gone", true)
	if err := os.Mkdir(w.root, 0o755); err != nil {
		t.Fatal(err)
	}
	changed("the document root is back, as another directory", true)
}

func TestManyNamesAreCheckedTogetherAndInOrder(t *testing.T) {
	w := newWorld(t)
	var sites []preflight.Site
	for i := range 50 {
		name := strings.Repeat("x", i+1) + ".example"
		w.points(name, global)
		sites = append(sites, preflight.Site{Name: name, Root: w.root})
	}
	if r := w.checkAll(sites...).Refusal(); r != nil {
		t.Errorf("%+v", r)
	}
}

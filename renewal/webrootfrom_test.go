package renewal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// deployed is a site whose releases stand side by side, as Capistrano leaves them: the web server
// serves the latest one, and a command of the provider's says which that is.
type deployed struct {
	*machine
	name, command string
}

func deploy(t *testing.T) *deployed {
	t.Helper()
	d := &deployed{machine: newHost(t, testca.Config{}), name: "a.example.com"}
	d.command = fmt.Sprintf(`cat "%s/says/$1"`, d.dir)
	d.release(1)
	w := d.wish(d.name)
	w.Webroots, w.WebrootPaths, w.Proof = map[string]string{}, nil, host.Proof{Solver: host.Say("webroot"), WebrootFrom: host.Say(d.command)}
	s := d.process("certonly")
	if r := s.Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	must(t, s.Finish(t.Context()))
	must(t, s.End("done", 0, ""))
	d.keeps(1)
	return d
}

func (d *deployed) path(n int) string {
	return filepath.Join(d.dir, "releases", fmt.Sprint(n), "public")
}

// release makes a new release and lets the web server and the command know. Those before it stay.
func (d *deployed) release(n int) {
	d.t.Helper()
	must(d.t, os.MkdirAll(d.path(n), 0o755))
	must(d.t, os.MkdirAll(filepath.Join(d.dir, "srv"), 0o755))
	_ = os.Remove(d.root(d.name))
	must(d.t, os.Symlink(d.path(n), d.root(d.name)))
	d.says(d.path(n) + "\n")
}

// says lets the command answer.
func (d *deployed) says(text string) {
	d.t.Helper()
	must(d.t, os.MkdirAll(filepath.Join(d.dir, "says"), 0o755))
	must(d.t, os.WriteFile(filepath.Join(d.dir, "says", d.name), []byte(text), 0o644))
}

// keeps wants the renewal file to hold the release alone, wherever a document root stands in it.
func (d *deployed) keeps(n int) {
	d.t.Helper()
	text := d.conf(d.name)
	if !strings.Contains(text, d.name+" = "+d.path(n)+"\n") || !strings.Contains(text, "webroot_path = "+d.path(n)+",\n") || strings.Count(text, "/releases/") != 2 {
		d.t.Errorf("release %d is not what is kept:\n%s", n, text)
	}
}

// renewed wants one more certificate by one more order.
func (d *deployed) renewed(round renewal.Round, want string) {
	d.t.Helper()
	orders := len(d.ca.Truth().Orders)
	round.Renew = true
	results, err := d.renew(round)
	truth := d.ca.Truth()
	if err != nil || outcomes(results) != d.name+" "+want || len(truth.Orders) != orders+1 || truth.Pending() != 0 && want != renewal.Failed {
		d.t.Errorf("%s, %v, %d orders more, %d pending: %+v", outcomes(results), err, len(truth.Orders)-orders, truth.Pending(), results)
	}
}

// A new release is deployed and the old one stays: what was known before is asked for again, and
// what was left is not written to.
func TestADocumentRootThatWasLeftIsNotUsed(t *testing.T) {
	t.Parallel()
	t.Run("renew", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.release(2)
		d.renewed(renewal.Round{}, renewal.Issued)
		d.keeps(2)
		d.renewed(renewal.Round{}, renewal.Issued)
		d.keeps(2)
	})
	t.Run("a rehearsal", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.release(2)
		d.set.Rehearsal = true
		d.renewed(renewal.Round{}, renewal.Rehearsed)
		d.keeps(1)
	})
	t.Run("reconfigure", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.release(2)
		_, err := d.reconfigure(renewal.Reconfiguration{Round: renewal.Round{Said: host.Said{Proof: host.Proof{WebrootFrom: host.Say(d.command)}}, CertName: d.name}})
		must(t, err)
		d.keeps(2)
	})
	t.Run("certonly that names the old one", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.release(2)
		w := d.wish(d.name)
		w.Webroots[d.name], w.WebrootPaths, w.Renew = d.path(1), []string{d.path(1)}, true
		if r := d.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued {
			t.Errorf("%+v", r)
		}
		d.keeps(2)
	})
	t.Run("a pattern", func(t *testing.T) {
		t.Parallel()
		d := deploy(t)
		d.edit(d.name, "orderly_webroot_from = ", "orderly_webroot_from = "+filepath.Join(d.dir, "srv", "{domain}")+"\nformerly = ")
		d.release(2)
		d.renewed(renewal.Round{}, renewal.Issued)
		if text := d.conf(d.name); strings.Contains(text, "/releases/") || !strings.Contains(text, d.name+" = "+d.root(d.name)+"\n") {
			t.Errorf("%s", text)
		}
	})
}

// What was said last serves when the command fails, in whatever way, and somebody is told.
func TestTheLastDocumentRootServesWhenTheCommandFails(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	for _, one := range []struct{ from, says string }{
		{"echo down >&2; exit 3", "failed (exit status 3) and said: down"},
		{"kill -9 $$", "failed: signal: killed"},
		{"sleep 600 #", "was ended after 300ms"},
		{"yes /", "was ended after 300ms"},
		{"sleep 600 & sleep 600", "was ended after 300ms"},
		{"true", "said nothing"},
		{"printf '/srv/a\\n/srv/b\\n'", "which is not one absolute path"},
		{"printf '/srv/\\033[31m'", "which is not one absolute path"},
		{"printf '/srv/\\377'", "which is not one absolute path"},
		{"printf '/srv/\\302\\2331m'", "which is not one absolute path"},
		{"yes /srv | head -c 20000 | tr -d '\\n'", "which is not one absolute path"},
		{"echo /no/such/place #", "which is no directory"},
		{"echo / #", "which is no document root"},
		{`p=%; echo "/tmp/$p(x)s" #`, "cannot be kept in a renewal file"},
		{filepath.Join(d.dir, "gone", "{domain}"), "which is no directory"},
	} {
		d.report.warnings, d.set.RootPatience = nil, time.Minute
		if strings.Contains(one.says, "was ended") {
			d.set.RootPatience = 300 * time.Millisecond
		}
		d.renewed(renewal.Round{Said: host.Said{Proof: host.Proof{WebrootFrom: host.Say(one.from)}}}, renewal.Issued)
		said := strings.Join(d.report.warnings, "\n")
		if !strings.Contains(said, one.says) || !strings.Contains(said, "is used: "+d.path(1)) || !utf8.ValidString(said) || strings.ContainsAny(said, "\x1b\u009b") {
			t.Errorf("%s: %q", one.from, said)
		}
		d.keeps(1)
	}
	// Where that is gone as well, the refusal says both, and the CA is not asked.
	must(t, os.RemoveAll(d.path(1)))
	s := d.process("renew")
	results, err := s.RenewAll(t.Context(), renewal.Round{Said: host.Said{Proof: host.Proof{WebrootFrom: host.Say("exit 3")}}, Renew: true})
	must(t, err)
	if r := results[0]; r.Class != failure.WebrootGone || !strings.Contains(r.Sentence, d.path(1)) || !strings.Contains(r.Sentence, "exit status 3") {
		t.Errorf("%+v", r)
	}
}

// A command that is silent is given up by the run, or a round over many names would take hours.
func TestASilentCommandIsNotAskedForEveryName(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.set.RootPatience = 50 * time.Millisecond
	var names []string
	for i := range 8 {
		names = append(names, fmt.Sprintf("n%d.example.com", i))
	}
	h.site(names...)
	w := h.wish(names...)
	w.Proof = host.Proof{Solver: host.Say("webroot"), WebrootFrom: host.Say("true; sleep 600")}
	if r := h.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
	if n, spared := h.warned("was ended after 50ms; "), h.warned("3 times in a row, and is not asked for "); n != 3 || spared != 5 {
		t.Errorf("it was asked for %d names, and not for %d: %q", n, spared, h.report.warnings)
	}
}

// What a killed run left is finished from the document root of now.
func TestAnOpenOrderFindsTheNewRelease(t *testing.T) {
	t.Parallel()
	d := deploy(t)
	d.set.Patience = time.Second
	d.ca.Inject(testca.Fault{Kind: "authorization", Action: testca.Drop})
	d.clock.hasten(true) // the CA answers nothing however long it is waited for
	d.renewed(renewal.Round{}, renewal.Failed)
	d.clock.hasten(false)
	d.ca.ClearFaults()
	d.release(2)
	s := d.process("resume")
	results, err := s.ResumeAll(t.Context())
	must(t, err)
	if truth := d.ca.Truth(); outcomes(results) != d.name+" issued" || truth.Pending() != 0 || len(truth.Orders) != 2 {
		t.Errorf("%+v, %d orders", results, len(truth.Orders))
	}
	d.keeps(2)
}

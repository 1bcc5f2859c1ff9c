package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/ledger"
	"orderly/webserver"
)

// nobodys makes files that no renewal file knows, an hour ago.
func (p *place) nobodys(name string) damage.Dir {
	p.t.Helper()
	p.healthy(name)
	d := p.at(name)
	if err := os.Remove(d.Conf()); err != nil {
		p.t.Fatal(err)
	}
	for _, dir := range []string{filepath.Dir(d.Live("")), filepath.Dir(d.Archived("", 1))} {
		if err := os.Chtimes(dir, p.now.Add(-time.Hour), p.now.Add(-time.Hour)); err != nil {
			p.t.Fatal(err)
		}
	}
	return d
}

// What belongs to no renewal file goes to the backup as it is, and nothing else changes.
func TestFilesOfNobodyAreMovedWhereNothingNeedsThem(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	p.nobodys("gone.example")
	r := p.web(func() *webserver.Survey { return p.nginx("a.example") })
	before := treeOf(t, p.dir)
	m := p.mender(r)
	f := p.told(r, "D20", "")
	repair, err := m.Plan(t.Context(), f)
	if err != nil || f.Fix != doctor.FixAsk || len(repair.Edits) != 2 {
		t.Fatalf("%v, %+v", err, repair)
	}
	if err := m.Mend(t.Context(), repair); err != nil {
		t.Fatal(err)
	}
	for _, e := range repair.Edits {
		if _, err := os.Lstat(e.Path); err == nil {
			t.Errorf("%s is still there", e.Path)
		}
		if err := os.Rename(filepath.Join(m.Backup.Dir(), e.Path), e.Path); err != nil {
			t.Error(err)
		}
	}
	for _, path := range differing(before, treeOf(t, p.dir)) {
		if path != filepath.Join(p.dir, "etc") { // in which orderly/ was made
			t.Errorf("%s was changed", path)
		}
	}
}

// What may be needed is left: served, named in a file, led to by another lineage's links, of a
// retirement that was killed, or beside a renewal file that cannot be read.
func TestFilesThatMayBeNeededAreLeft(t *testing.T) {
	for what, c := range map[string]struct {
		need func(p *place, d damage.Dir) error
		want string
	}{
		"named": {func(p *place, d damage.Dir) error {
			p.write(filepath.Join(p.dir, "etc/dovecot.conf"), "ssl_cert = <"+d.Live("fullchain"))
			return nil
		}, "dovecot.conf"},
		"led to": {func(p *place, d damage.Dir) error {
			link := p.at("a.example").Live("privkey")
			return firstError(os.Remove(link), os.Symlink(d.Archived("privkey", 2), link))
		}, "links of a.example"},
		"of a killed run": {func(p *place, _ damage.Dir) error {
			run := &ledger.Run{Command: "retire", StartedAt: p.now}
			if err := p.store.Commit(t.Context(), &ledger.Change{Run: run}); err != nil {
				return err
			}
			return p.store.Commit(t.Context(), &ledger.Change{Tasks: []*ledger.Task{{RunID: run.ID,
				Kind: ledger.RetireTask, Subject: "gone.example", BegunAt: p.now}}})
		}, "unfinished"},
		"of one that was put aside": {func(p *place, d damage.Dir) error {
			aside := filepath.Join(p.dir, "etc/orderly/retired/gone.example/renewal/gone.example.conf")
			p.write(aside, "version = 2\n")
			return nil
		}, "was put aside"},
		"unreadable": {func(p *place, _ damage.Dir) error {
			return os.WriteFile(p.at("b.example").Conf(), []byte("no setting\n"), 0o644)
		}, "cannot be read"},
		"served": {nil, "may be in use"},
		"just made": {func(_ *place, d damage.Dir) error {
			return os.Chtimes(filepath.Dir(d.Live("")), time.Now(), time.Now())
		}, "just now"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			p.healthy("a.example")
			d := p.nobodys("gone.example")
			uses := []string{"other.example"}
			if c.need == nil {
				uses = append(uses, "gone.example")
			} else if err := c.need(p, d); err != nil {
				t.Fatal(err)
			}
			r := p.web(func() *webserver.Survey { return p.nginx(uses...) })
			f := p.told(r, "D20", "")
			repair, err := p.mender(r).Plan(t.Context(), f)
			if f.Fix != doctor.FixNo || len(repair.Edits) > 0 || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, %+v", f.Fix, err, repair.Edits)
			}
		})
	}
}

func firstError(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}

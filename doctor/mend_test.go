package doctor_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/ledger"
)

// treeOf is what stands below a directory but Orderly's own: kind, mode, owner, time and content.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && strings.HasSuffix(path, "/etc/orderly") {
			return fs.SkipDir
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content, _ := os.Readlink(path)
		st, _ := info.Sys().(*syscall.Stat_t)
		is := fmt.Sprintf("%v %d:%d", info.Mode(), st.Uid, st.Gid)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(text)
			is += info.ModTime().String()
		}
		tree[path] = is + " " + content
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// differing are the names that two trees do not have in common, or not alike.
func differing(before, after map[string]string) []string {
	names := map[string]bool{}
	for path, is := range before {
		names[path] = names[path] || after[path] != is
	}
	for path, is := range after {
		names[path] = names[path] || before[path] != is
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(names))
}

// mender mends what a report says, without other processes.
func (p *place) mender(r doctor.Report) *doctor.Mender {
	m := r.Mender()
	m.Lock = func(string) (func() error, bool, error) { return func() error { return nil }, true, nil }
	m.Backup = &doctor.Backup{Top: filepath.Join(p.dir, "etc", "orderly", "backup"), Now: func() time.Time { return p.now }}
	return m
}

// mend mends what is marked so, and returns the names that were shown.
func (p *place) mend(r doctor.Report, fix doctor.Fix) (shown []string) {
	p.t.Helper()
	m := p.mender(r)
	for _, f := range r.Findings {
		if f.Fix != fix {
			continue
		}
		repair, err := m.Plan(p.t.Context(), f)
		if err != nil {
			p.t.Fatalf("%s of %s: %v", f.ID, f.Lineage, err)
		}
		for _, e := range repair.Edits {
			shown = append(shown, e.Path)
		}
		if err := m.Mend(p.t.Context(), repair); err != nil {
			p.t.Errorf("%s of %s: %v", f.ID, f.Lineage, err)
		}
	}
	slices.Sort(shown)
	return slices.Compact(shown)
}

// Over all that the field does to lineages: what is marked yes is mended, those lineages can be
// renewed, and nothing else changes, neither content nor mode, owner and time.
func TestWhatIsMarkedYesIsMendedAndNothingElse(t *testing.T) {
	p := newPlace(t)
	for _, c := range damage.Cases() {
		if err := c.Make(p.at(c.Name)); err != nil {
			t.Fatal(err)
		}
	}
	r := p.examine()
	before := treeOf(t, p.dir)
	shown := p.mend(r, doctor.FixYes)
	for _, path := range differing(before, treeOf(t, p.dir)) {
		info, err := os.Lstat(path)
		if !slices.Contains(shown, path) && (err != nil || !info.IsDir()) {
			t.Errorf("%s was changed and not shown", path)
		}
	}
	if len(shown) < 20 {
		t.Errorf("only %d names were changed", len(shown))
	}
	again := p.examine()
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(p.dir, "etc")}}
	for _, f := range r.Findings {
		if f.Fix != doctor.FixYes {
			continue
		}
		if ids, all := of(again, f.Lineage); slices.Contains(ids, f.ID) {
			t.Errorf("%s of %s is found again: %+v", f.ID, f.Lineage, all)
		}
		l, err := disk.Open(f.Lineage)
		if err == nil {
			err = l.Usable()
		}
		stays := slices.ContainsFunc(r.Findings, func(o doctor.Finding) bool {
			return o.Lineage == f.Lineage && o.Fix != doctor.FixYes && o.Severity != doctor.Note
		})
		if err != nil && !stays && f.ID != "D2" {
			t.Errorf("%s, mended of %s: %v", f.Lineage, f.ID, err)
		}
	}
	if more := p.mend(again, doctor.FixYes); len(more) > 0 {
		t.Errorf("a second time, %q", more)
	}
}

// What is replaced is kept, with what was changed, where no certbot reads it.
func TestWhatIsReplacedIsKept(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	d.Others = []string{"www.a.example"}
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.Conf())
	if err != nil {
		t.Fatal(err)
	}
	harmed := strings.Replace(strings.Replace(string(text), "webroot_path = "+d.Root+",\n", "", 1),
		"www.a.example = "+d.Root+"\n", "", 1)
	if err := os.WriteFile(d.Conf(), []byte(harmed), 0o644); err != nil {
		t.Fatal(err)
	}
	r := p.examine()
	m := p.mender(r)
	repair, err := m.Plan(t.Context(), r.Findings[0])
	if err != nil || len(repair.Edits) != 1 {
		t.Fatalf("%+v, %v", repair, err)
	}
	shown := strings.Join(doctor.Shown(repair.Edits[0]), "\n")
	if !strings.Contains(shown, "\n+www.a.example = "+d.Root) || strings.Contains(shown, "\n-") {
		t.Error(shown)
	}
	if err := m.Mend(t.Context(), repair); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(filepath.Join(m.Backup.Dir(), d.Conf()))
	if err != nil || string(kept) != harmed {
		t.Errorf("kept is %q, %v", kept, err)
	}
	list, err := os.ReadFile(filepath.Join(m.Backup.Dir(), "changes"))
	if err != nil || !strings.Contains(string(list), shown) {
		t.Errorf("listed is %q, %v", list, err)
	}
}

// What changed between the look and the lock is left as it is.
func TestWhatChangedMeanwhileIsLeft(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	if err := d.Lead(1, "privkey"); err != nil {
		t.Fatal(err)
	}
	r := p.examine()
	m := p.mender(r)
	repair, err := m.Plan(t.Context(), r.Findings[0])
	if err != nil || len(repair.Edits) != 1 {
		t.Fatalf("%+v, %v", repair, err)
	}
	if err := d.Lead(1); err != nil { // somebody goes back to the former version
		t.Fatal(err)
	}
	before := treeOf(t, p.dir)
	if err := m.Mend(t.Context(), repair); err == nil || !strings.Contains(err.Error(), "changed meanwhile") {
		t.Errorf("%v", err)
	}
	if changed := differing(before, treeOf(t, p.dir)); len(changed) > 0 {
		t.Errorf("changed %q", changed)
	}
}

// What is a matter of taste is mended where its check is named, and nothing else is.
func TestWhatIsAskedForIsMended(t *testing.T) {
	cases := map[string]damage.Case{}
	for _, c := range damage.Cases() {
		cases[c.Name] = c
	}
	for _, name := range []string{"relative-entry", "entry-of-two-paths", "hook-with-comma", "account-gone", "retired-server",
		"from-another-directory", "zero-bytes-beside-a-certificate"} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			d := p.at("a.example")
			d.Others = []string{"www.a.example"}
			if err := cases[name].Make(d); err != nil {
				t.Fatal(err)
			}
			if name == "zero-bytes-beside-a-certificate" { // whose names another lineage has as well
				twin := p.at("twin.example")
				twin.Others, twin.Root = []string{"a.example", "www.a.example"}, d.Root
				if err := twin.Healthy(); err != nil {
					t.Fatal(err)
				}
			}
			if name == "retired-server" { // of whose successor there is an account
				key, err := p.disk().Accounts().PendingKey("https://acme-v02.api.letsencrypt.org/directory")
				if err == nil {
					_, err = p.disk().Accounts().Save(certbot.Account{Server: "https://acme-v02.api.letsencrypt.org/directory",
						URL: "https://acme-v02.api.letsencrypt.org/acct/1", Key: key, Created: p.now, Host: "here"})
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			before := treeOf(t, p.dir)
			if changed := p.mend(p.examine(), doctor.FixYes); len(changed) > 0 && name != "hook-with-comma" {
				t.Errorf("mended without being named: %q", changed)
			}
			for range 2 { // where one repair makes another one possible
				p.mend(p.examine(), doctor.FixAsk)
			}
			for _, f := range p.examine().Findings {
				if f.Lineage == d.Name && f.Severity != doctor.Note || f.Fix == doctor.FixAsk {
					t.Errorf("%s is left: %s", f.ID, f.Sentence)
				}
			}
			if l, err := p.disk().Open(d.Name); err != nil || l.Usable() != nil || !slices.Equal(l.Certificate.Names, d.Names()) {
				t.Errorf("%v, %v", err, l)
			}
			for _, path := range differing(before, treeOf(t, p.dir)) {
				if info, err := os.Lstat(path); path != d.Conf() && (err != nil || !info.IsDir()) {
					t.Errorf("%s was changed", path)
				}
			}
		})
	}
}

// Of several accounts the one by which the last certificate was ordered is named.
func TestTheAccountOfTheLastCertificateIsNamed(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	second := p.newAccount()
	text, err := os.ReadFile(d.Conf())
	if err == nil {
		err = os.WriteFile(d.Conf(), []byte(strings.Replace(string(text), "account = "+d.Account+"\n", "", 1)), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	if f := only(t, p.examine().Findings, "D12"); f.Fix != doctor.FixNo {
		t.Errorf("nothing says which: %+v", f)
	}
	used := &ledger.Account{Server: second.Server, URL: second.URL}
	if err := p.store.Commit(t.Context(), &ledger.Change{Account: used}); err != nil {
		t.Fatal(err)
	}
	o := &ledger.Order{AccountID: used.ID, Lineage: d.Name, Names: d.Names(), State: ledger.Installed, CreatedAt: p.now,
		UpdatedAt: p.now, SettledAt: p.now, Request: ledger.Request{Lineage: d.Name, Names: d.Names(), Server: used.Server}}
	if err := p.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}, Certificate: &ledger.Certificate{
		AccountID: used.ID, Lineage: d.Name, Names: d.Names(), Serial: "01", IssuedAt: p.now}}); err != nil {
		t.Fatal(err)
	}
	p.mend(p.examine(), doctor.FixAsk)
	l, err := p.disk().Open(d.Name)
	if err != nil || l.Renewal.Params.Account != second.ID {
		t.Errorf("%v, %+v", err, l.Renewal.Params)
	}
}

// A key becomes as narrow as it is meant; one that was given to a group stays that group's, and one
// with a second name elsewhere is nobody's to change.
func TestOnlyThisFilesModeBecomesNarrower(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	key := d.Archived("privkey", 2)
	err := os.Chmod(key, 0o644)
	for dir := filepath.Dir(key); dir != filepath.Dir(filepath.Dir(p.dir)) && err == nil; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755) // else nobody gets to it
	}
	if err != nil {
		t.Fatal(err)
	}
	f := only(t, p.examine().Findings, "D17")
	if f.Fix != doctor.FixYes {
		t.Fatalf("%+v", f)
	}
	other := key + ".second"
	if err := os.Link(key, other); err != nil {
		t.Fatal(err)
	}
	if f := only(t, p.examine().Findings, "D17"); f.Fix != doctor.FixNo {
		t.Errorf("with a second name: %+v", f)
	}
	if err := os.Remove(other); err != nil {
		t.Fatal(err)
	}
	if shown := p.mend(p.examine(), doctor.FixYes); !slices.Equal(shown, []string{key}) {
		t.Errorf("shown %q", shown)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// A copy of a configuration directory names the files of the one it was copied from, whose locks
// nobody holds: nothing is mended there.
func TestAnotherDirectorysFilesAreNotMended(t *testing.T) {
	p := later(t)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range damage.Cases() {
		if c.Name == "newest-not-linked" {
			ok(c.Make(p.at("a.example")))
		}
	}
	if f := only(t, p.examine().Findings, "D14"); f.Fix != doctor.FixYes {
		t.Fatalf("%+v", f)
	}
	there := filepath.Join(t.TempDir(), "copied-from")
	ok(os.Mkdir(there, 0o755))
	for _, kind := range []string{"live", "archive"} {
		ok(os.Rename(filepath.Join(p.disk().Dirs.Config, kind), filepath.Join(there, kind)))
	}
	conf := filepath.Join(p.disk().Dirs.Config, "renewal", "a.example.conf")
	text, err := os.ReadFile(conf)
	ok(err)
	for _, kind := range []string{"/live/", "/archive/"} {
		text = []byte(strings.ReplaceAll(string(text), p.disk().Dirs.Config+kind, there+kind))
	}
	ok(os.WriteFile(conf, text, 0o644))
	if f := only(t, p.examine().Findings, "D14"); f.ID == "" || f.Fix != doctor.FixNo {
		t.Errorf("%+v", f)
	}
}

// A renewal file that somebody copied goes where it is named, and is kept; one beside which a live
// directory stands may be in use.
func TestACopiedRenewalFileGoesWhereItHasNoFiles(t *testing.T) {
	p := newPlace(t)
	d := p.at("a.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(d.Conf())
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(filepath.Dir(d.Conf()), "a.example.bak.conf")
	p.write(copied, string(text))
	live := filepath.Join(p.dir, "etc/live/a.example.bak")
	if err := os.Mkdir(live, 0o755); err != nil {
		t.Fatal(err)
	}
	if f := only(t, p.examine().Findings, "D19"); f.Fix != doctor.FixNo {
		t.Errorf("beside files of its own: %+v", f)
	}
	if err := os.Remove(live); err != nil {
		t.Fatal(err)
	}
	r := p.examine()
	if f := only(t, r.Findings, "D19"); f.Fix != doctor.FixAsk {
		t.Errorf("%+v", f)
	}
	m := p.mender(r)
	repair, err := m.Plan(t.Context(), only(t, r.Findings, "D19"))
	if err == nil {
		err = os.Rename(d.Conf(), d.Conf()+".away") // somebody kept the copy
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Mend(t.Context(), repair); err == nil || !strings.Contains(err.Error(), "is no copy any more") {
		t.Errorf("%v", err)
	}
	if err := os.Rename(d.Conf()+".away", d.Conf()); err != nil {
		t.Fatal(err)
	}
	if shown := p.mend(r, doctor.FixAsk); !slices.Equal(shown, []string{copied}) {
		t.Errorf("shown %q", shown)
	}
	if r := p.examine(); len(r.Findings) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	kept, err := filepath.Glob(filepath.Join(p.dir, "etc/orderly/backup/*", copied))
	if err != nil || len(kept) != 2 { // one of each attempt
		t.Errorf("%q, %v", kept, err)
	}
}

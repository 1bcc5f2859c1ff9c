package doctor_test

import (
	"crypto"
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
)

func (p *place) write(path, text string) {
	p.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// one is the only finding about a lineage.
func (p *place) one(r doctor.Report, lineage string) doctor.Finding {
	p.t.Helper()
	ids, all := of(r, lineage)
	if len(all) != 1 {
		p.t.Fatalf("%s: %q, not one finding", lineage, ids)
	}
	return all[0]
}

// told is the only finding of a check about a lineage, "" for the host.
func (p *place) told(r doctor.Report, id, lineage string) doctor.Finding {
	p.t.Helper()
	var found []doctor.Finding
	for _, f := range r.Findings {
		if f.ID == id && f.Lineage == lineage {
			found = append(found, f)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("%d findings %s of %q: %+v", len(found), id, lineage, r.Findings)
	}
	return found[0]
}

// What would keep a token from being put into a document root is found, with whose names it is, and
// nothing is written for it.
func TestWhatIsInTheWayOfTokensIsFound(t *testing.T) {
	p := newPlace(t)
	www := filepath.Join(p.dir, "www")
	for _, name := range []string{"gone.example", "away.example", "file.example", "link.example", "fine.example"} {
		p.healthy(name)
	}
	for _, name := range []string{"gone.example", "away.example"} {
		if err := os.Remove(filepath.Join(www, name)); err != nil {
			t.Fatal(err)
		}
	}
	went := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(www, went, went); err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(www, "file.example/.well-known"), "no directory")
	if err := os.Symlink("/nowhere/at/all", filepath.Join(www, "link.example/.well-known")); err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.dir, "etc/fstab"), "# a comment\nUUID=1 / ext4 defaults 0 1\nfs:/x "+www+"/away.example nfs rw 0 0\n")
	p.write(filepath.Join(p.dir, "proc/self/mountinfo"), "1 0 0:1 / / rw - ext4 /dev/sda1 rw\n")
	before := treeOf(t, www)
	r := p.examine()
	if changed := differing(before, treeOf(t, www)); len(changed) > 0 {
		t.Errorf("the look changed %q", changed)
	}
	f := p.one(r, "gone.example")
	if f.ID != "D21" || f.Class != failure.WebrootGone || !f.Since.Equal(went) || f.HurtsAt.IsZero() ||
		f.File != www+"/gone.example" || !slices.Equal(f.Names, []string{"gone.example"}) || !strings.Contains(string(f.Remedy), "mkdir") {
		t.Errorf("gone: %+v", f)
	}
	if f := p.one(r, "away.example"); f.ID != "D21" || !strings.Contains(f.Sentence, "is not mounted") ||
		!strings.Contains(string(f.Remedy), "mount "+www+"/away.example") {
		t.Errorf("not mounted: %+v", f)
	}
	if f := p.one(r, "file.example"); f.ID != "D22" || f.Class != failure.WebrootLocked || f.Severity != doctor.WillFail {
		t.Errorf("a file: %+v", f)
	}
	if f := p.one(r, "link.example"); f.ID != "D22" || !strings.Contains(f.Sentence, "/nowhere") {
		t.Errorf("a link: %+v", f)
	}
	if ids, _ := of(r, "fine.example"); len(ids) > 0 {
		t.Errorf("fine: %q", ids)
	}
}

// What is not renewed needs no document root, and where a command is asked for it with each renewal
// the last answer proves nothing.
func TestADocumentRootThatNothingNeedsIsNoFault(t *testing.T) {
	p := newPlace(t)
	for name, line := range map[string]string{"off.example": "[renewalparams]\nautorenew = False\n",
		"asked.example": "orderly_webroot_from = /bin/echo /srv\n[renewalparams]\n"} {
		d := p.at(name)
		if err := d.Healthy(); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(d.Conf())
		if err != nil {
			t.Fatal(err)
		}
		p.write(d.Conf(), strings.Replace(string(text), "[renewalparams]\n", line, 1))
		if err := os.Remove(d.Root); err != nil {
			t.Fatal(err)
		}
	}
	r := p.examine()
	if ids, _ := of(r, "off.example"); len(ids) > 0 {
		t.Errorf("off: %q", ids)
	}
	if f := p.one(r, "asked.example"); f.ID != "D21" || f.Severity != doctor.Note {
		t.Errorf("asked: %+v", f)
	}
}

// thumbprint is that of the place's account.
func (p *place) thumbprint() string {
	p.t.Helper()
	a, err := p.disk().Accounts().Get(server, p.account)
	if err != nil {
		p.t.Fatal(err)
	}
	key := jose.JSONWebKey{Key: a.Key.Public()}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		p.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Only tokens of this host's accounts go, which are old and which no open order needs.
func TestTokensOfKilledRunsGoAndNoOthers(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	dir := filepath.Join(p.dir, "www/a.example/.well-known/acme-challenge")
	mine, old := p.thumbprint(), time.Now().Add(-8*24*time.Hour)
	for name, content := range map[string]string{
		"left-by-a-killed-run-1": "left-by-a-killed-run-1." + mine,
		"left-by-a-killed-run-2": "left-by-a-killed-run-2." + mine + "\n",
		"needed-by-an-order":     "needed-by-an-order." + mine,
		"young":                  "young." + mine,
		"of-another-account":     "of-another-account.AAAA" + mine[4:],
		"of-another-token":       "left-by-a-killed-run-1." + mine,
		"index.html":             "index.html." + mine,
		"a-text":                 "hello",
	} {
		p.write(filepath.Join(dir, name), content)
		if name == "young" {
			continue
		}
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "a-link")); err != nil {
		t.Fatal(err)
	}
	account := &ledger.Account{Server: server, URL: server + "/1"}
	if err := p.store.Commit(t.Context(), &ledger.Change{Account: account}); err != nil {
		t.Fatal(err)
	}
	err := p.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{{State: ledger.PendingState,
		AccountID: account.ID, Lineage: "a.example", Names: []string{"a.example"},
		Request:        ledger.Request{Lineage: "a.example", Names: []string{"a.example"}, Server: server},
		Authorizations: []*ledger.Authorization{{Name: "a.example", Status: "pending", Token: "needed-by-an-order"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	r := p.examine()
	f := p.told(r, "D22", "a.example")
	if f.Fix != doctor.FixYes || f.Severity != doctor.Note || f.Class != failure.Killed ||
		!f.Since.Equal(old.Truncate(time.Second)) && !f.Since.Truncate(time.Second).Equal(old.Truncate(time.Second)) ||
		!strings.Contains(f.Sentence, "2 tokens") {
		t.Errorf("%+v", f)
	}
	before := treeOf(t, filepath.Join(p.dir, "www"))
	p.mend(r, doctor.FixYes)
	want := []string{filepath.Join(dir, "left-by-a-killed-run-1"), filepath.Join(dir, "left-by-a-killed-run-2")}
	if gone := differing(before, treeOf(t, filepath.Join(p.dir, "www"))); !slices.Equal(gone, want) {
		t.Errorf("gone are %q", gone)
	}
	if ids, _ := of(p.examine(), "a.example"); slices.Contains(ids, "D22") {
		t.Errorf("again: %q", ids)
	}
}

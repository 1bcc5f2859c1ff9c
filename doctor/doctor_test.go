package doctor_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
)

// place is a host of a test: a configuration directory and a ledger.
type place struct {
	t     *testing.T
	dir   string
	store ledger.Store
	now   time.Time
	// account is the id of the only one
	account string
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), store: memory.New(), now: time.Now()}
	accounts := p.disk().Accounts()
	key, err := accounts.PendingKey(server)
	if err != nil {
		t.Fatal(err)
	}
	a, err := accounts.Save(certbot.Account{Server: server, URL: server + "/1", Key: key, Host: "here",
		Created: p.now})
	if err != nil {
		t.Fatal(err)
	}
	p.account = a.ID
	return p
}

// server is the CA of all.
const server = "https://ca.example/directory"

// disk is its configuration directory.
func (p *place) disk() *certbot.Store {
	return &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(p.dir, "etc"),
		Work: filepath.Join(p.dir, "lib"), Logs: filepath.Join(p.dir, "log")}}
}

// at says where a lineage is made.
func (p *place) at(name string) damage.Dir {
	p.t.Helper()
	root := filepath.Join(p.dir, "www", name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		p.t.Fatal(err)
	}
	return damage.Dir{Config: filepath.Join(p.dir, "etc"), Name: name, Root: root,
		Server: server, Account: p.account, Left: 60 * 24 * time.Hour}
}

// examine looks at it.
func (p *place) examine(names ...string) doctor.Report {
	p.t.Helper()
	r, err := doctor.Examine(p.t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
		Now: func() time.Time { return p.now }, Tell: p.t.Logf}, doctor.Wanted{Names: names})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// of are the findings about a lineage.
func of(r doctor.Report, lineage string) (ids []string, all []doctor.Finding) {
	for _, f := range r.Findings {
		if f.Lineage == lineage {
			ids, all = append(ids, f.ID), append(all, f)
		}
	}
	return ids, all
}

// Whatever damage keeps a lineage from being renewed is found on any day, with a sentence and where.
func TestWhatKeepsALineageFromRenewalIsFound(t *testing.T) {
	p := newPlace(t)
	broken := map[string]damage.Case{}
	for _, c := range damage.Cases() {
		if err := c.Make(p.at(c.Name)); err != nil {
			t.Fatal(err)
		}
		if !c.Serves && c.By == "" && c.Name != "zero-bytes" { // of which nothing fails
			broken[c.Name] = c
		}
	}
	r := p.examine()
	for name, c := range broken {
		ids, all := of(r, name)
		if !slices.ContainsFunc(all, func(f doctor.Finding) bool {
			return f.Severity != doctor.Note && strings.Contains(f.Sentence, c.Want) && f.Class != ""
		}) {
			t.Errorf("%s: %q, which do not say %q", name, ids, c.Want)
		}
	}
	if r.Exit() != 1 {
		t.Errorf("exit %d", r.Exit())
	}
}

// What was tried and failed is told with its class, and hurts since its renewal is due.
func TestFailedAttemptsAreTold(t *testing.T) {
	p := newPlace(t)
	healthy := p.at("a.example")
	if err := healthy.Healthy(); err != nil {
		t.Fatal(err)
	}
	if r := p.examine(); len(r.Findings) != 0 || r.Exit() != 0 || r.Clean != 1 {
		t.Fatalf("a healthy one: %+v", r)
	}
	err := p.store.Commit(t.Context(), &ledger.Change{Standings: []ledger.Standing{{
		Lineage: "a.example", Failures: 2, At: p.now,
		Reason: ledger.Because(failure.DNSMissing, "Create it.", "a.example has no address")}}})
	if err != nil {
		t.Fatal(err)
	}
	p.now = p.now.Add(50 * 24 * time.Hour)
	r := p.examine("a.example")
	if len(r.Findings) != 1 || r.Findings[0].Class != failure.DNSMissing || r.Findings[0].Severity != doctor.Fails {
		t.Errorf("%+v", r.Findings)
	}
}

// What hurts first stands first, whatever it is; doubts and notes stand behind.
func TestWhatHurtsFirstStandsFirst(t *testing.T) {
	at := func(day int) time.Time { return time.Date(2026, 12, day, 0, 0, 0, 0, time.UTC) }
	all := []doctor.Finding{
		{ID: "D9", Severity: doctor.Note, HurtsAt: at(1)},
		{ID: "D40", Severity: doctor.Doubtful, HurtsAt: at(1)},
		{ID: "D14", Severity: doctor.WillFail},
		{ID: "D14", Severity: doctor.WillFail, HurtsAt: at(9)},
		{ID: "D21", Severity: doctor.Fails, HurtsAt: at(3)},
		{ID: "D4", Severity: doctor.WillFail, HurtsAt: at(4)},
		{ID: "D12", Severity: doctor.Fails, HurtsAt: at(3)},
	}
	doctor.Arrange(all)
	var ids []string
	for _, f := range all {
		ids = append(ids, f.ID)
	}
	if got := strings.Join(ids, " "); got != "D12 D21 D4 D14 D14 D40 D9" {
		t.Error(got)
	}
	groups := doctor.Report{Findings: all}.Groups()
	if len(groups) != 6 || len(groups[3].Findings) != 2 || !groups[3].HurtsAt().Equal(at(9)) {
		t.Errorf("%+v", groups)
	}
}

// Below "fails" stands nothing that the next run of renew mends by itself.
func TestNotesHaveAGroupOfTheirOwn(t *testing.T) {
	all := []doctor.Finding{
		{ID: "D14", Severity: doctor.Note, Lineage: "mended.example"},
		{ID: "D14", Severity: doctor.Fails, Lineage: "torn.example"},
		{ID: "D14", Severity: doctor.WillFail, Lineage: "later.example"},
	}
	doctor.Arrange(all)
	groups := doctor.Report{Findings: all}.Groups()
	if len(groups) != 2 || len(groups[0].Findings) != 2 || groups[0].Severity() != doctor.Fails ||
		groups[1].Severity() != doctor.Note {
		t.Errorf("%+v", groups)
	}
}

// What the last attempts failed of is told once where it is found today, too.
func TestWhatFailedAndIsFoundTodayIsToldOnce(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	if err := os.RemoveAll(p.at("a.example").Root); err != nil {
		t.Fatal(err)
	}
	for class, ids := range map[failure.Class]string{failure.WebrootGone: "D21", failure.DNSMissing: "D21 D28"} {
		err := p.store.Commit(t.Context(), &ledger.Change{Standings: []ledger.Standing{{Lineage: "a.example",
			Failures: 2, At: p.now, Reason: ledger.Because(class, "Mend it.", "it failed")}}})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, f := range p.examine().Findings {
			found = append(found, f.ID)
		}
		if got := strings.Join(found, " "); got != ids {
			t.Errorf("failed of %s: %s, not %s", class, got, ids)
		}
	}
}

// The schema is fixed: monitoring reads it.
func TestTheDocumentHasItsFields(t *testing.T) {
	r := doctor.Report{Lineages: 2, Clean: 1, Findings: []doctor.Finding{{ID: "D1", Severity: doctor.Note}}}
	text, err := json.Marshal(r.Document(func(failure.Remedy) string { return "" }))
	want := `{"version":1,"findings":[{"id":"D1","class":"","severity":"note","lineage":"","names":[],` +
		`"file":"","line":0,"since":null,"hurts_at":null,"sentence":"","remedy":"","fix":""}],` +
		`"summary":{"lineages":2,"clean":1,"findings":1}}`
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if r.Exit() != 3 {
		t.Errorf("notes only: exit %d", r.Exit())
	}
}

// Each check stands in the documentation under its id, once, and there is no other.
func TestEveryCheckIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed, made []string
	for _, m := range regexp.MustCompile(`(?m)^\| (D\d+) \|`).FindAllStringSubmatch(string(text), -1) {
		listed = append(listed, m[1])
	}
	for _, c := range doctor.Checks() {
		made = append(made, c.ID)
	}
	slices.Sort(listed)
	slices.Sort(made)
	if !slices.Equal(listed, made) {
		t.Errorf("documented are %q, made %q", listed, made)
	}
}

// Who asks for one certificate is told of it, and not of what the host could do better.
func TestOneCertificateIsAskedForAlone(t *testing.T) {
	p := newPlace(t)
	if err := p.at("a.example").Healthy(); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(p.dir, "etc", "archive", "gone.example")
	if err := os.MkdirAll(stray, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(stray, "cert1.pem"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if ids, _ := of(p.examine(), ""); !slices.Contains(ids, "D20") {
		t.Errorf("the host: %q", ids)
	}
	if ids, _ := of(p.examine("a.example"), ""); len(ids) > 0 {
		t.Errorf("the certificate: %q", ids)
	}
}

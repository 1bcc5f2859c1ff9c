package e2e_test

import (
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	damaged "orderly/certbot/damage"
	"orderly/testca"
)

// field is the world of all damaged lineages: one CA, one account, and a host for each case.
type field struct {
	*world
	first   *host // has the account
	account string
}

func newField(t *testing.T) *field {
	t.Helper()
	w := newWorld(t, testca.Config{})
	f := &field{world: w, first: w.host("first")}
	f.first.must("register", "--agree-tos", "--register-unsafely-without-email", "--server", w.ca.DirectoryURL())
	f.account = f.first.account()
	t.Cleanup(func() {
		if truth := w.ca.Truth(); truth.Pending() != 0 || truth.ValidatedTwice() != 0 {
			t.Errorf("%d authorizations are pending, %d were validated twice", truth.Pending(), truth.ValidatedTwice())
		}
	})
	return f
}

// account is the id of the one account of a host.
func (h *host) account() string {
	h.t.Helper()
	paths, err := filepath.Glob(filepath.Join(h.config, "accounts", "*", "*", "*", "regr.json"))
	if err != nil || len(paths) != 1 {
		h.t.Fatalf("the accounts are %q, %v", paths, err)
	}
	return filepath.Base(filepath.Dir(paths[0]))
}

// patient is a host with a damaged lineage and a healthy one. Both are due.
type patient struct {
	*host
	damaged.Case
	ill, well damaged.Dir
}

func (f *field) patient(t *testing.T, c damaged.Case) *patient {
	t.Helper()
	w := *f.world
	w.t = t
	p := &patient{host: w.host(c.Name), Case: c}
	f.first.copyAccount(p.host)
	dir := func(name string) damaged.Dir {
		return damaged.Dir{Config: p.config, Name: name, Others: []string{"www." + name}, Root: w.site(name, "www."+name),
			Server: w.ca.DirectoryURL(), Account: f.account, Left: 5 * 24 * time.Hour}
	}
	p.ill, p.well = dir(c.Name+".example.com"), dir("beside-"+c.Name+".example.com")
	for _, err := range []error{p.well.Healthy(), c.Make(p.ill)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// orders counts the CA's orders for a lineage's names, and the certificates.
func (p *patient) orders(d damaged.Dir) (orders, certificates int) {
	for _, o := range p.ca.Truth().Orders {
		if !slices.Equal(o.Names, sorted(d.Names())) {
			continue
		}
		orders++
		if o.Serial != "" {
			certificates++
		}
	}
	return orders, certificates
}

// cost checks what the CA was asked for a lineage.
func (p *patient) cost(d damaged.Dir, want int) {
	p.t.Helper()
	if orders, certificates := p.orders(d); orders != want || certificates != want {
		p.t.Errorf("%d orders and %d certificates for %s, not %d", orders, certificates, d.Name, want)
	}
}

// illFiles are the files of the damaged lineage.
func (p *patient) illFiles() []string {
	return slices.DeleteFunc(p.files(), func(line string) bool {
		return !strings.Contains(line, p.ill.Name) || strings.Contains(line, p.well.Name)
	})
}

// renews runs renew and wants no crash.
func (p *patient) renews() result {
	p.t.Helper()
	r := p.orderly("renew", "--no-random-sleep-on-renew")
	if r.signal != 0 || regexp.MustCompile(`goroutine \d|panic|runtime error|a defect of Orderly`).MatchString(r.stdout+r.stderr) {
		p.t.Fatalf("a crash: %s", r)
	}
	return r
}

// says wants a phrase on stderr, and the place that it is about.
func (p *patient) says(r result, phrase string) {
	p.t.Helper()
	for line := range strings.Lines(r.stderr) {
		if strings.Contains(line, phrase) && (strings.Contains(line, p.config) || strings.Contains(line, p.ill.Name)) {
			return
		}
	}
	p.t.Errorf("no line says %q and about what: %s", phrase, r)
}

// What the field does to a lineage: `orderly renew` renews it, or says what is wrong and asks the CA for nothing. A healthy
// lineage beside it is renewed whatever befell the other.
func TestADamagedLineageIsRenewedOrExplainedAndCostsTheCANothing(t *testing.T) {
	t.Parallel()
	f := newField(t)
	for _, c := range damaged.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			p := f.patient(t, c)
			if c.Serves {
				p.served()
			} else {
				p.explained()
			}
			p.cost(p.well, 1)
			p.goodPair(p.well.Name, p.well.Names()...)
		})
	}
}

// explained runs renew over a lineage that no rule can serve.
func (p *patient) explained() {
	p.t.Helper()
	before := p.illFiles()
	r := p.renews()
	p.cost(p.ill, 0)
	if p.Name == "zero-bytes" { // it stands for nothing, and certbot would complain of it for ever
		p.says(r, "was empty, as a killed certbot leaves it")
		if r.code != 0 || len(p.illFiles()) != 0 {
			p.t.Errorf("%q are left: %s", p.illFiles(), r)
		}
		return
	}
	p.says(r, p.Want)
	if r.code != 1 || !strings.Contains(r.stderr, "remedy: ") {
		p.t.Errorf("no failure with a remedy: %s", r)
	}
	if after := p.illFiles(); !slices.Equal(before, after) {
		p.t.Errorf("what cannot be served was changed: %q, before %q", after, before)
	}
}

// served runs renew over a lineage that is to be renewed, and once more when there is nothing left to do.
func (p *patient) served() {
	p.t.Helper()
	before, text := p.settingsOf(), p.read(p.ill.Conf())
	r := p.renews()
	if r.code != 0 {
		p.t.Fatalf("%s", r)
	}
	if p.Want != "" {
		p.says(r, p.Want)
	}
	lineages := 1
	if p.Name == "twin" {
		lineages = 2
		p.goodPair(p.ill.Name+"-0001", p.ill.Names()...)
	}
	p.cost(p.ill, lineages)
	p.whole()
	p.keptSettings(before, text)
	p.rests()
	p.cost(p.ill, lineages)
}

// rests runs renew when there is nothing left to do. The first such run asks the CA about the new
// certificates, and notes when it may be asked again and nothing else; the next one changes no byte.
func (p *patient) rests() {
	p.t.Helper()
	before := p.files()
	p.nothingToDo()
	asked := p.files()
	if less, more := differ(everyUnnoted(before), everyUnnoted(asked)); len(less)+len(more) > 0 {
		p.t.Errorf("the run that asked the CA changed %q to %q", less, more)
	}
	if text := p.read(p.well.Conf()); unnoted(text) == text {
		p.t.Errorf("when the CA may be asked again is not noted:\n%s", text)
	}
	p.nothingToDo()
	if less, more := differ(asked, p.files()); len(less)+len(more) > 0 {
		p.t.Errorf("a run with nothing to do changed %q to %q", less, more)
	}
}

// nothingToDo runs renew, which attempts nothing.
func (p *patient) nothingToDo() {
	p.t.Helper()
	if r := p.renews(); r.code != 0 || !strings.Contains(r.stdout, "No renewals were attempted.") {
		p.t.Errorf("there is something left to do: %s", r)
	}
}

// whole checks the renewed pair. Links and modes are other ones where an administrator wanted them so.
func (p *patient) whole() {
	p.t.Helper()
	if !slices.Contains([]string{"key-for-a-group", "archive-is-a-link", "live-is-a-link", "killed-between-links"}, p.Name) {
		p.goodPair(p.ill.Name, p.ill.Names()...)
		return
	}
	s := &certbot.Store{Dirs: certbot.Dirs{Config: p.config}}
	l, err := s.Open(p.ill.Name)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := new(certbot.Verifier).Verify(l); err != nil || l.Version != 3 || !slices.Equal(sorted(l.Certificate.Names), sorted(p.ill.Names())) {
		p.t.Errorf("version %d is for %v, %v", l.Version, l.Certificate.Names, err)
	}
	if p.Name == "key-for-a-group" {
		p.mode(filepath.Join("archive", p.ill.Name, "privkey3.pem"), 0o640)
	}
}

func (p *patient) settingsOf() certbot.Params {
	p.t.Helper()
	s := &certbot.Store{Dirs: certbot.Dirs{Config: p.config}}
	r, err := s.ReadRenewal(p.ill.Conf())
	if err != nil {
		p.t.Fatal(err)
	}
	return r.Params
}

// keptSettings checks that a renewal changed no setting, and no line but those it had to mend.
func (p *patient) keptSettings(before certbot.Params, text string) {
	p.t.Helper()
	after := p.settingsOf()
	if p.Name == "account-missing" {
		before.Account = p.ill.Account
	}
	for _, name := range p.ill.Names() {
		if root := rootOf(after, name); root != p.ill.Root {
			p.t.Errorf("the document root of %s is now %q", name, root)
		}
	}
	before.RetryAfter = time.Time{} // which was said of the certificate before
	before.WebrootMap, after.WebrootMap = nil, nil
	if !reflect.DeepEqual(before, after) {
		p.t.Errorf("the settings are %+v, before %+v", after, before)
	}
	var lost []string
	left := slices.Collect(strings.Lines(p.read(p.ill.Conf())))
	for line := range strings.Lines(text) {
		if at := slices.IndexFunc(left, func(l string) bool { return strings.TrimSpace(l) == strings.TrimSpace(line) }); at >= 0 {
			left = left[at+1:]
		} else {
			lost = append(lost, strings.TrimSpace(line))
		}
	}
	if want := p.mended(); !slices.Equal(lost, want) {
		p.t.Errorf("the lines %q are lost or stand elsewhere, not %q:\n%s", lost, want, p.read(p.ill.Conf()))
	}
}

func rootOf(p certbot.Params, name string) string {
	for _, w := range p.WebrootMap {
		if w.Name == name {
			return w.Path
		}
	}
	return ""
}

// mended are the lines that a renewal has to rewrite, to move into [renewalparams] or to take away, for certbot's sake.
func (p *patient) mended() []string {
	name, root := p.ill.Name, p.ill.Root
	var moved []string
	if p.Name == "from-another-directory" {
		old := p.config + "-old"
		moved = append(moved, "archive_dir = "+old+"/archive/"+name)
		for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
			moved = append(moved, kind+" = "+old+"/live/"+name+"/"+kind+".pem")
		}
	}
	return map[string][]string{
		"from-another-directory":     moved,
		"hook-at-the-end":            {"post_hook = true"},
		"hook-with-comma-at-the-end": {"renew_hook = echo a, b"},
		"hook-with-comma":            {"post_hook = echo a, b"},
		"second-hook-at-the-end":     {"post_hook = false"},
		"path-at-the-end":            {"webroot_path = " + root + ","},
		"key-type-at-the-end":        {"key_type = rsa", "reuse_key = False"},
		"map-with-single-brackets":   {"[webroot_map]"},
		"map-is-a-value":             {"webroot_map = {}"},
		"none-everywhere":            {"rsa_key_size = None", "pref_challs = None"},
		"entry-in-capitals":          {strings.ToUpper(name) + " = " + root},
		"entry-with-comma":           {name + " = " + root + ","},
		"stale-entry":                {"old." + name + " = /nowhere/old"},

		// The note alone goes, which is of the certificate before.
		"hook-behind-renewal-information": {"ari_retry_after = 2026-05-01T03:04:05"},
	}[p.Name]
}

// What was damaged in the field and Orderly healed and renewed, certbot lists and finds nothing to do about.
func TestCertbotGetsAlongWithWhatOrderlyHealed(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	var names []string
	for _, c := range damaged.Cases() {
		if !c.Serves || c.Name == "interval-longer-than-life" { // which certbot obeys, with an order by every run
			continue
		}
		d := damaged.Dir{Config: s.config, Name: c.Name + ".example.com", Server: s.ca.DirectoryURL(), Account: s.account, Left: 5 * 24 * time.Hour}
		d.Root = s.site(d.Name)
		if err := c.Make(d); err != nil {
			t.Fatal(err)
		}
		names = append(names, d.Name)
	}
	names = append(names, "twin.example.com-0001")
	r := s.ours.run("renew", "--no-random-sleep-on-renew", "--deadline", "15s")
	for range names { // on a busy machine they are more than one run's work
		if r.code != 75 {
			break
		}
		r = s.ours.run("renew", "--no-random-sleep-on-renew", "--deadline", "15s")
	}
	if r.code != 0 {
		t.Fatalf("%s", r)
	}
	if n := len(s.ca.Truth().Issued); n != len(names) {
		t.Errorf("%d certificates were issued, not %d", n, len(names))
	}
	s.notes(names, "renew", "--no-random-sleep-on-renew")
	listed := listing(t, s.debian.run("certificates"))
	for _, name := range names {
		if !strings.Contains(listed[name], "(VALID: 89 days)") {
			t.Errorf("certbot says of %s: %q", name, listed[name])
		}
	}
	s.unchanged(s.debian, "renew", "--no-random-sleep-on-renew")
	s.unchanged(s.ours, "renew", "--no-random-sleep-on-renew")
}

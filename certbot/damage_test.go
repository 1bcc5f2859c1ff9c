package certbot_test

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/failure"
)

// damagedDir is a place for a damage.Case: a store with an account, a document root, and a certificate that is due.
func damagedDir(t testing.TB) (*certbot.Store, damage.Dir) {
	t.Helper()
	s := newStore(t)
	root := filepath.Join(filepath.Dir(s.Dirs.Config), "www")
	must(t, os.Mkdir(root, 0o755))
	key, err := s.Accounts().PendingKey(testServer)
	must(t, err)
	a, err := s.Accounts().Save(certbot.Account{Server: testServer, URL: testServer + "/acct/1", Key: key, Created: time.Now(), Host: "here"})
	must(t, err)
	return s, damage.Dir{
		Config: s.Dirs.Config, Name: "a.example", Others: []string{"www.a.example"}, Root: root, Server: testServer, Account: a.ID,
		Left: 5 * 24 * time.Hour,
	}
}

// openHealed is what a command does before it renews: it opens the lineage, and lets it be repaired where something is left
// to do.
func openHealed(s *certbot.Store, name string) (*certbot.Lineage, error) {
	l, err := s.Open(name)
	if failure.ClassOf(err) == failure.LineageBroken || (err == nil && l.Unsettled) {
		if _, err := s.Repair(name); err != nil {
			return nil, err
		}
		l, err = s.Open(name)
	}
	if err == nil {
		err = l.Usable()
	}
	return l, err
}

func TestWhatTheFieldDoesToALineageIsServedOrExplained(t *testing.T) {
	cases := damage.Cases()
	if len(cases) < 40 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			s, dir := damagedDir(t)
			must(t, c.Make(dir))
			l, err := openHealed(s, dir.Name)
			switch {
			case c.By == "account":
				must(t, err)
				_, err = s.Accounts().Choose(l.Renewal.Params.Server, l.Renewal.Params.Account)
				explained(t, c, err)
			case c.By == "preflight":
				must(t, err)
				root, err := l.Renewal.Webroot(dir.Name)
				must(t, err)
				if info, err := os.Stat(root); err == nil && info.IsDir() {
					t.Errorf("the document root %s is one", root)
				}
			case c.Serves:
				must(t, err)
				served(t, c, s, dir, l)
			default:
				explained(t, c, err)
				named(t, c, dir, err)
			}
		})
	}
}

// explained checks the sentence: a class, the phrase, a remedy.
func explained(t *testing.T, c damage.Case, err error) {
	t.Helper()
	if class := failure.ClassOf(err); class == "" || class == failure.Internal {
		t.Fatalf("class %q of %v", class, err)
	}
	if !strings.Contains(err.Error(), c.Want) || failure.RemedyOf(err) == "" {
		t.Errorf("got %q (remedy %q), want %q in it", err, failure.RemedyOf(err), c.Want)
	}
}

// named checks that the sentence names the place.
func named(t *testing.T, c damage.Case, dir damage.Dir, err error) {
	t.Helper()
	for _, path := range []string{dir.Conf(), filepath.Dir(dir.Live("")), filepath.Join(dir.Config+"-old", "live")} {
		if strings.Contains(err.Error(), path) {
			return
		}
	}
	t.Errorf("%q names no file", err)
}

// served checks what a renewal needs, lets it happen, and reads the result with both eyes.
func served(t *testing.T, c damage.Case, s *certbot.Store, dir damage.Dir, l *certbot.Lineage) {
	t.Helper()
	var notes []string
	for _, note := range l.Renewal.Notes {
		notes = append(notes, note.String())
	}
	all := strings.Join(notes, "\n")
	if (c.Want == "") != (len(notes) == 0) || !strings.Contains(all, c.Want) {
		t.Errorf("notes %q, want %q", notes, c.Want)
	}
	if c.Want != "" && !regexp.MustCompile(regexp.QuoteMeta(dir.Conf())+`, line \d+: `).MatchString(all) {
		t.Errorf("%q names no line", all)
	}
	if !slices.Equal(l.Certificate.Names, dir.Names()) {
		t.Errorf("names %q", l.Certificate.Names)
	}
	for _, name := range dir.Names() {
		if root, err := l.Renewal.Webroot(name); err != nil || root != dir.Root {
			t.Errorf("the document root of %s is %s, %v", name, root, err)
		}
	}
	p := l.Renewal.Params
	if _, err := s.Accounts().Choose(p.Server, p.Account); err != nil {
		t.Error(err)
	}
	p.WebrootMap = nil
	for _, name := range dir.Names() {
		p.WebrootMap = append(p.WebrootMap, certbot.Webroot{Name: name, Path: dir.Root})
	}
	done, err := s.Install(dir.Name, issue(t, 90, dir.Names()...), p)
	must(t, err)
	again, err := s.Open(dir.Name)
	must(t, err)
	must(t, again.CheckPair())
	must(t, again.Verify())
	if again.Unsettled || again.Version != done.Version || len(again.Renewal.Notes) > 1 {
		t.Errorf("after the renewal: version %d, unsettled %v, notes %v", again.Version, again.Unsettled, again.Renewal.Notes)
	}
	params := again.Renewal.Params
	if params.PostHook != p.PostHook || params.DeployHook != p.DeployHook || params.RenewBeforeExpiry != p.RenewBeforeExpiry || params.KeyType != p.KeyType {
		t.Errorf("the renewal changed settings: %+v, before %+v", params, p)
	}
}

// TestDebiansCertbotReadsWhatWasHealed lets certbot list and rehearse what is left after each case that is served.
func TestDebiansCertbotReadsWhatWasHealed(t *testing.T) {
	s := newStore(t)
	dir := damage.Dir{Config: s.Dirs.Config, Root: t.TempDir(), Server: testServer, Account: "0123", Left: 5 * 24 * time.Hour}
	var served []string
	for _, c := range damage.Cases() {
		if !c.Serves || c.Name == "twin" {
			continue
		}
		dir.Name = c.Name + ".example"
		must(t, c.Make(dir))
		l, err := openHealed(s, dir.Name)
		must(t, err)
		p := l.Renewal.Params
		p.WebrootMap = []certbot.Webroot{{Name: dir.Name, Path: dir.Root}}
		_, err = s.Install(dir.Name, issue(t, 90, dir.Name), p)
		must(t, err)
		served = append(served, dir.Name)
	}
	out := runCertbot(t, s, "certificates")
	if strings.Contains(out, "invalid") || strings.Count(out, "(VALID: 89 days)") != len(served) {
		t.Errorf("certbot lists, of %d:\n%s", len(served), out)
	}
	for _, name := range served {
		if !strings.Contains(out, "Certificate Name: "+name+"\n") {
			t.Errorf("certbot does not list %s", name)
		}
	}
}

func TestCasesHaveNamesAndSentences(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range damage.Cases() {
		if seen[c.Name] || c.Sentence == "" || c.Make == nil || (!c.Serves && c.Want == "") || strings.ContainsAny(c.Name, "/ ") {
			t.Errorf("%+v", c)
		}
		seen[c.Name] = true
	}
}

func FuzzRenewalFile(f *testing.F) {
	for _, c := range damage.Cases() {
		_, dir := damagedDir(f)
		must(f, c.Make(dir))
		if text, err := os.ReadFile(dir.Conf()); err == nil {
			f.Add(text, "post_hook", "true")
		}
	}
	f.Add([]byte(untouched), "webroot_path", "/srv/a, b")
	f.Fuzz(func(t *testing.T, text []byte, key, value string) {
		s := &certbot.Store{Dirs: certbot.Dirs{Config: "/etc/letsencrypt"}}
		r, err := s.ParseRenewal("/etc/letsencrypt/renewal/a.conf", text)
		if err != nil {
			failed(t, err)
			return
		}
		for _, err := range []error{r.Unusable, r.Usable([]string{"a", "www.a.example"})} {
			if err != nil {
				failed(t, err)
			}
		}
		rewritten(t, s, r, certbot.Params{})
		rewritten(t, s, r, certbot.Params{Set: []certbot.Setting{{Key: key, Value: value}}})
		rewritten(t, s, r, certbot.Params{Remove: []string{key}})
	})
}

// failed checks that an error is one for a person.
func failed(t *testing.T, err error) {
	t.Helper()
	var e *failure.Error
	if !errors.As(err, &e) || strings.ContainsAny(strings.ReplaceAll(err.Error(), "\n", ""), "\x00\x1b\r") {
		t.Fatalf("%q", err)
	}
}

// rewritten applies Params and checks that the file can be read again and says the same when they are applied once more.
func rewritten(t *testing.T, s *certbot.Store, r *certbot.Renewal, p certbot.Params) {
	t.Helper()
	once, err := r.Applied(p)
	if err != nil {
		return
	}
	again, err := s.ParseRenewal(r.Path, once)
	if err != nil {
		return // a reference was changed
	}
	twice, err := again.Applied(p)
	if err != nil || string(twice) != string(once) {
		t.Fatalf("applied once %q, twice %q, %v", once, twice, err)
	}
}

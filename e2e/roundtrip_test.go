package e2e_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// unhurried runs Debian's certbot, which takes seconds for each certificate, to its end.
func (h *host) unhurried(args ...string) result {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*patience)
	defer cancel()
	var out, problems output
	c := exec.CommandContext(ctx, debianCertbot, append(args, h.dirs()...)...)
	c.Env, c.Dir, c.Stdout, c.Stderr, c.WaitDelay = h.env, h.dir, &out, &problems, time.Second
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return result{code: c.ProcessState.ExitCode(), stdout: out.String(), stderr: problems.String()}
}

// tool is one of the two programs that share a configuration directory.
type tool struct {
	name string
	run  func(args ...string) result
}

// shared is a host on which both programs work.
type shared struct {
	*host
	debian, ours tool
	port         int // of --standalone
	account      string
	root         string // the CA's root that --preferred-chain names
}

// lineage is one that both programs are to get along with.
type lineage struct {
	name  string
	names []string
	key   string // certbot's word for its kind
	flags []string
}

func newShared(t *testing.T) *shared {
	t.Helper()
	w := newWorld(t, testca.Config{Backdate: 30 * 24 * time.Hour, AlternateChains: 1, Profiles: map[string]testca.Lifetimes{"ninety": {}}})
	h := w.host("one")
	s := &shared{host: h, port: loopbackPort(t), debian: tool{"debian", h.unhurried}, ours: tool{"ours", h.orderly}}
	roots := w.ca.IssuingRoots()
	s.root = roots[len(roots)-1].Name
	h.must("register", "--agree-tos", "--register-unsafely-without-email", "--server", w.ca.DirectoryURL())
	s.account = h.account()
	w.web.intercept(s.forward)
	return s
}

// forward sends what comes for names that are proven by --standalone to its port.
func (s *shared) forward(w http.ResponseWriter, r *http.Request) bool {
	if !strings.Contains(r.Host, "rsa-") {
		return false
	}
	url := "http://127.0.0.1:" + strconv.Itoa(s.port) + r.URL.Path
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, url, nil)
	if err == nil {
		request.Host = r.Host
		var answer *http.Response
		if answer, err = http.DefaultClient.Do(request); err == nil {
			w.WriteHeader(answer.StatusCode)
			_, err = io.Copy(w, answer.Body)
			err = errors.Join(err, answer.Body.Close())
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
	}
	return true
}

func (s *shared) notebook() string { return filepath.Join(s.dir, "journal") }

// kinds are lineages with every option that stays in a renewal file. suffix tells who made them.
func (s *shared) kinds(suffix string) []lineage {
	name := func(kind string) string { return kind + "-" + suffix + ".example.com" }
	ec, rsa, manual := name("ec"), name("rsa"), name("manual")
	first, second, third := s.site(ec, "www."+ec), s.site("shop."+ec), s.site(manual)
	note := func(word string) string {
		return fmt.Sprintf("printf '%%s,%%s\\n' %s \"$RENEWED_LINEAGE\" >> %s # noted", word, s.notebook())
	}
	token := filepath.Join(third, ".well-known", "acme-challenge")
	return []lineage{
		{"ec-" + suffix, []string{ec, "www." + ec, "shop." + ec}, "ECDSA", []string{"--webroot", "-w", first, "-d", ec, "-d", "www." + ec, "-w", second, "-d", "shop." + ec,
			"--cert-name", "ec-" + suffix, "--account", s.account, "--elliptic-curve", "secp384r1", "--reuse-key", "--must-staple", "--preferred-chain", s.root,
			"--preferred-challenges", "http", "--allow-subset-of-names", "--user-agent", "panel/1.0, (shared)", "--pre-hook", "echo before, once", "--post-hook", "echo post >> " + s.notebook(),
			"--deploy-hook", note("deploy")}},
		{rsa, []string{rsa}, "RSA", []string{"--standalone", "--http-01-port", strconv.Itoa(s.port), "--http-01-address", "127.0.0.1", "-d", rsa,
			"--key-type", "rsa", "--rsa-key-size", "3072"}},
		{manual, []string{manual}, "ECDSA", []string{"--manual", "-d", manual, "--preferred-challenges", "http-01",
			"--manual-auth-hook", "mkdir -p " + token + " && printf %s \"$CERTBOT_VALIDATION\" > " + token + "/$CERTBOT_TOKEN",
			"--manual-cleanup-hook", "rm -r " + filepath.Dir(token)}},
	}
}

// obtain makes a lineage.
func (s *shared) obtain(by tool, l lineage, more ...string) {
	s.t.Helper()
	args := slices.Concat([]string{"certonly"}, l.flags, more, []string{"-n", "--server", s.ca.DirectoryURL()})
	if r := by.run(args...); r.code != 0 {
		s.t.Fatalf("%s by %s: %s", l.name, by.name, r)
	}
}

// good checks what must stay as it is, of a lineage, through every renewal by whomever.
func (s *shared) good(l lineage) {
	s.t.Helper()
	live := filepath.Join(s.config, "live", l.name)
	pair, err := tls.LoadX509KeyPair(filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem"))
	if err != nil {
		s.t.Fatalf("%s: %v", l.name, err)
	}
	if !slices.Equal(sorted(pair.Leaf.DNSNames), sorted(l.names)) {
		s.t.Errorf("%s is for %v", l.name, pair.Leaf.DNSNames)
	}
	kind := ""
	switch key := pair.Leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		kind = fmt.Sprint("RSA ", key.N.BitLen())
	case *ecdsa.PublicKey:
		kind = key.Curve.Params().Name
	}
	want := "P-256"
	switch {
	case l.key == "RSA":
		want = "RSA 3072"
	case strings.HasPrefix(l.name, "ec-"):
		want = "P-384"
		s.extras(l, pair)
	}
	if kind != want {
		s.t.Errorf("the key of %s is %s, not %s", l.name, kind, want)
	}
	if want != "P-384" {
		s.goodLinks(l.name)
	}
}

// extras checks what is particular about the lineage with all the options: extension, chain, and the key's mode and group.
func (s *shared) extras(l lineage, pair tls.Certificate) {
	s.t.Helper()
	if !slices.ContainsFunc(pair.Leaf.Extensions, isMustStaple) {
		s.t.Errorf("%s has no OCSP Must Staple", l.name)
	}
	last, err := x509.ParseCertificate(pair.Certificate[len(pair.Certificate)-1])
	if err != nil || last.Issuer.CommonName != s.root {
		s.t.Errorf("the chain of %s leads elsewhere: %v", l.name, err)
	}
	info, err := os.Stat(s.live(l.name, "privkey.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	if stat := info.Sys().(*syscall.Stat_t); info.Mode().Perm() != 0o640 || stat.Gid != keyGroup {
		s.t.Errorf("the key of %s has the mode %o and the group %d", l.name, info.Mode().Perm(), stat.Gid)
	}
}

func isMustStaple(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.5.5.7.1.24" }

// keyGroup is adm, as a group that may read keys.
const keyGroup = 4

// administer does to a lineage what administrators do.
func (s *shared) administer(l lineage) {
	s.t.Helper()
	s.alter(l.name, "[renewalparams]\n", "[renewalparams]\n# the panel's, do not touch\n")
	s.alter(l.name, "server = "+s.ca.DirectoryURL(), "server = "+s.ca.DirectoryURL()+"  # our own")
	s.write(s.conf(l.name), "# managed: yes\npanel_id = 42, 43\nrenew_before_expiry = 100 days\n"+s.settings(l.name)+
		"\n# not certbot's\n[panel]\nowner = \"me, myself\"\n[[quota]]\nused = 1\n")
	if !strings.HasPrefix(l.name, "ec-") {
		return
	}
	path := filepath.Join(s.config, "archive", l.name, "privkey1.pem")
	for _, err := range []error{os.Chown(path, -1, keyGroup), os.Chmod(path, 0o640)} {
		if err != nil {
			s.t.Fatal(err)
		}
	}
}

// kept are the files of the host but for certbot's lock, which certbot removes and Orderly leaves.
func (s *shared) kept() []string {
	s.t.Helper()
	return slices.DeleteFunc(s.files(), func(line string) bool { return strings.HasPrefix(line, "/.certbot.lock") })
}

// unchanged runs a command that has nothing to do, and wants every byte to be as it was.
func (s *shared) unchanged(by tool, args ...string) {
	s.t.Helper()
	before := s.kept()
	s.succeeds(by, args...)
	if less, more := differ(before, s.kept()); len(less)+len(more) > 0 {
		s.t.Errorf("%s %v changed %q to %q", by.name, args, less, more)
	}
}

// notes runs Orderly when there is nothing to do but to ask the CA when these lineages should be
// renewed, and wants nothing to be written but when it may be asked again.
func (s *shared) notes(names []string, args ...string) {
	s.t.Helper()
	before := s.kept()
	s.succeeds(s.ours, args...)
	for _, name := range names {
		if text := s.settings(name); unnoted(text) == text {
			s.t.Errorf("when the CA may be asked again about %s is not noted:\n%s", name, text)
		}
	}
	if less, more := differ(everyUnnoted(before), everyUnnoted(s.kept())); len(less)+len(more) > 0 {
		s.t.Errorf("%v changed %q to %q", args, less, more)
	}
}

// succeeds runs a command that does what it is to do.
func (s *shared) succeeds(by tool, args ...string) {
	s.t.Helper()
	if r := by.run(args...); r.code != 0 {
		s.t.Errorf("%s %v: %s", by.name, args, r)
	}
}

// everyUnnoted are files, as host.files lists them, without such notes, before which the last line
// of a renewal file needs an end.
func everyUnnoted(files []string) []string {
	var all []string
	for _, file := range files {
		if strings.HasPrefix(file, "/renewal/") && !strings.HasSuffix(file, "\n") {
			file += "\n"
		}
		all = append(all, unnoted(file))
	}
	return all
}

// renews runs a command that renews these lineages and no others. Orderly leaves each renewal file as it was; certbot takes
// away what lost gives.
func (s *shared) renews(by tool, all, due []lineage, args ...string) {
	s.t.Helper()
	serials, texts := map[string]string{}, map[string]string{}
	for _, l := range all {
		serials[l.name], texts[l.name] = s.first(s.live(l.name, "cert.pem")).SerialNumber.String(), s.settings(l.name)
	}
	issued := len(s.ca.Truth().Issued)
	if r := by.run(append(args, "--no-random-sleep-on-renew")...); r.code != 0 {
		s.t.Errorf("%s %v: %s", by.name, args, r)
	}
	if n := len(s.ca.Truth().Issued) - issued; n != len(due) {
		s.t.Errorf("%s %v: %d certificates were issued, not %d", by.name, args, n, len(due))
	}
	for _, l := range all {
		s.good(l)
		isDue := slices.ContainsFunc(due, func(d lineage) bool { return d.name == l.name })
		if renewed := s.first(s.live(l.name, "cert.pem")).SerialNumber.String() != serials[l.name]; renewed != isDue {
			s.t.Errorf("%s %v: %s was renewed: %v", by.name, args, l.name, renewed)
		}
		text, want := unnoted(s.settings(l.name)), unnoted(texts[l.name])
		if isDue && by.name == s.debian.name {
			text, want = rewritten(text), rewritten(want)
		}
		if text != want {
			s.t.Errorf("%s %v made of\n%s\nthis:\n%s", by.name, args, want, text)
		}
	}
}

// unnoted is a renewal file without what Orderly, as certbot 5, notes in it of when the CA may be
// asked again. A section that has something before the note, or nothing at all, stays.
func unnoted(text string) string {
	note := regexp.MustCompile(`(?m)^(\[acme_renewal_info\]\r?\n)?` +
		`ari_retry_after = \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\r?\n`)
	return note.ReplaceAllString(text, "")
}

// rewritten takes from a renewal file what certbot 2.1 changes when it renews: it drops settings that it does not know, notes
// where the directories are, and pulls comments up to the values before them.
func rewritten(text string) string {
	text = regexp.MustCompile(`(?m)^(required_profile|panel_note|config_dir|work_dir|logs_dir) = .*\n`).ReplaceAllString(text, "")
	return strings.ReplaceAll(text, "  # our own\n", "# our own\n")
}

// listing is what `certificates` says of each certificate.
func listing(t *testing.T, r result) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, block := range strings.Split(r.stdout, "  Certificate Name: ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		rest, _, _ = strings.Cut(rest, "- - -")
		rest = regexp.MustCompile(`(?m)^ *Identifiers: .*\n`).ReplaceAllString(rest, "")
		all[name] = rest
	}
	if r.code != 0 || strings.Contains(r.stdout+r.stderr, "invalid") {
		t.Errorf("%s", r)
	}
	return all
}

// agree checks that both programs list the same of these lineages.
func (s *shared) agree(all []lineage) {
	s.t.Helper()
	theirs, ours := listing(s.t, s.debian.run("certificates")), listing(s.t, s.ours.run("certificates"))
	if !maps.Equal(theirs, ours) || len(ours) != len(all) {
		s.t.Errorf("%d certificates; certbot lists %q\nOrderly %q", len(all), theirs, ours)
	}
	for _, l := range all {
		if !strings.Contains(ours[l.name], "Key Type: "+l.key+"\n") || !strings.Contains(ours[l.name], "(VALID: 89 days)") {
			s.t.Errorf("%s is listed as %q", l.name, ours[l.name])
		}
	}
}

// alike checks that both programs wrote the same settings for the same flags. Orderly does not note where the directories
// are and by which name certbot went to the CA, nor certbot 2's comment about the interval; their order is their own.
func (s *shared) alike(a, b string) {
	s.t.Helper()
	aside := regexp.MustCompile(`(?m)^((config_dir|work_dir|logs_dir|user_agent) = .*|# renew_before_expiry = 30 days)\n`)
	lines := func(name string) []string {
		text := aside.ReplaceAllString(s.settings(name), "")
		return slices.Sorted(strings.Lines(strings.NewReplacer("-"+s.debian.name, "-X", "-"+s.ours.name, "-X").Replace(text)))
	}
	if less, more := differ(lines(a), lines(b)); len(less)+len(more) > 0 {
		s.t.Errorf("of the same flags certbot made %q and Orderly %q", less, more)
	}
}

// Lineages with every option that leaves a trace, made by each program, are renewed, listed, deleted and revoked by either
// in turn, and nothing of them is lost or rewritten needlessly.
func TestLineagesGoBackAndForthBetweenCertbotAndOrderly(t *testing.T) {
	t.Parallel()
	s := newShared(t)
	theirs, ours := s.kinds(s.debian.name), s.kinds(s.ours.name)
	for i := range theirs {
		s.obtain(s.debian, theirs[i])
		s.obtain(s.ours, ours[i])
		s.alike(theirs[i].name, ours[i].name)
	}
	profile := lineage{"new.example.com", []string{"new.example.com"}, "ECDSA",
		[]string{"--webroot", "-w", s.site("new.example.com"), "-d", "new.example.com", "--required-profile", "ninety"}}
	s.obtain(s.ours, profile)
	due := append(slices.Concat(theirs[:2], ours), profile)
	all := append(slices.Clone(due), theirs[2])
	s.agree(all)
	for _, l := range due {
		s.administer(l)
	}
	s.alter(profile.name, "key_type = ecdsa", "key_type = ecdsa\npanel_note = unknown to both")

	s.renews(s.ours, all, due, "renew")
	s.renews(s.debian, all, due, "renew")
	s.renews(s.ours, all, all, "renew", "--force-renewal")
	s.renews(s.debian, all, ours[:1], "renew", "--force-renewal", "--cert-name", ours[0].name)
	s.renews(s.ours, all, due, "renew")
	s.agree(all)
	s.reused(theirs[0], ours[0])
	s.journaled(theirs[0], 4)
	s.idle(due)
	s.removed(theirs, append(ours, profile))
	if truth := s.ca.Truth(); truth.Pending() != 0 || len(unfinished(truth)) != 0 || len(s.pending()) != 0 || accounts(truth) != 1 {
		t.Errorf("%d are pending, %v unfinished, %d accounts", truth.Pending(), unfinished(truth), accounts(truth))
	}
}

// reused checks that lineages with reuse_key have one key throughout, and others none twice.
func (s *shared) reused(lineages ...lineage) {
	s.t.Helper()
	for _, l := range lineages {
		keys := map[string]bool{}
		paths, err := filepath.Glob(filepath.Join(s.config, "archive", l.name, "privkey*.pem"))
		if err != nil || len(paths) < 5 {
			s.t.Errorf("%s has the keys %q, %v", l.name, paths, err)
		}
		for _, path := range paths {
			keys[s.read(path)] = true
		}
		if len(keys) != 1 {
			s.t.Errorf("%s has %d keys", l.name, len(keys))
		}
	}
}

// journaled checks what the deploy hook of a lineage noted: one line for each renewal, and one for the first certificate.
func (s *shared) journaled(l lineage, renewals int) {
	s.t.Helper()
	line := "deploy," + filepath.Join(s.config, "live", l.name) + "\n"
	if n := strings.Count(s.read(s.notebook()), line); n != renewals+1 {
		s.t.Errorf("the deploy hook of %s ran %d times, not %d:\n%s", l.name, n, renewals+1, s.read(s.notebook()))
	}
}

// idle makes nothing due, and lets both programs find that out.
func (s *shared) idle(due []lineage) {
	s.t.Helper()
	for _, l := range due {
		s.alter(l.name, "renew_before_expiry = 100 days\n", "renew_before_expiry = 3 weeks\n")
	}
	s.renews(s.ours, due, nil, "renew") // which asks the CA, and notes until when not again
	s.unchanged(s.ours, "renew", "--no-random-sleep-on-renew")
	s.unchanged(s.debian, "renew", "--no-random-sleep-on-renew")
	s.unchanged(s.ours, append([]string{"certonly", "-n", "--server", s.ca.DirectoryURL()}, s.kinds(s.debian.name)[0].flags...)...)
	s.unchanged(s.ours, "certificates")
}

// removed lets each program delete and revoke what the other made, and nothing else.
func (s *shared) removed(theirs, ours []lineage) {
	s.t.Helper()
	left := append(slices.Clone(theirs), ours...)
	for _, gone := range []struct {
		by      tool
		l       lineage
		revoked bool
		args    []string
	}{
		{s.ours, theirs[0], false, []string{"delete", "--cert-name", theirs[0].name, "-n"}},
		{s.debian, ours[0], false, []string{"delete", "--cert-name", ours[0].name, "-n"}},
		{s.ours, theirs[1], true, []string{"revoke", "--cert-name", theirs[1].name, "--reason", "superseded", "-n"}},
		{s.debian, ours[1], true, []string{"revoke", "--cert-name", ours[1].name, "--reason", "superseded", "-n"}},
	} {
		others := func() []string {
			return slices.DeleteFunc(s.kept(), func(line string) bool {
				return strings.Contains(line, "/"+gone.l.name) || strings.HasPrefix(line, "/csr") || strings.HasPrefix(line, "/keys")
			})
		}
		before, revoked := others(), len(s.ca.Truth().Revoked)
		if r := gone.by.run(gone.args...); r.code != 0 {
			s.t.Errorf("%s %v: %s", gone.by.name, gone.args, r)
		}
		if less, more := differ(before, others()); len(less)+len(more) > 0 {
			s.t.Errorf("%s %v changed %q to %q", gone.by.name, gone.args, less, more)
		}
		for _, path := range below(s.config) {
			if rest := strings.TrimPrefix(path, s.config); strings.Contains(rest, "/"+gone.l.name) {
				s.t.Errorf("%s %v left %s", gone.by.name, gone.args, path)
			}
		}
		if n := len(s.ca.Truth().Revoked) - revoked; (n == 1) != gone.revoked {
			s.t.Errorf("%s %v revoked %d", gone.by.name, gone.args, n)
		}
		left = slices.DeleteFunc(left, func(l lineage) bool { return l.name == gone.l.name })
	}
	s.agree(left)
}

package cli_test

// pending scan --account-key: what other clients' accounts left is asked about with their keys, and
// finished or given up. No other command uses these accounts, and no key is kept for longer than an
// order of its account is open.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/acme"
	"orderly/testca"
)

// stranger is another client with an account of its own.
type stranger struct {
	*world
	speaker *acme.Account
	url     string
	file    string // of its key
}

func (h *host) stranger(name string) *stranger {
	h.t.Helper()
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		h.t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(signer)
	if err != nil {
		h.t.Fatal(err)
	}
	s := &stranger{world: h.world, file: filepath.Join(h.dir, name, "account.pem")}
	h.write(s.file, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	transport, err := acme.HTTPClient(func(name string) string { return h.env[name] })
	if err != nil {
		h.t.Fatal(err)
	}
	client, err := acme.New(h.ca.DirectoryURL(), acme.Options{HTTP: transport, UserAgent: name})
	if err != nil {
		h.t.Fatal(err)
	}
	key, err := acme.NewKey(signer)
	if err != nil {
		h.t.Fatal(err)
	}
	account, err := client.NewAccount(h.t.Context(), key, acme.Registration{TermsOfServiceAgreed: true})
	if err != nil {
		h.t.Fatal(err)
	}
	s.url, s.speaker = account.URL, client.Account(key, account.URL)
	return s
}

// lego is the log of a run of lego's that was killed, for an order of each name.
func (s *stranger) lego(names ...string) (log string, urls []string) {
	s.t.Helper()
	for _, name := range names {
		made, err := s.speaker.NewOrder(s.t.Context(), acme.OrderRequest{Names: []string{name}})
		if err != nil {
			s.t.Fatal(err)
		}
		urls = append(urls, made.Authorizations...)
		log += fmt.Sprintf("2026/11/28 03:00:00 [INFO] [%s] acme: Obtaining bundled SAN certificate\n"+
			"2026/11/28 03:00:00 [INFO] [%s] AuthURL: %s\n", name, name, made.Authorizations[0])
	}
	return log, urls
}

// keptKeys are the files in which keys that were given are kept.
func (h *host) keptKeys() []string {
	h.t.Helper()
	var kept []string
	_ = filepath.WalkDir(filepath.Join(h.config, "orderly", "given-accounts"), func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && e.Name() == "private_key.json" {
			kept = append(kept, path)
			dir, err := os.Stat(filepath.Dir(path))
			info, err2 := e.Info()
			if err != nil || err2 != nil || dir.Mode().Perm() != 0o700 || info.Mode().Perm()&0o077 != 0 {
				h.t.Errorf("%s can be read by others", path)
			}
		}
		return nil // nothing is there yet
	})
	return kept
}

func TestWhatAnotherClientsAccountLeftIsEndedWithItsKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	h.lineages("works.example.com")
	ours := w.account().URL
	s, unheard := h.stranger("lego"), h.stranger("unheard")
	log, urls := s.lego("works.example.com", "gone.example.com")
	path := filepath.Join(w.dir, "lego.log")
	w.write(path, log)

	// Without the key nobody is asked, and the way is said.
	h.orderly("pending", "scan", "--check", path).says(t, 1, "2 authorization(s) were not asked about",
		"add --account-key FILE")
	if n := w.requests(acme.KindAuthorization); n != 1 {
		t.Errorf("%d questions without a key", n-1)
	}
	// Of two keys the one is found that they belong to.
	before := len(w.ca.Truth().Accounts)
	h.must("pending", "scan", "--check", "--account-key", unheard.file, "--account-key", s.file, path,
		"--server", w.ca.DirectoryURL()).says(t, 0, "is that of the account "+s.url, "asked about 2: 2 are pending")
	if n := len(w.ca.Truth().Accounts); n != before {
		t.Errorf("%d accounts were made", n-before)
	}
	if kept := h.keptKeys(); len(kept) != 1 {
		t.Errorf("kept: %q", kept)
	}
	// The account is nobody's choice: certonly goes on with its own.
	h.must(h.certonly(w.site("other.example.com"), "other.example.com")...)
	h.must(h.onServer("show_account")...).says(t, 0, ours)
	for _, o := range w.ca.Truth().Orders {
		if o.Names[0] == "other.example.com" && o.Account != ours {
			t.Errorf("the account %s ordered", o.Account)
		}
	}
	if len(h.keptKeys()) != 1 {
		t.Error("the key was thrown away before its orders were over")
	}

	// It has given what an earlier run left a little time as well; drain goes on.
	h.orderly("pending", "drain").says(t, 1, "nothing here can prove it", "pending release --name gone.example.com")
	if status := (&other{host: h}).status(urls[0]); status != "valid" {
		t.Errorf("the site that works is %s", status)
	}
	h.must("pending", "release", "--all", "-y")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending", n)
	}
	if kept := h.keptKeys(); len(kept) != 0 {
		t.Errorf("still kept: %q", kept)
	}
}

// A log can name an account, and its key may be given by the client's directory; a key that is gone
// again is asked for.
func TestAKeyThatIsGoneIsAskedForAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	s := h.stranger("uacme")
	_, urls := s.lego("gone.example.com")
	path := filepath.Join(w.dir, "uacme.log")
	w.write(path, "uacme: version 1.7.4 starting on Sat, 28 Nov 2026 03:00:00 +0000\nuacme: account location: "+s.url+
		"\nuacme: retrieving authorization at "+urls[0]+"\nuacme: running /hook begin http-01 gone.example.com T K\n")
	w.write(filepath.Join(w.dir, "etc", "private", "key.pem"), w.read(s.file))
	check := []string{"pending", "scan", "--check", "--account-key", filepath.Join(w.dir, "etc"), path, "--server",
		w.ca.DirectoryURL()}
	h.must(check...).says(t, 0, "asked about 1: 1 are pending")
	kept := h.keptKeys()
	if len(kept) != 1 {
		t.Fatalf("kept: %q", kept)
	}
	w.remove(kept[0])
	h.orderly("pending", "release", "--all", "-y").says(t, 1, "the key of the account of order 1 is gone", "--account-key")
	h.must(check...)
	// Nor does a lost ledger lose anything: its orders are the other client's, and the logs name them.
	w.remove(filepath.Join(h.config, "orderly", "ledger.db"))
	h.must("ledger", "rebuild").says(t, 0, "at the account "+s.url, "scanning its logs again")
	h.must(check...).says(t, 0, "asked about 1: 1 are pending")
	h.must("pending", "release", "--all", "-y")
	if n := w.ca.Truth().Pending(); n != 0 || len(h.keptKeys()) != 0 {
		t.Errorf("%d are pending, %q kept", n, h.keptKeys())
	}
}

// The other client gives its account up while something of it is an order here.
func TestAnAccountThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	s := h.stranger("lego")
	log, _ := s.lego("a.example.com")
	path := filepath.Join(w.dir, "lego.log")
	w.write(path, log)
	h.must("pending", "scan", "--check", path, "--account-key", s.file, "--server", w.ca.DirectoryURL())
	if _, err := s.speaker.DeactivateAccount(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"pending", "release", "--all", "-y"}, {"pending", "drain"}} {
		h.orderly(command...).says(t, 1, "nothing can be done with order 1", "pending release --local --name a.example.com")
	}
	h.must("pending", "release", "--local", "--name", "a.example.com", "-y")
	if len(h.keptKeys()) != 0 {
		t.Error("the key is still kept")
	}
}

func TestAccountKeysThatAreOfNoUse(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	s := h.stranger("lego")
	log, _ := s.lego("a.example.com")
	path := filepath.Join(w.dir, "lego.log")
	w.write(path, log)
	h.orderly("pending", "scan", path, "--account-key", s.file).says(t, 2, "Add --check")
	h.orderly("pending", "scan", "--check", path, "--account-key", path).says(t, 1, "the account key in "+path)
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	w.write(s.file, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	h.orderly("pending", "scan", "--check", path, "--account-key", s.file, "--server", w.ca.DirectoryURL()).says(t, 1,
		"the key in "+s.file+" is of no account at "+w.ca.DirectoryURL(), "1 authorization(s) were not asked about")
	if strings.Contains(w.read(path), "PRIVATE") || len(h.keptKeys()) != 0 {
		t.Error("a key is kept that is of no use")
	}
}

// uacme names an authorization when it comes to it: what an order has beside is known to the CA alone.
func TestWhatALogDoesNotNameOfAnOrderIsAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	s := h.stranger("uacme")
	made, err := s.speaker.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"a.example.com", "b.example.com", "c.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	first := made.Authorizations[0]
	path := filepath.Join(w.dir, "uacme.log")
	log := "uacme: version 1.7.4 starting on Sat, 28 Nov 2026 03:00:00 +0000\nuacme: account location: " + s.url +
		"\nuacme: creating new order at " + w.ca.DirectoryURL() + "\nuacme: order location: " + made.URL +
		"\nuacme: retrieving authorization at " + first + "\n"
	w.write(path, log)
	args := []string{"pending", "scan", "--now", "2026-11-28T04:00:00Z", path}
	h.must(args...).says(t, 0, "Open at the CA: 1", "Orders: 1. The logs do not name all")
	// A question that fails leaves the rest for the next check; none is asked twice.
	check := append([]string{"--account-key", s.file, "--server", w.ca.DirectoryURL(), "--check"}, args[2:]...)
	check = append([]string{"pending", "scan"}, check...)
	w.ca.Inject(testca.Fault{Kind: acme.KindAuthorization, Nth: 2, Action: testca.Respond, Status: 400, Problem: "malformed"})
	h.orderly(check...).says(t, 1, "asked about 2: 2 are pending", "what 1 order(s) have")
	h.must(check...).says(t, 0, "asked about 3: 3 are pending", "what 1 order(s) have")
	if n := w.requests(acme.KindAuthorization); n != 4 {
		t.Errorf("%d questions", n)
	}
	h.must("pending", "release", "--all", "-y")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending", n)
	}
	// What the log shows past its authorizations is nobody's question.
	w.write(path, log+"uacme: polling order status at "+made.URL+"\n")
	h.must(append(args, "--no-ledger")...).says(t, 0, "Nothing is open")
}

// What leads elsewhere, or to something else, keeps nothing else from being asked about.
func TestForgedLinesDoNotEndACheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	s := h.stranger("lego")
	log, _ := s.lego("a.example.com")
	var forged strings.Builder
	for i := range 20 {
		for _, url := range []string{"https://evil.example/", s.url + "?", w.ca.DirectoryURL() + "?"} {
			fmt.Fprintf(&forged, "2026/11/28 03:00:00 [INFO] [x%d.example] AuthURL: %s%d\n", i, url, i)
		}
	}
	path := filepath.Join(w.dir, "lego.log")
	w.write(path, forged.String()+log)
	r := h.orderly("pending", "scan", "--check", "--account-key", s.file, "--server", w.ca.DirectoryURL(), path)
	if r.code != 1 || !strings.Contains(r.stdout, "1 are pending") {
		t.Errorf("%s", r)
	}
}

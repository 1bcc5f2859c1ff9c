package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/testca"
)

// town is a test CA and the web server its validation meets, which serves one directory under every name it was told.
type town struct {
	t     *testing.T
	ca    *testca.CA
	sites *testca.Sites
	http  *http.Client
	root  string
}

func newTown(t *testing.T, config testca.Config) *town {
	t.Helper()
	sites, err := testca.ServeSites()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sites.Close() })
	config.HTTPPort = sites.Port()
	ca, err := testca.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ca.Close() })
	roots := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(roots, ca.RootPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	hc, err := acme.HTTPClient(environment(map[string]string{"SSL_CERT_FILE": roots}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(hc.CloseIdleConnections)
	return &town{t: t, ca: ca, sites: sites, http: hc, root: t.TempDir()}
}

func (w *town) client() *acme.Client {
	c, err := acme.New(w.ca.DirectoryURL(), acme.Options{HTTP: w.http})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// account is a new account.
func (w *town) account(c *acme.Client, signer crypto.Signer) (*acme.Account, acme.AccountObject) {
	w.t.Helper()
	key, _ := mustKey(w.t, signer, nil)
	object, err := c.NewAccount(w.t.Context(), key, acme.Registration{TermsOfServiceAgreed: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return c.Account(key, object.URL), object
}

func p256(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// issue takes names from order to certificate.
func (w *town) issue(a *acme.Account, signer crypto.Signer, thumbprint string, names ...string) (acme.Chain, *x509.Certificate) {
	t := w.t
	t.Helper()
	o, err := a.NewOrder(t.Context(), acme.OrderRequest{Names: names})
	if err != nil {
		t.Fatal(err)
	}
	for _, url := range o.Authorizations {
		w.authorize(a, url, thumbprint)
	}
	template := &x509.CertificateRequest{}
	for _, name := range names {
		if kind, value := acme.IdentifierOf(name); kind == acme.TypeIP {
			template.IPAddresses = append(template.IPAddresses, net.ParseIP(value))
		} else {
			template.DNSNames = append(template.DNSNames, value)
		}
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, template, signer)
	if err != nil {
		t.Fatal(err)
	}
	if o, err = a.Finalize(t.Context(), o.Finalize, csr); err != nil {
		t.Fatal(err)
	}
	chain, err := a.Certificate(t.Context(), o.Certificate)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(chain.PEM)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return chain, leaf
}

func (w *town) authorize(a *acme.Account, url, thumbprint string) {
	w.t.Helper()
	z, err := a.Authorization(w.t.Context(), url)
	if err != nil {
		w.t.Fatal(err)
	}
	host := z.Name
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	w.sites.Set(host, w.root)
	at := slices.IndexFunc(z.Challenges, func(c acme.Challenge) bool { return c.Type == "http-01" })
	file := filepath.Join(w.root, ".well-known", "acme-challenge", z.Challenges[at].Token)
	err = errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(z.Challenges[at].Token+"."+thumbprint), 0o600))
	if err == nil {
		_, err = a.Respond(w.t.Context(), z.Challenges[at].URL)
	}
	for deadline := time.Now().Add(20 * time.Second); err == nil && z.Status != "valid"; {
		if time.Now().After(deadline) || z.Status == "invalid" {
			w.t.Fatalf("%s is %s: %+v", z.Name, z.Status, z.Challenges)
		}
		z, err = a.Authorization(w.t.Context(), url)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func thumbprintOf(t *testing.T, signer crypto.Signer) string {
	key, _ := mustKey(t, signer, nil)
	return key.Thumbprint()
}

func problemType(err error) string {
	p, ok := errors.AsType[*acme.Problem](err)
	if !ok {
		return "no problem"
	}
	return p.Type
}

func TestACustomersKeyOpensTheDoor(t *testing.T) {
	const good = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12Wxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	w := newTown(t, testca.Config{ExternalAccountRequired: true, ExternalAccountKeys: map[string]string{"kid-1": good}})
	c := w.client()
	if d, err := c.Directory(t.Context()); err != nil || !d.Meta.ExternalAccountRequired {
		t.Fatalf("%+v, %v", d, err)
	}
	register := func(e *acme.ExternalAccount) error {
		key, _ := mustKey(t, p256(t), nil)
		return second(c.NewAccount(t.Context(), key, acme.Registration{TermsOfServiceAgreed: true, External: e}))
	}
	if got := problemType(register(nil)); got != "externalAccountRequired" {
		t.Errorf("without: %s", got)
	}
	if got := problemType(register(mustExternal(t, "kid-1", "d3Jvbmcd3Jvbmc", ""))); got != "unauthorized" {
		t.Errorf("with a wrong key: %s", got)
	}
	if got := problemType(register(mustExternal(t, "kid-2", good, ""))); got != "unauthorized" {
		t.Errorf("unknown: %s", got)
	}
	for _, algorithm := range []string{"", "HS256", "HS384", "HS512"} {
		if err := register(mustExternal(t, "kid-1", good+"==", algorithm)); err != nil {
			t.Errorf("%q: %v", algorithm, err)
		}
	}
	accounts := w.ca.Truth().Accounts
	if len(accounts) != 4 || slices.ContainsFunc(accounts, func(a testca.TruthAccount) bool { return a.Customer != "kid-1" }) {
		t.Errorf("the CA has %+v", accounts)
	}
}

func TestEveryKindOfAccountKeyWorks(t *testing.T) {
	w := newTown(t, testca.Config{})
	c := w.client()
	r2048, e1 := rsa.GenerateKey(rand.Reader, 2048)
	p384, e2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, e3 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err := errors.Join(e1, e2, e3); err != nil {
		t.Fatal(err)
	}
	for _, signer := range []crypto.Signer{r2048, p256(t), p384, p521} {
		a, _ := w.account(c, signer)
		if _, err := a.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"a.example.com"}}); err != nil {
			t.Errorf("%T: %v", signer, err)
		}
	}
}

func TestAnAccountLivesChangesItsKeyAndDies(t *testing.T) {
	w := newTown(t, testca.Config{})
	c := w.client()
	first, other := p256(t), p256(t)
	a, object := w.account(c, first)
	_, taken := w.account(c, other)
	if _, err := a.Update(t.Context(), []string{"mailto:new@example.com"}); err != nil {
		t.Fatal(err)
	}
	if got := w.ca.Truth().Accounts[0]; !slices.Equal(got.Contact, []string{"mailto:new@example.com"}) || got.Thumbprint != thumbprintOf(t, first) {
		t.Errorf("the CA has %+v", got)
	}
	if got, err := a.Update(t.Context(), nil); err != nil || len(got.Contact) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if got := problemType(second(a.Update(t.Context(), []string{"tel:1"}))); got != "unsupportedContact" {
		t.Errorf("a telephone: %s", got)
	}
	otherKey, _ := mustKey(t, other, nil)
	_, err := a.ChangeKey(t.Context(), otherKey)
	if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Status != 409 || p.Location != taken.URL {
		t.Errorf("a key that is taken: %+v", p)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	next, _ := mustKey(t, p384, err)
	if _, err := a.ChangeKey(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	if err := second(a.Fetch(t.Context())); err == nil {
		t.Error("the old key still opens the account")
	}
	found, err := c.NewAccount(t.Context(), next, acme.Registration{OnlyReturnExisting: true})
	if err != nil || found.URL != object.URL {
		t.Fatalf("%+v, %v", found, err)
	}
	w.issue(c.Account(next, object.URL), p256(t), next.Thumbprint(), "a.example.com")
	if got, err := c.Account(next, object.URL).DeactivateAccount(t.Context()); err != nil || got.Status != "deactivated" {
		t.Errorf("%+v, %v", got, err)
	}
	if got := problemType(second(c.Account(next, object.URL).Fetch(t.Context()))); got != "unauthorized" {
		t.Errorf("afterwards: %s", got)
	}
	if got := w.ca.Truth(); got.Accounts[0].Status != "deactivated" || got.Accounts[1].Status != "valid" ||
		got.RequestsByKind[acme.KindUpdateAccount] != 3 || got.RequestsByKind[acme.KindDeactivateAccount] != 1 || got.RequestsByKind[acme.KindKeyChange] != 2 {
		t.Errorf("the CA has %+v and saw %v", got.Accounts, got.RequestsByKind)
	}
}

func TestARevokedCertificateIsToBeRenewedAtOnce(t *testing.T) {
	w := newTown(t, testca.Config{})
	c := w.client()
	first, third := p256(t), p256(t)
	mine, _ := w.account(c, first)
	stranger, _ := w.account(c, p256(t))
	_, byAccount := w.issue(mine, p256(t), thumbprintOf(t, first), "a.example.com")
	_, byKey := w.issue(mine, third, thumbprintOf(t, first), "b.example.com")
	info, err := c.RenewalInfo(t.Context(), acme.RenewalID(byAccount))
	if err != nil || !info.Start.After(time.Now()) || !info.End.Before(byAccount.NotAfter) || info.RetryAfter != 6*time.Hour {
		t.Errorf("%+v, %v", info, err)
	}
	if got := problemType(second(stranger.Revoke(t.Context(), byAccount, 0))); got != "unauthorized" {
		t.Errorf("a stranger: %s", got)
	}
	key, _ := mustKey(t, third, nil)
	if _, err := c.RevokeByKey(t.Context(), key, byKey, acme.ReasonKeyCompromise); err != nil {
		t.Fatal(err)
	}
	if _, err := mine.Revoke(t.Context(), byAccount, acme.ReasonSuperseded); err != nil {
		t.Fatal(err)
	}
	if got := problemType(second(mine.Revoke(t.Context(), byAccount, acme.ReasonSuperseded))); got != "alreadyRevoked" {
		t.Errorf("again: %s", got)
	}
	want := []testca.Revocation{{Serial: serial(byAccount), Reason: 4}, {Serial: serial(byKey), Reason: 1}}
	if got := w.ca.Truth().Revoked; !slices.Equal(got, want) {
		t.Errorf("the CA has revoked %+v", got)
	}
	if info, err := c.RenewalInfo(t.Context(), acme.RenewalID(byAccount)); err != nil || info.End.After(time.Now()) {
		t.Errorf("%+v, %v", info, err)
	}
	if got := problemType(second(c.RenewalInfo(t.Context(), "AAAA.AAAA"))); got != "malformed" {
		t.Errorf("of an unknown certificate: %s", got)
	}
}

func serial(c *x509.Certificate) string { return hex.EncodeToString(c.SerialNumber.Bytes()) }

func TestTheCAsWordOnARenewalIsTold(t *testing.T) {
	w := newTown(t, testca.Config{})
	c := w.client()
	account := p256(t)
	a, _ := w.account(c, account)
	_, leaf := w.issue(a, p256(t), thumbprintOf(t, account), "a.example.com")
	start := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := w.ca.SetRenewalInfo(serial(leaf), start, start.Add(time.Minute), "https://ca.example/incident"); err != nil {
		t.Fatal(err)
	}
	info, err := c.RenewalInfo(t.Context(), acme.RenewalID(leaf))
	if err != nil || !info.Start.Equal(start) || !info.End.Equal(start.Add(time.Minute)) || info.ExplanationURL != "https://ca.example/incident" {
		t.Errorf("%+v, %v", info, err)
	}
	w.ca.Inject(testca.Fault{Kind: acme.KindRenewalInfo, Action: testca.Respond, Status: 503, RetryAfter: "120"})
	_, err = c.RenewalInfo(t.Context(), acme.RenewalID(leaf))
	if p, ok := errors.AsType[*acme.Problem](err); !ok || p.Document || p.RetryAfter != 2*time.Minute {
		t.Errorf("%v", err)
	}
}

func TestAnAlternateChainIsChosenByItsRoot(t *testing.T) {
	w := newTown(t, testca.Config{AlternateChains: 2})
	c := w.client()
	account := p256(t)
	a, _ := w.account(c, account)
	chain, leaf := w.issue(a, p256(t), thumbprintOf(t, account), "a.example.com")
	chains := []acme.Chain{chain}
	for _, url := range chain.Alternates {
		alternate, err := a.Certificate(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		chains = append(chains, alternate)
	}
	roots := w.ca.IssuingRoots()
	if len(chains) != 3 || len(roots) != 3 {
		t.Fatalf("%d chains, %d roots", len(chains), len(roots))
	}
	for i, root := range roots {
		index, matched := acme.PreferredChain(chains, root.Name)
		if index != i || !matched {
			t.Errorf("%s: chain %d, matched %v", root.Name, index, matched)
		}
		pool, between := x509.NewCertPool(), x509.NewCertPool()
		pool.AppendCertsFromPEM([]byte(root.PEM))
		between.AppendCertsFromPEM(chains[index].PEM)
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, DNSName: "a.example.com"}); err != nil {
			t.Errorf("chain %d: %v", index, err)
		}
	}
	if index, matched := acme.PreferredChain(chains, "ISRG Root X1"); index != 0 || matched {
		t.Errorf("another CA's root: %d, %v", index, matched)
	}
}

func TestAddressesAreIssuedFor(t *testing.T) {
	w := newTown(t, testca.Config{Profiles: map[string]testca.Lifetimes{"shortlived": {Certificate: 160 * time.Hour}}})
	c := w.client()
	if d, err := c.Directory(t.Context()); err != nil || d.Meta.Profiles["shortlived"].Empty() {
		t.Errorf("%+v, %v", d.Meta, err)
	}
	account := p256(t)
	a, _ := w.account(c, account)
	// Pebble compares both kinds of address in two orders (4 and 16 bytes), so that one of each in an order would not do.
	for _, address := range []string{"192.0.2.1", "2001:DB8::1"} {
		_, leaf := w.issue(a, p256(t), thumbprintOf(t, account), address, "a.example.com")
		if len(leaf.IPAddresses) != 1 || !leaf.IPAddresses[0].Equal(net.ParseIP(address)) || len(leaf.DNSNames) != 1 {
			t.Errorf("it is for %v and %v", leaf.IPAddresses, leaf.DNSNames)
		}
	}
	o, err := a.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"192.0.2.1"}, Profile: "shortlived"})
	if err != nil || o.Profile != "shortlived" || !slices.Equal(o.Names, []string{"192.0.2.1"}) {
		t.Errorf("%+v, %v", o, err)
	}
	if got := problemType(second(a.NewOrder(t.Context(), acme.OrderRequest{Names: []string{"192.0.2.1"}, Profile: "none such"}))); got != "invalidProfile" {
		t.Errorf("an unknown profile: %s", got)
	}
}

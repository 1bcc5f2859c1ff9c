package testca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"orderly/testca"
)

// lab is a CA and a web server that answers its challenges.
type lab struct {
	t   *testing.T
	ca  *testca.CA
	web *website
}

func start(t *testing.T, config testca.Config) *lab {
	t.Helper()
	web := newWebsite(t)
	if config.HTTPPort == 0 {
		config.HTTPPort = web.port
	}
	ca, err := testca.Start(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := ca.Close(); err != nil {
			t.Errorf("closing the CA: %v", err)
		}
	})
	return &lab{t: t, ca: ca, web: web}
}

// patience is for what hangs: no machine is so slow that it comes to it.
const patience = 10 * time.Minute

// until waits for a condition that another goroutine brings about.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("hung: waited %s in vain: %s", patience, what)
		}
	}
}

// website serves challenge files by path, whatever the name.
type website struct {
	port  int
	mu    sync.Mutex
	files map[string]string
	gate  chan struct{} // while open, requests wait for it to be closed
	hits  int
}

func newWebsite(t *testing.T) *website {
	w := &website{files: map[string]string{}}
	server := httptest.NewServer(w)
	w.port = server.Listener.Addr().(*net.TCPAddr).Port
	t.Cleanup(server.Close)
	return w
}

func (w *website) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.hits++
	content, found := w.files[strings.TrimPrefix(r.URL.Path, "/.well-known/acme-challenge/")]
	gate := w.gate
	w.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	}
	switch target, redirect := strings.CutPrefix(content, "redirect "); {
	case redirect:
		http.Redirect(out, r, target, http.StatusFound)
	case !found:
		http.NotFound(out, r)
	default:
		_, _ = io.WriteString(out, content)
	}
}

func (w *website) put(token, content string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files[token] = content
}

// shut makes requests wait until the returned function is called.
func (w *website) shut() (open func()) {
	gate := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gate = gate
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gate = nil
		close(gate)
	})
}

// client is a small raw ACME client that does what it is told, also twice.
type client struct {
	lab   *lab
	http  *http.Client
	dir   map[string]any
	key   *ecdsa.PrivateKey
	kid   string
	nonce string
	agent string
}

// answer is an HTTP answer to a client.
type answer struct {
	status int
	header http.Header
	text   string
	json   map[string]any
	err    error
}

func (a answer) str(member string) string {
	s, _ := a.json[member].(string)
	return s
}

func (a answer) list(member string) []string {
	var all []string
	items, _ := a.json[member].([]any)
	for _, item := range items {
		all = append(all, fmt.Sprint(item))
	}
	return all
}

// problem is the type of a problem document, "" for any other answer.
func (a answer) problem() string {
	_, kind, _ := strings.Cut(a.str("type"), "urn:ietf:params:acme:error:")
	return kind
}

// url is the Location.
func (a answer) url() string { return a.header.Get("Location") }

// want fails the test unless the answer has the status and, for a problem, the type.
func (a answer) want(t *testing.T, status int, problem string) answer {
	t.Helper()
	if a.err != nil || a.status != status || a.problem() != problem {
		t.Fatalf("answered %d %q, want %d %q (error %v)\n%s", a.status, a.problem(), status, problem, a.err, a.text)
	}
	return a
}

// bare is a client without an account, that has not asked for the directory either.
func (l *lab) bare() *client {
	c := trusting(l.t, l.ca.RootPEM())
	c.lab = l
	return c
}

// trusting is a client of a CA that runs elsewhere.
func trusting(t *testing.T, root []byte) *client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(root) {
		t.Fatal("the root is no certificate")
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{lab: &lab{t: t}, key: key, agent: "testca test", http: &http.Client{Transport: transport, Timeout: 20 * time.Second}}
}

// client is a client with an account.
func (l *lab) client() *client {
	l.t.Helper()
	c := l.bare()
	c.dir = c.send(http.MethodGet, l.ca.DirectoryURL(), nil).want(l.t, 200, "").json
	c.register().want(l.t, 201, "")
	return c
}

func (c *client) register() answer {
	a := c.post(c.dir["newAccount"].(string), map[string]any{"termsOfServiceAgreed": true})
	c.kid = a.url()
	return a
}

func (c *client) send(method, url string, body []byte) answer {
	request, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return answer{err: err}
	}
	request.GetBody = nil
	request.Header.Set("Content-Type", "application/jose+json")
	request.Header.Set("User-Agent", c.agent)
	response, err := c.http.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	a := answer{status: response.StatusCode, header: response.Header, text: string(text), err: err}
	_ = json.Unmarshal(text, &a.json)
	if nonce := response.Header.Get("Replay-Nonce"); nonce != "" {
		c.nonce = nonce
	}
	return a
}

// post signs and sends; a nil payload is a POST-as-GET.
func (c *client) post(url string, payload any) answer {
	if c.nonce == "" {
		if a := c.send(http.MethodHead, c.dir["newNonce"].(string), nil); a.err != nil {
			return a
		}
	}
	body := []byte{}
	if payload != nil {
		body, _ = json.Marshal(payload)
	}
	return c.send(http.MethodPost, url, c.sign(url, body))
}

func (c *client) get(url string) answer { return c.post(url, nil) }

func (c *client) sign(url string, payload []byte) []byte {
	nonce := c.nonce
	c.nonce = ""
	options := &jose.SignerOptions{NonceSource: fixed(nonce), EmbedJWK: c.kid == ""}
	options.WithHeader("url", url)
	key := jose.JSONWebKey{Key: c.key, KeyID: c.kid}
	if c.kid != "" {
		options.WithHeader("kid", c.kid)
		key.KeyID = ""
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, options)
	if err != nil {
		c.lab.t.Error(err)
		return nil
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		c.lab.t.Error(err)
		return nil
	}
	return []byte(jws.FullSerialize())
}

type fixed string

func (f fixed) Nonce() (string, error) { return string(f), nil }

func (c *client) order(names ...string) answer { return c.orderWith(nil, names...) }

func (c *client) orderWith(more map[string]any, names ...string) answer {
	identifiers := []map[string]string{}
	for _, name := range names {
		identifiers = append(identifiers, map[string]string{"type": "dns", "value": name})
	}
	payload := map[string]any{"identifiers": identifiers}
	for member, value := range more {
		payload[member] = value
	}
	return c.post(c.dir["newOrder"].(string), payload)
}

// http01 is the URL and the token of an authorization's http-01 challenge.
func (c *client) http01(authorization answer) (url, token string) {
	for _, item := range authorization.json["challenges"].([]any) {
		if challenge := item.(map[string]any); challenge["type"] == "http-01" {
			return challenge["url"].(string), challenge["token"].(string)
		}
	}
	c.lab.t.Fatal("no http-01 challenge in " + authorization.text)
	return "", ""
}

func (c *client) keyAuthorization(token string) string {
	thumbprint, err := (&jose.JSONWebKey{Key: c.key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		c.lab.t.Fatal(err)
	}
	return token + "." + base64.RawURLEncoding.EncodeToString(thumbprint)
}

// serve puts the challenge file of an authorization in place and returns the challenge's URL.
func (c *client) serve(authorization string) string {
	url, token := c.http01(c.get(authorization).want(c.lab.t, 200, ""))
	c.lab.web.put(token, c.keyAuthorization(token))
	return url
}

// authorize answers the authorizations of an order and waits until they are final.
func (c *client) authorize(order answer) {
	t := c.lab.t
	t.Helper()
	for _, url := range order.list("authorizations") {
		if c.get(url).str("status") == "pending" {
			c.post(c.serve(url), struct{}{}).want(t, 200, "")
		}
	}
	until(t, "the authorizations of the order become final", func() bool {
		return c.lab.truth(order.url()).Status != "pending"
	})
}

// fail lets the first authorization of an order become invalid.
func (c *client) fail(order answer) {
	url, _ := c.http01(c.get(order.list("authorizations")[0]))
	c.post(url, struct{}{}).want(c.lab.t, 200, "")
	until(c.lab.t, "the order becomes invalid", func() bool { return c.lab.truth(order.url()).Status == "invalid" })
}

func (c *client) finalize(order answer) answer {
	var names []string
	for _, item := range order.json["identifiers"].([]any) {
		names = append(names, item.(map[string]any)["value"].(string))
	}
	return c.post(order.str("finalize"), map[string]string{"csr": csr(c.lab.t, names...)})
}

// issue takes a set of names from order to certificate, and returns the final order.
func (c *client) issue(names ...string) answer {
	c.lab.t.Helper()
	order := c.order(names...).want(c.lab.t, 201, "")
	c.authorize(order)
	return c.finalize(order).want(c.lab.t, 200, "")
}

func csr(t *testing.T, names ...string) string {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(der)
}

// truth is the CA's truth about an order.
func (l *lab) truth(url string) testca.TruthOrder {
	l.t.Helper()
	for _, o := range l.ca.Truth().Orders {
		if o.URL == url {
			return o
		}
	}
	l.t.Fatalf("the CA knows no order %s", url)
	return testca.TruthOrder{}
}

package acme_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"orderly/acme"
)

// posted is one signed request as the fake CA got it.
type posted struct {
	path      string
	protected map[string]json.RawMessage
	payload   []byte
	header    http.Header
}

// fakeCA is a CA of one account, one order, one of everything. A test replaces the handler of a path with on.
type fakeCA struct {
	*httptest.Server
	key *acme.Key
	raw crypto.Signer

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc
	seen     map[string]int // requests by path
	posts    []posted
	issued   map[string]bool // nonces not yet used
	number   int
}

const caDate = "Sat, 07 Nov 2026 10:00:00 GMT"

func newFakeCA(t *testing.T, configure ...func(*httptest.Server)) *fakeCA {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := acme.NewKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	ca := &fakeCA{key: key, raw: raw, handlers: map[string]http.HandlerFunc{}, seen: map[string]int{}, issued: map[string]bool{}}
	ca.Server = httptest.NewUnstartedServer(ca)
	for _, f := range configure {
		f(ca.Server)
	}
	ca.StartTLS()
	t.Cleanup(ca.Close)
	ca.defaults()
	return ca
}

func (ca *fakeCA) defaults() {
	ca.on("/directory", func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(ca.directory())) })
	ca.on("/nonce", func(http.ResponseWriter, *http.Request) {})
	ca.on("/new-account", ca.located(201, "/account/1", ca.account()))
	ca.on("/account/1", ca.located(200, "", ca.account()))
	ca.on("/orders", ca.located(200, "", `{"orders":["`+ca.URL+`/order/1"]}`))
	ca.on("/new-order", ca.located(201, "/order/1", ca.order("pending")))
	ca.on("/order/1", ca.located(200, "", ca.order("valid")))
	ca.on("/authz/1", ca.located(200, "", ca.authorization("pending")))
	ca.on("/chall/1", ca.located(200, "", ca.challenge()))
	ca.on("/finalize/1", ca.located(200, "/order/1", ca.order("processing")))
	ca.on("/cert/1", ca.located(200, "", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
}

func (ca *fakeCA) directory() string {
	return `{"newNonce":"` + ca.URL + `/nonce","newAccount":"` + ca.URL + `/new-account","newOrder":"` + ca.URL + `/new-order",` +
		`"revokeCert":"` + ca.URL + `/revoke","keyChange":"` + ca.URL + `/key","renewalInfo":"` + ca.URL + `/ari",` +
		`"x1y2":"https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417",` +
		`"meta":{"termsOfService":"https://t.example/","website":"https://w.example/","caaIdentities":["ca.example"],` +
		`"externalAccountRequired":true,"profiles":{"classic":"as ever"}}}`
}

func (ca *fakeCA) account() string {
	return `{"status":"valid","contact":["mailto:a@example.com"],"orders":"` + ca.URL + `/orders"}`
}

func (ca *fakeCA) order(status string) string {
	return `{"status":"` + status + `","expires":"2026-11-14T10:00:00Z","identifiers":[{"type":"dns","value":"A.Example.com"}],` +
		`"authorizations":["` + ca.URL + `/authz/1"],"finalize":"` + ca.URL + `/finalize/1","certificate":"` + ca.URL + `/cert/1",` +
		`"profile":"classic","replaces":"aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"}`
}

func (ca *fakeCA) authorization(status string) string {
	return `{"status":"` + status + `","expires":"2026-11-14T10:00:00Z","identifier":{"type":"dns","value":"A.example.com"},"wildcard":true,` +
		`"challenges":[` + ca.challenge() + `,{"type":"dns-persist-01","url":"u","token":7,"issuer-domain-names":["x"]},"nonsense"]}`
}

func (ca *fakeCA) challenge() string {
	return `{"type":"http-01","status":"pending","url":"` + ca.URL + `/chall/1","token":"tok","validated":"2026-11-07T09:00:00Z",` +
		`"error":{"type":"urn:ietf:params:acme:error:dns","status":400,"detail":"no address"}}`
}

// on sets what answers a path. The nonce and the date are in the answer already.
func (ca *fakeCA) on(path string, h http.HandlerFunc) {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	ca.handlers[path] = h
}

// located answers with a body and, if path is not empty, a Location.
func (ca *fakeCA) located(status int, path, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if path != "" {
			w.Header().Set("Location", ca.URL+path)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// refusing answers with a problem document of the type.
func refusing(status int, kind, detail string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail, "status": status})
	}
}

func (ca *fakeCA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	ca.mu.Lock()
	ca.seen[r.URL.Path]++
	handler := ca.handlers[r.URL.Path]
	if r.URL.Path != "/directory" {
		w.Header().Set("Replay-Nonce", ca.newNonce())
	}
	w.Header().Set("Date", caDate)
	if r.Method == http.MethodPost {
		if complaint := ca.judge(r, body); complaint != "" {
			handler = refusing(400, "badNonce", complaint)
		}
	}
	ca.mu.Unlock()
	if handler == nil {
		handler = http.NotFound
	}
	handler(w, r)
}

func (ca *fakeCA) newNonce() string {
	ca.number++
	nonce := fmt.Sprintf("nonce-%d", ca.number)
	ca.issued[nonce] = true
	return nonce
}

// judge records a signed request and returns what is wrong with it.
func (ca *fakeCA) judge(r *http.Request, body []byte) string {
	var flat struct{ Protected, Payload, Signature *string }
	if json.Unmarshal(body, &flat) != nil || flat.Protected == nil || flat.Payload == nil || flat.Signature == nil {
		return "not a flattened JWS with its three members"
	}
	jws, err := jose.ParseSignedJSON(string(body), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err.Error()
	}
	payload, err := jws.Verify(ca.raw.Public())
	if err != nil {
		return err.Error()
	}
	p := posted{path: r.URL.Path, payload: payload, header: r.Header}
	protected, _ := base64.RawURLEncoding.DecodeString(*flat.Protected)
	json.Unmarshal(protected, &p.protected)
	ca.posts = append(ca.posts, p)
	var nonce string
	json.Unmarshal(p.protected["nonce"], &nonce)
	if !ca.issued[nonce] {
		return "nonce " + nonce + " was not issued or was used"
	}
	delete(ca.issued, nonce)
	return ""
}

func (ca *fakeCA) count(path string) int {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.seen[path]
}

func (ca *fakeCA) lastPost() posted {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	return ca.posts[len(ca.posts)-1]
}

// forgetNonces makes every nonce given out so far a bad one.
func (ca *fakeCA) forgetNonces() {
	ca.mu.Lock()
	defer ca.mu.Unlock()
	clear(ca.issued)
}

func (ca *fakeCA) client(t *testing.T, change ...func(*acme.Options)) *acme.Client {
	t.Helper()
	o := acme.Options{HTTP: ca.Client(), UserAgent: "test/1", Timeout: 10 * time.Second}
	for _, f := range change {
		f(&o)
	}
	c, err := acme.New(ca.URL+"/directory", o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// ready is a client that has its directory and a nonce, so that its next request is a single exchange.
func (ca *fakeCA) ready(t *testing.T, change ...func(*acme.Options)) (*acme.Client, *acme.Account) {
	t.Helper()
	c := ca.client(t, change...)
	if err := c.FetchNonce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, c.Account(ca.key, ca.URL+"/account/1")
}

func newOrder(ctx context.Context, a *acme.Account) (acme.Order, error) {
	return a.NewOrder(ctx, acme.OrderRequest{Names: []string{"a.example.com"}})
}

func names(m map[string]json.RawMessage) []string {
	var found []string
	for name := range m {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}

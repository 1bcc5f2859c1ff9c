package testca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// The kinds of request. Those that package acme sends bear the names of its exchanges.
const (
	kindDirectory   = "directory"
	kindNonce       = "new-nonce"
	kindNewAccount  = "new-account"
	kindAccount     = "account"
	kindOrders      = "orders"
	kindNewOrder    = "new-order"
	kindOrder       = "order"
	kindAuthz       = "authorization"
	kindDeactivate  = "deactivate"
	kindChallenge   = "challenge"
	kindChallengeIs = "challenge-status" // a challenge fetched, not answered
	kindFinalize    = "finalize"
	kindCertificate = "certificate"
	kindRevoke      = "revoke"
	kindKeyChange   = "key-change"
	kindRenewalInfo = "renewal-info"
	kindOther       = "other"

	kindUpdateAccount     = "update-account"
	kindDeactivateAccount = "deactivate-account"
)

func kinds() []string {
	return []string{kindDirectory, kindNonce, kindNewAccount, kindAccount, kindOrders, kindNewOrder, kindOrder, kindAuthz,
		kindDeactivate, kindChallenge, kindChallengeIs, kindFinalize, kindCertificate, kindRevoke, kindKeyChange,
		kindRenewalInfo, kindUpdateAccount, kindDeactivateAccount, kindOther}
}

// Request is one request the CA received, in the order of arrival.
type Request struct {
	// Kind is one of directory, new-nonce, new-account, account, orders, new-order, order, authorization, deactivate,
	// challenge, challenge-status, finalize, certificate, revoke, key-change, renewal-info, update-account,
	// deactivate-account, other.
	Kind   string `json:"kind"`
	Method string `json:"method"`
	Path   string `json:"path"`
	// Account is the account URL that the request claims to be signed by.
	Account string `json:"account,omitempty"`
	// Name is the name of the authorization that the request is about, itself or its challenge.
	Name string `json:"name,omitempty"`
	// Mark is what Config.Mark said when the request arrived.
	Mark int `json:"-"`
	// Status is the status answered; of a lost answer the one it had, 0 while there is none or when it was cut before.
	Status int `json:"status"`
	// Fault is the action that befell the request, if any.
	Fault Action `json:"fault,omitempty"`
	// Problem is the type of the problem document answered, without its prefix.
	Problem string `json:"problem,omitempty"`
	// At is when it arrived, by the machine's clock.
	At time.Time `json:"-"`
	// Open is true while the request is being processed, delayed or held.
	Open bool `json:"open,omitempty"`
}

// journal is the log of requests.
type journal struct {
	mu       sync.Mutex
	requests []*Request
	limited  int
}

func (j *journal) open(r Request) *Request {
	r.Open, r.At = true, time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.requests = append(j.requests, &r)
	return &r
}

// answered writes down what a request was answered; nil is nothing.
func (j *journal) answered(r *Request, answer *reply) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r.Open = false
	if answer == nil {
		return
	}
	r.Status = answer.status
	if answer.limited {
		j.limited++
	}
	if location := answer.header.Get("Location"); r.Kind == kindNewAccount && location != "" {
		r.Account = location
	}
	if answer.status >= 400 {
		var p problem
		if json.Unmarshal(answer.body.Bytes(), &p) == nil {
			r.Problem = strings.TrimPrefix(p.Type, errorPrefix)
		}
	}
}

// snapshot copies the log; it also counts what Config.Limits refused.
func (j *journal) snapshot() (requests []Request, limited int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, r := range j.requests {
		requests = append(requests, *r)
	}
	return slices.Clip(requests), j.limited
}

// signed is what a signed request claims; nothing of it has been verified.
type signed struct {
	kid     string
	payload []byte
}

// peek reads a JWS without verifying it. What cannot be read is left empty: Pebble will refuse it.
func peek(body []byte) signed {
	var jws struct{ Protected, Payload string }
	var header struct{ Kid string }
	if json.Unmarshal(body, &jws) != nil {
		return signed{}
	}
	protected, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err != nil || json.Unmarshal(protected, &header) != nil {
		return signed{}
	}
	payload, err := base64.RawURLEncoding.DecodeString(jws.Payload)
	if err != nil {
		return signed{}
	}
	return signed{kid: header.Kid, payload: payload}
}

// classify says which kind a request is of, by its path and by whether it carries a payload.
func classify(r *http.Request, s signed) string {
	exact := map[string]string{directoryPath: kindDirectory, noncePath: kindNonce, newAccountPath: kindNewAccount,
		newOrderPath: kindNewOrder, "/revoke-cert": kindRevoke, "/rollover-account-key": kindKeyChange}
	if kind, found := exact[r.URL.Path]; found {
		return kind
	}
	below := []struct{ prefix, fetched, changed string }{
		{accountPath, kindAccount, changeOf(s.payload)},
		{ordersPath, kindOrders, kindOrders},
		{orderPath, kindOrder, kindOrder},
		{finalizePath, kindFinalize, kindFinalize},
		{authzPath, kindAuthz, kindDeactivate},
		{challengePath, kindChallengeIs, kindChallenge},
		{certPath, kindCertificate, kindCertificate},
		{"/draft-ietf-acme-ari-03/renewalInfo/", kindRenewalInfo, kindRenewalInfo},
	}
	for _, b := range below {
		if !strings.HasPrefix(r.URL.Path, b.prefix) {
			continue
		}
		if len(s.payload) > 0 {
			return b.changed
		}
		return b.fetched
	}
	return kindOther
}

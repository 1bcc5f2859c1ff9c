package testca

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
)

// request is a request on its way through the front.
type request struct {
	*http.Request
	signed
	kind string
	body []byte
	turn int64 // since when it is under way
	now  time.Time
}

// url makes the URL of a path as the client reached the CA (127.0.0.1 or localhost): signed requests must not change origin.
func (r *request) url(path string) string { return "https://" + r.Host + path }

// id is what follows a prefix in the request's path.
func (r *request) id(prefix string) string { return strings.TrimPrefix(r.URL.Path, prefix) }

// bodySize bounds a request; an order of a hundred long names is far below it.
const bodySize = 1 << 20

// ServeHTTP answers one ACME request, or befalls it with a fault.
func (c *CA) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !c.begin() {
		cut(w)
		return
	}
	defer c.work.Done()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, bodySize))
	if err != nil {
		cut(w)
		return
	}
	c.unmove(r)
	req := &request{Request: r, signed: peek(body), body: body, turn: c.turns.Add(1)}
	req.kind = classify(r, req.signed)
	fault := c.faults.match(req.kind, func() []string { return c.about(req) })
	entry := Request{Kind: req.kind, Method: r.Method, Path: r.URL.Path, Account: req.kid, Name: c.nameOf(req)}
	if c.config.Mark != nil {
		entry.Mark = c.config.Mark()
	}
	if fault != nil {
		entry.Fault = fault.Action
	}
	logged := c.journal.open(entry)
	answer, lost := c.attend(req, fault)
	c.journal.answered(logged, answer)
	if answer == nil || lost {
		cut(w)
		return
	}
	answer.send(w, c.now().UTC().Format(http.TimeFormat))
}

// nameOf is the name of the authorization that a request is about, "" if it is about none.
func (c *CA) nameOf(r *request) string {
	id := r.id(authzPath)
	switch r.kind {
	default:
		return ""
	case kindAuthz, kindDeactivate:
		c.mu.Lock()
		defer c.mu.Unlock()
	case kindChallenge, kindChallengeIs:
		c.mu.Lock()
		defer c.mu.Unlock()
		challenge := c.pebble.store.GetChallengeByID(r.id(challengePath))
		if challenge == nil {
			return ""
		}
		id = challenge.Authz.ID
	}
	if a := c.state.byAuthz[id]; a != nil {
		return a.Identifier.Value
	}
	return ""
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // ends the connection as well
	}
	_ = connection.Close() // it is meant to break
}

// attend answers a request under a fault. Without an answer it was never processed; lost, it was, and nobody shall know.
func (c *CA) attend(r *request, fault *Fault) (answer *reply, lost bool) {
	if fault == nil {
		return c.process(r), false
	}
	switch fault.Action {
	case Respond, BadNonce:
		return fault.fabricated(func() string {
			c.mu.Lock()
			defer c.mu.Unlock()
			return c.pebble.nonce(r.Request)
		}), false
	case Drop:
		return nil, false
	case LoseAnswer:
		return c.process(r), true
	case Rewrite:
		return fault.rewrite(c.process(r)), false
	case BreakOrder:
		return c.breakOrder(r), false
	case Misshape:
		return fault.misshaped(c.process(r)), false
	}
	wait := func(processed bool) bool {
		if fault.Action == Delay {
			ok := pause(r.Context(), c.ctx, fault.Delay)
			r.turn = c.turns.Add(1)
			return ok
		}
		held := Held{Kind: r.kind, Account: r.kid, Path: r.URL.Path, Processed: processed}
		turn, ok := c.faults.hold(r.Context(), c.ctx, held)
		r.turn = turn
		return ok
	}
	if fault.After {
		answer = c.process(r)
		return answer, !wait(true)
	}
	if !wait(false) {
		return nil, false
	}
	return c.process(r), false
}

// plainly answers a request, one at a time.
func (c *CA) plainly(r *request) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.now = c.now()
	answer := c.dispatch(r)
	if c.config.Boulder {
		return c.asBoulder(r, answer)
	}
	return answer
}

// dispatch gives a request to what answers its kind. The caller holds c.mu.
func (c *CA) dispatch(r *request) *reply {
	if p := c.badAlgorithm(r.body); p != nil && r.kid == "" {
		return c.refuseUnread(r, p)
	}
	if r.Method == http.MethodPost && c.rejectsNonce() {
		return c.refuseUnread(r, badNonce())
	}
	switch r.kind {
	case kindNewAccount, kindAccount, kindUpdateAccount, kindDeactivateAccount:
		return c.account(r)
	case kindKeyChange:
		return c.changeKey(r)
	case kindOrders:
		return c.listOrders(r)
	case kindNewOrder:
		return c.newOrder(r)
	case kindOrder:
		return c.showOrder(r)
	case kindFinalize:
		return c.finalize(r)
	case kindAuthz:
		return c.showAuthorization(r)
	case kindDeactivate:
		return c.deactivate(r)
	case kindChallenge, kindChallengeIs:
		return c.challenge(r)
	case kindRenewalInfo:
		c.suggest(r)
	}
	return c.pebble.serve(r.Request, r.body).documented()
}

// own lets Pebble verify the request, and answers it here only if it is good.
func (c *CA) own(r *request, answer func(*reply) *reply) *reply {
	verified, ok := c.pebble.verify(r.Request, r.body)
	if !ok {
		return verified
	}
	return answer(verified)
}

// refuse lets Pebble verify the request, and refuses it.
func (c *CA) refuse(r *request, p *problem) *reply {
	return c.own(r, func(verified *reply) *reply { return verified.refuse(p) })
}

// refuseUnread refuses a request that Pebble is not asked about.
func (c *CA) refuseUnread(r *request, p *problem) *reply {
	answer := newReply(p.Status)
	answer.header.Set("Replay-Nonce", c.pebble.nonce(r.Request))
	return answer.refuse(p)
}

func (c *CA) rejectsNonce() bool {
	return c.config.NonceReject > 0 && random(100) < int64(c.config.NonceReject)
}

func random(n int64) int64 {
	value, err := rand.Int(rand.Reader, big.NewInt(n))
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return value.Int64()
}

// account is Pebble's, without the list of orders if it is hidden.
func (c *CA) account(r *request) *reply {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	enrolling := c.state.limits.registrations(address)
	if p := c.state.buckets.refusal(r.now, enrolling); p != nil && r.kind == kindNewAccount && c.holder(r.body) == nil {
		return c.refuseUnread(r, p)
	}
	if p := rejectedAccount(r); c.config.Strict && p != nil && r.kind == kindNewAccount && c.holder(r.body) == nil {
		return c.refuseUnread(r, p)
	} else if c.config.Strict && p != nil && r.kind == kindUpdateAccount {
		return c.refuse(r, p)
	}
	answer := c.unbound(r, c.pebble.serve(r.Request, r.body).documented())
	if answer.status == http.StatusCreated {
		c.state.buckets.spend(enrolling, r.now)
		c.state.enrol(answer.header.Get("Location"), c.customerIn(r.payload), r.now)
	}
	if c.config.OrdersList || answer.status >= 300 {
		return answer
	}
	return answer.amend(func(members map[string]any) { delete(members, "orders") })
}

// listOrders is Pebble's list (RFC 8555 §7.1.2.1), or nothing.
func (c *CA) listOrders(r *request) *reply {
	if !c.config.OrdersList {
		return c.refuse(r, problemf(http.StatusNotFound, "malformed", "No such resource"))
	}
	c.age(r.now, nil)
	return c.pebble.serve(r.Request, r.body).documented()
}

// amend changes members of a JSON object in the body.
func (r *reply) amend(change func(map[string]any)) *reply {
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(r.body.Bytes()))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return r
	}
	change(members)
	return r.json(r.status, members)
}

// age tells Pebble what has expired. Pebble goes by the machine's clock, which the CA's may be ahead of, so it is shown
// expiries far in the future or in the past, and nothing in between. Valid authorizations that hide is true of it does not see:
// they are not to be reused.
func (c *CA) age(now time.Time, hide func(*authorization) bool) {
	future := time.Now().AddDate(100, 0, 0)
	for _, o := range c.state.orders {
		if o.frozen == "" && o.expired(now) {
			o.frozen = o.status(now)
			o.Error = problemf(http.StatusNotFound, "malformed", "expired").details()
		}
	}
	for _, a := range c.state.authzs {
		a.ExpiresDate = future
		if a.expired(now) || (hide != nil && a.Status == acme.StatusValid && hide(a)) {
			a.ExpiresDate = time.Time{}
		}
	}
}

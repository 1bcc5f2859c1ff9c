package testca

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Action is what a Fault does to a request.
type Action string

// The actions.
const (
	Respond    Action = "respond"     // answered with Status instead of being processed
	Drop       Action = "drop"        // not processed, the connection is cut
	LoseAnswer Action = "lose-answer" // processed, then the connection is cut
	Delay      Action = "delay"       // waits for Fault.Delay before processing, or after it with Fault.After
	Hold       Action = "hold"        // waits until released before processing, or after it with Fault.After
	BadNonce   Action = "bad-nonce"   // answered with 400 badNonce and a fresh nonce
	Rewrite    Action = "rewrite"     // processed, then the answer is changed by Patch and Header
	BreakOrder Action = "break-order" // a finalize: 500 serverInternal, Retry-After 60, the order invalid with an error
	Misshape   Action = "misshape"    // processed, then answered in the way that Fault.Shape says
)

// Fault is something that goes wrong for requests of one kind. It acts before Pebble sees the request, so Respond,
// Drop and BadNonce spend nothing and change nothing. Where several faults await the same request the oldest acts; each
// counts it.
type Fault struct {
	// Kind is the kind of request (see Request.Kind); "" is every kind.
	Kind string `json:"kind"`
	// Name, where not "", leaves alone what is not about this name: its orders, their authorizations and certificates.
	Name string `json:"name,omitempty"`
	// Nth makes the fault act once, at the Nth request of the kind from now, beginning with 1, or at the first after it
	// where an older fault acts on that one; 0 is every one.
	Nth    int    `json:"nth"`
	Action Action `json:"action"`
	// Status is the status of Respond; 500 if 0.
	Status int `json:"status"`
	// Problem is the type of Respond's problem document, such as "rateLimited", and Detail its text. "" is an HTML body, as
	// load balancers send it, and no nonce.
	Problem string `json:"problem"`
	Detail  string `json:"detail"`
	// RetryAfter is Respond's Retry-After header, as it stands; "" is none.
	RetryAfter string        `json:"retry_after"`
	Delay      time.Duration `json:"delay"`
	// After makes Delay and Hold act once the request has been processed, before its answer is sent.
	After bool `json:"after"`
	// Patch is merged into the JSON object of a Rewrite's answer, or of Respond's problem document (RFC 7396: null takes a
	// member away); Header is set there, an empty value taking the header away.
	Patch  json.RawMessage   `json:"patch,omitempty"`
	Header map[string]string `json:"header,omitempty"`
	// Shape is what Misshape makes of the answer.
	Shape Shape `json:"shape,omitempty"`
}

func (f Fault) check() error {
	actions := []Action{Respond, Drop, LoseAnswer, Delay, Hold, BadNonce, Rewrite, BreakOrder, Misshape}
	if !slices.Contains(actions, f.Action) {
		return fmt.Errorf("there is no action %q, only %q", f.Action, actions)
	}
	if f.Kind != "" && !slices.Contains(kinds(), f.Kind) {
		return fmt.Errorf("there is no kind of request %q, only %q", f.Kind, kinds())
	}
	if f.Nth < 0 || f.Delay < 0 || (f.Status != 0 && (f.Status < 200 || f.Status > 599)) {
		return fmt.Errorf("a fault with nth %d, delay %s and status %d cannot be", f.Nth, f.Delay, f.Status)
	}
	if f.Action == Misshape && !slices.Contains(shapes(), f.Shape) {
		return fmt.Errorf("there is no shape %q, only %q", f.Shape, shapes())
	}
	if f.Action == BreakOrder && f.Kind != kindFinalize {
		return fmt.Errorf("%s is for requests of the kind %s", BreakOrder, kindFinalize)
	}
	return f.checkRewrite()
}

// Held is a request that a Hold fault keeps waiting.
type Held struct {
	ID        int    `json:"id"`
	Kind      string `json:"kind"`
	Account   string `json:"account,omitempty"`
	Path      string `json:"path"`
	Processed bool   `json:"processed"`
}

// faultBook keeps the faults that wait for their request, and the requests that are held.
type faultBook struct {
	mu      sync.Mutex
	faults  []*armed
	nextID  int
	waiting map[int]chan int64 // is sent the turn in which the request goes on
	held    chan Held
}

type armed struct {
	Fault
	seen  int
	acted bool
}

func newFaultBook() *faultBook {
	return &faultBook{waiting: map[int]chan int64{}, held: make(chan Held, 4096)}
}

// Inject arms a fault. It panics when the fault makes no sense: that is a mistake in the test.
func (c *CA) Inject(f Fault) {
	if err := f.check(); err != nil {
		panic("testca: " + err.Error())
	}
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.faults = append(c.faults.faults, &armed{Fault: f})
}

// ClearFaults disarms every fault. Requests that are held stay held.
func (c *CA) ClearFaults() {
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	c.faults.faults = nil
}

// Held tells of each request that begins to be held.
func (c *CA) Held() <-chan Held { return c.faults.held }

// Release lets held requests go on; without an id all of them. Those that one call releases are under way at the same time.
func (c *CA) Release(ids ...int) {
	turn := c.turns.Add(1)
	c.faults.mu.Lock()
	defer c.faults.mu.Unlock()
	for id, released := range c.faults.waiting {
		if len(ids) == 0 || slices.Contains(ids, id) {
			released <- turn
			delete(c.faults.waiting, id)
		}
	}
}

// match is the fault that acts on a request of the kind, if any. about tells the names that the request is about.
func (b *faultBook) match(kind string, about func() []string) *Fault {
	b.mu.Lock()
	defer b.mu.Unlock()
	var found *Fault
	for _, f := range b.faults {
		if f.Kind != "" && f.Kind != kind || f.Name != "" && !slices.Contains(about(), f.Name) {
			continue
		}
		f.seen++
		if found == nil && (f.Nth == 0 || f.seen >= f.Nth && !f.acted) {
			found, f.acted = &f.Fault, true
		}
	}
	return found
}

// hold tells of a request and waits until it is released; not ok when the client or the CA is gone first.
func (b *faultBook) hold(client, ca context.Context, h Held) (turn int64, ok bool) {
	released := make(chan int64, 1)
	b.mu.Lock()
	b.nextID++
	h.ID = b.nextID
	b.waiting[h.ID] = released
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.waiting, h.ID)
	}()
	select {
	case b.held <- h:
	default: // nobody has listened for thousands of holds
	}
	select {
	case turn := <-released:
		return turn, true
	case <-client.Done():
	case <-ca.Done():
	}
	return 0, false
}

// pause waits; false when the client or the CA is gone first.
func pause(client, ca context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-client.Done():
	case <-ca.Done():
	}
	return false
}

// fabricated is the answer of Respond and BadNonce; a nonce comes with problem documents only.
func (f *Fault) fabricated(nonce func() string) *reply {
	answer := newReply(http.StatusInternalServerError)
	if f.Action == BadNonce {
		answer.header.Set("Replay-Nonce", nonce())
		return answer.refuse(badNonce())
	}
	if f.Status != 0 {
		answer.status = f.Status
	}
	if f.Problem != "" {
		answer.header.Set("Replay-Nonce", nonce())
		answer.refuse(problemf(answer.status, f.Problem, "%s", f.Detail))
	} else {
		answer.header.Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(answer, "<html><head><title>%[1]d %[2]s</title></head><body><center><h1>%[1]d %[2]s</h1></center></body></html>\n",
			answer.status, http.StatusText(answer.status))
	}
	if f.RetryAfter != "" {
		answer.header.Set("Retry-After", f.RetryAfter)
	}
	return f.rewrite(answer)
}

func badNonce() *problem {
	return problemf(http.StatusBadRequest, "badNonce", "Unable to validate JWS :: JWS has an invalid anti-replay nonce")
}

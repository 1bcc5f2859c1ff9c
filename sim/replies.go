package sim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/ledger"
)

const (
	origin       = "https://ca.example"
	directoryURL = origin + "/directory"
)

// reply is what the CA answers.
type reply struct {
	status     int
	location   string
	retryAfter string
	body       []byte
	html       bool
	page       bool     // it is not the CA's, and has no nonce
	next       string   // another page of a list
	order      *caOrder // that a newOrder was answered with
	denied     string   // the limit of a 429
	set        string   // and the names it was for
}

func object(status int, v any) reply { return reply{status: status, body: must(json.Marshal(v))} }

func problem(status int, kind, format string, args ...any) reply {
	return object(status, map[string]any{"type": "urn:ietf:params:acme:error:" + kind, "status": status, "detail": fmt.Sprintf(format, args...)})
}

func gone(what string) reply { return problem(404, "malformed", "No such %s, or it has expired", what) }

// answer does what a request asks for.
func (a *authority) answer(p *worker, kind string, id int, payload []byte) reply {
	switch kind {
	case "directory":
		return a.directory()
	case "nonce":
		return reply{status: 200}
	case "account":
		return a.account(id)
	case "orders":
		return a.list(id)
	case "new-order":
		return a.newOrder(p, payload)
	case probe:
		return problem(400, "malformed", "no order is in it")
	case "order", "finalize", "certificate":
		if kind == "order" && len(p.s.book.Owners(origin+"/order/"+strconv.Itoa(id))) > 0 && p.dice().strikes(amnesia) {
			return gone("order")
		}
		if id < 1 || id > len(a.orders) {
			return gone("order")
		}
		return a.ofOrder(p, kind, a.orders[id-1], payload)
	case "authorization", "challenge":
		if id < 1 || id > len(a.authzs) || !a.authzs[id-1].ends.After(a.w.time()) {
			return gone("authorization")
		}
		return a.ofAuthz(p, kind, a.authzs[id-1], payload)
	}
	return gone("page")
}

func (a *authority) directory() reply {
	d := map[string]any{"newNonce": origin + "/nonce/0", "newAccount": origin + "/new-account/0", "newOrder": origin + "/new-order/0"}
	if a.hides {
		d["Zrandom"] = "https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417"
	}
	if a.replaces {
		d["renewalInfo"] = origin + "/renewal"
	}
	return object(200, d)
}

func (a *authority) account(id int) reply {
	d := map[string]any{"status": "valid"}
	if a.habits.has[oddMembers] {
		d = map[string]any{"contact": 1, "orders": []string{}}
	}
	if a.lists {
		d["orders"] = origin + "/orders/" + strconv.Itoa(id)
	}
	return object(200, d)
}

// list shows an account's unexpired orders that are not finished, as RFC 8555 §7.1.2.1 wants at least.
func (a *authority) list(account int) reply {
	urls := []string{}
	for _, o := range a.orders {
		if o.account == account && o.ends.After(a.w.time()) && o.chain == nil {
			urls = append(urls, orderURL(o))
		}
	}
	return a.habits.listed(account, urls)
}

func orderURL(o *caOrder) string    { return origin + "/order/" + strconv.Itoa(o.id) }
func finalizeURL(o *caOrder) string { return origin + "/finalize/" + strconv.Itoa(o.id) }
func authzURL(z *caAuthz) string    { return origin + "/authorization/" + strconv.Itoa(z.id) }

func challengeURL(z *caAuthz) string { return origin + "/challenge/" + strconv.Itoa(z.id) }

type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// newOrder is Boulder's: what is refused, then reuse, then a new one.
func (a *authority) newOrder(p *worker, payload []byte) reply {
	var want struct {
		Identifiers []identifier `json:"identifiers"`
		Replaces    string       `json:"replaces"`
	}
	if json.Unmarshal(payload, &want) != nil || len(want.Identifiers) == 0 {
		return problem(400, "malformed", "no names")
	}
	var names []string
	for _, i := range want.Identifiers {
		names = append(names, i.Value)
	}
	names = ledger.CanonicalNames(names)
	set, now := ledger.NameKey(names), a.w.time()
	if r, refused := a.unreplaceable(want.Replaces, p.s.account, names); refused {
		return r
	}
	renewal := a.renews(set, now)
	if r, refused := a.tooMany(p.s.account, set, names, renewal); refused {
		return r
	}
	o := a.reusable(p.s.account, set, now)
	if o == nil && a.countsPending > 0 && a.pending(p.s.account)+len(names) > a.countsPending {
		r := problem(429, "rateLimited", "too many currently pending authorizations: see https://letsencrypt.org/docs/rate-limits/")
		r.denied = "pending"
		return r
	}
	if a.limited && !renewal {
		a.spend(a.newOrders(p.s.account))
	}
	if o == nil {
		o = a.make(p.s.account, names, want.Replaces)
		o.sender, o.lineage = p.s, p.lineage()
	}
	r := object(201, a.show(o))
	r.location, r.order = orderURL(o), o
	return a.habits.born(o, r)
}

// renews reports whether an order for a set is a renewal, which does not count as a new order.
func (a *authority) renews(set string, now time.Time) bool {
	return now.Sub(a.issued[set]) < familiar && !a.issued[set].IsZero()
}

// tooMany is the 429 of the limits of Let's Encrypt.
func (a *authority) tooMany(account int, set string, names []string, renewal bool) (reply, bool) {
	if !a.limited {
		return reply{}, false
	}
	checked := []bucket{a.exactSet(set)}
	if !renewal {
		checked = append(checked, a.newOrders(account))
	}
	for _, name := range names {
		checked = append(checked, a.failures(account, name))
	}
	worst, wait := a.refusal(checked...)
	if wait <= 0 {
		return reply{}, false
	}
	seconds := int((wait + time.Second - 1) / time.Second)
	r := problem(429, "rateLimited", "%s in the last %s: see https://letsencrypt.org/docs/rate-limits/#%s", worst.text, worst.Period, worst.anchor)
	r.retryAfter, r.denied, r.set = strconv.Itoa(seconds), worst.Name, set
	return r, true
}

// wouldRefuse reports whether a newOrder for a lineage would be answered 429.
func (a *authority) wouldRefuse(l *lineage) bool {
	set := ledger.NameKey(l.names)
	_, many := a.tooMany(l.s.account, set, l.names, false)
	return many || a.countsPending > 0 && a.pending(l.s.account)+len(l.names) > a.countsPending
}

// unreplaceable is Boulder's refusal of a `replaces` (RFC 9773 §5).
func (a *authority) unreplaceable(replaces string, account int, names []string) (reply, bool) {
	if replaces == "" {
		return reply{}, false
	}
	if r, refused := a.habits.objection(); refused {
		return r, true
	}
	old := a.certs[replaces]
	switch {
	case old == nil:
		return problem(404, "malformed", "no such certificate"), true
	case old.account != account:
		return problem(403, "unauthorized", "another requester"), true
	case !slices.ContainsFunc(old.names, func(n string) bool { return slices.Contains(names, n) }):
		return problem(400, "malformed", "no name in common"), true
	}
	for i := len(a.orders) - 1; i >= 0 && a.orders[i].made.After(old.made); i-- {
		if o := a.orders[i]; o.replaces == replaces && o.ends.After(a.w.time()) && o.status(a.w.time()) != "invalid" {
			return problem(409, "alreadyReplaced", "a replacement order exists"), true
		}
	}
	return reply{}, false
}

// show is an order as a client sees it.
func (a *authority) show(o *caOrder) map[string]any {
	var names []identifier
	for _, n := range o.names {
		names = append(names, identifier{"dns", a.habits.named(n)})
	}
	urls := []string{}
	for _, z := range o.authzs {
		urls = append(urls, a.habits.formed(authzURL(z)))
	}
	status := o.status(a.w.time())
	d := map[string]any{"status": status, "expires": o.ends.Format(time.RFC3339), "identifiers": names,
		"authorizations": urls, "finalize": a.habits.formed(finalizeURL(o))}
	if a.habits.has[oddMembers] {
		d["expires"] = o.ends.Unix()
	}
	if o.replaces != "" {
		d["replaces"] = o.replaces
	}
	if way, withheld := a.habits.withheld(o); status == "valid" && !(withheld && way == 1) {
		d["certificate"] = origin + "/certificate/" + strconv.Itoa(o.id)
	}
	if o.spoiled {
		d["error"] = map[string]any{"type": "urn:ietf:params:acme:error:serverInternal", "detail": "Error finalizing order"}
	}
	return d
}

func (a *authority) ofOrder(p *worker, kind string, o *caOrder, payload []byte) reply {
	over := !o.ends.After(a.w.time())
	lives := a.habits.has[afterlife] && kind == "order" && o.chain == nil && !o.spoiled
	switch {
	case over && !lives, kind != "certificate" && a.habits.unknown(kind, o):
		return gone("order")
	case kind == "finalize":
		return a.finalize(p, o, payload)
	case kind == "certificate":
		if o.status(a.w.time()) != "valid" {
			return gone("certificate")
		}
		if r, ok := a.habits.instead(o); ok {
			return r
		}
		return reply{status: 200, body: a.habits.written(o)}
	}
	a.habits.reopens(o)
	return a.shown(a.habits.another(p, o))
}

func (a *authority) shown(o *caOrder) reply {
	members := a.show(o)
	members["status"] = a.habits.status(o)
	r := object(200, members)
	if o.status(a.w.time()) == "processing" {
		r.retryAfter = "3"
	}
	return r
}

func (a *authority) finalize(p *worker, o *caOrder, payload []byte) reply {
	var want struct {
		CSR string `json:"csr"`
	}
	_ = json.Unmarshal(payload, &want)
	csr, err := base64.RawURLEncoding.DecodeString(want.CSR)
	number, names, ok := readCSR(csr)
	if o.status(a.w.time()) == "ready" && a.habits.hesitates(o) { // it takes no CSR yet
		return problem(403, "orderNotReady", "Order's status (\"pending\") is not acceptable for finalization")
	}
	if a.habits.has[reopening] && o.status(a.w.time()) == "pending" { // nor does this
		return problem(403, "orderNotReady", "Order's status (\"pending\") is not acceptable for finalization")
	}
	if sum := sumOf(csr); !slices.Contains(o.csrs, sum) {
		o.csrs = append(o.csrs, sum)
	}
	if o.status(a.w.time()) != "ready" {
		return problem(403, "orderNotReady", "Order's status (%q) is not acceptable for finalization", o.status(a.w.time()))
	}
	if err != nil || !ok || names != o.set {
		return problem(400, "badCSR", "the CSR is for other names")
	}
	if p.dice().strikes(spoiled) || a.habits.has[brokenIssuance] && a.habits.spelled() {
		o.spoiled = true
		r := problem(500, "serverInternal", "Error finalizing order")
		r.retryAfter = "60"
		return r
	}
	if err := a.issue(p.dice(), o, pairs()[number%len(pairs())].public); err != nil {
		return problem(500, "serverInternal", "%s", "no certificate")
	}
	r := a.shown(o)
	r.location = orderURL(o)
	return r
}

func (a *authority) ofAuthz(p *worker, kind string, z *caAuthz, payload []byte) reply {
	if kind == "challenge" {
		return a.challenged(p, z)
	}
	if strings.Contains(string(payload), "deactivated") {
		switch z.status {
		case "pending":
			if a.charges && a.limited {
				a.spend(a.failures(z.account, z.name))
			}
			z.status = "deactivated"
		case "valid":
			z.status = "deactivated"
		default:
			return problem(400, "malformed", "authorization must be pending or valid")
		}
	}
	a.habits.looked(p, z)
	members := a.showAuthz(z)
	a.habits.authorization(members)
	return object(200, members)
}

func (a *authority) showAuthz(z *caAuthz) map[string]any {
	status := z.status
	if status == "deactivated" {
		status = "pending"
	}
	c := map[string]any{"type": "http-01", "url": a.habits.formed(challengeURL(z)), "status": status, "token": z.token}
	if z.underway > 0 && !a.hides && status == "pending" {
		c["status"] = "processing"
	}
	if z.fallen {
		c["status"] = "invalid"
	}
	if z.detail != "" {
		c["error"] = map[string]any{"type": "urn:ietf:params:acme:error:unauthorized", "detail": z.detail}
	}
	return map[string]any{"status": z.status, "identifier": identifier{"dns", z.name}, "expires": z.ends.Format(time.RFC3339),
		"challenges": []any{c}}
}

func (a *authority) challenged(p *worker, z *caAuthz) reply {
	shown := func() reply {
		r := object(200, a.showAuthz(z)["challenges"].([]any)[0])
		return r
	}
	switch {
	case z.status == "valid":
		return shown()
	case z.status != "pending", z.fallen:
		return problem(400, "malformed", "Unable to update challenge :: authorization must be pending")
	}
	a.w.answeredTwice(p, z)
	if a.conflicts && z.underway > 0 {
		return problem(409, "conflict", "a validation is already in progress")
	}
	a.begin(z)
	return shown()
}

// asResponse is a reply as HTTP has it.
func (r reply) asResponse(req *http.Request, now time.Time, nonce string) *http.Response {
	h := http.Header{}
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	if !r.page {
		h.Set("Replay-Nonce", nonce)
	}
	if r.next != "" {
		h.Set("Link", "<"+r.next+">;rel=\"next\"")
	}
	if r.location != "" {
		h.Set("Location", r.location)
	}
	if r.retryAfter != "" {
		h.Set("Retry-After", r.retryAfter)
	}
	switch {
	case r.html:
		h.Set("Content-Type", "text/html")
	case r.status >= 400:
		h.Set("Content-Type", "application/problem+json")
	default:
		h.Set("Content-Type", "application/json")
	}
	return &http.Response{StatusCode: r.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
		Body: newBody(r.body), ContentLength: int64(len(r.body)), Request: req}
}

package sim

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/preflight"
)

var background = context.Background()

// admission is what spoke for and against an order when a process had it checked.
type admission struct {
	checked  []string // the names
	report   preflight.Report
	standing ledger.Standing
	hold     string // the hold that forbids it
	charged  bool   // three failures within the hour
	at       time.Time
	urgent   bool
}

// resending is a request that was refused for its nonce, so that the same one may come once more.
type resending struct {
	kind string
	id   int
	due  bool
}

// look notes what the ledger says against an order at the moment at which its preflight begins.
func (p *worker) look(r ledger.Request) {
	now := p.s.time()
	a := admission{at: now, urgent: p.admission.urgent}
	a.standing, _ = p.s.book.Standing(background, r.Lineage)
	holds, _ := p.s.book.Holds(background, p.s.row.ID, now)
	for _, h := range holds {
		if h.Scope == "new-order" || h.Scope == "names:"+ledger.NameKey(r.Names) {
			a.hold = h.Scope
		}
	}
	for _, name := range r.Names {
		charges, _ := p.s.book.Charges(background, p.s.row.ID, []string{name}, now.Add(-time.Hour))
		charges = slices.DeleteFunc(charges, func(c ledger.Charge) bool { return c.At.After(now.Add(time.Hour)) })
		a.charged = a.charged || len(charges) >= 3
	}
	p.admission = a
}

// sending is called with every request before it leaves (invariants I1, I2, I3).
func (w *world) sending(p *worker, kind string, id int, payload []byte) {
	w.remembered(p)
	again := p.resent.due && p.resent.kind == kind && p.resent.id == id
	p.resent = resending{}
	if again {
		return
	}
	w.witnessed(p, kind, id, payload)
	switch kind {
	case "new-order":
		w.sendingOrder(p, payload)
	case "challenge":
		w.intended(p, kind, origin+"/challenge/"+strconv.Itoa(id), func(_ *ledger.Order, a *ledger.Authorization) bool {
			return !a.AnswerSentAt.IsZero() && a.Answers > 0
		})
	case "authorization":
		if len(payload) > 0 {
			w.intended(p, kind, origin+"/authorization/"+strconv.Itoa(id), releasable)
		}
	case "finalize":
		w.sendingCSR(p, id, payload)
	}
}

// newer reports whether a row was saved since the last request that rested on it, and notes this one.
func (s *server) newer(what string, o *ledger.Order) bool {
	key := what + " " + strconv.FormatInt(o.ID, 10)
	if s.marks[key] >= o.Version {
		return false
	}
	s.marks[key] = o.Version
	return true
}

// intended wants a durable intent for a request about an authorization.
func (w *world) intended(p *worker, kind, url string, meant func(*ledger.Order, *ledger.Authorization) bool) {
	for _, o := range p.s.book.Peek(ledger.OrderFilter{Unsettled: true}) {
		for _, a := range o.Authorizations {
			if (plain(a.URL) == url || plain(a.ChallengeURL) == url) && meant(o, a) && p.s.newer(url, o) {
				return
			}
		}
	}
	w.fail("I1", p.lineage(), "%s is sent to %s, and its intent is not in the ledger", kind, url)
}

// intent is the row whose newOrder for a name set was intended last. Of two lineages both may wait for an answer.
func (s *server) intent(set string) (row *ledger.Order) {
	for _, o := range s.book.Peek(ledger.OrderFilter{Live: true}) {
		sent := o.State == ledger.Creating && !o.CreateSentAt.IsZero() && ledger.NameKey(o.Names) == set
		if sent && (row == nil || o.CreateSentAt.After(row.CreateSentAt)) {
			row = o
		}
	}
	return row
}

func (w *world) sendingOrder(p *worker, payload []byte) {
	names := namesIn(payload)
	set := ledger.NameKey(names)
	row := p.s.intent(set)
	if row == nil || !p.s.newer("new-order", row) {
		w.fail("I1", p.lineage(), "newOrder for %s is sent, and its intent is not in the ledger", set)
		return
	}
	for _, o := range w.ca.sets[set] {
		if o.open(w.time()) {
			w.abandoned(p, row, o)
		}
	}
	if row.CreateSends > 1 && !w.ca.reuses && !w.ca.lists { // no more than one a day is sent while others have no answer
		p.l.trouble = w.time().Add(2 * day)
	}
	w.alone(p, row)
	if why := p.forbidden(row); why != "" {
		w.fail("I3", row.Lineage, "newOrder for %s is sent though %s", set, why)
	}
}

// abandoned complains about an order that is open at the CA, that this ledger knows and has given up, and that is ordered
// anew (I2).
func (w *world) abandoned(p *worker, row *ledger.Order, o *caOrder) {
	for _, old := range p.s.rows(o) {
		if old.Lineage != row.Lineage || old.URL != "" && old.URL != orderURL(o) || w.ca.habits.longForgotten(o) {
			continue
		}
		switch old.State {
		case ledger.ReleasedState, ledger.TakenState:
		case ledger.LostState: // where nobody says where it is, refusals of finalize are all that is shown of it
			if !w.ca.habits.has[noAddress] {
				w.fail("I2", row.Lineage, "newOrder for %s is sent though order %d is lost and still open at the CA", ledger.NameKey(o.names), old.ID)
			}
		default:
			w.fail("I2", row.Lineage, "newOrder for %s is sent though order %d (%s) is still open at the CA", ledger.NameKey(o.names), old.ID, old.State)
		}
	}
}

// forbidden says what forbids the newOrder of a row, "" if nothing does.
func (p *worker) forbidden(row *ledger.Order) string {
	a := p.admission
	refusal := a.report.Refusal()
	switch {
	case !slices.Equal(ledger.CanonicalNames(a.checked), row.Names):
		return "its names were not checked by this run"
	case refusal != nil && (refusal.Local || !refusal.Class.Network()):
		return "preflight is certain: " + refusal.Sentence
	case p.forced:
		return ""
	case a.hold != "":
		return "it is held: " + a.hold
	case a.charged:
		return "three failures were charged within the hour"
	case refusal != nil && (!a.through() || p.s.tooSoon(row.Lineage, a.at)):
		return "preflight advises against it: " + refusal.Sentence
	case refusal != nil:
		p.s.letThrough[row.Lineage] = a.at
	}
	same := a.standing.Fingerprint == "" || a.standing.Fingerprint == a.report.Fingerprint || refusal != nil
	if a.at.Before(a.standing.NextAt) && same && !a.standing.NextAt.After(a.at.Add(day)) {
		return "it is in back-off"
	}
	return ""
}

// tooSoon reports whether a lineage was ordered within the last day in spite of the network checks, other than after the
// check at that moment.
func (s *server) tooSoon(lineage string, at time.Time) bool {
	last := s.letThrough[lineage]
	return last.After(at.Add(-day)) && !last.Equal(at) && !last.After(at)
}

// through reports whether one attempt a day is let through in spite of the network checks.
func (a admission) through() bool {
	long := !a.standing.RefusedSince.IsZero() && a.at.Sub(a.standing.RefusedSince) >= day
	return (long || a.urgent) && a.at.Sub(a.standing.LetThroughAt) >= day
}

func (w *world) sendingCSR(p *worker, id int, payload []byte) {
	url := origin + "/finalize/" + strconv.Itoa(id)
	sum := sumOf(csrIn(payload))
	for _, o := range p.s.book.Peek(ledger.OrderFilter{Live: true}) {
		if plain(o.Finalize) != url || o.State != ledger.Processing || o.FinalizeSentAt.IsZero() || o.CSR.SHA256 != sum {
			continue
		}
		if p.s.keys.files[o.Key.Path] == nil || p.s.keys.files[o.CSR.Path] == nil {
			continue
		}
		if p.s.newer("finalize", o) {
			return
		}
	}
	w.fail("I1", p.lineage(), "finalize is sent to %s, and its intent, key and CSR are not all durable", url)
}

// answered is called when the CA has done what it was asked, whether or not the answer arrives (I5, I6).
func (w *world) answered(p *worker, kind string, id int, r reply) {
	if r.denied != "" {
		w.denied(p, r)
	}
	if r.order != nil {
		w.reckoned(p, r.order)
	}
	if kind != "finalize" || id < 1 || id > len(w.ca.orders) {
		return
	}
	o := w.ca.orders[id-1]
	if len(o.csrs) > 1 && len(w.holders(o)) == 1 && !p.s.lostKey(o) {
		w.fail("I5", p.lineage(), "a second CSR is sent for %s", orderURL(o))
	}
}

func (s *server) lostKey(at *caOrder) bool {
	return slices.ContainsFunc(s.rows(at), func(o *ledger.Order) bool { return s.lost[o.ID] })
}

// holders are the servers whose ledgers know an order.
func (w *world) holders(o *caOrder) []*server {
	var list []*server
	for _, s := range w.servers {
		if len(s.rows(o)) > 0 {
			list = append(list, s)
		}
	}
	return list
}

// denied is a 429: it must not have been foreseeable (I6).
func (w *world) denied(p *worker, r reply) {
	for _, l := range w.lineages {
		if until := w.time().Add(w.patience(r)); (l == p.l || r.denied == limit.NewOrdersPerAccount || r.denied == "pending") && l.trouble.Before(until) {
			l.trouble = until
		}
	}
	w.result.Denied++
	if p.forced || w.sharedAccount(p.s) || !p.s.jumpedAt.IsZero() {
		return
	}
	elsewhere := func(o *caOrder) bool {
		_, withheld := w.ca.habits.served[o] // which is counted once it can be had
		return o.chain != nil && o.set == r.set && (o.sender != p.s || withheld || p.s.untaken(o))
	}
	if r.denied == limit.CertificatesPerFQDNSet && slices.ContainsFunc(w.ca.orders, elsewhere) {
		return
	}
	if r.denied == "pending" && p.s.unseen() {
		return // whether newOrders without an answer count, the CA alone knows
	}
	if r.denied == "pending" || w.ca.published {
		w.fail("I6", p.lineage(), "429 for %s, which the ledger could have foreseen", r.denied)
	}
}

// untaken reports whether an order has a certificate that was not accepted yet: only then it is counted.
func (s *server) untaken(o *caOrder) bool {
	return slices.ContainsFunc(s.rows(o), func(row *ledger.Order) bool {
		return row.State == ledger.Valid && len(row.Chain) == 0
	})
}

// unseen reports whether the ledger knows of orders that may exist unseen.
func (s *server) unseen() bool {
	pending, _ := s.book.Pending(background, s.w.time())
	return slices.ContainsFunc(pending, func(p ledger.Pending) bool {
		return p.State == ledger.Phantom || p.State == ledger.Creating
	})
}

func (w *world) patience(r reply) time.Duration {
	seconds, err := strconv.Atoi(r.retryAfter)
	if err != nil {
		return time.Hour
	}
	return time.Duration(seconds) * time.Second
}

func (w *world) sharedAccount(s *server) bool {
	return slices.ContainsFunc(w.servers, func(o *server) bool { return o != s && o.account == s.account })
}

// answeredTwice is called before a pending challenge is validated (I5).
func (w *world) answeredTwice(p *worker, z *caAuthz) {
	if !slices.Contains(z.senders, p.s) {
		z.senders = append(z.senders, p.s)
	}
	again := z.last == p.process && z.lastFor == p.lineage() // for another lineage, a check that lies may have lifted the back-off
	z.last, z.lastFor = p.process, p.lineage()
	if z.begun == 0 {
		z.firstAt = w.time()
		return
	}
	if w.ca.keeps && z.detail != "" && z.underway == 0 {
		if again {
			w.fail("I5", p.lineage(), "the challenge for %s failed and is answered once more by the same run", z.name)
		}
		return
	}
	misled := p.s.jumpedAt.After(z.firstAt.Add(-time.Hour))
	if len(z.senders) == 1 && !misled {
		w.fail("I5", p.lineage(), "the challenge for %s is answered though it is being validated", z.name)
	}
}

// received is called when an answer reaches its process.
func (w *world) received(p *worker, kind string, id int, r reply) {
	if r.status == 400 && strings.Contains(string(r.body), "badNonce") {
		p.resent = resending{kind, id, true}
	}
	nameless := r.location == "" && bytes.HasPrefix(r.body, []byte("<html>")) // nothing tells which order it is
	if r.order != nil && r.status == 201 && !nameless {
		p.told = r.order
	}
	w.heard(p, kind, id, r)
}

// remembered wants an order that the process was told of to be in the ledger before anything else is done (I4).
func (w *world) remembered(p *worker) {
	o := p.told
	p.told = nil
	if o != nil && len(p.s.rows(o)) == 0 {
		w.fail("I4", p.lineage(), "the CA told of %s, and the ledger does not know it", orderURL(o))
	}
}

// committed is called after every commit.
func (w *world) committed(p *worker, c *ledger.Change) {
	w.written(p, c)
	for _, saved := range c.Orders {
		o := must(p.s.book.Order(background, saved.ID))
		w.truthful(o)
		if !o.SettledAt.IsZero() {
			w.settled(p, o)
		}
	}
}

// truthful compares an order's row with the truth (I4).
func (w *world) truthful(o *ledger.Order) {
	for _, a := range o.Authorizations {
		z := w.ca.authz(a.URL)
		if z != nil && z.reopened && a.Status == ledger.AuthorizationPending {
			z.reseen = true
		}
		moved := a.Status == ledger.AuthorizationReplaced && w.ca.habits.has[movingURLs]
		if z == nil || !a.Final() || a.Status == string(ledger.ReleasedState) || moved {
			continue
		}
		if z.status == "pending" && z.ends.After(w.time()) && !w.unseen(z) {
			w.fail("I4", o.Lineage, "order %d: the ledger calls the authorization for %s %s, and it is pending", o.ID, z.name, a.Status)
		}
	}
	if o.State == ledger.ExpiredState {
		if at := w.ca.order(o.URL); at != nil && at.open(w.time().Add(time.Minute)) {
			w.fail("I4", o.Lineage, "the ledger calls order %d expired, and it is open at the CA until %s", o.ID, at.ends.Format(time.DateTime))
		}
	}
}

func (a *authority) authz(url string) *caAuthz {
	id, err := strconv.Atoi(strings.TrimPrefix(plain(url), origin+"/authorization/"))
	if err != nil || id < 1 || id > len(a.authzs) {
		return nil
	}
	return a.authzs[id-1]
}

func (a *authority) order(url string) *caOrder {
	id, err := strconv.Atoi(strings.TrimPrefix(url, origin+"/order/"))
	if err != nil || id < 1 || id > len(a.orders) {
		return nil
	}
	return a.orders[id-1]
}

// settled looks at an order for which nothing is said to remain to be done.
func (w *world) settled(p *worker, o *ledger.Order) {
	for _, a := range o.Authorizations {
		if a.Placement != "" {
			w.fail("I4", o.Lineage, "order %d is settled while the token of %s stands", o.ID, a.Name)
		}
		z := w.ca.authz(a.URL)
		if z != nil && w.over(p, z.ends) {
			continue
		}
		// Where the CA names no time, what is over looks like what it has forgotten, and is counted a while longer.
		forgotten := !o.MissingSince.IsZero() && z != nil && !z.ends.After(w.time())
		outlives := (o.State == ledger.ExpiredState || forgotten) && !a.Expires.IsZero()
		if !a.Final() && !outlives && o.State != ledger.Seen { // what was only seen may be another server's, and is counted
			w.fail("I4", o.Lineage, "order %d is settled as %s while the authorization for %s is pending", o.ID, o.State, a.Name)
		}
	}
	at := w.ca.order(o.URL) // one that nobody can ask for may have been issued
	if o.State == ledger.LostState && !p.s.lost[o.ID] && at != nil && !w.over(p, at.ends) && !w.ca.habits.longForgotten(at) {
		w.fail("I7", o.Lineage, "the private key of order %d is gone, and nothing took it", o.ID)
	}
	if o.State != ledger.Installed {
		return
	}
	if !p.s.installs[o.ID] {
		w.fail("I7", o.Lineage, "order %d is settled as installed, and nothing was installed", o.ID)
	}
	if p.s.deploys[o.ID] == 0 && !w.gaveUpHooks(p.s, o.ID) {
		w.fail("I7", o.Lineage, "order %d is settled, and its deploy hooks never ran", o.ID)
	}
}

// over reports whether something has come to its end at the CA, which does not know it any more, and a clock that was wrong
// keeps its host from knowing that.
func (w *world) over(p *worker, end time.Time) bool {
	return !end.After(w.time()) && !p.s.jumpedAt.IsZero()
}

func (w *world) gaveUpHooks(s *server, id int64) bool {
	return slices.ContainsFunc(must(s.book.Events(background, id, 0)), func(e ledger.Event) bool { return e.Kind == "deploy hooks given up" })
}

// installing looks at what is about to be put in place (I7).
func (w *world) installing(p *worker, o *ledger.Order, privateKey, chain []byte) (*x509.Certificate, error) {
	p.s.installs[o.ID] = true
	pair, err := tls.X509KeyPair(chain, privateKey)
	if err != nil {
		w.fail("I7", o.Lineage, "certificate and key of order %d do not match", o.ID)
		return nil, err
	}
	for _, name := range o.Names {
		if !slices.Contains(pair.Leaf.DNSNames, name) {
			w.fail("I7", o.Lineage, "the certificate of order %d is for %s", o.ID, pair.Leaf.DNSNames)
		}
	}
	if now := w.time(); pair.Leaf.NotBefore.After(now.Add(slack)) || now.After(pair.Leaf.NotAfter) && p.s.jumpedAt.IsZero() {
		w.fail("I7", o.Lineage, "the certificate of order %d is good from %s to %s", o.ID, pair.Leaf.NotBefore, pair.Leaf.NotAfter)
	}
	return pair.Leaf, nil
}

// ended looks at how a driver ended.
func (w *world) ended(p *worker, err error) {
	if failure.ClassOf(err) == failure.Internal {
		w.fail("internal", p.lineage(), "a run ends with a defect: %v", err)
	}
}

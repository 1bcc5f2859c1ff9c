package sim

import (
	"bytes"
	"cmp"
	"slices"
	"strconv"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
)

// sights are what a process was shown and asked for. They are kept beside the engine, which is not asked.
type sights struct {
	shown map[string]bool  // URLs of orders that the CA showed it, since it last asked to finalize them
	asked map[string]bool  // URLs of orders that it asked for
	rests map[string]int64 // when a request may be made again that was answered with an error and a Retry-After
	vain  map[string]int   // how often a request failed since it last succeeded
	looks map[string]int   // how often it was shown an order
}

// witness is what a worker was told, beside what its process has seen.
type witness struct {
	*sights
	told []refusal429 // that are not in the ledger yet
	csr  int64        // that was known for the order before the last finalize
	turn *lineage     // the one that it last ordered for, and the names
	set  string
	paid []string // names of authorizations that the CA has charged it for deactivating
}

// refusal429 is a 429 to newOrder with a Retry-After.
type refusal429 struct {
	scope string
	until int64
}

// slack is how much sooner than asked for a process may come: it counts from the moment at which it sent its request.
const slack = time.Minute

// witnessed looks at a request by what its process has seen.
func (w *world) witnessed(p *worker, kind string, id int, payload []byte) {
	url := origin + "/" + kind + "/" + strconv.Itoa(id)
	if until := p.saw.rests[url]; w.now < until && !p.misled() {
		w.fail("Retry-After", p.lineage(), "%s is asked again %s too early", url, time.Duration(until-w.now)*time.Microsecond)
	}
	switch kind {
	case "new-order":
		w.patient(p, namesIn(payload))
	case "order":
		put1(&p.saw.asked, url)
	case "challenge":
		w.acquainted(p, url)
		w.prepared(p, w.ca.authzs[id-1])
	case "authorization":
		if len(payload) > 0 {
			w.acquainted(p, url)
			w.charged(p, w.ca.authzs[id-1])
		}
	case "finalize":
		w.finalizing(p, id, payload)
		delete(p.saw.shown, origin+"/order/"+strconv.Itoa(id))
		delete(p.saw.shown, url)
	}
}

func put1(set *map[string]bool, url string) {
	if *set == nil {
		*set = map[string]bool{}
	}
	(*set)[url] = true
}

// misled reports whether the clock jumped while the process lived.
func (p *worker) misled() bool {
	return p.s.jumpedAt.After(moment(p.born))
}

// acquainted wants the CA to have shown this process the order before it does something about an authorization (rule 1).
func (w *world) acquainted(p *worker, url string) {
	for _, o := range p.s.book.Peek(ledger.OrderFilter{Unsettled: true}) {
		for _, a := range o.Authorizations {
			if plain(a.URL) != url && plain(a.ChallengeURL) != url {
				continue
			}
			at := w.ca.order(o.URL) // one that is over by the CA's clock is not shown, whatever a clock that jumped says
			hidden := w.ca.habits.has[forgetfulness] || at != nil && !at.ends.After(w.time())
			gone := hidden && o.State == ledger.Invalid && p.saw.shown[plain(o.Finalize)]
			if p.saw.shown[cmp.Or(o.URL, plain(o.Finalize))] || gone {
				return
			}
		}
	}
	w.fail("rule 1", p.lineage(), "%s is sent a POST by a run that has not looked at its order", url)
}

// prepared wants a challenge to be answered only after this process had its name checked and while its token stands (wall 1,
// rule 9). What another host does with the same document root is not this one's fault.
func (w *world) prepared(p *worker, z *caAuthz) {
	s := w.sites[z.name]
	if !slices.Contains(p.admission.checked, z.name) {
		w.fail("wall 1", p.lineage(), "the challenge for %s is answered by a run that has not checked the name", z.name)
	}
	if !s.gone && s.tokens[z.token] == "" && !w.sharedAccount(p.s) {
		w.fail("rule 9", p.lineage(), "the challenge for %s is answered, and its token does not stand", z.name)
	}
}

// finalizing wants the CA to have shown this process the order since the last finalize (rules 1 and 5), the order not to be
// issued already, and somebody to want its certificate.
func (w *world) finalizing(p *worker, id int, payload []byte) {
	o := w.ca.orders[id-1]
	if addressed := len(p.s.book.Owners(orderURL(o))) > 0; addressed && !p.saw.shown[orderURL(o)] {
		w.fail("rule 5", p.lineage(), "finalize of %s is sent by a run that has not looked at it since", orderURL(o))
	}
	// It may be that nothing told it of a certificate.
	blind := p.s.lostKey(o) && (w.ca.habits.has[noAddress] || w.ca.habits.has[flicker])
	if o.chain != nil && !slices.Contains(o.csrs, sumOf(csrIn(payload))) && len(w.holders(o)) == 1 && !blind {
		w.fail("I5", p.lineage(), "a second CSR is sent for %s, which was issued already", orderURL(o))
	}
	for _, row := range p.s.rows(o) {
		if !row.State.Live() || row.URL != "" && row.URL != orderURL(o) {
			continue
		}
		gone := p.s.marks["deleted "+row.Lineage]
		if gone > 0 && gone < p.born {
			w.fail("rule 8", row.Lineage, "order %d of a lineage that was deleted is finalized", row.ID)
		}
		w.sameCSR(p, row, payload)
		if row.Superseded {
			w.fail("rule 8", row.Lineage, "order %d, which is not wanted any more, is finalized", row.ID)
		}
	}
}

// sameCSR wants an order to have one CSR for good (rule 5). One that was given up and that the CA hands out again as `ready`
// is another row's, with a CSR of its own.
func (w *world) sameCSR(p *worker, row *ledger.Order, payload []byte) {
	number, _, _ := readCSR(csrIn(payload))
	key := csrMark(row)
	p.saw.csr = p.s.marks[key]
	if p.saw.csr != 0 && p.saw.csr != int64(number) && !p.s.lost[row.ID] {
		w.fail("I5", row.Lineage, "a second CSR is sent for order %d at %s, which may have got the first", row.ID, row.URL)
	}
	p.s.marks[key] = int64(number)
}

func csrMark(row *ledger.Order) string { return "CSR " + strconv.FormatInt(row.ID, 10) }

// patient wants a 429 to be obeyed by every newOrder whose intent came after it had got into the ledger (I6). A renewal does not
// count against the limit of new orders.
func (w *world) patient(p *worker, names []string) {
	row := p.s.intent(ledger.NameKey(names))
	if row == nil {
		return // which is a breach of its own
	}
	meant := int64(row.CreateSentAt.Add(-p.s.offset).Sub(start) / time.Microsecond)
	scopes := []string{ledger.NameKey(names)}
	if !w.ca.renews(scopes[0], w.time()) {
		scopes = append(scopes, "new-order")
	}
	for _, scope := range scopes {
		until := p.s.marks["429 "+scope]
		known := p.s.marks["429 known "+scope] <= meant
		if known && w.now < until-int64(slack/time.Microsecond) && !p.forced && p.s.jumpedAt.Before(w.time().Add(-8*day)) {
			w.fail("I6", p.lineage(), "newOrder for %s is sent %s before the CA wants another one", ledger.NameKey(names), time.Duration(until-w.now)*time.Microsecond)
		}
	}
}

// alone wants this process to have settled, or to have written down why not, what its ledger has open for one of the names
// before it orders them (rule 8). One that was ordered already is only looked for.
func (w *world) alone(p *worker, row *ledger.Order) {
	names := row.Names
	if row.CreateSends > 1 {
		return
	}
	p.saw.turn, p.saw.set = p.l, ledger.NameKey(names)
	for _, q := range w.order {
		if q.s == p.s && q.saw.set == p.saw.set && q.saw.turn == q.l && q.l != p.l {
			w.fail("rule 8", p.lineage(), "newOrder for %s is sent while %s is at work on an order for the same names", p.saw.set, q.name)
		}
	}
	for _, o := range p.s.book.Peek(ledger.OrderFilter{Unsettled: true}) {
		// By the world's clock: the row's own moments are of a host's that may be hours behind, by which what this run has
		// written down would look older than the run.
		made, written := p.s.saved(o)
		older := o.State == ledger.PendingState && written < p.born
		mine := o.Lineage == p.lineage() && (slices.Equal(o.Names, names) || !slices.Equal(names, p.l.names))
		if mine || !older || p.saw.asked[o.URL] || o.NotBefore.After(p.s.time()) || !p.s.jumpedAt.Before(moment(made)) {
			continue
		}
		if slices.ContainsFunc(o.Names, func(n string) bool { return slices.Contains(names, n) }) {
			w.fail("rule 8", p.lineage(), "newOrder for %s is sent, and order %d of %s for one of these names was not looked at", ledger.NameKey(names), o.ID, o.Lineage)
		}
	}
}

// note keeps when an order was first saved and when last, by the world's clock.
func (s *server) note(o *ledger.Order) {
	id := strconv.FormatInt(o.ID, 10)
	if _, known := s.marks["made "+id]; !known {
		s.marks["made "+id] = s.w.now
	}
	s.marks["written "+id] = s.w.now
}

// saved is what note has kept of an order.
func (s *server) saved(o *ledger.Order) (first, last int64) {
	id := strconv.FormatInt(o.ID, 10)
	return s.marks["made "+id], s.marks["written "+id]
}

// heard takes up an answer that reached a process.
func (w *world) heard(p *worker, kind string, id int, r reply) {
	w.vain(p, kind, id, r.status < 500)
	if bytes.HasPrefix(r.body, []byte("<html>")) && r.status/100 == 2 {
		return // it cannot be read
	}
	switch {
	case kind == "authorization" && r.status == 200:
		for _, o := range w.ca.authzs[id-1].orders { // all that there is to look at where nobody says where the order is
			put1(&p.saw.shown, finalizeURL(o))
		}
	case kind == "order" && r.status == 200:
		put1(&p.saw.shown, origin+"/order/"+strconv.Itoa(id))
		w.looked(p, id)
	case kind == "finalize" && (r.status == 503 || r.status == 400):
		w.notFinalized(p, id)
	case kind == "new-order" && r.order != nil:
		put1(&p.saw.shown, orderURL(r.order))
		put1(&p.saw.shown, finalizeURL(r.order))
		for _, kind := range []string{"order", "finalize", "certificate"} { // it may be another row's, which did not hear of it
			delete(p.saw.rests, origin+"/"+kind+"/"+strconv.Itoa(r.order.id))
		}
	}
	if r.retryAfter == "" || r.status < 400 {
		return
	}
	until := w.now + int64(w.patience(r)/time.Microsecond)
	switch {
	case r.denied != "":
		scope := r.set
		if r.denied == limit.NewOrdersPerAccount {
			scope = "new-order"
		}
		p.saw.told = append(p.saw.told, refusal429{scope, until})
	case kind == "order" && (w.ca.habits.has[noAddress] || len(p.workers) > 1) && len(p.s.book.Owners(origin+"/order/"+strconv.Itoa(id))) == 0:
		// One of the list, which may be the one that nobody told of. Of many orders each looks through it for its own.
	case kind == "order", kind == "finalize", kind == "certificate": // those that go together wait for one of them
		if p.saw.rests == nil {
			p.saw.rests = map[string]int64{}
		}
		p.saw.rests[origin+"/"+kind+"/"+strconv.Itoa(id)] = until
	}
}

// mostInVain is far more often than a run should make a request that fails each time (every network loop has a bound).
const mostInVain = 40

// vain counts requests that failed.
func (w *world) vain(p *worker, kind string, id int, ok bool) {
	if kind == "directory" || kind == "nonce" || kind == "new-order" || kind == probe { // each lineage of a run begins with these
		return
	}
	key := kind + " " + strconv.Itoa(id)
	if ok {
		delete(p.saw.vain, key)
		return
	}
	if p.saw.vain == nil {
		p.saw.vain = map[string]int{}
	}
	if p.saw.vain[key]++; p.saw.vain[key] == mostInVain {
		w.fail("liveness", p.lineage(), "%s was asked %d times by one run, each time in vain", key, mostInVain)
	}
}

// unsent is called when a request could not be sent.
func (w *world) unsent(p *worker, kind string, id int) {
	w.vain(p, kind, id, false)
	if kind == "finalize" {
		w.notFinalized(p, id)
	}
}

// notFinalized is called when a finalize certainly came to nothing.
func (w *world) notFinalized(p *worker, id int) {
	url := origin + "/order/" + strconv.Itoa(id)
	put1(&p.saw.shown, url)
	for _, row := range p.s.rows(w.ca.orders[id-1]) {
		if row.State.Live() {
			p.s.marks[csrMark(row)] = p.saw.csr
		}
	}
}

// mostLooks is far more often than a run should look at one order before it leaves it to a later one.
const mostLooks = 200

func (w *world) looked(p *worker, id int) {
	if p.saw.looks == nil {
		p.saw.looks = map[string]int{}
	}
	key := strconv.Itoa(id)
	if p.saw.looks[key]++; p.saw.looks[key] == mostLooks {
		w.fail("liveness", p.lineage(), "order %d was looked at %d times by one run", id, mostLooks)
	}
}

// written looks at what a commit must have had in it.
func (w *world) written(p *worker, c *ledger.Change) {
	for _, t := range p.saw.told {
		p.s.marks["429 "+t.scope], p.s.marks["429 known "+t.scope] = t.until, w.now
	}
	for _, name := range p.saw.paid {
		if w.ca.published && !w.sharedAccount(p.s) && p.s.jumpedAt.IsZero() {
			w.compare(p, w.ca.failures(p.s.account, name), name)
		}
	}
	p.saw.told, p.saw.paid = nil, nil
	for _, saved := range c.Orders {
		o := must(p.s.book.Order(background, saved.ID))
		p.s.note(o)
		w.punished(p, o)
		w.owned(p, o)
		if o.State == ledger.Phantom && w.ca.lists && !p.s.unlisted() {
			w.unlisted(p, o)
		}
	}
}

// unlisted reports whether the CA's list was of no use once, so that it is done without.
func (s *server) unlisted() bool {
	row := must(s.book.AccountByID(background, s.row.ID))
	return !row.UnlistedAt.IsZero() || s.w.ca.habits.veiled()
}

// owned wants an order at the CA to belong to one live row (I2).
func (w *world) owned(p *worker, o *ledger.Order) {
	for _, other := range p.s.book.Owners(o.URL) {
		if id := other.ID; o.URL != "" && o.State.Live() && id != o.ID && other.URL == o.URL && other.State.Live() {
			w.fail("I2", o.Lineage, "orders %d and %d of the ledger both own %s", o.ID, id, o.URL)
		}
	}
}

// punished wants a failure that the CA charged for to begin a back-off with the commit that tells of it (I3).
func (w *world) punished(p *worker, o *ledger.Order) {
	fell := slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool { return a.Status == ledger.AuthorizationInvalid })
	key := "fell " + strconv.FormatInt(o.ID, 10)
	if !fell || o.State != ledger.Invalid || o.Class != string(failure.Validation) || p.s.marks[key] > 0 {
		return
	}
	p.s.marks[key] = 1
	if s, _ := p.s.book.Standing(background, o.Lineage); s.Failures == 0 || s.NextAt.IsZero() {
		w.fail("I3", o.Lineage, "order %d failed its validation, and no back-off begins", o.ID)
	}
}

// unlisted wants no phantom to stand for what the CA's list shows (I4).
func (w *world) unlisted(p *worker, row *ledger.Order) {
	for _, o := range w.ca.sets[ledger.NameKey(row.Names)] {
		if o.account == p.s.account && o.open(w.time()) && len(w.holders(o)) == 0 && !o.made.Before(row.CreatedAt.Add(-time.Hour)) && !w.sharedAccount(p.s) {
			w.fail("I4", row.Lineage, "a phantom is recorded, and the CA's list shows %s", orderURL(o))
		}
	}
}

// lag is how much later than the ledger the CA may count what both count: a request takes time.
const lag = 2 * time.Minute

// charged notes a deactivation that the CA may charge for. While the challenge is being validated, or another order has the
// name, more may be charged than this process can know of.
func (w *world) charged(p *worker, z *caAuthz) {
	others := p.s.book.Peek(ledger.OrderFilter{Unsettled: true})
	others = slices.DeleteFunc(others, func(o *ledger.Order) bool { return !slices.Contains(o.Names, z.name) })
	if z.begun == 0 && len(others) == 1 {
		p.saw.paid = append(p.saw.paid, z.name)
	}
}

// reckoned wants the ledger, once a newOrder was answered, to believe no bucket to be fuller than it is at the CA (I6).
func (w *world) reckoned(p *worker, o *caOrder) {
	if !w.ca.published || w.sharedAccount(p.s) || !p.s.jumpedAt.IsZero() {
		return
	}
	w.compare(p, w.ca.newOrders(o.account), "")
	others := func(c *caOrder) bool { return c.chain != nil && c.set == o.set && c.sender != p.s }
	open := p.s.book.Peek(ledger.OrderFilter{Unsettled: true})
	underway := func(r *ledger.Order) bool {
		return r.State != ledger.Creating && ledger.NameKey(r.Names) == o.set
	}
	if !slices.ContainsFunc(w.ca.orders, others) && !slices.ContainsFunc(open, underway) {
		w.compare(p, w.ca.exactSet(o.set), o.set)
	}
	for _, name := range o.names {
		unseen := func(r *ledger.Order) bool { return slices.Contains(r.Names, name) && r.State != ledger.Creating }
		if !slices.ContainsFunc(open, unseen) {
			w.compare(p, w.ca.failures(o.account, name), name)
		}
	}
}

func (w *world) compare(p *worker, b bucket, key string) {
	truth := w.ca.buckets[b.Name+b.key]
	kept, _ := p.s.book.Buckets(background, p.s.row.ID)
	for _, k := range kept {
		if k.Name == b.Name && k.Key == key && k.TAT.After(truth.Add(-lag)) {
			return
		}
	}
	if truth.After(w.time().Add(lag)) {
		w.fail("I6", p.lineage(), "the ledger believes that more is left of %s %s than the CA does", b.Name, key)
	}
}

// mourn notes the lineages that were deleted, once a day.
func (w *world) mourn() {
	for _, l := range w.lineages {
		if key := "deleted " + l.name; l.deleted && l.s.marks[key] == 0 {
			l.s.marks[key] = w.now
		}
	}
}

// releasable reports whether an authorization may be deactivated: it is given up, and not known to be final (I11).
func releasable(o *ledger.Order, a *ledger.Authorization) bool { return o.Releasing && !a.Final() }

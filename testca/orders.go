package testca

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// wanted is the payload of a newOrder.
type wanted struct {
	Identifiers         []acme.Identifier
	Profile, Replaces   string
	NotBefore, NotAfter string
}

func (w wanted) names() []string {
	var names []string
	for _, identifier := range w.Identifiers {
		names = append(names, strings.ToLower(identifier.Value))
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// newOrder does what Boulder's front and registration authority do, in their order: `replaces`, limits, reuse, and only
// then an order of Pebble's.
func (c *CA) newOrder(r *request) *reply {
	account := c.pebble.account(r.kid)
	var want wanted
	if account == nil || json.Unmarshal(r.payload, &want) != nil {
		return c.pebble.serve(r.Request, r.body)
	}
	if p := c.objection(want, account.ID, r.now); p != nil {
		return c.refuse(r, p)
	}
	if p := rejectedSet(want); c.config.Strict && p != nil {
		return c.refuse(r, p)
	}
	spend := func() {
		if !c.insideWindow(want.Replaces, r.now) && !c.state.renewal(exactSet(want.names()), r.now) {
			c.state.buckets.spend(c.state.limits.newOrders(account.ID), r.now)
		}
	}
	if o := c.existing(want, account.ID, r); o != nil {
		return c.own(r, func(verified *reply) *reply {
			spend()
			verified.header.Set("Location", r.url(orderPath+o.ID))
			return verified.json(http.StatusCreated, c.display(r, o))
		})
	}
	if c.tooMany(want, account.ID, r.now) {
		return c.refuse(r, tooManyPending())
	}
	c.age(r.now, func(a *authorization) bool { return !c.config.AuthzReuse || a.profile != want.Profile })
	answer := c.pebble.serve(r.Request, r.body)
	c.age(r.now, nil)
	if answer.status != http.StatusCreated {
		return answer
	}
	spend()
	o := c.adopt(answer.header.Get("Location"), want, r.now)
	return answer.json(http.StatusCreated, c.display(r, o))
}

// objection is what a newOrder is refused for before reuse is considered.
func (c *CA) objection(want wanted, account string, now time.Time) *problem {
	if want.NotBefore != "" || want.NotAfter != "" {
		return problemf(http.StatusBadRequest, "malformed", "NotBefore and NotAfter are not supported")
	}
	if p := rejectedNames(want); c.config.Strict && p != nil {
		return p
	}
	if p := c.pausedFor(want.names(), account); p != nil {
		return p
	}
	if p := c.replacement(want, account, now); p != nil {
		return p
	}
	if c.insideWindow(want.Replaces, now) {
		return nil
	}
	set := exactSet(want.names())
	checked := []bucket{c.state.limits.exactSet(set)}
	if !c.state.renewal(set, now) {
		checked = append(checked, c.state.limits.newOrders(account))
		checked = append(checked, c.state.limits.domains(want.names())...)
	}
	for _, name := range want.names() {
		checked = append(checked, c.state.limits.failures(account, name))
	}
	return c.state.buckets.refusal(now, checked...)
}

// existing is the order that is handed back instead of a new one; nil if there is none or the CA does not reuse. Of several
// newOrders for one set that are under way at the same time each makes an order, as at Boulder.
func (c *CA) existing(want wanted, account string, r *request) *order {
	if !c.config.Reuse {
		return nil
	}
	return c.state.reusable(account, exactSet(want.names()), want.Profile, r.turn, r.now)
}

// tooMany is the retired limit: as long as it was alive, it stopped orders that would have added pending authorizations.
func (c *CA) tooMany(want wanted, account string, now time.Time) bool {
	limit := c.state.limits.PendingAuthorizations.Count
	if limit == 0 || c.state.pending(account, now) < limit {
		return false
	}
	return !c.config.AuthzReuse || slices.ContainsFunc(want.names(), func(name string) bool {
		return !c.state.valid(account, name, want.Profile, now)
	})
}

// adopt takes an order that Pebble has just made under the front's care.
func (c *CA) adopt(location string, want wanted, now time.Time) *order {
	_, id, _ := strings.Cut(location, orderPath)
	lifetimes := c.lifetimes(want.Profile)
	o := &order{Order: c.pebble.store.GetOrderByID(id), asked: want.Profile, created: now, expires: now.Add(lifetimes.Order)}
	o.set, o.made = exactSet(o.names()), c.turns.Add(1)
	if want.Profile == "" {
		o.Profile = defaultProfile // Pebble picks one at random
	}
	for _, object := range o.AuthorizationObjects {
		a := c.state.byAuthz[object.ID]
		if a == nil {
			a = &authorization{Authorization: object, account: o.AccountID, profile: want.Profile}
			a.setExpiry(now.Add(lifetimes.PendingAuthorization))
			c.state.authzs = append(c.state.authzs, a)
			c.state.byAuthz[a.ID] = a
		}
		o.authzs = append(o.authzs, a)
		if a.expires.Before(o.expires) {
			o.expires = a.expires
		}
	}
	o.ExpiresDate = time.Now().AddDate(100, 0, 0) // see age
	c.state.orders = append(c.state.orders, o)
	c.state.byOrder[o.ID] = o
	c.age(now, nil)
	return o
}

// setExpiry sets what the client is shown and what counts.
func (a *authorization) setExpiry(at time.Time) {
	a.expires = at.Truncate(time.Second)
	a.Expires = a.expires.UTC().Format(time.RFC3339)
}

// display is an order as the client sees it. As at Boulder, identifiers and authorizations are sorted each on its own: one
// says nothing about the other.
func (c *CA) display(r *request, o *order) acme.Order {
	status := o.status(r.now)
	shown := acme.Order{
		Status: status, Error: o.Error, Expires: o.expires.UTC().Format(time.RFC3339),
		Identifiers: slices.Clone(o.Identifiers), Profile: o.asked, Finalize: r.url(finalizePath + o.ID),
		Replaces: o.Replaces,
	}
	slices.SortFunc(shown.Identifiers, func(a, b acme.Identifier) int { return strings.Compare(a.Value, b.Value) })
	for _, a := range o.authzs {
		shown.Authorizations = append(shown.Authorizations, r.url(authzPath+a.ID))
	}
	slices.Sort(shown.Authorizations)
	if status == acme.StatusValid {
		shown.Certificate = r.url(certPath + o.serial)
	}
	return shown
}

// pollAfter puts the configured Retry-After on answers that a client will have to ask for again.
func (c *CA) pollAfter(answer *reply, wait bool) {
	answer.header.Del("Retry-After")
	if wait && c.config.PollRetryAfter != nil {
		answer.header.Set("Retry-After", strconv.Itoa(*c.config.PollRetryAfter))
	}
}

func gone(what string) *problem {
	return problemf(http.StatusNotFound, "malformed", "No such %s, or it has expired", what)
}

func (c *CA) showOrder(r *request) *reply {
	answer := c.pebble.serve(r.Request, r.body).documented()
	o := c.state.byOrder[r.id(orderPath)]
	if answer.status != http.StatusOK || o == nil {
		return answer
	}
	if o.expired(r.now) {
		return answer.refuse(gone("order"))
	}
	c.pollAfter(answer, o.status(r.now) == acme.StatusProcessing)
	return answer.json(http.StatusOK, c.display(r, o))
}

// finalize lets Pebble check the CSR and issue; Pebble refuses what is not ready with 403 orderNotReady.
func (c *CA) finalize(r *request) *reply {
	o := c.state.byOrder[r.id(finalizePath)]
	if o != nil && o.expired(r.now) {
		return c.refuse(r, gone("order"))
	}
	if o != nil {
		if p := c.rejectedCSR(r, o); c.config.Strict && p != nil && o.status(r.now) == acme.StatusReady {
			return c.refuse(r, p)
		}
		defer c.backdate(o)()
	}
	answer := c.pebble.serve(r.Request, r.body).documented()
	if answer.status != http.StatusOK || o == nil {
		return answer
	}
	certificate := c.pebble.issued(c.ctx, o.Order)
	if certificate == nil {
		return answer.refuse(spoil(o, "the certificate cannot be issued"))
	}
	c.record(o, certificate, r.now)
	shown := c.display(r, o)
	if c.config.AsyncFinalize {
		shown.Status, shown.Certificate = acme.StatusProcessing, ""
	}
	answer.header.Set("Location", r.url(orderPath+o.ID))
	c.pollAfter(answer, c.config.AsyncFinalize)
	return answer.json(http.StatusOK, shown)
}

// backdate lets Pebble issue with other dates than its own, until the function that it returns is called.
func (c *CA) backdate(o *order) (done func()) {
	now, end := time.Now(), time.Now().Add(c.lifetimes(o.asked).Certificate-time.Second)
	begin := now.Add(-c.config.Backdate)
	if c.config.Backdate == 0 && c.config.Boulder {
		begin, end = now.Add(-boulderBackdate), end.Add(-boulderBackdate)
	} else if c.config.Backdate == 0 {
		return func() {}
	}
	set := func(from, to string) {
		o.Lock()
		defer o.Unlock()
		o.NotBefore, o.NotAfter = from, to
	}
	set(begin.UTC().Format(time.RFC3339), end.UTC().Format(time.RFC3339))
	return func() { set("", "") }
}

// spoil makes an order invalid because of the CA itself, with Boulder's answer.
func spoil(o *order, why string) *problem {
	broken := problemf(http.StatusInternalServerError, "serverInternal", "Error finalizing order :: %s", why)
	broken.retryAfter = "60"
	o.Error = broken.details()
	return broken
}

// record notes an issuance and what it spends.
func (c *CA) record(o *order, certificate *core.Certificate, now time.Time) {
	o.serial = certificate.ID
	c.state.bySerial[o.serial] = o
	if !c.state.renewal(o.set, now) && !c.insideWindow(o.Replaces, now) {
		for _, domain := range c.state.limits.domains(o.names()) {
			c.state.buckets.spend(domain, now)
		}
	}
	c.state.issued[o.set] = now
	c.state.buckets.spend(c.state.limits.exactSet(o.set), now)
	if c.config.AsyncFinalize {
		o.shownAt = now.Add(c.config.FinalizeDelay)
	}
	if certificate.Cert.SerialNumber.BitLen()%8 != 0 {
		return
	}
	// DER puts a zero byte before such a serial, so `replaces` holds it, but Pebble looks for the serial without it.
	alias := &core.Order{AccountID: o.AccountID, CertificateObject: &core.Certificate{ID: "00" + certificate.ID}}
	alias.Identifiers = o.Identifiers
	if err := c.pebble.store.AddOrderByIssuedSerial(alias); err != nil {
		c.log.Printf("the serial %s cannot be replaced: %v", certificate.ID, err)
	}
}

// breakOrder is a finalize of a ready order that fails inside the CA, as at Boulder: 500, and the order is invalid.
func (c *CA) breakOrder(r *request) *reply {
	c.mu.Lock()
	defer c.mu.Unlock()
	r.now = c.now()
	o := c.state.byOrder[r.id(finalizePath)]
	if o == nil || o.status(r.now) != acme.StatusReady {
		return c.finalize(r)
	}
	return c.own(r, func(verified *reply) *reply { return verified.refuse(spoil(o, "the CA is broken")) })
}

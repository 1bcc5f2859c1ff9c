package sim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/ledger"
)

// How orders, authorizations and the list of orders are shown by a CA with habits.

// listed is the list of orders as it is shown.
func (h *habits) listed(account int, urls []string) reply {
	r := object(200, map[string]any{"orders": urls})
	switch {
	case h.has[bareList]:
		r = object(200, urls)
	case h.has[brokenList]:
		r = problem(500, "serverInternal", "the list is broken")
	case h.strikes(busyList, 2):
		r = problem(503, "serverInternal", "the list is busy")
		r.retryAfter = "1800"
	}
	if h.has[circularList] {
		r.next = origin + "/orders/" + strconv.Itoa(account)
	}
	return r
}

// named is a name of an order as it is shown.
func (h *habits) named(name string) string {
	switch {
	case h.has[dottedNames]:
		return name + "."
	case h.has[loudNames]:
		return strings.ToUpper(name)
	}
	return name
}

// strange are statuses that RFC 8555 does not know.
func strange() []string { return []string{"PENDING", "Ready", "unknown", "in progress"} }

// status is that of an order as it is shown to who looks.
func (h *habits) status(o *caOrder) string {
	status := o.status(h.w.time())
	if h.strikes(strangeWords, 4) {
		return strange()[h.dice.IntN(len(strange()))]
	}
	h.looks++
	switch {
	case h.has[twoMinds] && status == "ready":
		return []string{"ready", "pending"}[h.looks%2]
	case h.has[flicker] && status == "processing":
		return []string{"ready", "processing"}[h.looks%2]
	}
	return status
}

// born is newOrder's answer as it is shown.
func (h *habits) born(o *caOrder, r reply) reply {
	if h.has[oddBirths] && h.dice.one(2) {
		members := map[string]any{}
		must(0, json.Unmarshal(r.body, &members))
		members["status"] = []string{"ready", "processing", "valid", "invalid"}[h.dice.IntN(4)]
		r.body = must(json.Marshal(members))
	}
	if h.has[noAddress] {
		r.location = ""
	}
	if h.strikes(elsewhere, 6) && !h.w.ca.reuses { // nor this
		h.hinder(o, h.w.time().Add(backOff)) // one that may exist unseen is not followed by many
		r.status = http.StatusSeeOther
	}
	if h.strikes(stillbirths, 3) && !h.w.ca.reuses { // which Boulder was not seen to do
		o.spoiled = true
		h.hinder(o, h.w.time().Add(backOff))
		h.says(o, "is dead at birth")
		r.body = object(201, h.w.ca.show(o)).body
	}
	if h.strikes(forgetfulness, 4) {
		from := h.w.time().Add(h.dice.between(0, time.Hour))
		h.forgotten[o] = span{from, from.Add(h.dice.between(time.Hour, 5*day))}
		h.hinder(o, h.forgotten[o].to.Add(backOff))
	}
	return r
}

// justNow is for how long a CA of several machines does not show everywhere what was done at one of them.
const justNow = 6 * time.Second

// unknown reports whether an order is not shown for the moment.
func (h *habits) unknown(kind string, o *caOrder) bool {
	now := h.w.time()
	if kind == "order" && h.has[mirrors] && (now.Before(o.made.Add(justNow)) || now.Before(o.accepted.Add(justNow))) {
		return h.dice.one(2)
	}
	return h.forgotten[o].has(now) && !h.w.quiet
}

// veiled reports whether orders of the list are not always shown as they are.
func (h *habits) veiled() bool {
	return h.has[strangeWords] || h.has[forgetfulness] || h.has[mirrors] || h.has[confusion]
}

// longForgotten reports whether an order was not known for so long that it may be given up.
func (h *habits) longForgotten(o *caOrder) bool {
	s := h.forgotten[o]
	return s.to.Sub(s.from) > day/2
}

// another is the order that is shown in the place of the one that was asked for.
func (h *habits) another(p *worker, o *caOrder) *caOrder {
	if !h.has[confusion] || len(p.s.rows(o)) == 0 || // what nobody here knows is looked for by its names
		!h.dice.one(8) {
		return o
	}
	other := h.w.ca.orders[h.dice.IntN(len(h.w.ca.orders))]
	if share(other.names, o.names) { // nobody could tell them apart
		return o
	}
	return other
}

func share(some, others []string) bool {
	return slices.ContainsFunc(some, func(n string) bool { return slices.Contains(others, n) })
}

// hesitates reports whether an order that is ready is not yet to be finalized.
func (h *habits) hesitates(o *caOrder) bool {
	if !h.has[hesitation] {
		return false
	}
	now := h.w.time()
	first, asked := h.asked[o]
	if !asked {
		first, h.asked[o] = now, now
	}
	return now.Before(first.Add(5 * time.Second))
}

// objection is a refusal of a `replaces` that RFC 9773 does not know.
func (h *habits) objection() (reply, bool) {
	if !h.has[narrowMinded] {
		return reply{}, false
	}
	refusals := []reply{problem(409, "conflict", "a replacement exists"), problem(404, "malformed", "no such certificate"),
		problem(400, "malformed", "the field replaces is not known"), problem(403, "unauthorized", "not yours")}
	return refusals[h.dice.IntN(len(refusals))], true
}

// page is what stands before the CA, where it answers instead.
func (h *habits) page(kind string) (page reply, done, ok bool) {
	switch {
	case (kind == "new-order" || kind == probe) && h.has[pages] && h.spelled():
		return reply{status: 502, page: true, html: true, body: []byte("<html>")}, h.dice.one(2), true
	case kind == "challenge" && h.has[firewall] && h.spelled():
		return reply{status: 403, page: true, html: true, body: []byte("<html>")}, false, true
	}
	return reply{}, false, false
}

// reopens lets what was proven for an order be proven again, each authorization once.
func (h *habits) reopens(o *caOrder) {
	if s := o.status(h.w.time()); s != "ready" && s != "pending" {
		return
	}
	for _, z := range o.authzs {
		if z.status == "valid" && !z.reopened && h.strikes(reopening, 4) {
			z.status, z.reopened, z.begun, z.senders, z.last = "pending", true, 0, nil, nil
			if o.ends.Before(z.ends) {
				z.ends = o.ends
			}
			delete(h.w.ca.proven, zone(z.account, z.name))
			h.says(o, "asks for", z.name, "again")
		}
	}
}

// looked lets a run that looks at an authorization meet another token than the one before.
func (h *habits) looked(p *worker, z *caAuthz) {
	former := z.looker
	if !h.has[freshTokens] || z.status != "pending" || z.underway > 0 || former == p.process || former.lives() {
		return
	}
	if z.looker = p.process; former != nil {
		z.tokens++
		z.token = "token-" + strconv.Itoa(z.id) + "-" + strconv.Itoa(z.tokens)
	}
}

// authorization is an authorization as it is shown.
func (h *habits) authorization(members map[string]any) {
	if h.strikes(strangeWords, 6) {
		members["status"] = strange()[h.dice.IntN(len(strange()))]
	}
	if h.has[oddMembers] {
		members["expires"] = 12
	}
}

// form is by how many the URLs have changed.
func (h *habits) form() int {
	n := 0
	for _, s := range h.spells {
		if h.has[movingURLs] && !h.w.time().Before(s.from) {
			n++
		}
	}
	return n
}

// formed is a URL as the CA writes it now.
func (h *habits) formed(url string) string {
	if n := h.form(); n > 0 {
		return url + "/" + strconv.Itoa(n)
	}
	return url
}

// plain is a URL without what the CA adds to it now and then.
func plain(url string) string {
	parts := strings.SplitN(strings.TrimPrefix(url, origin+"/"), "/", 3)
	if len(parts) < 3 {
		return url
	}
	return origin + "/" + parts[0] + "/" + parts[1]
}

// former reports whether a URL is of another form than today's.
func (h *habits) former(kind, path string) bool {
	if kind != "authorization" && kind != "challenge" && kind != "finalize" {
		return false
	}
	url := origin + path
	return h.formed(plain(url)) != url
}

// rows are those of a ledger that an order belongs to: with its URL or, where nobody told it, with that of its finalize.
func (s *server) rows(o *caOrder) []*ledger.Order {
	rows := s.book.Owners(orderURL(o))
	if !s.w.ca.habits.has[noAddress] {
		return rows
	}
	for _, row := range s.book.Peek(ledger.OrderFilter{NameKey: o.set}) {
		if row.URL == "" && plain(row.Finalize) == finalizeURL(o) && !slices.Contains(rows, row) {
			rows = append(rows, row)
		}
	}
	return rows
}

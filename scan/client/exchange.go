package client

// Runs, and what each asked and was answered: the part that all clients have in common. State
// belongs to the URL and is kept by the Sink; here is only what a run knows of its own order, so
// that a challenge leads to its authorization.

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxURL bounds a URL; longer ones are nobody's.
const maxURL = 2048

// run is one run of a client, as far as its log was read.
type run struct {
	place        Place
	began, last  moment
	zone         zone
	server       string
	origin       string
	newOrder     string
	account      string
	nonces       [8]string
	nextNonce    int
	out          *request
	step         Step
	asked        int
	lineage      lineage
	marks        marks
	gotDirectory bool
	early        bool // 0.9 logged its level, and its version comes yet
}

// marks are what a run wrote about its end, the last of each kind.
type marks struct{ signal, abnormal, interrupt, whole, selecting bool }

// lineage is what a run knows of the order that it is at.
type lineage struct {
	challenges map[string]string // to authorizations
	authz      map[string]*authz
	orders     []*placed
	answered   bool
}

type authz struct {
	name    string
	expires time.Time
	ofOrder bool
}

// placed is an order that was answered.
type placed struct {
	url, finalize, certificate string
	names, authorizations      []string
}

// request is one that was sent and has no answer yet.
type request struct {
	method, url string
	place       Place
	at          moment
	names       []string // of a newOrder or new-authz
	empty       bool     // POST-as-GET, or no POST
	answers     bool     // what is sent is an answer to a challenge
	step        Step
	// status is the one of urllib3's line, 0 without one; odd says that one contradicts.
	status int
	odd    bool
}

// answer is what came back.
type answer struct {
	status              int
	location, up, nonce string
	date                time.Time
	whole               bool // the body is one JSON object, to its end
	json                bool // it begins as one
	said                *said
	at                  moment
	place               Place
}

// newRun begins one.
func newRun(place Place, at moment) *run {
	return &run{place: place, began: at, last: at}
}

// see tells the sink about one authorization.
func (r *run) see(sink Sink, s Sighting) {
	if !usable(s.URL) {
		return
	}
	if s.Kind != Final && r.origin != "" && originOf(s.URL) != r.origin {
		s.Kind, s.Reason = Odd, "it is at another origin than the directory"
	}
	if known := r.lineage.authz[s.URL]; known != nil {
		switch {
		case s.Expires.IsZero():
			s.Expires, s.OfOrder = known.expires, known.ofOrder
		case known.expires.IsZero() || known.ofOrder || !s.OfOrder:
			known.expires, known.ofOrder = s.Expires, s.OfOrder
		}
	}
	s.Account, s.Server, s.Run = r.account, r.server, r.place
	for _, o := range r.lineage.orders {
		if slices.Contains(o.authorizations, s.URL) && usable(o.url) {
			s.Order = o.url
		}
	}
	sink.See(s)
}

// send is a request of this run. The one before it has no answer, if it waits for one still.
func (r *run) send(sink Sink, q *request) {
	r.drop(sink)
	r.asked++
	r.marks = marks{}
	q.step = r.stepOf(q)
	if q.step == Directory && q.method == "GET" && q.url == r.server {
		r.lineage = lineage{} // each lineage of a round is a client of its own
	}
	if q.step == NewOrder && r.newOrder != "" && len(r.lineage.orders) > 0 {
		r.lineage = lineage{}
	}
	if q.step == Challenge {
		r.lineage.answered = true
	}
	r.step = q.step
	r.out = q
}

// drop says what a request without an answer leaves behind.
func (r *run) drop(sink Sink) {
	q := r.out
	r.out = nil
	if q == nil {
		return
	}
	switch {
	case q.step == NewOrder && len(q.names) > 0:
		sink.Lose(Lost{Names: q.names, Account: r.account, Server: r.server,
			At: q.at.in(r.zone), Place: q.place, Run: r.place})
	case q.step == Challenge && !q.empty:
		if a, known := r.lineage.challenges[q.url]; known {
			r.see(sink, Sighting{Kind: q.unread(), URL: a, Name: r.nameOf(a), At: q.at.in(r.zone),
				Place: q.place})
		}
	}
}

// unread is what is known of a challenge's answer that the log lacks: urllib3 may have told its
// status before the run was killed.
func (q *request) unread() Kind {
	switch {
	case q.odd || q.status == 0:
		return Unanswered
	case q.status < 300:
		return Final
	case q.status >= 400:
		return Refused
	}
	return Unanswered
}

// stepOf says what is asked for. Paths mean nothing: only what the CA named does.
func (r *run) stepOf(q *request) Step {
	l := &r.lineage
	if _, known := l.authz[q.url]; known {
		if l.answered {
			return Poll
		}
		return Authorization
	}
	if _, known := l.challenges[q.url]; known {
		return Challenge
	}
	for _, o := range l.orders {
		switch q.url {
		case o.url:
			return Order
		case o.finalize:
			return Finalize
		case o.certificate:
			return Certificate
		}
	}
	switch {
	case q.method == "POST" && (q.url == r.newOrder || len(q.names) > 0):
		return NewOrder
	case q.answers:
		return Challenge
	case r.step == "" || !r.gotDirectory:
		return Directory
	}
	return r.step
}

// take is the answer to this run's request.
func (r *run) take(sink Sink, a *answer) {
	q := r.out
	r.out = nil
	if a.nonce != "" {
		r.nonces[r.nextNonce%len(r.nonces)] = sameNonce(a.nonce)
		r.nextNonce++
	}
	r.zone.learn(a.at, a.date)
	if q.odd {
		r.outOfPair(sink, a, "request and answer in the log contradict each other")
		if q.step == Challenge && !q.empty {
			r.out = q
			r.drop(sink)
		}
		return
	}
	s := a.said
	switch {
	case a.status >= 400:
		r.refused(sink, q, a)
	case a.json && !a.whole:
		r.torn(sink, q, a)
	case q.method == "GET" && (s.newOrder != "" || s.newAuthz != ""):
		r.server, r.origin, r.gotDirectory = q.url, originOf(q.url), true
		r.newOrder = s.newOrder + s.newAuthz
	case s.hasAuthorizations:
		r.order(sink, q, a)
	case s.hasChallenges:
		r.authorization(sink, q, a)
	case q.step == Challenge && !q.empty:
		r.challenge(sink, q, a)
	case q.step == NewOrder && len(q.names) > 0:
		r.out = q
		r.drop(sink) // a 2xx that names no order: what the CA made is not known
	case q.step == Certificate || q.step == Finalize:
		r.issued(sink, q, a)
	}
}

// when is the moment of an answer: the CA's own date, where it was written down.
func (a *answer) when(z zone) time.Time {
	if !a.date.IsZero() {
		return a.date
	}
	return a.at.in(z)
}

func (r *run) refused(sink Sink, q *request, a *answer) {
	if q.step != Challenge || q.empty {
		return
	}
	if authz, known := r.lineage.challenges[q.url]; known {
		r.see(sink, Sighting{Kind: Refused, URL: authz, Name: r.nameOf(authz), At: a.when(r.zone),
			Place: q.place})
	}
}

// torn: what stands in an answer up to where it was cut is worth looking at, and no more.
func (r *run) torn(sink Sink, q *request, a *answer) {
	const reason = "its answer in the log is torn"
	if a.said.hasAuthorizations || q.step == NewOrder {
		if len(a.said.authorizations) == 0 || !a.said.hasAuthorizations {
			r.out = q
			r.drop(sink)
			return
		}
		names := q.names
		if len(names) == 0 {
			names = a.said.names
		}
		for _, u := range a.said.authorizations {
			r.see(sink, Sighting{Kind: Odd, URL: u, Name: strings.Join(names, ","), Reason: reason,
				Expires: expiry(a.said.expires), OfOrder: true, At: a.when(r.zone), Place: a.place})
		}
		return
	}
	u, known := r.lineage.challenges[q.url]
	if !known {
		u = q.url
		_, known = r.lineage.authz[u]
	}
	if known {
		r.see(sink, Sighting{Kind: Odd, URL: u, Name: r.nameOf(u), Reason: reason,
			At: a.when(r.zone), Place: a.place})
	}
}

// outOfPair keeps what an answer names where nobody can tell whose answer it is.
func (r *run) outOfPair(sink Sink, a *answer, reason string) {
	s := a.said
	for _, u := range s.authorizations {
		if !s.hasAuthorizations {
			break
		}
		r.see(sink, Sighting{Kind: Odd, URL: u, Name: strings.Join(s.names, ","), Reason: reason,
			Expires: expiry(s.expires), OfOrder: true, At: a.when(r.zone), Place: a.place})
	}
	if s.hasChallenges && a.location != "" {
		r.see(sink, Sighting{Kind: Odd, URL: a.location, Name: s.identifier(), Reason: reason,
			Expires: expiry(s.expires), At: a.when(r.zone), Place: a.place})
	}
}

// order is what the CA said of an order.
func (r *run) order(sink Sink, q *request, a *answer) {
	s := a.said
	u := a.location
	if u == "" && q.step != NewOrder {
		u = q.url
	}
	var o *placed
	for _, known := range r.lineage.orders {
		if known.url == u || known.finalize == s.finalize && s.finalize != "" {
			o = known
		}
	}
	if o == nil {
		o = &placed{url: u}
		r.lineage.orders = append(r.lineage.orders, o)
	}
	o.finalize = s.finalize
	if s.certificate != "" {
		o.certificate = s.certificate
	}
	o.names = slices.Clone(s.names)
	o.authorizations = slices.Clone(s.authorizations)
	if r.lineage.authz == nil {
		r.lineage.authz = map[string]*authz{}
	}
	for _, u := range o.authorizations {
		known := r.lineage.authz[u]
		if known == nil {
			known = &authz{}
			if len(o.authorizations) == 1 && len(o.names) == 1 {
				known.name = o.names[0]
			}
			r.lineage.authz[u] = known
		}
		say := Sighting{Kind: Named, URL: u, Name: r.nameOf(u), Expires: expiry(s.expires),
			OfOrder: true, At: a.when(r.zone), Place: a.place}
		switch s.status {
		case "ready", "processing", "valid":
			say.Kind = Final
		case "invalid":
			if slices.Contains(s.failedNames, strings.TrimPrefix(known.name, "*.")) {
				say.Kind = Final
			}
		}
		r.see(sink, say)
	}
	r.oneLeft(sink, o, a)
}

// nameOf is an authorization's name, or all that it may be.
func (r *run) nameOf(u string) string {
	if a := r.lineage.authz[u]; a != nil && a.name != "" {
		return a.name
	}
	var left []string
	for _, o := range r.lineage.orders {
		if slices.Contains(o.authorizations, u) {
			for _, name := range o.names {
				if !r.shown(o, name) {
					left = append(left, name)
				}
			}
		}
	}
	return strings.Join(left, ",")
}

// shown says whether another authorization of the order is the name's.
func (r *run) shown(o *placed, name string) bool {
	for _, u := range o.authorizations {
		if a := r.lineage.authz[u]; a != nil && a.name == name {
			return true
		}
	}
	return false
}

// oneLeft tells the name of the only authorization that has none yet.
func (r *run) oneLeft(sink Sink, o *placed, a *answer) {
	var left string
	for _, u := range o.authorizations {
		if known := r.lineage.authz[u]; known == nil || known.name == "" {
			if left != "" {
				return
			}
			left = u
		}
	}
	if left == "" || len(o.names) != len(o.authorizations) {
		return
	}
	name := r.nameOf(left)
	if name == "" || strings.Contains(name, ",") {
		return
	}
	r.lineage.authz[left].name = name
	r.see(sink, Sighting{Kind: Named, URL: left, Name: name,
		At: a.when(r.zone), Place: a.place})
}

// authorization is what the CA said of one.
func (r *run) authorization(sink Sink, q *request, a *answer) {
	s, u := a.said, q.url
	if q.step == NewOrder || a.status == 201 && a.location != "" {
		u = a.location // ACMEv1
	}
	if !usable(u) {
		return
	}
	for _, c := range s.challenges {
		if other, known := r.lineage.challenges[c]; known && other != u {
			for _, one := range []string{u, other} {
				r.see(sink, Sighting{Kind: Odd, URL: one, Name: s.identifier(),
					Reason:  "two authorizations have the same challenge",
					Expires: expiry(s.expires), At: a.when(r.zone), Place: a.place})
			}
			return
		}
	}
	if r.lineage.challenges == nil {
		r.lineage.challenges = map[string]string{}
	}
	if r.lineage.authz == nil {
		r.lineage.authz = map[string]*authz{}
	}
	for _, c := range s.challenges {
		r.lineage.challenges[c] = u
	}
	r.lineage.authz[u] = &authz{name: s.identifier()}
	say := Sighting{Kind: Pending, URL: u, Name: s.identifier(), Expires: expiry(s.expires),
		At: a.when(r.zone), Place: a.place}
	switch s.status {
	case "pending":
	case "":
		say.Kind, say.Reason = Odd, "its answer in the log has no status"
	default:
		say.Kind, say.Shown = Final, true
	}
	r.see(sink, say)
	for _, o := range r.lineage.orders {
		if slices.Contains(o.authorizations, u) {
			r.oneLeft(sink, o, a)
		}
	}
}

// challenge: the CA took the answer, and will make the authorization valid or invalid.
func (r *run) challenge(sink Sink, q *request, a *answer) {
	u := r.lineage.challenges[q.url]
	if u == "" {
		u = a.up
	} else if a.up != "" && a.up != u {
		for _, one := range []string{u, a.up} {
			r.see(sink, Sighting{Kind: Odd, URL: one, Name: r.nameOf(one),
				Reason: "the log names two authorizations for one challenge",
				At:     a.when(r.zone), Place: a.place})
		}
		return
	}
	if u != "" {
		r.see(sink, Sighting{Kind: Final, URL: u, Name: r.nameOf(u), At: a.when(r.zone),
			Place: a.place})
	}
}

// issued: a certificate proves every name of its order.
func (r *run) issued(sink Sink, q *request, a *answer) {
	for _, o := range r.lineage.orders {
		if q.url != o.certificate && q.url != o.finalize {
			continue
		}
		for _, u := range o.authorizations {
			r.see(sink, Sighting{Kind: Final, URL: u, Name: r.nameOf(u), At: a.when(r.zone),
				Place: a.place})
		}
	}
}

// end is the run's end.
func (r *run) end(sink Sink) {
	r.drop(sink)
	fate := Whole
	switch {
	case r.marks.signal || r.marks.interrupt:
		fate = Signaled
	case r.marks.abnormal:
		fate = Failed
	case r.marks.whole:
	case r.asked > 0 || r.marks.selecting:
		fate = Killed
	}
	sink.End(Run{Began: r.began.in(r.zone), Ended: r.last.in(r.zone), Fate: fate, Step: r.step,
		Place: r.place})
}

func (r *run) hasNonce(nonce string) bool {
	return nonce != "" && slices.Contains(r.nonces[:], sameNonce(nonce))
}

// sameNonce is a nonce without its last letter: certbot decodes nonces and encodes them again, and
// what the last letter holds beyond whole bytes is lost.
func sameNonce(nonce string) string {
	nonce = strings.TrimRight(nonce, "=")
	if nonce == "" {
		return ""
	}
	return nonce[:len(nonce)-1]
}

// identifier is the name of an authorization, a wildcard's with its star.
func (s *said) identifier() string {
	if s.wildcard && !strings.HasPrefix(s.name, "*.") {
		return "*." + s.name
	}
	return s.name
}

func expiry(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// usable says whether a URL of a log is one that could be followed.
func usable(u string) bool {
	if len(u) > maxURL || !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		return false
	}
	for i := range len(u) {
		if u[i] <= ' ' || u[i] > '~' || u[i] == '"' || u[i] == '\\' || u[i] == '<' || u[i] == '>' {
			return false
		}
	}
	return originOf(u) != ""
}

// originOf is scheme, host and port of a URL; nothing for one with a user or without a host.
func originOf(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return ""
	}
	host := rest
	if i := strings.IndexAny(rest, "/?#\\"); i >= 0 {
		host = rest[:i]
	}
	if host == "" || strings.ContainsAny(host, "@ ") {
		return ""
	}
	return strings.ToLower(scheme + "://" + host)
}

// pathOf is what a request line shows of a URL.
func pathOf(u string) string {
	parsed, err := url.Parse(u)
	if err != nil {
		return ""
	}
	return parsed.RequestURI()
}

package client

// A run, and the order that it is at: the part that all clients have in common. State belongs to
// the URL and is kept by the Sink; here is only what a run knows of its own order, so that a
// challenge leads to its authorization.

import (
	"slices"
	"time"
)

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
	mark         uint32     // of the first nonce that the run was given
	held         []Sighting // what the last exchange shows final
	overtaken    bool       // another run began before the last answer
	lastAnswered string     // the URL of the last challenge that was answered
	step         Step
	asked        int
	lineage      lineage
	marks        marks
	gotDirectory bool
	asksByPost   bool // its client asks for objects by POST, and never by GET
	early        bool // 0.9 logged its level, and its version comes yet
	v1           bool // its CA speaks ACMEv1, which asks for each name by itself
	client       string
	attempt      attempt
	failed       map[string]bool // names and files that were told to have failed
}

// lineage is what a run knows of the order that it is at.
type lineage struct {
	challenges map[string]string // to authorizations
	authz      map[string]*authz
	orders     []*placed
	answered   bool
}

type authz struct {
	name     string
	expires  time.Time
	ofOrder  bool
	pending  bool // the CA showed it, or its order, pending in this run
	answered bool // and this run answered one of its challenges
}

// placed is an order that was answered.
type placed struct {
	url, finalize, certificate string
	names, authorizations      []string
}

// newRun begins one.
func newRun(place Place, at moment, client string) *run {
	return &run{place: place, began: at, last: at, client: client}
}

// see tells the sink about one authorization.
func (r *run) see(sink Sink, s Sighting) {
	if !usable(s.URL) || r.isOther(s.URL) {
		return
	}
	if s.Kind != Final && r.origin != "" && originOf(s.URL) != r.origin {
		if s.Kind == Partial {
			return // what it names is told for itself
		}
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
	if s.Kind == Final && r.client == "certbot" {
		r.held = append(r.held, s)
		return
	}
	sink.See(s)
}

// confirm tells what the last exchange shows final, now that its run goes on or ended. Where another
// run began before the answer, only a request that this run signed says that it did go on.
func (r *run) confirm(sink Sink, next *request) {
	switch {
	case next != nil && next.quoted:
		r.release(sink, contradictory)
	case r.overtaken && (next == nil || next.method != "POST"):
		r.release(sink, "another run began before the answer that shows it final")
	default:
		r.release(sink, "")
	}
}

// release tells what waited for confirm. A second answer before the next request says that one of the
// two is quoted: then reason says that neither proves anything.
func (r *run) release(sink Sink, reason string) {
	for _, s := range r.held {
		if reason != "" {
			s.Kind, s.Shown, s.Reason = Odd, false, reason
		}
		sink.See(s)
	}
	r.held = r.held[:0]
}

// isOther says whether a URL is known to be something else: an account that was taken for an
// authorization could be given up as one.
func (r *run) isOther(u string) bool {
	if _, challenge := r.lineage.challenges[u]; challenge || u == r.account || u == r.newOrder ||
		u == r.server {
		return true
	}
	return slices.ContainsFunc(r.lineage.orders, func(o *placed) bool {
		return u == o.url || u == o.finalize || u == o.certificate
	})
}

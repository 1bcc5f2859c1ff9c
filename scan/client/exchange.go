package client

// What a run asked and was answered. The steps are told by what the CA named before and never by
// how a URL looks; a request without an answer leaves behind what it may have done.

import (
	"hash/crc32"
	"slices"
	"strings"
)

// send is a request of this run. The one before it has no answer, if it waits for one still.
func (r *run) send(sink Sink, q *request) {
	r.drop(sink)
	r.confirm(sink, q)
	r.asked++
	r.marks = marks{}
	q.step = r.stepOf(q)
	if q.step == Directory && q.method == "GET" && q.url == r.server {
		r.lineage = lineage{}
	}
	if q.step == NewOrder && r.newOrder != "" && len(r.lineage.orders) > 0 {
		r.lineage = lineage{}
	}
	if q.step == NewOrder && len(q.names) > 0 {
		r.orders(sink, q.names, q.url)
	}
	r.attempt.asked = true
	if q.step == Challenge {
		r.lineage.answered, r.lastAnswered = true, q.url
		if a := r.lineage.authz[r.lineage.challenges[q.url]]; a != nil && !q.quoted && !q.empty {
			a.answered = true
		}
	}
	r.asksByPost = r.asksByPost || q.asGet && !q.quoted
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
	case q.odd != "" || q.quoted || q.status == 0:
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
	if q.method == "GET" && q.url == r.server {
		return Directory // each lineage of a round is a client of its own
	}
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
	case q.csr:
		return Finalize // ACMEv1's new-cert, and where the order was not seen
	case r.step == "" || !r.gotDirectory:
		return Directory
	}
	return r.step
}

// take is the answer to this run's request.
func (r *run) take(sink Sink, a *answer) {
	q := r.out
	r.out = nil
	r.overtaken = q.overtaken
	if q.method == "POST" && q.nonced && a.nonce == "" {
		q.quoted = true // every answer to a POST has a nonce
	}
	if a.nonce != "" && !q.overtaken {
		if r.mark == 0 {
			r.mark = crc32.ChecksumIEEE([]byte(a.nonce))
		}
		r.nonces[r.nextNonce%len(r.nonces)] = sameNonce(a.nonce)
		r.nextNonce++
	}
	r.zone.learn(a.at, a.date)
	if q.step == Challenge && (a.said.hasChallenges || a.said.hasAuthorizations) ||
		slices.Contains(a.said.challenges, q.url) {
		q.odd = contradictory // a challenge is neither an authorization nor an order
	}
	if q.odd != "" {
		r.outOfPair(sink, a, q.odd)
		r.doubt(sink, q, a)
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
		r.denied(q, a)
	case a.json && !a.whole:
		r.torn(sink, q, a)
	case q.method == "GET" && (s.newOrder != "" || s.newAuthz != ""):
		r.server, r.origin, r.gotDirectory = q.url, originOf(q.url), true
		r.newOrder, r.v1 = s.newOrder+s.newAuthz, s.newOrder == ""
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

func (r *run) refused(sink Sink, q *request, a *answer) {
	if q.step != Challenge || q.empty {
		return
	}
	if authz, known := r.lineage.challenges[q.url]; known {
		r.see(sink, Sighting{Kind: Refused, URL: authz, Name: r.nameOf(authz), At: a.when(r.zone),
			Place: q.place})
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
		r.see(sink, r.proven(q, Sighting{Kind: Final, URL: u, Name: r.nameOf(u),
			At: a.when(r.zone), Place: a.place}))
	}
	if s := a.said; s.status == "invalid" && s.token != "" {
		if name := r.nameOf(u); !strings.Contains(name, ",") {
			r.invalid(name, s.errorKind, s.errorDetail, a)
		}
	}
}

// issued: a certificate proves every name of its order.
func (r *run) issued(sink Sink, q *request, a *answer) {
	for _, o := range r.lineage.orders {
		if q.url != o.certificate && q.url != o.finalize {
			continue
		}
		if q.url == o.certificate {
			r.gets()
		}
		for _, u := range o.authorizations {
			r.see(sink, r.proven(q, Sighting{Kind: Final, URL: u, Name: r.nameOf(u),
				At: a.when(r.zone), Place: a.place}))
		}
	}
}

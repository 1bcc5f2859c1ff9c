package client

// Orders and authorizations as the CA shows them, and which name belongs to which authorization:
// an order names them in two lists that need not have the same order.

import (
	"slices"
	"strings"
)

// order is what the CA said of an order.
func (r *run) order(sink Sink, q *request, a *answer) {
	s := a.said
	o := r.placed(q, a)
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
		name := ""
		if known != nil {
			name = known.name
		} else if len(o.authorizations) == 1 && len(o.names) == 1 {
			name = o.names[0]
		}
		say := r.proven(q, Sighting{Kind: s.kindWithin(name), URL: u, Expires: expiry(s.expires),
			OfOrder: true, At: a.when(r.zone), Place: a.place})
		if known == nil {
			known = &authz{name: name}
			r.lineage.authz[u] = known
		}
		known.pending = known.pending || s.status == "pending"
		say.Name = r.nameOf(u)
		r.see(sink, say)
	}
	if s.status == "invalid" && s.errorDetail != "" && r.attempt.problem.Text == "" {
		r.attempt.problem = Failure{Text: bounded(s.errorKind + " :: " + s.errorDetail),
			Names: slices.Clone(s.failedNames), At: a.when(r.zone), Place: a.place}
	}
	r.oneLeft(sink, o, a)
}

// placed is the order that an answer is about: the one that is known by its URL or by where it is
// finalized, or a new one.
func (r *run) placed(q *request, a *answer) *placed {
	u := a.location
	if u == "" && q.step != NewOrder {
		u = q.url
	}
	var o *placed
	for _, known := range r.lineage.orders {
		if known.url == u || known.finalize == a.said.finalize && a.said.finalize != "" {
			o = known
		}
	}
	if o == nil {
		o = &placed{url: u}
		r.lineage.orders = append(r.lineage.orders, o)
	}
	return o
}

// kindWithin is what an order's state says of the authorization of a name within it.
func (s *said) kindWithin(name string) Kind {
	switch s.status {
	case "ready", "processing", "valid":
		return Final
	case "invalid":
		if slices.Contains(s.failedNames, strings.TrimPrefix(name, "*.")) {
			return Final
		}
	}
	return Named
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
	if !usable(u) || r.shareChallenge(sink, u, a) {
		return
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
	say := Sighting{Kind: Pending, URL: u, Name: s.identifier(), Expires: expiry(s.expires),
		At: a.when(r.zone), Place: a.place}
	switch s.status {
	case "pending":
	case "":
		say.Kind, say.Reason = Odd, "its answer in the log has no status"
	default:
		say.Kind, say.Shown = Final, true
	}
	say = r.proven(q, say)
	known := &authz{name: s.identifier(), pending: say.Kind == Pending}
	if before := r.lineage.authz[u]; before != nil {
		known.answered, known.pending = before.answered, known.pending || before.pending
	}
	r.lineage.authz[u] = known
	if s.status == "invalid" {
		r.invalid(s.identifier(), s.errorKind, s.errorDetail, a)
	}
	r.see(sink, say)
	for _, o := range r.lineage.orders {
		if slices.Contains(o.authorizations, u) {
			r.oneLeft(sink, o, a)
		}
	}
}

// shareChallenge says whether a challenge of this authorization is known as another one's, which
// makes both doubtful.
func (r *run) shareChallenge(sink Sink, u string, a *answer) bool {
	for _, c := range a.said.challenges {
		other, known := r.lineage.challenges[c]
		if !known || other == u {
			continue
		}
		for _, one := range []string{u, other} {
			r.see(sink, Sighting{Kind: Odd, URL: one, Name: a.said.identifier(),
				Reason:  "two authorizations have the same challenge",
				Expires: expiry(a.said.expires), At: a.when(r.zone), Place: a.place})
		}
		return true
	}
	return false
}

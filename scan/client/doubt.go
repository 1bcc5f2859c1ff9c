package client

// Answers that prove nothing, because they are torn or nobody can tell whose they are. What they
// name is worth looking at, and must close nothing.

import "strings"

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
	// Where records run into each other, the URL may be the challenge's that was answered before.
	if s.hasChallenges && a.location != "" && a.location != r.lastAnswered {
		r.see(sink, Sighting{Kind: Odd, URL: a.location, Name: s.identifier(), Reason: reason,
			Expires: expiry(s.expires), At: a.when(r.zone), Place: a.place})
	}
}

// doubt keeps in mind the authorization that a request was about, where its answer proves nothing.
func (r *run) doubt(sink Sink, q *request, a *answer) {
	if r.lineage.authz[q.url] != nil {
		r.see(sink, Sighting{Kind: Odd, URL: q.url, Name: r.nameOf(q.url), Reason: q.odd,
			At: a.when(r.zone), Place: a.place})
	}
}

// proven is a sighting as far as its exchange proves it, where another may have written it into the
// log: it shows nothing final, and changes no end.
func (r *run) proven(q *request, s Sighting) Sighting {
	if !q.quoted && (q.method != "GET" || !q.nonced) {
		return s
	}
	s.Weak = true
	// A GET is signed by nobody: it proves nothing of what this run saw pending and did not answer,
	// or never met, nor where its client asks by POST.
	known := r.lineage.authz[s.URL]
	if !q.quoted && !r.asksByPost && known != nil && (!known.pending || known.answered) {
		return s
	}
	if s.Kind == Final {
		s.Kind, s.Shown, s.Reason = Odd, false, "what shows it final may be quoted by the log"
	}
	return s
}

package sim

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"time"

	"orderly/ledger"
)

// A lineage is stuck when so many undisturbed runs over so long a time have not brought it its certificate.
const (
	patience   = 3 * day
	fruitless  = 5
	longestRun = day
	// obedience is rule 10's two seconds, and what the end's own commit takes.
	obedience = 2200 * time.Millisecond
)

// watch looks once a day at what must not last.
func (w *world) watch() {
	for _, p := range w.order {
		if age := time.Duration(w.now-p.born) * time.Microsecond; age > longestRun {
			w.fail("liveness", p.lineage(), "the run %s has not ended for %s", p.name, age)
		}
	}
	for _, l := range w.lineages {
		w.served(l)
	}
	w.accounted()
	w.mourn()
}

// settling is how long after newOrder the run that sent it may still be about to write the answer down.
const settling = time.Hour

// accounted wants every open order to be in a ledger of its account, or a phantom or an unanswered newOrder to stand for it,
// and every pending authorization to be among what a ledger shows as pending (I4).
func (w *world) accounted() {
	now, shown := w.time(), w.shown()
	for i := len(w.ca.orders) - 1; i >= 0 && w.ca.orders[i].made.After(now.Add(-orderLife)); i-- {
		o := w.ca.orders[i]
		if o.made.Before(now.Add(-settling)) && o.status(now) == "pending" && o.ends.After(now) && len(w.holders(o)) == 0 && !w.suspected(o) {
			w.fail("I4", o.lineage, "no ledger knows of %s, which is pending since %s", orderURL(o), o.made.Format(time.DateTime))
		}
		for _, z := range o.authzs {
			if o.made.Before(now.Add(-settling)) && z.status == "pending" && z.ends.After(now) && shown[authzURL(z)] == 0 && shown[o.set] == 0 && !w.suspected(o) && !w.unseen(z) && !w.outliving(z, o) {
				w.fail("I4", o.lineage, "%s of %s is pending, and no ledger shows it among what is", authzURL(z), orderURL(o))
			}
		}
	}
}

// shown is what the ledgers show as pending: authorizations by their URLs, and orders of which none is known by their names.
func (w *world) shown() map[string]int {
	all := map[string]int{}
	for _, s := range w.servers {
		for _, one := range must(s.book.Pending(background, w.time())) {
			if one.URL == "" {
				all[ledger.NameKey(one.Names)]++
			} else {
				all[plain(one.URL)]++
			}
		}
	}
	return all
}

// outliving reports whether an authorization outlives its order, and no run has looked at it since that is over: a ledger that
// never saw the authorization takes the order's end for its (docs/defects.md, known and open).
func (w *world) outliving(z *caAuthz, o *caOrder) bool {
	return !o.ends.After(w.time()) && slices.ContainsFunc(w.holders(o), func(s *server) bool {
		return slices.ContainsFunc(s.rows(o), func(row *ledger.Order) bool {
			return row.SettledAt.IsZero() && slices.ContainsFunc(row.Authorizations, func(a *ledger.Authorization) bool {
				return plain(a.URL) == authzURL(z) && a.Expires.IsZero()
			})
		})
	})
}

// unseen reports whether an authorization that was valid is asked for again, and nobody could see that, or a run that goes on
// with its order is yet to learn of it.
func (w *world) unseen(z *caAuthz) bool {
	if z.reopened && !z.reseen {
		return true
	}
	return (z.reopened || w.ca.habits.has[oddBirths]) && slices.ContainsFunc(z.orders, func(o *caOrder) bool {
		return slices.ContainsFunc(w.holders(o), func(s *server) bool {
			return slices.ContainsFunc(s.rows(o), func(row *ledger.Order) bool { return row.State.Live() && row.SettledAt.IsZero() })
		})
	})
}

// suspected reports whether a ledger knows that an order may exist.
func (w *world) suspected(o *caOrder) bool {
	for _, s := range w.servers {
		for _, row := range s.book.Peek(ledger.OrderFilter{}) {
			unanswered := row.State == ledger.Creating && !row.CreateSentAt.IsZero()
			ghost := row.State == ledger.Phantom && s.lasts(row, o.ends)
			if s.account == o.account && ledger.NameKey(row.Names) == o.set && (unanswered || ghost) {
				return true
			}
		}
	}
	return false
}

// resent notes that a lineage waits whose newOrder was meant more than once: no more than one a day is sent while others have no
// answer, also where its run died before it was sent.
func (w *world) resent(l *lineage) {
	for _, o := range l.s.book.Peek(ledger.OrderFilter{Live: true, Lineage: l.name}) {
		meant := o.CreateSentAt.Add(2*day - l.s.offset)
		if o.State == ledger.Creating && o.CreateSends > 1 && !o.CreateSentAt.IsZero() && l.trouble.Before(meant) {
			l.trouble = meant
		}
	}
}

// served wants a healthy lineage to have a certificate.
func (w *world) served(l *lineage) {
	w.resent(l)
	if l.deleted || l.born.IsZero() || l.attempts < fruitless || l.trouble.After(w.time().Add(-patience)) || w.ca.away.After(w.time()) || w.ca.habits.spelled() {
		return
	}
	if slices.ContainsFunc(l.names, func(n string) bool { return !w.sites[n].sound() }) {
		return
	}
	if l.inPlace == nil || !slices.Equal(l.inPlace.names, l.names) || l.inPlace.notAfter.Before(w.time()) {
		w.fail("liveness", l.name, "nothing has stood in its way since %s, and %d runs have not brought it a certificate for %s", l.trouble.Format(time.DateTime), l.attempts, ledger.NameKey(l.names))
	}
}

// lasts reports whether a phantom lasts as long as what it stands for, as far as its host's clock could know.
func (s *server) lasts(row *ledger.Order, end time.Time) bool {
	return !row.Expires.Before(end.Add(-time.Hour)) || !s.jumpedAt.IsZero()
}

// lastJudgement is held after the quiet days: nothing may be left (I4).
func (w *world) lastJudgement() {
	now, shown := w.time(), w.shown() // one that outlives its order, which is over, is shown to its own end
	for _, z := range w.ca.authzs {
		if z.status == "pending" && z.ends.After(now) && !w.ghost(z) && !w.unseen(z) && shown[authzURL(z)] == 0 {
			w.fail("I4", z.name, "the authorization %s is still pending after the quiet days, and no phantom stands for it", authzURL(z))
		}
	}
	for _, s := range w.servers {
		for _, o := range s.book.Peek(ledger.OrderFilter{Unsettled: true}) {
			w.fail("I4", o.Lineage, "order %d is still %s after the quiet days", o.ID, o.State)
		}
		for _, l := range s.lines {
			for _, name := range l.names {
				if n := len(w.sites[name].tokens); n > 0 {
					w.fail("I4", l.name, "%d tokens are left in the document root of %s", n, name)
				}
			}
		}
	}
}

// ghost reports whether a phantom stands for an authorization's order.
func (w *world) ghost(z *caAuthz) bool {
	for _, o := range w.ca.orders {
		if !slices.Contains(o.authzs, z) {
			continue
		}
		for _, s := range w.servers {
			if s.account != o.account {
				continue
			}
			for _, row := range s.book.Peek(ledger.OrderFilter{}) {
				if row.State == ledger.Phantom && ledger.NameKey(row.Names) == o.set && s.lasts(row, z.ends) {
					return true
				}
			}
		}
	}
	return false
}

func namesIn(payload []byte) []string {
	var want struct {
		Identifiers []identifier `json:"identifiers"`
	}
	_ = json.Unmarshal(payload, &want)
	var names []string
	for _, i := range want.Identifiers {
		names = append(names, i.Value)
	}
	return names
}

func csrIn(payload []byte) []byte {
	var want struct {
		CSR string `json:"csr"`
	}
	_ = json.Unmarshal(payload, &want)
	csr, _ := base64.RawURLEncoding.DecodeString(want.CSR)
	return csr
}

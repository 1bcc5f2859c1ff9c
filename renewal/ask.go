package renewal

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/ledger"
	"orderly/order"
	"orderly/parts"
)

// CAs are asked when they want certificates renewed (RFC 9773): many at once, as often as they
// allow, and only where the answer can change something. Whatever comes of it, a round goes on as
// if there were no such question, and soon: a CA that hangs must not hold up the others' renewals.

const (
	// inquiries is how many questions are under way at once, whatever CAs they go to.
	inquiries = 16
	// longestAnswer is how long one answer is waited for, longestAsking all of them together. What
	// was not asked by then has its turn in the next round, before what was.
	longestAnswer = 5 * time.Second
	longestAsking = 30 * time.Second
	// mostSilent is how many questions in a row a CA may leave without an answer before it is left
	// alone.
	mostSilent = 3
	// A CA says when it may be asked again; where it does not, or has nothing to say, after
	// usualPause (RFC 9773 §4.3.3). What it says is taken within these bounds (§4.3.2).
	usualPause    = 6 * time.Hour
	shortestPause = time.Minute
	longestPause  = 24 * time.Hour
)

// question is what one certificate's CA is asked.
type question struct {
	term        Term
	server, id  string
	fingerprint string
	known       ledger.RenewalInfo // what it said before
}

// questionOf is what a lineage's CA is to be asked now, nil for nothing: it cannot be asked, was
// asked lately, or could say nothing that would change when the lineage is renewed.
func (s *calendar) questionOf(l *certbot.Lineage) *question {
	p, now := l.Renewal.Params, s.Clock.Now()
	if waits(p.RetryAfter, now) { // nearly all of thousands: nothing is computed for these
		return nil
	}
	id := acme.RenewalID(l.Certificate.Leaf)
	_, revoked := s.known.Revocations.Of(l.Certificate)
	if id == "" || p.Server == "" || p.AutorenewOff || revoked ||
		!now.Before(l.Certificate.NotAfter) {
		return nil
	}
	q := &question{term: termOf(l), server: p.Server, id: id}
	q.known = s.known.Suggestions.said[suggestion{q.server, id}]
	ca := s.known.Suggestions.said[suggestion{q.server, ""}]
	if waits(ca.NextAt, now) || waits(q.known.NextAt, now) {
		return nil
	}
	due, err := s.known.without(q.term, q.server, id)
	settled := p.RenewBeforeExpiry != "" || !now.Before(q.term.latest())
	if err != nil || settled && !now.Before(due.At) || l.Usable() != nil {
		return nil
	}
	q.fingerprint = fingerprint(l.Certificate)
	return q
}

// waits reports whether a moment before which a CA is not to be asked lies ahead. One that lies too
// far ahead was written by a clock that went wrong.
func waits(next, now time.Time) bool {
	return now.Before(next) && !next.After(now.Add(longestPause+time.Hour))
}

// restFor is how long a CA is let alone that has answered so.
func restFor(r acme.Reply) time.Duration {
	if !r.HasRetryAfter {
		return usualPause
	}
	return min(max(r.RetryAfter, shortestPause), longestPause)
}

// inquirer asks CAs when they want certificates renewed.
type inquirer struct {
	*base
	*engines
	*calendar
	chance   func() float64 // in [0, 1)
	patience time.Duration  // with one answer

	slots chan struct{}
	mu    sync.Mutex
	told  []ledger.RenewalInfo
}

func newInquirer(b *base, e *engines, c *calendar) *inquirer {
	return &inquirer{base: b, engines: e, calendar: c, chance: rand.Float64,
		patience: longestAnswer, slots: make(chan struct{}, inquiries)}
}

// ask asks all questions and keeps what was said, in the ledger and for this run. What cannot be
// kept counts as not said: the ledger that failed ends the round with its next commit.
func (s *inquirer) ask(ctx context.Context, all []*question) {
	defer s.host.Voice.Slowly("what CAs say of when certificates should be renewed, %d to ask about, "+
		"for %s at most", len(all), longestAsking)()
	slices.SortStableFunc(all,
		func(a, b *question) int { return a.known.AskedAt.Compare(b.known.AskedAt) })
	byCA := map[string][]*question{}
	for _, q := range all {
		byCA[q.server] = append(byCA[q.server], q)
	}
	limited, cancel := context.WithTimeout(ctx, longestAsking)
	defer cancel()
	var cas parts.Group
	for server, questions := range byCA {
		cas.Go(func() { s.askCA(limited, server, questions) })
	}
	cas.Wait()
	if len(s.told) == 0 {
		return
	}
	change := ledger.Change{RenewalInfos: s.told, RenewalInfosOver: s.Clock.Now()}
	err := s.Ledger.Commit(context.WithoutCancel(ctx), &change)
	if err == nil && s.all {
		err = s.readSuggestions(context.WithoutCancel(ctx)) // another run may have drawn first
	}
	if err != nil {
		s.Log.Warn("renewal information was not kept", "error", err)
		return
	}
	s.noteInFiles(limited)
}

// noteInFiles notes in the renewal files of those that were asked about when that may be again, as
// certbot does each time that it asks: whoever goes back to it asks no more often than the CA
// allows. A note that cannot be written is none: the ledger has the moment as well.
func (s *inquirer) noteInFiles(ctx context.Context) {
	var all parts.Group
	for _, said := range s.told {
		if said.ID == "" {
			continue // of the CA as a whole, which certbot does not know
		}
		if !s.take(ctx) {
			break
		}
		all.Go(func() {
			defer func() { <-s.slots }()
			if err := s.noteInFile(said); err != nil {
				s.Log.Debug("when the CA may be asked again is not noted in the renewal file",
					"lineage", said.Lineage, "error", err)
			}
		})
	}
	all.Wait()
}

// noteInFile notes it for one lineage, unless another process is at work on that.
func (s *inquirer) noteInFile(said ledger.RenewalInfo) error {
	unlock, free, err := s.host.Locks.TryLock(order.LineageLock(said.Lineage))
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	return s.Disk.NoteRetryAfter(said.Lineage, said.NextAt)
}

// askCA asks one CA. One that has no renewal information, cannot be reached or is silent is let
// alone for a while.
func (s *inquirer) askCA(ctx context.Context, server string, questions []*question) {
	client, err := s.Accounts().Clients.For(server)
	if err != nil {
		return // what is no URL of a CA is complained of when something is ordered there
	}
	ca := &askedCA{inquirer: s, client: client, server: server}
	if !s.take(ctx) {
		return
	}
	var directory acme.Directory
	s.within(ctx, func(ctx context.Context) { directory, err = client.Directory(ctx) })
	<-s.slots
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		ca.leave(replyOf(err))
		return
	case directory.RenewalInfo == "":
		ca.leave(acme.Reply{})
		return
	}
	var all parts.Group
	for _, q := range questions {
		if ca.isLeft() || !s.take(ctx) {
			break
		}
		all.Go(func() {
			defer func() { <-s.slots }()
			ca.ask(ctx, q)
		})
	}
	all.Wait()
}

// take waits for one of the questions that may be under way at once; false when there is no time
// left.
func (s *inquirer) take(ctx context.Context) bool {
	select {
	case s.slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// within gives a request the time that an answer may take.
func (s *inquirer) within(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	do(ctx)
}

// replyOf is what an answer that is of no use told all the same.
func replyOf(err error) acme.Reply {
	if p, ok := errors.AsType[*acme.Problem](err); ok {
		return p.Reply
	}
	if l, ok := errors.AsType[*acme.Lost](err); ok {
		return l.Reply
	}
	return acme.Reply{}
}

// askedCA is one CA while it is asked.
type askedCA struct {
	*inquirer
	client *acme.Client
	server string
	silent int  // questions in a row that it did not answer
	left   bool // nothing more is asked
}

func (c *askedCA) isLeft() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.left
}

// leave lets the CA alone, in the next runs as well.
func (c *askedCA) leave(r acme.Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.left {
		return
	}
	now := c.Clock.Now()
	c.left = true
	c.told = append(c.told, ledger.RenewalInfo{Server: c.server, FirstAt: now, AskedAt: now,
		NextAt: now.Add(restFor(r))})
}

// ask asks about one certificate. What the CA said of it before stays where it has nothing better
// to say now.
func (c *askedCA) ask(ctx context.Context, q *question) {
	if c.strange(ctx, q) {
		return
	}
	var info acme.RenewalInfo
	var err error
	c.within(ctx, func(ctx context.Context) { info, err = c.client.RenewalInfo(ctx, q.id) })
	if err != nil && ctx.Err() != nil {
		return // the run ends, or all of them took too long: it was not the CA that did not answer
	}
	now, reply, said := c.Clock.Now(), info.Reply, q.known
	said.Server, said.ID, said.Lineage, said.Expires = q.server, q.id, q.term.Lineage, q.term.NotAfter
	if said.AskedAt = now; said.FirstAt.IsZero() {
		said.FirstAt = now
	}
	if err != nil {
		reply = replyOf(err)
		c.Log.Debug("no renewal information", "lineage", q.term.Lineage, "error", err)
	} else {
		said = q.term.judged(said, info.Start, info.End, now, c.chance())
		said.Explanation = info.ExplanationURL
	}
	said.NextAt = now.Add(restFor(reply))
	c.mu.Lock()
	c.told = append(c.told, said)
	c.silent++
	if err == nil || reply.Status/100 == 4 && reply.Status != http.StatusTooManyRequests {
		c.silent = 0
	}
	busy := c.silent > 0 && reply.HasRetryAfter || c.silent >= mostSilent
	c.mu.Unlock()
	if busy {
		c.leave(reply)
	}
}

// strange reports whether this ledger knows that another CA issued the certificate than the one
// that the renewal file names by now.
func (c *askedCA) strange(ctx context.Context, q *question) bool {
	last, err := c.Ledger.Certificate(ctx, q.term.Lineage)
	if err != nil || last.Fingerprint != q.fingerprint {
		return false
	}
	by, err := c.Ledger.AccountByID(ctx, last.AccountID)
	return err == nil && by.Server != q.server
}

// consult asks the CAs of the lineages of a round what is to be asked of them, and looks again at
// those that are due by what they say.
func (s *rounds) consult(ctx context.Context, views []view, round Round) {
	var all []*question
	for _, v := range views {
		if v.question != nil {
			all = append(all, v.question)
		}
	}
	if len(all) == 0 {
		return
	}
	newInquirer(s.base, s.engines, s.calendar).ask(ctx, all)
	for i := range views {
		v := &views[i]
		q := v.question
		if v.question = nil; q == nil || v.lineage != nil {
			continue
		}
		due, err := s.known.without(q.term, q.server, q.id)
		if err == nil && s.Clock.Now().Before(due.At) {
			v.kept.DueAt, v.kept.DueBecause = due.At, due.Because
			continue
		}
		if l, err := s.Disk.Open(q.term.Lineage); err == nil {
			*v = s.viewOf(l, round, nil)
		}
	}
}

// consult asks the CA about one lineage, and reports whether it was to be asked.
func (s *wishes) consult(ctx context.Context, w Wish, l *certbot.Lineage) bool {
	if l == nil || w.Renew || s.Settings.Rehearsal || l.KeyLost != nil {
		return false
	}
	var err error
	s.known.Suggestions, err = KnownSuggestions(ctx, s.Ledger, l.Name)
	q := s.questionOf(l)
	if err != nil || q == nil {
		return false
	}
	newInquirer(s.base, s.engines, s.calendar).ask(ctx, []*question{q})
	return true
}

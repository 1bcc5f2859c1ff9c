package doctor

// What only the CA knows of a certificate that is here: that it was revoked, wherever that was done,
// and that the CA wants it replaced before it is due (RFC 9773, as before it revokes many at once).
// `renew` asks for the second as well, and not for the first: visitors would be turned away until
// the certificate is due. Nothing is signed, nothing ordered; what the ledger knows from the last
// round is not asked for again before the CA's own Retry-After, and a CA that does not answer is
// left alone.

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/parts"
	"orderly/renewal"
)

// Authority is how CAs are asked.
type Authority struct {
	// Client is that of a CA, by its directory URL. It sends nothing by itself.
	Client func(server string) (*acme.Client, error)
	HTTP   *http.Client // fetches the lists of what CAs have revoked
}

const (
	// answerPatience is how long one answer is waited for, askingPatience all of them together.
	answerPatience = 5 * time.Second
	askingPatience = 30 * time.Second
	// questionsAtOnce is how many questions of one CA are under way at once.
	questionsAtOnce = 16
	// mostSilent is how many questions in a row a CA may leave without an answer.
	mostSilent = 3
	// restsAtMost is how far ahead a CA's next moment may lie; what is later was written by a clock
	// that went wrong.
	restsAtMost = 25 * time.Hour
)

func authorityChecks() []Check {
	return []Check{{ID: "D50", Title: "Revoked, or wanted replaced by its CA", Needs: Authorities,
		Lineage: (*Exam).noteIssued, Host: withdrawn}}
}

// issued is a certificate that its CA is asked about.
type issued struct {
	*Lineage
	id     string // in renewal information; "" for none
	serial *big.Int
	lists  []string // where its CA publishes what it has revoked
	window ledger.RenewalInfo
}

// issuedHere are those of an examination.
type issuedHere struct {
	mu  sync.Mutex
	all []*issued
}

// noteIssued keeps what a certificate's CA will be asked. What was revoked from here is due already.
func (e *Exam) noteIssued(x *Lineage, l *certbot.Lineage) []Finding {
	if l == nil || !e.At.Before(x.NotAfter) || x.Due.Because == renewal.DueRevoked {
		return nil
	}
	leaf := l.Certificate.Leaf
	one := &issued{Lineage: x, id: acme.RenewalID(leaf), serial: leaf.SerialNumber}
	for _, at := range leaf.CRLDistributionPoints {
		if strings.HasPrefix(at, "http://") || strings.HasPrefix(at, "https://") {
			one.lists = append(one.lists, at)
		}
	}
	e.memo.issued.mu.Lock()
	defer e.memo.issued.mu.Unlock()
	e.memo.issued.all = append(e.memo.issued.all, one)
	return nil
}

// withdrawn asks the CAs, and tells of what they took back or want replaced.
func withdrawn(ctx context.Context, e *Exam) ([]Finding, error) {
	all := e.memo.issued.all
	if len(all) == 0 {
		return nil, nil
	}
	slices.SortFunc(all, func(a, b *issued) int { return strings.Compare(a.Name, b.Name) })
	slices.SortStableFunc(all, func(a, b *issued) int { return a.hurtsAt().Compare(b.hurtsAt()) })
	if e.Tell != nil {
		slow := time.AfterFunc(time.Second, func() {
			e.Tell("Waiting for CAs to say what they have revoked and want replaced (%d certificates), "+
				"for %s at most.", len(all), askingPatience)
		})
		defer slow.Stop()
	}
	limited, cancel := context.WithTimeout(ctx, askingPatience)
	defer cancel()
	var wants, lists []Finding
	var revoked map[*issued]revocation
	var both parts.Group
	both.Go(func() { wants = e.askWindows(limited, all) })
	both.Go(func() { revoked, lists = e.readLists(limited, all) })
	both.Wait()
	findings := slices.Concat(wants, lists)
	for _, one := range all {
		if r, is := revoked[one]; is {
			findings = append(findings, one.revoked(r))
		} else if f, is := one.wanted(e.At); is {
			findings = append(findings, f)
		}
	}
	return findings, nil
}

// askWindows asks each CA when it wants its certificates renewed, and tells of those that do not
// answer.
func (e *Exam) askWindows(ctx context.Context, all []*issued) []Finding {
	byCA := map[string][]*issued{}
	for _, one := range all {
		if one.id == "" || one.Server == "" {
			continue
		}
		known := e.Known.Suggestions.Said(one.Server, one.id)
		one.window = known
		rests := e.Known.Suggestions.Said(one.Server, "").NextAt
		if !e.rests(known.NextAt) && !e.rests(rests) {
			byCA[one.Server] = append(byCA[one.Server], one)
		}
	}
	var mu sync.Mutex
	var findings []Finding
	var cas parts.Group
	for _, server := range slices.Sorted(maps.Keys(byCA)) {
		cas.Go(func() {
			left, err := e.askCA(ctx, server, byCA[server])
			if left == 0 {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			findings = append(findings, notTold(server, left, err))
		})
	}
	cas.Wait()
	return findings
}

// rests reports whether nobody is to be asked before a moment that lies ahead.
func (e *Exam) rests(next time.Time) bool {
	return e.At.Before(next) && !next.After(e.At.Add(restsAtMost))
}

// notTold is the finding that a CA did not say what it was asked.
func notTold(whom string, left int, err error) Finding {
	return Finding{ID: "D50", Class: failure.CAUnavailable, Severity: Note, Fix: FixNo, Unseen: true,
		Cause: whom, Sentence: failure.Words("%s did not say whether it wants certificates replaced "+
			"(%d of them): %v", whom, left, err),
		Remedy: "Look again later; what is due is renewed whatever a CA says."}
}

// askedCA is one CA while it is asked.
type askedCA struct {
	client *acme.Client

	mu     sync.Mutex
	silent int   // questions in a row that it did not answer
	why    error // it is left alone; nil as long as it is not
}

// askCA asks one CA about its certificates. It returns how many of them nothing was heard of, and
// why.
func (e *Exam) askCA(ctx context.Context, server string, all []*issued) (left int, err error) {
	client, err := e.Authority.Client(server)
	if err != nil {
		return 0, nil // what is no URL of a CA is told by D10
	}
	ca := &askedCA{client: client}
	first, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	switch directory, err := client.Directory(first); {
	case err != nil:
		return len(all), err
	case directory.RenewalInfo == "":
		return 0, nil // it has nothing of the kind to say
	}
	heard := 0
	slots := make(chan struct{}, questionsAtOnce)
	var questions parts.Group
	for _, one := range all {
		slots <- struct{}{} // for as long as one answer at most
		if ctx.Err() != nil || ca.left() != nil {
			break
		}
		questions.Go(func() {
			defer func() { <-slots }()
			if ca.ask(ctx, one, e.At) {
				ca.mu.Lock()
				defer ca.mu.Unlock()
				heard++
			}
		})
	}
	questions.Wait()
	if err = ca.left(); err == nil {
		err = context.Cause(ctx)
	}
	if err == nil {
		return 0, nil // what it does not know of single certificates says nothing of them
	}
	return len(all) - heard, err
}

// left is why nothing more is asked, nil where it is.
func (c *askedCA) left() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.why
}

// ask asks about one certificate, and reports whether the CA said anything.
func (c *askedCA) ask(ctx context.Context, one *issued, now time.Time) bool {
	bounded, cancel := context.WithTimeout(ctx, answerPatience)
	defer cancel()
	info, err := c.client.RenewalInfo(bounded, one.id)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.silent = 0
		one.window.Start, one.window.End = info.Start, info.End
		one.window.Explanation = info.ExplanationURL
		return true
	}
	if ctx.Err() != nil {
		return false
	}
	reply := replyOf(err)
	if reply.Status/100 == 4 && reply.Status != http.StatusTooManyRequests {
		c.silent = 0
		return true // another CA's certificate, or one that it has forgotten
	}
	c.silent++
	if c.why == nil && (reply.HasRetryAfter || c.silent >= mostSilent) {
		c.why = err
	}
	return false
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

// graceOfWindow is how long after a window's end a round may still come that renews.
const graceOfWindow = 24 * time.Hour

// wanted tells of a window that has passed. One that ends long before the certificate would be due
// is a CA's way to say that it is, or will be, revoked.
func (one *issued) wanted(now time.Time) (Finding, bool) {
	end, life := one.window.End, one.NotAfter.Sub(one.NotBefore)
	if end.IsZero() || !end.Before(now) || end.Before(one.NotBefore.Add(-life)) {
		return Finding{}, false // open, or nothing that could be meant
	}
	why := ""
	if one.window.Explanation != "" {
		why = " (it explains why: " + one.window.Explanation + ")"
	}
	usual := life / 3
	if life < 10*24*time.Hour {
		usual = life / 2
	}
	if one.NotAfter.Sub(end) > usual+life/10 {
		f := one.finds("D50", failure.CARefused, one.replace(),
			"the CA wanted it replaced by %s, long before it is due: it was revoked, or will be%s",
			end.UTC().Format(time.DateTime), why)
		f.Since, f.HurtsAt, f.File = end, time.Time{}, ""
		return f, true
	}
	if now.Sub(end) < min(graceOfWindow, life/20) {
		return Finding{}, false
	}
	f := one.finds("D50", failure.CARefused, one.replace(),
		"the CA wanted it renewed by %s, and it was not%s", end.UTC().Format(time.DateTime), why)
	f.Severity, f.Since, f.File = Note, end, ""
	return f, true
}

// replace is how a certificate gets a successor now.
func (one *issued) replace() failure.Remedy {
	return "Renew it now: " + failure.Do(failure.RenewNow, one.Name) + "."
}

// revoked is the finding that a certificate is on its CA's list.
func (one *issued) revoked(r revocation) Finding {
	remedy := one.replace()
	if r.reason == keyCompromise {
		remedy = "Renew it now, with another key: " +
			failure.Do(failure.AnotherKey, one.Name, failure.NewKey) + "."
	}
	f := one.finds("D50", failure.CARefused, remedy,
		"the certificate (serial %s) was revoked on %s%s: visitors are warned of it, and nothing "+
			"renews it before it is due", one.Serial, day(r.at), reasonWord(r.reason))
	f.Since, f.HurtsAt, f.File = r.at, r.at, ""
	return f
}

// keyCompromise is RFC 5280's code for it.
const keyCompromise = 1

// reasonWord is a reason of RFC 5280 §5.3.1 in words; "" for one that says nothing.
func reasonWord(code int) string {
	switch code {
	case keyCompromise:
		return " (its key was compromised)"
	case 3:
		return " (its names are another's)"
	case 4:
		return " (it was superseded)"
	case 5:
		return " (it is no longer needed)"
	case 0:
		return ""
	}
	return fmt.Sprintf(" (reason %d)", code)
}

// issuerIn is the certificate that issued the first one of a chain, nil where it is not in it.
func issuerIn(chain []*x509.Certificate) *x509.Certificate {
	for _, c := range chain[min(1, len(chain)):] {
		if chain[0].CheckSignatureFrom(c) == nil {
			return c
		}
	}
	return nil
}

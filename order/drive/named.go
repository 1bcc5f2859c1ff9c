package drive

import (
	"slices"
	"strings"

	"orderly/acme"
	"orderly/ledger"
)

// What the order names now counts. A CA whose base URL was mended, or that changed the form of its
// URLs, names other authorizations than before: the same ones under other URLs, as a rule. Those
// that it names no more are not asked for again, and what was done for them is remembered with
// their successors, by name and token, so that no challenge is answered twice.

// mostPerName is how many authorizations an order may come to have for each of its names. It has
// one by every CA that is known; a few more leave room for a CA that changes the form of its URLs.
const mostPerName = 4

// adopt records the authorizations that the order names, each once: one that the CA names twice
// would be answered twice. A CA that names thousands, or others with each look, must not have them
// all asked for, again and again. Where it names none, it says nothing of them.
func (az *authorizations) adopt(urls []string) {
	if len(urls) == 0 {
		return
	}
	for _, a := range az.o.Authorizations {
		if !a.Final() && !slices.Contains(urls, a.URL) {
			a.Status = ledger.AuthorizationReplaced
			az.note("authorization replaced", "the order does not name %s any more", a.URL)
		}
	}
	for _, url := range urls {
		at := slices.IndexFunc(az.o.Authorizations, func(a *ledger.Authorization) bool { return a.URL == url })
		if at >= 0 {
			if known := az.o.Authorizations[at]; known.Status == ledger.AuthorizationReplaced {
				known.Status, az.seen[url] = ledger.AuthorizationPending, false
			}
			continue
		}
		fresh := ledger.Authorization{URL: url, Status: ledger.AuthorizationPending}
		if len(az.o.Authorizations) < mostPerName*len(az.o.Names) {
			az.o.Authorizations = append(az.o.Authorizations, &fresh)
		} else if former := az.replaced(); former != nil {
			fresh.ID = former.ID
			*former = fresh // what the CA names now is counted, however many it has named before
		} else {
			az.note("authorizations left out", "the CA names more than %d for each name, %d in all",
				mostPerName, len(urls))
			return
		}
	}
}

// replaced is the replaced authorization that can be forgotten: nothing stands for it, and it was
// not answered or its successor, which inherited that, is there. The list is in the order in which
// they were named.
func (az *authorizations) replaced() *ledger.Authorization {
	for _, a := range az.o.Authorizations {
		if a.Status != ledger.AuthorizationReplaced || a.Placement != "" {
			continue
		}
		inherited := slices.ContainsFunc(az.o.Authorizations, func(other *ledger.Authorization) bool {
			return other != a && other.Token == a.Token && !other.AnswerSentAt.Before(a.AnswerSentAt)
		})
		if a.AnswerSentAt.IsZero() && a.Token == "" || inherited {
			return a
		}
	}
	return nil
}

// inherit gives an authorization what was done for those that it replaces: the same name, with the
// same token.
func (az *authorizations) inherit(a *ledger.Authorization, shown acme.Authorization) {
	for _, former := range az.o.Authorizations {
		replaced := former != a && former.Status == ledger.AuthorizationReplaced
		if !replaced || former.Token == "" || former.FullName() != a.FullName() {
			continue
		}
		at := slices.IndexFunc(shown.Challenges, func(c acme.Challenge) bool {
			return c.Token == former.Token && c.Type == former.ChallengeType
		})
		if at < 0 {
			continue // another one, with a challenge of its own
		}
		if a.Placement == "" {
			a.Placement, former.Placement = former.Placement, ""
			az.proofs.placed[a.URL] = az.proofs.placed[former.URL]
		}
		refused := az.refusals[former.ChallengeURL]
		if !former.AnswerSentAt.After(a.AnswerSentAt) || refused != nil && refused.Status == 404 {
			continue // the answer went to a URL that led nowhere
		}
		a.AnswerSentAt, a.Answers, a.Answered = former.AnswerSentAt, former.Answers, former.Answered
		a.ChallengeType, a.Token = former.ChallengeType, former.Token
		a.ChallengeStatus, a.ErrorType, a.ErrorDetail = former.ChallengeStatus, former.ErrorType, former.ErrorDetail
	}
}

// nameShown is the name of an authorization, and whether it is a wildcard's. Some CAs leave the
// mark of a wildcard out, or show its name with the "*." that RFC 8555 leaves out: the order's own
// names tell, and where it has both, that a wildcard is never offered http-01.
func nameShown(o *ledger.Order, shown acme.Authorization) (name string, wildcard bool) {
	name, marked := strings.CutPrefix(strings.ToLower(shown.Name), "*.")
	if marked || shown.Wildcard || !slices.Contains(o.Names, "*."+name) {
		return name, marked || shown.Wildcard
	}
	byHTTP := slices.ContainsFunc(shown.Challenges, func(c acme.Challenge) bool {
		return c.Type == ledger.HTTP01
	})
	return name, !slices.Contains(o.Names, name) || !byHTTP
}

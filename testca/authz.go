package testca

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

func (c *CA) showAuthorization(r *request) *reply {
	answer := c.pebble.serve(r.Request, r.body).documented()
	a := c.state.byAuthz[r.id(authzPath)]
	if answer.status != http.StatusOK || a == nil {
		return answer
	}
	if a.expired(r.now) {
		return answer.refuse(gone("authorization"))
	}
	c.pollAfter(answer, a.Status == acme.StatusPending && a.underway > 0)
	return answer.json(http.StatusOK, c.displayAuthorization(r, a))
}

// displayAuthorization is an authorization as the client sees it: one that is no longer pending shows only the
// challenge that made it so.
func (c *CA) displayAuthorization(r *request, a *authorization) acme.Authorization {
	shown := a.Authorization.Authorization
	if name, wildcard := strings.CutPrefix(shown.Identifier.Value, "*."); wildcard {
		shown.Identifier.Value, shown.Wildcard = name, true
	}
	shown.Challenges = []acme.Challenge{}
	for _, challenge := range a.Challenges {
		if a.Status == acme.StatusPending || challenge.Error != nil || challenge.Status == acme.StatusValid {
			shown.Challenges = append(shown.Challenges, c.displayChallenge(r, challenge))
		}
	}
	return shown
}

func (c *CA) displayChallenge(r *request, challenge *core.Challenge) acme.Challenge {
	shown := challenge.Challenge
	shown.URL = r.url(challengePath + challenge.ID)
	if c.config.HideProcessing && shown.Status == acme.StatusProcessing {
		shown.Status = acme.StatusPending
	}
	return shown
}

// deactivate lets Pebble deactivate an authorization. A pending one costs as much as a failure; one that was invalid
// already stays so.
func (c *CA) deactivate(r *request) *reply {
	a := c.state.byAuthz[r.id(authzPath)]
	if a != nil && a.expired(r.now) {
		return c.refuse(r, gone("authorization"))
	}
	before := ""
	if a != nil {
		before = a.Status
	}
	answer := c.pebble.serve(r.Request, r.body).documented()
	if answer.status != http.StatusOK || a == nil {
		return answer
	}
	switch before {
	case acme.StatusPending:
		c.state.failed(a.account, a.Identifier.Value, r.now)
	case acme.StatusInvalid:
		a.Status = before
	}
	return answer.json(http.StatusOK, c.displayAuthorization(r, a))
}

// challenge answers a challenge that is fetched or answered. None of it is left to Pebble but the signature.
func (c *CA) challenge(r *request) *reply {
	return c.own(r, func(verified *reply) *reply {
		challenge := c.pebble.store.GetChallengeByID(r.id(challengePath))
		if challenge == nil {
			return verified.refuse(gone("challenge"))
		}
		a := c.state.byAuthz[challenge.Authz.ID]
		account := c.pebble.account(r.kid)
		switch {
		case account == nil:
			return verified.refuse(problemf(http.StatusForbidden, "unauthorized", "Account is not valid"))
		case a == nil || a.expired(r.now):
			return verified.refuse(gone("challenge"))
		case a.account != account.ID:
			return verified.refuse(problemf(http.StatusForbidden, "unauthorized", "User account ID doesn't match account ID in authorization"))
		}
		if p := c.siblingGone(a, challenge.ID); p != nil {
			return verified.refuse(p)
		}
		if r.kind == kindChallenge && a.Status != acme.StatusValid {
			if p := c.answer(r, a, challenge, account); p != nil {
				return verified.refuse(p)
			}
		}
		verified.header.Add("Link", "<"+r.url(authzPath+a.ID)+`>;rel="up"`)
		return verified.json(http.StatusOK, c.displayChallenge(r, challenge))
	})
}

// answer begins a validation. As at Boulder a challenge that is being validated is validated once more.
func (c *CA) answer(r *request, a *authorization, challenge *core.Challenge, account *core.Account) *problem {
	var object map[string]any
	switch {
	case json.Unmarshal(r.payload, &object) != nil || object == nil:
		return problemf(http.StatusBadRequest, "malformed", "Error unmarshaling challenge response")
	case a.Status != acme.StatusPending:
		return problemf(http.StatusBadRequest, "malformed", "Unable to update challenge :: authorization must be pending")
	case c.config.RepeatConflict && a.underway > 0:
		return problemf(http.StatusConflict, "conflict", "Unable to update challenge :: a validation is already in progress")
	}
	if a.begun == 0 {
		a.answered = time.Now()
	}
	a.begun++
	a.underway++
	challenge.Status = acme.StatusProcessing
	name := strings.TrimPrefix(a.Identifier.Value, "*.")
	want := challenge.ExpectedKeyAuthorization(account.Key)
	kind, token := challenge.Type, challenge.Token
	c.work.Go(func() {
		if c.config.ValidationDelay > 0 && !pause(c.ctx, c.ctx, c.config.ValidationDelay) {
			return
		}
		outcome := c.validate(kind, name, token, want)
		if c.ctx.Err() == nil {
			c.settle(a, challenge, outcome)
		}
	})
	return nil
}

// validate looks for what the client promised. Other types than http-01 and dns-01 never validate.
func (c *CA) validate(kind, name, token, want string) *problem {
	if c.oddly().Blind {
		return problemf(http.StatusForbidden, "unauthorized", "During secondary validation: the site could not be reached")
	}
	switch kind {
	case acme.ChallengeHTTP01:
		return c.prober.http01(c.ctx, name, token, want)
	case acme.ChallengeDNS01:
		sum := sha256.Sum256([]byte(want))
		return c.prober.dns01(c.ctx, name, base64.RawURLEncoding.EncodeToString(sum[:]))
	}
	return problemf(http.StatusForbidden, "unauthorized", "This test CA validates %s and %s only, not %s", acme.ChallengeHTTP01, acme.ChallengeDNS01, kind)
}

// settle writes down how a validation ended. Each failure is charged, also when the authorization is final already.
func (c *CA) settle(a *authorization, challenge *core.Challenge, failed *problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	a.underway--
	if a.ended.IsZero() {
		a.ended = time.Now()
	}
	if failed != nil {
		c.state.failed(a.account, a.Identifier.Value, now)
	}
	if a.Status != acme.StatusPending || a.expired(now) {
		if challenge.Status == acme.StatusProcessing && a.underway == 0 {
			challenge.Status = acme.StatusPending // deactivated meanwhile: nothing came of it
		}
		return
	}
	if c.staysPending(a, challenge, failed) {
		return
	}
	challenge.ValidatedDate = now
	challenge.Validated = now.UTC().Format(time.RFC3339)
	a.Status, challenge.Status = acme.StatusValid, acme.StatusValid
	if failed != nil {
		a.Status, challenge.Status = acme.StatusInvalid, acme.StatusInvalid
		challenge.Error = failed.details()
		return
	}
	c.state.succeeded(a.account, a.Identifier.Value)
	a.setExpiry(now.Add(c.validLifetime(a)))
}

// validLifetime is how long an authorization lives once valid: by the profile of the order that it was made for.
func (c *CA) validLifetime(a *authorization) time.Duration {
	if o := c.state.byOrder[a.Order.ID]; o != nil {
		return c.lifetimes(o.asked).ValidAuthorization
	}
	return c.config.Lifetimes.ValidAuthorization
}

package acme

import (
	"context"
	"fmt"
	"net/http"
)

// The one place from which signed requests go out, and the one answer after which they go again.

// nonceRetries is how often a request goes again because its nonce was refused, before badNonce is
// the answer.
const nonceRetries = 5

// signed is one signed request: what, where to, by whom.
type signed struct {
	kind, url string
	key       *Key
	kid       string // the account's URL; "" embeds the public key instead
	payload   []byte // empty for a POST-as-GET
	accept    string
}

func (s signed) notSent(err error) error { return &NotSent{Kind: s.kind, URL: s.url, Cause: err} }

// post sends a signed request and returns an answer that is a success and has its whole body. A
// refused nonce is the one answer after which the request goes again, because RFC 8555 §6.5 has the
// CA check it before it does anything.
func (c *Client) post(ctx context.Context, s signed) (answer, error) {
	if err := c.permit(s.kind, s.url); err != nil {
		return answer{}, s.notSent(err)
	}
	nonce, err := c.nonce(ctx)
	for attempt := 0; err == nil; attempt++ {
		a, failed := c.postWith(ctx, s, nonce)
		if failed != nil {
			return answer{}, failed
		}
		fresh := a.header.Get("Replay-Nonce")
		problem := a.problem()
		if !problem.IsType("badNonce") || attempt == nonceRetries {
			c.nonces.put(fresh, c.now())
			return a.settle(problem)
		}
		nonce, err = c.renewNonce(ctx, fresh)
	}
	return answer{}, beforehand(s.kind, s.url, "fetching a nonce", err)
}

func (c *Client) postWith(ctx context.Context, s signed, nonce string) (answer, error) {
	body, err := s.key.sign(s.payload, s.url, nonce, s.kid)
	if err != nil {
		return answer{}, s.notSent(fmt.Errorf("signing: %w", err))
	}
	return c.exchange(ctx, &c.opaque,
		request{kind: s.kind, method: http.MethodPost, url: s.url, body: body, accept: s.accept})
}

// renewNonce forgets the nonces at hand, which are as old as the refused one, for the one that came
// with the refusal.
func (c *Client) renewNonce(ctx context.Context, fresh string) (string, error) {
	c.nonces.empty()
	if validNonce(fresh) {
		return fresh, nil
	}
	return c.nonce(ctx)
}

// settle is the end of an exchange whose answer is not badNonce.
func (a answer) settle(problem *Problem) (answer, error) {
	if problem != nil {
		return answer{}, problem
	}
	if a.broken != nil {
		return answer{}, a.lost(a.broken)
	}
	return a, nil
}

package acme

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Each signed request needs a nonce that was not used yet. Answers bring them; the HEAD that
// fetches one is a request more, made only where none is left.

// Nonces older than nonceAge are not used: Boulder's live longer, but the machine that gave them
// out may leave the load balancer. More than noncesKept are never at hand; more requests than that
// are not in the air at once.
const (
	nonceAge   = 5 * time.Minute
	noncesKept = 128
)

// pool holds nonces from answers, the newest to be used first. Its zero value is ready.
type pool struct {
	mu   sync.Mutex
	held []nonce
}

type nonce struct {
	value string
	from  time.Time
}

func (p *pool) put(value string, now time.Time) {
	if !validNonce(value) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(now)
	if len(p.held) == noncesKept {
		p.held = p.held[1:]
	}
	p.held = append(p.held, nonce{value, now})
}

func (p *pool) take(now time.Time) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(now)
	if len(p.held) == 0 {
		return "", false
	}
	last := len(p.held) - 1
	value := p.held[last].value
	p.held = p.held[:last]
	return value, true
}

func (p *pool) count(now time.Time) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.prune(now)
	return len(p.held)
}

func (p *pool) empty() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = nil
}

func (p *pool) prune(now time.Time) {
	for len(p.held) > 0 && now.Sub(p.held[0].from) > nonceAge {
		p.held = p.held[1:]
	}
}

// validNonce keeps RFC 8555 §6.5.1: a Replay-Nonce that is not base64url must be ignored.
func validNonce(value string) bool {
	return len(value) <= 1024 && isBase64URL(value)
}

func isBase64URL(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' &&
			r != '_'
	})
}

// Nonces tells how many unexpired nonces are at hand: that many signed requests need no HEAD before
// them.
func (c *Client) Nonces() int { return c.nonces.count(c.now()) }

// FetchNonce adds one nonce to those at hand with one HEAD to newNonce (RFC 8555 §7.2). It reads
// the directory first, if that was not done.
func (c *Client) FetchNonce(ctx context.Context) error {
	value, err := c.fetchNonce(ctx)
	if err != nil {
		return err
	}
	c.nonces.put(value, c.now())
	return nil
}

func (c *Client) fetchNonce(ctx context.Context) (string, error) {
	target, err := c.endpoint(ctx, KindNewNonce, func(d Directory) string { return d.NewNonce })
	if err != nil {
		return "", err
	}
	a, err := c.exchange(ctx, &c.opaque, request{kind: KindNewNonce, method: http.MethodHead, url: target})
	if err != nil {
		return "", err
	}
	if !a.success() {
		return "", a.problem()
	}
	value := a.header.Get("Replay-Nonce")
	if !validNonce(value) {
		return "", a.lost(errors.New("no usable Replay-Nonce in it"))
	}
	return value, nil
}

// nonce takes one at hand, or fetches one that no other goroutine can take away.
func (c *Client) nonce(ctx context.Context) (string, error) {
	if value, ok := c.nonces.take(c.now()); ok {
		return value, nil
	}
	return c.fetchNonce(ctx)
}

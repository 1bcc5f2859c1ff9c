package acme

import (
	"context"
	"encoding/json"

	"github.com/go-jose/go-jose/v4"

	"orderly/failure"
)

// The request by which an account can be lost: both keys are in it, and until it is answered either
// may count.

// ChangeKey gives the account another key with one POST (RFC 8555 §7.3.5). The next key must be
// durable before. Afterwards this Account's key is worth nothing: go on with Client.Account(next,
// url). A Problem of status 409 means that next has an account already, whose URL is
// Problem.Location. After a Lost, NewAccount with OnlyReturnExisting tells which key counts.
func (a *Account) ChangeKey(ctx context.Context, next *Key) (Reply, error) {
	target, err := a.client.endpoint(ctx, KindKeyChange, func(d Directory) string { return d.KeyChange })
	if err != nil {
		return Reply{}, err
	}
	inner, err := a.rollover(next, target)
	if err != nil {
		return Reply{}, &NotSent{Kind: KindKeyChange, URL: target, Cause: err}
	}
	got, err := a.post(ctx, KindKeyChange, target, inner)
	return got.Reply, err
}

// rollover is the inner JWS: with it the next key agrees to take the account over.
func (a *Account) rollover(next *Key, target string) ([]byte, error) {
	if next.thumbprint == a.key.thumbprint {
		return nil, failure.New(failure.Account, "Make a new key.", "the account %s has this key already", failure.Clean(a.url))
	}
	payload, err := json.Marshal(struct {
		Account string           `json:"account"`
		OldKey  *jose.JSONWebKey `json:"oldKey"`
	}{a.url, a.key.public()})
	if err != nil {
		return nil, err
	}
	return next.sign(payload, target, "", "")
}

package acme

import (
	"context"
	"encoding/pem"
	"errors"
)

// Chain is a certificate with its intermediates (RFC 8555 §7.4.2).
type Chain struct {
	Reply
	PEM        []byte   // exactly as the CA served it
	Alternates []string // URLs of other chains for the same certificate, in the CA's order
}

// Certificate downloads a chain with one POST-as-GET: an order's Certificate, or one of a Chain's Alternates. That it
// holds a PEM certificate is checked; whether it is the right one is the caller's to say.
func (a *Account) Certificate(ctx context.Context, url string) (Chain, error) {
	got, err := a.post(ctx, KindCertificate, url, nil)
	if err != nil {
		return Chain{}, err
	}
	if block, _ := pem.Decode(got.body); block == nil || block.Type != "CERTIFICATE" {
		return Chain{}, got.lost(errors.New("it is no PEM certificate chain"))
	}
	return Chain{Reply: got.Reply, PEM: got.body, Alternates: got.links("alternate")}, nil
}

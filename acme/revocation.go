package acme

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orderly/failure"
)

// A certificate can be revoked by whoever ordered it, or by whoever has its key. The second needs
// no account, which may be lost with the host.

// Reason is why a certificate is revoked (RFC 5280 §5.3.1). CAs take these from their customers,
// and certbot offers them.
type Reason int

// The reasons. With a certificate's own key Let's Encrypt records ReasonKeyCompromise, whatever is
// said.
const (
	ReasonUnspecified          Reason = 0
	ReasonKeyCompromise        Reason = 1
	ReasonAffiliationChanged   Reason = 3
	ReasonSuperseded           Reason = 4
	ReasonCessationOfOperation Reason = 5
)

// ParseReason reads certbot's words for --reason, such as "keycompromise", in any case.
func ParseReason(word string) (Reason, error) {
	for _, r := range reasons() {
		if strings.EqualFold(word, r.String()) {
			return r, nil
		}
	}
	return 0, failure.New(failure.Usage,
		"Give one of unspecified, keycompromise, affiliationchanged, superseded and cessationofoperation.",
		"%q is no reason to revoke a certificate", failure.Clean(word))
}

func reasons() []Reason {
	return []Reason{ReasonUnspecified, ReasonKeyCompromise, ReasonAffiliationChanged,
		ReasonSuperseded, ReasonCessationOfOperation}
}

// String is certbot's word.
func (r Reason) String() string {
	switch r {
	case ReasonUnspecified:
		return "unspecified"
	case ReasonKeyCompromise:
		return "keycompromise"
	case ReasonAffiliationChanged:
		return "affiliationchanged"
	case ReasonSuperseded:
		return "superseded"
	case ReasonCessationOfOperation:
		return "cessationofoperation"
	}
	return fmt.Sprintf("reason %d", int(r))
}

// Revoke revokes a certificate in the name of the account, with one POST (RFC 8555 §7.6). The CA
// wants it to be the account that ordered the certificate, or one with valid authorizations for all
// of its names. The Problem alreadyRevoked means that nothing is left to do, and answers a second
// try after a Lost.
func (a *Account) Revoke(ctx context.Context, leaf *x509.Certificate,
	reason Reason) (Reply, error) {
	if a.url == "" {
		// Without a kid this would be a revocation by the certificate's own key, which the
		// account's is not.
		return Reply{}, &NotSent{Kind: KindRevoke, Cause: errors.New("the account's URL is not known")}
	}
	return a.client.revoke(ctx, a.key, a.url, leaf, reason)
}

// RevokeByKey is Revoke for whoever has the certificate's own private key, and no account. A key
// that is not the certificate's is refused before anything is sent, as a failure.Error of class
// Config.
func (c *Client) RevokeByKey(ctx context.Context, k *Key, leaf *x509.Certificate,
	reason Reason) (Reply, error) {
	if public, ok := k.public().Key.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(leaf.PublicKey) {
		return Reply{}, &NotSent{Kind: KindRevoke, URL: c.directoryURL, Cause: failure.New(failure.Config,
			"Give the certificate's own private key, or none to revoke it in the name of the account.",
			"the private key is not that of the certificate with the serial number %x",
			leaf.SerialNumber)}
	}
	return c.revoke(ctx, k, "", leaf, reason)
}

func (c *Client) revoke(ctx context.Context, k *Key, kid string, leaf *x509.Certificate,
	reason Reason) (Reply, error) {
	target, err := c.endpoint(ctx, KindRevoke, func(d Directory) string { return d.RevokeCert })
	if err != nil {
		return Reply{}, err
	}
	if !slices.Contains(reasons(), reason) {
		return Reply{}, &NotSent{Kind: KindRevoke, URL: target, Cause: failure.New(failure.Usage, "",
			"a certificate is not revoked for %s by its owner", reason)}
	}
	payload, err := json.Marshal(struct {
		Certificate string `json:"certificate"`
		Reason      Reason `json:"reason,omitempty"` // RFC 5280 §5.3.1 wants it absent rather than unspecified
	}{base64.RawURLEncoding.EncodeToString(leaf.Raw), reason})
	if err != nil {
		return Reply{}, &NotSent{Kind: KindRevoke, URL: target, Cause: err}
	}
	got, err := c.post(ctx, signed{kind: KindRevoke, url: target, key: k, kid: kid, payload: payload})
	return got.Reply, err
}

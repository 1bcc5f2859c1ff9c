package acme

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"orderly/failure"
)

// A CA may ask for early renewal, before it revokes a batch of certificates, for one. It is a hint:
// no answer, or an odd one, changes nothing.

// RenewalInfo is when the CA would like a certificate to be renewed (RFC 9773 §4.2). Start is
// before End; both may have passed, which means: at once. Its Reply's RetryAfter says when to ask
// again.
type RenewalInfo struct {
	Reply
	Start, End time.Time
	// a page that says why, https, to be shown to a person and never fetched; "" for none
	ExplanationURL string
}

// RenewalInfo asks when the certificate with this RenewalID should be renewed, with one GET that is
// not signed. An error of any kind says nothing about the certificate: decide without. Retry-After
// stands in Problem.Reply and Lost.Reply as well. A CA whose Directory.RenewalInfo is empty has
// none to tell, which is a NotSent.
func (c *Client) RenewalInfo(ctx context.Context, id string) (RenewalInfo, error) {
	target, err := c.endpoint(ctx, KindRenewalInfo, func(d Directory) string { return d.RenewalInfo })
	if err != nil {
		return RenewalInfo{}, err
	}
	r := request{kind: KindRenewalInfo, method: http.MethodGet, url: target + "/" + id}
	authority, serial, _ := strings.Cut(id, ".")
	if !isBase64URL(authority) || !isBase64URL(serial) {
		return RenewalInfo{}, r.notSent(fmt.Errorf("%q is no identifier of a certificate", id))
	}
	a, err := c.exchange(ctx, &c.redirecting, r)
	if err != nil {
		return RenewalInfo{}, err
	}
	if !a.success() {
		return RenewalInfo{}, a.problem()
	}
	if a.broken != nil {
		return RenewalInfo{}, a.lost(a.broken)
	}
	info, err := parseRenewalInfo(a.body)
	if err != nil {
		return RenewalInfo{}, a.lost(err)
	}
	info.Reply = a.Reply
	return info, nil
}

// parseRenewalInfo keeps RFC 9773 §4.2: a window that does not begin before it ends counts as no
// answer.
func parseRenewalInfo(body []byte) (RenewalInfo, error) {
	members, _ := members(body)
	var window map[string]json.RawMessage
	json.Unmarshal(members["suggestedWindow"], &window)
	info := RenewalInfo{
		Start: parseTime(textOf(window["start"])), End: parseTime(textOf(window["end"])),
	}
	if page := presentable(textOf(members["explanationURL"])); strings.HasPrefix(page, "https:") {
		info.ExplanationURL = page // what anybody on the way could have changed is no explanation
	}
	if info.Start.IsZero() || info.End.IsZero() {
		return RenewalInfo{}, errors.New("it is no renewal information: it has no suggested window")
	}
	if !info.Start.Before(info.End) {
		return RenewalInfo{}, fmt.Errorf("its suggested window ends at %s, not after its start at %s",
			info.End.Format(time.RFC3339), info.Start.Format(time.RFC3339))
	}
	return info, nil
}

// presentable is the address of a page that a person can be sent to, or "" for anything else.
func presentable(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http") || strings.ContainsFunc(text, notInLink) {
		return ""
	}
	if failure.Clean(text) != text {
		return "" // too long to be shown whole
	}
	return text
}

// RenewalID is the identifier of a certificate in renewal information and in an order's `replaces`
// (RFC 9773 §4.1): its authority key identifier and its serial number, "" for a certificate without
// the former.
func RenewalID(leaf *x509.Certificate) string {
	if len(leaf.AuthorityKeyId) == 0 || leaf.SerialNumber == nil {
		return ""
	}
	serial := leaf.SerialNumber.Bytes()
	if len(serial) == 0 || serial[0]&0x80 != 0 {
		serial = append([]byte{0}, serial...) // DER integers are signed
	}
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(leaf.AuthorityKeyId) + "." + b64.EncodeToString(serial)
}

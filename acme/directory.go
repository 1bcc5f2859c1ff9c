package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"orderly/outside"
)

// A CA is known by its directory. It is fetched once in a run: every request to be spared is one
// that a busy CA does not refuse.

// boulderEntry is the value of the entry with a random name that Boulder puts into its directory,
// lest clients break when an unknown one appears.
const boulderEntry = "https://community.letsencrypt.org/t/adding-random-entries-to-the-directory/33417"

// ErrNoDirectory is the cause where an answer is complete and no ACME directory: --server names
// something else, or a page stands before the CA.
var ErrNoDirectory = errors.New("what stands there is no ACME directory")

// Directory is RFC 8555 §7.1.1. RenewalInfo is RFC 9773's, without a slash at its end, and empty
// where there is none.
type Directory struct {
	NewNonce, NewAccount, NewOrder, RevokeCert, KeyChange, RenewalInfo string

	Meta    Meta
	Boulder bool // whether this is Let's Encrypt's software, whose behaviour is known
}

// Meta is what the CA tells of itself.
type Meta struct {
	TermsOfService, Website outside.Text
	CAAIdentities           []outside.Text
	ExternalAccountRequired bool
	Profiles                map[string]outside.Text // name to description; at most 100
}

// Directory returns the CA's directory: with one GET the first time it succeeds, without a request
// afterwards.
func (c *Client) Directory(ctx context.Context) (Directory, error) {
	r := request{kind: KindDirectory, method: http.MethodGet, url: c.directoryURL}
	if err := c.acquire(ctx); err != nil {
		return Directory{}, r.notSent(err)
	}
	defer c.release()
	if c.directory != nil {
		return *c.directory, nil
	}
	a, err := c.exchange(ctx, &c.redirecting, r)
	if err != nil {
		return Directory{}, err
	}
	c.nonces.put(a.header.Get("Replay-Nonce"), c.now())
	if !a.success() {
		return Directory{}, a.problem()
	}
	if a.broken != nil {
		return Directory{}, a.lost(a.broken)
	}
	d, err := parseDirectory(a.body)
	if err != nil {
		return Directory{}, a.lost(err)
	}
	c.directory = &d
	return d, nil
}

// parseDirectory takes each member by itself, so that an oddity in one, of which Boulder has one on
// purpose, harms none.
func parseDirectory(body []byte) (Directory, error) {
	members, err := members(body)
	if err != nil {
		return Directory{}, ErrNoDirectory
	}
	var meta map[string]json.RawMessage
	json.Unmarshal(members["meta"], &meta)
	d := Directory{
		NewNonce:    addressOf(textOf(members["newNonce"])),
		NewAccount:  addressOf(textOf(members["newAccount"])),
		NewOrder:    addressOf(textOf(members["newOrder"])),
		RevokeCert:  addressOf(textOf(members["revokeCert"])),
		KeyChange:   addressOf(textOf(members["keyChange"])),
		RenewalInfo: strings.TrimRight(addressOf(textOf(members["renewalInfo"])), "/"),
		Meta:        parseMeta(meta),
	}
	for _, raw := range members {
		d.Boulder = d.Boulder || textOf(raw) == boulderEntry
	}
	if d.NewNonce == "" || d.NewAccount == "" || d.NewOrder == "" {
		return Directory{}, fmt.Errorf("%w: newNonce, newAccount or newOrder is missing", ErrNoDirectory)
	}
	return d, nil
}

func parseMeta(members map[string]json.RawMessage) Meta {
	m := Meta{
		TermsOfService:          outside.Of(textOf(members["termsOfService"])),
		Website:                 outside.Of(textOf(members["website"])),
		CAAIdentities:           textsOf(members["caaIdentities"], contactsKept),
		ExternalAccountRequired: truthOf(members["externalAccountRequired"]),
	}
	var profiles map[string]json.RawMessage
	json.Unmarshal(members["profiles"], &profiles)
	for _, name := range slices.Sorted(maps.Keys(profiles)) {
		if len(m.Profiles) == profilesKept {
			break
		}
		if wordOf("profile", name) != name {
			continue // nobody could ask for it
		}
		if m.Profiles == nil {
			m.Profiles = map[string]outside.Text{}
		}
		m.Profiles[name] = outside.Of(textOf(profiles[name]))
	}
	return m
}

// endpoint is a URL of the directory, for a request of this kind. Its error is a NotSent: whatever
// went wrong with the directory, this request was not sent.
func (c *Client) endpoint(ctx context.Context, kind string,
	pick func(Directory) string) (string, error) {
	d, err := c.Directory(ctx)
	if err != nil {
		return "", beforehand(kind, c.directoryURL, "reading the directory "+c.directoryURL, err)
	}
	target := pick(d)
	if err := c.permit(kind, target); err != nil {
		return "", &NotSent{Kind: kind, URL: target, Cause: err}
	}
	return target, nil
}

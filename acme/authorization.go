package acme

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"orderly/failure"
)

// A deactivation is the one request here that looks the same for an account and for an
// authorization, so that only an object that was just looked at can be given up.

// Authorization is RFC 8555 §7.1.4. One that Account.Authorization returned remembers so; only such
// a one can be given to Account.Deactivate.
type Authorization struct {
	Reply
	URL string
	// pending, valid, invalid, deactivated, expired or revoked; otherwise outside.Odd
	Status     string
	Name       string // as names are compared, without the "*." of a wildcard
	Wildcard   bool
	Expires    time.Time
	Challenges []Challenge

	seen sighting
}

// sighting is the proof that a POST-as-GET to url, signed by this account, was answered with an
// authorization.
type sighting struct {
	client  *Client
	account string
	url     string
}

// Challenge is RFC 8555 §7.1.5. Types nobody here knows are kept as they are: CAs add new ones, and
// only a type that was asked for is ever answered. Reply is set only by Account.Respond.
type Challenge struct {
	Reply
	URL       string
	Type      string // http-01, dns-01, …
	Status    string // pending, processing, valid or invalid; Boulder never shows processing
	Token     string // in printable ASCII: whoever makes a file name of it must check it
	Validated time.Time
	Error     *Problem
}

// Authorization asks for an authorization with one POST-as-GET.
func (a *Account) Authorization(ctx context.Context, url string) (Authorization, error) {
	got, err := a.post(ctx, KindAuthorization, url, nil)
	if err != nil {
		return Authorization{}, err
	}
	authorization, err := parseAuthorization(got, url)
	if err != nil {
		return Authorization{}, err
	}
	authorization.seen = sighting{client: a.client, account: a.url, url: url}
	return authorization, nil
}

// Respond tells the CA, with one POST, that the challenge at this URL can be validated. At Boulder
// each further POST while it validates counts as one more failure if it fails.
func (a *Account) Respond(ctx context.Context, challengeURL string) (Challenge, error) {
	got, err := a.post(ctx, KindChallenge, challengeURL, []byte("{}"))
	if err != nil {
		return Challenge{}, err
	}
	challenge, ok := parseChallenge(bytes.TrimPrefix(got.body, byteOrderMark))
	if !ok {
		return Challenge{}, got.lost(errors.New("it is no challenge"))
	}
	challenge.Reply, challenge.URL = got.Reply, got.urlIn(challenge.URL)
	return challenge, nil
}

// Deactivate gives up an authorization that this account got from Authorization, with one POST. Any
// other is refused before anything is sent (invariant I11): the same payload sent to an account's
// URL deactivates the account.
func (a *Account) Deactivate(ctx context.Context,
	authorization Authorization) (Authorization, error) {
	url := authorization.URL
	if url == a.url || authorization.seen != (sighting{client: a.client, account: a.url, url: url}) {
		return Authorization{}, &NotSent{Kind: KindDeactivate, URL: url, Cause: failure.New(failure.Internal, "",
			"%q was not seen to be an authorization of this account, so that deactivating it could hit the account itself", failure.Clean(url))}
	}
	got, err := a.post(ctx, KindDeactivate, url, []byte(`{"status":"deactivated"}`))
	if err != nil {
		return Authorization{}, err
	}
	return parseAuthorization(got, url)
}

func parseAuthorization(a answer, url string) (Authorization, error) {
	object, err := a.object()
	if err != nil {
		return Authorization{}, err
	}
	var identifier map[string]json.RawMessage
	json.Unmarshal(object["identifier"], &identifier)
	status, name := textOf(object["status"]), textOf(identifier["value"])
	if status == "" || name == "" {
		// An account has a status too: taken for an authorization, it could be deactivated.
		return Authorization{}, a.lost(errors.New("it is no authorization: it has no status or no identifier"))
	}
	authorization := Authorization{
		Reply: a.Reply, URL: url, Status: authorizationStatus(status), Name: nameOf(name),
		Wildcard: truthOf(object["wildcard"]), Expires: parseTime(textOf(object["expires"])),
	}
	challenges := listOf(object["challenges"])
	for _, raw := range challenges[:min(len(challenges), challengesKept)] {
		if challenge, ok := parseChallenge(raw); ok {
			challenge.URL = a.urlIn(challenge.URL)
			authorization.Challenges = append(authorization.Challenges, challenge)
		}
	}
	return authorization, nil
}

// parseChallenge takes each member by itself, so that a new type of challenge with members of
// another kind does no harm.
func parseChallenge(raw []byte) (Challenge, bool) {
	var members map[string]json.RawMessage
	json.Unmarshal(raw, &members)
	challenge := Challenge{
		URL:       addressOf(textOf(members["url"])),
		Type:      wordOf("type of challenge", textOf(members["type"])),
		Status:    challengeStatus(textOf(members["status"])),
		Token:     wordOf("token", textOf(members["token"])),
		Validated: parseTime(textOf(members["validated"])),
		Error:     embeddedProblem(members["error"]),
	}
	return challenge, challenge.Type != ""
}

package acme

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"orderly/outside"
)

// What is asked about the account itself. Deactivation has a method of its own and no URL as an
// argument: sent to the wrong one the same bytes would give up an authorization, and the other way
// round.

// Registration is what newAccount asks for (RFC 8555 §7.3).
type Registration struct {
	Contact              []string // URLs such as mailto:a@example.com; may be empty
	TermsOfServiceAgreed bool
	// make none: a key without an account gives the Problem accountDoesNotExist
	OnlyReturnExisting bool
	// External is the customer's key at the CA, which Meta.ExternalAccountRequired tells to be
	// needed; nil for none.
	External *ExternalAccount
}

// AccountObject is RFC 8555 §7.1.2.
type AccountObject struct {
	Reply // its Status 201: the account was made; 200: the key had one already
	URL   string
	// valid, deactivated or revoked; "" where the CA shows none; otherwise outside.Odd
	Status  string
	Contact []outside.Text // as the CA holds them; at most 100
	Orders  string         // URL of the account's list of orders; Boulder has none
}

// OrderList is one page of an account's orders (RFC 8555 §7.1.2.1).
type OrderList struct {
	Reply
	URLs []string
	Next string // the next page's URL; "" on the last
}

// Account signs requests with an account key in the name of the account with this URL.
type Account struct {
	client *Client
	key    *Key
	url    string
}

// NewAccount makes an account for the key, or finds the one it has, with one POST signed by the key
// itself.
func (c *Client) NewAccount(ctx context.Context, k *Key, r Registration) (AccountObject, error) {
	target, err := c.endpoint(ctx, KindNewAccount, func(d Directory) string { return d.NewAccount })
	if err != nil {
		return AccountObject{}, err
	}
	payload, err := r.payload(k, target)
	s := signed{kind: KindNewAccount, url: target, key: k, payload: payload}
	if err != nil {
		return AccountObject{}, s.notSent(err)
	}
	a, err := c.post(ctx, s)
	if err != nil {
		return AccountObject{}, err
	}
	location, err := a.location()
	if err != nil {
		return AccountObject{}, a.lost(err)
	}
	return parseAccount(a, location)
}

func (r Registration) payload(k *Key, target string) ([]byte, error) {
	wanted := struct {
		Contact                []string        `json:"contact,omitempty"`
		TermsOfServiceAgreed   bool            `json:"termsOfServiceAgreed,omitempty"`
		OnlyReturnExisting     bool            `json:"onlyReturnExisting,omitempty"`
		ExternalAccountBinding json.RawMessage `json:"externalAccountBinding,omitempty"`
	}{Contact: r.Contact, TermsOfServiceAgreed: r.TermsOfServiceAgreed,
		OnlyReturnExisting: r.OnlyReturnExisting}
	if r.External != nil {
		bound, err := r.External.bind(k, target)
		if err != nil {
			return nil, err
		}
		wanted.ExternalAccountBinding = bound
	}
	return json.Marshal(wanted)
}

// Account makes no request. What is done through it is signed with kid url, the URL that NewAccount
// returned.
func (c *Client) Account(k *Key, url string) *Account {
	return &Account{client: c, key: k, url: url}
}

// Fetch asks for the account object with one POST-as-GET. A deactivated account may also be a
// Problem unauthorized.
func (a *Account) Fetch(ctx context.Context) (AccountObject, error) {
	got, err := a.post(ctx, KindAccount, a.url, nil)
	if err != nil {
		return AccountObject{}, err
	}
	return parseAccount(got, a.url)
}

// Update replaces the account's contacts with one POST (RFC 8555 §7.3.2); none at all removes those
// it has. A CA may keep none: Let's Encrypt forgets them, so the answer need not hold what was
// sent. Sending it again does no harm.
func (a *Account) Update(ctx context.Context, contact []string) (AccountObject, error) {
	if contact == nil {
		contact = []string{} // null would not be an update
	}
	payload, err := json.Marshal(map[string][]string{"contact": contact})
	if err != nil {
		return AccountObject{}, &NotSent{Kind: KindUpdateAccount, URL: a.url, Cause: err}
	}
	got, err := a.post(ctx, KindUpdateAccount, a.url, payload)
	if err != nil {
		return AccountObject{}, err
	}
	return parseAccount(got, a.url)
}

// DeactivateAccount gives up the account itself for ever, with one POST (RFC 8555 §7.3.6). Nothing
// brings it back, and its key makes no new one. Certificates stay valid; its orders cannot be
// continued. After a Lost, Fetch tells: the Problem unauthorized means that it was done.
func (a *Account) DeactivateAccount(ctx context.Context) (AccountObject, error) {
	got, err := a.post(ctx, KindDeactivateAccount, a.url, []byte(`{"status":"deactivated"}`))
	if err != nil {
		return AccountObject{}, err
	}
	object, err := parseAccount(got, a.url)
	// a CA that shows no status says yes by its 200
	if err == nil && object.Status != "deactivated" && object.Status != "" {
		return AccountObject{}, got.lost(fmt.Errorf("the account is %s after it", object.Status))
	}
	return object, err
}

// ErrNoList is the cause where what stands at the list's URL arrived whole and is no list of
// orders.
var ErrNoList = errors.New("it is no list of orders")

// Orders asks for one page of the account's orders: the first at AccountObject.Orders, further ones
// at OrderList.Next.
func (a *Account) Orders(ctx context.Context, url string) (OrderList, error) {
	got, err := a.post(ctx, KindOrders, url, nil)
	if err != nil {
		return OrderList{}, err
	}
	urls, ok := listIn(got.body)
	if !ok {
		return OrderList{}, got.lost(ErrNoList)
	}
	page := OrderList{Reply: got.Reply}
	for _, url := range urls {
		page.URLs = append(page.URLs, got.urlIn(url))
	}
	if next := got.links("next"); len(next) > 0 {
		page.Next = next[0]
	}
	return page, nil
}

// listIn is the list of orders in a body: RFC 8555's object, or the bare array that step-ca sends.
func listIn(body []byte) (urls []string, ok bool) {
	if object, err := members(body); err == nil {
		body = object["orders"]
	}
	err := json.Unmarshal(body, &urls)
	return urls, err == nil && urls != nil // null shows nothing
}

// post sends one request in the account's name; without a payload it is a POST-as-GET.
func (a *Account) post(ctx context.Context, kind, url string, payload []byte) (answer, error) {
	s := signed{kind: kind, url: url, key: a.key, kid: a.url, payload: payload}
	if kind == KindCertificate {
		s.accept = "application/pem-certificate-chain"
	}
	if a.url == "" {
		// Without a kid the public key would be embedded, which is the way to make an account.
		return answer{}, s.notSent(errors.New("the account's URL is not known"))
	}
	return a.client.post(ctx, s)
}

// parseAccount needs nothing of an account but that it is an object: whose it is was known before,
// or is in the Location. Whoever needs the status must see to it that there is one.
func parseAccount(a answer, url string) (AccountObject, error) {
	object, err := a.object()
	if err != nil {
		return AccountObject{}, err
	}
	if len(object) == 0 {
		return AccountObject{}, a.lost(errors.New("it is no account: it is empty"))
	}
	return AccountObject{
		Reply: a.Reply, URL: url, Status: accountStatus(textOf(object["status"])),
		Contact: textsOf(object["contact"], contactsKept),
		Orders:  a.urlIn(textOf(object["orders"])),
	}, nil
}

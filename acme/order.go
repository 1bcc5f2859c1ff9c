package acme

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"orderly/outside"
)

// newOrder, the look at an order and finalize: what they send, and how much an answer must say
// before it counts as one.

// OrderRequest is what newOrder asks for (RFC 8555 §7.4).
type OrderRequest struct {
	Names    []string // DNS names and IP addresses, see IdentifierOf
	Profile  string   // a name from Meta.Profiles; "" leaves the choice to the CA
	Replaces string   // the certificate identifier of RFC 9773 §4.1; "" for none
}

// Order is RFC 8555 §7.1.3.
type Order struct {
	Reply
	// the Location of newOrder and finalize ("" if they gave none), else what was asked
	URL     string
	Status  string // pending, ready, processing, valid or invalid; otherwise outside.Odd
	Expires time.Time
	// as names are compared (nameOf); in the CA's order; none where it shows none
	Names          []string
	Authorizations []string
	Finalize       string
	Certificate    string // "" before the order is valid
	Profile        string
	// echoed; Boulder drops it silently when it hands back an order made without
	Replaces string
	Error    *Problem // nil if the CA gave none; Boulder gives none after a failed validation
}

// NewOrder makes an order, or is handed back one that exists, with one POST. A Lost with a Location
// still says where the order is; an order without a Location has no URL, and all that is needed to
// go on with it. Status 201 says nothing about whether the order is new: Boulder answers so for a
// reused one too.
func (a *Account) NewOrder(ctx context.Context, r OrderRequest) (Order, error) {
	target, err := a.client.endpoint(ctx, KindNewOrder, func(d Directory) string { return d.NewOrder })
	if err != nil {
		return Order{}, err
	}
	wanted := struct {
		Identifiers []identifier `json:"identifiers"`
		Profile     string       `json:"profile,omitempty"`
		Replaces    string       `json:"replaces,omitempty"`
	}{Profile: r.Profile, Replaces: r.Replaces}
	for _, name := range r.Names {
		kind, value := IdentifierOf(name)
		wanted.Identifiers = append(wanted.Identifiers, identifier{kind, value})
	}
	payload, err := json.Marshal(wanted)
	if err != nil {
		return Order{}, &NotSent{Kind: KindNewOrder, URL: target, Cause: err}
	}
	got, err := a.post(ctx, KindNewOrder, target, payload)
	if err != nil {
		return Order{}, err
	}
	location, unplaced := got.location()
	o, err := parseOrder(got, location)
	if unplaced != nil && (err != nil || o.Finalize == "" || len(o.Authorizations) == 0) {
		return Order{}, got.lost(unplaced) // nothing to go on with
	}
	return o, err
}

// TakesOrders finds out whether the CA answers newOrder, with a POST-as-GET of it, of which no CA
// can make an order: nil says that it refused this in words of its own. Where newOrder itself has
// no answer, to ask this costs less than another order.
func (a *Account) TakesOrders(ctx context.Context) error {
	target, err := a.client.endpoint(ctx, KindNewOrder, func(d Directory) string { return d.NewOrder })
	if err != nil {
		return err
	}
	got, err := a.post(ctx, KindNewOrder, target, nil)
	if err == nil && got.header.Get("Replay-Nonce") == "" {
		return got.lost(errors.New("it is no answer of a CA's"))
	}
	if p, ok := errors.AsType[*Problem](err); ok && p.Status < 500 && !p.Page {
		if _, unsent := errors.AsType[*NotSent](err); !unsent {
			return nil
		}
	}
	return err
}

// Order asks for an order with one POST-as-GET. Boulder answers 404 for one that has expired.
func (a *Account) Order(ctx context.Context, url string) (Order, error) {
	got, err := a.post(ctx, KindOrder, url, nil)
	if err != nil {
		return Order{}, err
	}
	return parseOrder(got, url)
}

// Finalize sends the CSR to an order's Finalize URL with one POST. The certificate may take longer:
// Order tells.
func (a *Account) Finalize(ctx context.Context, url string, csrDER []byte) (Order, error) {
	payload, err := json.Marshal(map[string]string{"csr": base64.RawURLEncoding.EncodeToString(csrDER)})
	if err != nil {
		return Order{}, &NotSent{Kind: KindFinalize, URL: url, Cause: err}
	}
	got, err := a.post(ctx, KindFinalize, url, payload)
	if err != nil {
		return Order{}, err
	}
	location, _ := got.location() // RFC 8555 §7.4 shows one and does not demand it
	return parseOrder(got, location)
}

// parseOrder needs a status, and one more of an order's members, lest an account be taken for an
// order.
func parseOrder(a answer, url string) (Order, error) {
	object, err := a.object()
	if err != nil {
		return Order{}, err
	}
	o := Order{
		Reply: a.Reply, URL: url, Status: orderStatus(textOf(object["status"])),
		Expires: parseTime(textOf(object["expires"])), Names: identifiersOf(object["identifiers"]),
		Authorizations: a.urlsIn(object["authorizations"]),
		Finalize:       a.urlIn(textOf(object["finalize"])),
		Certificate:    a.urlIn(textOf(object["certificate"])),
		Profile:        wordOf("profile", textOf(object["profile"])),
		Replaces:       wordOf("certificate", textOf(object["replaces"])),
		Error:          embeddedProblem(object["error"]),
	}
	if o.Status == "" || len(o.Names) == 0 && len(o.Authorizations) == 0 && o.Finalize == "" {
		return Order{}, a.lost(errors.New("it is no order: it has no status, or nothing else of one"))
	}
	return o, nil
}

// identifiersOf are the names of an order. One that cannot be read is an odd word, which equals
// nothing that was ordered.
func identifiersOf(raw json.RawMessage) []string {
	var names []string
	for _, one := range listOf(raw) {
		var object map[string]json.RawMessage
		json.Unmarshal(one, &object)
		if name := textOf(object["value"]); name != "" {
			names = append(names, nameOf(name))
		} else {
			names = append(names, outside.Odd("name", string(one)))
		}
	}
	return names
}

// parseTime is zero for what is no RFC 3339 time, since a CA's slip in a date must not hide the
// object around it.
func parseTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

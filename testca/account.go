package testca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// enrolment is an account that was made here. Pebble forgets the binding at the account's first change.
type enrolment struct {
	id, customer string
	at           time.Time
}

// TruthAccount is an account.
type TruthAccount struct {
	URL        string   `json:"url"`
	Status     string   `json:"status"` // valid or deactivated
	Contact    []string `json:"contact"`
	Thumbprint string   `json:"thumbprint"`         // of its key of this moment (RFC 7638)
	Customer   string   `json:"customer,omitempty"` // the key identifier of its external account binding
}

// enrol notes a new account and whose it is by the binding in the newAccount's payload.
func (s *state) enrol(location string, payload []byte, now time.Time) {
	var made struct {
		ExternalAccountBinding json.RawMessage `json:"externalAccountBinding"`
	}
	_ = json.Unmarshal(payload, &made) // Pebble has read it
	_, id, _ := strings.Cut(location, accountPath)
	s.accounts = append(s.accounts, enrolment{id, peek(made.ExternalAccountBinding).kid, now})
}

// accounts is the Truth about all accounts.
func (c *CA) accounts() []TruthAccount {
	list := []TruthAccount{}
	for _, e := range c.state.accounts {
		account := c.pebble.store.GetAccountByID(e.id)
		truth := TruthAccount{URL: c.base + accountPath + e.id, Status: account.Status, Contact: account.Contact,
			Thumbprint: thumbprint(account.Key), Customer: e.customer}
		list = append(list, truth)
	}
	return list
}

// enrolled is when an account was made here.
func (s *state) enrolled(id string) time.Time {
	for _, e := range s.accounts {
		if e.id == id {
			return e.at
		}
	}
	return time.Time{}
}

// changeOf says which change of an account a payload asks for.
func changeOf(payload []byte) string {
	var change struct{ Status string }
	if json.Unmarshal(payload, &change) == nil && change.Status == acme.StatusDeactivated {
		return kindDeactivateAccount
	}
	return kindUpdateAccount
}

// changeKey is Pebble's, but for a key that has an account already: Pebble says 200 then and changes nothing.
func (c *CA) changeKey(r *request) *reply {
	if p := c.badAlgorithm(r.payload); p != nil {
		return c.refuse(r, p)
	}
	holder := c.holder(r.payload)
	if holder == nil || strings.HasSuffix(r.kid, accountPath+holder.ID) {
		return c.pebble.serve(r.Request, r.body).documented()
	}
	return c.own(r, func(verified *reply) *reply {
		verified.refuse(problemf(http.StatusConflict, "conflict", "New key is already in use for a different account"))
		verified.header.Set("Location", r.url(accountPath+holder.ID))
		return verified
	})
}

// holder is the account of the key that signed the inner JWS of a key change; nil if there is none.
func (c *CA) holder(inner []byte) *core.Account {
	var jws struct{ Protected string }
	var header struct{ JWK jose.JSONWebKey }
	if json.Unmarshal(inner, &jws) != nil {
		return nil
	}
	protected, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err != nil || json.Unmarshal(protected, &header) != nil {
		return nil
	}
	account, err := c.pebble.store.GetAccountByKey(&header.JWK)
	if err != nil {
		return nil
	}
	return account
}

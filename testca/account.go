package testca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
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

// enrol notes a new account and whose it is.
func (s *state) enrol(location, customer string, now time.Time) {
	_, id, _ := strings.Cut(location, accountPath)
	s.accounts = append(s.accounts, enrolment{id, customer, now})
}

// customerIn is the customer of the binding in a newAccount's payload; "" if there is none, or nobody reads it.
func (c *CA) customerIn(payload []byte) string {
	var made struct {
		ExternalAccountBinding json.RawMessage `json:"externalAccountBinding"`
	}
	if c.readsNoBindings() || json.Unmarshal(payload, &made) != nil {
		return ""
	}
	return peek(made.ExternalAccountBinding).kid
}

// readsNoBindings reports whether the CA is a Boulder, which knows of no customers.
func (c *CA) readsNoBindings() bool {
	return c.config.Boulder && len(c.config.ExternalAccountKeys) == 0 && !c.config.ExternalAccountRequired
}

// aboutBindings are the words by which Pebble's refusals of a binding are known. It looks at one only
// after it has verified the request and found that the key has no account.
func aboutBindings() []string {
	return []string{"external account binding", "the field 'kid' references a key"}
}

// unbound makes the account all the same where Pebble refused a binding that nobody had asked for, as
// Boulder does: a client with left-over credentials is served there, and must be here.
func (c *CA) unbound(r *request, answer *reply) *reply {
	refused := answer.status >= 400 && slices.ContainsFunc(aboutBindings(), func(words string) bool {
		return strings.Contains(answer.body.String(), words)
	})
	if !refused || r.kind != kindNewAccount || !c.readsNoBindings() {
		return answer
	}
	var asked struct{ Contact []string }
	key := keyIn(r.body)
	if json.Unmarshal(r.payload, &asked) != nil || key == nil {
		return answer
	}
	made := &core.Account{Account: acme.Account{Contact: asked.Contact, Status: acme.StatusValid}, Key: key}
	if _, err := c.pebble.store.AddAccount(made); err != nil {
		c.log.Printf("an account cannot be kept: %v", err)
		return answer
	}
	made.Orders = r.url(ordersPath + made.ID)
	answer.header.Set("Location", r.url(accountPath+made.ID))
	return answer.json(http.StatusCreated, made)
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

// holder is the account of the key that a JWS names, the inner one of a key change too; nil if there is none.
func (c *CA) holder(jws []byte) *core.Account {
	key := keyIn(jws)
	if key == nil {
		return nil
	}
	account, err := c.pebble.store.GetAccountByKey(key)
	if err != nil {
		return nil
	}
	return account
}

// keyIn is the key that a JWS names in its header; nil if there is none.
func keyIn(text []byte) *jose.JSONWebKey {
	var jws struct{ Protected string }
	var header struct{ JWK jose.JSONWebKey }
	if json.Unmarshal(text, &jws) != nil {
		return nil
	}
	protected, err := base64.RawURLEncoding.DecodeString(jws.Protected)
	if err != nil || json.Unmarshal(protected, &header) != nil {
		return nil
	}
	return &header.JWK
}

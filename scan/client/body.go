package client

// What a CA's answer or a request says, as far as a scan needs it. A body holds a status in each of
// its challenges as well as its own, so that where a value stands decides what it means.

import (
	"strings"
	"time"
)

// maxList bounds the names and authorizations of an order: no CA allows more.
const maxList = 1000

// said is what a JSON object of the CA's, or of a request, says.
type said struct {
	status, expires            string
	kind, token                string // of a challenge or a problem
	url                        string // url or uri
	name                       string // identifier.value
	wildcard                   bool
	names                      []string // identifiers
	authorizations             []string
	finalize, certificate      string
	challenges                 []string // their URLs
	csr                        bool
	newOrder, newAuthz         string
	keyID, nonce               string
	failedNames                []string // identifiers within an error
	errorKind, errorDetail     string   // of the object's own error, or of its challenges'
	hasAuthorizations          bool
	hasChallenges, hasKeyAuthz bool
}

// where a value stands.
type where uint8

const (
	top where = iota
	inIdentifier
	inIdentifiers
	inAuthorizations
	inChallenges
	inChallenge
	inChallengeError
	inError
	inSubproblem
	elsewhere
)

// within says where the value of a key stands.
func within(at where, key []byte) where {
	switch {
	case key == nil:
		return at // an element of a list
	case at == top && string(key) == "identifier":
		return inIdentifier
	case at == top && string(key) == "identifiers":
		return inIdentifiers
	case at == top && string(key) == "authorizations":
		return inAuthorizations
	case at == top && string(key) == "challenges":
		return inChallenges
	case at == inChallenges && string(key) == "error":
		return inChallengeError
	case at == top && string(key) == "error", at == inError && string(key) == "subproblems":
		return inError
	case at == inError && string(key) == "identifier":
		return inSubproblem
	}
	return elsewhere
}

// keep keeps a text that matters.
func (r *reader) keep(at where, key, text []byte) {
	s := r.said
	switch at {
	case top:
		r.keepTop(key, text)
	case inIdentifier:
		if string(key) == "value" {
			s.name = string(text)
		}
	case inIdentifiers:
		if string(key) == "value" && len(s.names) < maxList {
			s.names = append(s.names, string(text))
		}
	case inAuthorizations:
		if key == nil && len(s.authorizations) < maxList {
			s.authorizations = append(s.authorizations, string(text))
		}
	case inChallenges:
		if (string(key) == "url" || string(key) == "uri") && len(s.challenges) < maxList {
			s.challenges = append(s.challenges, string(text))
		}
	case inChallengeError, inError:
		s.keepError(key, text)
	case inSubproblem:
		if string(key) == "value" && len(s.failedNames) < maxList {
			s.failedNames = append(s.failedNames, string(text))
		}
	}
}

// keepError keeps what the first error says.
func (s *said) keepError(key, text []byte) {
	switch {
	case string(key) == "type" && s.errorKind == "":
		s.errorKind = string(text)
	case string(key) == "detail" && s.errorDetail == "":
		s.errorDetail = string(text)
	}
}

func (r *reader) keepTop(key, text []byte) {
	s := r.said
	switch string(key) {
	case "status":
		s.status = string(text)
	case "expires":
		s.expires = string(text)
	case "type":
		s.kind = string(text)
	case "token":
		s.token = string(text)
	case "url", "uri":
		s.url = string(text)
	case "finalize":
		s.finalize = string(text)
	case "certificate":
		s.certificate = string(text)
	case "csr":
		s.csr = true
	case "newOrder":
		s.newOrder = string(text)
	case "new-authz":
		s.newAuthz = string(text)
	case "kid":
		s.keyID = string(text)
	case "nonce":
		s.nonce = string(text)
	case "keyAuthorization":
		s.hasKeyAuthz = true
	}
}

// identifier is the name of an authorization, a wildcard's with its star.
func (s *said) identifier() string {
	if s.wildcard && !strings.HasPrefix(s.name, "*.") {
		return "*." + s.name
	}
	return s.name
}

func expiry(text string) time.Time {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

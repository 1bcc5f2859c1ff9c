package acme

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// What a CA sends is read member by member, as far as it is needed: one of an unexpected kind (a
// number for a time, null for a list, "true" for true), or one that is missing, must not hide the
// others, since a client that reads an order as no order orders anew. Nothing that matters is
// guessed in its place: it is as if the CA had not sent it.

// byteOrderMark stands before the JSON of some web servers.
var byteOrderMark = []byte("\xef\xbb\xbf")

var errNoObject = errors.New("it is no JSON object")

// members are those of the object in a body.
func members(body []byte) (map[string]json.RawMessage, error) {
	var object map[string]json.RawMessage
	err := json.Unmarshal(bytes.TrimPrefix(body, byteOrderMark), &object)
	if err == nil && object == nil { // null
		err = errNoObject
	}
	return object, err
}

// object reads the object in a successful answer. What is none is as good as lost.
func (a answer) object() (map[string]json.RawMessage, error) {
	found, err := members(a.body)
	if err != nil {
		return nil, a.lost(fmt.Errorf("the answer to %s is not what RFC 8555 says: %w", a.request.kind, err))
	}
	return found, nil
}

// textOf is the string in raw, or "" if raw holds something else.
func textOf(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

// truthOf is whether raw says yes, by whatever kind of value; false where it says nothing that can
// be understood.
func truthOf(raw json.RawMessage) bool {
	switch strings.ToLower(strings.Trim(string(raw), `" `)) {
	case "true", "1", "yes":
		return true
	}
	return false
}

// listOf are the elements of the list in raw, none if raw holds something else.
func listOf(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	json.Unmarshal(raw, &list)
	return list
}

package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"unicode/utf8"
)

// What an order is stands in a Request. What a host wants with it (document roots, hooks, files) is
// the host's own affair: the ledger keeps it and hands it back, and whoever decides about orders
// cannot read it. Its keys stand beside the request's own in the row and in what scripts read, as
// they did when both were one type: rows of then are read, and no script meets another layout.

// Payload is what a host wants with an order: a JSON object, or "" for nothing. None of its keys is
// one of Request's own. Nobody but the host reads it.
type Payload string

// MarshalJSON implements json.Marshaler.
func (r Request) MarshalJSON() ([]byte, error) {
	type own Request
	text, err := json.Marshal(own(r))
	if err != nil || r.Host == "" {
		return text, err
	}
	var theirs map[string]json.RawMessage
	err = json.Unmarshal([]byte(r.Host), &theirs)
	if err != nil || !utf8.ValidString(string(r.Host)) {
		return nil, errors.Join(errors.New("what the host wants is no JSON object in UTF-8"), err)
	}
	for _, key := range ownKeys() {
		if _, taken := theirs[key]; taken { // one of the two would be lost
			return nil, fmt.Errorf("what the host wants has a key of the request's own, %s", key)
		}
	}
	if len(theirs) == 0 {
		return text, nil
	}
	host := bytes.TrimSpace([]byte(r.Host))
	return append(append(text[:len(text)-1], ','), host[1:]...), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *Request) UnmarshalJSON(text []byte) error {
	type own Request
	var read own
	if err := json.Unmarshal(text, &read); err != nil {
		return err
	}
	var theirs map[string]json.RawMessage
	if err := json.Unmarshal(text, &theirs); err != nil {
		return err
	}
	for _, key := range ownKeys() {
		delete(theirs, key)
	}
	if len(theirs) > 0 {
		host, err := json.Marshal(theirs)
		if err != nil {
			return err
		}
		read.Host = Payload(host)
	}
	*r = Request(read)
	return nil
}

// ownKeys are the keys of what an order is, found out once: every commit of an order asks.
var ownKeys = sync.OnceValue(func() []string {
	var keys []string
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Request]()) {
		if key, _, _ := strings.Cut(field.Tag.Get("json"), ","); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
})

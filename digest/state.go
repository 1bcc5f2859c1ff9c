package digest

// What was told. It is committed together with the messages that tell it, so that a kill in between
// tells nothing twice and loses nothing; and it is written small, since a fleet has a hundred thousand
// findings.

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"time"

	"orderly/doctor"
	"orderly/ledger"
)

const stateVersion = 2

// mostState is how much of a state is unpacked, in bytes.
const mostState = 512 << 20

// State is what was told.
type State struct {
	Version int                  `json:"version"`
	At      time.Time            `json:"at,omitzero"` // last
	Told    map[string]Told      `json:"told"`        // findings, by what they are
	Ends    map[string]End       `json:"ends"`        // certificates that end, by server and lineage
	Servers map[string]time.Time `json:"servers"`     // when each spoke last
	Silent  map[string]bool      `json:"silent"`      // reports that are missing
}

// Told is a finding that was told.
type Told struct {
	doctor.Extent
	ID      string    `json:"i"`
	Server  string    `json:"s,omitempty"`
	Lineage string    `json:"l,omitempty"`
	At      time.Time `json:"at"` // first
}

// End is a certificate whose end was told.
type End struct {
	Expires time.Time `json:"e"`
	Days    int       `json:"d"` // the last threshold
}

// The keys of states in the ledger.
const (
	OfServer = "digest/server"
	OfFleet  = "digest/fleet"
)

// Memos is what a state needs of a ledger.
type Memos interface {
	Memo(ctx context.Context, key string) (ledger.Memo, error)
}

// Read reads a state; what was never told, or cannot be read, is none, so that all is told again
// rather than never.
func Read(ctx context.Context, store Memos, key string) (State, error) {
	memo, err := store.Memo(ctx, key)
	if errors.Is(err, ledger.ErrNone) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	var s State
	packed, err := gzip.NewReader(bytes.NewReader(memo.Body))
	if err != nil {
		return State{}, nil
	}
	text, err := io.ReadAll(io.LimitReader(packed, mostState))
	if err != nil || json.Unmarshal(text, &s) != nil || s.Version != stateVersion {
		return State{}, nil
	}
	return s, nil
}

// Memo is the state as the ledger keeps it.
func (s State) Memo(key string) (ledger.Memo, error) {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	err := json.NewEncoder(w).Encode(s)
	if err == nil {
		err = w.Close()
	}
	return ledger.Memo{Key: key, At: s.At, Body: packed.Bytes()}, err
}

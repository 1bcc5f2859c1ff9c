// Package deliver brings a message to people: by SMTP, by sendmail, to a webhook, by a command. What
// is to be told stands in the ledger's outbox before anything is tried, and until it has arrived or
// was given up. It knows nothing of what a message is about; it must never hold up whoever makes
// one, never send a login where it can be read, never follow a redirect, and never show the secret
// in the address of a webhook.
package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"orderly/failure"
	"orderly/outside"
)

// Letter is a message as the outbox keeps it: in every form that a channel may want, since who tells
// it is not known before it is told.
type Letter struct {
	Version int       `json:"version"`
	ID      string    `json:"id"` // the same at each try, so that a second copy is known for one
	Host    string    `json:"host"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`
	HTML    string    `json:"html,omitempty"`
	Brief   string    `json:"brief"` // the text for a chat, where a thousand lines drown everything
	// Whole is what the text cut, for a file beside it; "" where it cut nothing.
	Whole    string          `json:"whole,omitempty"`
	Document json.RawMessage `json:"document,omitempty"` // for programs
	Had      []string        `json:"had,omitempty"`      // recipients who have it
}

// World is what a delivery sees beside its channel.
type World struct {
	HTTP *http.Client // follows no redirect, whatever it was made to do
	Host string       // this host's name
	// Dial connects to a mail server; nil for the network.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// receipt is what became of a try.
type receipt struct {
	had     []string // recipients who have it now, where they are told apart
	refused error    // what was refused for good of a letter that went to others
	err     error    // why it is not done; nil when it is
	forGood bool     // the letter itself was refused: another try ends the same way
	after   time.Duration
}

// failed is a try that another may mend.
func failed(err error) receipt { return receipt{err: err} }

// rejected is the end of a letter.
func rejected(err error) receipt { return receipt{err: err, forGood: true} }

// trouble is why a letter did not arrive, as a person reads it.
func trouble(remedy failure.Remedy, format string, args ...any) error {
	return failure.New(failure.Undelivered, remedy, format, args...)
}

// plainly is an error of the network's in words: no bare EOF, and no address of a webhook.
func plainly(ctx context.Context, err error) string {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded), ok && timeout.Timeout(),
		errors.Is(err, os.ErrDeadlineExceeded):
		return "no answer in time"
	case ctx.Err() != nil:
		return "the run was told to end"
	case endOfAnswer(err):
		return "the connection was closed in the middle"
	}
	return outside.Clean(err.Error())
}

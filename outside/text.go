// Package outside holds text that others wrote: CAs, web servers, DNS, certificates, hooks, files
// of other users. A Text shows itself cleaned, whatever prints it; what arrived is to be had by
// name only, to be compared or kept. It must never gain a way to print what arrived, and imports
// nothing of Orderly.
package outside

import (
	"fmt"
	"log/slog"
	"strings"
)

// Text is text from outside. It cannot be converted to a string; every way of printing it gives the
// cleaned form.
type Text struct{ arrived string }

// Of takes in what arrived.
func Of(arrived string) Text { return Text{arrived} }

// String is the text as it may be shown; see Clean.
func (t Text) String() string { return Clean(t.arrived) }

// Format implements fmt.Formatter, so that no verb gives anything else than the cleaned form.
func (t Text) Format(s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(s, verb), t.String())
}

// MarshalText gives the cleaned form to encoding/json and its like, also as the key of a map.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// LogValue gives the cleaned form to log/slog.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// Arrived is the text as it came. It is for comparing, for storing and for sending back; whoever
// shows it to a person, or puts it into an error or a log, breaks invariant I12.
func (t Text) Arrived() string { return t.arrived }

// Empty reports whether there is nothing to show.
func (t Text) Empty() bool { return t.String() == "" }

// Is reports whether exactly this came.
func (t Text) Is(word string) bool { return t.arrived == word }

// Contains reports whether the text that came holds a part.
func (t Text) Contains(part string) bool { return strings.Contains(t.arrived, part) }

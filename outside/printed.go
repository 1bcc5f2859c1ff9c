package outside

// A program's output is shown as it was printed, in lines. It is the one text from outside that may
// break a line, and so it stands apart: each of its lines begins with a blank, and none can pass
// for one of Orderly's own.

import (
	"fmt"
	"log/slog"
	"strings"
)

// Printed is what another program printed. As with Text, every way of printing it gives the cleaned
// form: each line after a blank, as certbot shows it.
type Printed struct{ arrived string }

// PrintedBy takes in what a program printed.
func PrintedBy(arrived string) Printed { return Printed{arrived} }

// String is the output as it may be shown.
func (p Printed) String() string {
	var lines []string
	for line := range strings.Lines(strings.TrimSpace(p.arrived)) {
		lines = append(lines, " "+Clean(line))
	}
	return strings.Join(lines, "\n")
}

// Format implements fmt.Formatter, so that no verb gives anything else than the cleaned form.
func (p Printed) Format(s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(s, verb), p.String())
}

// MarshalText gives the cleaned form to encoding/json and its like.
func (p Printed) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// LogValue gives the cleaned form to log/slog.
func (p Printed) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Arrived is the output as it came, to be read by a program or handed on.
func (p Printed) Arrived() string { return p.arrived }

// Empty reports whether there is nothing to show.
func (p Printed) Empty() bool { return strings.TrimSpace(p.arrived) == "" }

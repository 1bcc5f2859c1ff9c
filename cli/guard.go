package cli

// The last check before a terminal: text from outside was cleaned where it came in, and what
// somebody forgot ends here. A name, a CA's sentence or a log line must never make a terminal do
// anything.

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"orderly/outside"
)

// guard is the one way out to a terminal, a pipe or a mail: whatever is written, no control
// character but the line break and the tab passes. Text from outside was cleaned where it came in
// (package outside); what somebody forgot ends here. What Orderly itself wants a terminal to do is
// written as a mark.
type guard struct {
	io.Writer
	terminal bool
}

// The marks are noncharacters of Unicode, which no text from outside keeps (outside.Unprintable).
const (
	markRed    = "\ufdd0"
	markGreen  = "\ufdd1"
	markYellow = "\ufdd2"
	markBold   = "\ufdd3"
	markPlain  = "\ufdd4"
	markBack   = "\ufdd5" // to the beginning of the line
	markErase  = "\ufdd6" // and the line away
)

// meaningOf is what a terminal is told for a mark, "" for any other character.
func meaningOf(r rune) string {
	switch string(r) {
	case markRed:
		return "\x1b[31m"
	case markGreen:
		return "\x1b[32m"
	case markYellow:
		return "\x1b[33m"
	case markBold:
		return "\x1b[1m"
	case markPlain:
		return "\x1b[0m"
	case markBack:
		return "\r"
	case markErase:
		return "\r\x1b[K"
	}
	return ""
}

// Write implements io.Writer.
func (g guard) Write(b []byte) (int, error) {
	text := string(b)
	if outside.Printable(text) {
		return g.Writer.Write(b)
	}
	var out strings.Builder
	for at, r := range text {
		if meaning := meaningOf(r); meaning != "" {
			if g.terminal {
				out.WriteString(meaning)
			}
			continue
		}
		_, size := utf8.DecodeRuneInString(text[at:])
		out.WriteString(outside.Lines(text[at : at+size]))
	}
	if _, err := io.WriteString(g.Writer, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

// Unwrap returns the writer itself.
func (g guard) Unwrap() io.Writer { return g.Writer }

// escaper writes JSON in which every character that could do something is written as its number:
// encoding/json leaves the controls of Latin-1 and the bidirectional ones as they are, and JSON is
// read at terminals, too.
type escaper struct{ io.Writer }

// Write implements io.Writer.
func (e escaper) Write(b []byte) (int, error) {
	text := string(b)
	if outside.Printable(text) {
		return e.Writer.Write(b)
	}
	var out strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || !outside.Unprintable(r):
			out.WriteRune(r)
		case r > 0xffff: // as a pair of surrogates
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
	}
	if _, err := io.WriteString(e.Writer, out.String()); err != nil {
		return 0, err
	}
	return len(b), nil
}

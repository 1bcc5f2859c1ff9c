package outside

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What others wrote may hold escape sequences; a terminal obeys them, and a log is read in one.

// longest is the longest text from outside that is shown to anyone, in bytes (invariant I12).
const longest = 500

// Clean makes text from outside (a CA's problem, a web page, DNS) fit to be shown in a terminal, a
// log or a mail: control characters become blanks, invalid UTF-8 is dropped, and what exceeds 500
// bytes is cut at a character's border. A terminal would otherwise obey escape sequences that a
// customer's page smuggled into the CA's error text.
func Clean(text string) string {
	if plain(text) {
		return text
	}
	// Whatever is behind this cannot reach the result: each byte kept takes at most 4 of those that
	// came, but blanks at the beginning are trimmed. 100 kB of escapes must not cost 100 kB of work
	// for each line that is printed.
	text = strings.TrimLeftFunc(text,
		func(r rune) bool { return unicode.IsSpace(r) || Unprintable(r) || r == utf8.RuneError })
	clipped := len(text) > 8*longest
	text = strings.ToValidUTF8(text[:min(len(text), 8*longest)], "")
	text = strings.TrimSpace(strings.Map(blank, text))
	if len(text) <= longest && !clipped {
		return text
	}
	cut := min(len(text), longest-len("…"))
	for cut > 0 && cut < len(text) && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}

// plain is the quick way for almost everything: printable ASCII, short, no blank at either end.
func plain(text string) bool {
	if len(text) > longest {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return text == "" || text[0] != ' ' && text[len(text)-1] != ' '
}

func blank(r rune) rune {
	if Unprintable(r) {
		return ' '
	}
	return r
}

// Unprintable reports whether a character does something instead of showing something: the controls
// of ASCII and of Latin-1 (0x9b begins an escape sequence as ESC [ does), what separates lines, and
// what is called format by Unicode: bidirectional overrides can make a line read as its opposite,
// and zero-width characters two names look like one. Noncharacters mean whatever a program wants
// them to, such as a colour to package cli.
func Unprintable(r rune) bool {
	if r < 0x80 {
		return r < ' ' || r == 0x7f
	}
	return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp,
		unicode.Noncharacter_Code_Point)
}

// Printable reports whether Lines would change nothing.
func Printable(text string) bool { return !strings.ContainsFunc(text, needsCare) }

// Lines is Clean for text of several lines that Orderly put together itself: it is not cut, and
// line breaks and tabs stay. It stands where text leaves the program, so that an escape which got
// that far goes no further.
func Lines(text string) string {
	if Printable(text) {
		return text
	}
	text = strings.ToValidUTF8(text, "")
	return strings.Map(func(r rune) rune {
		if needsCare(r) {
			return ' '
		}
		return r
	}, text)
}

// Line is Lines for text that must stay on its line, such as a cell of a table.
func Line(text string) string {
	return strings.NewReplacer("\n", " ", "\t", " ").Replace(Lines(text))
}

func needsCare(r rune) bool {
	return r != '\n' && r != '\t' && (Unprintable(r) || r == utf8.RuneError)
}

// shownOfOdd is how much of a word that is none is shown, in bytes.
const shownOfOdd = 60

// Odd is the value of a word of a closed alphabet (a status, a name) that is none. It equals no
// such word, says what it should have been, and shows what came in printable ASCII.
func Odd(what, arrived string) string {
	cut := arrived[:min(len(arrived), shownOfOdd)]
	quoted := strconv.QuoteToASCII(cut)
	if len(cut) < len(arrived) {
		quoted += "..."
	}
	return "not a " + what + ": " + quoted
}

package diagnose

// Mails, terminals and `fold` break lines, some of them in the midst of a word. Where they do so at
// a width, several lines that are exactly as wide show it.

import (
	"strings"
	"unicode/utf8"
)

// narrowestWrap is the narrowest width at which words are broken.
const narrowestWrap = 40

// unwrap joins lines that were broken at a width, and those that a mail ended with "=".
func unwrap(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if !strings.Contains(text, "\n") {
		return text
	}
	text = strings.ReplaceAll(text, "=\n", "") // quoted-printable
	lines := strings.Split(text, "\n")
	widest, times, shorter := 0, 0, false
	for i, line := range lines {
		switch n := utf8.RuneCountInString(line); {
		case n > widest:
			widest, times, shorter = n, 1, false
		case n == widest:
			times++
		default: // the end of a paragraph
			shorter = shorter || utf8.RuneCountInString(lines[max(i-1, 0)]) == widest
		}
	}
	if widest < narrowestWrap || !shorter || times < 2 {
		return text
	}
	var out strings.Builder
	for i, line := range lines {
		out.WriteString(line)
		if i+1 < len(lines) && (utf8.RuneCountInString(line) != widest || begins(line, lines[i+1])) {
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// begins reports whether a line begins something, as indented ones do, empty ones, those of a log, and
// those whose first word has a capital letter.
func begins(before, line string) bool {
	if line == "" || line[0] == ' ' || line[0] == '\t' || line[0] == '[' || prefixes(line) > 0 {
		return true
	}
	word := strings.TrimLeft(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	rest := strings.TrimLeft(word, "abcdefghijklmnopqrstuvwxyz")
	capital, last := len(word) < len(line), before[len(before)-1]
	return capital && (rest == "" || strings.IndexByte(" :.,;", rest[0]) >= 0) && last != '-' && last != '/'
}

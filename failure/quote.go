package failure

// Commands within a remedy are pasted into a shell: this is the one place that quotes their words.

import (
	"fmt"
	"strings"

	"orderly/outside"
)

// Quote makes one word of a shell's of a text.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
			strings.ContainsRune("_./:@%+=,-", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Shell is a command within a remedy, each word as a shell reads it. A path is never cut: the
// command would be about another file.
func Shell(words ...string) Remedy {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = Quote(outside.Line(word)); outside.Line(word) != word && strings.HasPrefix(word, "/") {
			quoted[i] = exactly(word)
		}
	}
	return Remedy(strings.Join(quoted, " "))
}

// exactly makes one word of a path that cannot be shown as it is, byte for byte: with a blank in the
// place of a newline, or without what is no UTF-8, it would be another file's, and perhaps one that
// whoever chose the name has put there.
func exactly(path string) string {
	var b strings.Builder
	for _, c := range []byte(path) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_./-", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\%03o`, c)
		}
	}
	if strings.HasSuffix(path, "\n") {
		b.WriteString("/.") // a shell takes newlines away from the end of what a command says
	}
	return `"$(printf '` + b.String() + `')"`
}

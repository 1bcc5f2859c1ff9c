package failure

// Commands within a remedy are pasted into a shell: this is the one place that quotes their words.

import (
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
		quoted[i] = Quote(outside.Line(word))
	}
	return Remedy(strings.Join(quoted, " "))
}

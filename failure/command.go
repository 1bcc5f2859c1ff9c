package failure

import "strings"

// Command is a command line within a remedy: in backquotes, each word as a shell reads it. Where it is printed, a first word
// of orderly becomes what the program was called as, and what that run was told beside (directories, server, account) is
// added: only package cli knows it.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(word)
	}
	return "`" + strings.Join(quoted, " ") + "`"
}

// Quote is a word as a shell reads it.
func Quote(word string) string {
	word = Clean(word)
	if word != "" && !strings.ContainsFunc(word, shellMeans) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// shellMeans reports whether a shell may read more into a character than the character.
func shellMeans(r rune) bool {
	letter := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	return !letter && !strings.ContainsRune("-_./:,=@%+…", r)
}

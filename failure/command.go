package failure

import "strings"

// Command is a command line within a remedy: in backquotes, each word as a shell reads it. Where it is printed, a first word
// of orderly becomes what the program was called as, and what that run was told beside (directories, server, account) is
// added: only package cli knows it.
func Command(words ...string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = Quote(Clean(word))
	}
	return "`" + strings.Join(quoted, " ") + "`"
}

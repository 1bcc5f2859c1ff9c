package diagnose

// What stands in a sentence besides the class: the CA's own reason, where many reasons have one class,
// and what is in the way of a file.

import (
	"cmp"
	"strings"

	"orderly/failure"
)

// isReasoned reports whether a class says too little without the text's own words.
func isReasoned(c failure.Class) bool {
	switch c {
	case failure.CARefused, failure.BadCSR, failure.Account, failure.Usage, failure.SolverUnfit:
		return true
	}
	return false
}

// mostOfReason is the longest reason that is shown, in bytes.
const mostOfReason = 240

// reason is what a part says itself: the last of a chain of "::", a problem's detail, or all of it.
func (r *reader) reason() string {
	text := strings.TrimSpace(r.text())
	if at := strings.Index(text, "] "); at > 20 && at < 40 { // acme.sh's time
		text = text[at+len("] "):]
	}
	if at := strings.LastIndex(text, " :: "); at >= 0 {
		text = text[at+len(" :: "):]
	} else if _, detail, ok := strings.Cut(text, `"detail"`); ok {
		detail = strings.TrimLeft(detail, `]: "`+"\n")
		for _, end := range []string{`",`, `" ,`, "\"\n", `"}`, `" }`} {
			detail, _, _ = strings.Cut(detail, end)
		}
		text = detail
	}
	for _, end := range []string{", url:", ". Skipping", "\nAsk for help", "\nAll renewals failed"} {
		text, _, _ = strings.Cut(text, end)
	}
	for _, begin := range []string{"with error: ", "unexpected error: ", "error occurred:\n"} {
		if before, rest, ok := strings.Cut(text, begin); ok && len(before) < 120 {
			text = rest
		}
	}
	return shown(text)
}

// shown is a reason as it is shown: short, and with the quote or bracket that its last word lost.
func shown(text string) string {
	text = strings.ReplaceAll(text, string(pageMark), " ")
	text = strings.TrimPrefix(strings.TrimSpace(strings.TrimRight(text, "\n .,")), "ERROR: ")
	if len(text) > mostOfReason {
		return failure.Clean(strings.ToValidUTF8(text[:mostOfReason], "") + "…")
	}
	if strings.Count(text, `"`)%2 == 1 {
		text += `"`
	}
	if strings.Count(text, "(") == strings.Count(text, ")")+1 {
		text += ")"
	}
	return failure.Clean(text)
}

// because is a sentence with a reason instead of what it guesses behind its first colon.
func because(sentence, reason string) string {
	if reason == "" {
		return sentence
	}
	sentence, _, _ = strings.Cut(sentence, ": ")
	return failure.Clean(sentence + ": " + reason)
}

// inTheWay are what is in the way of a token, by what the system says.
var inTheWay = []struct{ errno, words, way string }{
	{"{errno:13}", " permission denied ", "permission is denied"},
	{"{errno:30}", " read-only file system ", "the file system is read-only"},
	{"{errno:40}", " symbolic links ", "links go in a circle"},
	{"{errno:20}", " not a directory ", "a file is where a directory belongs"},
	{"{errno:21}", " is a directory ", "a directory is where the token belongs"},
	{"{errno:17}", " file exists ", "something is there already"},
	{"{errno:1}", " operation not permitted ", "the system does not permit it, even to root (chattr +i, perhaps)"},
}

// way is what is in the way of a token, in words.
func (r *reader) way() string {
	for _, w := range inTheWay {
		if strings.Contains(r.words, w.errno) || strings.Contains(r.words, w.words) {
			return w.way
		}
	}
	return ""
}

// orElse is ": way", or what is said where nobody knows it.
func orElse(way string) string {
	return cmp.Or(way, "permissions, a file or an old token in the way, a read-only file system, or links in a circle")
}

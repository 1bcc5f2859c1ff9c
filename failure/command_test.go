package failure_test

import (
	"os/exec"
	"strings"
	"testing"

	"orderly/failure"
)

// Whatever a word holds, a shell reads it as that word.
func TestAShellReadsTheWordsOfACommand(t *testing.T) {
	for _, word := range []string{"a.example", "*.a.example", "", "it's", "$(id)", "a b", `\`, "~root", "a;b", "!x", "#x", "ä", "{a,b}", "-n=1"} {
		out, err := exec.Command("sh", "-c", "printf %s "+failure.Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is read as %q (%v) from %s", word, out, err, failure.Quote(word))
		}
	}
	if got := failure.Command("orderly", "unpause", "*.a.example"); got != "`orderly unpause '*.a.example'`" {
		t.Errorf("%s", got)
	}
	if strings.ContainsAny(failure.Command("a\x1b[2Jb\nc"), "\x1b\n") {
		t.Error("a control character is not to be pasted")
	}
}

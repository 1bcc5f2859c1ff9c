package failure_test

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"orderly/failure"
)

// Whatever a word holds, a shell reads it as that word.
func TestAQuotedWordIsOneWordForAShell(t *testing.T) {
	for _, word := range []string{"/etc/letsencrypt", "", "a b", "it's", `$(id) "x" \ *`, "~root",
		"bücher", "-n;\nls", "*.a.example", `\`, "a;b", "!x", "#x", "{a,b}", "-n=1"} {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+failure.Quote(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q became %q, %v", word, out, err)
		}
	}
	if got := failure.Quote("/srv/www/a.example"); got != "/srv/www/a.example" {
		t.Errorf("a plain path is quoted: %s", got)
	}
	if got := failure.Shell("orderly", "unpause", "*.a.example"); got != "orderly unpause '*.a.example'" {
		t.Errorf("%s", got)
	}
	if strings.ContainsAny(string(failure.Shell("a\x1b[2Jb\nc")), "\x1b\n") {
		t.Error("a control character is not to be pasted")
	}
}

// A path that cannot be shown as it is stays that path, and no other file's, in a command.
func TestAPathInACommandIsNoOtherFiles(t *testing.T) {
	for path, want := range map[string]string{"/home/u/a\nb": "", "/home/u/caf\xe9 x/$(id)%s\\n'": "", "/a\x1b[2J": "", "/a\tb": "",
		"/home/u/a\n": "/home/u/a\n/.", "/home/bücher/it's": ""} {
		if want == "" {
			want = path
		}
		text := string(failure.Shell("printf", "%s", path))
		out, err := exec.Command("/bin/sh", "-c", text).Output()
		if err != nil || string(out) != want || strings.ContainsAny(text, "\x1b\n\t") || !utf8.ValidString(text) {
			t.Errorf("%q became %q by %s, %v", path, out, text, err)
		}
	}
}

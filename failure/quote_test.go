package failure_test

import (
	"os/exec"
	"testing"

	"orderly/failure"
)

func TestAQuotedWordIsOneWordForAShell(t *testing.T) {
	for _, word := range []string{"/etc/letsencrypt", "", "a b", "it's", `$(id) "x" \ *`, "~root", "bücher", "-n;\nls"} {
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+failure.Quote(word)).Output()
		if err != nil || string(out) != word && word != "" {
			t.Errorf("%q became %q, %v", word, out, err)
		}
	}
	if got := failure.Quote("/srv/www/a.example"); got != "/srv/www/a.example" {
		t.Errorf("a plain path is quoted: %s", got)
	}
}

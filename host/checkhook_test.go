package host

import (
	"strings"
	"testing"

	"orderly/failure"
)

func TestAHookIsSoughtBeforeAnythingIsOrdered(t *testing.T) {
	getenv := func(string) string { return "/bin" }
	for _, good := range []string{"", "true", "/bin/sh -c x", "A=b nothing-there", "cd / && x", "[ -e /x ] && y", "( x; )", "if x; then y; fi"} {
		if err := CheckHook("pre-hook", good, getenv); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"/no/such/thing --now", "no-such-command-anywhere"} {
		err := CheckHook("deploy-hook", bad, getenv)
		if failure.ClassOf(err) != failure.Hook || !strings.HasPrefix(err.Error(), "Unable to find deploy-hook command ") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestAPathIsOneWordForTheShell(t *testing.T) {
	for path, want := range map[string]string{"/etc/hook.sh": "/etc/hook.sh", "/a b": "'/a b'", "/it's": `'/it'\''s'`, "/$(x)": "'/$(x)'"} {
		if got := quote(path); got != want {
			t.Errorf("%q: %s", path, got)
		}
	}
}

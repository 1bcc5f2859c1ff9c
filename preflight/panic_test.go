package preflight_test

import (
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// What breaks in the checks of one name is met by whoever asked for them, and ends no other's work.
func TestAPanicIsWhoeverAskedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.checker.Now = func() time.Time {
		if strings.Contains(string(debug.Stack()), "checkNetwork") {
			panic("a nil map")
		}
		return time.Now()
	}
	defer func() {
		if err, ok := recover().(error); !ok || err.Error() != "a nil map" {
			t.Errorf("recovered %v", err)
		}
	}()
	w.check()
}

package webroot

import (
	"slices"
	"testing"
	"time"
)

// A helper that answers soon says nothing before: each word would be a message that two processes
// wake up for. Once a question takes its time, the run hears where it is, and nothing after the
// answer.
func TestAHelperSaysWhereItIsOnlyOnceItTakesItsTime(t *testing.T) {
	var said []string
	m := &mutter{say: func(at string) { said = append(said, at) }, timer: time.NewTimer(time.Hour)}
	m.at("/srv")
	m.at("/srv/www")
	if len(said) != 0 {
		t.Errorf("at once it says %q", said)
	}
	m.begin()
	m.at("/srv/www/.well-known")
	m.end()
	m.begin()
	if want := []string{"/srv/www", "/srv/www/.well-known"}; !slices.Equal(said, want) {
		t.Errorf("it says %q, not %q", said, want)
	}
}

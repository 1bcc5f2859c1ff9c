package webroot

import (
	"sync"
	"time"
)

// A helper says where it is looking only once a question takes its time: a walk has a dozen steps,
// and nearly all of them are over sooner than a message about one could be read. It is said by
// another thread than the one that may hang.

// quietly is how long a question may take before anything is said. It must be far below
// patienceWithoutWord: the run names the place when that is over.
const quietly = 100 * time.Millisecond

// mutter says where a helper is while it works on one question.
type mutter struct {
	say   func(at string)
	timer *time.Timer

	mu    sync.Mutex // held while something is said: nothing may come after the answer
	place string
	late  bool
	ended bool
}

func newMutter(say func(at string)) *mutter {
	m := &mutter{say: say}
	m.timer = time.AfterFunc(quietly, m.begin)
	return m
}

// at notes what is looked at next.
func (m *mutter) at(place string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.place = place
	if m.late {
		m.say(place)
	}
}

// begin says where the helper is, and lets it say so from now on.
func (m *mutter) begin() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended {
		return
	}
	m.late = true
	if m.place != "" {
		m.say(m.place)
	}
}

// end comes before the answer.
func (m *mutter) end() {
	m.timer.Stop()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = true
}

package zone

import "slices"

// Where no name server can be reached a resolver is all there is. It says less: not which server is
// broken, and nothing that its cache hides.

// muteAfter is how many questions in a row without an answer of any resolver end the asking.
const muteAfter = 12

// recurse asks the resolvers, one after the other.
func (t *task) recurse(q question) reply {
	if t.isMute() {
		return reply{word: Silent}
	}
	t.slots <- struct{}{}
	defer func() { <-t.slots }()
	defer t.notice("the DNS server %s", slices.Concat(t.config.Resolvers, []string{"that is to be asked"})[0])()
	worst := reply{word: Silent}
	for range tries {
		for _, resolver := range t.config.Resolvers {
			got := t.exchange(t.ctx, resolver, demand{question: q, recursive: true}, t.config.Timeout)
			if got.word == ServFail {
				again := t.exchange(t.ctx, resolver, demand{question: q, recursive: true,
					unchecked: true}, t.config.Timeout)
				if again.word.Good() {
					got.word = Bogus
				}
			}
			if got.word.severity() > worst.word.severity() {
				worst = got
			}
			if got.word.Good() || t.ctx.Err() != nil {
				t.heardResolver(true)
				return got
			}
		}
		if worst.word != Silent {
			break
		}
	}
	t.heardResolver(worst.word != Silent)
	return worst
}

func (a *Asker) isMute() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.mute >= muteAfter
}

func (a *Asker) heardResolver(heard bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if heard {
		a.mute = 0
		return
	}
	a.mute++
}

package diagnose

// Which of some hundred phrases a text has, found in one pass (Aho and Corasick 1975): a month's logs
// hold millions of texts.

// set is a set of phrases by their number.
type set []uint64

func (s set) has(i int) bool { return s[i>>6]&(1<<(i&63)) != 0 }
func (s set) add(i int)      { s[i>>6] |= 1 << (i & 63) }

// automaton finds phrases.
type automaton struct {
	class [256]uint8 // of a byte; 0 for one that is in no phrase
	width int
	next  []uint16
	found [][]uint16 // phrases that end in a state
	words int        // length of a set
}

// newAutomaton makes an automaton of phrases. There are few enough for 16 bits of states.
func newAutomaton(phrases []string) *automaton {
	a := &automaton{width: 1, words: (len(phrases) + 63) / 64}
	for _, p := range phrases {
		for i := range len(p) {
			if a.class[p[i]] == 0 {
				a.class[p[i]] = uint8(a.width)
				a.width++
			}
		}
	}
	a.state()
	for n, p := range phrases {
		at := 0
		for i := range len(p) {
			slot := at*a.width + int(a.class[p[i]])
			if a.next[slot] == 0 {
				a.next[slot] = uint16(a.state())
			}
			at = int(a.next[slot])
		}
		a.found[at] = append(a.found[at], uint16(n))
	}
	a.link()
	return a
}

// state adds a state.
func (a *automaton) state() int {
	a.next = append(a.next, make([]uint16, a.width)...)
	a.found = append(a.found, nil)
	return len(a.found) - 1
}

// link completes the transitions: where a phrase breaks off, its longest ending that begins another
// one is gone on with.
func (a *automaton) link() {
	fail := make([]int, len(a.found))
	var queue []int
	for c := range a.width {
		if to := int(a.next[c]); to != 0 {
			queue = append(queue, to)
		}
	}
	for len(queue) > 0 {
		at := queue[0]
		queue = queue[1:]
		a.found[at] = append(a.found[at], a.found[fail[at]]...)
		for c := range a.width {
			slot, other := at*a.width+c, a.next[fail[at]*a.width+c]
			if to := int(a.next[slot]); to != 0 {
				fail[to] = int(other)
				queue = append(queue, to)
			} else {
				a.next[slot] = other
			}
		}
	}
}

// match is the set of the phrases that a text has.
func (a *automaton) match(text string) set {
	s := make(set, a.words)
	at := 0
	for i := range len(text) {
		at = int(a.next[at*a.width+int(a.class[text[i]])])
		for _, n := range a.found[at] {
			s.add(int(n))
		}
	}
	return s
}

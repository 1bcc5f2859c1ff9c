package preflight

import (
	"slices"
	"sync"
	"time"
)

// A DNS server that is dead costs a wait each time it is asked, so it is asked last once it was
// silent.

// Hearing is what a run remembers of DNS servers that do not answer: a round over a thousand names
// would otherwise wait for a dead one a thousand times. The zero Hearing remembers nothing yet, and
// it may be used from many goroutines.
type Hearing struct {
	mu     sync.Mutex
	silent map[string]int // questions in a row without an answer, by server
}

const (
	// deafAfter is how many questions in a row without an answer make a server one that is waited
	// for less: those of three names, since one customer's broken zone must not count for the
	// server.
	deafAfter = 3 * 2 * rounds
	// deafPatience is how long it is waited for then, each time: long enough for one that has come
	// back.
	deafPatience = 1500 * time.Millisecond
)

func (h *Hearing) note(server string, heard bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if heard {
		delete(h.silent, server)
		return
	}
	if h.silent == nil {
		h.silent = map[string]int{}
	}
	h.silent[server]++
}

func (h *Hearing) deaf(server string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.silent[server] >= deafAfter
}

// patience is how long a server is waited for.
func (h *Hearing) patience(server string, usual time.Duration) time.Duration {
	if h.deaf(server) {
		return min(usual, deafPatience)
	}
	return usual
}

// order puts servers that answer before those that do not.
func (h *Hearing) order(servers []string) []string {
	rank := func(server string) int {
		if h.deaf(server) {
			return 1
		}
		return 0
	}
	servers = slices.Clone(servers)
	slices.SortStableFunc(servers, func(a, b string) int { return rank(a) - rank(b) })
	return servers
}

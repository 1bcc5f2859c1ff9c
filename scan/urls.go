package scan

// What is known of each URL. Final is final, whoever says it and in whatever order the logs are
// read, so that of a final one only a hash is kept. Of all others the last moments are kept at which
// the CA showed it pending and at which an answer to its challenge was left without an answer.

import (
	"cmp"
	"encoding/binary"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/scan/client"
)

// maxOpen bounds what is kept: a provider with 1,500 servers has a tenth of it.
const maxOpen = 250_000

const tooManyFailures = "The logs tell of more failures than are kept at once: scan fewer of them at a time."

const tooMany = "The logs name more open authorizations than are kept at once: scan fewer of them at a time."

// settled is how long the CA takes at most until what it shows is the result of an answer that it
// got: a pending authorization shown later than this never had it.
const settled = 5 * 60

type entry struct {
	url, order              string
	name, account, server   string
	expires                 int64
	ofOrder                 bool
	partial                 bool // it is an order
	seenAt                  int64
	pendingAt, unansweredAt int64
	odd                     string
	place, run              spot
	lastRun                 spot // that named it last
	lastAt                  int64
}

// reason says why an authorization is doubtful.
func (e *entry) reason() string {
	switch {
	case e.odd != "":
		return e.odd
	case e.unansweredAt > 0 && e.pendingAt < e.unansweredAt+settled:
		return "its challenge was answered, and the log ends before the CA's answer"
	}
	return ""
}

// over reports whether it has expired; where nothing says when, it has after as long as anything lives.
func (e *entry) over(now int64) bool {
	if e.expires == 0 && e.seenAt > 0 {
		return e.seenAt+int64(orderLifetime/time.Second) <= now
	}
	return e.expires != 0 && e.expires <= now
}

type urls struct {
	now  int64
	seed maphash.Seed

	mu     sync.Mutex
	open   map[string]*entry
	finals finals
	texts  map[string]string // accounts and servers, each kept once
	orders [64]string        // the last ones: all authorizations of an order are named at once
	beyond bool
}

func newURLs(now time.Time) *urls {
	return &urls{now: now.Unix(), seed: maphash.MakeSeed(), open: map[string]*entry{},
		texts: map[string]string{}}
}

func (u *urls) close() { u.finals.close() }

// closed says whether a URL is known to be final, as far as is kept in memory.
func (u *urls) closed(url string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	_, final := u.finals.at(maphash.String(u.seed, url))
	return final
}

// see takes one sighting.
func (u *urls) see(s client.Sighting) {
	hash := maphash.String(u.seed, s.URL)
	at, expires := unix(s.At), unix(s.Expires)
	u.mu.Lock()
	defer u.mu.Unlock()
	if s.Kind == client.Final {
		u.final(hash, at, expires, s)
		return
	}
	odd := s.Reason
	if final, ok := u.finals.at(hash); ok {
		if s.Kind != client.Pending || final == 0 || at <= final+settled {
			return
		}
		// Shown final, and pending long after: one of the two is not true.
		odd = "the log shows it final, and pending later"
	}
	if s.Kind != client.Odd && odd == s.Reason {
		odd = ""
	}
	e := u.open[s.URL]
	if e == nil {
		if expires != 0 && expires <= u.now {
			return
		}
		if len(u.open) >= maxOpen {
			u.beyond = true
			return
		}
		e = &entry{url: s.URL, place: spotOf(s.Place), run: spotOf(s.Run)}
		u.open[e.url] = e
	}
	u.update(e, s, at, expires, odd)
}

// final forgets an authorization but for its hash.
func (u *urls) final(hash uint64, at, expires int64, s client.Sighting) {
	if e := u.open[s.URL]; e != nil {
		if s.Shown && e.pendingAt > at+settled {
			e.odd = "the log shows it final, and pending later"
			return
		}
		if e.account != "" && e.account != s.Account {
			e.odd = "the log shows it final, and another account's"
			return
		}
		delete(u.open, s.URL)
	}
	if expires != 0 && expires <= u.now && !s.OfOrder {
		return // nothing that names it counts any more
	}
	if !s.Shown {
		at = 0
	}
	u.finals.add(hash, at)
}

// update takes what a sighting says. What is odd or weak may be forged: it adds what is not known,
// and changes nothing that is.
func (u *urls) update(e *entry, s client.Sighting, at, expires int64, odd string) {
	sure := s.Kind != client.Odd && !s.Weak
	if s.Name != "" && (e.name == "" || sure &&
		(len(s.Name) < len(e.name) || !strings.Contains(s.Name, ","))) {
		e.name = s.Name
	}
	if s.Account != "" && (e.account == "" || sure) {
		e.account = u.once(s.Account)
	}
	if s.Server != "" && (e.server == "" || sure) {
		e.server = u.once(s.Server)
	}
	if s.Order != "" && (e.order == "" || sure) {
		e.order = u.onceOrder(s.Order, maphash.String(u.seed, s.Order))
	}
	u.expire(e, s, expires, sure)
	if at >= e.lastAt {
		e.lastAt, e.lastRun = at, spotOf(s.Run)
	}
	e.seenAt = max(e.seenAt, at)
	switch s.Kind {
	case client.Partial:
		e.partial = true
	case client.Pending:
		e.pendingAt = max(e.pendingAt, at)
	case client.Unanswered:
		e.unansweredAt = max(e.unansweredAt, at)
	}
	if odd != "" {
		e.odd = odd
	}
}

// expire takes when an authorization ends: its own end before its order's, and of two the later.
func (u *urls) expire(e *entry, s client.Sighting, expires int64, sure bool) {
	switch {
	case expires == 0 || e.expires != 0 && !sure:
	case e.expires == 0 || e.ofOrder && !s.OfOrder || e.ofOrder == s.OfOrder && expires > e.expires:
		e.expires, e.ofOrder = expires, s.OfOrder
	}
}

func (u *urls) once(text string) string {
	if kept, ok := u.texts[text]; ok {
		return kept
	}
	text = strings.Clone(text)
	if len(u.texts) < maxOpen {
		u.texts[text] = text
	}
	return text
}

// onceOrder is once for what is met again at once or never.
func (u *urls) onceOrder(text string, hash uint64) string {
	kept := &u.orders[hash%uint64(len(u.orders))]
	if *kept != text {
		*kept = strings.Clone(text)
	}
	return *kept
}

// left is what is neither final nor over, in the order of the logs; beyond says that there is more.
func (u *urls) left() (found []*entry, beyond bool, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	found = make([]*entry, 0, len(u.open))
	for _, e := range u.open {
		if !e.over(u.now) {
			found = append(found, e)
		}
	}
	u.open = nil // nothing is seen any more
	byHash := map[uint64]*entry{}
	for _, e := range found {
		byHash[maphash.String(u.seed, e.url)] = e
	}
	err = u.finals.eachSpilled(func(hash uint64, at int64) {
		if e := byHash[hash]; e != nil && (at == 0 || e.pendingAt <= at+settled) {
			delete(byHash, hash)
		}
	})
	if err != nil {
		return nil, false, err
	}
	found = slices.DeleteFunc(found, func(e *entry) bool {
		return byHash[maphash.String(u.seed, e.url)] == nil
	})
	slices.SortFunc(found, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.place.file, b.place.file), cmp.Compare(a.place.line, b.place.line))
	})
	return found, u.beyond, nil
}

func unix(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

func put(b []byte, hash uint64, at int64) {
	binary.LittleEndian.PutUint64(b, hash)
	binary.LittleEndian.PutUint32(b[8:], uint32(at))
}

func get(b []byte) (hash uint64, at int64) {
	return binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint32(b[8:]))
}

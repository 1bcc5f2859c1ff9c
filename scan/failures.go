package scan

// Failures, one for each server, certificate, name and class, however often and on whatever days
// they befell. Their texts repeat, so that what one says is remembered for a while; what is kept of
// all of them is bounded, since a fleet logs millions in a month.

import (
	"cmp"
	"hash/maphash"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/scan/client"
)

// The bounds of what is kept.
const (
	maxFailures = 100_000
	maxRenewals = 1 << 19
	maxSaid     = 4096 // texts of which it is remembered what they say
	maxDays     = 366
	maxSeen     = 1 << 18   // failures of which it is known which file told them
	maxCount    = 1<<12 - 1 // on one day
	maxWords    = 16 << 20  // bytes of names and of what is said
)

// Failure is one name that failed in one way, as often as logs of one server tell.
type Failure struct {
	Host, Lineage, Name string // Name is "" where it is the whole certificate's
	Class               failure.Class
	Sentence, Customer  string // of the newest, as Remedy, Until, Client, File and Line are
	Remedy              failure.Remedy
	Until               time.Time
	Client, File        string
	Line                int64
	First, Last         time.Time // zero where the log has no dates
	Renewed             time.Time // when the certificate was obtained last, zero where no log says
	Days                []Day     // in their order
}

// Day is how often something befell on a day.
type Day struct{ Day, Count int64 } // days since 1970, UTC

// Count is how often it befell.
func (f Failure) Count() int64 {
	var n int64
	for _, d := range f.Days {
		n += d.Count
	}
	return max(1, n)
}

// failures is what was told so far.
type failures struct {
	here diagnose.Here
	seed maphash.Seed

	mu      sync.Mutex
	words   []string
	ids     map[string]uint32
	length  int // of all words
	index   map[rowKey]uint32
	rows    []row
	beyond  bool              // there are more than are kept
	seen    map[uint64]uint32 // which file told a failure of a moment first
	renewed map[uint64]uint32
	said    map[uint64][]diagnose.Finding
}

// rowKey is what a failure is known by: a server and words by their number.
type rowKey struct{ host, lineage, name, class uint32 }

// row is a failure in the least room: there may be a hundred thousand. What is said of it is the
// same for many names, and kept without the name.
type row struct {
	first, last, until         uint32 // seconds
	sentence, customer, remedy uint32 // words, as client is
	client                     uint32
	file, line                 uint32   // the line is at most the largest number
	days                       []uint32 // the day above twelve bits of count, in their order
}

// noWord is the number of a word for which there was no room.
const noWord = math.MaxUint32

func newFailures(here diagnose.Here) *failures {
	return &failures{here: here, seed: maphash.MakeSeed(), ids: map[string]uint32{},
		index: map[rowKey]uint32{}, seen: map[uint64]uint32{}, renewed: map[uint64]uint32{},
		said: map[uint64][]diagnose.Finding{}}
}

// fail takes one failure of a server.
func (s *failures) fail(host uint32, f client.Failure) {
	for i, name := range f.Names {
		f.Names[i] = named(name)
	}
	all := s.findings(f)
	s.mu.Lock()
	defer s.mu.Unlock()
	counted := map[rowKey]bool{}
	for _, one := range all {
		for _, name := range namesOf(one, all, f.Names) {
			key := rowKey{host, s.id(f.Lineage), s.id(name), s.id(string(one.Class))}
			if !counted[key] {
				counted[key] = true
				s.add(key, one, f)
			}
		}
	}
}

// id is the number of a word, noWord where there is no room for another.
func (s *failures) id(word string) uint32 {
	id, known := s.ids[word]
	if known {
		return id
	}
	if s.length+len(word) > maxWords || len(s.words) >= 4*maxFailures {
		return noWord
	}
	id = uint32(len(s.words))
	word = strings.Clone(word)
	s.words, s.ids[word] = append(s.words, word), id
	s.length += len(word)
	return id
}

// word is the word of a number.
func (s *failures) word(id uint32) string {
	if id == noWord {
		return ""
	}
	return s.words[id]
}

// itself stands for the name in what is said of it.
const itself = "\x00"

// sayings is the number of what is said of a name.
func (s *failures) sayings(text, name string) uint32 {
	if len(name) > 3 {
		text = strings.ReplaceAll(text, name, itself)
	}
	return s.id(text)
}

// add counts a failure.
func (s *failures) add(key rowKey, one diagnose.Finding, f client.Failure) {
	i, known := s.index[key]
	if !known {
		if len(s.rows) == maxFailures || key.lineage == noWord || key.name == noWord ||
			key.class == noWord {
			s.beyond = true
			return
		}
		i = uint32(len(s.rows))
		s.rows = append(s.rows, row{first: math.MaxUint32})
		s.index[key] = i
	}
	r := &s.rows[i]
	at := int64(0)
	if dated(f.At) {
		at = f.At.Unix()
		if s.first(key, f) {
			r.count(at / (24 * 60 * 60))
		}
	}
	r.first = min(r.first, uint32(at))
	if uint32(at) < r.last {
		return
	}
	name := s.words[key.name]
	r.last, r.client = uint32(at), s.id(f.Client)
	r.file, r.line = f.Place.File, uint32(min(f.Place.Line, math.MaxUint32))
	r.sentence, r.customer = s.sayings(one.Sentence, name), s.sayings(one.Customer, name)
	r.remedy, r.until = s.sayings(string(one.Remedy), name), 0
	if until := cmp.Or(one.Until, later(one, f.Until)); dated(until) {
		r.until = uint32(until.Unix())
	}
}

// first reports whether a failure is told for the first time: a copy of a log, plain beside packed,
// tells the same moment once more from another file. Beyond the bound each counts.
func (s *failures) first(key rowKey, f client.Failure) bool {
	told := maphash.Comparable(s.seed, struct {
		rowKey
		at int64
	}{key, f.At.UnixNano()})
	file, known := s.seen[told]
	if !known && len(s.seen) < maxSeen {
		s.seen[told] = f.Place.File
	}
	return !known || file == f.Place.File
}

// dated says whether a moment is one that a log can be of.
func dated(at time.Time) bool { return at.Year() >= 1990 && at.Year() < 2100 }

// count counts one more on a day.
func (r *row) count(day int64) {
	i, found := slices.BinarySearchFunc(r.days, day, func(d uint32, day int64) int {
		return cmp.Compare(int64(d>>12), day)
	})
	switch {
	case !found:
		r.days = slices.Insert(r.days, i, uint32(day)<<12|1)
		r.days = r.days[max(0, len(r.days)-maxDays):]
	case r.days[i]&maxCount < maxCount:
		r.days[i]++
	}
}

// renew takes a renewal of a server.
func (s *failures) renew(host string, one client.Renewal) {
	if !dated(one.At) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	put := func(key uint64) {
		if at, known := s.renewed[key]; known || len(s.renewed) < maxRenewals {
			s.renewed[key] = max(at, uint32(one.At.Unix()))
		}
	}
	if one.Lineage != "" {
		put(s.renewalOf(host, one.Lineage, ""))
	}
	for _, name := range one.Names {
		put(s.renewalOf(host, "", named(name)))
	}
}

// renewalOf is the key of a certificate, or where its name is not known, of a name.
func (s *failures) renewalOf(host, lineage, name string) uint64 {
	if lineage != "" {
		name = ""
	}
	return maphash.String(s.seed, host+"\x00"+lineage+"\x00"+name)
}

// renewedAt is when the certificate of a failure was obtained last, zero where no log says.
func (s *failures) renewedAt(host, lineage, name string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, known := s.renewed[s.renewalOf(host, lineage, name)]; known {
		return time.Unix(int64(at), 0).UTC()
	}
	return time.Time{}
}

// all are the failures by server, certificate, name and class.
func (s *scan) allFailures() (iter.Seq[Failure], int) {
	f := s.failures
	keys := slices.Collect(maps.Keys(f.index))
	slices.SortFunc(keys, func(a, b rowKey) int {
		return cmp.Or(strings.Compare(s.hosts[a.host], s.hosts[b.host]),
			strings.Compare(f.words[a.lineage], f.words[b.lineage]),
			strings.Compare(f.words[a.name], f.words[b.name]),
			strings.Compare(f.words[a.class], f.words[b.class]))
	})
	return func(yield func(Failure) bool) {
		for _, key := range keys {
			if !yield(s.failure(key, f.rows[f.index[key]])) {
				return
			}
		}
	}, len(keys)
}

// failure is a failure as the report says it.
func (s *scan) failure(key rowKey, r row) Failure {
	words := s.failures
	f := Failure{Lineage: words.word(key.lineage), Name: words.word(key.name),
		Class: failure.Class(words.word(key.class)), Until: fromUnix(int64(r.until)),
		Client: words.word(r.client), Line: int64(r.line), First: fromUnix(int64(r.first)),
		Last: fromUnix(int64(r.last))}
	say := func(id uint32) string { return strings.ReplaceAll(words.word(id), itself, f.Name) }
	f.Sentence, f.Customer, f.Remedy = say(r.sentence), say(r.customer), failure.Remedy(say(r.remedy))
	if f.Sentence == "" {
		f.Sentence = diagnose.Known(f.Class, f.Name).Sentence
	}
	f.Host, f.File = s.place(client.Place{File: r.file})
	f.Renewed = words.renewedAt(f.Host, f.Lineage, f.Name)
	for _, d := range r.days {
		f.Days = append(f.Days, Day{int64(d >> 12), int64(d & maxCount)})
	}
	return f
}

package scan

// Failures, one for each server, certificate, name and class, however often and on whatever days
// they befell. Their texts repeat, so that what one says is remembered for a while; what is kept of
// all of them is bounded, since a fleet logs millions in a month.

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"iter"
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
	maxCount    = 1<<12 - 1 // on one day
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
	rows    map[rowKey]*row
	beyond  bool // there are more than are kept
	renewed map[uint64]uint32
	said    map[uint64][]diagnose.Finding
}

// rowKey is what a failure is known by: a server and words by their number.
type rowKey struct{ host, lineage, name, class uint32 }

type row struct {
	first, last, until int64
	sentence, customer string
	remedy             failure.Remedy
	client             string
	place              client.Place
	days               []uint32 // the day above twelve bits of count, in their order
}

func newFailures(here diagnose.Here) *failures {
	return &failures{here: here, seed: maphash.MakeSeed(), ids: map[string]uint32{},
		rows: map[rowKey]*row{}, renewed: map[uint64]uint32{}, said: map[uint64][]diagnose.Finding{}}
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

// namesOf are the names that a finding is about: its own, unless it is one that was not asked for.
// What a log says of other names than an attempt's is a zone's name, or nobody's.
func namesOf(one diagnose.Finding, all []diagnose.Finding, asked []string) []string {
	if one.Name != "" && (len(asked) == 0 || slices.Contains(asked, one.Name)) {
		return []string{one.Name}
	}
	if slices.ContainsFunc(all, func(f diagnose.Finding) bool { return slices.Contains(asked, f.Name) }) &&
		one.Name != "" {
		return nil
	}
	if len(asked) == 0 {
		return []string{""}
	}
	return asked
}

// named is a name as it is kept, "" for what cannot be one.
func named(name string) string {
	if len(name) > 255 {
		return ""
	}
	for _, c := range []byte(name) {
		if c != '.' && c != '-' && c != '*' && c != '_' && c != ':' && (c < '0' || c > '9') &&
			(c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return ""
		}
	}
	return strings.ToLower(name)
}

// id is the number of a word; there are no new ones when no new failure is kept.
func (s *failures) id(word string) uint32 {
	id, known := s.ids[word]
	if !known && len(s.rows) < maxFailures {
		id = uint32(len(s.words))
		s.words, s.ids[word] = append(s.words, word), id
	} else if !known {
		id = math.MaxUint32
	}
	return id
}

// add counts a failure.
func (s *failures) add(key rowKey, one diagnose.Finding, f client.Failure) {
	r := s.rows[key]
	if r == nil {
		if len(s.rows) == maxFailures {
			s.beyond = true
			return
		}
		r = &row{first: math.MaxInt64}
		s.rows[key] = r
	}
	at := int64(0)
	if y := f.At.Year(); y >= 1990 && y < 2200 {
		at = f.At.Unix()
		r.count(at / (24 * 60 * 60))
	}
	r.first = min(r.first, at)
	if at >= r.last {
		r.last, r.place, r.client = at, f.Place, f.Client
		r.sentence, r.customer, r.remedy = one.Sentence, one.Customer, one.Remedy
		r.until = 0
		if until := cmp.Or(one.Until, later(one, f.Until)); !until.IsZero() {
			r.until = until.Unix()
		}
	}
}

// later is the moment of a Retry-After, where waiting helps.
func later(one diagnose.Finding, until time.Time) time.Time {
	if one.Class.Retry() != failure.RetryLater {
		return time.Time{}
	}
	return until
}

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

// findings are what a failure's text says, a finding a name.
func (s *failures) findings(f client.Failure) []diagnose.Finding {
	if f.Killed {
		one := diagnose.Known(failure.Killed, "")
		one.Sentence = fmt.Sprintf("%s was killed while %s, %.0f s after it began", f.Client,
			f.Step.Doing(), f.Seconds)
		return []diagnose.Finding{one}
	}
	name := ""
	if f.Kind != "" && len(f.Names) == 1 {
		name = f.Names[0]
	}
	key := maphash.String(s.seed, name+"\x00"+f.Kind+"\x00"+withoutToken(f.Text))
	s.mu.Lock()
	all, known := s.said[key]
	s.mu.Unlock()
	if known {
		return all
	}
	if name != "" {
		one := diagnose.Problem(name, f.Kind, f.Text, s.here)
		one.Name = name
		all = []diagnose.Finding{one}
	} else {
		all = diagnose.Text(f.Text, s.here)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.said) == maxSaid {
		clear(s.said)
	}
	s.said[key] = all
	return all
}

// withoutToken is a text without what differs each time a name is validated.
func withoutToken(text string) string {
	const dir = "/.well-known/acme-challenge/"
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(text, dir)
		out.WriteString(before)
		if !found {
			return out.String()
		}
		i := 0
		for i < len(rest) && (rest[i] == '-' || rest[i] == '_' || rest[i] >= '0' && rest[i] <= '9' ||
			rest[i]|0x20 >= 'a' && rest[i]|0x20 <= 'z') {
			i++
		}
		text = rest[i:]
	}
}

// renew takes a renewal of a server.
func (s *failures) renew(host string, one client.Renewal) {
	if one.At.Year() < 1990 || one.At.Year() >= 2100 {
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
	keys := make([]rowKey, 0, len(f.rows))
	for key := range f.rows {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b rowKey) int {
		return cmp.Or(strings.Compare(s.hosts[a.host], s.hosts[b.host]),
			strings.Compare(f.words[a.lineage], f.words[b.lineage]),
			strings.Compare(f.words[a.name], f.words[b.name]),
			strings.Compare(f.words[a.class], f.words[b.class]))
	})
	return func(yield func(Failure) bool) {
		for _, key := range keys {
			if !yield(s.failure(key, f.rows[key])) {
				return
			}
		}
	}, len(keys)
}

// failure is a failure as the report says it.
func (s *scan) failure(key rowKey, r *row) Failure {
	words := s.failures.words
	f := Failure{Lineage: words[key.lineage], Name: words[key.name], Class: failure.Class(words[key.class]),
		Sentence: r.sentence, Customer: r.customer, Remedy: r.remedy, Until: fromUnix(r.until),
		Client: r.client, Line: r.place.Line, First: fromUnix(r.first), Last: fromUnix(r.last)}
	f.Host, f.File = s.place(r.place)
	f.Renewed = s.failures.renewedAt(f.Host, f.Lineage, f.Name)
	for _, d := range r.days {
		f.Days = append(f.Days, Day{int64(d >> 12), int64(d & maxCount)})
	}
	return f
}

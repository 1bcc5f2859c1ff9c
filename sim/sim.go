// Package sim plays years of Orderly in seconds: servers with lineages, runs of certonly, renew and resume on them, one CA
// with Boulder's rules and a world in which document roots vanish, customers change their minds, clocks jump and processes
// die, all in one goroutine at a time on a virtual clock. What is tried is the real engine of package order with the real
// wire of package acme over it; only the CA, the ledger and the host are models.
//
// A seed determines everything: no decision may depend on real time, on the order of a map or on the bytes of a key. The
// invariants of the design are looked at with every step by what the CA knows to be true, never by asking the engine.
package sim

import (
	"cmp"
	"fmt"
	"runtime/debug"
	"time"
)

// Options say which year is played.
type Options struct {
	Seed     uint64
	Lineages int // default 50
	Days     int // default 365; some quiet days in which everything must come to rest follow
	// Only, where not empty, are the numbers of the lineages that exist; the others are left out.
	Only []int
	// Without are kinds of fault that do not happen; Spared are single faults, by the names that Result.Fired gives them.
	Without, Spared map[string]bool
	// Record keeps the trace.
	Record bool
}

// Result is what became of a year.
type Result struct {
	Seed     uint64
	Hash     uint64 // of the trace: the same seed gives the same one
	Steps    int    // requests, commits and local effects
	Requests int
	Runs     int
	Orders   int // that the CA made
	Issued   int
	Crashes  int
	AtOnce   int            // pieces of work of a run that worked on several at once
	Denied   int            // 429s
	Faults   map[string]int // by kind
	Fired    []string       // every single fault, where a trace was kept
	Trace    []Entry
	Failure  *Failure // nil when every invariant held
}

// Failure is a breach of an invariant.
type Failure struct {
	Invariant string // I1 to I7, "liveness" or "panic"
	Lineage   string
	Sentence  string
	At        time.Time
}

// Error says what was breached, when and for whom.
func (f *Failure) Error() string {
	return fmt.Sprintf("%s: %s: %s, at %s", f.Invariant, f.Lineage, f.Sentence, f.At.Format(time.DateTime))
}

// Entry is one line of a trace.
type Entry struct {
	At      time.Time
	Where   string // the server and the run, or what happened by itself
	Lineage string
	What    string
}

// String is the line.
func (e Entry) String() string {
	return fmt.Sprintf("%s  %-10s %-4s %s", e.At.Format("2006-01-02 15:04:05.000"), e.Where, e.Lineage, e.What)
}

// start is when every simulated year begins.
var start = time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)

// quietDays follow the year: the world is whole, and what was left must come to rest.
const quietDays = 5

// world is one simulated year.
type world struct {
	o      Options
	rates  [faults]int // per ten thousand chances
	quiet  bool        // nothing goes wrong any more
	shared bool        // the servers share an account
	moves  bool        // lineages come to a server many at once, and stay together

	now   int64 // microseconds since start
	seq   uint64
	queue queue
	end   int64

	ca       *authority
	sites    map[string]*site
	servers  []*server
	lineages []*lineage
	dice     *dice
	living   map[*worker]bool
	order    []*worker // the living, in the order of their birth
	running  *worker   // whose turn it is

	result Result
	hash   uint64
}

// Run plays a year.
func Run(o Options) (r Result) {
	o.Lineages, o.Days = cmp.Or(o.Lineages, 50), cmp.Or(o.Days, 365)
	w := &world{o: o, sites: map[string]*site{}, living: map[*worker]bool{}, hash: 14695981039346656037}
	w.result.Seed, w.result.Faults = o.Seed, map[string]int{}
	defer func() {
		if p := recover(); p != nil {
			w.fail("panic", "", "%v\n%s", p, debug.Stack())
		}
		w.bury()
		w.result.Hash = w.hash
		r = w.result
	}()
	w.build()
	w.play()
	if w.result.Failure == nil {
		w.lastJudgement()
	}
	return w.result
}

// play lets everything happen, one thing after the other.
func (w *world) play() {
	for len(w.queue) > 0 && w.result.Failure == nil {
		e := w.queue.pop()
		if e.at > w.end {
			return
		}
		w.now = max(w.now, e.at)
		e.do()
	}
}

// bury ends what still lives, so that no coroutine is left behind.
func (w *world) bury() {
	for len(w.order) > 0 {
		w.order[0].process.die()
	}
}

// time is the true time; hosts may believe another one.
func (w *world) time() time.Time { return moment(w.now) }

// moment is the true time so many microseconds after the start.
func moment(now int64) time.Time { return start.Add(time.Duration(now) * time.Microsecond) }

// after lets something happen later.
func (w *world) after(d time.Duration, do func()) {
	w.seq++
	w.queue.push(event{w.now + int64(d/time.Microsecond), w.seq, do})
}

// fail records the first breach and ends the year.
func (w *world) fail(invariant, lineage, format string, args ...any) {
	if w.result.Failure == nil {
		w.result.Failure = &Failure{Invariant: invariant, Lineage: lineage, Sentence: fmt.Sprintf(format, args...), At: w.time()}
	}
}

// log adds a line to the trace. Its words must be the same whenever the seed is played.
func (w *world) log(where, lineage string, words ...string) {
	w.mix(uint64(w.now))
	w.mixText(where)
	w.mixText(lineage)
	for _, word := range words {
		w.mixText(word)
	}
	if !w.o.Record {
		return
	}
	text := ""
	for i, word := range words {
		if i > 0 {
			text += " "
		}
		text += word
	}
	w.result.Trace = append(w.result.Trace, Entry{At: w.time(), Where: where, Lineage: lineage, What: text})
}

// mix and mixText are FNV-1a.
func (w *world) mix(v uint64) {
	for range 8 {
		w.hash = (w.hash ^ v&0xff) * 1099511628211
		v >>= 8
	}
}

func (w *world) mixText(s string) {
	for i := range len(s) {
		w.hash = (w.hash ^ uint64(s[i])) * 1099511628211
	}
	w.hash = (w.hash ^ 0xff) * 1099511628211
}

// Package memory is a ledger in memory, with the whole contract of ledger.Store: for the simulator,
// and for tests that are about something else than what a disk keeps. It outlives the simulated
// processes that use it, as a file would; whatever goes in or comes out is a copy, so that a
// process that dies leaves nothing behind but what it committed. It must never be linked into
// orderly: nothing of it survives the real process.
//
// The records are kept in maps by id, with an index for each question that the engine asks often. A
// change is written record by record, each step with its undo, so that one that is refused half-way
// leaves nothing.
package memory

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"orderly/ledger"
)

// Store is a ledger in memory. Make it with New.
type Store struct {
	commits atomic.Int64

	writing chan struct{} // full while one Commit writes, also while it asks a Spend
	// unsynced is how what a power cut would lose is taken back; whoever fills writing has it
	unsynced []func()

	mu       sync.Mutex
	last     map[string]int64 // the last id given, by kind of record
	accounts map[int64]*ledger.Account
	runs     map[int64]*ledger.Run
	steps    map[int64]*ledger.Event // the last event of each run
	orders   map[int64]*ledger.Order // never changed in place: a save puts a new one there
	active   map[int64]bool          // orders that are live or unsettled
	// the live order of each account, lineage, profile and name set
	alive     map[string]int64
	lineages  map[string][]int64
	urls      map[string][]int64
	certs     map[string]*ledger.Certificate // the newest of each lineage
	issued    map[issuance]time.Time
	standings map[string]ledger.Standing
	charges   []ledger.Charge
	holds     map[string]ledger.Hold
	buckets   map[place]ledger.Bucket
	tasks     map[int64]*ledger.Task
	events    []*ledger.Event
	histories map[int64][]*ledger.Event // of each order
	revoked   map[string]ledger.Revocation
	found     map[string]ledger.Found // by URL
	logs      map[loggedKey]ledger.LogFailure
	infos     map[infoKey]ledger.RenewalInfo
	memos     map[string]ledger.Memo
	sightings map[string]ledger.Sighting
	messages  map[int64]ledger.Message
	fences    map[string]int64 // the newest of each lock
}

// place is where a bucket is: an account, the name of a limit, and what it is counted for.
type place struct {
	account   int64
	name, key string
}

// issuance is a name set of an account.
type issuance struct {
	account int64
	nameKey string
}

var _ ledger.Store = (*Store)(nil)

// New returns an empty ledger.
func New() *Store {
	return &Store{
		writing: make(chan struct{}, 1),
		last:    map[string]int64{}, accounts: map[int64]*ledger.Account{},
		runs: map[int64]*ledger.Run{}, steps: map[int64]*ledger.Event{},
		orders: map[int64]*ledger.Order{}, active: map[int64]bool{}, alive: map[string]int64{},
		lineages: map[string][]int64{}, urls: map[string][]int64{},
		certs: map[string]*ledger.Certificate{}, issued: map[issuance]time.Time{},
		standings: map[string]ledger.Standing{}, holds: map[string]ledger.Hold{},
		buckets: map[place]ledger.Bucket{}, tasks: map[int64]*ledger.Task{},
		histories: map[int64][]*ledger.Event{}, revoked: map[string]ledger.Revocation{},
		found: map[string]ledger.Found{},
		logs:  map[loggedKey]ledger.LogFailure{},
		infos: map[infoKey]ledger.RenewalInfo{},
		memos: map[string]ledger.Memo{}, sightings: map[string]ledger.Sighting{},
		messages: map[int64]ledger.Message{},
		fences:   map[string]int64{},
	}
}

// Commits returns how many changes were written.
func (s *Store) Commits() int64 { return s.commits.Load() }

// PowerCut loses what a power cut would: what was written unsynced since the last change that was
// not. Nobody may be at work on the ledger.
func (s *Store) PowerCut() {
	s.writing <- struct{}{}
	defer func() { <-s.writing }()
	s.takeBack(s.unsynced)
	s.unsynced = nil
}

// keep notes how what was written is taken back, where it is not synced.
func (s *Store) keep(undos []func(), synced bool) {
	if s.unsynced = append(s.unsynced, undos...); synced {
		s.unsynced = nil
	}
}

// Close implements ledger.Store. Nothing is lost by it.
func (s *Store) Close() error { return nil }

// begin takes the book for one call, or says that the call came too late.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	s.mu.Lock()
	return nil
}

func none(what string, id any) error { return fmt.Errorf("%s %v: %w", what, id, ledger.ErrNone) }

// micro is a time as a store keeps it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
}

package committer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"orderly/ledger/committer"
)

// book is a database whose rows are words. What it is to do at a step is set before it comes there.
type book struct {
	begun, commits, savepoints int
	rows                       []string
	batches                    []string // the words of each commit

	open   bool
	synced []bool                          // what each transaction was begun for
	begin  func(ctx context.Context) error // in place of waiting for nobody
	commit func(words []string) error      // before a commit is durable
	back   func() error                    // before a rollback to a savepoint
}

// sheet is a transaction of a book.
type sheet struct {
	b     *book
	words []string
	mark  int
	ended bool // by itself, as a full disk ends one; what is written now is written for good
}

func (b *book) committer() *committer.Committer[*sheet] {
	return committer.New(func(ctx context.Context, synced bool) (*sheet, error) {
		b.synced = append(b.synced, synced)
		if b.begin != nil {
			if err := b.begin(ctx); err != nil {
				return nil, err
			}
		}
		if b.open {
			return nil, errors.New("a transaction is open")
		}
		b.begun++
		b.open = true
		return &sheet{b: b}, nil
	})
}

func (s *sheet) write(word string) {
	if s.ended {
		s.b.rows = append(s.b.rows, word)
		return
	}
	s.words = append(s.words, word)
}

// end ends a transaction behind everybody's back.
func (s *sheet) end() { s.ended, s.words, s.b.open = true, nil, false }

func (s *sheet) Savepoint() error {
	if s.ended {
		return errors.New("no transaction")
	}
	s.b.savepoints++
	s.mark = len(s.words)
	return nil
}

func (s *sheet) Release() error {
	if s.ended {
		return errors.New("no transaction")
	}
	return nil
}

func (s *sheet) RollBackTo() error {
	if s.b.back != nil {
		if err := s.b.back(); err != nil {
			return err
		}
	}
	s.words = s.words[:s.mark]
	return s.Release()
}

func (s *sheet) Commit() error {
	if s.b.commit != nil {
		if err := s.b.commit(s.words); err != nil {
			s.end()
			return err
		}
	}
	if s.ended {
		return errors.New("no transaction")
	}
	s.b.open = false
	s.b.commits++
	s.b.rows = append(s.b.rows, s.words...)
	s.b.batches = append(s.b.batches, strings.Join(s.words, " "))
	return nil
}

func (s *sheet) Rollback() { s.end() }

// entry is a change that writes one word, and notes in its record what it was given.
type entry struct {
	word   string
	id     int // given by Write, taken back by Undo
	tries  int
	record *[]string // shared by entries, nil for none
	loose  bool      // it need not be synced
	before func(try int, s *sheet) (own bool, err error)
}

func (e *entry) Write(s *sheet) (bool, error) {
	e.tries++
	e.id = e.tries
	if e.record != nil {
		*e.record = append(*e.record, e.word)
	}
	if e.before != nil {
		if own, err := e.before(e.tries, s); err != nil {
			return own, err
		}
	}
	s.write(e.word)
	return false, nil
}

func (e *entry) Synced() bool { return !e.loose }

func (e *entry) Undo() {
	e.id = 0
	if e.record == nil {
		return
	}
	last := len(*e.record) - 1
	if last < 0 || (*e.record)[last] != e.word {
		panic(fmt.Sprintf("%s is taken back from %q", e.word, *e.record))
	}
	*e.record = (*e.record)[:last]
}

// desk is a test's book and those that commit to it.
type desk struct {
	*testing.T
	book   *book
	c      *committer.Committer[*sheet]
	answer map[string]chan error
	goOn   chan struct{}
}

// atDesk runs a test in which one entry, "first", is being written, so that others have to wait.
func atDesk(t *testing.T, try func(d *desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, book: &book{}, answer: map[string]chan error{}, goOn: make(chan struct{})}
		d.c = d.book.committer()
		d.commit(t.Context(), &entry{word: "first", before: func(int, *sheet) (bool, error) {
			<-d.goOn
			return false, nil
		}})
		try(d)
	})
}

// commit commits an entry and returns once it waits for something.
func (d *desk) commit(ctx context.Context, e *entry) {
	answer := make(chan error, 1)
	d.answer[e.word] = answer
	go func() { answer <- d.c.Commit(ctx, e) }()
	synctest.Wait()
}

// join commits some words.
func (d *desk) join(words ...string) {
	for _, word := range words {
		d.commit(d.Context(), &entry{word: word})
	}
}

// release lets the first entry be written, and all that can be done come to its end.
func (d *desk) release() {
	close(d.goOn)
	synctest.Wait()
}

// told fails the test unless the commits of the words have been answered so.
func (d *desk) told(want error, words ...string) {
	d.Helper()
	for _, word := range words {
		select {
		case err := <-d.answer[word]:
			if !errors.Is(err, want) {
				d.Errorf("%s is told %v, want %v", word, err, want)
			}
		default:
			d.Errorf("%s is told nothing", word)
		}
	}
}

// untold fails the test if one of the commits has been answered.
func (d *desk) untold(words ...string) {
	d.Helper()
	for _, word := range words {
		select {
		case err := <-d.answer[word]:
			d.Errorf("%s is told %v already", word, err)
		default:
		}
	}
}

// wrote fails the test unless these are the batches that were committed.
func (d *desk) wrote(batches ...string) {
	d.Helper()
	if !slices.Equal(d.book.batches, batches) {
		d.Errorf("batches %q, want %q", d.book.batches, batches)
	}
	if got, want := strings.Join(d.book.rows, " "), strings.Join(batches, " "); got != want {
		d.Errorf("there is %q, want %q", got, want)
	}
	if d.book.open {
		d.Error("a transaction is left open")
	}
}

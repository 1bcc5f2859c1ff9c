package committer_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
)

var errStale, errFull = errors.New("stale"), errors.New("full")

func TestOneAloneIsWrittenAtOnceAndWithoutASavepoint(t *testing.T) {
	b := &book{}
	c := b.committer()
	for _, word := range []string{"a", "b"} {
		if err := c.Commit(t.Context(), &entry{word: word}); err != nil {
			t.Error(err)
		}
	}
	if err := c.Commit(t.Context(), refused("c")); !errors.Is(err, errStale) {
		t.Errorf("a refused one is told %v", err)
	}
	if b.commits != 2 || b.savepoints != 0 || !slices.Equal(b.rows, []string{"a", "b"}) || b.open {
		t.Errorf("%+v", b)
	}
}

func TestThoseThatComeMeanwhileAreOneBatchInTheirOrder(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.join("a", "b", "c", "d")
		d.untold("first", "a", "d")
		d.release()
		d.told(nil, "first", "a", "b", "c", "d")
		d.wrote("first", "a b c d")
	})
}

func TestNobodyIsToldBeforeItsCommitIsDurable(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.join("a", "b")
		d.commit(d.Context(), refused("c")) // what it rests on may be no more than its batch
		syncs := make(chan struct{})
		d.book.commit = func([]string) error { <-syncs; return nil }
		d.release()
		d.untold("first", "a", "b", "c")
		syncs <- struct{}{}
		synctest.Wait()
		d.told(nil, "first")
		d.untold("a", "b", "c")
		d.join("later") // it must wait for the batch that is being made durable
		syncs <- struct{}{}
		synctest.Wait()
		d.told(nil, "a", "b")
		d.told(errStale, "c")
		d.untold("later")
		syncs <- struct{}{}
		synctest.Wait()
		d.told(nil, "later")
		d.wrote("first", "a b", "later")
	})
}

// refused is a change with an error of its own, found after it has written a part.
func refused(word string) *entry {
	return &entry{word: word, before: func(_ int, s *sheet) (bool, error) {
		s.write("half of " + word)
		return true, errStale
	}}
}

// failing is a change whose error ends the transaction, as often as it is written.
func failing(word string) *entry {
	return &entry{word: word, before: func(_ int, s *sheet) (bool, error) {
		s.end()
		return false, errFull
	}}
}

func TestAnErrorOfAChangesOwnIsTheOwnersAlone(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.join("a")
		c := refused("c")
		d.commit(d.Context(), c)
		d.join("b")
		d.release()
		d.told(nil, "first", "a", "b")
		d.told(errStale, "c")
		d.wrote("first", "a b")
		if c.id != 0 || c.tries != 1 {
			d.Errorf("its record has %d after %d tries", c.id, c.tries)
		}
	})
}

func TestAnyOtherErrorLeavesEachByItself(t *testing.T) {
	atDesk(t, func(d *desk) {
		a, b := &entry{word: "a"}, &entry{word: "b"}
		d.commit(d.Context(), a)
		d.commit(d.Context(), failing("c"))
		d.commit(d.Context(), b)
		d.commit(d.Context(), refused("d"))
		d.release()
		d.told(nil, "first", "a", "b")
		d.told(errFull, "c")
		d.told(errStale, "d")
		d.wrote("first", "a", "b")
		if a.id != 2 || a.tries != 2 || b.id != 1 {
			d.Errorf("records have %d and %d", a.id, b.id)
		}
	})
}

// A disk that is full for all of them together may still take one.
func TestACommitThatFailsLeavesEachByItself(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.book.commit = func(words []string) error {
			if len(words) > 1 || words[0] == "b" {
				return errFull
			}
			return nil
		}
		a, b := &entry{word: "a"}, &entry{word: "b"}
		d.commit(d.Context(), a)
		d.commit(d.Context(), b)
		d.join("c")
		d.release()
		d.told(nil, "first", "a", "c")
		d.told(errFull, "b")
		d.wrote("first", "a", "c")
		if a.id == 0 || b.id != 0 {
			d.Errorf("records have %d and %d", a.id, b.id)
		}
	})
}

// What is written into a transaction that has ended unnoticed would be there for good.
func TestNothingIsWrittenBehindATransactionThatEnded(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.book.back = func() error { return errFull }
		d.join("a")
		d.commit(d.Context(), &entry{word: "c", before: func(_ int, s *sheet) (bool, error) {
			s.end()
			return true, errStale
		}})
		d.join("b")
		d.release()
		d.told(nil, "first", "a", "b")
		d.told(errStale, "c")
		d.wrote("first", "a", "b")
	})
}

// The second one is refused since the first one is in its batch, which fails: by itself it is not.
func TestAnErrorThatRestsOnAFailedBatchIsNotTold(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.commit(d.Context(), &entry{word: "a", before: func(try int, _ *sheet) (bool, error) {
			if try > 1 {
				return true, errStale
			}
			return false, nil
		}})
		d.commit(d.Context(), &entry{word: "b", before: func(_ int, s *sheet) (bool, error) {
			if len(s.words) > 0 {
				return true, errStale
			}
			return false, nil
		}})
		d.commit(d.Context(), failing("c"))
		d.release()
		d.told(errStale, "a")
		d.told(nil, "b")
		d.wrote("first", "b")
	})
}

func TestRecordsThatChangesShareAreTakenBackBackwards(t *testing.T) {
	var record []string
	atDesk(t, func(d *desk) {
		for _, word := range []string{"a", "b", "c"} {
			d.commit(d.Context(), &entry{word: word, record: &record})
		}
		d.commit(d.Context(), failing("d"))
		d.release()
		d.told(nil, "a", "b", "c")
		d.told(errFull, "d")
		if !slices.Equal(record, []string{"a", "b", "c"}) {
			d.Errorf("the record has %q", record)
		}
	})
}

// The one that panics, or ends its goroutine, does so as it would alone; the others know nothing of
// it.
func TestAPanicIsItsOwnersAlone(t *testing.T) {
	for what, one := range map[string]struct {
		at   int // which of the batch
		ends func()
	}{
		"the leader panics":      {0, func() { panic("planned") }},
		"another panics":         {1, func() { panic("planned") }},
		"the last one panics":    {2, func() { panic("planned") }},
		"the leader's goroutine": {0, runtime.Goexit},
		"another's goroutine":    {1, runtime.Goexit},
	} {
		t.Run(what, func(t *testing.T) {
			atDesk(t, func(d *desk) {
				var said any
				e := &entry{word: "broken", before: func(_ int, s *sheet) (bool, error) {
					s.write("half")
					one.ends()
					return false, nil
				}}
				for i, word := range []string{"a", "b", "c"} {
					if i != one.at {
						d.join(word)
						continue
					}
					d.answer[word] = make(chan error, 1)
					go func() {
						defer func() { said = recover(); d.answer[word] <- errStale }()
						_ = d.c.Commit(d.Context(), e)
						t.Error("its Commit returns")
					}()
					synctest.Wait()
				}
				d.release()
				others := slices.Delete([]string{"a", "b", "c"}, one.at, one.at+1)
				d.told(nil, others...)
				d.told(errStale, []string{"a", "b", "c"}[one.at])
				d.wrote("first", others[0]+" "+others[1])
				if panics := said == "planned"; panics != (what[len(what)-6:] == "panics") || e.id != 0 {
					t.Errorf("it is told %v, its record has %d", said, e.id)
				}
			})
		})
	}
}

func TestAPanicOfTheDatabaseHoldsUpNobody(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.answer["a"] = make(chan error, 1)
		a := &entry{word: "a"}
		go func() {
			defer func() { _ = recover(); d.answer["a"] <- errStale }()
			_ = d.c.Commit(d.Context(), a)
		}()
		synctest.Wait()
		d.join("b")
		d.book.commit = func(words []string) error {
			if words[0] == "a" {
				panic("planned")
			}
			return nil
		}
		d.release()
		d.told(errStale, "a")
		d.told(nil, "first", "b")
		d.wrote("first", "b")
		if a.id != 0 {
			t.Error("it is not taken back")
		}
	})
	atDesk(t, func(d *desk) {
		go func() {
			defer func() { _ = recover() }()
			_ = d.c.Commit(d.Context(), &entry{word: "a"})
		}()
		synctest.Wait()
		d.join("b")
		d.book.begin = func(context.Context) error {
			d.book.begin = nil
			panic("planned")
		}
		d.release()
		d.told(nil, "first", "b")
		d.wrote("first", "b")
	})
}

package committer_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// What a change may do to its batch, all of it at once and in any order: whoever is told that its
// change is durable finds it there once, in its own order, and nobody else finds anything.
func TestWhateverOthersDoEachIsToldTheTruth(t *testing.T) {
	const workers, commits = 16, 150
	shared := 0
	for seed := range uint64(8) {
		b, refuse := &book{}, rand.New(rand.NewPCG(seed, 1)) // asked by one leader at a time
		b.commit = func(words []string) error {
			if refuse.IntN(12) == 0 {
				return errFull
			}
			return nil
		}
		b.begin = func(context.Context) error { runtime.Gosched(); return nil } // others come meanwhile
		c := b.committer()
		told := make([][]string, workers)
		var all sync.WaitGroup
		for w := range workers {
			all.Go(func() {
				dice := rand.New(rand.NewPCG(seed, uint64(w)+2))
				for n := range commits {
					e := &entry{word: fmt.Sprint(w, ".", n), before: mishap(dice.IntN(20))}
					ctx, cancel := context.WithCancel(t.Context())
					if dice.IntN(4) == 0 {
						go cancel()
					}
					err := guarded(func() error { return c.Commit(ctx, e) })
					cancel()
					if (err == nil) != (e.id != 0) {
						t.Errorf("%s is told %v and has id %d", e.word, err, e.id)
					}
					if err == nil {
						told[w] = append(told[w], e.word)
					}
				}
			})
		}
		all.Wait()
		there := make([][]string, workers)
		for _, word := range b.rows {
			var w int
			_, _ = fmt.Sscanf(word, "%d.", &w)
			there[w] = append(there[w], word)
		}
		for w := range workers {
			if !slices.Equal(told[w], there[w]) || len(told[w]) == 0 {
				t.Errorf("seed %d: %d was told %q, and there is %q", seed, w, told[w], there[w])
			}
		}
		if b.open {
			t.Error("a transaction is left open")
		}
		for _, words := range b.batches {
			shared += strings.Count(words, " ")
		}
	}
	if t.Logf("%d shared a transaction", shared); shared == 0 {
		t.Error("none shared a transaction")
	}
}

var errPanic = errors.New("it panicked")

// guarded turns a panic into an error.
func guarded(try func() error) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	return try()
}

// mishap is what a change does to itself and its batch, nothing for most.
func mishap(die int) func(try int, s *sheet) (bool, error) {
	return func(_ int, s *sheet) (bool, error) {
		switch die {
		case 0:
			s.write("half")
			return true, errStale
		case 1:
			s.end()
			return false, errFull
		case 2:
			s.write("half")
			panic("planned")
		case 3:
			s.end()
			return true, errStale // it does not know better
		}
		return false, nil
	}
}

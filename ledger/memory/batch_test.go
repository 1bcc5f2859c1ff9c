package memory_test

import (
	"errors"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/committer"
	"orderly/ledger/memory"
)

var _ committer.Tx = (*memory.Batch)(nil)

// Of a batch everything is there or nothing, down to the ids that its records were given; what a change was refused for is its
// own.
func TestABatchIsThereOrNot(t *testing.T) {
	run := func(word string) *ledger.Run { return &ledger.Run{Command: word} }
	refused := errors.New("no")
	for _, commits := range []bool{true, false} {
		s := memory.New()
		first, second, third := run("first"), run("second"), run("third")
		account := &ledger.Account{Server: "s", URL: "u"}
		b := s.Begin()
		for _, c := range []struct {
			change *ledger.Change
			want   error
		}{
			{&ledger.Change{Run: first, Account: account}, nil},
			{&ledger.Change{Run: second, Spends: []ledger.Spend{{Next: func(time.Time) (time.Time, error) { return time.Time{}, refused }}}}, refused},
			{&ledger.Change{Run: third}, nil},
		} {
			if err := b.Write(c.change); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, not %v", c.change.Run.Command, err, c.want)
			}
		}
		if commits {
			if err := b.Commit(); err != nil {
				t.Error(err)
			}
		} else {
			b.Rollback()
		}
		runs, err := s.Runs(t.Context(), 10)
		if there := len(runs) == 2 && s.Commits() == 2 && first.ID != 0 && third.ID != 0; err != nil || second.ID != 0 || there != commits ||
			!commits && (len(runs) != 0 || s.Commits() != 0 || first.ID != 0 || account.ID != 0) {
			t.Errorf("committed %v: %d runs, %d commits, ids %d %d %d, %v", commits, len(runs), s.Commits(), first.ID, second.ID, third.ID, err)
		}
		if err := s.Commit(t.Context(), &ledger.Change{Run: run("next")}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

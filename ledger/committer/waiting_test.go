package committer_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"orderly/ledger/committer"
)

// Whoever waits leaves with its own context, as long as no batch has taken it, and is never left
// behind by a leader that does.

func TestAContextEndsTheWaitInTheQueue(t *testing.T) {
	atDesk(t, func(d *desk) {
		why := errors.New("its lineage is given up")
		ctx, cancel := context.WithCancelCause(d.Context())
		d.join("a")
		b := &entry{word: "b"}
		d.commit(ctx, b)
		d.join("c")
		cancel(why)
		synctest.Wait()
		d.told(why, "b") // while the first one is still being written
		d.untold("first", "a", "c")
		d.release()
		d.told(nil, "first", "a", "c")
		d.wrote("first", "a c")
		if b.tries != 0 {
			d.Error("it was written")
		}
	})
}

func TestOneThatABatchTookIsToldTheTruth(t *testing.T) {
	atDesk(t, func(d *desk) {
		ctx, cancel := context.WithCancel(d.Context())
		writing := make(chan struct{})
		d.commit(d.Context(), &entry{word: "a", before: func(int, *sheet) (bool, error) {
			<-writing
			return false, nil
		}})
		d.commit(ctx, &entry{word: "b"})   // before it is written
		d.commit(ctx, refused("c"))        // and one with an error of its own
		d.commit(d.Context(), failing("")) // its batch fails, and each still gets its turn
		d.release()
		cancel()
		synctest.Wait()
		d.untold("a", "b", "c")
		close(writing)
		synctest.Wait()
		d.told(nil, "first", "a", "b")
		d.told(errStale, "c")
		d.told(errFull, "")
		d.wrote("first", "a", "b")
	})
}

func TestOneWhoseBatchFailedWaitsNotForLongAfterItsContext(t *testing.T) {
	atDesk(t, func(d *desk) {
		ctx, cancel := context.WithCancel(d.Context())
		a := &entry{word: "a"}
		d.commit(ctx, a)
		d.commit(d.Context(), failing("b"))
		begun := 0
		d.book.begin = func(ctx context.Context) error {
			if begun++; begun == 2 { // another process comes between the batch and a by itself
				<-ctx.Done()
				return context.Cause(ctx)
			}
			return nil
		}
		d.release()
		d.untold("a", "b")
		cancel()
		time.Sleep(time.Second) // of the bubble's clock
		synctest.Wait()
		d.told(context.Canceled, "a")
		d.told(nil, "first")
		d.told(errFull, "b")
		d.wrote("first")
		if a.tries != 1 {
			d.Errorf("it was written %d times", a.tries)
		}
	})
}

func TestALeaderThatGivesUpLeavesTheOthersToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &desk{T: t, book: &book{}, answer: map[string]chan error{}, goOn: make(chan struct{})}
		d.c = d.book.committer()
		d.book.begin = func(ctx context.Context) error { // another process is in the way
			select {
			case <-d.goOn:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		d.commit(ctx, &entry{word: "a"})
		d.join("b", "c")
		cancel()
		synctest.Wait()
		d.told(context.Canceled, "a")
		d.untold("b", "c")
		d.join("d") // it came while the transaction was waited for, and is in it
		d.release()
		d.told(nil, "b", "c", "d")
		d.wrote("b c d")
	})
}

func TestWhoWaitedAsLongAsAnyIsToldSoAtOnce(t *testing.T) {
	atDesk(t, func(d *desk) {
		patience := make(chan struct{})
		d.book.begin = func(context.Context) error {
			<-patience
			d.book.begin = nil
			return errors.Join(errFull, committer.ErrBusy)
		}
		d.join("a", "b")
		d.release()
		d.join("c") // it came later
		close(patience)
		synctest.Wait()
		d.told(committer.ErrBusy, "a", "b")
		d.told(nil, "first", "c")
		d.wrote("first", "c")
	})
}

func TestATransactionThatCannotBeOpenedIsTheLeadersError(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.join("a", "b", "c")
		d.book.begin = func(context.Context) error {
			d.book.begin = nil
			return errFull
		}
		d.release()
		d.told(errFull, "a")
		d.told(nil, "first", "b", "c")
		d.wrote("first", "b c")
	})
}

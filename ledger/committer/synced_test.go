package committer_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
)

func TestASyncIsMadeForThoseAloneThatAskForOne(t *testing.T) {
	b := &book{}
	c := b.committer()
	for _, e := range []*entry{{word: "a", loose: true}, {word: "b"}, {word: "c", loose: true}} {
		if err := c.Commit(t.Context(), e); err != nil {
			t.Error(err)
		}
	}
	if !slices.Equal(b.synced, []bool{false, true, false}) {
		t.Errorf("begun as %v", b.synced)
	}
}

func TestWhatNeedsNoSyncSharesThatOfOthers(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.commit(d.Context(), &entry{word: "a", loose: true})
		d.join("b")
		d.commit(d.Context(), &entry{word: "c", loose: true})
		d.release()
		d.told(nil, "first", "a", "b", "c")
		d.wrote("first", "a b c")
		if !slices.Equal(d.book.synced, []bool{true, true}) {
			d.Errorf("begun as %v", d.book.synced)
		}
	})
}

// A transaction that was opened for what needs no sync takes nothing that does: it would be told
// durable, and be gone after a power cut.
func TestWhatIsToBeSyncedWaitsForATransactionThatIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opened := make(chan struct{})
		b := &book{begin: func(context.Context) error { <-opened; return nil }}
		d := &desk{T: t, book: b, answer: map[string]chan error{}}
		d.c = b.committer()
		d.commit(t.Context(), &entry{word: "a", loose: true})
		d.commit(t.Context(), &entry{word: "b", loose: true})
		d.join("c")
		d.commit(t.Context(), &entry{word: "d", loose: true})
		opened <- struct{}{}
		synctest.Wait()
		d.told(nil, "a", "b")
		d.untold("c", "d")
		opened <- struct{}{}
		synctest.Wait()
		d.told(nil, "c", "d")
		d.wrote("a b", "c d")
		if !slices.Equal(b.synced, []bool{false, true}) {
			t.Errorf("begun as %v", b.synced)
		}
	})
}

package committer_test

import (
	"runtime"
	"sync"
	"testing"
)

// Orders that are about to commit at the same moment share a transaction also where nothing takes
// any time: the first of them lets the others run. On one processor each round of eight is one
// batch then, and two at least without it. A scheduler may pick otherwise now and then.
func TestThoseThatComeAtTheSameMomentAreOneBatch(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const rounds, orders = 40, 8
	b := &book{}
	c := b.committer()
	for range rounds {
		var group sync.WaitGroup
		for range orders {
			group.Go(func() {
				if err := c.Commit(t.Context(), &entry{word: "a"}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	}
	if b.commits > rounds*3/2 || len(b.rows) != rounds*orders {
		t.Errorf("%d orders were written in %d transactions, as %d words", rounds*orders, b.commits,
			len(b.rows))
	}
}

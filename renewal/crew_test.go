package renewal

import (
	"context"
	"sync/atomic"
	"testing"

	"orderly/failure"
)

// A panic that no piece made its own result ends no other piece, and is told in a sentence.
func TestAPanicOfAPieceEndsNoOther(t *testing.T) {
	t.Parallel()
	var done atomic.Int32
	var all []piece
	for i := range 12 {
		all = append(all, piece{alone: i > 8, do: func(context.Context) error {
			if i == 3 || i == 9 {
				panic("a nil map")
			}
			done.Add(1)
			return nil
		}})
	}
	err := crew{jobs: 3}.do(t.Context(), all)
	if failure.ClassOf(err) != failure.Internal || failure.RemedyOf(err) == "" || done.Load() != 10 {
		t.Errorf("%v, %d of 10 others done", err, done.Load())
	}
}

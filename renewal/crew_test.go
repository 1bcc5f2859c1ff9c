package renewal

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"orderly/failure"
	"orderly/slot"
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

// However few jobs there are, a hundred that wait keep the next one from nothing.
func TestManyThatWaitLeaveRoomForOthers(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	last := make(chan struct{})
	var all []piece
	for range 100 {
		all = append(all, piece{do: func(ctx context.Context) error {
			slot.Away(ctx, func() {
				select {
				case <-last:
				case <-ctx.Done():
				}
			})
			return nil
		}})
	}
	all = append(all, piece{do: func(context.Context) error { close(last); return nil }})
	if err := (crew{jobs: 2}).do(ctx, all); err != nil {
		t.Errorf("the last one did not come to its turn: %v", err)
	}
}

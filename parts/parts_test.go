package parts_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"orderly/parts"
)

// breaks is where the panic of the test comes from.
func breaks() { panic("a nil map") }

func TestThePanicOfAPartIsWhoeverWaitsFor(t *testing.T) {
	t.Parallel()
	var all parts.Group
	var done atomic.Int32
	for range 3 {
		all.Go(func() { done.Add(1) })
	}
	all.Go(breaks)
	defer func() {
		r := recover()
		err, ok := r.(error)
		if !ok || err.Error() != "a nil map" || !strings.Contains(parts.StackOf(r), "breaks") || done.Load() != 3 {
			t.Errorf("recovered %v, %d others done", r, done.Load())
		}
	}()
	all.Wait()
}

func TestPartsThatAreWellAreWaitedFor(t *testing.T) {
	t.Parallel()
	var all parts.Group
	var done atomic.Int32
	for range 9 {
		all.Go(func() { done.Add(1) })
	}
	if all.Wait(); done.Load() != 9 {
		t.Errorf("%d of 9", done.Load())
	}
	if !strings.Contains(parts.StackOf("something else"), "TestPartsThatAreWell") {
		t.Error("no stack of whoever asks")
	}
}

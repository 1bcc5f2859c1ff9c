package lock_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"orderly/lock"
)

func TestAWaitHasABoundAndNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := start(t, process("exclusive", path, "a")).cmd.Process.Pid
	f, err := lock.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Wait(t.Context(), "a", lock.Patience{})
	if held, ok := errors.AsType[*lock.HeldError](err); !ok || held.PID != holder || held.Key != "a" {
		t.Errorf("no patience at all: %v", err)
	}
	told := 0
	_, err = f.Wait(t.Context(), "a", lock.Patience{Bound: 1200 * time.Millisecond, Tell: func(pid int) {
		if told++; pid != holder {
			t.Errorf("told of process %d, not %d", pid, holder)
		}
	}})
	if held, ok := errors.AsType[*lock.HeldError](err); !ok || held.PID != holder || told != 1 {
		t.Errorf("after the bound: %v, told %d times", err, told)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Wait(ctx, "a", lock.Patience{Bound: time.Hour}); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that is over: %v", err)
	}
	if unlock, err := f.Wait(t.Context(), "b", lock.Patience{}); err != nil || unlock() != nil {
		t.Errorf("a free one: %v", err)
	}
}

func TestWhoeverIsLockedOutOfAWholeFileIsToldByWhom(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".certbot.lock")
	holder := start(t, process("shared", path)).cmd.Process.Pid
	ctx, cancel := context.WithCancel(t.Context())
	_, err := lock.Telling(ctx, path, true, func(pid int) {
		if pid != holder {
			t.Errorf("told of process %d, not %d", pid, holder)
		}
		cancel()
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

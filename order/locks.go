package order

import (
	"context"

	"orderly/ledger"
)

// Locks exclude other processes from what one is at work on (rule 11). They are this host's kernel
// locks, or leases of a database that several hosts share. A lease can be lost while its holder works:
// its network is cut, its process stands still. So a lock says that it is lost, by its context, and what
// is committed under it carries its fence, by which the ledger refuses whoever does not know yet.
type Locks interface {
	Lock(ctx context.Context, key string) (Held, error)
	TryLock(key string) (held Held, ok bool, err error)
}

// Held is a lock as its holder has it.
type Held struct {
	// Unlock gives it back. Calls after the first do nothing.
	Unlock func() error
	// Lost ends, with the reason as its cause, when another may have taken the lock; nil for one that
	// cannot be lost.
	Lost context.Context
	// Guard is what the ledger checks with each commit; zero for a lock that cannot be lost.
	Guard ledger.Guard
}

// Under is ctx for what is done under the lock: it ends when the lock is lost, and GuardsOf gives the
// lock's guard beside those of the locks that ctx is under already. release gives the lock back; what
// goes wrong with that cannot be helped, and a lock does not outlive its process.
func (h Held) Under(ctx context.Context) (under context.Context, release func()) {
	if h.Guard != (ledger.Guard{}) {
		ctx = context.WithValue(ctx, guardsKey{}, append(GuardsOf(ctx), h.Guard))
	}
	if h.Lost == nil {
		return ctx, func() { _ = h.Unlock() }
	}
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(h.Lost, func() { cancel(context.Cause(h.Lost)) })
	return ctx, func() {
		stop()
		_ = h.Unlock()
		cancel(nil)
	}
}

type guardsKey struct{}

// GuardsOf are the guards of the locks that ctx is under, for ledger.Change.
func GuardsOf(ctx context.Context) []ledger.Guard {
	guards, _ := ctx.Value(guardsKey{}).([]ledger.Guard)
	return guards[:len(guards):len(guards)]
}

// KernelLocks are locks that the kernel keeps: they die with their process, and are never lost before.
type KernelLocks interface {
	Lock(ctx context.Context, key string) (unlock func() error, err error)
	TryLock(key string) (unlock func() error, ok bool, err error)
}

// Kernel makes Locks of kernel locks.
func Kernel(l KernelLocks) Locks { return kernel{l} }

type kernel struct{ locks KernelLocks }

// Lock implements Locks.
func (k kernel) Lock(ctx context.Context, key string) (Held, error) {
	unlock, err := k.locks.Lock(ctx, key)
	return Held{Unlock: unlock}, err
}

// TryLock implements Locks.
func (k kernel) TryLock(key string) (Held, bool, error) {
	unlock, ok, err := k.locks.TryLock(key)
	return Held{Unlock: unlock}, ok, err
}

// LineageLock is the key under which a lineage is locked while anything is done for it, at the CA or on disk.
func LineageLock(lineage string) string { return "lineage:" + lineage }

// NamesLock is the key under which calls for one name set take turns.
func NamesLock(names []string) string { return "names:" + ledger.NameKey(names) }

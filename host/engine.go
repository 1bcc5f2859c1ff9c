package host

import (
	"context"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
)

// The engine sees this host through drive.Host: what is not a method of a part already stands here.

// Lock implements drive.Host.
func (h *Host) Lock(ctx context.Context, key string) (order.Held, error) {
	return order.Kernel(h.Locks).Lock(ctx, key)
}

// TryLock implements drive.Host.
func (h *Host) TryLock(key string) (order.Held, bool, error) {
	return order.Kernel(h.Locks).TryLock(key)
}

// Keys implements drive.Host.
func (h *Host) Keys() order.KeyStore { return h.Kept }

// Preflight implements drive.Host.
func (h *Host) Preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	h.Hooks.looks(r.Lineage)
	return h.Checks.Preflight(ctx, Read(r), names)
}

// Begins implements drive.Host.
func (h *Host) Begins(r ledger.Request) bool { return h.Hooks.Begins(Read(r)) }

// Begin implements drive.Host.
func (h *Host) Begin(ctx context.Context, r ledger.Request) bool {
	return h.Hooks.Begin(ctx, Read(r))
}

// Refresh implements drive.Host.
func (h *Host) Refresh(ctx context.Context, r *ledger.Request) {
	full := Read(*r)
	h.Roots.Refresh(ctx, &full)
	*r = full.Filed()
}

// Wanted implements drive.Host.
func (h *Host) Wanted(o *ledger.Order) bool { return h.Files.Wanted(o) }

// Mended implements drive.Host.
func (h *Host) Mended(o *ledger.Order) ledger.Request { return h.Files.Mended(o) }

// Adopt implements drive.Host.
func (h *Host) Adopt(o *ledger.Order, r ledger.Request) { h.Files.Adopt(o, r) }

// Mine implements drive.Host.
func (h *Host) Mine(o *ledger.Order) bool { return h.Files.Mine(o) }

// Tell implements drive.Host.
func (h *Host) Tell(format string, args ...any) { h.Voice.Tell(format, args...) }

// Enrol implements drive.Host for engines whose account is there: whoever allows an account to be
// made gives the engine a host that makes it.
func (h *Host) Enrol(context.Context, ledger.Request) (drive.Enrolment, error) {
	return drive.Enrolment{}, failure.New(failure.Internal, "",
		"nobody has allowed that an account is made")
}

// Only says that one certificate is all the run is about, so that its end may be recorded with the
// order's.
func (h *Host) Only() { h.record.only = true }

// Last implements drive.Host. While post-hooks are still to run, the run goes on.
func (h *Host) Last() ledger.Change {
	if !h.record.only || h.Hooks.Owe() {
		return ledger.Change{}
	}
	h.record.run.EndedAt, h.record.run.Outcome = h.record.clock.Now(), "done"
	return ledger.Change{Run: h.record.run, Sightings: h.Sights.Taken()}
}

// record is the run's own, in the ledger.
type record struct {
	run   *ledger.Run
	clock order.Clock
	only  bool
}

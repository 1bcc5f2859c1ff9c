package drive_test

import (
	"context"
	"errors"

	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
)

// machine is the host of one engine: the world's document roots, disk, locks and keys. What a test says of
// the rest counts, and otherwise nothing is to be done.
type machine struct {
	order.Solver
	order.Installer
	order.Locks
	keys      order.KeyStore
	preflight func(context.Context, ledger.Request, []string) preflight.Report
	begins    func(ledger.Request) bool
	begin     func(context.Context, ledger.Request) bool
	refresh   func(context.Context, *ledger.Request)
	last      func() *ledger.Run
	tell      func(format string, args ...any)
}

func (w *world) machine() *machine {
	return &machine{Solver: w.solver, Installer: w.disk, Locks: order.Kernel(w.locks), keys: w.keys,
		preflight: func(_ context.Context, _ ledger.Request, names []string) preflight.Report {
			w.mu.Lock()
			w.checked = append(w.checked, names)
			w.mu.Unlock()
			return w.report(names)
		},
		begins: func(ledger.Request) bool { return false }, begin: func(context.Context, ledger.Request) bool { return false },
		refresh: func(context.Context, *ledger.Request) {}, last: func() *ledger.Run { return nil }, tell: func(string, ...any) {}}
}

// on is the machine of an engine.
func on(e *drive.Engine) *machine { return drive.HostOf(e).(*machine) }

// Keys implements drive.Host.
func (m *machine) Keys() order.KeyStore { return m.keys }

// Preflight implements drive.Host.
func (m *machine) Preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	return m.preflight(ctx, r, names)
}

// Begins implements drive.Host.
func (m *machine) Begins(r ledger.Request) bool { return m.begins(r) }

// Begin implements drive.Host.
func (m *machine) Begin(ctx context.Context, r ledger.Request) bool { return m.begin(ctx, r) }

// Refresh implements drive.Host.
func (m *machine) Refresh(ctx context.Context, r *ledger.Request) { m.refresh(ctx, r) }

// Wanted implements drive.Host.
func (m *machine) Wanted(*ledger.Order) bool { return true }

// Mended implements drive.Host.
func (m *machine) Mended(o *ledger.Order) ledger.Request { return o.Request }

// Adopt implements drive.Host.
func (m *machine) Adopt(o *ledger.Order, r ledger.Request) { o.Request.Host = r.Host }

// Mine implements drive.Host.
func (m *machine) Mine(*ledger.Order) bool { return true }

// Enrol implements drive.Host.
func (m *machine) Enrol(context.Context, ledger.Request) (drive.Enrolment, error) {
	return drive.Enrolment{}, errors.New("every world has an account")
}

// Last implements drive.Host.
func (m *machine) Last() ledger.Change { return ledger.Change{Run: m.last()} }

// Tell implements drive.Host.
func (m *machine) Tell(format string, args ...any) { m.tell(format, args...) }

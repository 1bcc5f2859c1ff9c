package sim

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/limit"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
)

// server is a host with its own ledger, keys, locks and clock. Its processes come and go.
type server struct {
	w          *world
	name       string
	dice       *dice
	book       *memory.Store
	row        ledger.Account
	account    int // at the CA
	keys       *keyRing
	locks      *locks
	offset     time.Duration // of its clock
	lines      []*lineage
	moves      []time.Duration  // after the beginning, when many lineages come to it at once
	marks      map[string]int64 // see newer
	deploys    map[int64]int    // by order
	lost       map[int64]bool   // orders whose key was lost
	installs   map[int64]bool
	letThrough map[string]time.Time // when a lineage was last ordered in spite of the network checks
	jumpedAt   time.Time            // when its clock last jumped
}

// lineage is a certificate that somebody wants to have, and what is on the disk of it.
type lineage struct {
	name     string
	number   int
	s        *server
	dice     *dice
	names    []string
	inPlace  *installed
	born     time.Time
	deleted  bool
	changes  int
	attempts int // undisturbed runs since its last trouble that brought nothing
	// trouble is the last moment at which something that is not Orderly's fault kept it from its certificate.
	trouble time.Time
}

func (s *server) time() time.Time { return s.w.time().Add(s.offset) }

// engine is what a new process makes for itself. It knows what the ledger knows.
func (p *worker) engine(command string) (*drive.Engine, error) {
	run := &ledger.Run{Command: command, StartedAt: p.s.time()}
	if err := p.desk().Commit(runContext{p.process}, &ledger.Change{Run: run}); err != nil {
		return nil, err
	}
	client := must(acme.New(directoryURL, acme.Options{HTTP: &http.Client{Transport: wire{p.process}}, Now: p.s.time, Timeout: 24 * time.Hour}))
	row := must(p.s.book.AccountByID(context.Background(), p.s.row.ID))
	session := drive.NewSession(client, accountKey(), row)
	session.TakeTurns(turn{p.process, "session"}, turn{p.process, "births"})
	return drive.New(drive.Config{
		Store: p.desk(), Session: session, Profiles: limit.Profiles{p.w.ca.profile()},
		Host: newMachine(p.process), Clock: hostClock{p.process}, Log: slog.New(slog.DiscardHandler), Run: run,
		Effort: drive.Effort{Parallel: 1, Patience: drive.DefaultPatience, LongestWait: drive.DefaultLongestWait},
	})
}

// machine is a server as the engine of one of its processes sees it.
type machine struct {
	p *process
	solver
	installer
	order.Locks
}

func newMachine(p *process) machine {
	return machine{p, solver{p}, installer{p}, order.Kernel(processLocks{p})}
}

// Keys implements drive.Host.
func (m machine) Keys() order.KeyStore { return processKeys{m.p} }

// Preflight implements drive.Host.
func (m machine) Preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	return m.p.at().preflight(ctx, r, names)
}

// Begins implements drive.Host: there are no pre-hooks.
func (machine) Begins(ledger.Request) bool { return false }

// Begin implements drive.Host.
func (machine) Begin(context.Context, ledger.Request) bool { return false }

// Refresh implements drive.Host: no document root moves.
func (machine) Refresh(context.Context, *ledger.Request) {}

// Wanted implements drive.Host.
func (m machine) Wanted(o *ledger.Order) bool { return m.p.wanted(o) }

// Mended implements drive.Host: nobody edits renewal files.
func (machine) Mended(o *ledger.Order) ledger.Request { return o.Request }

// Adopt implements drive.Host: no document root moves.
func (machine) Adopt(*ledger.Order, ledger.Request) {}

// Mine implements drive.Host.
func (machine) Mine(*ledger.Order) bool { return true }

// Enrol implements drive.Host. Every server has its account from the beginning.
func (machine) Enrol(context.Context, ledger.Request) (drive.Enrolment, error) {
	return drive.Enrolment{}, failure.New(failure.Account, "", "a server without an account")
}

// Last implements drive.Host.
func (machine) Last() ledger.Change { return ledger.Change{} }

// Tell implements drive.Host. Nobody watches.
func (machine) Tell(string, ...any) {}

// wanted reports whether an order that an earlier process left is still wanted.
func (p *process) wanted(o *ledger.Order) bool {
	l := p.w.lineage(o.Lineage)
	return l != nil && !l.deleted
}

func (w *world) lineage(name string) *lineage {
	for _, l := range w.lineages {
		if l.name == name {
			return l
		}
	}
	return nil
}

// due reports whether a lineage needs another certificate by its host's clock.
func (l *lineage) due() bool {
	if l.deleted {
		return false
	}
	return l.inPlace == nil || !slices.Equal(l.inPlace.names, l.names) || !l.s.time().Before(l.inPlace.notAfter.Add(-certLife/3))
}

// unfinished reports whether an earlier process left something.
func (l *lineage) unfinished() bool {
	return len(l.s.book.Peek(ledger.OrderFilter{Unsettled: true, Lineage: l.name})) > 0
}

// plan is what is wanted for a lineage, decided under its lock.
func (p *worker) plan(l *lineage) func(context.Context) (*order.Plan, error) {
	return func(ctx context.Context) (*order.Plan, error) {
		if !l.due() {
			return nil, nil
		}
		names := slices.Clone(l.names)
		r := ledger.Request{Lineage: l.name, Names: names, Server: directoryURL, Account: "a", KeyType: "ecdsa",
			Host: wants(names), New: l.inPlace == nil}
		if last, err := p.s.book.Certificate(ctx, l.name); err == nil && !r.New {
			r.Replaces = last.RenewalID
		}
		p.admission.urgent = false
		left := 100 * 24 * time.Hour
		if l.inPlace != nil {
			left = l.inPlace.notAfter.Sub(p.s.time())
		}
		p.admission.urgent = left < certLife/5
		p.log("wants", ledger.NameKey(names))
		return &order.Plan{Request: r, Urgent: left < certLife/5, Force: p.forced}, nil
	}
}

// obtain brings one lineage to its certificate, as certonly and renew do. It reports whether the run may go on.
func (p *worker) obtain(e *drive.Engine, l *lineage) bool {
	p.l = l
	p.admission = admission{}
	_, err := e.Obtain(runContext{p.process}, l.name, slices.Clone(l.names), p.plan(l))
	return p.concluded(err)
}

// concluded looks at how a driver ended.
func (p *worker) concluded(err error) bool {
	class := failure.ClassOf(err)
	p.log("ended", string(class))
	p.w.ended(p, err)
	hindered := p.l != nil && p.w.time().Before(p.l.trouble)
	switch {
	case p.l == nil || hindered || class == failure.Ledger || p.signalled:
	case class != failure.RateLimited:
		p.l.attempts++
	case !p.w.ca.wouldRefuse(p.l):
		p.refused = append(p.refused, p.l)
	}
	return class != failure.Ledger && !p.signalled
}

// installer puts certificates in place.
type installer struct{ p *process }

// Install implements order.Installer.
func (v installer) Install(_ context.Context, o *ledger.Order, privateKey, chain []byte) (order.Installation, error) {
	p := v.p.at()
	p.point("install")
	leaf, err := p.w.installing(p, o, privateKey, chain)
	if err != nil {
		return order.Installation{}, failure.Wrap(err, failure.Internal, "", "the pair for %s", o.Lineage)
	}
	l := p.w.lineage(o.Lineage)
	fresh := &installed{serial: leaf.SerialNumber.String(), names: slices.Clone(o.Names), notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}
	l.attempts = 0
	if l.inPlace != nil && l.inPlace.notBefore.After(leaf.NotBefore) {
		p.log("leaves aside", fresh.serial) // as package renewal does
		return order.Installation{Superseded: "a newer certificate is in place"}, nil
	}
	l.inPlace = fresh
	p.log("installs", fresh.serial)
	p.nap(3 * time.Millisecond)
	p.point("installed")
	return order.Installation{}, nil
}

// Deploys implements order.Installer.
func (installer) Deploys(*ledger.Order) bool { return true }

// Deploy implements order.Installer.
func (v installer) Deploy(ctx context.Context, o *ledger.Order) error {
	p := v.p.at()
	p.point("deploy")
	p.doze(p.dice().between(10*time.Millisecond, 3*time.Second))
	if ctx.Err() != nil {
		return failure.Wrap(ctx.Err(), failure.Stopped, "Run it again.", "stopped while hooks ran")
	}
	p.s.deploys[o.ID]++
	p.log("deploys", strconv.FormatInt(o.ID, 10))
	p.point("deployed")
	return nil
}

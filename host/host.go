// Package host is what one web server is to the order engine: where its keys and certificates are
// kept, how its names are proven, which hooks are run, what its files say of an order, and what can
// be checked here before anything is ordered.
//
// It must never decide about an order, never speak to a CA, and never do on this host what a
// rehearsal is not to do. What it means to do it makes durable first: a hook that is owed, the
// place of a token.
package host

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/lock"
	"orderly/order"
	"orderly/order/keys"
	"orderly/slot"
	"orderly/solver/webroot"
)

// Settings are what a command line says of this host, whatever certificate the run is about.
type Settings struct {
	Resolver string // DNS server that preflight asks, host:port; "" for those of the system
	// where this host's web server listens, 80 unless the CA is told otherwise
	PreflightPort  int
	PreflightAllow []netip.Prefix
	Fleet          []netip.Prefix // addresses that lead to this host, or to another of its fleet
	SkipPreflight  map[string]bool
	RootPatience   time.Duration // how long --webroot-from is waited for, each time; 0: 10 s
	LockPatience   time.Duration // how long another run is waited for; 0: LockPatience
	Waiter         int           // the process of which this run is a hook; 0: none
	DirectoryHooks bool
	DeployOnce     string // a hook that is run once, at the end, for all certificates put in place
	RunDeployHooks bool   // in a rehearsal, too
	Rehearsal      bool   // --dry-run: orders are made and finished, and nothing on disk changes
}

// Parts are what a host is made of.
type Parts struct {
	Disk   *certbot.Store
	Ledger ledger.Store
	Locks  *lock.File
	Clock  order.Clock
	Log    *slog.Logger
	Report Reporter
	// Writer works on document roots; whoever made it closes it after the run.
	Writer   *webroot.Writer
	KeyDir   string // where private keys wait for their certificate
	Agent    string // user agent
	Settings Settings
	// the run that tasks and events belong to; without an id until it is recorded
	Run *ledger.Run
}

// Host is one web server in one run: drive.Host, but for the making of accounts. It is for any
// number of goroutines.
type Host struct {
	*Proofs
	*Installer
	Locks     *Locks
	Voice     *Voice
	Kept      *keys.Store
	Hooks     *Hooks
	Roots     *Roots
	Ports     *Ports
	Lineages  *Lineages
	Files     *Files
	Checks    *Checks
	Finished  *Finished
	Sights    *Sights
	record    *record
	leftovers leftovers
}

// New puts a host together. It does nothing yet.
func New(p Parts) *Host {
	h := &Host{Voice: NewVoice(p.Report), Finished: &Finished{}, Kept: &keys.Store{Dir: p.KeyDir},
		record: &record{run: p.Run, clock: p.Clock}}
	h.Locks = &Locks{File: p.Locks, Ledger: p.Ledger, Voice: h.Voice,
		Patience: p.Settings.LockPatience, Waiter: p.Settings.Waiter}
	h.Hooks = &Hooks{Dirs: p.Disk.Dirs, Ledger: p.Ledger, Locks: h.Locks, Voice: h.Voice,
		Clock: p.Clock, Log: p.Log,
		Run: p.Run, Directory: p.Settings.DirectoryHooks, turn: slot.NewTurn(), DeployOnce: p.Settings.DeployOnce}
	h.Roots = &Roots{Writer: p.Writer, Voice: h.Voice, Log: p.Log,
		Patience: p.Settings.RootPatience}
	h.Ports = &Ports{Locks: h.Locks}
	h.Proofs = &Proofs{Writer: p.Writer, Ports: h.Ports, Voice: h.Voice, Clock: p.Clock}
	h.Lineages = &Lineages{Disk: p.Disk, Ledger: p.Ledger, Locks: h.Locks, Voice: h.Voice,
		Rehearsal: p.Settings.Rehearsal,
		abandoned: &sync.Map{}}
	h.Files = &Files{Disk: p.Disk, Rehearsal: p.Settings.Rehearsal, ways: &ways{}}
	h.Sights = &Sights{Ledger: p.Ledger, Clock: p.Clock}
	h.Installer = &Installer{Disk: p.Disk, Files: h.Files, Hooks: h.Hooks, Voice: h.Voice,
		Finished: h.Finished, Sights: h.Sights,
		KeyDir: p.KeyDir, RunDeployHooks: p.Settings.RunDeployHooks}
	h.Checks = &Checks{Settings: p.Settings, Agent: p.Agent, Clock: p.Clock, Log: p.Log,
		Voice: h.Voice, Writer: p.Writer,
		Ports: h.Ports, Roots: h.Roots, Installer: h.Installer, Sights: h.Sights}
	h.leftovers = leftovers{disk: p.Disk, ledger: p.Ledger, locks: h.Locks, kept: h.Kept,
		proofs: h.Proofs, voice: h.Voice,
		clock: p.Clock, log: p.Log, run: p.Run}
	return h
}

// Rehearsing is the same host in the same run, where from now on nothing changes on disk.
func (h *Host) Rehearsing() *Host {
	r, lineages, files := *h, *h.Lineages, *h.Files
	lineages.Rehearsal, files.Rehearsal = true, true
	r.Lineages, r.Files = &lineages, &files
	return &r
}

// Sweep removes what runs that died left on this host and nobody will come back for: keys, tokens,
// lineages without a name.
func (h *Host) Sweep(ctx context.Context) error { return h.leftovers.sweep(ctx) }

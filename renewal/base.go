package renewal

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/limit"
	"orderly/lock"
	"orderly/order"
	"orderly/slot"
	"orderly/solver/webroot"
	"orderly/task"
)

// What every subject of this package needs: the parts that a server is made of, this host, and the
// run.

// Settings are what a command line says about the whole run, whatever certificate it is about.
type Settings struct {
	host.Settings
	Force             bool          // a person insists
	LongestValidation time.Duration // 0: as the CA's habits say
	// how long the CA is waited for without anything changing; 0: drive.DefaultPatience
	Patience  time.Duration
	Installer string // -i: one of certbot's, which is not run
	Jobs      int    // how many certificates are worked on at once; 0: 1, one after the other
}

// Parts are what a Server is made of.
type Parts struct {
	Disk     *certbot.Store
	Ledger   ledger.Store
	Locks    *lock.File
	HTTP     *http.Client
	Agent    string // user agent
	Clock    order.Clock
	Log      *slog.Logger
	Report   host.Reporter
	Settings Settings
	Profiles limit.Profiles // of the CAs that are known
	// Writer works on document roots; whoever made it closes it after the run.
	Writer *webroot.Writer
	// KeyDir is where private keys wait for their certificate.
	KeyDir string
	// Resuming is told how far the work on what earlier runs left has come; may be nil.
	Resuming func(Progress)
}

// base is the host and the run.
type base struct {
	Parts
	host *host.Host
	run  *ledger.Run
}

func newBase(ctx context.Context, p Parts) *base {
	p.Disk = p.Disk.Within(ctx)
	p.Clock, p.HTTP = slot.Clock{Sleeper: p.Clock}, waitingApart(p.HTTP)
	b := &base{Parts: p, run: &ledger.Run{}}
	b.host = host.New(host.Parts{Disk: p.Disk, Ledger: p.Ledger, Locks: p.Locks, Clock: p.Clock,
		Log: p.Log, Report: p.Report,
		Writer: p.Writer, KeyDir: p.KeyDir, Agent: p.Agent, Settings: p.Settings.Settings,
		Run: b.run})
	return b
}

// waitingApart is a client whose requests hold no job slot while an answer is long in coming.
func waitingApart(c *http.Client) *http.Client {
	if c == nil {
		return nil
	}
	apart := *c
	apart.Transport = slot.Transport{RoundTripper: cmp.Or[http.RoundTripper](c.Transport, http.DefaultTransport)}
	return &apart
}

// rehearsing is the same host in the same run, where from now on nothing changes on disk.
func (s *base) rehearsing() *base {
	r := &base{Parts: s.Parts, host: s.host.Rehearsing(), run: s.run}
	r.Settings.Rehearsal = true
	return r
}

// Begun reports whether the run is recorded already.
func (s *base) Begun() bool { return s.run.ID != 0 }

// lock waits for another run that has a lock, as long as a run waits for one.
func (s *base) lock(ctx context.Context, key string) (func() error, error) {
	return s.host.Locks.Lock(ctx, key)
}

// tasks is where this run writes its tasks down.
func (s *base) tasks() task.Book { return task.Book{Ledger: s.Ledger, Clock: s.Clock, Run: s.run} }

// solitary reports whether no other run lives. An account is not taken from under one that works
// with it.
func (s *base) solitary(ctx context.Context) bool {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	return err == nil && !slices.ContainsFunc(runs, func(r ledger.Run) bool {
		alive, err := s.Locks.Held(host.RunLock(r.ID))
		return r.ID != s.run.ID && r.EndedAt.IsZero() && (alive || err != nil)
	})
}

// unfinished reports whether the ledger holds an order for the lineage that an earlier process
// left.
func (s *base) unfinished(ctx context.Context, lineage string) bool {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: lineage})
	return err == nil && len(orders) > 0
}

// noCertificate says in certbot's words that there is no renewal file.
func (s *base) noCertificate(name string) error {
	if err := s.retiredAs(name); err != nil {
		return err
	}
	return failure.New(failure.Config, failure.Do(failure.ListCertificates)+" lists the names.",
		"No certificate found with name %s (expected %s).",
		failure.Clean(name), s.Disk.Dirs.Renewal(failure.Clean(name)))
}

// stoppedOr is err, or that the run was told to end: what was looked for until then is not missing.
func stoppedOr(ctx context.Context, err error) error {
	if ctx.Err() == nil {
		return err
	}
	return failure.Wrap(context.Cause(ctx), failure.Stopped,
		"Run the same command again: it goes on where it stopped.",
		"stopped while the certificates of this host were looked at")
}

// lastRenewals is how many runs are searched for the last renewal.
const lastRenewals = 500

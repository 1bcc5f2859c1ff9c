package host

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/ownfile"
	"orderly/slot"
)

// Hooks are shell commands around an issuance, certbot's and those of its directories. A pre-hook
// may stop the web server: what has to be run afterwards is owed, and durable, before it begins,
// and whoever comes after a run that died pays.

// Hooks keeps which hooks of this run have been run: each pre- and post-hook once, however many
// certificates want it.
type Hooks struct {
	Dirs      certbot.Dirs
	Ledger    ledger.Store
	Locks     *Locks
	Voice     *Voice
	Clock     order.Clock
	Log       *slog.Logger
	Run       *ledger.Run
	Directory bool // those of renewal-hooks are run, too
	// DeployOnce is run once, at the end, for all certificates that the run has put in place.
	DeployOnce string

	// one hook runs at a time, whatever runs at once: they stop and start the same servers
	turn slot.Turn
	mu   sync.Mutex
	book

	long     time.Duration // after which a hook is noted that is at work; 0: longHook
	knewHung sync.Once
	hung     []HungHook // that the ledger knew when the first hook of the run ended
}

// book is what hooks have done and are told in this run.
type book struct {
	pre             []string       // commands that were run, or are
	over            []string       // those of them that have ended
	seen            map[string]int // how many had, when a lineage's checks were last made
	owed            []*ledger.Task // post-hooks
	renewed, failed []string       // names, for the post-hooks
	round           bool           // a run over all lineages
	deployed        []string       // what the last deploy hook was told
	lineages, names []string       // put in place, for DeployOnce
	broken          []Broken
}

// Round says that the run goes over all lineages.
func (h *Hooks) Round() { h.keep(func(b *book) { b.round = true }) }

func (h *Hooks) keep(f func(*book)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f(&h.book)
}

func (h *Hooks) known() book {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.book
}

// Owe reports whether post-hooks may be still to run.
func (h *Hooks) Owe() bool {
	return len(h.known().owed) > 0
}

// Renewed says that a certificate with these names was renewed.
func (h *Hooks) Renewed(names []string) {
	h.keep(func(b *book) { b.renewed = append(b.renewed, names...) })
}

// Failed says that a certificate with these names was not.
func (h *Hooks) Failed(names []string) {
	h.keep(func(b *book) { b.failed = append(b.failed, names...) })
}

// Begin runs the pre-hooks that have not been run yet, and reports whether there were any. What
// they leave owed is durable before they are started (rule 14). Those count that this or another call
// has run since the lineage's checks were made.
//
// Only who has a pre-hook to run, or to wait for, needs the turn: a deploy hook that takes its time
// would otherwise keep every further certificate from being begun.
func (h *Hooks) Begin(ctx context.Context, r Request) (ran bool) {
	if ctx.Err() != nil {
		return false
	}
	pre, errPre := h.All("pre", r.Hooks.Pre)
	if h.awaits(pre) {
		done, err := h.begin(ctx)
		if err != nil {
			return false // the run was told to end
		}
		defer done()
	}
	post, errPost := h.All("post", r.Hooks.Post)
	err := errors.Join(errPre, errPost, h.owe(ctx, post))
	if !r.Rehearsal && len(r.CSR) == 0 {
		err = errors.Join(err, h.oweOnce(ctx)) // whoever is killed from here on leaves an order
	}
	if err != nil {
		h.Voice.In(ctx).Warn("the pre-hooks were not run: %v", err)
		return false
	}
	for _, command := range pre {
		if !slices.Contains(h.known().pre, command) {
			h.keep(func(b *book) { b.pre = append(b.pre, command) })
			h.run(ctx, "pre-hook", command, nil)
			h.keep(func(b *book) { b.over = append(b.over, command) })
		}
	}
	return h.behind(r.Lineage)
}

// looks notes that the checks of a lineage are made now: what a pre-hook opens that has not ended yet
// they do not see.
func (h *Hooks) looks(lineage string) {
	h.keep(func(b *book) {
		if b.seen == nil {
			b.seen = map[string]int{}
		}
		b.seen[lineage] = len(b.over)
	})
}

// behind reports whether a pre-hook has ended since the checks of a lineage were made.
func (h *Hooks) behind(lineage string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[lineage] < len(h.over)
}

// awaits reports whether one of these pre-hooks has not ended yet.
func (h *Hooks) awaits(pre []string) bool {
	over := h.known().over
	return slices.ContainsFunc(pre, func(command string) bool { return !slices.Contains(over, command) })
}

// begin waits for the turn to run hooks. A run that was told to end begins none.
func (h *Hooks) begin(ctx context.Context) (done func(), err error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return h.turn.Take(ctx)
}

// Begins reports whether there are pre-hooks that have not been run yet, or not before the lineage's
// checks were made.
func (h *Hooks) Begins(r Request) bool {
	pre, err := h.All("pre", r.Hooks.Pre)
	return err == nil && (h.behind(r.Lineage) || slices.ContainsFunc(pre,
		func(command string) bool { return !slices.Contains(h.known().pre, command) }))
}

// All lists the directory hooks of a kind and then command, each once.
func (h *Hooks) All(kind, command string) ([]string, error) {
	var all []string
	if h.Directory {
		found, err := h.Dirs.Hooks(kind)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			// certbot runs it as well; a web server that is not restarted would be worse
			if ownfile.Others(path) {
				h.Voice.WarnOnce(
					"the hook %s is run by root, and another user can write it: %s && %s", path,
					failure.Shell("chown", "root:", path), failure.Shell("chmod", "go-w", path))
			}
			all = append(all, quote(path))
		}
	}
	if command != "" && !slices.Contains(all, command) && !slices.Contains(all, quote(command)) {
		all = append(all, command)
	}
	return all, nil
}

// quote makes a path one word for /bin/sh.
func quote(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`!*?[]{}()<>|&;~#") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func (h *Hooks) owe(ctx context.Context, post []string) error {
	return h.oweTasks(ctx, ledger.HookTask, post)
}

// PayOwn runs the hooks that this run owes, deploy hooks first. What goes wrong with one of them is
// no reason to leave a server down that waits for another. At the end of ctx what was not begun has
// only as long as last; what is left then is the next run's, with an error of class Stopped.
func (h *Hooks) PayOwn(ctx context.Context, last time.Duration) error {
	first := h.oweLeft(ctx)
	note := func(t *ledger.Task, err error) {
		if err == nil && t.EndedAt.IsZero() {
			err = unpaid(ctx, t)
		}
		if first == nil {
			first = err
		}
	}
	owed := slices.DeleteFunc(deploysFirst(h.known().owed),
		func(t *ledger.Task) bool { return !t.EndedAt.IsZero() })
	for len(owed) > 0 && ctx.Err() == nil {
		t := owed[0]
		owed = owed[1:]
		note(t, h.pay(ctx, t))
	}
	for kind, tasks := range byKind(owed) {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), share(kind, owed, last))
		for _, t := range tasks {
			var err error
			if bounded.Err() == nil && !h.inherited(t) {
				err = h.pay(bounded, t)
			}
			note(t, err)
		}
		cancel()
	}
	return first
}

// PayDebts runs the post-hooks that dead runs left owed, and takes over their deploy hooks of whole
// runs. Those of runs that are still alive are theirs.
func (h *Hooks) PayDebts(ctx context.Context) error {
	tasks, err := h.Ledger.Tasks(ctx)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if !isHook(t) || t.RunID == h.Run.ID {
			continue
		}
		unlock, ok, err := h.Locks.TryLock(RunLock(t.RunID))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		h.Log.Info("paying a hook that an earlier run left owed", "run", t.RunID, "kind", t.Kind,
			"hook", t.Subject)
		err = errors.Join(h.payIfOwed(ctx, t), unlock())
		if err != nil {
			return err
		}
	}
	return nil
}

// payIfOwed looks again under the lock: another process may have paid meanwhile. The task ends
// before the hook runs: one that ends whoever runs it (it restarts the panel that called us, or
// takes longer than the script's time-out) would otherwise end every run after it as well, and
// nothing would ever be renewed.
func (h *Hooks) payIfOwed(ctx context.Context, t ledger.Task) error {
	open, err := h.Ledger.Tasks(ctx)
	if err != nil || !slices.ContainsFunc(open, func(o ledger.Task) bool { return o.ID == t.ID }) {
		return err
	}
	if t.Kind == ledger.DeployTask {
		return h.inherit(ctx, t)
	}
	t.EndedAt = h.Clock.Now()
	if err := h.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: []*ledger.Task{&t}}); err != nil {
		return err
	}
	h.run(ctx, "post-hook", t.Subject, h.outcomeEnv(h.since(ctx, t.BegunAt), nil))
	return nil
}

// Deploy runs the deploy hooks of a certificate that was put in place: directory hooks first, then
// the lineage's own (certbot ≥ 5.3).
func (h *Hooks) Deploy(ctx context.Context, lineage string, names []string, command string) error {
	done, err := h.begin(ctx)
	if err != nil {
		return failure.Wrap(err, failure.Stopped,
			"Run "+failure.Do(failure.Resume)+": the deploy hooks are run then.",
			"stopped before the deploy hooks of %s ran", lineage)
	}
	defer done()
	all, err := h.All("deploy", command)
	if err != nil {
		return err
	}
	if err := h.oweOnce(ctx); err != nil {
		return err
	}
	h.placed(LineageOf(lineage), names)
	if len(all) > 0 {
		h.tell(LineageOf(lineage), names)
	}
	for _, command := range all {
		h.run(ctx, "deploy-hook", command, nil, LineageOf(lineage))
	}
	if ctx.Err() != nil && len(all) > 0 {
		return failure.Wrap(ctx.Err(), failure.Stopped,
			"Run "+failure.Do(failure.Resume)+": the deploy hooks are run again.",
			"stopped while the deploy hooks of %s ran", lineage)
	}
	return nil
}

func (h *Hooks) pay(ctx context.Context, t *ledger.Task) error {
	if t.Kind == ledger.DeployTask {
		return h.payOnce(ctx, t)
	}
	h.run(ctx, "post-hook", t.Subject, h.outcomeEnv(h.known().renewed, h.known().failed))
	return h.ended(ctx, t)
}

// ended strikes out a hook that was run, and makes durable with that what is owed instead.
func (h *Hooks) ended(ctx context.Context, t *ledger.Task, instead ...*ledger.Task) error {
	if ctx.Err() != nil {
		return nil // it may have been cut short; the next run pays
	}
	t.EndedAt = h.Clock.Now()
	return h.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: append(instead, t)})
}

package host

import (
	"context"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/task"
)

// Some servers take minutes to reload: one hook at the end, for all certificates that were put in
// place, is run beside the deploy hooks of each. It is owed from before the first of them is in
// place, as a post-hook is, so that a run that dies leaves it to the next. That one runs it at its own
// end: what was under way is put in place until then, and would be served by nobody otherwise.

// oweOnce makes durable that the deploy hook of the whole run is to be run.
func (h *Hooks) oweOnce(ctx context.Context) error {
	if h.DeployOnce == "" {
		return nil
	}
	return h.oweTasks(ctx, ledger.DeployTask, []string{h.DeployOnce})
}

// placed notes a certificate that was put in place.
func (h *Hooks) placed(lineage string, names []string) {
	path := filepath.Join(h.Dirs.Config, "live", lineage)
	h.keep(func(b *book) {
		if !slices.Contains(b.lineages, path) {
			b.lineages = append(b.lineages, path)
		}
		b.names = append(b.names, names...)
	})
}

// inherit makes what a dead run owed this one's own: what several left of one command is run once.
func (h *Hooks) inherit(ctx context.Context, t ledger.Task) error {
	begun := t.BegunAt
	if !begun.Before(h.Run.StartedAt) { // the clock was set back: it would pass for this run's own
		begun = h.Run.StartedAt.Add(-time.Microsecond)
	}
	own := &ledger.Task{RunID: h.Run.ID, Kind: t.Kind, Subject: t.Subject, Step: task.Intended,
		BegunAt: begun, Payload: t.Payload}
	fresh := true
	for _, known := range h.known().owed {
		if known.Kind == t.Kind && known.Subject == t.Subject && known.EndedAt.IsZero() {
			own, fresh = known, false
			if begun.Before(own.BegunAt) {
				own.BegunAt, own.Payload = begun, t.Payload
			}
		}
	}
	t.EndedAt = h.Clock.Now()
	if err := h.Ledger.Commit(context.WithoutCancel(ctx),
		&ledger.Change{Tasks: []*ledger.Task{&t, own}}); err != nil {
		return err
	}
	if fresh {
		h.keep(func(b *book) { b.owed = append(b.owed, own) })
	}
	return nil
}

// inherited reports whether another run owed it first.
func (h *Hooks) inherited(t *ledger.Task) bool { return t.BegunAt.Before(h.Run.StartedAt) }

// mostLineages is the most characters of what one variable tells of lineages: Linux takes no
// variable of more than 128 KB.
const mostLineages = 120_000

// deployOnce runs the deploy hook of a whole run. It is told what a deploy hook is told, of all of
// them: paths and names, with blanks between.
func (h *Hooks) deployOnce(ctx context.Context, command string, lineages, names []string) {
	slices.Sort(names)
	err := h.execute(ctx, "deploy-hook", command, []string{
		h.namesVariable("RENEWED_LINEAGE", lineages, mostLineages),
		h.namesVariable("RENEWED_DOMAINS", slices.Compact(names), mostLineages)}, nil)
	h.noteBroken(ctx, Broken{Hook: OnceHook, Command: command, Lineages: namesOf(lineages)}, err)
}

// payOnce runs it for this run, and for those that left it, if a certificate was put in place. What
// was left is struck out before: a hook that ends whoever runs it would end every run after this one.
func (h *Hooks) payOnce(ctx context.Context, t *ledger.Task) error {
	b := h.known()
	lineages, names := slices.Clone(b.lineages), slices.Clone(b.names)
	if h.inherited(t) {
		if err := h.ended(ctx, t); err != nil {
			return err
		}
		before, of, left := h.lineagesSince(ctx, toldUntil(t))
		before = slices.DeleteFunc(before,
			func(path string) bool { return slices.Contains(lineages, path) })
		lineages, names = append(before, lineages...), append(of, names...)
		if !left && t.Subject != h.DeployOnce {
			lineages = nil // this run was not asked for it, and what was left is not in place yet
		}
	}
	if len(lineages) > 0 {
		h.deployOnce(ctx, t.Subject, lineages, names)
	}
	rest := h.rest(ctx, t, len(lineages) > 0)
	if t.EndedAt.IsZero() {
		return h.ended(ctx, t, rest...) // in one commit, lest a kill between two lose what is left
	}
	return h.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: rest})
}

// lineagesSince are the lineages whose certificates were put in place since a moment; left says that
// another run had begun one of them.
func (h *Hooks) lineagesSince(ctx context.Context, moment time.Time) (lineages, names []string, left bool) {
	for _, o := range h.installedSince(ctx, moment) {
		if lineage := filepath.Join(h.Dirs.Config, "live", LineageOf(o.Lineage)); !slices.Contains(lineages, lineage) {
			lineages = append(lineages, lineage)
		}
		names = append(names, o.Request.Names...)
		left = left || o.CreatedAt.Before(h.Run.StartedAt) || o.CreatedAt.After(h.Clock.Now())
	}
	return lineages, names, left
}

// deploysFirst puts deploy hooks before post-hooks, which may start what they are about.
func deploysFirst(tasks []*ledger.Task) []*ledger.Task {
	tasks = slices.Clone(tasks)
	slices.SortStableFunc(tasks, func(a, b *ledger.Task) int {
		return strings.Compare(string(a.Kind), string(b.Kind)) // "deploy-hook" < "post-hook"
	})
	return tasks
}

// byKind are tasks that deploysFirst has sorted, those of one kind together.
func byKind(tasks []*ledger.Task) iter.Seq2[ledger.TaskKind, []*ledger.Task] {
	return func(yield func(ledger.TaskKind, []*ledger.Task) bool) {
		for len(tasks) > 0 {
			n := 1
			for n < len(tasks) && tasks[n].Kind == tasks[0].Kind {
				n++
			}
			if !yield(tasks[0].Kind, tasks[:n]) {
				return
			}
			tasks = tasks[n:]
		}
	}
}

// share is how long hooks of a kind have after a signal. A server that is down is worse than one that
// goes on with its old certificate: deploy hooks leave time for post-hooks.
func share(kind ledger.TaskKind, owed []*ledger.Task, last time.Duration) time.Duration {
	if kind == ledger.DeployTask && owed[len(owed)-1].Kind != kind {
		return last / 2
	}
	return last
}

// oweTasks makes durable which commands are owed.
func (h *Hooks) oweTasks(ctx context.Context, kind ledger.TaskKind, commands []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	var fresh []*ledger.Task
	for _, command := range commands {
		owed := func(t *ledger.Task) bool { return t.Kind == kind && t.Subject == command }
		if !slices.ContainsFunc(h.owed, owed) {
			fresh = append(fresh, &ledger.Task{RunID: h.Run.ID, Kind: kind, Subject: command,
				Step: task.Intended, BegunAt: h.Clock.Now()})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := h.Ledger.Commit(ctx, &ledger.Change{Tasks: fresh}); err != nil {
		return err
	}
	h.owed = append(h.owed, fresh...)
	return nil
}

// isHook reports whether a task is a hook that is owed.
func isHook(t ledger.Task) bool { return t.Kind == ledger.HookTask || t.Kind == ledger.DeployTask }

// unpaid is the error for a hook that is left to the next run.
func unpaid(ctx context.Context, t *ledger.Task) error {
	return failure.Wrap(context.Cause(ctx), failure.Stopped,
		"Run the same command again, or "+failure.Do(failure.Resume)+": the hook is run first.",
		"stopped before the %s was done: %s", t.Kind, failure.Clean(t.Subject))
}

package host

import (
	"context"
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
// place, as a post-hook is, so that a run that dies leaves it to the next.

// oweOnce makes durable that the deploy hook of the whole run is to be run.
func (h *Hooks) oweOnce(ctx context.Context) error {
	if h.DeployOnce == "" {
		return nil
	}
	return h.oweTasks(ctx, ledger.DeployTask, []string{h.DeployOnce})
}

// placed notes a certificate that was put in place.
func (h *Hooks) placed(lineage string, names []string) {
	h.keep(func(b *book) {
		b.lineages = append(b.lineages, filepath.Join(h.Dirs.Config, "live", lineage))
		b.names = append(b.names, names...)
	})
}

// mostLineages is the most characters of what one variable tells of lineages: Linux takes no
// variable of more than 128 KB.
const mostLineages = 120_000

// deployOnce runs the deploy hook of a whole run. It is told what a deploy hook is told, of all of
// them: paths and names, with blanks between.
func (h *Hooks) deployOnce(ctx context.Context, command string, lineages, names []string) {
	slices.Sort(names)
	h.run(ctx, "deploy-hook", command, []string{
		h.namesVariable("RENEWED_LINEAGE", lineages, mostLineages),
		h.namesVariable("RENEWED_DOMAINS", slices.Compact(names), mostLineages)})
}

// payOnce runs it for this run, if a certificate was put in place.
func (h *Hooks) payOnce(ctx context.Context, t *ledger.Task) error {
	if b := h.known(); len(b.lineages) > 0 {
		h.deployOnce(ctx, t.Subject, b.lineages, slices.Clone(b.names))
	}
	return h.ended(ctx, t)
}

// lineagesSince are the lineages whose certificates were put in place since a hook was owed.
func (h *Hooks) lineagesSince(ctx context.Context, owed time.Time) (lineages, names []string) {
	for _, o := range h.installedSince(ctx, owed) {
		if lineage := filepath.Join(h.Dirs.Config, "live", LineageOf(o.Lineage)); !slices.Contains(lineages, lineage) {
			lineages = append(lineages, lineage)
		}
		names = append(names, o.Request.Names...)
	}
	return lineages, names
}

// deploysFirst puts deploy hooks before post-hooks.
func deploysFirst(tasks []*ledger.Task) []*ledger.Task {
	tasks = slices.Clone(tasks)
	slices.SortStableFunc(tasks, func(a, b *ledger.Task) int {
		return strings.Compare(string(a.Kind), string(b.Kind)) // "deploy-hook" < "post-hook"
	})
	return tasks
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

package host

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"orderly/failure"
	"orderly/hook"
	"orderly/ledger"
	"orderly/slot"
)

// A hook was written for certbot: it is run, shown and judged as certbot does.

// run runs a hook about some lineages, and tells which one it was if it fails.
func (h *Hooks) run(ctx context.Context, kind, command string, env []string, lineages ...string) {
	h.noteBroken(ctx, Broken{Hook: kind, Command: command, Lineages: lineages},
		h.execute(ctx, kind, command, env, lineages))
}

// execute runs a hook as certbot does: by /bin/sh, its output shown, its failure told but not the
// command's.
func (h *Hooks) execute(ctx context.Context, kind, command string, env, lineages []string) error {
	// certbot says so with -v alone
	h.Log.InfoContext(ctx, "Running "+kind+" command", "command", failure.Clean(command))
	env = slices.Concat([]string{"PATH=" + hookPath(os.Getenv("PATH"))}, h.known().deployed, env)
	var out, complaints hook.Output
	ended := h.Voice.Slowly("the %s to end: %s", kind, failure.Clean(command))
	watched := h.watch(ctx, kind, command, lineages)
	var err error
	slot.Slowly(ctx, func() { err = hook.Run(ctx, command, env, &out, &complaints) })
	ended()
	watched.ended(ctx)
	voice := h.Voice.In(ctx)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		voice.Warn("Hook '%s' reported error code %d", kind, exitCode(exit))
	case err != nil:
		voice.Warn("Hook '%s' could not be run: %v", kind, err)
	}
	if text := out.Printed(); !text.Empty() {
		voice.Say("Hook '%s' ran with output:\n%s", kind, text)
	}
	if text := complaints.Printed(); !text.Empty() {
		voice.Warn("Hook '%s' ran with error output:\n%s", kind, text)
	}
	return err
}

// exitCode is a hook's exit code as certbot tells it: a signal is a negative one.
func exitCode(exit *exec.ExitError) int {
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return -int(status.Signal())
	}
	return exit.ExitCode()
}

// hookPath is the search path with the directories that certbot adds where they are missing: under
// cron, service and nginx would not be found otherwise (certbot/plugins/util.py, path_surgery).
func hookPath(path string) string {
	all := filepath.SplitList(path)
	for _, dir := range []string{"/usr/sbin", "/usr/local/bin", "/usr/local/sbin"} {
		if !slices.Contains(all, dir) {
			all = append(all, dir)
		}
	}
	return strings.Join(all, string(filepath.ListSeparator))
}

// CheckHook says whether a hook's first word can be executed, in certbot's words, before anything
// is ordered.
func CheckHook(kind, command string, getenv func(string) string) error {
	fields := strings.Fields(command)
	if len(fields) == 0 {
		return nil
	}
	word := fields[0]
	if isShellWord(word) || executable(word, getenv("PATH")) {
		return nil
	}
	remedy := "Give the command's full path, install it, or add " +
		failure.Do(failure.UncheckedHooks) + "."
	if info, err := os.Stat(word); err == nil && !info.IsDir() {
		return failure.New(failure.Hook,
			"Make it executable: `"+failure.Shell("chmod", "+x", word)+"`, or add "+
				failure.Do(failure.UncheckedHooks)+".",
			"%s command %s exists, but is not executable.", kind, failure.Clean(word))
	}
	return failure.New(failure.Hook, remedy,
		"Unable to find %s command %s in the PATH.\n(PATH is %s)\nSee also the %s option.",
		kind, failure.Clean(word), hookPath(getenv("PATH")), failure.Do(failure.UncheckedHooks))
}

// executable reports whether a command can be run, by its path or through the search path.
func executable(word, path string) bool {
	if strings.Contains(word, "/") {
		_, err := exec.LookPath(word)
		return err == nil
	}
	return slices.ContainsFunc(filepath.SplitList(hookPath(path)), func(dir string) bool {
		_, err := exec.LookPath(filepath.Join(dir, word))
		return err == nil && filepath.IsAbs(dir)
	})
}

// isShellWord reports whether a word is the shell's business: an assignment, a builtin, a group.
func isShellWord(word string) bool {
	return strings.ContainsAny(word, "=({") ||
		slices.Contains([]string{":", ".", "cd", "exec", "exit", "if", "for", "while", "case",
			"set", "export", "trap", "true", "false", "test", "[", "echo", "printf", "command",
			"umask",
			"!"}, word)
}

// The most characters of the names that a post-hook gets: an environment has bounds
// (certbot/_internal/hooks.py). After a round there are two such lists.
const (
	mostRoundNames = 16_000
	mostNames      = 32_000
)

// outcomeEnv are the names that were renewed and those that were not, for post-hooks (certbot ≥
// 4.2).
func (h *Hooks) outcomeEnv(renewed, failed []string) []string {
	most := mostNames
	if h.known().round {
		most = mostRoundNames
	}
	return []string{h.namesVariable("RENEWED_DOMAINS", renewed, most),
		h.namesVariable("FAILED_DOMAINS", failed, most)}
}

func (h *Hooks) namesVariable(variable string, names []string, most int) string {
	text := strings.Join(names, " ")
	if len(text) > most {
		h.Voice.Warn("Limiting %s environment variable to %dk characters", variable, most/1000)
		text = text[:most+1] // the blank after a name that just fits is its end
		text = text[:strings.LastIndexByte(text, ' ')]
	}
	return variable + "=" + text
}

// tell sets what a deploy hook is told. Every later hook of the run sees it as well, as with
// certbot, which puts it into its own environment.
func (h *Hooks) tell(lineage string, names []string) {
	told := []string{
		"RENEWED_LINEAGE=" + filepath.Join(h.Dirs.Config, "live", lineage), "RENEWED_DOMAINS=" +
			strings.Join(names, " "),
	}
	h.keep(func(b *book) { b.deployed = told })
}

// since are the names whose certificates were put in place since a post-hook was owed: what it
// would have been told by the run that died.
func (h *Hooks) since(ctx context.Context, owed time.Time) []string {
	var names []string
	for _, o := range h.installedSince(ctx, owed) {
		names = append(names, o.Request.Names...)
	}
	return names
}

// installedSince are the orders whose certificates were put in place since a moment.
func (h *Hooks) installedSince(ctx context.Context, owed time.Time) []*ledger.Order {
	orders, err := h.Ledger.Orders(ctx, ledger.OrderFilter{Since: owed})
	if err != nil {
		return nil // the hook is worth more than what it is told
	}
	return slices.DeleteFunc(orders, func(o *ledger.Order) bool {
		return o.State != ledger.Installed || o.Request.Rehearsal || !o.UpdatedAt.After(owed)
	})
}

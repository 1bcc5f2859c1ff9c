package host

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"

	"orderly/failure"
)

// certbot's sentence about a hook that failed names neither the hook nor whom it was for: of fifty
// equal lines nobody knows which server was not reloaded. What is said beside it does, and programs
// read it at the end of a run.

// OnceHook is what the deploy hook of a whole run is called.
const OnceHook = "deploy-hook-once"

// Broken is a hook that failed.
type Broken struct {
	Hook     string   `json:"hook"` // "pre-hook", "deploy-hook", "post-hook" or OnceHook
	Command  string   `json:"command"`
	ExitCode *int     `json:"exit_code"` // a signal is a negative one; null where it could not be run
	Error    string   `json:"error,omitempty"`
	Lineages []string `json:"lineages"` // whose certificates it was told, where it was
}

// About says which hook failed, and for whom.
func (b Broken) About() string {
	switch {
	case b.Hook == OnceHook:
		return fmt.Sprintf("%s for %d certificate(s)", b.Hook, len(b.Lineages))
	case len(b.Lineages) == 1:
		return fmt.Sprintf("%s of %s", b.Hook, b.Lineages[0])
	}
	return b.Hook
}

// noteBroken tells which hook failed. One that was ended with its run has not failed: it is run again.
func (h *Hooks) noteBroken(ctx context.Context, b Broken, err error) {
	if err == nil || ctx.Err() != nil {
		return
	}
	b.Error = failure.Clean(err.Error())
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code := exitCode(exit)
		b.ExitCode = &code
	}
	b.Lineages = append([]string{}, b.Lineages...)
	h.keep(func(k *book) { k.broken = append(k.broken, b) })
	h.Voice.In(ctx).Warn("what failed is the %s: %s", b.About(), failure.Clean(b.Command))
}

// Broken are the hooks that failed in this run.
func (h *Hooks) Broken() []Broken { return slices.Clone(h.known().broken) }

// namesOf are the lineages of directories of certificates.
func namesOf(paths []string) []string {
	var names []string
	for _, path := range paths {
		names = append(names, filepath.Base(path))
	}
	return names
}

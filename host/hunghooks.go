package host

// Hooks that hang cost each run minutes, and a run that is killed meanwhile its end; who reads logs
// only when something fails never learns which. What did not come to its end is kept in the ledger,
// by command, until that command has ended by itself. That it could not be kept is no reason to do
// anything else: this is for people alone.

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"orderly/hook"
	"orderly/ledger"
)

// HungHook is a hook that did not come to its end.
type HungHook struct {
	Hook     string    `json:"hook"` // "pre-hook", "deploy-hook" or "post-hook"
	Command  string    `json:"command"`
	Lineages []string  `json:"lineages,omitempty"` // it was run for the last time
	Since    time.Time `json:"since"`              // when it hung first
	At       time.Time `json:"at"`                 // and last
	Times    int       `json:"times"`
	Run      int64     `json:"run"` // the last one
	// Bound: it was ended after hook.Patience. Otherwise it was at work for long when this was
	// written, and its run has not told of its end.
	Bound bool `json:"bound,omitempty"`
}

const (
	// hungKey is the ledger's for them; mostHung and hungFor are how many are kept, and how long.
	hungKey  = "hung-hooks"
	mostHung = 50
	hungFor  = 90 * 24 * time.Hour
	// hungPatience is how long the ledger may take to keep it: a run that is told to end waits for it.
	hungPatience = time.Second
	// longHook is after how long a hook is noted that is at work.
	longHook = time.Minute
)

// HungHooks are those that a ledger knows of.
func HungHooks(ctx context.Context, store ledger.Store) ([]HungHook, error) {
	memo, err := store.Memo(ctx, hungKey)
	if errors.Is(err, ledger.ErrNone) {
		return nil, nil
	}
	var all []HungHook
	if err == nil && json.Unmarshal(memo.Body, &all) != nil {
		all = nil // another version's
	}
	return all, err
}

// watched is one hook at work.
type watched struct {
	hooks *Hooks
	one   HungHook
	began time.Time
	timer *time.Timer
	noted chan struct{} // closed once it has been at work for long, and that was noted
}

// watch notes a hook that is at work for long: a run that is killed meanwhile leaves word of it.
func (h *Hooks) watch(ctx context.Context, kind, command string, lineages []string) *watched {
	w := &watched{hooks: h, began: h.Clock.Now(), noted: make(chan struct{}),
		one: HungHook{Hook: kind, Command: command, Lineages: lineages, Run: h.Run.ID, Times: 1}}
	after := longHook
	if h.long > 0 {
		after = h.long
	}
	w.timer = time.AfterFunc(after, func() {
		defer close(w.noted)
		h.noteHung(ctx, w.one)
	})
	return w
}

// ended notes that it was ended by its bound, or forgets that it ever hung. Of one that was ended
// with its run the note stays.
func (w *watched) ended(ctx context.Context) {
	long := !w.timer.Stop()
	if long {
		<-w.noted
	}
	switch {
	case ctx.Err() != nil:
	case w.hooks.Clock.Now().Sub(w.began) >= hook.Patience:
		w.one.Bound = true
		if long {
			w.one.Times = 0 // it was counted
		}
		w.hooks.noteHung(ctx, w.one)
	case long || w.hooks.hungBefore(ctx, w.one):
		w.hooks.changeHung(ctx, func(all []HungHook) []HungHook {
			return slices.DeleteFunc(all, w.one.same)
		})
	}
}

// same reports whether two are of one command.
func (one HungHook) same(other HungHook) bool {
	return one.Hook == other.Hook && one.Command == other.Command
}

// hungBefore reports whether a hook was known to hang when the first one of the run ended.
func (h *Hooks) hungBefore(ctx context.Context, one HungHook) bool {
	h.knewHung.Do(func() { h.hung, _ = HungHooks(ctx, h.Ledger) })
	return slices.ContainsFunc(h.hung, one.same)
}

// noteHung keeps a hook that hangs, with what was known of it.
func (h *Hooks) noteHung(ctx context.Context, one HungHook) {
	one.At = h.Clock.Now()
	one.Since = one.At
	h.changeHung(ctx, func(all []HungHook) []HungHook {
		if k := slices.IndexFunc(all, one.same); k >= 0 {
			one.Since, one.Times = all[k].Since, one.Times+all[k].Times
			all = slices.Delete(all, k, k+1)
		}
		all = append(all, one)
		return all[max(0, len(all)-mostHung):]
	})
}

// changeHung changes what the ledger knows.
func (h *Hooks) changeHung(ctx context.Context, change func([]HungHook) []HungHook) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hungPatience)
	defer cancel()
	all, err := HungHooks(ctx, h.Ledger)
	var body []byte
	if err == nil {
		now := h.Clock.Now()
		all = slices.DeleteFunc(change(all), func(o HungHook) bool { return now.Sub(o.At) > hungFor })
		body, err = json.Marshal(all)
	}
	if err == nil {
		err = h.Ledger.Commit(ctx, &ledger.Change{Memos: []ledger.Memo{{Key: hungKey, At: h.Clock.Now(), Body: body}}})
	}
	if err != nil {
		h.Log.DebugContext(ctx, "what hooks hung is not kept", "error", err)
	}
}

package host

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"orderly/hook"
	"orderly/ledger"
)

// passing is a clock by which time passes whenever somebody looks at it.
type passing struct {
	Clock
	at    atomic.Int64
	steps time.Duration
}

func (p *passing) Now() time.Time { return time.Unix(0, p.at.Add(int64(p.steps))) }

// hung are the hooks that the ledger knows to hang.
func (o *owing) hung() []HungHook {
	o.Helper()
	all, err := HungHooks(o.Context(), o.book)
	o.must(err)
	return all
}

// noting is a ledger that says when something to remember was written.
type noting struct {
	ledger.Store
	noted chan struct{}
}

func (n noting) Commit(ctx context.Context, c *ledger.Change) error {
	err := n.Store.Commit(ctx, c)
	if err == nil && len(c.Memos) > 0 {
		select {
		case n.noted <- struct{}{}:
		default: // it was said
		}
	}
	return err
}

// A hook that was at work for long when its run was ended is kept with its name, its certificate and
// since when, until it has ended by itself.
func TestAHookThatHungIsKeptUntilItEndsByItself(t *testing.T) {
	o := newOwing(t)
	gate := filepath.Join(o.dir, "gate")
	command := "until [ -e " + gate + " ]; do sleep 0.02; done"
	for times := 1; times <= 2; times++ {
		book := noting{o.book, make(chan struct{}, 1)}
		h := o.run(book, "")
		h.long = time.Nanosecond
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			h.run(ctx, "deploy-hook", command, nil, "a.example")
		}()
		select {
		case <-book.noted:
		case <-ended:
			t.Fatal("it was not noted")
		}
		stop() // the run is told to end
		<-ended
		all := o.hung()
		if len(all) != 1 || all[0].Hook != "deploy-hook" || all[0].Command != command || all[0].Times != times ||
			all[0].Bound || len(all[0].Lineages) != 1 || all[0].Since.After(all[0].At) {
			t.Fatalf("%+v", all)
		}
	}
	o.must(os.WriteFile(gate, nil, 0o600))
	o.run(o.book, "").run(t.Context(), "deploy-hook", "true", nil, "a.example")
	if all := o.hung(); len(all) != 1 {
		t.Errorf("another hook ended: %+v", all)
	}
	o.run(o.book, "").run(t.Context(), "deploy-hook", command, nil, "a.example")
	if all := o.hung(); len(all) > 0 {
		t.Errorf("it ended by itself: %+v", all)
	}
}

// One that was ended by its bound is kept, even where nobody noted it before.
func TestAHookThatItsBoundEndedIsKept(t *testing.T) {
	o := newOwing(t)
	h := o.run(o.book, "")
	h.Clock = &passing{steps: hook.Patience}
	h.run(t.Context(), "post-hook", "true", nil)
	h.run(t.Context(), "post-hook", "true", nil)
	if all := o.hung(); len(all) != 1 || !all[0].Bound || all[0].Times != 2 || !all[0].Since.Before(all[0].At) {
		t.Errorf("%+v", all)
	}
	h.Clock = Clock{}
	h.run(t.Context(), "post-hook", "true", nil)
	if all := o.hung(); len(all) > 0 {
		t.Errorf("a sound one: %+v", all)
	}
}

// What hangs in many ways fills no ledger, and what is long ago is forgotten.
func TestHooksThatHungAreFewAndLate(t *testing.T) {
	o := newOwing(t)
	h := o.run(o.book, "")
	for i := range 60 {
		h.noteHung(t.Context(), HungHook{Hook: "pre-hook", Command: string(rune('A' + i)), Times: 1})
	}
	if all := o.hung(); len(all) != mostHung || all[0].Command != "K" {
		t.Errorf("%d are kept, the first %+v", len(all), all[0])
	}
	late := &passing{}
	late.at.Store(time.Now().Add(hungFor + time.Hour).UnixNano())
	h.Clock = late
	h.noteHung(t.Context(), HungHook{Hook: "pre-hook", Command: "late", Times: 1})
	if all := o.hung(); len(all) != 1 || all[0].Command != "late" {
		t.Errorf("%+v", all)
	}
}

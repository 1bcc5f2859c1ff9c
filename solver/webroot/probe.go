package webroot

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"strings"
	"time"
)

// Whether a document root can be written, and is the one that the web server serves, shows when a
// file is put there as a token would be.

// probePrefix begins the name of every probe, so that one left behind is known for what it is.
const probePrefix = "orderly-"

// isProbe reports whether this is the name of a probe: with its prefix as long as a Boulder token,
// so that a web server's rule that goes by length treats both alike.
func isProbe(name string) bool {
	rest, ours := strings.CutPrefix(name, probePrefix)
	return ours && len(rest) == 35 && isBase64URL(rest)
}

// Probe is a file that was written to see whether it can be, and whether it is served.
type Probe struct {
	Placement
	// Content is what the file holds: as long and of the same characters as a key authorization
	// (RFC 8555 section 8.1).
	Content string
}

// IsAlone reports whether the probe's directory was made for it, so that nothing else can be there.
func (p Probe) IsAlone() bool {
	if len(p.Spots) == 0 {
		return false
	}
	spot := p.Spots[len(p.Spots)-1]
	last := len(spot.Made) - 1
	return last >= 0 && spot.Made[last].Path == spot.Dir && spot.Made[last].Inode != 0
}

// NewProbe makes up a probe that stands nowhere yet.
func NewProbe() Probe {
	token := probePrefix + random(26)
	return Probe{Placement: Placement{Token: token}, Content: token + "." + random(32)}
}

// clearing bounds the removal of probes after the end of the context: the process must be gone
// within two seconds.
const clearing = time.Second

// lasting is a context that ends a little after ctx: long enough to take away what nobody comes back
// for before it is stale.
func lasting(ctx context.Context) (context.Context, context.CancelFunc) {
	after, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		time.AfterFunc(clearing, func() { cancel(context.Cause(ctx)) })
	})
	return after, func() {
		stop()
		cancel(context.Canceled)
	}
}

// WriteProbe writes a probe file into root as a token would be. Remove(probe.Placement) takes it
// away. If it fails, what it made is removed again; the errors are those of Plan and Place.
func (w *Writer) WriteProbe(ctx context.Context, root string) (Probe, error) {
	_, draft, _ := w.Survey(ctx, root) // what is wrong with root, the draft knows as well
	return draft.Write(ctx)
}

// Draft is a probe that is planned and stands nowhere yet, or why none can be written.
type Draft struct {
	w     *Writer
	probe Probe
	err   error
}

// Survey is Inspect and the plan of a probe at once: a helper is asked a single question.
func (w *Writer) Survey(ctx context.Context, root string) (Identity, Draft, error) {
	d := Draft{w: w, probe: NewProbe()}
	abs, err := absolute(root)
	var r reply
	if err == nil {
		r, err = w.question(ctx, question{Op: opPlan, Root: abs, Token: d.probe.Token})
	}
	if err != nil {
		d.err = err
		return Identity{}, d, err
	}
	if r.Obstacle != nil {
		d.err = w.explain(abs, r.Obstacle)
	} else {
		d.probe.Root, d.probe.Spots = abs, []Spot{*r.Spot}
	}
	identity, err := w.inspected(abs, r)
	return identity, d, err
}

// Write writes a planned probe, as WriteProbe does.
func (d Draft) Write(ctx context.Context) (Probe, error) {
	if d.err != nil {
		return Probe{}, d.err
	}
	w, probe, p, err := d.w, d.probe, d.probe.Placement, error(nil)
	for {
		p, err = w.Place(ctx, p, probe.Content)
		if err == nil {
			probe.Placement = p
			return probe, nil
		}
		if !errors.Is(err, ErrMoved) {
			after, cancel := lasting(ctx)
			_ = w.Remove(after, p) // the reason that matters is err
			cancel()
			return Probe{}, err
		}
	}
}

func random(bytes int) string {
	b := make([]byte, bytes)
	rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}

// RemoveStaleProbes removes the probes that killed runs left in root, those older than an hour at
// now, and returns how many. Nothing there is no error.
func (w *Writer) RemoveStaleProbes(ctx context.Context, root string, now time.Time) (int, error) {
	abs, err := absolute(root)
	if err != nil {
		return 0, err
	}
	r, err := w.ask(ctx, question{Op: opSweep, Root: abs, Now: now})
	return r.Swept, err
}

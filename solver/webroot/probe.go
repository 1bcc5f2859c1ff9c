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

// NewProbe makes up a probe that stands nowhere yet.
func NewProbe() Probe {
	token := probePrefix + random(26)
	return Probe{Placement: Placement{Token: token}, Content: token + "." + random(32)}
}

// WriteProbe writes a probe file into root as a token would be. Remove(probe.Placement) takes it
// away. If it fails, what it made is removed again; the errors are those of Check.
func (w *Writer) WriteProbe(ctx context.Context, root string) (Probe, error) {
	probe := NewProbe()
	p, err := w.Plan(ctx, root, probe.Token)
	if err != nil {
		return Probe{}, err
	}
	for {
		p, err = w.Place(ctx, p, probe.Content)
		if err == nil {
			probe.Placement = p
			return probe, nil
		}
		if !errors.Is(err, ErrMoved) {
			_ = w.Remove(ctx, p) // the reason that matters is err
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

package webroot

import (
	"context"
)

// Check looks whether tokens can be placed in root: it exists and is a directory (otherwise
// WebrootGone), it is clear as whom to write there (WebrootUnsafe), and a probe file was really
// written and removed again (WebrootLocked). Every error is a *failure.Error that names the path in
// the way.
func (w *Writer) Check(ctx context.Context, root string) error {
	probe, err := w.WriteProbe(ctx, root)
	if err != nil {
		return err
	}
	return w.Remove(ctx, probe.Placement)
}

package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/solver/manual"
	"orderly/solver/webroot"
)

// Names are proven by a file in a document root, by a web server of the run's own, or by a person's
// hooks. What stands is recorded before it does, in the words of whoever put it there: a proof is
// taken away by its record, since the request may name another way by then.

// Proofs puts proofs in place by whatever solver a request names: order.Solver.
type Proofs struct {
	Writer *webroot.Writer
	Ports  *Ports
	Voice  *Voice
	Clock  order.Clock
}

// placed is a placement of any solver. One of a document root has no field of its own, as the
// oldest ones have it.
type placed struct {
	webroot.Placement
	Standalone *served           `json:"standalone,omitempty"`
	Manual     *manual.Placement `json:"manual,omitempty"`
}

// served is a token of the run's own web server. Nothing of it outlives its process. Lineage is
// whose order needs it: another one's goes on when this one has ended.
type served struct {
	Standalone
	Token   string `json:"token"`
	Lineage string `json:"lineage,omitempty"`
}

func decode(placement string) (placed, error) {
	var r placed
	if err := json.Unmarshal([]byte(placement), &r); err != nil {
		return r, fmt.Errorf("a recorded token has no usable place: %w", err)
	}
	return r, nil
}

// encode is the record of a proof that no document root holds.
func encode(r placed) (string, error) {
	text, err := json.Marshal(struct {
		Standalone *served           `json:"standalone,omitempty"`
		Manual     *manual.Placement `json:"manual,omitempty"`
	}{r.Standalone, r.Manual})
	return string(text), err
}

// Plan implements order.Solver.
func (v *Proofs) Plan(ctx context.Context, wanted ledger.Request, p order.Proof,
	former string) (string, error) {
	r := Read(wanted)
	switch r.Solver {
	case StandaloneSolver:
		return encode(placed{Standalone: &served{r.Standalone, p.Token, r.Lineage}})
	case ManualSolver:
		var earlier *manual.Placement
		if was, err := decode(former); err == nil {
			earlier = was.Manual
		}
		next, err := v.manual(ctx).Plan(manualProof(r, p), earlier)
		if err != nil {
			return "", err
		}
		return encode(placed{Manual: &next})
	}
	return v.planFile(ctx, r, p, former)
}

// Suits implements order.Solver.
func (v *Proofs) Suits(placement string, wanted ledger.Request, p order.Proof) bool {
	r := Read(wanted)
	was, err := decode(placement)
	if err != nil {
		return false
	}
	switch r.Solver {
	case StandaloneSolver:
		return was.Standalone != nil && *was.Standalone == served{r.Standalone, p.Token, r.Lineage}
	case ManualSolver:
		return was.Manual != nil && v.manual(context.Background()).Suits(*was.Manual, manualProof(r, p))
	}
	return was.Standalone == nil && was.Manual == nil && suitsFile(was.Placement, r, p)
}

// Place implements order.Solver.
func (v *Proofs) Place(ctx context.Context, placement, content string) (string, error) {
	r, err := decode(placement)
	switch {
	case err != nil:
		return placement, err
	case r.Standalone != nil:
		at := r.Standalone
		if err := v.Ports.listen(ctx, at.Lineage, at.Standalone); err != nil {
			return placement, err
		}
		v.Ports.web.Serve(at.Lineage, at.Token, content)
		return placement, nil
	case r.Manual != nil:
		ended := v.Voice.Slowly("the manual-auth-hook for %s to end: %s",
			failure.Clean(r.Manual.Domain), failure.Clean(r.Manual.Auth))
		after, stands, err := v.manual(ctx).Place(ctx, *r.Manual)
		ended()
		if !stands {
			return "", err
		}
		text, encodeErr := encode(placed{Manual: &after})
		if err == nil {
			err = encodeErr
		}
		return text, err
	}
	return v.placeFile(ctx, r.Placement, content)
}

// planFile is Plan for a token in a document root: its record is the writer's own.
func (v *Proofs) planFile(ctx context.Context, r Request, proof order.Proof,
	former string) (string, error) {
	root := r.Webroots[proof.Name]
	if root == "" {
		return "", unsetWebroot(r.Lineage, proof.Name)
	}
	p, err := v.Writer.Plan(ctx, root, proof.Token)
	if err != nil {
		return "", err
	}
	if was, err := decode(former); err == nil && was.Token == p.Token {
		p = p.After(was.Placement)
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// suitsFile reports whether a placement, an earlier process's perhaps, is in the document root that
// r names, and of the token that the CA looks for by now.
func suitsFile(p webroot.Placement, r Request, proof order.Proof) bool {
	root, err := filepath.Abs(r.Webroots[proof.Name])
	return err == nil && p.Root == root && p.Token == proof.Token
}

func unsetWebroot(lineage, name string) error {
	return failure.New(failure.WebrootUnset,
		"Name it once: "+failure.Do(failure.ObtainAt, lineage, name)+
			", with "+failure.Do(failure.GiveNames)+" and each of the other names.",
		"no document root is configured for %s", name)
}

// placeFile puts a token into its document root. What it made there is known afterwards only, so
// that the record changes.
func (v *Proofs) placeFile(ctx context.Context, p webroot.Placement, content string) (string,
	error) {
	after, err := v.Writer.Place(ctx, p, content)
	if errors.Is(err, webroot.ErrMoved) {
		err = order.ErrMoved
	}
	text, encodeErr := json.Marshal(after)
	if err == nil {
		err = encodeErr
	}
	return string(text), err
}

// Leaving implements order.Solver.
func (v *Proofs) Leaving(placement string) string {
	r, err := decode(placement)
	if err != nil || r.Manual == nil {
		return placement
	}
	next := r.Manual.Leaving()
	if next.Cleaning == r.Manual.Cleaning {
		return placement
	}
	text, err := encode(placed{Manual: &next})
	if err != nil {
		return placement
	}
	return text
}

// Remove implements order.Solver.
func (v *Proofs) Remove(ctx context.Context, placement string) error {
	r, err := decode(placement)
	switch {
	case err != nil:
		return err
	case r.Standalone != nil:
		v.Ports.web.Withdraw(r.Standalone.Lineage, r.Standalone.Token)
		return v.Ports.web.Rest(r.Standalone.Lineage)
	case r.Manual != nil:
		defer v.Voice.Slowly("the manual-cleanup-hook for %s to end: %s",
			failure.Clean(r.Manual.Domain), failure.Clean(r.Manual.Cleanup))()
		return v.manual(ctx).Remove(ctx, *r.Manual)
	}
	if err := v.Writer.Remove(ctx, r.Placement); err != nil {
		return fmt.Errorf("%w: %w", order.ErrStands, err)
	}
	return nil
}

// manual returns the runner of manual hooks, which shows what they print as certbot does.
func (v *Proofs) manual(ctx context.Context) *manual.Solver {
	return &manual.Solver{Now: v.Clock.Now, Env: []string{"PATH=" + hookPath(os.Getenv("PATH"))},
		Report: v.Voice.In(ctx).hooked}
}

// hooked says what a manual hook printed, as certbot does.
func (v *Voice) hooked(kind, domain string, r manual.Result) {
	hook := failure.Do(failure.ProofHook)
	if kind == manual.CleanupHook {
		hook = failure.Do(failure.ProofCleanup)
	}
	label := failure.Advise("Hook '%s' for %s", hook, domain)
	if r.Code != 0 {
		v.Warn("%s reported error code %d", label, r.Code)
	}
	if !r.Stdout.Empty() {
		v.Say("%s ran with output:\n%s", label, r.Stdout)
	}
	if !r.Stderr.Empty() {
		v.Warn("%s ran with error output:\n%s", label, r.Stderr)
	}
}

// manualProof is what the hooks of one name are told.
func manualProof(r Request, p order.Proof) manual.Proof {
	m := manual.Proof{Auth: r.Manual.Auth, Cleanup: r.Manual.Cleanup, Domain: p.Name,
		Validation: p.Content,
		Remaining:  len(p.Together) - p.Index - 1, All: p.Together}
	if p.Type == ledger.HTTP01 {
		m.Token = p.Token
	}
	return m
}

package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/solver/manual"
	"orderly/solver/standalone"
	"orderly/solver/webroot"
)

// solvers puts proofs in place by whatever solver a request names, and takes them away by what the record of each says:
// the request may name another one by then.
type solvers struct{ s *Server }

// record is a placement of any solver. One of a document root has no field of its own, as the oldest ones have it.
type record struct {
	webroot.Placement
	Standalone *served           `json:"standalone,omitempty"`
	Manual     *manual.Placement `json:"manual,omitempty"`
}

// served is a token of the run's own web server. Nothing of it outlives its process.
type served struct {
	ledger.Standalone
	Token string `json:"token"`
}

func decode(placement string) (record, error) {
	var r record
	if err := json.Unmarshal([]byte(placement), &r); err != nil {
		return r, fmt.Errorf("a recorded token has no usable place: %w", err)
	}
	return r, nil
}

// encode is the record of a proof that no document root holds.
func encode(r record) (string, error) {
	text, err := json.Marshal(struct {
		Standalone *served           `json:"standalone,omitempty"`
		Manual     *manual.Placement `json:"manual,omitempty"`
	}{r.Standalone, r.Manual})
	return string(text), err
}

// Plan implements order.Solver.
func (v solvers) Plan(ctx context.Context, r ledger.Request, p order.Proof, former string) (string, error) {
	switch r.Solver {
	case ledger.StandaloneSolver:
		return encode(record{Standalone: &served{r.Standalone, p.Token}})
	case ledger.ManualSolver:
		var earlier *manual.Placement
		if was, err := decode(former); err == nil {
			earlier = was.Manual
		}
		next, err := v.s.manual().Plan(manualProof(r, p), earlier)
		if err != nil {
			return "", err
		}
		return encode(record{Manual: &next})
	}
	return solver{v.s.Writer}.plan(ctx, r, p, former)
}

// Suits implements order.Solver.
func (v solvers) Suits(placement string, r ledger.Request, p order.Proof) bool {
	was, err := decode(placement)
	if err != nil {
		return false
	}
	switch r.Solver {
	case ledger.StandaloneSolver:
		return was.Standalone != nil && *was.Standalone == served{r.Standalone, p.Token}
	case ledger.ManualSolver:
		return was.Manual != nil && v.s.manual().Suits(*was.Manual, manualProof(r, p))
	}
	return was.Standalone == nil && was.Manual == nil && solver{v.s.Writer}.suits(was.Placement, r, p.Name)
}

// Place implements order.Solver.
func (v solvers) Place(ctx context.Context, placement, content string) (string, error) {
	r, err := decode(placement)
	switch {
	case err != nil:
		return placement, err
	case r.Standalone != nil:
		if err := v.s.listen(ctx, r.Standalone.Standalone); err != nil {
			return placement, err
		}
		v.s.web.Serve(r.Standalone.Token, content)
		return placement, nil
	case r.Manual != nil:
		ended := v.s.slowly("the manual-auth-hook for %s to end: %s", failure.Clean(r.Manual.Domain), failure.Clean(r.Manual.Auth))
		after, stands, err := v.s.manual().Place(ctx, *r.Manual)
		ended()
		if !stands {
			return "", err
		}
		text, encodeErr := encode(record{Manual: &after})
		if err == nil {
			err = encodeErr
		}
		return text, err
	}
	return v.placeFile(ctx, r.Placement, content)
}

// placeFile puts a token into its document root. What it made there is known afterwards only, so that the record changes.
func (v solvers) placeFile(ctx context.Context, p webroot.Placement, content string) (string, error) {
	after, err := v.s.Writer.Place(ctx, p, content)
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
func (v solvers) Leaving(placement string) string {
	r, err := decode(placement)
	if err != nil || r.Manual == nil {
		return placement
	}
	next := r.Manual.Leaving()
	if next.Cleaning == r.Manual.Cleaning {
		return placement
	}
	text, err := encode(record{Manual: &next})
	if err != nil {
		return placement
	}
	return text
}

// Remove implements order.Solver.
func (v solvers) Remove(ctx context.Context, placement string) error {
	r, err := decode(placement)
	switch {
	case err != nil:
		return err
	case r.Standalone != nil:
		v.s.web.Withdraw(r.Standalone.Token)
		return v.s.web.Rest()
	case r.Manual != nil:
		defer v.s.slowly("the manual-cleanup-hook for %s to end: %s", failure.Clean(r.Manual.Domain), failure.Clean(r.Manual.Cleanup))()
		return v.s.manual().Remove(ctx, *r.Manual)
	}
	if err := v.s.Writer.Remove(ctx, r.Placement); err != nil {
		return fmt.Errorf("%w: %w", order.ErrStands, err)
	}
	return nil
}

// manual returns the runner of manual hooks, which shows what they print as certbot does.
func (s *Server) manual() *manual.Solver {
	return &manual.Solver{Now: s.Clock.Now, Env: []string{"PATH=" + hookPath(os.Getenv("PATH"))}, Report: s.reportHook}
}

func (s *Server) reportHook(kind, domain string, r manual.Result) {
	label := fmt.Sprintf("Hook '--manual-%s' for %s", kind, domain)
	if r.Code != 0 {
		s.Report.Warn("%s reported error code %d", label, r.Code)
	}
	if text := indented(r.Stdout); text != "" {
		s.Report.Say("%s ran with output:\n%s", label, text)
	}
	if text := indented(r.Stderr); text != "" {
		s.Report.Warn("%s ran with error output:\n%s", label, text)
	}
}

// manualProof is what the hooks of one name are told.
func manualProof(r ledger.Request, p order.Proof) manual.Proof {
	m := manual.Proof{Auth: r.Manual.Auth, Cleanup: r.Manual.Cleanup, Domain: p.Name, Validation: p.Content,
		Remaining: len(p.Together) - p.Index - 1, All: p.Together}
	if p.Type == ledger.HTTP01 {
		m.Token = p.Token
	}
	return m
}

// ports are the kernel locks of the TCP ports on which this run listens. Each is held from before the first pre-hook, which
// may stop the web server that has the port, until the last post-hook, which may start it again: two runs would otherwise
// start and stop it for each other.
type ports struct {
	web  standalone.Server
	held map[int]func() error
}

package cli

// What a digest is made of: what the doctor says of this server, or what the servers of a fleet say
// of themselves.

import (
	"context"
	"errors"
	"iter"
	"time"

	"orderly/digest"
	"orderly/doctor"
	"orderly/doctor/fleet"
	"orderly/failure"
	"orderly/history"
)

// failed is what failed on this server since a moment, by class.
func (s *session) failed(ctx context.Context, since, now time.Time) ([]history.ClassGroup, error) {
	past, err := (history.Book{Store: s.ledger}).Since(ctx, since)
	if err != nil {
		return nil, err
	}
	var own []history.Entry
	for _, e := range past.Failures {
		if e.Server == "" {
			own = append(own, e)
		}
	}
	return history.ByClass(own, since, now), nil
}

func (t *telling) ofServer(ctx context.Context, before digest.State) (digest.Input, error) {
	report, err := (&doctoring{places: t.places}).examine(ctx, t.s, true, nil)
	if err != nil {
		return digest.Input{}, err
	}
	now := t.now()
	failures, err := t.s.failed(ctx, digest.Since(before.At, now), now)
	return digest.Input{Host: serverName(t.s.env.Getenv), At: now, Report: report, Held: heldHere(report),
		Failures: failures, All: t.s.p.pasted(command("orderly", "doctor")), Say: t.s.p.remedy}, err
}

func heldHere(r doctor.Report) iter.Seq2[string, doctor.DocumentLineage] {
	return func(yield func(string, doctor.DocumentLineage) bool) {
		for _, l := range r.Held {
			if !yield("", l) {
				return
			}
		}
	}
}

func (t *telling) ofFleet(ctx context.Context, _ digest.State) (digest.Input, error) {
	p := t.s.p
	all, err := fleet.Read(ctx, t.merge, fleet.Options{Now: t.now, Tell: p.Tell,
		Progress: p.bar("Reading reports")})
	p.endBar()
	if err != nil {
		return digest.Input{}, err
	}
	looked := map[string]bool{}
	for _, server := range all.Servers {
		looked[server.Name] = true
	}
	return digest.Input{Host: serverName(t.s.env.Getenv), At: t.now(), Report: all.Report(), Looked: looked,
		Held: heldOf(all.Servers), Say: p.remedy,
		All: p.pasted(command("orderly", "doctor", "--merge", t.merge))}, nil
}

func heldOf(servers []fleet.Server) iter.Seq2[string, doctor.DocumentLineage] {
	return func(yield func(string, doctor.DocumentLineage) bool) {
		for _, s := range servers {
			for _, l := range s.Held {
				if !yield(s.Name, l) {
					return
				}
			}
		}
	}
}

// printDocument prints what this server has to tell a fleet's digest.
func (f *digesting) printDocument(ctx context.Context, env Env, p *printer) error {
	d := doctoring{places: f.places}
	s, has, err := d.open(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	report, err := d.examine(ctx, s, has, nil)
	if err != nil {
		return err
	}
	now := time.Now()
	failures := []digest.Failures{}
	if has {
		groups, err := s.failed(ctx, digest.Since(time.Time{}, now), now)
		if err != nil {
			return err
		}
		failures = digest.FailuresOf(groups)
	}
	if report.Server == "" {
		return failure.Wrap(errors.New("the host has no name"), failure.Config,
			"Set ORDERLY_HOST to a name.", "a document of no server says nothing")
	}
	p.print(struct {
		doctor.Document
		Failures []digest.Failures `json:"failures"`
	}{report.Document(p.remedy), failures})
	return nil
}

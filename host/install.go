package host

import (
	"context"
	"fmt"
	"sync"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A certificate goes where certbot keeps it, unless something newer has taken its place since it
// was asked for. That it can be put there is tried before anything is ordered.

// Installer puts certificates in place: order.Installer.
type Installer struct {
	Disk           *certbot.Store
	Files          *Files
	Hooks          *Hooks
	Voice          *Voice
	Finished       *Finished
	Sights         *Sights
	KeyDir         string
	RunDeployHooks bool // in a rehearsal, too

	mu       sync.Mutex
	writable map[string]bool // lineages that this run has seen can be put in place
}

// Install implements order.Installer. The post-hooks are owed from here on at the latest: for an
// order that an earlier run left, no attempt of this run has owed them yet, and a server that is
// not reloaded goes on with the old certificate. For what is left aside none is.
func (i *Installer) Install(ctx context.Context, o *ledger.Order, privateKey,
	chain []byte) (order.Installation, error) {
	if o.Request.Rehearsal {
		return order.Installation{}, nil
	}
	if len(o.Request.CSR) > 0 {
		return i.writeOut(ctx, o, chain)
	}
	if why := i.Files.supersededBy(o, chain); why != "" {
		i.Voice.In(ctx).Warn("%s", why)
		return order.Installation{Superseded: why}, nil
	}
	return order.Installation{}, i.place(ctx, o, privateKey, chain)
}

// writeOut is Install for a certificate that belongs to no lineage.
func (i *Installer) writeOut(ctx context.Context, o *ledger.Order, chain []byte) (order.Installation, error) {
	if path := renewedElsewhere(o, chain); path != "" {
		why := fmt.Sprintf("%s has another certificate for the same key by now; the one of order %d is left aside", path, o.ID)
		i.Voice.In(ctx).Warn("%s", why)
		return order.Installation{Superseded: why}, nil
	}
	return order.Installation{}, write(Read(o.Request).Output, chain)
}

func (i *Installer) place(ctx context.Context, o *ledger.Order, privateKey, chain []byte) error {
	r := Read(o.Request)
	post, err := i.Hooks.All("post", r.Hooks.Post)
	if err == nil {
		err = i.Hooks.owe(context.WithoutCancel(ctx), post)
	}
	if err == nil {
		err = i.Hooks.oweOnce(context.WithoutCancel(ctx))
	}
	if err != nil {
		return err
	}
	p := Params(r)
	// It was said of the certificate before: this one is asked about when it is in place, since a CA
	// that wants it replaced at once says so from the beginning.
	p.Remove = append(p.Remove, certbot.RetryAfterKey)
	done, err := i.Disk.Install(o.Lineage, certbot.Material{Key: privateKey, Chain: chain}, p)
	for _, note := range done.Notes {
		i.Voice.In(ctx).WarnOnce("%s", failure.Remedy(note))
	}
	return err
}

// Deploy implements order.Installer. A rehearsal runs the hooks only where that was said.
func (i *Installer) Deploy(ctx context.Context, o *ledger.Order) error {
	i.Finished.Add(o) // also one that was met on the way to another lineage
	if !o.Request.Rehearsal {
		i.Sights.proven(o)
	}
	if !i.hooked(o) {
		return nil
	}
	return i.Hooks.Deploy(ctx, o.Lineage, o.Request.Names, Read(o.Request).Hooks.Deploy)
}

// Deploys implements order.Installer. Of hooks that cannot be listed there may be some.
func (i *Installer) Deploys(o *ledger.Order) bool {
	if !i.hooked(o) {
		return false
	}
	all, err := i.Hooks.All("deploy", Read(o.Request).Hooks.Deploy)
	return err != nil || len(all) > 0
}

// hooked reports whether an order has deploy hooks, where there are any.
func (i *Installer) hooked(o *ledger.Order) bool {
	return len(o.Request.CSR) == 0 && (!o.Request.Rehearsal || i.RunDeployHooks)
}

func (i *Installer) installable(r Request) error {
	name, p := LineageOf(r.Lineage), Params(r)
	if r.Rehearsal {
		p = certbot.Params{} // its server is another, and nothing is written
	}
	if r.New {
		if err := i.Disk.Free(name); err != nil {
			return err
		}
	}
	i.mu.Lock()
	known := i.writable[name]
	i.mu.Unlock()
	if known {
		return nil
	}
	err := certbot.Probe(i.KeyDir, name)
	if err == nil {
		err = i.Disk.Installable(name, p)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.writable == nil {
		i.writable = map[string]bool{}
	}
	i.writable[name] = err == nil
	return err
}

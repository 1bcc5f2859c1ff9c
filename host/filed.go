package host

import (
	"encoding/json"
	"slices"

	"orderly/certbot"
	"orderly/ledger"
)

// An order that an earlier run left was made of what its renewal file said then. What a person has
// changed in the file since counts, and what has taken the order's place on this host makes it
// unwanted.

// Files says what this host's renewal files have to say of orders.
type Files struct {
	Disk      *certbot.Store
	Rehearsal bool
	ways      *ways
}

// The groups of settings of a renewal file that mean something to an order: those of one group are
// mended together.
const (
	filedCA      = "ca" // server, account and profile: what newOrder was made of
	filedKey     = "key"
	filedReuse   = "reuse_key"
	filedStaple  = "must_staple"
	filedSubset  = "allow_subset_of_names"
	filedChain   = "preferred_chain"
	filedPre     = "pre_hook"
	filedPost    = "post_hook"
	filedDeploy  = "renew_hook"
	filedWebroot = "webroot"
	filedProof   = "authenticator"
)

// filed is what a renewal file says, by group.
func filed(p certbot.Params) map[string]string {
	said := map[string]string{}
	for group, values := range map[string][]any{
		filedCA:      {p.Server, p.Account, p.RequiredProfile, p.PreferredProfile},
		filedKey:     {p.KeyType, p.RSAKeySize, p.EllipticCurve},
		filedReuse:   {p.ReuseKey},
		filedStaple:  {p.MustStaple},
		filedSubset:  {p.AllowSubset},
		filedChain:   {p.PreferredChain},
		filedPre:     {p.PreHook},
		filedPost:    {p.PostHook},
		filedDeploy:  {p.DeployHook},
		filedWebroot: {p.WebrootPath, p.WebrootMap, p.WebrootFrom},
		filedProof:   {p.Authenticator, p.Challenges, p.HTTP01Port, p.HTTP01Address, p.Plugin},
	} {
		text, err := json.Marshal(values)
		if err == nil {
			said[group] = string(text)
		}
	}
	return said
}

// mended says which groups a person has changed since an order was made; none where that is not
// known.
func mended(o *ledger.Order, now certbot.Params) map[string]bool {
	changed := map[string]bool{}
	former, known := certbot.Settings(Read(o.Request).Settings)
	for group, said := range filed(former) {
		changed[group] = known && filed(now)[group] != said
	}
	return changed
}

// lineageOf opens the lineage that an order is for, nil where its renewal file has no say: there is
// none, or it cannot be read.
func (f *Files) lineageOf(o *ledger.Order) *certbot.Lineage {
	if o.Request.Rehearsal || len(o.Request.CSR) > 0 || Read(o.Request).Settings == "" {
		return nil
	}
	l, err := f.Disk.Open(o.Lineage)
	if err != nil {
		return nil
	}
	return l
}

// Mended is what is wanted of an order that an earlier run left: what was asked for then, by flags
// perhaps, and what was changed in the renewal file since.
func (f *Files) Mended(o *ledger.Order) ledger.Request {
	if o.Request.NamesOnly {
		return f.onItsWay(o)
	}
	r := Read(o.Request)
	l := f.lineageOf(o)
	if l == nil {
		return o.Request
	}
	now, err := FromFile(l, Said{})
	if err != nil {
		return o.Request // it is said where the lineage is renewed
	}
	changed := mended(o, l.Renewal.Params)
	if changed[filedKey] || changed[filedReuse] {
		r.KeyType, r.RSABits, r.Curve = now.KeyType, now.RSABits, now.Curve
		r.ReuseKey, r.OldKey = now.ReuseKey, now.OldKey
	}
	for group, take := range map[string]func(){
		filedStaple: func() { r.MustStaple = now.MustStaple },
		filedSubset: func() { r.AllowSubset = now.AllowSubset },
		filedChain:  func() { r.PreferredChain = now.PreferredChain },
		filedPre:    func() { r.Hooks.Pre = now.Hooks.Pre },
		filedPost:   func() { r.Hooks.Post = now.Hooks.Post },
		filedDeploy: func() { r.Hooks.Deploy = now.Hooks.Deploy },
	} {
		if changed[group] {
			take()
		}
	}
	if (changed[filedProof] || changed[filedWebroot]) && coversAll(now.Names, r.Names) {
		r.Solver, r.Standalone, r.Manual = now.Solver, now.Standalone, now.Manual
		r.Webroots, r.WebrootPaths, r.WebrootFrom = now.Webroots, now.WebrootPaths, now.WebrootFrom
	}
	r.Settings = now.Settings
	return r.Filed()
}

// coversAll reports whether names are all among others: a certificate may have more than it was
// ordered for.
func coversAll(all, names []string) bool {
	has := ledger.CanonicalNames(all)
	return !slices.ContainsFunc(ledger.CanonicalNames(names),
		func(name string) bool { return !slices.Contains(has, name) })
}

// elsewhere reports whether the renewal file names another CA, account or profile by now than when
// the order was made: its certificate would bring the old ones back.
func (f *Files) elsewhere(o *ledger.Order) bool {
	l := f.lineageOf(o)
	return l != nil && mended(o, l.Renewal.Params)[filedCA]
}

package host

import (
	"strings"

	"orderly/certbot"
)

// What can be said of a certificate and of how it is obtained is one type, whoever says it: a
// command line, a renewal file. Each setting bears a mark whether it was said, and there is one way
// to lay what one says over what another does: else a setting that is taken away (False, no hook)
// could not be told from one that nobody mentioned, and each command would have rules of its own
// for which word counts.

// Value is a setting with the mark whether it was said.
type Value[T comparable] struct {
	is   T
	said bool
}

// Say is a setting that was said, also where it is nothing: a hook that is taken away, a switch
// that is off.
func Say[T comparable](is T) Value[T] { return Value[T]{is, true} }

// Is is what was said; the zero value where nothing was.
func (v Value[T]) Is() T { return v.is }

// Said reports whether anything was said.
func (v Value[T]) Said() bool { return v.said }

// Over is v, or what is below it where v was not said.
func (v Value[T]) Over(below Value[T]) Value[T] {
	if v.said {
		return v
	}
	return below
}

// unlessZero is a setting that says nothing where it is zero, as in files, and where no flag can
// mean that.
func unlessZero[T comparable](is T) Value[T] {
	var zero T
	return Value[T]{is, is != zero}
}

// Said is what a command line or a renewal file says about the certificates that it is about.
type Said struct {
	Server  string // "" where it was not said
	Account string // id; "" where it was not said
	Hooks   Hooked
	Choice  Choice
	Proof   Proof
	// Webroots and WebrootPaths take the place of the renewal files' own, as certbot's
	// --webroot-map and -w do: of the latter the last one is for every name that the former lacks.
	Webroots     map[string]string
	WebrootPaths []string
}

// Hooked are the shell commands around an issuance.
type Hooked struct{ Pre, Post, Deploy Value[string] }

// Choice is what a certificate is to be like.
type Choice struct {
	KeyType          Value[string] // "ecdsa" or "rsa"
	RSABits          Value[int]
	Curve            Value[string] // "secp256r1", "secp384r1", "secp521r1"
	ReuseKey         Value[bool]   // the next certificates have the same key
	NewKey           bool          // this time another one, whatever is said of reuse
	MustStaple       Value[bool]
	PreferredChain   Value[string] // common name of the issuer of the topmost certificate
	PreferredProfile Value[string]
	RequiredProfile  Value[string]
	AllowSubset      Value[bool] // names that fail are left out
}

// Proof is how names are proven.
type Proof struct {
	Solver        Value[string] // WebrootSolver, StandaloneSolver, ManualSolver
	Port          Value[int]    // on which the run's own web server listens
	Address       Value[string] // at which it does
	Auth, Cleanup Value[string] // shell commands of the manual solver
	Challenges    Value[string] // in order of preference, by commas
	// WebrootFrom is whom to ask for the document root of each name: a shell command, or a path
	// with {domain} in it.
	WebrootFrom Value[string]
}

// Over lays what is said over what is said below it. Document roots are looked up by name instead:
// see root.
func (s Said) Over(below Said) Said {
	s.Server, s.Account = s.at(below)
	s.Hooks, s.Choice, s.Proof = s.Hooks.over(below.Hooks), s.Choice.over(below.Choice),
		s.Proof.over(below.Proof)
	return s
}

// at says which CA and account are meant. A server that is said makes the account below it
// meaningless (certbot's VAR_MODIFIERS).
func (s Said) at(below Said) (server, account string) {
	server, account = below.Server, below.Account
	if s.Server != "" {
		server, account = s.Server, ""
	}
	if s.Account != "" {
		account = s.Account
	}
	if server == "" {
		server = Production // certbot's default for --server
	}
	return server, account
}

func (h Hooked) over(below Hooked) Hooked {
	return Hooked{Pre: h.Pre.Over(below.Pre), Post: h.Post.Over(below.Post),
		Deploy: h.Deploy.Over(below.Deploy)}
}

// over lays a choice over another. Another type of key has a size or a curve of its own, and of the
// two ways to name a profile the one that is said takes the place of both below it.
func (c Choice) over(below Choice) Choice {
	if c.KeyType.said && c.KeyType.is != below.KeyType.is {
		below.RSABits, below.Curve = Value[int]{}, Value[string]{}
	}
	if !c.RequiredProfile.said && !c.PreferredProfile.said {
		c.RequiredProfile, c.PreferredProfile = below.RequiredProfile, below.PreferredProfile
	}
	c.KeyType, c.RSABits, c.Curve = c.KeyType.Over(below.KeyType), c.RSABits.Over(below.RSABits),
		c.Curve.Over(below.Curve)
	c.ReuseKey, c.MustStaple = c.ReuseKey.Over(below.ReuseKey), c.MustStaple.Over(below.MustStaple)
	c.AllowSubset, c.PreferredChain = c.AllowSubset.Over(below.AllowSubset),
		c.PreferredChain.Over(below.PreferredChain)
	return c
}

func (p Proof) over(below Proof) Proof {
	return Proof{
		Solver: p.Solver.Over(below.Solver), Port: p.Port.Over(below.Port),
		Address: p.Address.Over(below.Address),
		Auth:    p.Auth.Over(below.Auth), Cleanup: p.Cleanup.Over(below.Cleanup),
		Challenges:  p.Challenges.Over(below.Challenges),
		WebrootFrom: p.WebrootFrom.Over(below.WebrootFrom),
	}
}

// saidBy is what a renewal file says; nothing for the settings of a lineage that does not exist
// yet.
func saidBy(p certbot.Params) Said {
	return Said{
		Server: p.Server, Account: p.Account,
		Hooks: Hooked{Pre: unlessZero(p.PreHook), Post: unlessZero(p.PostHook),
			Deploy: unlessZero(p.DeployHook)},
		Choice: Choice{
			KeyType: unlessZero(p.KeyType), RSABits: unlessZero(p.RSAKeySize),
			Curve:    unlessZero(p.EllipticCurve),
			ReuseKey: unlessZero(p.ReuseKey), MustStaple: unlessZero(p.MustStaple),
			AllowSubset:      unlessZero(p.AllowSubset),
			PreferredChain:   unlessZero(p.PreferredChain),
			PreferredProfile: unlessZero(p.PreferredProfile),
			RequiredProfile:  unlessZero(p.RequiredProfile),
		},
		Proof: Proof{
			Solver: unlessZero(p.Authenticator), Port: unlessZero(p.HTTP01Port),
			Address:     unlessZero(p.HTTP01Address),
			Auth:        unlessZero(pluginSetting(p, "manual_auth_hook")),
			Cleanup:     unlessZero(pluginSetting(p, "manual_cleanup_hook")),
			Challenges:  unlessZero(strings.Join(p.Challenges, ",")),
			WebrootFrom: unlessZero(p.WebrootFrom),
		},
	}
}

// above is what is said, laid over the renewal file of a lineage, which is nil for a new one.
func (s Said) above(current *certbot.Lineage) Said {
	if current == nil {
		return s.Over(Said{})
	}
	return s.Over(saidBy(current.Renewal.Params))
}

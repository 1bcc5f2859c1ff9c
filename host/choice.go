package host

import (
	"fmt"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// What a certificate is like (its key, its chain, its profile) is said on the command line, or in the
// renewal file, or left to certbot's defaults; and kept in the renewal file for the next time.

// Choice is what a command line says about the certificate itself. What is zero is left to the renewal file, and to
// certbot's defaults for a new lineage.
type Choice struct {
	KeyType          string // "ecdsa" or "rsa"
	RSABits          int
	Curve            string // "secp256r1", "secp384r1", "secp521r1"
	ReuseKey         bool   // the next certificates have the same key
	NoReuseKey       bool
	NewKey           bool // this time another one, whatever is said of reuse
	MustStaple       bool
	NoMustStaple     bool   // takes it away again
	PreferredChain   string // common name of the issuer of the topmost certificate
	PreferredProfile string
	RequiredProfile  string
	AllowSubset      bool // names that fail are left out
	NoAllowSubset    bool
}

// Apply completes a request: the command line's word counts before the renewal file's. current is nil for a new lineage.
func (c Choice) Apply(r *ledger.Request, current *certbot.Lineage) error {
	var p certbot.Params
	if current != nil {
		p = current.Renewal.Params
	}
	r.ReuseKey = (c.ReuseKey || p.ReuseKey) && !c.NoReuseKey
	r.MustStaple = (c.MustStaple || p.MustStaple) && !c.NoMustStaple
	r.AllowSubset = (c.AllowSubset || p.AllowSubset) && !c.NoAllowSubset
	r.PreferredChain = first(c.PreferredChain, p.PreferredChain)
	r.Profile, r.PreferredProfile = c.RequiredProfile, c.PreferredProfile
	if r.Profile == "" && r.PreferredProfile == "" {
		r.Profile, r.PreferredProfile = p.RequiredProfile, p.PreferredProfile
	}
	if r.Profile != "" {
		r.PreferredProfile = ""
	}
	if current != nil && r.ReuseKey && !c.NewKey {
		if err := c.agreesWith(current); err != nil {
			return err
		}
		if current.KeyLost != nil {
			return current.KeyNeeded()
		}
		r.OldKey = current.Renewal.PrivKey
	}
	c.key(r, p)
	return nil
}

// key decides what a new private key is like. A renewal file without key_type means rsa, as in certbot.
func (c Choice) key(r *ledger.Request, p certbot.Params) {
	r.KeyType, r.RSABits, r.Curve = p.KeyType, p.RSAKeySize, p.EllipticCurve
	if c.KeyType != "" && c.KeyType != r.KeyType {
		r.KeyType, r.RSABits, r.Curve = c.KeyType, 0, ""
	}
	if r.KeyType == "" {
		r.KeyType = "ecdsa"
	}
	if c.RSABits != 0 {
		r.RSABits = c.RSABits
	}
	r.Curve = first(c.Curve, r.Curve)
}

// agreesWith refuses, in certbot's words, a wish for another kind of key where the key is to stay the same.
func (c Choice) agreesWith(l *certbot.Lineage) error {
	p := l.Renewal.Params
	for _, one := range []struct{ flag, now, wanted string }{
		{"key-type", p.KeyType, c.KeyType}, {"rsa-key-size", number(p.RSAKeySize), number(c.RSABits)}, {"elliptic-curve", p.EllipticCurve, c.Curve},
	} {
		if one.wanted != "" && !strings.EqualFold(one.wanted, one.now) {
			return failure.New(failure.Config, "Add --new-key for another key this once, or --no-reuse-key for a new one from now on.",
				"Unable to change the --%s of this certificate because --reuse-key is set. Please stop reusing the private key by specifying --no-reuse-key, then change the private key options.",
				one.flag)
		}
	}
	return nil
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprint(n)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// ChangesKeyType reports whether another type of key is asked for than the certificate has, whatever its renewal file says.
func (c Choice) ChangesKeyType(l *certbot.Lineage) bool {
	return c.KeyType != "" && l.Certificate.KeyType != "" && !strings.EqualFold(c.KeyType, l.Certificate.KeyType)
}

// chosen writes what a request says of the certificate into the settings of a renewal file.
func chosen(r ledger.Request, p *certbot.Params) {
	p.KeyType, p.RSAKeySize, p.EllipticCurve = r.KeyType, r.RSABits, r.Curve
	p.ReuseKey, p.MustStaple, p.AllowSubset = r.ReuseKey, r.MustStaple, r.AllowSubset
	p.PreferredChain, p.PreferredProfile, p.RequiredProfile = r.PreferredChain, r.PreferredProfile, r.Profile
	for key, stays := range map[string]bool{"reuse_key": r.ReuseKey, "must_staple": r.MustStaple, "allow_subset_of_names": r.AllowSubset,
		"required_profile": r.Profile != "", "preferred_profile": r.PreferredProfile != ""} {
		if !stays {
			p.Remove = append(p.Remove, key)
		}
	}
}

package host

import (
	"cmp"
	"fmt"
	"strings"

	"orderly/certbot"
	"orderly/failure"
)

// What a certificate is like (its key, its chain, its profile) is said on the command line, or in
// the renewal file, or left to certbot's defaults; and kept in the renewal file for the next time.

// complete writes into a request what was said of the certificate, above the renewal file of the
// lineage, if it has one.
func (c Choice) complete(r *Request, all Choice, current *certbot.Lineage) error {
	r.ReuseKey, r.MustStaple, r.AllowSubset = all.ReuseKey.is, all.MustStaple.is, all.AllowSubset.is
	r.PreferredChain = all.PreferredChain.is
	r.Profile, r.PreferredProfile = all.RequiredProfile.is, all.PreferredProfile.is
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
	r.KeyType, r.RSABits, r.Curve = cmp.Or(all.KeyType.is, "ecdsa"), all.RSABits.is, all.Curve.is
	return nil
}

// agreesWith refuses, in certbot's words, a wish for another kind of key where the key is to stay
// the same.
func (c Choice) agreesWith(l *certbot.Lineage) error {
	p := l.Renewal.Params
	for _, one := range []struct {
		said        failure.Step
		now, wanted string
	}{
		{failure.KeyType, p.KeyType, c.KeyType.is},
		{failure.KeySize, number(p.RSAKeySize), number(c.RSABits.is)},
		{failure.Curve, p.EllipticCurve, c.Curve.is},
	} {
		if one.wanted != "" && !strings.EqualFold(one.wanted, one.now) {
			return failure.New(failure.Config,
				"Add "+failure.Do(failure.OfKey, failure.NewKey)+" for another key this once, or "+
					failure.Do(failure.ChangeKey)+" for a new one from now on.",
				"Unable to change the %s of this certificate because %s is set. Please stop "+
					"reusing the private key by specifying %s, then change the private key options.",
				failure.Do(one.said), failure.Do(failure.KeepKey), failure.Do(failure.ChangeKey))
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

// ChangesKeyType reports whether another type of key is asked for than the certificate has,
// whatever its renewal file says.
func (c Choice) ChangesKeyType(l *certbot.Lineage) bool {
	return c.KeyType.said && l.Certificate.KeyType != "" &&
		!strings.EqualFold(c.KeyType.is, l.Certificate.KeyType)
}

// chosen writes what a request says of the certificate into the settings of a renewal file.
func chosen(r Request, p *certbot.Params) {
	p.KeyType, p.RSAKeySize, p.EllipticCurve = r.KeyType, r.RSABits, r.Curve
	p.ReuseKey, p.MustStaple, p.AllowSubset = r.ReuseKey, r.MustStaple, r.AllowSubset
	p.PreferredChain, p.PreferredProfile, p.RequiredProfile = r.PreferredChain, r.PreferredProfile,
		r.Profile
	for key, stays := range map[string]bool{"reuse_key": r.ReuseKey, "must_staple": r.MustStaple,
		"allow_subset_of_names": r.AllowSubset,
		"required_profile":      r.Profile != "", "preferred_profile": r.PreferredProfile != ""} {
		if !stays {
			p.Remove = append(p.Remove, key)
		}
	}
}

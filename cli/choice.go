package cli

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
)

// choiceFlags are certbot's flags about the certificate itself, for certonly and renew.
type choiceFlags struct{}

func (choiceFlags) add(set *pflag.FlagSet, c *host.Choice) {
	set.StringVar(&c.KeyType, "key-type", "", "`kind` of private key: ecdsa (the default for a new certificate) or rsa")
	set.IntVar(&c.RSABits, "rsa-key-size", 0, "`bits` of an RSA key (default: 2048)")
	set.StringVar(&c.Curve, "elliptic-curve", "", "`curve` of an ECDSA key: secp256r1 (the default), secp384r1, secp521r1")
	set.BoolVar(&c.ReuseKey, "reuse-key", false, "the certificates after this one have the same private key; kept in the renewal file")
	set.BoolVar(&c.NoReuseKey, "no-reuse-key", false, "each certificate has a key of its own again")
	set.BoolVar(&c.NewKey, "new-key", false, "another private key this time, although the lineage reuses its key")
	set.BoolVar(&c.MustStaple, "must-staple", false, "ask for the OCSP Must Staple extension; kept in the renewal file")
	set.BoolVar(&c.NoMustStaple, "no-must-staple", false, "ask for it no longer")
	set.StringVar(&c.PreferredChain, "preferred-chain", "", "the chain whose topmost certificate was issued by this common `name`, where the CA offers several")
	set.StringVar(&c.PreferredProfile, "preferred-profile", "", "the certificate `profile` to ask for where the CA offers it")
	set.StringVar(&c.RequiredProfile, "required-profile", "", "the certificate `profile` without which there is to be no order")
	set.BoolVar(&c.AllowSubset, "allow-subset-of-names", false, "leave out names that cannot be validated, if others can")
	set.BoolVar(&c.NoAllowSubset, "no-allow-subset-of-names", false, "leave none out any longer")
}

func (choiceFlags) check(c *host.Choice) error {
	c.KeyType, c.Curve = strings.ToLower(c.KeyType), strings.ToLower(c.Curve)
	switch {
	case c.KeyType != "" && c.KeyType != "ecdsa" && c.KeyType != "rsa":
		return failure.New(failure.Usage, "", "--key-type %s: only ecdsa and rsa are known", failure.Clean(c.KeyType))
	case c.Curve != "" && !slices.Contains([]string{"secp256r1", "secp384r1", "secp521r1"}, c.Curve):
		return failure.New(failure.Usage, "", "--elliptic-curve %s: only secp256r1, secp384r1 and secp521r1 are known", failure.Clean(c.Curve))
	case c.RSABits != 0 && (c.RSABits < 2048 || c.RSABits > 8192):
		return failure.New(failure.Usage, "", "--rsa-key-size %d: between 2048 and 8192 bits", c.RSABits)
	case c.ReuseKey && c.NoReuseKey:
		return failure.New(failure.Usage, "", "--reuse-key and --no-reuse-key contradict each other")
	case c.MustStaple && c.NoMustStaple:
		return failure.New(failure.Usage, "", "--must-staple and --no-must-staple contradict each other")
	case c.AllowSubset && c.NoAllowSubset:
		return failure.New(failure.Usage, "", "--allow-subset-of-names and --no-allow-subset-of-names contradict each other")
	}
	return nil
}

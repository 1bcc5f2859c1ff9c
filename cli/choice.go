package cli

// certbot's flags about the certificate itself, for certonly, renew and reconfigure.

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
)

// addChoice adds the flags that say what a certificate is to be like.
func addChoice(set *pflag.FlagSet, c *host.Choice) {
	addText(set, &c.KeyType, "key-type",
		"`kind` of private key: ecdsa (the default for a new certificate) or rsa")
	addNumber(set, &c.RSABits, "rsa-key-size", 0, "`bits` of an RSA key (default: 2048)")
	addText(set, &c.Curve, "elliptic-curve",
		"`curve` of an ECDSA key: secp256r1 (the default), secp384r1, secp521r1")
	addSwitch(set, &c.ReuseKey, "reuse-key",
		"the certificates after this one have the same private key; kept in the renewal file",
		"each certificate has a key of its own again")
	set.BoolVar(&c.NewKey, "new-key", false,
		"another private key this time, although the lineage reuses its key")
	addSwitch(set, &c.MustStaple, "must-staple",
		"ask for the OCSP Must Staple extension; kept in the renewal file", "ask for it no longer")
	addText(set, &c.PreferredChain, "preferred-chain", "the chain whose topmost certificate was "+
		"issued by this common `name`, where the CA offers several")
	addText(set, &c.PreferredProfile, "preferred-profile",
		"the certificate `profile` to ask for where the CA offers it")
	addText(set, &c.RequiredProfile, "required-profile",
		"the certificate `profile` without which there is to be no order")
	addSwitch(set, &c.AllowSubset, "allow-subset-of-names",
		"leave out names that cannot be validated, if others can", "leave none out any longer")
}

// checkChoice refuses what no certificate can be like.
func checkChoice(c *host.Choice) error {
	kind, curve, bits := strings.ToLower(c.KeyType.Is()), strings.ToLower(c.Curve.Is()),
		c.RSABits.Is()
	switch {
	case kind != "" && kind != "ecdsa" && kind != "rsa":
		return failure.New(failure.Usage, "Give ecdsa or rsa.",
			"--key-type %s: only ecdsa and rsa are known", failure.Clean(kind))
	case curve != "" && !slices.Contains([]string{"secp256r1", "secp384r1", "secp521r1"}, curve):
		return failure.New(failure.Usage, "",
			"--elliptic-curve %s: only secp256r1, secp384r1 and secp521r1 are known",
			failure.Clean(curve))
	case bits != 0 && (bits < 2048 || bits > 8192):
		return failure.New(failure.Usage, "", "--rsa-key-size %d: between 2048 and 8192 bits", bits)
	}
	if kind != "" {
		c.KeyType = host.Say(kind)
	}
	if curve != "" {
		c.Curve = host.Say(curve)
	}
	if bits == 0 {
		c.RSABits = host.Value[int]{}
	}
	return nil
}

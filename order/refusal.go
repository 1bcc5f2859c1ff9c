package order

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// RefusalOfType says what a problem's type means for an order, whichever request it answers: the class, and what mends it.
// A type that says nothing about the order itself is the CA's refusal, with its words and no remedy.
func RefusalOfType(o *ledger.Order, p *acme.Problem) (failure.Class, failure.Remedy) {
	switch p.Type {
	case "badCSR", "badPublicKey":
		return failure.BadCSR, anotherCSR(o)
	case "rejectedIdentifier", "unsupportedIdentifier":
		return failure.BadName, "Leave out " + failure.Remedy(refusedNames(o, p)) + ", or ask another CA with " + failure.Do(failure.OtherCA) + "."
	case "caa":
		return failure.CAAForbids, "Let the CAA record of the domain name this CA (issue, and issuewild for a wildcard), or remove the record."
	}
	return failure.CARefused, ""
}

// refusedNames says which names of an order a problem is about, where its subproblems tell (RFC 8555 §6.7.1).
func refusedNames(o *ledger.Order, p *acme.Problem) string {
	if names := BlamedNames(o, p); len(names) > 0 && len(names) <= 10 {
		return strings.Join(names, ", ")
	}
	return "the name that the CA refuses"
}

// BlamedNames are the names of an order that a problem's subproblems are about.
func BlamedNames(o *ledger.Order, p *acme.Problem) []string {
	var names []string
	if p == nil {
		return nil
	}
	for _, s := range p.Subproblems {
		if slices.Contains(o.Names, s.Name) && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

// RefusedByCA reports whether what ended with this class did so by the CA's word, and not by a name that failed.
func RefusedByCA(class failure.Class) bool {
	switch class {
	case failure.CARefused, failure.BadCSR, failure.BadName, failure.CAAForbids:
		return true
	}
	return false
}

// NotIssued explains a finalize that the CA refused.
func NotIssued(o *ledger.Order, p *acme.Problem) *failure.Error {
	class, remedy := RefusalOfType(o, p)
	if class == failure.BadCSR {
		return failure.New(class, remedy, "the CA refuses the key or the CSR of the certificate for %s (%s): %s", o.Subject(), asked(o.Request), p.Error())
	}
	return failure.New(class, remedy, "the CA refused to issue for %s: %s", o.Subject(), p.Error())
}

// asked says what a CSR asks for, in a few words.
func asked(r ledger.Request) string {
	if len(r.CSR) > 0 {
		return "a CSR of your own"
	}
	words := "ecdsa, " + cmp.Or(r.Curve, "secp256r1")
	if r.KeyType == "rsa" {
		words = fmt.Sprintf("rsa, %d bits", max(r.RSABits, 2048))
	}
	if r.OldKey != "" {
		words += ", the private key that the lineage has"
	}
	if r.MustStaple {
		words += ", OCSP Must Staple"
	}
	return words
}

// anotherCSR is what to do where a CA refuses a key or a CSR.
func anotherCSR(o *ledger.Order) failure.Remedy {
	if len(o.Request.CSR) > 0 {
		return "Make another key and CSR, and run the command again with that."
	}
	key := []string{failure.P256}
	if o.Request.KeyType != "rsa" && cmp.Or(o.Request.Curve, "secp256r1") == "secp256r1" {
		key = []string{failure.RSA2048}
	}
	if o.Request.OldKey != "" {
		key = []string{failure.NewKey}
	}
	if o.Request.MustStaple {
		key = append(key, failure.Unstapled)
	}
	if o.Request.New || o.Request.Rehearsal {
		return "Run the same command again with " + failure.Do(failure.OfKey, key...) + "."
	}
	return "Ask for another key: " +
		failure.Do(failure.AnotherKey, append([]string{o.Lineage}, key...)...) + "."
}

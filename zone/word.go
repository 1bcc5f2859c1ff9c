package zone

import (
	"strings"

	"github.com/miekg/dns"

	"orderly/outside"
)

// What an answer is worth, in one word. A resolver goes on to another server at each of those that
// are not good; a person does something different about each.

// Word is what a question came to.
type Word string

// The words. NoError and NXDomain are good: somebody who may know has answered.
const (
	NoError     Word = "NOERROR"
	NXDomain    Word = "NXDOMAIN"
	ServFail    Word = "SERVFAIL"
	Refused     Word = "REFUSED"
	NotImp      Word = "NOTIMP"
	FormErr     Word = "FORMERR"
	OtherCode   Word = "another error code"
	Silent      Word = "no answer"
	Unreachable Word = "no way there from this host"
	Lame        Word = "an answer that is not authoritative"
	NoTCP       Word = "no answer over TCP, where UDP is too small"
	Nonsense    Word = "an answer to another question"
	Bogus       Word = "SERVFAIL, since its DNSSEC does not hold"
	Unasked     Word = "an address that is not connected to"
	NoServer    Word = "no server with an address"
	Endless     Word = "aliases without an end"
	TooSlow     Word = "aliases that lead from one slow zone to the next"
)

// Good reports whether somebody who may know has answered.
func (w Word) Good() bool { return w == NoError || w == NXDomain }

// severity orders words that are not good by how much they say: of a question that several servers
// answered badly, the worst that was said is told.
func (w Word) severity() int {
	switch w {
	case NoServer, "":
		return 0
	case Unasked:
		return 1
	case Unreachable:
		return 2
	case Silent:
		return 3
	}
	return 4
}

func wordOf(code int) Word {
	switch code {
	case dns.RcodeSuccess:
		return NoError
	case dns.RcodeNameError:
		return NXDomain
	case dns.RcodeServerFailure:
		return ServFail
	case dns.RcodeRefused:
		return Refused
	case dns.RcodeNotImplemented:
		return NotImp
	case dns.RcodeFormatError:
		return FormErr
	}
	return OtherCode
}

const (
	typeA    = dns.TypeA
	typeAAAA = dns.TypeAAAA
	typeCAA  = dns.TypeCAA
	typeNS   = dns.TypeNS
	typeDS   = dns.TypeDS
	typeSOA  = dns.TypeSOA
	typeKey  = dns.TypeDNSKEY
)

// record is one record.
type record = dns.RR

// question is a name, fully qualified and in small letters, and a type.
type question struct {
	name string
	kind uint16
}

func (q question) String() string { return dns.TypeToString[q.kind] + " " + plain(q.name) }

// canonical is a name as it is compared: small letters, with the root's dot.
func canonical(name string) string { return strings.ToLower(dns.Fqdn(name)) }

// plain is a name as it is shown.
func plain(fqdn string) string {
	if fqdn == "." {
		return fqdn
	}
	return outside.Clean(strings.TrimSuffix(fqdn, "."))
}

func fqdns(names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = canonical(name)
	}
	return all
}

// parentOf is the name without its first label.
func parentOf(fqdn string) string {
	next, end := dns.NextLabel(fqdn, 0)
	if end {
		return "."
	}
	return fqdn[next:]
}

func appendNew(to []string, word string) []string {
	for _, had := range to {
		if had == word {
			return to
		}
	}
	return append(to, word)
}

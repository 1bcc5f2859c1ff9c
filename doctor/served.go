package doctor

// The certificate that visitors get. It need not be the one that is renewed here: no renewal fails of
// that, and somebody should know.

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly/failure"
)

// offer is what a web server offers under a name.
type offer struct {
	address   netip.Addr
	serial    string
	names     []string // of the certificate
	issuer    string
	notBefore time.Time
	notAfter  time.Time
	covers    bool   // the name
	weak      string // why browsers refuse it whoever issued it; "" for nothing
	alone     bool   // without an intermediate certificate, which its issuer says there is
}

const tlsPatience = 4 * time.Second

// serving asks the web servers of all names for their certificate, at one address of each kind.
func (e *Exam) serving(ctx context.Context, n *network) {
	if e.Online.TLSPort < 0 {
		return
	}
	mute := n.mute()
	ask := map[string][]netip.Addr{}
	for _, x := range e.renewing() {
		for _, name := range x.Names {
			if isWildcard(name) || isAddress(name) {
				continue
			}
			for _, a := range oneOfEachKind(n.addresses(name)) {
				if !mute[a] {
					ask[name] = append(ask[name], a)
				}
			}
			slices.SortFunc(ask[name], netip.Addr.Compare)
			ask[name] = slices.Compact(ask[name])
		}
	}
	var mu sync.Mutex
	each(slices.Sorted(maps.Keys(ask)), func(name string) {
		for _, a := range ask[name] {
			if got, ok := e.offered(ctx, name, a); ok {
				mu.Lock()
				n.served[name] = append(n.served[name], got)
				mu.Unlock()
			}
		}
	})
}

// mute are addresses at which nobody answered: they are not waited for again.
func (n *network) mute() map[netip.Addr]bool {
	mute := map[netip.Addr]bool{}
	for _, found := range n.probes {
		for _, at := range found.At {
			if at.Undialled {
				mute[at.Address] = true
			}
		}
	}
	return mute
}

func oneOfEachKind(all []netip.Addr) (some []netip.Addr) {
	for _, a := range all {
		if !slices.ContainsFunc(some, func(b netip.Addr) bool { return a.Is4() == b.Is4() }) {
			some = append(some, a)
		}
	}
	return some
}

// offered asks for the certificate under a name at an address; false where there is none.
func (e *Exam) offered(ctx context.Context, name string, a netip.Addr) (offer, bool) {
	ctx, cancel := context.WithTimeout(ctx, tlsPatience)
	defer cancel()
	port := e.Online.TLSPort
	if port == 0 {
		port = 443
	}
	raw, err := e.Online.Checker.Connect(ctx, a, port)
	if err != nil {
		return offer{}, false
	}
	defer raw.Close()
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	// what is served is looked at, whoever made it
	conn := tls.Client(raw, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if conn.HandshakeContext(ctx) != nil {
		return offer{}, false
	}
	certificates := conn.ConnectionState().PeerCertificates
	if len(certificates) == 0 {
		return offer{}, false
	}
	leaf := certificates[0]
	return offer{address: a, serial: leaf.SerialNumber.Text(16), names: leaf.DNSNames,
		issuer: issuerName(leaf), notBefore: leaf.NotBefore, notAfter: leaf.NotAfter,
		covers: leaf.VerifyHostname(name) == nil, weak: weakness(leaf),
		alone: len(certificates) == 1 && len(leaf.IssuingCertificateURL) > 0}, true
}

// weakness is what of a certificate no browser accepts any more, "" for nothing.
func weakness(leaf *x509.Certificate) string {
	const shortest = 2048 // bits of an RSA key, by the Baseline Requirements
	switch leaf.SignatureAlgorithm {
	case x509.MD2WithRSA, x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1:
		return "that is signed by way of " + leaf.SignatureAlgorithm.String()
	}
	if key, is := leaf.PublicKey.(*rsa.PublicKey); is && key.N.BitLen() < shortest {
		return "with an RSA key of " + strconv.Itoa(key.N.BitLen()) + " bits"
	}
	return ""
}

func issuerName(leaf *x509.Certificate) string {
	for _, word := range append(slices.Clone(leaf.Issuer.Organization), leaf.Issuer.CommonName) {
		if word = failure.Clean(word); word != "" {
			return word
		}
	}
	return "somebody who is not named"
}

// otherServed tells of certificates that visitors get instead of the lineage's.
func otherServed(e *Exam, n *network, x *Lineage, name string) []Finding {
	for _, o := range n.served[name] {
		what, cause, mend := e.oddity(x, name, o)
		if what == "" {
			continue
		}
		f := e.notes(x, "D49", []string{name}, failure.HTTPWrong, mend, "%s (%s) %s", name, o.address, what)
		f.Cause, f.HurtsAt = cause, o.notAfter
		return []Finding{f}
	}
	return nil
}

// oddity is what is wrong with a certificate that is served, empty for nothing.
func (e *Exam) oddity(x *Lineage, name string, o offer) (what, cause string, mend failure.Remedy) {
	front := cdn(o.address)
	use := failure.Advise("Let the web server of %s use the files in live/%s, and let it reload when they "+
		"change: %s.", name, x.Name, failure.Do(failure.SetDeployHook, x.Name, "COMMAND"))
	switch {
	case o.notAfter.Before(e.At):
		return "serves a certificate that ended on " + day(o.notAfter) + " (by " + o.issuer + ")", "ended", use
	case !o.covers:
		return "serves a certificate for other names: " + some(o.names), "other names", use
	case o.weak != "":
		return "serves a certificate " + o.weak + ", which browsers refuse (by " + o.issuer + ")", "weak", use
	case o.alone && front == "":
		return "serves its certificate without the intermediate one: many clients cannot verify it", "alone",
			failure.Advise("Let the web server of %s use fullchain.pem instead of cert.pem.", name)
	case front != "" || e.isOurs(o.serial, name):
		return "", "", ""
	case o.notBefore.Before(x.NotBefore):
		return "serves a certificate of " + day(o.notBefore) + ", older than the one here, of " +
			day(x.NotBefore) + ": the web server has not taken up the new one", "not taken up", use
	}
	return "serves another certificate than the one here (by " + o.issuer + ", of " + day(o.notBefore) +
			")", "another's", failure.Advise("See who makes certificates for %s beside Orderly, and which of the "+
			"two is needed.", name)
}

// isOurs reports whether a certificate is that of any lineage of this host with the name.
func (e *Exam) isOurs(serial, name string) bool {
	ours := func(x *Lineage) bool { return x.Serial == serial && x.is(name) }
	return slices.ContainsFunc(e.Lineages, ours) || slices.ContainsFunc(e.Others, ours)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// some are a few names of a certificate that anybody may have made.
func some(names []string) string {
	const shown = 3
	if len(names) == 0 {
		return "none"
	}
	text := failure.Clean(strings.Join(names[:min(len(names), shown)], ", "))
	if len(names) > shown {
		text += " …"
	}
	return text
}

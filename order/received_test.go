package order_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/order"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// paper makes certificates.
type paper struct {
	t      *testing.T
	now    time.Time
	serial int64
}

type signed struct {
	*x509.Certificate
	key *ecdsa.PrivateKey
}

func (p *paper) sign(template *x509.Certificate, by *signed) *signed {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(p.t, err)
	return p.signFor(key, template, by)
}

func (p *paper) signFor(key *ecdsa.PrivateKey, template *x509.Certificate, by *signed) *signed {
	p.t.Helper()
	p.serial++
	template.SerialNumber = big.NewInt(p.serial)
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = p.now.Add(-time.Hour), p.now.Add(time.Hour)
	}
	if by == nil {
		by = &signed{template, key}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.Certificate, key.Public(), by.key)
	must(p.t, err)
	made, err := x509.ParseCertificate(der)
	must(p.t, err)
	return &signed{made, key}
}

func authorityOf(name string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func text(certificates ...*signed) string {
	var all string
	for _, c := range certificates {
		all += pemOf("CERTIFICATE", c.Raw)
	}
	return all
}

func TestTheCertificateIsFoundWhereverTheCAPutsIt(t *testing.T) {
	p := &paper{t: t, now: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)}
	root := p.sign(authorityOf("root"), nil)
	middle := p.sign(authorityOf("middle"), root)
	leaf := p.sign(&x509.Certificate{DNSNames: []string{"a.example"}}, middle)
	other := p.sign(authorityOf("another root"), nil)
	crossed := p.signFor(middle.key, authorityOf("middle"), other)
	strange := p.sign(&x509.Certificate{DNSNames: []string{"a.example"}}, middle)
	impostor := p.sign(authorityOf("middle"), nil)
	key := pemOf("PRIVATE KEY", []byte("x"))
	for name, c := range map[string]struct {
		served string
		want   string // "": it is not taken
		notes  int
	}{
		"as it should be":        {text(leaf, middle), text(leaf, middle), 0},
		"with its root":          {text(leaf, middle, root), text(leaf, middle, root), 0},
		"reversed":               {text(root, middle, leaf), text(leaf, middle, root), 0},
		"the intermediate first": {text(middle, leaf), text(leaf, middle), 0},
		"each twice":             {text(leaf, middle, leaf, middle), text(leaf, middle), 0},
		"alone":                  {text(leaf), "", 0},
		"without its issuer":     {text(leaf, other, root), "", 0},
		"a foreign one":          {text(leaf, other, middle), text(leaf, middle), 1},
		"another's of that name": {text(strange, leaf, impostor, middle), text(leaf, middle), 1},
		"cross-signed":           {text(leaf, middle, crossed, other), text(leaf, middle, crossed, other), 0},
		"text around it":         {"subject=a\n" + text(leaf) + "\nissuer\n" + text(middle) + "end\n", text(leaf, middle), 0},
		"CRLF":                   {strings.ReplaceAll(text(leaf, middle), "\n", "\r\n"), text(leaf, middle), 0},
		"a mark before it":       {"\xef\xbb\xbf" + text(leaf, middle), text(leaf, middle), 0},
		"carriage returns alone": {strings.ReplaceAll(text(leaf, middle), "\n", "\r"), text(leaf, middle), 0},
		"indented":               {"  " + strings.ReplaceAll(text(leaf, middle), "\n", "\n  "), text(leaf, middle), 0},
		"in one line's end":      {strings.ReplaceAll(text(leaf, middle), "-----\n-----", "----------"), text(leaf, middle), 0},
		"another label":          {pemOf("X509 CERTIFICATE", leaf.Raw) + text(middle), text(leaf, middle), 0},
		"a key between them":     {text(leaf) + key + text(middle), text(leaf, middle), 1},
		"a key and no issuer":    {text(leaf) + key, "", 0},
		"a damaged issuer":       {text(leaf) + pemOf("CERTIFICATE", []byte("x")), "", 0},
		"cut off":                {text(leaf) + text(middle)[:100], "", 0},
		"a page":                 {"<html>", "", 0},
		"nothing":                {"", "", 0},
	} {
		a := order.Asked{Names: []string{"a.example"}, Key: leaf.key.Public(), At: p.now}
		got, err := a.Accept([]byte(c.served))
		if string(got.Chain) != c.want || len(got.Notes) != c.notes || (err == nil) != (c.want != "") {
			t.Errorf("%s: %d bytes of %d, notes %q, %v", name, len(got.Chain), len(c.want), got.Notes, err)
		}
		if bytes.Contains(got.Chain, []byte("PRIVATE KEY")) {
			t.Errorf("%s: a private key is taken over", name)
		}
		if err == nil && !got.Leaf.Equal(leaf.Certificate) {
			t.Errorf("%s: another leaf", name)
		}
	}
}

func TestACertificateIsWhatWasAskedFor(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	p := &paper{t: t, now: now}
	root := p.sign(authorityOf("root"), nil)
	ip := net.ParseIP("192.0.2.7")
	for name, c := range map[string]struct {
		asked []string
		has   []string
		ips   []net.IP
		want  string // what is said, "" for nothing
		note  string
	}{
		"the same":           {asked: []string{"a.example", "b.example"}, has: []string{"b.example", "a.example"}},
		"in capitals":        {asked: []string{"a.example"}, has: []string{"A.Example"}},
		"with a dot":         {asked: []string{"a.example"}, has: []string{"a.example."}},
		"an address":         {asked: []string{"192.0.2.7", "a.example"}, has: []string{"a.example"}, ips: []net.IP{ip}},
		"another spelling":   {asked: []string{"2001:DB8:0::1", "A.example."}, has: []string{"a.example"}, ips: []net.IP{net.ParseIP("2001:db8::1")}},
		"no address":         {asked: []string{"192.0.2.7", "a.example"}, has: []string{"a.example"}, want: "192.0.2.7"},
		"an address as name": {asked: []string{"192.0.2.7", "a.example"}, has: []string{"a.example", "192.0.2.7"}, want: "192.0.2.7"},
		"one less":           {asked: []string{"a.example", "b.example"}, has: []string{"a.example"}, want: "b.example"},
		"others":             {asked: []string{"a.example"}, has: []string{"b.example"}, want: "a.example"},
		"one more":           {asked: []string{"a.example"}, has: []string{"a.example", "www.a.example"}, note: "www.a.example"},
		"a wildcard":         {asked: []string{"*.a.example"}, has: []string{"*.a.example"}},
		"no wildcard":        {asked: []string{"*.a.example"}, has: []string{"a.example"}, want: "*.a.example"},
		"under a wildcard":   {asked: []string{"*.a.example", "w.a.example"}, has: []string{"*.a.example"}},
		"deeper than it":     {asked: []string{"v.w.a.example"}, has: []string{"*.a.example"}, want: "v.w.a.example"},
		"the wildcard's own": {asked: []string{"a.example"}, has: []string{"*.a.example"}, want: "a.example"},
	} {
		leaf := p.sign(&x509.Certificate{Subject: pkix.Name{CommonName: "a.example"}, DNSNames: c.has, IPAddresses: c.ips}, root)
		got, err := order.Asked{Names: c.asked, Key: leaf.key.Public(), At: now}.Accept([]byte(text(leaf, root)))
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.HasSuffix(err.Error(), " "+c.want)):
			t.Errorf("%s: %v", name, err)
		case c.note == "" && len(got.Notes) > 0, c.note != "" && !strings.Contains(strings.Join(got.Notes, " "), c.note):
			t.Errorf("%s: notes %q", name, got.Notes)
		}
	}
	leaf := p.sign(&x509.Certificate{DNSNames: []string{"a.example"}}, root)
	for _, c := range []struct {
		at   time.Duration
		flaw order.Flaw
		good bool
	}{{0, 0, true}, {-time.Hour - 30*time.Second, 0, true}, {-2 * time.Hour, order.NotBegun, false}, {time.Hour, order.Over, false}} {
		_, err := order.Asked{Names: []string{"a.example"}, Key: leaf.key.Public(), At: now.Add(c.at)}.Accept([]byte(text(leaf, root)))
		unfit, _ := errors.AsType[*order.Unfit](err)
		if c.good != (err == nil) || !c.good && (unfit == nil || unfit.Flaw != c.flaw) {
			t.Errorf("%s from now: %v", c.at, err)
		}
	}
	strange := p.sign(&x509.Certificate{DNSNames: []string{"a.example"}}, root)
	_, err := order.Asked{Names: []string{"a.example"}, Key: leaf.key.Public(), At: now}.Accept([]byte(text(strange)))
	if unfit, _ := errors.AsType[*order.Unfit](err); unfit == nil || unfit.Flaw != order.OtherKey {
		t.Errorf("for another key: %v", err)
	}
	_, err = order.Asked{Names: []string{"a.example"}, Key: leaf.key.Public(), At: now}.Accept([]byte(text(root)))
	if unfit, _ := errors.AsType[*order.Unfit](err); unfit == nil || unfit.Flaw != order.Unreadable {
		t.Errorf("a CA's own alone: %v", err)
	}
	again := p.signFor(leaf.key, &x509.Certificate{DNSNames: []string{"a.example"}}, root)
	asked := order.Asked{Names: []string{"a.example"}, Key: leaf.key.Public(), At: now, Former: [][]byte{leaf.Raw}}
	if got, err := asked.Accept([]byte(text(leaf, again, root))); err != nil || !got.Leaf.Equal(again.Certificate) {
		t.Errorf("beside that of an earlier order: %v", err)
	}
	_, err = asked.Accept([]byte(text(leaf)))
	if unfit, _ := errors.AsType[*order.Unfit](err); unfit == nil || unfit.Flaw != order.Earlier {
		t.Errorf("that of an earlier order: %v", err)
	}
	if names := order.NamesIn(leaf.Certificate); !slices.Equal(names, []string{"a.example"}) {
		t.Errorf("names %q", names)
	}
}

package acme_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"testing"

	"orderly/acme"
)

// chainUnder is a chain of two certificates, the upper one issued by a root with this name.
func chainUnder(t testing.TB, root pkix.Name) acme.Chain {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	issued := func(subject, issuer pkix.Name) []byte {
		der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), Subject: subject},
			&x509.Certificate{Subject: issuer}, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	between := pkix.Name{CommonName: "Between"}
	return acme.Chain{PEM: append(issued(pkix.Name{CommonName: "leaf"}, between), issued(between, root)...)}
}

func TestThePreferredChainIsChosenByItsRoot(t *testing.T) {
	cn := func(value string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: value}
	}
	chains := []acme.Chain{
		chainUnder(t, pkix.Name{CommonName: "Root X1"}),
		chainUnder(t, pkix.Name{Organization: []string{"No common name"}}),
		{PEM: []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")},
		chainUnder(t, pkix.Name{ExtraNames: []pkix.AttributeTypeAndValue{cn("First of two"), cn("Second of two")}}),
		chainUnder(t, pkix.Name{CommonName: "Root X2"}),
		chainUnder(t, pkix.Name{CommonName: "Root X2"}),
	}
	for issuer, want := range map[string]int{
		"Root X1": 0, "Root X2": 4, "First of two": 3,
		// none of these is there
		"": -1, "Root": -1, "root x2": -1, "Root X2 ": -1, "Between": -1, "leaf": -1, "Second of two": -1,
	} {
		index, matched := acme.PreferredChain(chains, issuer)
		if matched != (want >= 0) || index != max(want, 0) {
			t.Errorf("%q: chain %d, matched %v", issuer, index, matched)
		}
	}
	if index, matched := acme.PreferredChain(nil, "Root X1"); index != 0 || matched {
		t.Errorf("of none: %d, %v", index, matched)
	}
}

func TestTheTopIssuerSurvivesWhatElseStandsInTheFile(t *testing.T) {
	chain := chainUnder(t, pkix.Name{CommonName: "Root X1"}).PEM
	key := pem.EncodeToMemory(&pem.Block{Type: "PARAMETERS", Bytes: []byte{1}})
	text := bytes.ReplaceAll(bytes.Join([][]byte{[]byte("# words"), chain, key, []byte("more words\n")}, []byte("\n")), []byte("\n"), []byte("\r\n"))
	if got := (acme.Chain{PEM: text}).TopIssuer(); !got.Is("Root X1") {
		t.Errorf("got %q", got)
	}
}

func TestAlternatesAreBounded(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	ca.on("/cert/1", func(w http.ResponseWriter, _ *http.Request) {
		for i := range 500 {
			w.Header().Add("Link", fmt.Sprintf(`</cert/1/%d>;rel="alternate"`, i))
		}
		w.Write([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	})
	chain, err := a.Certificate(t.Context(), ca.URL+"/cert/1")
	if err != nil || len(chain.Alternates) != acme.AlternatesKept || chain.Alternates[1] != ca.URL+"/cert/1/1" {
		t.Errorf("%d alternates, %v", len(chain.Alternates), err)
	}
}

func FuzzTopIssuer(f *testing.F) {
	f.Add(chainUnder(f, pkix.Name{CommonName: "Root X1"}).PEM)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := acme.Chain{PEM: text}
		name := c.TopIssuer().Arrived()
		if index, matched := acme.PreferredChain([]acme.Chain{{}, c}, name); matched != (name != "") || matched != (index == 1) {
			t.Errorf("%q: %d, %v", name, index, matched)
		}
	})
}

package testca

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/letsencrypt/pebble/v2/core"
)

// Revocation is a certificate that was revoked.
type Revocation struct {
	Serial string `json:"serial"` // hexadecimal, as in Certificate
	Reason int    `json:"reason"` // RFC 5280 §5.3.1; 0 also when none was given
}

// revocations is the revocation of an order's certificate, if there was one.
func (c *CA) revocations(o *order) []Revocation {
	revoked := c.pebble.store.GetRevokedCertificateBySerial(o.CertificateObject.Cert.SerialNumber)
	if revoked == nil {
		return nil
	}
	r := Revocation{Serial: o.serial}
	if revoked.Reason != nil {
		r.Reason = int(*revoked.Reason)
	}
	return []Revocation{r}
}

// IssuingRoot is the root of one of the chains the CA offers.
type IssuingRoot struct {
	Name string `json:"name"` // its common name, that of the topmost certificate's issuer
	PEM  string `json:"pem"`
}

// IssuingRoots are the roots of all chains: the default one's, then those of the alternates in the order of their links.
func (c *CA) IssuingRoots() []IssuingRoot {
	var roots []IssuingRoot
	for i := range 1 + c.config.AlternateChains {
		root := c.pebble.issuer.GetRootCert(i)
		roots = append(roots, IssuingRoot{Name: root.Cert.Subject.CommonName, PEM: string(root.PEM())})
	}
	return roots
}

// SetRenewalInfo sets when the certificate with this serial (hexadecimal, as in Certificate) should be renewed, for
// renewalInfo and for the exemption of `replaces` inside the window. The explanation may be empty.
func (c *CA) SetRenewalInfo(serial string, start, end time.Time, explanation string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.state.bySerial[strings.ToLower(serial)]
	if o == nil {
		return fmt.Errorf("no certificate with the serial %s was issued", serial)
	}
	window := core.SuggestedWindow{Start: start.UTC(), End: end.UTC()}
	text, err := json.Marshal(map[string]any{"suggestedWindow": window, "explanationURL": explanation})
	if err != nil {
		return err
	}
	o.window = &window
	o.CertificateObject.ARIResponse = string(text)
	return nil
}

func (c *CA) controlRenewalInfo(w http.ResponseWriter, r *http.Request) {
	start, err := time.Parse(time.RFC3339, r.FormValue("start"))
	var end time.Time
	if err == nil {
		end, err = time.Parse(time.RFC3339, r.FormValue("end"))
	}
	if err == nil {
		err = c.SetRenewalInfo(r.FormValue("serial"), start, end, r.FormValue("explanation"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

func thumbprint(key *jose.JSONWebKey) string {
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

package testca

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
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
	if len(serial)%2 == 1 {
		serial = "0" + serial // as it is written without the zero at its beginning
	}
	o := c.state.bySerial[strings.ToLower(serial)]
	if o == nil {
		return fmt.Errorf("no certificate with the serial %s was issued", serial)
	}
	o.window, o.explanation = &core.SuggestedWindow{Start: start.UTC(), End: end.UTC()}, explanation
	return nil
}

// suggest sees to it that Pebble's answer has the window of this certificate. Pebble's own are two days wide, which is the
// whole life of a short one; what was revoked has Pebble's, in the past.
func (c *CA) suggest(r *request) {
	o := c.replaced(path.Base(r.URL.Path))
	if o == nil {
		return
	}
	o.CertificateObject.ARIResponse = ""
	if o.window == nil && len(c.revocations(o)) > 0 {
		return
	}
	text, err := json.Marshal(map[string]any{"suggestedWindow": o.suggested(), "explanationURL": o.explanation})
	if err != nil {
		c.log.Printf("renewal information: %v", err)
		return
	}
	o.CertificateObject.ARIResponse = string(text)
}

// suggested is the window that SetRenewalInfo set, or Boulder's: a fiftieth of the lifetime, around the moment when a third of
// it is left, half below ten days.
func (o *order) suggested() core.SuggestedWindow {
	if o.window != nil {
		return *o.window
	}
	certificate := o.CertificateObject.Cert
	life := certificate.NotAfter.Sub(certificate.NotBefore)
	left := life / 3
	if life < 10*24*time.Hour {
		left = life / 2
	}
	ideal := certificate.NotAfter.Add(-left)
	return core.SuggestedWindow{Start: ideal.Add(-life / 100).UTC(), End: ideal.Add(life / 100).UTC()}
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

package sim

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"slices"
	"time"
)

// What a CA with habits issues, and how it serves that. Nothing but what was asked for may be put in place.

// issued makes a certificate another one than what was asked for.
func (h *habits) issued(o *caOrder, template *x509.Certificate, public crypto.PublicKey) crypto.PublicKey {
	if !h.strikes(unfitness, 3) {
		return public
	}
	now, flaws := h.w.time(), 6
	h.hinder(o, now.Add(backOff))
	switch h.dice.IntN(flaws) {
	case 0:
		template.DNSNames = o.names[1:]
		h.says(o, "gets a certificate that lacks a name")
	case 1:
		template.NotBefore, template.NotAfter = now.Add(-certLife), now.Add(-time.Hour)
		h.says(o, "gets one that has expired")
	case 2:
		template.NotBefore = now.Add(4 * day)
		h.says(o, "gets one that begins in days")
	case 3:
		template.NotBefore = now.Add(3 * time.Hour)
		h.says(o, "gets one that begins in hours")
	case 4:
		h.says(o, "gets one for another key")
		return rootKey().Public()
	case 5:
		template.DNSNames = append([]string{"more." + o.names[0]}, o.names...)
		h.says(o, "gets one with another name besides")
	}
	return public
}

// certificatesPeriod is that of the limit on certificates of a name set.
const certificatesPeriod = 7 * day

// written is a chain as it is served.
func (h *habits) written(o *caOrder) []byte {
	chain := slices.Clone(o.chain)
	if !h.has[scribbling] || h.w.quiet {
		return chain
	}
	block := func(kind string, content []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
	}
	switch o.id % 8 {
	case 0:
		return append([]byte("\xef\xbb\xbf"), bytes.ReplaceAll(chain, []byte("\n"), []byte("\r\n"))...)
	case 1:
		return bytes.ReplaceAll(chain, []byte("\n"), []byte("\r"))
	case 2:
		return bytes.ReplaceAll(chain, []byte("\n"), []byte("\n  "))
	case 3:
		return append(chain, chain...)
	case 4:
		return append([]byte("subject=a certificate\n"), append(chain, "that was it\n"...)...)
	case 5:
		return append(chain, block("CERTIFICATE", rootCert().Raw)...)
	case 6: // nobody takes it
		h.hinder(o, h.w.time().Add(backOff))
		return append(chain, block("PRIVATE KEY", []byte("not to be kept"))...)
	}
	h.hinder(o, h.w.time().Add(backOff))
	return append(chain, block("CERTIFICATE", []byte("damaged"))...)
}

// withholds says that a certificate cannot be had for some time.
func (h *habits) withholds(o *caOrder) {
	if !h.strikes(withholding, 3) {
		return
	}
	now := h.w.time()
	h.served[o] = span{now, now.Add(h.dice.between(time.Minute, 3*day))}
	h.hinder(o, h.served[o].to.Add(backOff+certificatesPeriod)) // it may count twice after a 429
	h.says(o, "has a certificate that cannot be had until", h.served[o].to.Format(time.DateTime))
}

// withheld reports whether a certificate cannot be had, and in which of the ways.
func (h *habits) withheld(o *caOrder) (way int, ok bool) {
	if h.w.quiet || !h.served[o].has(h.w.time()) {
		return 0, false
	}
	return o.id % 4, true
}

// instead is what is answered in the place of a certificate; not ok where nothing is.
func (h *habits) instead(o *caOrder) (reply, bool) {
	way, ok := h.withheld(o)
	if !ok {
		return reply{}, false
	}
	return []reply{problem(403, "unauthorized", "not for you"), gone("certificate"),
		{status: 200, html: true, page: true, body: []byte("<html>one moment")}, problem(500, "serverInternal", "no certificates")}[way], true
}

package certbot

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// Private keys come in several forms and kinds, of which each was once written by some version of
// certbot.

// keyFault says why the private key, a file of this size (0 if that is not known), is of no use for
// a certificate; nil if it is good or cannot be judged. What is not understood is left to its owner:
// a key that is encrypted, or a token's, would otherwise be replaced with every run.
func (r *Renewal) keyFault(leaf *x509.Certificate, size int64) error {
	text, err := readSized(r.PrivKey, size)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ELOOP):
		return fmt.Errorf("%s is gone", r.PrivKey)
	case err != nil:
		return nil
	case holds(text, leaf):
		return nil
	}
	block := keyBlock(text)
	switch {
	case blank(text):
		return fmt.Errorf("%s is empty", r.PrivKey)
	case block == nil && !bytes.Contains(text, []byte("PRIVATE KEY")):
		return fmt.Errorf("%s holds no private key", r.PrivKey)
	case block == nil:
		return fmt.Errorf("%s is torn", r.PrivKey)
	case !plain(block):
		return nil
	}
	if err := fits(leaf, text); err != nil {
		return fmt.Errorf("%s: %w", r.PrivKey, err)
	}
	return nil
}

// keyBlock is the first PEM block that is some private key.
func keyBlock(text []byte) *pem.Block {
	for {
		block, rest := pem.Decode(text)
		if block == nil || strings.HasSuffix(block.Type, "PRIVATE KEY") {
			return block
		}
		text = rest
	}
}

// plain tells whether a block is of a form that parseKey reads.
func plain(block *pem.Block) bool {
	switch block.Type {
	case "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY":
		return block.Headers["DEK-Info"] == ""
	}
	return false
}

// holds tells, much faster than parsing it, that a private key is most likely a certificate's: keys
// hold their public half. A survey does this for each of thousands. What it does not tell is looked
// at closely.
func holds(text []byte, leaf *x509.Certificate) bool {
	block := keyBlock(text)
	if block == nil || !plain(block) {
		return false
	}
	switch public := leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		point := leaf.RawSubjectPublicKeyInfo
		size := 1 + 2*((public.Curve.Params().BitSize+7)/8)
		return len(point) > size && bytes.Contains(block.Bytes, point[len(point)-size:])
	case *rsa.PublicKey:
		return bytes.Contains(block.Bytes, public.N.Bytes())
	}
	return false
}

package renewal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
	"orderly/ownfile"
)

// ownCSR prefixes the lineage of an order with a person's own CSR: the certificate belongs to no lineage on disk.
const ownCSR = "csr/"

// ReadCSR reads a certificate signing request, PEM or DER, and the names it is for: those of the subjectAltName and the
// common name, as certbot has it.
func ReadCSR(path string) (der []byte, names []string, err error) {
	const remedy = "Name a file with a certificate signing request, PEM or DER."
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, failure.Wrap(err, failure.Config, remedy, "--csr")
	}
	der = content
	if block, _ := pem.Decode(content); block != nil {
		if !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") {
			return nil, nil, failure.New(failure.Config, remedy, "--csr %s: it holds a %s, and no signing request", path, failure.Clean(strings.ToLower(block.Type)))
		}
		der = block.Bytes
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, nil, failure.New(failure.Config, remedy, "--csr %s: it is no signing request that can be read", path)
	}
	if csr.Subject.CommonName != "" {
		names = append(names, csr.Subject.CommonName)
	}
	names = append(names, csr.DNSNames...)
	for _, ip := range csr.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return nil, nil, failure.New(failure.Config, "Make a CSR with a subjectAltName for every name.", "--csr %s: it has no names", path)
	}
	for i, arrived := range names {
		name, ok := outside.Name(arrived)
		if !ok { // a CA compares them all with the order's, the common name included
			return nil, nil, failure.New(failure.BadName, "Make a CSR whose common name and subjectAltName are DNS names or addresses.",
				"--csr %s: it has a name that no CA can be asked for, %s", path, outside.Odd("name", arrived))
		}
		names[i] = name
	}
	return der, ledger.CanonicalNames(names), nil
}

// outputs are the names of the files for a certificate without a lineage that were not chosen: the first that are free.
func outputs(o ledger.Output) (ledger.Output, error) {
	for _, file := range []struct {
		path *string
		name string
	}{{&o.Cert, "cert.pem"}, {&o.Chain, "chain.pem"}, {&o.FullChain, "fullchain.pem"}} {
		path, err := outputPath(*file.path, file.name)
		if err != nil {
			return o, err
		}
		*file.path = path
	}
	if o.Cert == o.Chain || o.Cert == o.FullChain || o.Chain == o.FullChain {
		return o, failure.New(failure.Config, "Name three files.", "--cert-path, --chain-path and --fullchain-path name one file twice")
	}
	return o, nil
}

// mostOutputs is how many certificates a directory takes under names that were not chosen, as with certbot.
const mostOutputs = 10000

func outputPath(chosen, name string) (string, error) {
	if chosen == "" {
		for i := range mostOutputs {
			path := fmt.Sprintf("%04d_%s", i, name)
			if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
				return ownPath(path)
			}
		}
		return "", failure.New(failure.Config, "Choose one with --cert-path, --chain-path, --fullchain-path.", "there is no free name for %s", name)
	}
	path, err := ownPath(chosen)
	if err != nil {
		return "", err
	}
	if _, err := os.Lstat(path); err == nil { // certbot finds this out when the certificate has been issued
		return "", failure.New(failure.Config, "Move it away, or choose another name.", "%s exists already", path)
	}
	return path, nil
}

// ownPath is where a file is written whose directory was named: with the links in it followed now, so that nobody leads the
// certificate elsewhere before it is there. A link that another user made is not followed.
func ownPath(chosen string) (string, error) {
	path, err := filepath.Abs(chosen)
	if err != nil {
		return "", err
	}
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", failure.New(failure.Config, "Make the directory.", "%s cannot be written: its directory does not exist", path)
	}
	for at := dir; at != filepath.Dir(at); at = filepath.Dir(at) {
		if err := notLedBy(at); err != nil {
			return "", err
		}
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", failure.Wrap(err, failure.Config, "Name another directory.", "%s cannot be written", path)
	}
	for at := real; at != filepath.Dir(at); at = filepath.Dir(at) { // what a link led to may be swapped meanwhile
		if err := notLedBy(at); err != nil {
			return "", err
		}
	}
	return filepath.Join(real, filepath.Base(path)), nil
}

// notLedBy refuses a link that neither root nor this user made.
func notLedBy(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return failure.Wrap(err, failure.Config, "Name another directory.", "a directory for the certificate cannot be looked at")
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if info.Mode()&os.ModeSymlink == 0 || ok && (owner.Uid == 0 || int(owner.Uid) == os.Geteuid()) {
		return nil
	}
	return failure.New(failure.Config, "Name the directory that it leads to.", "%s is a link that another user made, and is not followed", path)
}

// CSRLineage is the lineage under which the ledger keeps the order for a CSR.
func CSRLineage(der []byte) string {
	sum := sha256.Sum256(der)
	return ownCSR + hex.EncodeToString(sum[:8])
}

// ObtainCSR gets a certificate for a person's own CSR. It is written to files of its own, and no lineage is made.
func (s *Server) ObtainCSR(ctx context.Context, w Wish, csr []byte, files ledger.Output) Result {
	result := Result{Lineage: CSRLineage(csr), Names: w.Names}
	err := s.fulfilCSR(ctx, w, csr, files, &result)
	if err != nil {
		result.fail(err)
	}
	return result
}

func (s *Server) fulfilCSR(ctx context.Context, w Wish, csr []byte, files ledger.Output, result *Result) error {
	engine, err := s.engineFor(ctx, w)
	if err != nil {
		return err
	}
	if err := s.reserve(ctx, w.port(nil), portPatience); err != nil {
		return err
	}
	defer s.rest()
	outcome, err := engine.Obtain(ctx, s.orderName(result.Lineage), w.Names, func(ctx context.Context) (*order.Plan, error) {
		request, err := w.request(Decision{Lineage: result.Lineage}, engine.Account.KeyID)
		if err != nil {
			return nil, err
		}
		request.New, request.CSR = false, csr
		if request.Output, err = outputs(files); err != nil {
			return nil, err
		}
		plan := &order.Plan{Request: request, Force: s.Settings.Force}
		return plan, s.attempt(ctx, engine, &plan.Request)
	})
	s.Accounts().Mourn(engine.Account.Server, engine.Account.URL, err)
	if outcome.Order != nil {
		result.Order, result.Resumed = outcome.Order.ID, outcome.Resumed
	}
	if err != nil {
		return err
	}
	leaf, err := certbot.ParseCertificate(outcome.Order.Chain)
	if err != nil {
		return err
	}
	result.Outcome, result.Expires = Issued, leaf.NotAfter
	result.Output = outcome.Order.Request.Output
	result.Path = result.Output.FullChain
	if s.Settings.Rehearsal {
		result.Outcome, result.Path, result.Output = Rehearsed, "", ledger.Output{}
	}
	return nil
}

// write puts the certificate of a person's own CSR in place. Each file appears whole; called again it writes the same.
func write(o ledger.Output, chain []byte) error {
	block, rest := pem.Decode(chain)
	if block == nil {
		return errors.New("the chain holds no certificate")
	}
	leaf := pem.EncodeToMemory(block)
	for _, path := range []string{o.Cert, o.Chain, o.FullChain} {
		if _, err := ownPath(path); err != nil {
			return err
		}
		if foreign(path, leaf, rest, chain) {
			return failure.New(failure.Config, "Move it away, and run `orderly resume`.", "%s is there by now, and is not replaced", path)
		}
	}
	for _, file := range []struct {
		path    string
		content []byte
	}{{o.Cert, leaf}, {o.Chain, []byte(strings.TrimLeft(string(rest), "\n"))}, {o.FullChain, chain}} {
		if err := ownfile.Replace(file.path, file.content, 0o644); err != nil {
			return failure.Wrap(err, failure.Config, "Make room and make the directory writable; `orderly resume` goes on with it.",
				"the certificate cannot be written")
		}
	}
	return nil
}

// renewedElsewhere is the file that another certificate for the same CSR was written to since this one was asked for: at
// another CA, for instance. "" if there is none.
func renewedElsewhere(o *ledger.Order, chain []byte) string {
	path := o.Request.Output.FullChain
	info, err := os.Stat(path)
	if err != nil || o.FinalizeSentAt.IsZero() || !info.ModTime().After(o.FinalizeSentAt) {
		return ""
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	theirs, err := certbot.ParseCertificate(text)
	ours, bad := certbot.ParseCertificate(chain)
	if err != nil || bad != nil || theirs.Serial == ours.Serial ||
		!bytes.Equal(theirs.Leaf.RawSubjectPublicKeyInfo, ours.Leaf.RawSubjectPublicKeyInfo) {
		return ""
	}
	return path
}

// foreign reports whether a file is there that this certificate did not bring.
func foreign(path string, ours ...[]byte) bool {
	content, err := os.ReadFile(path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return !slices.ContainsFunc(ours, func(own []byte) bool { return bytes.Equal(bytes.TrimSpace(own), bytes.TrimSpace(content)) })
}

package renewal

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"os"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
)

// A certificate for a person's own CSR belongs to no lineage: it is written to files that he names.

// ownCSR prefixes the lineage of an order with a person's own CSR: the certificate belongs to no
// lineage on disk.
const ownCSR = "csr/"

// ReadCSR reads a certificate signing request, PEM or DER, and the names it is for: those of the
// subjectAltName and the common name, as certbot has it.
func ReadCSR(path string) (der []byte, names []string, err error) {
	const remedy = "Name a file with a certificate signing request, PEM or DER."
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, failure.Wrap(err, failure.Config, remedy, "%s", failure.Do(failure.RequestFile))
	}
	der = content
	if block, _ := pem.Decode(content); block != nil {
		if !strings.HasSuffix(block.Type, "CERTIFICATE REQUEST") {
			return nil, nil, failure.New(failure.Config, remedy,
				"%s: it holds a %s, and no signing request", failure.Do(failure.RequestFile, path),
				failure.Clean(strings.ToLower(block.Type)))
		}
		der = block.Bytes
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err == nil {
		err = csr.CheckSignature()
	}
	if err != nil {
		return nil, nil, failure.New(failure.Config, remedy,
			"%s: it is no signing request that can be read", failure.Do(failure.RequestFile, path))
	}
	if csr.Subject.CommonName != "" {
		names = append(names, csr.Subject.CommonName)
	}
	names = append(names, csr.DNSNames...)
	for _, ip := range csr.IPAddresses {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		return nil, nil, failure.New(failure.Config,
			"Make a CSR with a subjectAltName for every name.", "%s: it has no names",
			failure.Do(failure.RequestFile, path))
	}
	for i, arrived := range names {
		name, ok := outside.Name(arrived)
		if !ok { // a CA compares them all with the order's, the common name included
			return nil, nil, failure.New(failure.BadName,
				"Make a CSR whose common name and subjectAltName are DNS names or addresses.",
				"%s: it has a name that no CA can be asked for, %s",
				failure.Do(failure.RequestFile, path), outside.Odd("name",
					arrived))
		}
		names[i] = name
	}
	return der, ledger.CanonicalNames(names), nil
}

// CSRLineage is the lineage under which the ledger keeps the order for a CSR.
func CSRLineage(der []byte) string {
	sum := sha256.Sum256(der)
	return ownCSR + hex.EncodeToString(sum[:8])
}

// ObtainCSR gets a certificate for a person's own CSR. It is written to files of its own, and no
// lineage is made.
func (s *wishes) ObtainCSR(ctx context.Context, w Wish, csr []byte, files host.Output) Result {
	result := Result{Lineage: CSRLineage(csr), Names: w.Names}
	err := s.fulfilCSR(ctx, w, csr, files, &result)
	if err != nil {
		result.fail(err)
	}
	s.logResult(ctx, result)
	return result
}

func (s *wishes) fulfilCSR(ctx context.Context, w Wish, csr []byte, files host.Output,
	result *Result) error {
	engine, err := s.engineFor(ctx, w)
	if err != nil {
		return err
	}
	if err := s.host.Ports.Reserve(ctx, w.Port(nil)); err != nil {
		return err
	}
	defer s.host.Ports.Rest(s.host.Files.OrderName(result.Lineage))
	outcome, err := engine.Obtain(ctx, s.host.Files.OrderName(result.Lineage), w.Names,
		func(ctx context.Context) (*order.Plan, error) {
			request, err := w.request(Decision{Lineage: result.Lineage}, engine.Account().KeyID)
			if err != nil {
				return nil, err
			}
			request.New, request.CSR = false, csr
			if request.Output, err = host.Outputs(files); err != nil {
				return nil, err
			}
			s.attempt(ctx, engine, &request, nil, nil)
			return &order.Plan{Request: request.Filed(), Force: s.Settings.Force}, nil
		})
	s.Accounts().Mourn(engine.Account().Server, engine.Account().URL, err)
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
	result.Output = host.Read(outcome.Order.Request).Output
	result.Path = result.Output.FullChain
	if s.Settings.Rehearsal {
		result.Outcome, result.Path, result.Output = Rehearsed, "", host.Output{}
	}
	return nil
}

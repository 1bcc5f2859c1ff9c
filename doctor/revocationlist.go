package doctor

// The lists of what CAs have revoked (RFC 5280 §5), which are all that tells of it since Let's
// Encrypt answers no OCSP any more. A list counts only with the signature of the certificate's own
// issuer, whoever serves it; one that cannot be had says nothing.

import (
	"cmp"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"sync"
	"time"

	"orderly/failure"
	"orderly/parts"
)

const (
	// longestList is what is read of one, in bytes: those of public CAs have some hundred kB.
	longestList = 16 << 20
	// listsAtOnce is how many are fetched at once: each is kept whole while it is read.
	listsAtOnce = 2
	// longestChain is what is read of a file with a chain.
	longestChain = 1 << 20
	// staleAfter is for how long after its end a list is a good one: clocks differ, caches lag.
	staleAfter = time.Hour
)

// revocation is what a list says of one certificate.
type revocation struct {
	at     time.Time
	reason int
}

// readLists fetches each list once, and finds the certificates that are on them.
func (e *Exam) readLists(ctx context.Context, all []*issued) (map[*issued]revocation, []Finding) {
	byList := map[string][]*issued{}
	for _, one := range all {
		for _, at := range one.lists {
			byList[at] = append(byList[at], one)
		}
	}
	revoked := map[*issued]revocation{}
	unread := 0 // certificates
	var first error
	var mu sync.Mutex
	var group parts.Group
	slots := make(chan struct{}, listsAtOnce)
	for _, at := range slices.Sorted(maps.Keys(byList)) {
		group.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			on, err := e.onList(ctx, at, byList[at])
			mu.Lock()
			defer mu.Unlock()
			maps.Copy(revoked, on)
			if err != nil {
				unread += len(byList[at]) - len(on)
				first = cmp.Or(first, fmt.Errorf("the CA's list %s cannot be used: %w", at, err))
			}
		})
	}
	group.Wait()
	if unread == 0 {
		return revoked, nil
	}
	return revoked, []Finding{{ID: "D50", Class: failure.CAUnavailable, Severity: Note, Fix: FixNo,
		Unseen: true, Cause: "lists", Sentence: failure.Words(
			"whether %d certificates were revoked is not known: %v", unread, first),
		Remedy: "Look again later; lists of revoked certificates are fetched over HTTP, without " +
			"redirects, and by the proxy of the environment where it names one."}}
}

// onList are those of some certificates that are on one list. It returns an error where the list says
// nothing of one that is not on it: anybody on the way may have put an empty one, or an old one, there.
func (e *Exam) onList(ctx context.Context, at string, all []*issued) (map[*issued]revocation, error) {
	list, err := e.fetchList(ctx, at)
	if err != nil {
		return nil, err
	}
	ours := map[string][]*issued{} // by serial: a certificate may have been copied
	for _, one := range all {
		ours[string(one.serial.Bytes())] = append(ours[string(one.serial.Bytes())], one)
	}
	signed := signatures{list: list, known: map[string]error{}}
	found := map[*issued]revocation{}
	for _, r := range list.RevokedCertificateEntries {
		for _, one := range ours[string(r.SerialNumber.Bytes())] {
			bad := signed.by(one.issuer())
			if bad == nil {
				found[one] = revocation{r.RevocationTime, r.ReasonCode}
			}
			err = cmp.Or(err, bad)
		}
	}
	if len(signed.known) == 0 {
		err = cmp.Or(err, signed.by(all[0].issuer()))
	}
	if next := list.NextUpdate; err == nil && !next.IsZero() && next.Before(e.At.Add(-staleAfter)) {
		err = fmt.Errorf("it is an old one, which another was to replace by %s", day(next))
	}
	return found, err
}

// signatures are whose signature a list bears, by the issuer's own bytes: thousands have one.
type signatures struct {
	list  *x509.RevocationList
	known map[string]error
}

// by returns an error unless the list is an issuer's, nil for one that is not known.
func (s signatures) by(issuer *x509.Certificate) error {
	if issuer == nil {
		return errors.New("the issuer of the certificates, which signs it, is not in their chain")
	}
	err, known := s.known[string(issuer.Raw)]
	if !known {
		if s.list.CheckSignatureFrom(issuer) != nil {
			err = errors.New("it is not signed by the issuer of the certificates")
		}
		s.known[string(issuer.Raw)] = err
	}
	return err
}

// fetchList fetches a list; redirects are not followed.
func (e *Exam) fetchList(ctx context.Context, at string) (*x509.RevocationList, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*answerPatience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: e.Authority.HTTP.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it is answered with status %d", response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, longestList+1))
	if err != nil {
		return nil, err
	}
	if len(body) > longestList {
		return nil, fmt.Errorf("it is longer than %d MiB", longestList>>20)
	}
	if block, _ := pem.Decode(body); block != nil {
		body = block.Bytes // RFC 5280 wants DER, and private CAs serve this
	}
	list, err := x509.ParseRevocationList(body)
	if err != nil {
		return nil, errors.New("it is no list of revoked certificates")
	}
	return list, nil
}

// issuer is the certificate that issued this one, read from the lineage's chain; nil where it is not
// there.
func (one *issued) issuer() *x509.Certificate {
	file, err := os.Open(one.Links.FullChain)
	if err != nil {
		return nil
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, longestChain))
	if err != nil {
		return nil
	}
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if c, err := x509.ParseCertificate(block.Bytes); err == nil {
			chain = append(chain, c)
		}
	}
	if len(chain) == 0 || chain[0].SerialNumber.Cmp(one.serial) != 0 {
		return nil
	}
	return issuerIn(chain)
}

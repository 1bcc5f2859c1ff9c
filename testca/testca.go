// Package testca is a certificate authority for tests: Pebble, made to behave like Let's Encrypt (order reuse, rate
// limits, the price of a deactivation), with faults on demand and a report of what is really true inside it.
//
// Pebble keeps the accounts, verifies every signature and issues every certificate; a handler in front of it, behind one
// mutex, does what Boulder does and Pebble does not. Validation is a real http-01 fetch over loopback. The package must
// never be linked into orderly itself, never listen anywhere but where it was told (loopback by default), and never let
// what a client merely claims spend a limit: Pebble has verified each request that changes anything.
//
//	ca, err := testca.Start(testca.Config{HTTPPort: port, Reuse: true})
//	defer ca.Close()
//	// … run a client against ca.DirectoryURL(), trusting ca.RootPEM(); then ask ca.Truth()
package testca

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Config says how the CA behaves. The zero value is a CA without reuse, limits or list of orders, that shows `processing`
// for challenges being validated, answers finalize with a valid order and keeps objects as long as Let's Encrypt's profile classic.
type Config struct {
	// Listen is the address of the ACME server; "127.0.0.1:0" if empty. Its certificate names 127.0.0.1 and localhost.
	Listen string
	// HTTPPort is where http-01 validation connects, on 127.0.0.1, for port 80 of every name; HTTPSPort is the same for
	// port 443, met in redirects only (0: the connection is refused).
	HTTPPort, HTTPSPort int

	// Reuse hands back an existing order as Boulder does: the earliest-expiring unexpired one of the exact name set is
	// looked at, whoever made it, and handed back if it is pending or ready, the account's own and of the same profile.
	Reuse bool
	// AuthzReuse makes valid authorizations of the account part of its new orders of the same profile. Pending ones are never
	// shared.
	AuthzReuse bool
	// OrdersList shows the `orders` URL in account objects and serves the list (three orders a page).
	OrdersList bool
	// HideProcessing shows a challenge that is being validated as `pending`, as Boulder does.
	HideProcessing bool
	// Boulder shows what Boulder shows and others do not: its random entry in the directory, its headers, no contacts, an
	// alternate chain, certificates that begin an hour ago (see boulder.go).
	Boulder bool
	// Strict refuses by Boulder's policy: names without a public suffix (.test!), names that a wildcard covers, more than a
	// hundred, addresses where the profile has none, weak keys, accounts without agreement (see policy.go).
	Strict bool
	// RepeatConflict answers 409 conflict to a challenge POSTed again while it validates (a feature flag of Boulder).
	// Otherwise each such POST is another validation, and another failure where it fails.
	RepeatConflict bool
	// AsyncFinalize answers finalize with `processing`; the order is shown so for FinalizeDelay.
	AsyncFinalize bool
	FinalizeDelay time.Duration
	// ValidationDelay passes before a validation begins to fetch; ValidationTimeout bounds it (10 s if zero, as Boulder).
	ValidationDelay, ValidationTimeout time.Duration
	// PollRetryAfter is the Retry-After, in seconds, of orders that are processing and authorizations that are being
	// validated. Nil: no header.
	PollRetryAfter *int
	// NonceReject is the share of signed requests, in percent, that are refused with badNonce.
	NonceReject int

	Limits Limits
	// Lifetimes are those of the profile "default", which an order without a profile gets; Profiles are further ones.
	Lifetimes Lifetimes
	Profiles  map[string]Lifetimes

	// ExternalAccountKeys are the customers' keys for external account binding: identifier to MAC key, in base64url without
	// padding. ExternalAccountRequired refuses a newAccount without one.
	ExternalAccountKeys     map[string]string
	ExternalAccountRequired bool
	// Algorithms are those of the account keys that are taken, such as RS256; all that Pebble knows if there are none.
	Algorithms []string
	// AlternateChains is how many chains are offered beside the default one; each ends below a root of its own.
	AlternateChains int

	// Backdate is how long before they are made certificates begin to be valid, besides their lifetime: one of a month can be
	// due at once by a renewal file that a client may well obey.
	Backdate time.Duration

	// DeadNames answer NXDOMAIN. SetDead changes them at run time.
	DeadNames []string
	// Mark is asked whenever a request arrives, before anything is done about it; see Request.Mark. Nil: nobody is asked.
	Mark func() int
	// Now is the CA's clock (time.Now if nil). Certificates alone are dated by the real clock.
	Now func() time.Time
	// Log receives Pebble's log and the server's errors; discarded if nil.
	Log io.Writer
}

func (c Config) check() error {
	for name, l := range map[string]Limit{
		"NewOrdersPerAccount":                               c.Limits.NewOrdersPerAccount,
		"FailedAuthorizationsPerDomainPerAccount":           c.Limits.FailedAuthorizationsPerDomainPerAccount,
		"CertificatesPerFQDNSet":                            c.Limits.CertificatesPerFQDNSet,
		"CertificatesPerDomain":                             c.Limits.CertificatesPerDomain,
		"NewRegistrationsPerIPAddress":                      c.Limits.NewRegistrationsPerIPAddress,
		"FailedAuthorizationsForPausingPerDomainPerAccount": c.Limits.FailedAuthorizationsForPausingPerDomainPerAccount,
	} {
		if l.Count < 0 || (l.Count > 0 && l.Period <= 0) {
			return fmt.Errorf("the limit %s of %s needs a count and a period", name, l)
		}
	}
	if c.NonceReject < 0 || c.NonceReject > 99 {
		return fmt.Errorf("%d %% of all nonces cannot be refused, 0 to 99 can", c.NonceReject)
	}
	if c.AlternateChains < 0 || c.AlternateChains > 20 {
		return fmt.Errorf("%d alternate chains cannot be offered, 0 to 20 can", c.AlternateChains)
	}
	return nil
}

// CA is a running test CA. Its methods may be called from any goroutine.
type CA struct {
	config  Config
	log     *log.Logger
	base    string // https://HOST:PORT
	root    []byte // PEM
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup // handlers and validations
	server  *http.Server
	dns     *dnsServer
	prober  *prober
	faults  *faultBook
	journal *journal
	skew    atomic.Int64 // nanoseconds added to Config.Now by Advance
	turns   atomic.Int64 // counts what happens, so that what is under way at the same time is known

	gate   sync.Mutex // guards closed: no handler may begin once Close waits for them
	closed bool

	mu     sync.Mutex // Pebble deadlocks under concurrency: everything of it, and all of state, is behind this
	pebble *pebble
	state  *state
	odd    oddState
}

// Start starts a CA: its ACME server and its DNS server. The caller must Close it.
func Start(config Config) (*CA, error) {
	if err := config.check(); err != nil {
		return nil, err
	}
	c := &CA{config: config, faults: newFaultBook(), journal: &journal{}}
	c.config.Lifetimes = config.Lifetimes.or(classic())
	if config.Boulder && config.AlternateChains == 0 {
		c.config.AlternateChains = 1
	}
	if c.config.Now == nil {
		c.config.Now = time.Now
	}
	out := config.Log
	if out == nil {
		out = io.Discard
	}
	c.log = log.New(out, "testca ", log.LstdFlags)
	c.state = newState(config.Limits)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	var err error
	if c.dns, err = startDNS(config.DeadNames); err != nil {
		return nil, fmt.Errorf("the test CA's DNS server: %w", err)
	}
	c.prober = newProber(c.dns.address, config)
	if c.pebble, err = newPebble(c.config, c.log); err == nil {
		err = c.listen()
	}
	if err != nil {
		c.cancel()
		return nil, errors.Join(err, c.dns.close())
	}
	return c, nil
}

func (c *CA) listen() error {
	address := c.config.Listen
	if address == "" {
		address = "127.0.0.1:0"
	}
	plain, err := net.Listen("tcp", address)
	if err != nil {
		return fmt.Errorf("the test CA's ACME server: %w", err)
	}
	certificate, root, err := serverCertificate(time.Now())
	if err != nil {
		return errors.Join(fmt.Errorf("the test CA's server certificate: %w", err), plain.Close())
	}
	c.root, c.base = root, "https://"+plain.Addr().String()
	c.server = &http.Server{Handler: c, ErrorLog: c.log, ReadHeaderTimeout: 10 * time.Second}
	// HTTP/1.1 alone, since a fault must be able to cut one request's connection without touching another's.
	listener := tls.NewListener(plain, &tls.Config{Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}})
	c.work.Go(func() {
		if err := c.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.log.Printf("the ACME server ended: %v", err)
		}
	})
	return nil
}

// Close ends the CA: requests under way are cut, held ones too, validations are given up. It returns once no
// handler and no validation runs any longer, and may be called twice.
func (c *CA) Close() error {
	c.gate.Lock()
	again := c.closed
	c.closed = true
	c.gate.Unlock()
	if again {
		return nil
	}
	c.cancel()
	err := errors.Join(c.server.Close(), c.dns.close())
	c.work.Wait()
	return err
}

// begin reports whether a handler may run; if so, c.work.Done must follow.
func (c *CA) begin() bool {
	c.gate.Lock()
	defer c.gate.Unlock()
	if !c.closed {
		c.work.Add(1)
	}
	return !c.closed
}

// DirectoryURL is the URL of the ACME directory.
func (c *CA) DirectoryURL() string { return c.base + "/dir" }

// RootPEM is the certificate a client must trust to talk to the ACME server.
func (c *CA) RootPEM() []byte { return c.root }

// IssuingRootPEM is the root of the certificates the CA issues, another one than RootPEM: the default chain's.
func (c *CA) IssuingRootPEM() []byte { return c.pebble.issuer.GetRootCert(0).PEM() }

// Resolver is the HOST:PORT, UDP and TCP, of the CA's DNS server. Every name has the address 127.0.0.1 and no other
// record; dead names answer NXDOMAIN, names in servfail.test SERVFAIL, and names in silent.test nothing at all.
func (c *CA) Resolver() string { return c.dns.address }

// SetDead makes a name answer NXDOMAIN, or brings it back. Names below it are not touched.
func (c *CA) SetDead(name string, dead bool) { c.dns.setDead(name, dead) }

// Advance puts the CA's clock forward.
func (c *CA) Advance(d time.Duration) { c.skew.Add(int64(d)) }

func (c *CA) now() time.Time { return c.config.Now().Add(time.Duration(c.skew.Load())) }

package testca

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/core"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
)

// The paths of Pebble, which are not Boulder's on purpose: clients must take URLs from the directory.
const (
	directoryPath  = wfe.DirectoryPath
	noncePath      = "/nonce-plz"
	newAccountPath = "/sign-me-up"
	accountPath    = "/my-account/"
	ordersPath     = "/list-orderz/"
	newOrderPath   = "/order-plz"
	orderPath      = "/my-order/"
	finalizePath   = "/finalize-order/"
	authzPath      = "/authZ/"
	challengePath  = "/chalZ/"
	certPath       = "/certZ/"
)

// defaultProfile is what an order without a profile is issued by.
const defaultProfile = "default"

// pebble is the CA behind the front. Its validation authority is never used: it changes challenges and authorizations
// from goroutines of its own (the source of Pebble's deadlocks), and cannot be stopped.
type pebble struct {
	store   *db.MemoryStore
	issuer  *ca.CAImpl
	handler http.Handler
}

// environment is as wide as what it guards: Pebble's constructors read the process's variables.
var environment sync.Mutex

func newPebble(config Config, logger *log.Logger) (*pebble, error) {
	profiles := map[string]ca.Profile{defaultProfile: {
		Description:       "The profile of orders that ask for none",
		PromoteCommonName: true,
		ValidityPeriod:    uint64(config.Lifetimes.Certificate / time.Second),
	}}
	for name, lifetimes := range config.Profiles {
		if name == "" || name == defaultProfile {
			return nil, fmt.Errorf("the profile %q is set by Config.Lifetimes", name)
		}
		validity := lifetimes.or(config.Lifetimes).Certificate
		profiles[name] = ca.Profile{Description: "The profile " + name, ValidityPeriod: uint64(validity / time.Second)}
	}
	environment.Lock()
	defer environment.Unlock()
	// The front refuses nonces and decides about reuse by itself: Pebble's reuse of "0 %" still reuses one time in a hundred.
	restore, err := setEnvironment(map[string]string{"PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "100",
		"PEBBLE_WFE_ORDERS_PER_PAGE": "3"})
	if err != nil {
		return nil, errors.Join(err, restore())
	}
	store := db.NewMemoryStore()
	for id, key := range config.ExternalAccountKeys {
		if err := store.AddExternalAccountKeyByID(id, key); err != nil {
			return nil, errors.Join(fmt.Errorf("the external account key %q: %w", id, err), restore())
		}
	}
	issuer := ca.New(logger, store, "", "ecdsa", config.AlternateChains, 1, profiles)
	front := wfe.New(logger, store, new(va.VAImpl), issuer, []string{"testca.invalid"}, true,
		config.ExternalAccountRequired, 0, 0)
	return &pebble{store: store, issuer: issuer, handler: front.Handler()}, restore()
}

// setEnvironment sets variables and returns what puts them back.
func setEnvironment(values map[string]string) (restore func() error, err error) {
	before := map[string]*string{}
	restore = func() error {
		var errs []error
		for name, value := range before {
			if value == nil {
				errs = append(errs, os.Unsetenv(name))
			} else {
				errs = append(errs, os.Setenv(name, *value))
			}
		}
		return errors.Join(errs...)
	}
	for name, value := range values {
		before[name] = nil
		if old, set := os.LookupEnv(name); set {
			before[name] = &old
		}
		if err := os.Setenv(name, value); err != nil {
			return restore, err
		}
	}
	return restore, nil
}

// serve lets Pebble answer a request.
func (p *pebble) serve(r *http.Request, body []byte) *reply {
	return p.serveAt(r, r.URL.Path, body)
}

// serveAt lets the endpoint at path answer; the URL that Pebble expects in the signature stays that of the request.
func (p *pebble) serveAt(r *http.Request, path string, body []byte) *reply {
	clone := r.Clone(r.Context())
	clone.URL.Path, clone.URL.RawPath = path, ""
	clone.Body = io.NopCloser(bytes.NewReader(body))
	answer := newReply(http.StatusOK)
	p.handler.ServeHTTP(answer, clone)
	return answer
}

// notPostAsGet is how Pebble refuses a payload where it wants none, after it has verified signature, nonce and URL.
const notPostAsGet = "POST-as-GET requests must have a nil body"

// verify lets Pebble verify a signed request that the front answers itself, and uses up its nonce. Where ok, the reply
// holds the headers of an answer; otherwise it is the refusal. Pebble's newNonce resource does nothing but verify.
func (p *pebble) verify(r *http.Request, body []byte) (answer *reply, ok bool) {
	answer = p.serveAt(r, noncePath, body)
	ok = answer.status < 300 || strings.Contains(answer.body.String(), notPostAsGet)
	if ok {
		answer.body.Reset()
		answer.header.Del("Content-Type")
	}
	return answer, ok
}

// nonce asks Pebble for a fresh nonce.
func (p *pebble) nonce(r *http.Request) string {
	clone := r.Clone(r.Context())
	clone.Method = http.MethodHead
	return p.serveAt(clone, noncePath, nil).header.Get("Replay-Nonce")
}

// account finds an account that may sign, by the URL in a signature's kid; nil for any other.
func (p *pebble) account(kid string) *core.Account {
	_, id, found := strings.Cut(kid, accountPath)
	if !found {
		return nil
	}
	account := p.store.GetAccountByID(id)
	if account == nil || account.Status != acme.StatusValid {
		return nil
	}
	return account
}

// issued waits until Pebble, which issues in a goroutine of its own, has put down all it will about an order that it
// accepted for issuance, and returns the certificate. That goroutine needs none of our locks. Nil means that the
// CA is being closed, or that Pebble could not issue, which it tells its log alone.
func (p *pebble) issued(ctx context.Context, order *core.Order) *core.Certificate {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if certificate := p.certificateOf(order); certificate != nil {
			return certificate
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (p *pebble) certificateOf(order *core.Order) *core.Certificate {
	order.RLock()
	certificate, replaces := order.CertificateObject, order.Replaces
	order.RUnlock()
	if certificate == nil {
		return nil
	}
	if _, err := p.store.GetOrderByIssuedSerial(certificate.ID); err != nil {
		return nil
	}
	if replaces == "" {
		return certificate
	}
	replaced, err := p.store.GetOrderByIssuedSerial(serialIn(replaces))
	if err != nil {
		return certificate
	}
	replaced.RLock()
	defer replaced.RUnlock()
	if !replaced.IsReplaced {
		return nil
	}
	return certificate
}

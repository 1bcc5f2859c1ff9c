package renewal

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"net/http"
	"os"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order/drive"
	"orderly/order/keys"
)

// Registration is what a command line says about making an account.
type Registration struct {
	AgreeTOS bool
	Email    string
	NoEmail  bool // --register-unsafely-without-email
	// External is the key by which the CA knows its customer, where it wants one (--eab-kid and --eab-hmac-key); nil for none.
	External *acme.ExternalAccount
}

// ChooseAccount returns the account to use without making one, nil where there is none yet and r allows to make it.
func (s *Server) ChooseAccount(server, id string, r Registration) (*certbot.Account, error) {
	a, err := s.Disk.ChooseAccount(server, id)
	r = s.agreed(server, id, r)
	switch {
	case err == nil:
		return &a, nil
	case !errors.Is(err, certbot.ErrNoAccount):
		return nil, err
	case !r.AgreeTOS || (r.Email == "" && !r.NoEmail):
		return nil, err
	}
	return nil, nil
}

// Register makes an account. The key is durable before newAccount is sent, so a lost answer is found again with the same
// key: newAccount with a known key answers with the account it has (RFC 8555 §7.3.1).
func (s *Server) Register(ctx context.Context, server string, r Registration) (*certbot.Account, error) {
	unlock, err := s.lock(ctx, "account:"+server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if a, err := s.Disk.ChooseAccount(server, ""); err == nil {
		return &a, nil // another process was quicker
	}
	return s.register(ctx, server, r)
}

// register makes the account. The caller holds the lock of the server's accounts.
func (s *Server) register(ctx context.Context, server string, r Registration) (*certbot.Account, error) {
	if err := s.mayRegister(ctx, server, r); err != nil {
		return nil, err
	}
	signer, err := s.Disk.PendingKey(server)
	if err != nil {
		return nil, err
	}
	key, err := acme.NewKey(signer)
	if err != nil {
		return nil, err
	}
	client, err := s.client(server)
	if err != nil {
		return nil, err
	}
	object, err := client.NewAccount(ctx, key, acme.Registration{Contact: contacts(r.Email), TermsOfServiceAgreed: true, External: r.External})
	if err != nil {
		class, remedy := classOf(err), cmp.Or(acme.Advice(server, err), "Run the same command again later; the same key is used.")
		if p, ok := errors.AsType[*acme.Problem](err); ok && class == failure.CARefused {
			remedy = registrationRemedy(p.Type)
			if p.Status == http.StatusNotFound && !p.Document { // a web server's page: there is no CA at this address
				remedy = acme.WrongServer(server)
			}
		}
		return nil, failure.Wrap(err, class, remedy, "no account could be made at %s", server)
	}
	return s.saveAccount(server, signer, object)
}

func (s *Server) saveAccount(server string, signer crypto.Signer, object acme.AccountObject) (*certbot.Account, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	a, err := s.Disk.SaveAccount(certbot.Account{Server: server, URL: object.URL, Key: signer, Created: s.Clock.Now(), Host: host})
	if err != nil {
		return nil, err
	}
	s.Report.Say("Account registered.")
	return &a, nil
}

// registrationRemedy is what to do where a CA makes no account, by the type of its problem; "" where its words say it.
func registrationRemedy(kind string) string {
	switch kind {
	case "invalidContact", "unsupportedContact":
		return "Give another address with -m, or none: --register-unsafely-without-email."
	case "externalAccountRequired":
		return "Give the key by which this CA knows its customer: --eab-kid ID --eab-hmac-key KEY."
	case "unauthorized":
		return "Compare --eab-kid and --eab-hmac-key with what the CA shows."
	}
	return "Read the CA's words; the account's key is kept, and the next run asks with it again."
}

func contacts(email string) []string {
	var list []string
	for address := range strings.SplitSeq(email, ",") {
		if address = strings.TrimSpace(address); address != "" {
			list = append(list, "mailto:"+address)
		}
	}
	return list
}

// classOf sorts an error of the wire for a person.
func classOf(err error) failure.Class {
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.Status < 500 {
		if p.Status == 429 {
			return failure.RateLimited
		}
		return failure.CARefused
	}
	if errors.Is(err, context.Canceled) {
		return failure.Stopped
	}
	return failure.CAUnavailable
}

// client returns the run's client for a CA: one for all accounts, so that directory and nonces are fetched once.
func (s *Server) client(server string) (*acme.Client, error) {
	if c, ok := s.clients[server]; ok {
		return c, nil
	}
	c, err := acme.New(server, acme.Options{HTTP: s.HTTP, UserAgent: s.Agent, Now: s.Clock.Now, Observe: s.observe})
	if err == nil && s.clients != nil { // a question before the run begins has one of its own
		s.clients[server] = c
	}
	return c, err
}

// observe logs every exchange and watches the CA's clock.
func (s *Server) observe(x acme.Exchange) {
	log := s.Log.With("kind", x.Kind, "method", x.Method, "url", x.URL, "status", x.Status, "took", x.Took)
	if x.Err != nil {
		log = log.With("error", x.Err)
	}
	log.Debug("exchange")
	if text := skewWarning(s.Clock.Now(), x.Date); text != "" {
		s.skew.Do(func() { s.Report.Warn("%s", text) })
	}
}

// Row is the ledger's record of an account, not yet written.
func (s *Server) Row(a *certbot.Account) *ledger.Account {
	return &ledger.Account{Server: a.Server, KeyID: a.ID, URL: a.URL, CreatedAt: s.Clock.Now()}
}

// Engine returns the order engine for an account, made once per run. It costs no request.
func (s *Server) Engine(ctx context.Context, a *certbot.Account) (*drive.Engine, error) {
	name := a.Server + " " + a.URL
	if err := s.dead[name]; err != nil {
		return nil, err
	}
	if e, ok := s.engines[name]; ok {
		return e, nil
	}
	row, err := s.Ledger.Account(ctx, a.Server, a.URL)
	if errors.Is(err, ledger.ErrNone) {
		row = s.Row(a)
		err = s.Ledger.Commit(ctx, &ledger.Change{Account: row})
	}
	if err != nil {
		return nil, err
	}
	key, err := acme.NewKey(a.Key)
	if err != nil {
		return nil, err
	}
	client, err := s.client(a.Server)
	if err != nil {
		return nil, err
	}
	e := s.engine(client, key, a, row)
	s.engines[name] = e
	return e, nil
}

// engineFor returns the order engine of the account that a wish names. Where there is none yet and w allows to make one, it
// is made once the checks have found nothing against the first order: see drive.Engine.Enrol.
func (s *Server) engineFor(ctx context.Context, w Wish) (*drive.Engine, error) {
	a, err := s.ChooseAccount(w.Server, w.Account, w.Registration)
	if err != nil {
		return nil, err
	}
	if a != nil {
		return s.Engine(ctx, a)
	}
	client, err := s.client(w.Server)
	if err != nil {
		return nil, err
	}
	e := s.engine(client, nil, &certbot.Account{Server: w.Server}, &ledger.Account{Server: w.Server})
	e.Enrol = func(ctx context.Context, r ledger.Request) (bool, error) { return s.enrol(ctx, e, w, r) }
	return e, nil
}

// enrol gives an engine the account that a wish allows to make.
func (s *Server) enrol(ctx context.Context, e *drive.Engine, w Wish, r ledger.Request) (known bool, err error) {
	a, err := s.Register(ctx, w.Server, w.Registration)
	if err != nil {
		return false, err
	}
	_, err = s.Ledger.Account(ctx, a.Server, a.URL)
	known = err == nil
	made, err := s.Engine(ctx, a)
	if err != nil {
		return known, err
	}
	e.Account, e.ACME, e.Key = made.Account, made.ACME, made.Key
	s.announce(r)
	return known, nil
}

// mourn remembers that the CA does not accept an account, so that nothing more is sent in its name (rule 13). Lineages of
// other accounts go on.
func (s *Server) mourn(server, url string, err error) {
	if failure.ClassOf(err) == failure.Account {
		s.dead[server+" "+url] = err
	}
}

func (s *Server) engine(client *acme.Client, key *acme.Key, a *certbot.Account, row *ledger.Account) *drive.Engine {
	var speaker *acme.Account
	if key != nil {
		speaker = client.Account(key, a.URL)
	}
	return &drive.Engine{
		Store: s.Ledger, Account: row, ACME: speaker, Client: client, Key: key,
		LongestValidation: s.Settings.LongestValidation, Profiles: s.Profiles,
		Solver: solvers{s}, Preflight: s.preflight, Begin: s.begin, Begins: s.begins, Refresh: s.refreshRoots, Installer: installer{s}, Wanted: s.wanted, Mended: s.mended, Mine: s.mine, Locks: locks{s},
		Keys: &keys.Store{Dir: s.KeyDir}, Clock: s.Clock, Log: s.Log, Tell: s.Report.Tell, Run: s.run, Last: s.last,
		Parallel: drive.DefaultParallel, Patience: cmp.Or(s.Settings.Patience, drive.DefaultPatience), LongestWait: drive.DefaultLongestWait,
	}
}

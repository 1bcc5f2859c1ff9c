package sim

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/limit"
)

// The lifetimes at the CA: Let's Encrypt's profile classic.
const (
	orderLife = 7 * 24 * time.Hour
	validLife = 30 * 24 * time.Hour
	certLife  = 90 * 24 * time.Hour
	familiar  = 120 * 24 * time.Hour // a set that was issued within is a renewal
)

// authority is the CA, with Boulder's rules (ratelimits, order reuse, what is charged) as far as a client can meet them. It
// knows the truth that the invariants are judged by.
type authority struct {
	w *world
	// Its character.
	reuses, hides, lists, conflicts, async, replaces, reusesValid, charges bool
	limited                                                                bool // has the limits of Let's Encrypt
	published                                                              bool // the engine's profile knows them
	countsPending                                                          int
	rootFirst                                                              bool // it serves its chains upside down
	keeps                                                                  bool // a failed challenge stays pending, with its error (step-ca)
	limits                                                                 map[string]limit.Limit

	orders  []*caOrder
	sets    map[string][]*caOrder // the unexpired ones of each name set, earliest first made
	authzs  []*caAuthz
	proven  map[string]*caAuthz // the newest valid one of each account and name
	certs   map[string]*caOrder // by RFC 9773 certificate id
	issued  map[string]time.Time
	buckets map[string]time.Time
	away    time.Time // until then it answers nothing or 503
	drops   bool      // while away it does not even answer
	blind   time.Time // until then validation fails
	habits  habits
}

type caOrder struct {
	id, account int
	names       []string
	set         string
	made        time.Time
	ends        time.Time
	authzs      []*caAuthz
	replaces    string
	spoiled     bool
	csrs        []string // SHA-256 of every CSR that arrived
	chain       []byte
	ready       time.Time // processing until then
	accepted    time.Time // when its CSR was
	certID      string
	sender      *server
	lineage     string
}

type caAuthz struct {
	id, account int
	name        string
	status      string
	ends        time.Time
	token       string
	begun       int // validations
	underway    int
	detail      string
	firstAt     time.Time // of the first answer
	senders     []*server // whose ledgers answered or may have answered it
	last        *process  // that answered it
	lastFor     string    // the lineage that it was at work on
	looker      *process  // that looked at it last
	tokens      int       // it had so many others before
	reopened    bool      // it was valid once
	reseen      bool      // a ledger has known since that it is pending again
	fallen      bool      // it failed, and cannot be answered any more
	orders      []*caOrder
}

func (w *world) newAuthority() *authority {
	d := w.dice
	a := &authority{w: w, sets: map[string][]*caOrder{}, proven: map[string]*caAuthz{}, certs: map[string]*caOrder{},
		issued: map[string]time.Time{}, buckets: map[string]time.Time{}}
	a.async, a.replaces, a.conflicts, a.reusesValid = d.one(2), d.one(2), d.one(3), !d.one(4)
	if boulder := !d.one(3); boulder {
		a.reuses, a.hides, a.charges, a.limited = true, true, true, !d.one(4)
		a.published = a.limited && !d.one(3)
	} else {
		a.lists = d.one(2)
	}
	a.limits = letsEncrypt
	if d.one(2) {
		a.limits = tight
	}
	if d.one(4) {
		a.countsPending = 20 + d.IntN(40)
		a.charges = a.charges && d.one(2)
	}
	odd := w.newDice("odd habits") // a stream of its own, so that years without them stay as they are
	a.rootFirst, a.keeps = odd.one(3), odd.one(4) && !a.reuses
	a.habits = w.newHabits()
	return a
}

// profile is what the engine is told of this CA.
func (a *authority) profile() limit.Profile {
	p := limit.Profile{Name: "simulated", Directory: directoryURL, ReusesOrders: a.reuses, HidesProcessing: a.hides,
		ChargesDeactivation: a.charges, CountsPending: a.countsPending, LongestValidation: time.Minute, OrderLifetime: orderLife}
	if a.published {
		p.Limits = map[string]limit.Limit{}
		maps.Copy(p.Limits, a.limits)
	}
	return p
}

var letsEncrypt = map[string]limit.Limit{
	limit.NewOrdersPerAccount:                     {Name: limit.NewOrdersPerAccount, Count: 300, Period: 3 * time.Hour},
	limit.CertificatesPerFQDNSet:                  {Name: limit.CertificatesPerFQDNSet, Count: 5, Period: 168 * time.Hour},
	limit.FailedAuthorizationsPerDomainPerAccount: {Name: limit.FailedAuthorizationsPerDomainPerAccount, Count: 5, Period: time.Hour},
}

// tight are limits that a few dozen lineages can meet.
var tight = map[string]limit.Limit{
	limit.NewOrdersPerAccount:                     {Name: limit.NewOrdersPerAccount, Count: 8, Period: 3 * time.Hour},
	limit.CertificatesPerFQDNSet:                  {Name: limit.CertificatesPerFQDNSet, Count: 2, Period: 168 * time.Hour},
	limit.FailedAuthorizationsPerDomainPerAccount: {Name: limit.FailedAuthorizationsPerDomainPerAccount, Count: 3, Period: time.Hour},
}

// status is what the CA would call the order now.
func (o *caOrder) status(now time.Time) string {
	if o.spoiled {
		return "invalid"
	}
	if o.chain != nil {
		if now.Before(o.ready) {
			return "processing"
		}
		return "valid"
	}
	status := "ready"
	for _, z := range o.authzs {
		switch z.status {
		case "valid":
		case "pending":
			if status == "ready" {
				status = "pending"
			}
		default:
			return "invalid"
		}
	}
	return status
}

// open reports whether an order may still become a certificate.
func (o *caOrder) open(now time.Time) bool {
	s := o.status(now)
	return o.ends.After(now) && (s == "pending" || s == "ready")
}

// reusable is the order that Boulder hands back: of the unexpired ones of the set that were not issued, from any account, it
// looks at the earliest-expiring alone.
func (a *authority) reusable(account int, set string, now time.Time) *caOrder {
	var first *caOrder
	a.sets[set] = slices.DeleteFunc(a.sets[set], func(o *caOrder) bool { return !o.ends.After(now) })
	for _, o := range a.sets[set] {
		if o.chain == nil && (first == nil || o.ends.Before(first.ends)) {
			first = o
		}
	}
	if !a.reuses || first == nil || first.account != account || !first.open(now) {
		return nil
	}
	return first
}

// make makes an order.
func (a *authority) make(account int, names []string, replaces string) *caOrder {
	now := a.w.time()
	o := &caOrder{id: len(a.orders) + 1, account: account, names: names, set: ledger.NameKey(names), made: now,
		ends: now.Add(orderLife).Truncate(time.Second), replaces: replaces}
	for _, name := range names {
		z := a.proven[zone(account, name)]
		if !a.reusesValid || z == nil || z.status != "valid" || z.ends.Before(now.Add(24*time.Hour)) {
			z = &caAuthz{id: len(a.authzs) + 1, account: account, name: name, status: "pending",
				ends: now.Add(orderLife).Truncate(time.Second), token: "token-" + strconv.Itoa(len(a.authzs)+1)}
			a.authzs = append(a.authzs, z)
		}
		o.authzs, z.orders = append(o.authzs, z), append(z.orders, o)
		if z.ends.Before(o.ends) {
			o.ends = z.ends
		}
	}
	a.orders = append(a.orders, o)
	a.sets[o.set] = append(a.sets[o.set], o)
	a.w.result.Orders++
	return o
}

func zone(account int, name string) string { return strconv.Itoa(account) + " " + name }

// pending counts an account's pending authorizations.
func (a *authority) pending(account int) int {
	n, now := 0, a.w.time()
	for i := len(a.authzs) - 1; i >= 0; i-- {
		z := a.authzs[i]
		if z.account == account && z.status == "pending" && z.ends.After(now) {
			n++
		}
	}
	return n
}

// begin begins a validation, which ends by itself.
func (a *authority) begin(z *caAuthz) {
	d := a.w.sites[z.name].dice
	z.begun++
	z.underway++
	took := d.between(300*time.Millisecond, 4*time.Second)
	if d.one(20) {
		took = d.between(10*time.Second, 50*time.Second)
	}
	a.w.after(took, func() { a.settle(z) })
}

func (a *authority) settle(z *caAuthz) {
	z.underway--
	now := a.w.time()
	why := a.fetch(z)
	if why != "" && a.limited {
		a.spend(a.failures(z.account, z.name))
	}
	if z.status != "pending" || !z.ends.After(now) {
		return
	}
	if final := a.habits.has[finality]; why != "" && (a.keeps || final) {
		z.detail, z.fallen = why, final
		for _, o := range z.orders {
			if final { // it is given up, with a back-off, once another answer is refused
				a.habits.hinder(o, now.Add(backOff))
			}
		}
		a.w.log("CA", z.name, "validation failed, and may be tried again:", why)
		return
	}
	if why != "" {
		z.status, z.detail = "invalid", why
		a.w.log("CA", z.name, "validation failed:", why)
		return
	}
	z.detail = ""
	z.status, z.ends = "valid", now.Add(validLife).Truncate(time.Second)
	a.proven[zone(z.account, z.name)] = z
	a.w.log("CA", z.name, "validated")
}

// fetch looks for a token as http-01 does, and says what is wrong.
func (a *authority) fetch(z *caAuthz) string {
	if a.w.time().Before(a.blind) {
		return "During secondary validation: timeout"
	}
	return a.w.sites[z.name].serve(z.token, z.token+"."+accountKey().Thumbprint())
}

// issue makes the certificate of a ready order.
func (a *authority) issue(d *dice, o *caOrder, public crypto.PublicKey) error {
	now := a.w.time()
	serial := big.NewInt(int64(o.id) + 1<<32)
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: o.names[0]}, DNSNames: o.names,
		NotBefore: now.Add(-time.Hour).Truncate(time.Second), NotAfter: now.Add(certLife).Truncate(time.Second)}
	template.AuthorityKeyId = rootCert().SubjectKeyId
	public = a.habits.issued(o, template, public)
	der, err := x509.CreateCertificate(rand.Reader, template, rootCert(), public, rootKey())
	if err != nil {
		return err
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	root := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootCert().Raw})
	if o.chain = slices.Concat(leaf, root); a.rootFirst {
		o.chain = slices.Concat(root, leaf)
	}
	o.certID = acme.RenewalID(&x509.Certificate{AuthorityKeyId: template.AuthorityKeyId, SerialNumber: serial})
	a.certs[o.certID] = o
	o.ready = now
	if a.async {
		o.ready = now.Add(d.between(time.Second, 9*time.Second))
		if d.one(25) && !a.w.quiet {
			o.ready = now.Add(d.between(time.Minute, 20*time.Minute))
		}
	}
	o.accepted = now
	a.habits.withholds(o)
	a.issued[o.set] = now
	if a.limited {
		a.spend(a.exactSet(o.set))
	}
	a.w.result.Issued++
	return nil
}

// bucket is one limit for one key.
type bucket struct {
	limit.Limit
	key    string
	anchor string
	text   string
}

func (a *authority) newOrders(account int) bucket {
	return bucket{a.limits[limit.NewOrdersPerAccount], strconv.Itoa(account), "new-orders-per-account", "too many new orders"}
}

func (a *authority) failures(account int, name string) bucket {
	return bucket{a.limits[limit.FailedAuthorizationsPerDomainPerAccount], zone(account, name),
		"authorization-failures-per-identifier-per-account", "too many failed authorizations (5) for \"" + name + "\""}
}

func (a *authority) exactSet(set string) bucket {
	return bucket{a.limits[limit.CertificatesPerFQDNSet], set, "new-certificates-per-exact-set-of-identifiers",
		"too many certificates (5) already issued for this exact set of identifiers"}
}

// spend takes one unit; as at Boulder, nothing is taken from a bucket that has nothing left. This is written in other words
// than package limit, which is tried here.
func (a *authority) spend(b bucket) {
	now := a.w.time()
	if next, wait := a.look(b); wait <= 0 {
		a.buckets[b.Name+b.key] = next
	} else {
		a.w.log("CA", "", "a bucket is empty:", b.Name, b.key, wait.String(), now.Format(time.TimeOnly))
	}
}

func (a *authority) look(b bucket) (next time.Time, wait time.Duration) {
	now := a.w.time()
	full := a.buckets[b.Name+b.key]
	if full.Before(now) {
		full = now
	}
	next = full.Add(b.Period / time.Duration(b.Count))
	return next, next.Sub(now) - b.Period
}

// refusal is the bucket with the longest wait, if there is one.
func (a *authority) refusal(checked ...bucket) (worst bucket, longest time.Duration) {
	for _, b := range checked {
		if _, wait := a.look(b); wait > longest {
			worst, longest = b, wait
		}
	}
	return worst, longest
}

// sumOf is the hex SHA-256 by which a CSR is known.
func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	var b strings.Builder
	for _, c := range sum {
		b.WriteByte("0123456789abcdef"[c>>4])
		b.WriteByte("0123456789abcdef"[c&15])
	}
	return b.String()
}

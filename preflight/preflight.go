// Package preflight finds out before an order whether the CA could validate the names: the document
// root of each is looked at and written to, its address is asked for, and a probe file is fetched
// as the CA will fetch the token. Each check has a name, a verdict and a remedy. It must never ask
// the CA anything, never connect to an address that was not checked (a customer decides where his
// names and redirects point), and never show what a page said.
package preflight

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"

	"orderly/failure"
	"orderly/parts"
	"orderly/solver/webroot"
)

// The checks, in the order in which they are made and reported.
const (
	// a document root is configured, exists, is a directory, and it is clear as whom to write there
	Webroot  = "webroot"
	Writable = "writable" // a probe file was really written into it
	DNS      = "dns"      // the name has an address
	HTTP     = "http"     // the probe file is served under the name
)

// Checks returns the names of all checks in their order.
func Checks() []string { return []string{Webroot, Writable, DNS, HTTP} }

// Verdict is what a check came to.
type Verdict string

const (
	Pass Verdict = "pass"
	// Warn is for what looks wrong from here but may look right from the CA: the order goes on.
	Warn Verdict = "warn"
	// Refuse is for what the CA would charge as a failure: there is to be no order.
	Refuse Verdict = "refuse"
	// Skipped is for a check that was not wanted, or that another one's refusal made pointless.
	Skipped Verdict = "skipped"
)

// Port is a check that is not made here, since only whoever is to serve the tokens can make it:
// that the port is free on which a web server of the run's own listens.
const Port = "port"

// Site is a name and what proves it: the document root that serves it, or, where one of the other
// fields is set, something else. An empty Root alone means that none is configured.
type Site struct {
	Name, Root string
	// Serve serves a probe in a document root's stead: a web server of the run's own. An error is
	// why it cannot. stop takes the probe away.
	Serve func(probe webroot.Probe) (stop func(), err error)
	// Content says what the name's web server answers to a token by a rule of its own, so that
	// nothing has to be put in place: the token and the thumbprint of an account's key, in the end.
	Content func(token string) string
	// Elsewhere says by what else the name is proven, such as "a hook", so that there is nothing to
	// look at or to fetch.
	Elsewhere string
	// Record is the name of the TXT record that proves it (RFC 8555 §8.4). It needs no address
	// then.
	Record string
}

// rootless reports whether no document root is used.
func (s Site) rootless() bool { return s.Serve != nil || s.Content != nil || s.Elsewhere != "" }

// Result is what one check came to for one name.
type Result struct {
	Check   string
	Name    string
	Verdict Verdict
	Class   failure.Class // empty for Pass and Skipped
	// Sentence says what was found, where; Remedy what to do about it. Both are fit for a terminal.
	Sentence string
	Remedy   failure.Remedy
	// Local says that the check saw everything itself: its refusal is certain and forbids an order.
	// Any other can be wrong (NAT, split DNS) and only delays one.
	Local bool
	Took  time.Duration
}

// Report is what all checks came to: for each site in the order given, one Result per check in the
// order of Checks.
type Report struct {
	Results []Result
	// Fingerprint changes when something changes that could make a difference: a document root
	// (path, device, inode), whether it can be written, the addresses, or how the probe is
	// answered. Back-off is lifted by that.
	Fingerprint string
	// Sights are where the names lead, of those of which that was found out.
	Sights []Sight
	Took   time.Duration
}

// Refusal returns the first refusal, a certain one before any other, or nil.
func (r Report) Refusal() *Result {
	var first *Result
	for i := range r.Results {
		result := &r.Results[i]
		if result.Verdict != Refuse {
			continue
		}
		if result.Local {
			return result
		}
		if first == nil {
			first = result
		}
	}
	return first
}

// Checker makes the checks. Only Writer is required. It is not changed by Check and may be used
// from many goroutines.
type Checker struct {
	// Resolver is the HOST:PORT of the DNS server to ask; empty means those of ResolvConf.
	// /etc/hosts is never asked: the CA does not know it.
	Resolver   string
	ResolvConf string // default /etc/resolv.conf
	Port       int    // stands in for 80; default 80
	TLSPort    int    // stands in for 443, in redirects; default 443
	Skip       map[string]bool
	// Allow are networks that may be connected to though they are neither global nor this host's
	// own.
	Allow     []netip.Prefix
	Fleet     []netip.Prefix // addresses that lead to this host, or to another of its fleet
	Memory    Memory         // of earlier runs; may be nil
	UserAgent string
	Writer    *webroot.Writer
	Now       func() time.Time // default time.Now

	Timeout time.Duration // for the network checks of one name; default 10 s
	// for one DNS query over one transport, each server being asked twice; default 3 s
	DNSTimeout time.Duration

	// Lookup, where set, says the addresses of hosts that redirects lead to, none where it does not
	// know; otherwise the resolver is asked.
	Lookup func(ctx context.Context, host string) []netip.Addr
	// Hearing, where set, is what earlier checks of the run found of DNS servers.
	Hearing *Hearing
	// Tell, where set, is told after a second what is waited for.
	Tell func(format string, args ...any)

	// Dial connects to an address that was checked; default net.Dialer. Its address is always
	// IP:PORT.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// OwnAddresses returns the addresses of this host's interfaces; default net.InterfaceAddrs.
	OwnAddresses func() ([]net.Addr, error)
}

// maxParallel bounds the names checked at once.
const maxParallel = 16

// Check makes the checks for all sites. Where a local check refuses a name, its network checks are
// not made. It never fails: when ctx ends, what was cut short warns with class Stopped, so look at
// ctx.Err() before acting on the report.
func (c *Checker) Check(ctx context.Context, sites []Site) Report {
	run := c.begin()
	names := make([]*subject, len(sites))
	for i, site := range sites {
		names[i] = &subject{site: site, ground: run.groundOf(ctx, site)}
		names[i].judgeGround(run)
	}
	run.checkNetwork(ctx, names)
	leftovers := run.clear(ctx)
	report := Report{Fingerprint: fingerprint(names)}
	// after the fingerprint: what is learnt of addresses is nobody's mending
	report.Sights = run.sights(names)
	for _, name := range names {
		name.noteLeftover(leftovers[name.site.Root])
		report.Results = append(report.Results, name.results[:]...)
	}
	report.Took = run.now().Sub(run.began)
	return report
}

// checkNetwork makes the network checks of all names.
func (r *round) checkNetwork(ctx context.Context, names []*subject) {
	slots := make(chan struct{}, maxParallel)
	var all parts.Group
	for _, name := range names {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			name.checkNetwork(ctx, r)
		})
	}
	told := make(chan struct{})
	notice := time.AfterFunc(waitNotice, func() {
		defer close(told)
		r.tellWaits(names)
	})
	defer func() {
		if !notice.Stop() {
			<-told // nothing is told once the checks are over
		}
	}()
	all.Wait()
}

// waitNotice is after how long a person is told what is waited for.
const waitNotice = time.Second

func (r *round) tellWaits(names []*subject) {
	if r.Tell == nil {
		return
	}
	for _, name := range names {
		switch stage(name.stage.Load()) {
		case asking:
			r.Tell("Waiting for the DNS server %s to say the address of %s.",
				strings.Join(r.fetcher.resolver.servers, ", "), name.site.Name)
		case fetching:
			r.Tell("Waiting for the web server of %s to serve a probe file.", name.site.Name)
		default:
			continue
		}
		return // one is enough for a person to see what is going on
	}
}

// round is one call of Check: the settings with their defaults, and what its names share.
type round struct {
	*Checker
	fetcher fetcher
	began   time.Time
	grounds map[string]*ground
	stops   []func() // take the probes away that are served by something else than a document root
}

func (c *Checker) begin() *round {
	r := &round{Checker: c, grounds: map[string]*ground{}}
	r.began = r.now()
	r.fetcher = fetcher{
		resolver: newResolver(c.Resolver, c.ResolvConf, orDefault(c.DNSTimeout, 3*time.Second),
			orDefault(c.Hearing, new(Hearing))),
		policy:   newPolicy(c.Allow, c.OwnAddresses),
		ports:    ports{http: orDefault(c.Port, 80), https: orDefault(c.TLSPort, 443)},
		agent:    orDefault(c.UserAgent, "orderly"),
		dial:     c.Dial,
		patience: orDefault(c.Timeout, 10*time.Second),
		what:     "the probe file",
		lookup:   c.Lookup,
	}
	if r.fetcher.dial == nil {
		r.fetcher.dial = new(net.Dialer).DialContext
	}
	return r
}

func (r *round) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func orDefault[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

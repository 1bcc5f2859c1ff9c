package preflight

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"orderly/failure"
	"orderly/parts"
)

// The CA asks the public DNS. What this host would answer itself (hosts file, cache) is not what
// the CA sees.

// resolver asks DNS servers directly, so that neither /etc/hosts nor the system's cache answers for
// the CA.
type resolver struct {
	servers []string // HOST:PORT
	chosen  bool     // by a person; otherwise they are the system's
	unnamed bool     // the system names none
	timeout time.Duration
	hearing *Hearing
}

const (
	rounds = 2 // how often each server is asked before it counts as silent
	// maxServers is how many servers of resolv.conf are asked, as the C library does
	// (resolv.conf(5): MAXNS).
	maxServers = 3
	maxAliases = 16 // CNAMEs followed inside one answer
)

func newResolver(server, file string, timeout time.Duration, hearing *Hearing) *resolver {
	r := &resolver{timeout: timeout, hearing: hearing, chosen: server != ""}
	if server != "" {
		if _, _, err := net.SplitHostPort(server); err != nil {
			server = net.JoinHostPort(strings.Trim(server, "[]"), "53")
		}
		r.servers = []string{server}
		return r
	}
	config, err := dns.ClientConfigFromFile(orDefault(file, "/etc/resolv.conf"))
	if err == nil {
		for _, host := range config.Servers[:min(len(config.Servers), maxServers)] {
			r.servers = append(r.servers, net.JoinHostPort(host, config.Port))
		}
	}
	if len(r.servers) == 0 {
		r.unnamed = true
		// as resolv.conf(5) says for a file that is missing or names none
		r.servers = []string{"127.0.0.1:53"}
	}
	return r
}

// reply is what came of one question.
type reply struct {
	heard     bool
	nonsense  bool // what came was no DNS answer to the question
	code      int
	addresses []netip.Addr
}

// answer is what came of asking for a name's addresses.
type answer struct{ v4, v6 reply }

func (a answer) addresses() []netip.Addr { return slices.Concat(a.v6.addresses, a.v4.addresses) }

// lookup asks for A and AAAA at once. An IP address is its own answer.
func (r *resolver) lookup(ctx context.Context, name string) answer {
	var a answer
	if address, err := netip.ParseAddr(name); err == nil {
		known, none := reply{heard: true, addresses: []netip.Addr{address.Unmap()}}, reply{heard: true}
		if address.Unmap().Is4() {
			return answer{v4: known, v6: none}
		}
		return answer{v4: none, v6: known}
	}
	var both parts.Group
	both.Go(func() { a.v4 = r.ask(ctx, name, dns.TypeA) })
	both.Go(func() { a.v6 = r.ask(ctx, name, dns.TypeAAAA) })
	both.Wait()
	return a
}

// ask asks one server after the other until one knows: an error of one may be its own.
func (r *resolver) ask(ctx context.Context, name string, kind uint16) reply {
	var last reply
	for range rounds {
		for _, server := range r.hearing.order(r.servers) {
			got := r.exchange(ctx, server, name, kind)
			if got.heard && !got.nonsense && (got.code == dns.RcodeSuccess || got.code == dns.RcodeNameError) {
				return got
			}
			if ctx.Err() == nil {
				r.hearing.note(server, got.heard)
			}
			if got.heard {
				last = got
			}
			if ctx.Err() != nil {
				return last
			}
		}
		if last.heard {
			return last
		}
	}
	return last
}

func (r *resolver) exchange(ctx context.Context, server, name string, kind uint16) reply {
	question := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m, err := r.over(ctx, "udp", server, question)
	if err == nil && m.Truncated {
		m, err = r.over(ctx, "tcp", server, question)
	}
	switch {
	case err != nil && isNetwork(err):
		return reply{}
	case err != nil, !m.Response, len(m.Question) != 1, m.Question[0].Qtype != kind,
		!strings.EqualFold(m.Question[0].Name, dns.Fqdn(name)):
		return reply{heard: true, nonsense: true}
	}
	return reply{heard: true, code: m.Rcode, addresses: addressesIn(m)}
}

func (r *resolver) over(ctx context.Context, network, server string,
	question *dns.Msg) (*dns.Msg, error) {
	timeout := r.hearing.patience(server, r.timeout)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := dns.Client{Net: network, Timeout: timeout}
	conn, err := client.DialContext(ctx, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library obeys a context's deadline but not its end: without this a SIGTERM would wait for
	// a silent server.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	m, _, err := client.ExchangeWithConnContext(ctx, question, conn)
	return m, err
}

// isNetwork reports whether err says that nothing usable came over the network, as against
// something wrong.
func isNetwork(err error) bool {
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Op == "dial" || e.Op == "read" || e.Op == "write"
	}
	if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, net.ErrClosed) || errors.Is(err, context.Canceled) ||
		errors.Is(err, context.DeadlineExceeded)
}

// addressesIn returns the addresses of the name asked for, its CNAMEs followed as far as the answer
// holds them.
func addressesIn(m *dns.Msg) []netip.Addr {
	var found []netip.Addr
	name := m.Question[0].Name
	for range maxAliases {
		alias := ""
		for _, record := range m.Answer {
			if !strings.EqualFold(record.Header().Name, name) {
				continue
			}
			switch r := record.(type) {
			case *dns.CNAME:
				alias = r.Target
			case *dns.A:
				found = appendAddress(found, r.A.To4())
			case *dns.AAAA:
				found = appendAddress(found, r.AAAA)
			}
		}
		if len(found) > 0 || alias == "" {
			return found
		}
		name = alias
	}
	return nil
}

func appendAddress(to []netip.Addr, ip net.IP) []netip.Addr {
	if a, ok := netip.AddrFromSlice(ip); ok {
		return append(to, a)
	}
	return to
}

// judge turns the answer into a verdict. Like the CA it is content with one kind of address
// (Boulder: va/dns.go, getAddrs).
func (a answer) judge(name string, r *resolver) Result {
	found := a.addresses()
	if len(found) == 0 {
		return a.judgeEmpty(name, r)
	}
	sentence := name + " has " + listed(found)
	for kind, part := range map[string]reply{"A": a.v4, "AAAA": a.v6} {
		if len(part.addresses) > 0 || part.heard && !part.nonsense && (part.code == dns.RcodeSuccess || part.code == dns.RcodeNameError) {
			continue
		}
		class := failure.DNSBroken
		if !part.heard {
			class = failure.DNSSilent
		}
		return Result{Verdict: Warn, Class: class, Remedy: digRemedy(name),
			Sentence: fmt.Sprintf("%s, but its %s records are answered with %s", sentence, kind,
				part.word())}
	}
	return Result{Verdict: Pass, Sentence: sentence}
}

// judgeEmpty says why there is no address: what is known for certain comes before what was not
// heard.
func (a answer) judgeEmpty(name string, r *resolver) Result {
	both := []reply{a.v4, a.v6}
	has := func(test func(reply) bool) int { return slices.IndexFunc(both, test) }
	if has(func(p reply) bool { return p.heard && !p.nonsense && p.code == dns.RcodeNameError }) >= 0 {
		return Result{Verdict: Refuse, Class: failure.DNSMissing,
			Sentence: name + " does not exist in DNS (NXDOMAIN)", Remedy: unpointed(name)}
	}
	if i := has(func(p reply) bool { return p.heard && (p.nonsense || p.code != dns.RcodeSuccess) }); i >= 0 {
		return Result{Verdict: Refuse, Class: failure.DNSBroken, Remedy: digRemedy(name),
			Sentence: fmt.Sprintf("the question for the address of %s is answered with %s", name,
				both[i].word())}
	}
	if has(func(p reply) bool { return !p.heard }) >= 0 {
		return r.unheard(name)
	}
	return Result{Verdict: Refuse, Class: failure.DNSMissing,
		Sentence: name + " has no address in DNS (neither A nor AAAA)", Remedy: unpointed(name)}
}

// unheard is the verdict where no server answers a question. The CA's own might, so it only delays.
func (r *resolver) unheard(name string) Result {
	another := failure.Do(failure.Resolver, "HOST:PORT")
	remedy := "Check this host's resolver (/etc/resolv.conf), or name another: " + another + "."
	switch {
	case r.chosen:
		remedy = "Check that DNS server, or name another: " + another + "."
	case r.unnamed:
		remedy = "Name a DNS server in /etc/resolv.conf, which has none, or with " + another + "."
	}
	return Result{Verdict: Refuse, Class: failure.DNSSilent, Remedy: remedy,
		Sentence: fmt.Sprintf("no DNS answer for %s from %s", name, strings.Join(r.servers, ", "))}
}

// word names what came instead of addresses.
func (p reply) word() string {
	switch {
	case !p.heard:
		return "nothing at all"
	case p.nonsense:
		return "nonsense"
	}
	if word, ok := dns.RcodeToString[p.code]; ok {
		return word
	}
	return fmt.Sprintf("code %d", p.code)
}

func digRemedy(name string) failure.Remedy {
	return failure.Remedy("Ask whoever runs the name servers of " + name + ": dig +trace " + name + " shows where it breaks.")
}

// listed names a few addresses.
func listed(addresses []netip.Addr) string {
	const shown = 4
	words := make([]string, 0, shown+1)
	for i, a := range addresses {
		if i == shown {
			words = append(words, fmt.Sprintf("%d more", len(addresses)-shown))
			break
		}
		words = append(words, a.String())
	}
	return strings.Join(words, ", ")
}

// unpointed is what to do about a name that DNS does not know, or gives no address.
func unpointed(name string) failure.Remedy {
	return failure.Advise("Create an A or AAAA record of %s that points to this server, or order "+
		"without this name.", name)
}

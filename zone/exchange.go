package zone

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// One question to one address, as unbound puts it for Let's Encrypt: with capitals at random, with
// EDNS and the wish for signatures, over UDP first and over TCP where the answer is cut.

// reply is what came of a question.
type reply struct {
	word     Word
	caseLost bool
	message  *dns.Msg // of a word that is good, and of a referral
}

// demand is how a question is put.
type demand struct {
	question
	recursive bool // to a resolver
	unchecked bool // which is not to validate
}

// exchange asks once over UDP, and over TCP where that is not enough.
func (a *Asker) exchange(ctx context.Context, address string, d demand, patience time.Duration) reply {
	sent := d.message(true)
	got, err := a.over(ctx, "udp", address, sent, patience)
	if err == nil && got.Rcode == dns.RcodeFormatError && len(got.Answer) == 0 {
		// a server from before EDNS; resolvers ask it again without
		sent = d.message(false)
		got, err = a.over(ctx, "udp", address, sent, patience)
	}
	if err != nil {
		return reply{word: broken(err)}
	}
	if !isReplyTo(sent, got) {
		return reply{word: Nonsense}
	}
	if got.Truncated {
		got, err = a.over(ctx, "tcp", address, sent, patience)
		if err != nil && broken(err) != Nonsense {
			return reply{word: NoTCP}
		}
		if err != nil || !isReplyTo(sent, got) {
			return reply{word: Nonsense}
		}
	}
	lower(got)
	return reply{word: wordOf(got.Rcode), caseLost: got.Question[0].Name != sent.Question[0].Name,
		message: got}
}

// lower writes the owners of all records in small letters: most servers repeat the question's capitals,
// and records are one set whatever their capitals.
func lower(m *dns.Msg) {
	for _, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, r := range section {
			r.Header().Name = strings.ToLower(r.Header().Name)
		}
	}
}

func (d demand) message(edns bool) *dns.Msg {
	m := new(dns.Msg).SetQuestion(mixed(d.name), d.kind)
	m.RecursionDesired, m.CheckingDisabled = d.recursive, d.unchecked
	if edns {
		m.SetEdns0(udpSize, true)
	}
	return m
}

// mixed is a name in capitals and small letters at random, the first letter always a capital, so
// that a server which loses them is found out.
func mixed(name string) string {
	letters, first := []byte(name), true
	for i, c := range letters {
		if c < 'a' || c > 'z' || i > 0 && letters[i-1] == '\\' {
			continue
		}
		if first || rand.N(2) == 0 {
			letters[i] = c - 'a' + 'A'
		}
		first = false
	}
	return string(letters)
}

// isReplyTo reports whether a message answers the question that was sent, capitals left aside.
func isReplyTo(sent, got *dns.Msg) bool {
	return got.Response && got.Opcode == dns.OpcodeQuery && len(got.Question) == 1 &&
		got.Question[0].Qtype == sent.Question[0].Qtype &&
		got.Question[0].Qclass == sent.Question[0].Qclass &&
		strings.EqualFold(got.Question[0].Name, sent.Question[0].Name)
}

func (a *Asker) over(ctx context.Context, network, address string, m *dns.Msg,
	patience time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := a.config.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	// The library obeys a context's deadline but not its end: without this a SIGTERM would wait for
	// a silent server.
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	client := dns.Client{Net: network, Timeout: patience, UDPSize: udpSize}
	got, _, err := client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: conn})
	return got, err
}

// broken is what a question came to that brought no message.
func broken(err error) Word {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		switch errno {
		case syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.EADDRNOTAVAIL,
			syscall.EAFNOSUPPORT, syscall.EPERM, syscall.EACCES, syscall.EMFILE, syscall.ENFILE:
			return Unreachable // by this host's doing, as where it has no IPv6
		}
	}
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return Silent
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return Silent
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return Silent
	}
	return Nonsense
}

// How many questions in a row, over all zones, make an address one that is asked once and waited for
// less: a dead server of a thousand zones is not waited for twice, and for seconds, in each.
const (
	deafAfter = 6
	deadAfter = 24
)

func (a *Asker) patience(address netip.Addr) (patience time.Duration, times int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch silent := a.deaf[address]; {
	case silent >= deadAfter:
		return min(a.config.Timeout, 250*time.Millisecond), 1
	case silent >= deafAfter:
		return min(a.config.Timeout, time.Second), 1
	}
	return a.config.Timeout, tries
}

func (a *Asker) note(address netip.Addr, word Word) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch word {
	case Silent:
		a.deaf[address]++
		if address.Is6() {
			a.six.silent++
		}
	case Unreachable, Unasked:
	default:
		delete(a.deaf, address)
		a.six.heard = a.six.heard || address.Is6()
	}
}

// kind is what was heard over one kind of address.
type kind struct {
	heard  bool
	silent int
}

// lostAfter is how many questions without any answer over IPv6 show that this host has none, though
// it has addresses: they end somewhere on the way.
const lostAfter = 16

func (a *Asker) hasIPv6() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.six.heard
}

func (a *Asker) lostIPv6() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.six.heard && a.six.silent >= lostAfter
}

// ask puts a question to one address of a zone, twice where nothing is heard.
func (a *Asker) ask(ctx context.Context, at askable, q question) reply {
	if !a.config.Permits(at.address) {
		return reply{word: Unasked}
	}
	if at.address.Is6() && a.lostIPv6() {
		return reply{word: Unreachable}
	}
	a.slots <- struct{}{}
	defer func() { <-a.slots }()
	target := net.JoinHostPort(at.address.String(), strconv.Itoa(a.config.Port))
	defer a.notice("the name server %s (%s)", at.server, at.address)()
	patience, times := a.patience(at.address)
	got := reply{word: Silent}
	for range times {
		if ctx.Err() != nil {
			return reply{word: Silent}
		}
		got = a.exchange(ctx, target, demand{question: q}, patience)
		if got.word != Silent {
			break
		}
	}
	if ctx.Err() == nil {
		a.note(at.address, got.word)
	}
	return got
}

// notice tells whom it waits for once a second has passed: of a run the first time.
func (a *Asker) notice(format string, args ...any) (stop func()) {
	if a.config.Tell == nil || a.told.Load() {
		return func() {}
	}
	done := make(chan struct{})
	timer := time.AfterFunc(waitNotice, func() {
		defer close(done)
		if a.told.CompareAndSwap(false, true) {
			a.config.Tell("Waiting for "+format+".", args...)
		}
	})
	return func() {
		if !timer.Stop() {
			<-done // nothing is told once the question is over
		}
	}
}

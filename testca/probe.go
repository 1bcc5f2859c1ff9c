package testca

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/miekg/dns"
)

// prober does http-01 as Boulder's validation authority does (RFC 8555 §8.3), with its texts.
type prober struct {
	resolver string
	ports    map[string]int // the port of a URL → the port dialled on loopback
	timeout  time.Duration
}

func newProber(resolver string, config Config) *prober {
	p := &prober{resolver: resolver, timeout: config.ValidationTimeout,
		ports: map[string]int{"80": config.HTTPPort, "443": config.HTTPSPort}}
	if p.timeout <= 0 {
		p.timeout = 10 * time.Second
	}
	return p
}

// bodyLimit is Boulder's: a key authorization is shorter than 128 bytes.
const bodyLimit = 128

// http01 fetches the challenge file of a name and compares it. Nil means that it holds what it must.
func (p *prober) http01(ctx context.Context, name, token, want string) *problem {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext:       p.dial,
		// As Boulder: redirects to https are followed whatever the certificate says.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: checkRedirect}
	host := name
	if strings.Contains(name, ":") {
		host = "[" + name + "]" // an IPv6 address
	}
	address := "http://" + host + "/.well-known/acme-challenge/" + token
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return problemf(http.StatusBadRequest, "malformed", "the name %q makes no URL", name)
	}
	request.Header.Set("User-Agent", "testca (http-01 validation)")
	response, err := client.Do(request)
	if err != nil {
		return fetchProblem(address, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read as far as it matters
	return judge(response, address, want)
}

func judge(response *http.Response, address, want string) *problem {
	body, err := io.ReadAll(io.LimitReader(response.Body, bodyLimit+1))
	if err != nil {
		return fetchProblem(address, err)
	}
	last := response.Request.URL.String()
	if response.StatusCode != http.StatusOK {
		return problemf(http.StatusForbidden, "unauthorized", "127.0.0.1: Invalid response from %s: %d", last, response.StatusCode)
	}
	if len(body) > bodyLimit {
		return problemf(http.StatusForbidden, "unauthorized", "127.0.0.1: Invalid response from %s: %q", last, body)
	}
	if got := strings.TrimRight(string(body), "\n\r\t "); got != want {
		return problemf(http.StatusForbidden, "unauthorized",
			"The key authorization file from the server did not match this challenge. Expected %q (got %q)", want, got)
	}
	return nil
}

func checkRedirect(request *http.Request, via []*http.Request) error {
	if len(via) > 10 {
		return problemf(http.StatusBadRequest, "connection", "Too many redirects")
	}
	if port := request.URL.Port(); port != "" && port != "80" && port != "443" {
		return problemf(http.StatusBadRequest, "connection",
			"Invalid port in redirect target. Only ports 80 and 443 are supported, not %s", port)
	}
	return nil
}

// dial resolves the name by the CA's own DNS server and connects to the port that stands for 80 or 443.
func (p *prober) dial(ctx context.Context, network, address string) (net.Conn, error) {
	name, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	ip := "127.0.0.1" // whatever address the name is: nothing here dials another
	if net.ParseIP(name) == nil {
		if ip, err = p.resolve(ctx, name); err != nil {
			return nil, err
		}
	}
	target := net.JoinHostPort(ip, strconv.Itoa(p.ports[port]))
	return new(net.Dialer).DialContext(ctx, network, target)
}

func (p *prober) resolve(ctx context.Context, name string) (string, error) {
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), dns.TypeA)
	client := &dns.Client{Timeout: min(2*time.Second, p.timeout/3)} // so that it ends before the whole fetch does
	answer, err := exchange(ctx, client, query, p.resolver)
	trouble := ""
	switch {
	case err != nil:
		trouble = "DNS problem: query timed out looking up %s for %s"
	case answer.Rcode == dns.RcodeNameError:
		trouble = "DNS problem: NXDOMAIN looking up %s for %s - check that a DNS record exists for this domain"
	case answer.Rcode == dns.RcodeServerFailure:
		trouble = "DNS problem: SERVFAIL looking up %s for %s - the domain's nameservers may be malfunctioning"
	case answer.Rcode != dns.RcodeSuccess:
		trouble = "DNS problem: " + dns.RcodeToString[answer.Rcode] + " looking up %s for %s"
	}
	if trouble != "" {
		return "", problemf(http.StatusBadRequest, "dns", trouble+"; "+trouble, "A", name, "AAAA", name)
	}
	for _, record := range answer.Answer {
		if a, ok := record.(*dns.A); ok {
			return a.A.String(), nil
		}
	}
	return "", problemf(http.StatusBadRequest, "dns", "No valid IP addresses found for %s", name)
}

// exchange asks one question. The DNS client does not stop waiting when ctx ends, a closed connection does.
func exchange(ctx context.Context, client *dns.Client, query *dns.Msg, resolver string) (*dns.Msg, error) {
	connection, err := client.DialContext(ctx, resolver)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = connection.Close() })
	answer, _, err := client.ExchangeWithConnContext(ctx, query, connection)
	if stop() {
		err = errors.Join(err, connection.Close())
	}
	return answer, err
}

// fetchProblem puts an error of net/http into Boulder's words.
func fetchProblem(address string, err error) *problem {
	if p, ok := errors.AsType[*problem](err); ok {
		if p.Type != errorPrefix+"dns" {
			p.Detail = fmt.Sprintf("127.0.0.1: Fetching %s: %s", address, p.Detail)
		}
		return p
	}
	reason := "Error getting validation data"
	op, _ := errors.AsType[*net.OpError](err)
	wrapped, _ := errors.AsType[*url.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		reason = "Connection refused"
	case errors.Is(err, syscall.ECONNRESET):
		reason = "Connection reset by peer"
	case op != nil && op.Op == "dial" && op.Timeout():
		reason = "Timeout during connect (likely firewall problem)"
	case errors.Is(err, context.DeadlineExceeded), wrapped != nil && wrapped.Timeout():
		reason = "Timeout after connect (your server may be slow or overloaded)"
	}
	return problemf(http.StatusBadRequest, "connection", "127.0.0.1: Fetching %s: %s", address, reason)
}

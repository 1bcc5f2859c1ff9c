package testca_test

import (
	"bytes"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"orderly/testca"
)

// running is the stacks of the goroutines that run code of the CA, of Pebble or of its DNS server.
func running() string {
	text := make([]byte, 1<<20)
	text = text[:runtime.Stack(text, true)]
	var ours []string
	for stack := range bytes.SplitSeq(text, []byte("\n\n")) {
		for _, of := range []string{"orderly/testca.", "letsencrypt/pebble", "miekg/dns"} {
			if bytes.Contains(stack, []byte(of)) {
				ours = append(ours, string(stack))
				break
			}
		}
	}
	return strings.Join(ours, "\n\n")
}

func TestCloseIsQuickAndLeavesNothingRunning(t *testing.T) {
	web := newWebsite(t)
	open := web.shut()
	defer open()
	ca, err := testca.Start(testca.Config{HTTPPort: web.port, ValidationTimeout: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	l := &lab{t: t, ca: ca, web: web}
	c := l.client()
	for _, name := range []string{"slow.example.com", "a.silent.test"} {
		url, _ := c.http01(c.get(c.order(name).list("authorizations")[0]))
		c.post(url, struct{}{}).want(t, 200, "")
	}
	cut := make(chan answer, 2)
	for _, f := range []testca.Fault{{Action: testca.Hold}, {Action: testca.Delay, Delay: time.Hour}} {
		f.Kind, f.Nth = "new-order", 1
		other := l.client()
		ca.Inject(f)
		go func() { cut <- other.order("b.example.com") }()
		until(t, "the request has arrived", func() bool {
			requests := ca.Truth().Requests
			return requests[len(requests)-1].Fault == f.Action
		})
	}
	idle, err := net.Dial("tcp", ca.Resolver())
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	// Everything that it could wait for takes an hour, or for ever.
	if err := ca.Close(); err != nil {
		t.Error(err)
	}
	(<-cut).wantCut(t)
	(<-cut).wantCut(t)
	until(t, "nothing of the CA runs: "+running(), func() bool { return running() == "" })
	if err := ca.Close(); err != nil {
		t.Errorf("the second Close: %v", err)
	}
}

func TestTheDNSServerAnswersForEveryName(t *testing.T) {
	l := start(t, testca.Config{DeadNames: []string{"Dead.example.com"}})
	l.ca.SetDead("late.example.com", true)
	l.ca.SetDead("alive.example.com", true)
	l.ca.SetDead("alive.example.com", false)
	for _, transport := range []string{"udp", "tcp"} {
		client := &dns.Client{Net: transport, Timeout: 5 * time.Second}
		for _, want := range []struct {
			name  string
			kind  uint16
			code  int
			value string
		}{
			{"any.example.org.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
			{"ANY.example.org.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
			{"any.example.org.", dns.TypeAAAA, dns.RcodeSuccess, ""},
			{"any.example.org.", dns.TypeCAA, dns.RcodeSuccess, ""},
			{"dead.EXAMPLE.com.", dns.TypeA, dns.RcodeNameError, ""},
			{"late.example.com.", dns.TypeAAAA, dns.RcodeNameError, ""},
			{"www.late.example.com.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
			{"alive.example.com.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
			{"x.servfail.test.", dns.TypeA, dns.RcodeServerFailure, ""},
			{"xservfail.test.", dns.TypeA, dns.RcodeSuccess, "127.0.0.1"},
		} {
			answer, _, err := client.Exchange(new(dns.Msg).SetQuestion(want.name, want.kind), l.ca.Resolver())
			if err != nil {
				t.Fatalf("%s %s: %v", transport, want.name, err)
			}
			got := ""
			if len(answer.Answer) == 1 {
				got = answer.Answer[0].(*dns.A).A.String()
			}
			if answer.Rcode != want.code || got != want.value || len(answer.Answer) > 1 {
				t.Errorf("%s %s %d: %s", transport, want.name, want.kind, answer)
			}
		}
		client.Timeout = 50 * time.Millisecond
		if answer, _, err := client.Exchange(new(dns.Msg).SetQuestion("a.silent.test.", dns.TypeA), l.ca.Resolver()); err == nil {
			t.Errorf("%s: silent.test answered %s", transport, answer)
		}
	}
}

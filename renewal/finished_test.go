package renewal_test

import (
	"context"
	"crypto/ecdsa"
	"slices"
	"strings"
	"testing"

	"orderly/host"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// leave is a run of certonly for a wish that dies when the CA has processed, or is asked, the first
// request of a kind.
func (h *machine) leave(kind string, after bool, w renewal.Wish) {
	h.t.Helper()
	h.site(w.Names...)
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	h.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold, After: after})
	go func() {
		<-h.ca.Held()
		cancel()
		h.ca.Release()
	}()
	if r := h.process("certonly").Obtain(ctx, w); r.Outcome == renewal.Issued {
		h.t.Fatalf("not left: %+v", r)
	}
	h.vanish()
	h.ca.ClearFaults()
}

// at is the same host with another CA.
func (h *machine) at(config testca.Config) *machine {
	h.t.Helper()
	config.HTTPPort, config.Now = h.port, h.clock.Now
	ca, err := testca.Start(config)
	must(h.t, err)
	h.t.Cleanup(func() { must(h.t, ca.Close()) })
	other := *h
	other.ca, other.set.Resolver = ca, ca.Resolver()
	return &other
}

// state is the newest order of a lineage, as `order show` has it.
func (h *machine) newest(lineage string) *ledger.Order {
	h.t.Helper()
	orders, err := h.ledger.Orders(h.t.Context(), ledger.OrderFilter{Lineage: lineage})
	must(h.t, err)
	return orders[len(orders)-1]
}

// An order that another CA's certificate has overtaken is not installed, runs no hook, and its row
// says so (trial L13).
func TestWhatIsOvertakenIsNeitherInstalledNorDeployed(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, at := range []struct {
		kind  string
		after bool
	}{{"finalize", true}, {"certificate", true}} {
		t.Run(at.kind, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.leave(at.kind, at.after, h.hooked(name))
			first := h.newest(name).ID
			other := h.at(testca.Config{})
			if r := other.run(other.hooked(name)); r.Outcome != renewal.Issued {
				t.Fatalf("%+v", r)
			}
			s := h.process("renew")
			must(t, s.PayDebts(t.Context())) // the first run's pre-hook ran
			before, inPlace := h.notes(), h.certificateKey(name)
			results, err := s.ResumeAll(t.Context())
			must(t, err)
			if outcomes(results) != name+" superseded" || renewal.Exit(results, err) != 0 {
				t.Errorf("resumed: %+v", results)
			}
			if got := h.notes(); got != before {
				t.Errorf("hooks ran: %q, then %q", before, got)
			}
			if debts := h.debts(); len(debts) != 0 {
				t.Errorf("owed: %+v", debts)
			}
			if !inPlace.Public().(*ecdsa.PublicKey).Equal(h.certificateKey(name).Public()) {
				t.Error("another certificate is in place")
			}
			o, err := h.ledger.Order(t.Context(), first)
			must(t, err)
			if o.State != ledger.SupersededState || o.SettledAt.IsZero() || !o.InstalledAt.IsZero() || !o.DeployedAt.IsZero() ||
				!strings.Contains(o.Sentence, "left aside") {
				t.Errorf("the row: %s, %q, installed %s", o.State, o.Sentence, o.InstalledAt)
			}
		})
	}
}

// A lineage that another program deleted while the CA issued does not come back.
func TestWhatIsIssuedForADeletedLineageIsLeftAside(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	w := h.wish(name)
	w.Renew = true
	h.leave("certificate", true, w)
	must(t, h.disk().Delete(name))
	results, err := h.process("renew").ResumeAll(t.Context())
	must(t, err)
	if outcomes(results) != name+" superseded" || !h.gone(name) {
		t.Errorf("resumed: %s, gone: %t", outcomes(results), h.gone(name))
	}
}

// What a run has just renewed by finishing an earlier run's order is renewed, however much is
// forced (trial L14).
func TestAForcedRenewalThatWasKilledIsOneOrder(t *testing.T) {
	t.Parallel()
	const name, other = "a.example.com", "b.example.com"
	for _, kind := range []string{"new-order", "challenge", "finalize", "certificate"} {
		for command, next := range map[string]func(h *machine) []renewal.Result{
			"renew": func(h *machine) []renewal.Result {
				s := h.process("renew")
				left, err := s.ResumeAll(t.Context())
				must(t, err)
				results, err := s.RenewAll(t.Context(), renewal.Round{Renew: true})
				must(t, err)
				return append(left, results...)
			},
			"renew --cert-name": func(h *machine) []renewal.Result {
				results, err := h.renew(renewal.Round{Renew: true, CertName: name})
				must(t, err)
				return results
			},
			"certonly": func(h *machine) []renewal.Result {
				w := h.wish(name)
				w.Renew = true
				return []renewal.Result{h.run(w)}
			},
		} {
			t.Run(kind+", "+command, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, testca.Config{})
				h.has(name, other)
				before := len(h.ca.Truth().Orders)
				w := h.wish(name)
				w.Renew = true
				h.leave(kind, true, w)
				results := next(h)
				if !slices.ContainsFunc(results, func(r renewal.Result) bool { return r.Lineage == name && r.Outcome == renewal.Issued }) {
					t.Errorf("%s", outcomes(results))
				}
				of := 0
				for _, o := range h.ca.Truth().Orders[before:] {
					if slices.Contains(o.Names, name) {
						of++
					}
				}
				if of != 1 {
					t.Errorf("%d orders were made for %s, not 1: %s", of, name, outcomes(results))
				}
			})
		}
	}
}

// The same for deploy hooks that were cut short: the certificate is in place already, and deploying
// it is what is left.
func TestAForcedRenewalKilledInItsDeployHookIsOneOrder(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	for _, command := range []string{"renew", "certonly"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has(name)
			w := h.wish(name)
			w.Renew = true
			ctx, cancel := context.WithCancel(t.Context())
			w.Hooks.Deploy = host.Say("true")
			s := h.process("certonly")
			s.Disk.Trace = func(step string) {
				if step == "after write "+name+".conf" {
					cancel()
				}
			}
			if r := s.Obtain(ctx, w); r.Outcome != renewal.Stopped {
				t.Fatalf("not stopped: %+v", r)
			}
			h.vanish()
			if command == "renew" {
				s = h.process("renew")
				_, err := s.ResumeAll(t.Context())
				must(t, err)
				results, err := s.RenewAll(t.Context(), renewal.Round{Renew: true})
				must(t, err)
				if outcomes(results) != name+" issued" {
					t.Errorf("%s", outcomes(results))
				}
			} else if r := h.run(w); r.Outcome != renewal.Issued || !r.Resumed {
				t.Errorf("%+v", r)
			}
			if n := len(h.ca.Truth().Orders); n != 2 {
				t.Errorf("%d orders were made, not 2", n)
			}
		})
	}
}

// A rehearsal that was killed and is run again is one order, too; and a forced renewal with another
// key is what was asked for.
func TestOnlyWhatWasAskedForCountsAsFinished(t *testing.T) {
	t.Parallel()
	const name = "a.example.com"
	h := newHost(t, testca.Config{})
	h.has(name)
	h.set.Rehearsal = true
	for _, kind := range []string{"challenge", "finalize"} {
		before := len(h.ca.Truth().Orders)
		h.leave(kind, true, h.wish(name))
		s := h.process("renew --dry-run")
		left, err := s.ResumeAll(t.Context())
		must(t, err)
		results, err := s.RenewAll(t.Context(), renewal.Round{})
		must(t, err)
		if n := len(h.ca.Truth().Orders) - before; n != 1 || outcomes(results) != name+" rehearsed" {
			t.Errorf("%s: %d orders, %s and %s", kind, n, outcomes(left), outcomes(results))
		}
	}
	h.set.Rehearsal = false
	w := h.wish(name)
	w.Renew = true
	h.leave("finalize", true, w)
	s := h.process("renew")
	_, err := s.ResumeAll(t.Context())
	must(t, err)
	_, err = s.RenewAll(t.Context(), renewal.Round{Said: host.Said{Choice: host.Choice{KeyType: host.Say("rsa")}}, Renew: true})
	must(t, err)
	l, err := h.disk().Open(name)
	must(t, err)
	if l.Certificate.KeyType != "RSA" {
		t.Errorf("the key is %s, though rsa was asked for", l.Certificate.KeyType)
	}
}

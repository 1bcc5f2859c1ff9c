package drive_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// problem is the CA's problem as the ledger has it of the lineage's last order.
func (w *world) problem(lineage string) *acme.Problem {
	w.t.Helper()
	all := w.orders(lineage)
	return acme.ReadProblem(all[len(all)-1].Problem)
}

// Whoever hands a reason on needs the CA's own words, and not only a sentence about them.
func TestTheCAsProblemIsKeptBesideTheSentence(t *testing.T) {
	const urn = "urn:ietf:params:acme:error:"
	respond := func(kind string, status int, problem, detail, patch string) func(*world) {
		return func(w *world) {
			f := testca.Fault{Kind: kind, Action: testca.Respond, Status: status, Problem: problem, Detail: detail}
			if patch != "" {
				f.Patch = json.RawMessage(patch)
			}
			w.ca.Inject(f)
		}
	}
	for name, c := range map[string]struct {
		happen func(*world)
		class  failure.Class
		kind   string // of the problem; "" for none
		names  string // of its subproblems
	}{
		"newOrder refused": {respond("new-order", 400, "rejectedIdentifier", "policy\u001b[2J",
			`{"subproblems":[{"type":"`+urn+`rejectedIdentifier","detail":"no","identifier":{"type":"dns","value":"b.example"}}]}`), failure.BadName, "rejectedIdentifier", "b.example"},
		"newOrder limited":  {respond("new-order", 429, "rateLimited", "too many", ""), failure.RateLimited, "rateLimited", ""},
		"a proxy's page":    {respond("new-order", 403, "", "", ""), failure.CAUnavailable, "", ""},
		"a name that fails": {func(w *world) { w.ca.SetDead("b.example", true) }, failure.Validation, "dns", "b.example"},
		"both names fail": {func(w *world) {
			w.ca.SetDead("a.example", true)
			w.ca.SetDead("b.example", true)
		}, failure.Validation, "dns", "a.example b.example"},
		"finalize refused":    {respond("finalize", 400, "badCSR", "weak key", ""), failure.BadCSR, "badCSR", ""},
		"an order that broke": {func(w *world) { w.ca.Inject(testca.Fault{Kind: "finalize", Action: testca.BreakOrder}) }, failure.CARefused, "serverInternal", ""},
		"an order not shown":  {respond("order", 500, "serverInternal", "down", ""), failure.CAUnavailable, "serverInternal", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			c.happen(w)
			w.fails(order.Plan{Request: request("a.example", "a.example", "b.example")}, c.class)
			p := w.problem("a.example")
			if p == nil {
				if c.kind != "" {
					t.Fatal("no problem is kept")
				}
				return
			}
			var names []string
			for _, s := range p.Subproblems {
				names = append(names, s.Name)
			}
			slices.Sort(names)
			if !p.IsType(c.kind) || strings.Join(names, " ") != c.names {
				t.Errorf("kept: %s", w.orders("a.example")[0].Problem)
			}
			if text := string(w.orders("a.example")[0].Problem); strings.Contains(text, `\u001b`) || !strings.Contains(text, urn+c.kind) {
				t.Errorf("kept as %s", text)
			}
		})
	}
}

func TestAGoodEndKeepsNoProblem(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "order", Nth: 1, Action: testca.Respond, Status: 500, Problem: "serverInternal", Detail: "down"})
	r := request("a.example", "a.example")
	w.get(r)
	if p := w.problem("a.example"); p != nil {
		t.Errorf("kept: %v", p)
	}
	w.once(r)
}

func TestEveryChainIsKeptWhereThatIsWanted(t *testing.T) {
	w := newWorld(t, testca.Config{AlternateChains: 2})
	e := w.engine()
	e = drive.Changed(e, func(c *drive.Config) { c.AllChains = true })
	_, err := obtain(t.Context(), e, order.Plan{Request: request("a.example", "a.example")})
	must(t, err)
	o := w.orders("a.example")[0]
	chains := []acme.Chain{{PEM: o.Chain}}
	roots := map[string]bool{chains[0].TopIssuer().String(): true}
	for _, other := range o.Alternates {
		roots[acme.Chain{PEM: other}.TopIssuer().String()] = true
	}
	if len(o.Alternates) != 2 || len(roots) != 3 {
		t.Errorf("%d other chains, roots %v", len(o.Alternates), roots)
	}
	w.get(request("b.example", "b.example"))
	if o := w.orders("b.example")[0]; len(o.Alternates) != 0 || o.State != ledger.Installed {
		t.Errorf("%s: chains that nobody asked for: %d", o.State, len(o.Alternates))
	}
	if n := w.requests("certificate"); n != 4 {
		t.Errorf("%d downloads", n)
	}
}

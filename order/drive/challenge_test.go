package drive_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// zone proves names by TXT records, and those that have a document root by that. A placement of its own is
// "txt NAME VALUE", to which a Place adds a blank and an x.
type zone struct {
	*web
	ca *testca.CA

	mu       sync.Mutex
	together []string // of each proof, in order
	removed  map[string]int
}

// Challenge implements order.Solver.
func (z *zone) Challenge(r ledger.Request, wildcard bool) order.Way {
	way := order.Way{Type: ledger.HTTP01}
	if wantsOf(r).Hook {
		way.Answers = order.HookAnswers
	}
	if wildcard || wantsOf(r).DNS {
		way.Type = ledger.DNS01
	}
	return way
}

// Plan implements order.Solver.
func (z *zone) Plan(ctx context.Context, r ledger.Request, p order.Proof, former string) (string, error) {
	if p.Type == ledger.HTTP01 {
		return z.web.Plan(ctx, r, p, former)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.together = append(z.together, fmt.Sprintf("%s %d of %s", p.Name, p.Index, strings.Join(p.Together, ",")))
	return "txt " + p.Name + " " + p.Content, nil
}

// Suits implements order.Solver.
func (z *zone) Suits(placement string, r ledger.Request, p order.Proof) bool {
	if p.Type == ledger.HTTP01 {
		return z.web.Suits(placement, r, p)
	}
	return strings.HasPrefix(placement, "txt "+p.Name+" "+p.Content)
}

// Place implements order.Solver.
func (z *zone) Place(ctx context.Context, placement, content string) (string, error) {
	words := strings.Fields(placement)
	switch {
	case words[0] != "txt":
		return z.web.Place(ctx, placement, content)
	case words[2] != content:
		return placement, fmt.Errorf("planned %s, placed %s", words[2], content)
	case len(words) == 3:
		z.ca.AddTXT("_acme-challenge."+words[1], content)
	}
	return strings.Join(words[:3], " ") + " x", nil
}

// Leaving implements order.Solver.
func (z *zone) Leaving(placement string) string {
	if !strings.HasPrefix(placement, "txt ") {
		return placement
	}
	return placement + "x"
}

// Remove implements order.Solver.
func (z *zone) Remove(ctx context.Context, placement string) error {
	words := strings.Fields(placement)
	if words[0] != "txt" {
		return z.web.Remove(ctx, placement)
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.removed[words[1]]++
	z.ca.RemoveTXT("_acme-challenge."+words[1], words[2])
	return nil
}

func (w *world) zone() *zone {
	z := &zone{web: w.web, ca: w.ca, removed: map[string]int{}}
	w.solver = z
	return z
}

// byDNS is what a lineage asks for whose names are proven by DNS.
func byDNS(lineage string, names ...string) ledger.Request {
	return wanting(ledger.Request{Lineage: lineage, Names: names, KeyType: "ecdsa"}, wants{DNS: true, Hook: true})
}

func TestAWildcardIsProvenByDNS(t *testing.T) {
	w := newWorld(t, testca.Config{})
	z := w.zone()
	r := byDNS("w.example", "w.example", "*.w.example", "v.example")
	w.get(r)
	w.settled(r)
	for _, a := range w.truth(r.Names...)[0].Authorizations {
		if a.ChallengeType != "dns-01" || a.Validations != 1 {
			t.Errorf("%s was proven by %s, %d validations", a.Name, a.ChallengeType, a.Validations)
		}
	}
	if left := w.ca.TXT("_acme-challenge.w.example"); len(left) > 0 || z.removed["w.example"] != 2 || z.removed["v.example"] != 1 {
		t.Errorf("left: %v, removed: %v", left, z.removed)
	}
	if len(z.together) < 3 || strings.Count(z.together[0], ",") != 2 {
		t.Errorf("put in place together: %q", z.together)
	}
	full := func(a *ledger.Authorization) string { return a.FullName() }
	var names []string
	for _, a := range w.orders("w.example")[0].Authorizations {
		names = append(names, full(a))
	}
	if slices.Sort(names); strings.Join(names, " ") != "*.w.example v.example w.example" {
		t.Errorf("authorizations: %q", names)
	}
}

func TestAWildcardTakesDNSAndOthersHTTPWhereNothingIsPreferred(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.zone()
	r := byDNS("w.example", "w.example", "*.w.example")
	r = wanting(r, wants{Hook: true, Roots: map[string]string{"w.example": "/srv/w.example"}})
	w.get(r)
	types := map[string]string{}
	for _, a := range w.truth(r.Names...)[0].Authorizations {
		types[strings.TrimPrefix(a.Name, "*.")+fmt.Sprint(strings.HasPrefix(a.Name, "*."))] = a.ChallengeType
	}
	if want := map[string]string{"w.examplefalse": "http-01", "w.exampletrue": "dns-01"}; !maps.Equal(types, want) {
		t.Errorf("proven by %v", types)
	}
}

func TestAFailedWildcardIsChargedByItsWholeName(t *testing.T) {
	w := newWorld(t, testca.Config{})
	z := w.zone()
	w.solver = forgetful{z}
	r := byDNS("w.example", "*.w.example")
	w.fails(order.Plan{Request: r}, failure.Validation)
	charges, err := w.store.Charges(t.Context(), w.row.ID, []string{"*.w.example"}, w.clock.Now().Add(-time.Hour))
	if must(t, err); len(charges) != 1 {
		t.Errorf("charges: %+v", charges)
	}
}

// forgetful puts nothing in place.
type forgetful struct{ *zone }

// Place implements order.Solver.
func (forgetful) Place(_ context.Context, placement, _ string) (string, error) { return placement, nil }

// TestDyingAnywhereLeavesNoRecord kills a process at each of its requests and commits; the next one goes on.
func TestDyingAnywhereLeavesNoRecord(t *testing.T) {
	w := newWorld(t, testca.Config{OrdersList: true})
	moments := 0
	for _, after := range []bool{false, true} {
		for k := 1; ; k++ {
			z := w.zone()
			name := fmt.Sprintf("k%d%v.example", k, after)
			r := byDNS(name, name, "*."+name)
			if !w.dying(r, death{commit: k, after: after}) {
				break
			}
			if moments++; moments > 80 {
				t.Fatal("it does not come to an end")
			}
			w.get(r)
			w.settled(r)
			two := 2 * len(w.truth(r.Names...)) // one that had come to its very end is followed by another order
			if left := w.ca.TXT("_acme-challenge." + name); len(left) > 0 || z.removed[name] < two || z.removed[name] > two+1 {
				t.Errorf("killed at commit %d, after: %v: left %v, removed %d times", k, after, left, z.removed[name])
			}
		}
	}
	if moments < 16 {
		t.Errorf("only %d moments were tried", moments)
	}
}

// An answer by one challenge is under way, and the next run is to prove the name by another: two validations of one name
// could fail each other.
func TestAnAnsweredChallengeIsNotChangedForAnother(t *testing.T) {
	w := newWorld(t, testca.Config{ValidationDelay: 60 * time.Millisecond})
	z := w.zone()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.wire.after = func(_ int, kind string, r *http.Response) *http.Response {
		if kind == "challenge" {
			cancel()
		}
		return r
	}
	r := request("a.example", "a.example")
	if _, err := obtain(ctx, w.engine(), order.Plan{Request: r}); failure.ClassOf(err) != failure.Stopped {
		t.Fatalf("it was not stopped: %v", err)
	}
	w.wire.forget()
	w.get(byDNS("a.example", "a.example"))
	w.settled(r)
	a := w.truth("a.example")[0].Authorizations[0]
	if a.ChallengeType != "http-01" || a.Validations != 1 || len(z.removed) != 0 {
		t.Errorf("proven by %s, %d validations, %v", a.ChallengeType, a.Validations, z.removed)
	}
}

func TestAnotherChallengeIsTakenBeforeTheFirstIsAnswered(t *testing.T) {
	w := newWorld(t, testca.Config{})
	z := w.zone()
	r := request("a.example", "a.example")
	w.web.lock("/srv/a.example", true)
	w.fails(order.Plan{Request: r}, failure.WebrootLocked)
	w.web.lock("/srv/a.example", false)
	w.get(byDNS("a.example", "a.example"))
	w.settled(r)
	if orders := w.truth("a.example"); len(orders) != 1 || orders[0].Authorizations[0].ChallengeType != "dns-01" || z.removed["a.example"] != 1 {
		t.Errorf("%+v, removed %v", orders, z.removed)
	}
}

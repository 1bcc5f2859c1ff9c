package cli_test

// What a person and a program read of a round that works on many certificates at once.

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// counted is the JSON of a round.
type counted struct {
	Results []struct {
		Lineage string    `json:"lineage"`
		Outcome string    `json:"outcome"`
		Class   string    `json:"class"`
		Started time.Time `json:"started"`
		Ended   time.Time `json:"ended"`
		Made    *int      `json:"orders_made"`
	} `json:"results"`
	Counts  map[string]int `json:"counts"`
	ByClass map[string]int `json:"by_class"`
}

func TestARoundOfManyIsToldWholeAndCounted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	var names []string
	for i := range 5 {
		name := fmt.Sprintf("s%d.example.com", i)
		names = append(names, name)
		h.must(append(h.certonly(w.site(name), name), "--deploy-hook", "echo deployed "+name)...)
	}
	w.remove(w.dir + "/sites/" + names[2])
	r := h.orderly("renew", "--force-renewal", "--jobs", "3")
	r.says(t, 1, "\n4 renewed, 1 refused before any order.\n", "1 renew failure(s), 0 parse failure(s)\n")
	const line = "- - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - - -"
	var seen []string
	for block := range strings.SplitSeq(r.stdout, "\n"+line+"\nProcessing ") {
		path, rest, begun := strings.Cut(block, "\n")
		name := strings.TrimSuffix(path[strings.LastIndex(path, "/")+1:], ".conf")
		if !begun || !slices.Contains(names, name) {
			continue
		}
		seen = append(seen, name)
		want := line + "\nRenewing an existing certificate for " + name + "\nHook 'deploy-hook' ran with output:\n deployed " + name + "\n"
		if name == names[2] {
			want = line + "\n"
		}
		if rest, _, _ = strings.Cut(rest, "\n\n"); strings.TrimRight(rest, "\n") != strings.TrimRight(want, "\n") {
			t.Errorf("the block of %s is %q", name, rest)
		}
	}
	if slices.Sort(seen); !slices.Equal(seen, names) {
		t.Errorf("blocks of %v: %s", seen, r)
	}

	r = h.orderly("renew", "--force-renewal", "--json")
	value := decode[counted](w, r.stdout)
	if r.code != 1 || len(value.Results) != 5 || value.Counts["issued"] != 4 || value.Counts["refused"] != 1 || len(value.ByClass) != 1 || value.ByClass["webroot-missing"] != 1 {
		t.Fatalf("%s", r)
	}
	for i, one := range value.Results {
		outcome, orders := "issued", 1
		if i == 2 {
			outcome, orders = "refused", 0
		}
		if one.Lineage != names[i] || one.Outcome != outcome || one.Made == nil || *one.Made != orders || one.Started.IsZero() || one.Ended.Before(one.Started) {
			t.Errorf("%+v", one)
		}
	}
	// where there is no account for it, nothing is ordered either
	value = decode[counted](w, h.orderly("renew", "--dry-run", "--json", "--server", w.ca.DirectoryURL()+"/other").stdout)
	if value.Counts["refused"] != 5 || value.ByClass["account"] != 5 {
		t.Errorf("%+v", value)
	}
	value = decode[counted](w, h.orderly("renew", "--json").stdout)
	if value.Counts["kept"] != 5 || len(value.ByClass) != 0 || !value.Results[0].Started.IsZero() {
		t.Errorf("%+v", value)
	}
}

func TestJobsIsANumberFromOneOn(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	for _, command := range [][]string{{"renew"}, {"resume"}, {"pending", "drain"}} {
		for jobs, says := range map[string]string{"0": "--jobs 0: nothing would be done", "-1": "--jobs -1: nothing would be done", "x": "--jobs x: not a whole number",
			"99999999999999999999": "--jobs 99999999999999999999: more than 10000 certificates at once", "10001": "--jobs 10001: more than 10000",
			"-99999999999999999999": ": nothing would be done"} {
			h.orderly(append(slices.Clone(command), "--jobs", jobs)...).says(t, 2, says)
		}
		for _, jobs := range []string{"1", " 4", "08"} {
			h.orderly(append(slices.Clone(command), "--jobs", jobs)...).says(t, 0, "")
		}
	}
	h.orderly("renew", "--deploy-hook-once", "/no/such/hook").says(t, 1, "Unable to find deploy-hook command /no/such/hook")
}

// Whatever ends a round, a program reads one document: also where the signal comes after the results were
// printed, while a post-hook runs.
func TestAStoppedRoundIsOneDocument(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	pipe := filepath.Join(w.dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() {
		_, _ = os.ReadFile(pipe)
		stop()
	}()
	r := h.run(ctx, "renew", "--force-renewal", "--json", "--post-hook", "mkdir "+pipe+".once && echo > "+pipe+" && exec sleep 600")
	r.says(t, 75, "stopped before the post-hook was done")
	if value := decode[counted](w, r.stdout); value.Counts["issued"] != 3 || strings.Contains(r.stderr, "{") {
		t.Errorf("%s", r)
	}
	ctx, stop = context.WithCancel(t.Context())
	for range 2 {
		h.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Hold})
	}
	go func() {
		for range 2 {
			<-h.ca.Held()
		}
		stop()
	}()
	r = h.run(ctx, "renew", "--force-renewal", "--json", "--jobs", "2")
	h.ca.ClearFaults()
	h.ca.Release()
	if value := decode[counted](w, r.stdout); r.code != 75 || value.Counts["stopped"] < 2 {
		t.Errorf("%s", r)
	}
	ctx, stop = context.WithCancel(t.Context())
	stop()
	r = h.run(ctx, "renew", "--force-renewal", "--json")
	decode[counted](w, r.stdout)
}

// In the log, where the steps of many certificates stand mixed, each line says which one it is about.
func TestTheLogOfManySaysWhichOneEachLineIsAbout(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := []string{"a.example.com", "b.example.com", "c.example.com"}
	h.lineages(names...)
	path := filepath.Join(h.logs, "orderly.log")
	w.remove(path)
	h.must("renew", "--force-renewal", "--jobs", "3", "--deploy-hook", "true")
	about := map[string]map[string]int{"new-order": {}, "finalize": {}, "solver": {}, "Running": {}}
	for line := range strings.Lines(w.read(path)) {
		for step := range about {
			if !strings.Contains(line, "kind="+step+" ") && !strings.Contains(line, "check="+step+" ") && !strings.Contains(line, step+" deploy-hook") {
				continue
			}
			_, lineage, _ := strings.Cut(strings.TrimSpace(line), " lineage=")
			about[step][lineage]++
		}
	}
	for step, of := range about {
		for _, name := range names {
			if of[name] == 0 || len(of) != len(names) {
				t.Errorf("%s: %v", step, of)
			}
		}
	}
}

// A hook that failed is told with whom it was for, also to a program and to who reads errors alone.
func TestAHookThatFailedIsTold(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	h.lineages("a.example.com", "b.example.com")
	hooks := []string{"renew", "--force-renewal", "--jobs", "2", "--deploy-hook", "exit 7", "--deploy-hook-once", "exit 3"}
	h.orderly(hooks...).says(t, 0, "Hook 'deploy-hook' reported error code 7\n", "what failed is the deploy-hook of a.example.com: exit 7\n",
		"what failed is the deploy-hook of b.example.com: exit 7\n", "what failed is the deploy-hook-once for 2 certificate(s): exit 3\n")
	if r := h.orderly(append(hooks, "-q")...); r.code != 0 || r.stdout != "" || strings.Count(r.stderr, "\n") != 2 ||
		!strings.HasPrefix(r.stderr, "error: the deploy-hook-once for 2 certificate(s) failed (exit status 3), ") {
		t.Errorf("%s", r)
	}
	r := h.orderly(append(hooks, "--json")...)
	var value struct {
		Hooks []struct {
			Hook     string   `json:"hook"`
			Command  string   `json:"command"`
			Code     *int     `json:"exit_code"`
			Lineages []string `json:"lineages"`
		} `json:"hooks_failed"`
	}
	if err := json.Unmarshal([]byte(r.stdout), &value); err != nil || r.code != 0 || len(value.Hooks) != 3 {
		t.Fatalf("%v: %s", err, r)
	}
	once := value.Hooks[2]
	if slices.Sort(once.Lineages); once.Hook != "deploy-hook-once" || once.Command != "exit 3" || *once.Code != 3 ||
		!slices.Equal(once.Lineages, []string{"a.example.com", "b.example.com"}) || *value.Hooks[0].Code != 7 || len(value.Hooks[0].Lineages) != 1 {
		t.Errorf("%s", r)
	}
}

// A round that is told to end counts what it did not come to, and says of each that it stopped what to do.
func TestAStoppedRoundAddsUp(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	var names []string
	for i := range 7 {
		names = append(names, fmt.Sprintf("s%d.example.com", i))
	}
	h.lineages(names...)
	stopped := func(asked ...string) result {
		ctx, stop := context.WithCancel(t.Context())
		h.ca.Inject(testca.Fault{Kind: "new-order", Nth: 2, Action: testca.Hold})
		go func() {
			<-h.ca.Held()
			stop()
		}()
		r := h.run(ctx, append([]string{"renew", "--force-renewal", "--jobs", "1"}, asked...)...)
		h.ca.ClearFaults()
		h.ca.Release()
		return r
	}
	r := stopped()
	r.says(t, 75, "\n1 renewed, 1 stopped, to be continued, 5 not reached.\n",
		"error: the round was stopped: of 7 certificates 1 are to be continued, and 5 were not reached\n")
	if strings.Contains(r.stdout, "Congratulations") {
		t.Errorf("%s", r)
	}
	r = stopped("--json")
	value, sum := decode[counted](h.world, r.stdout), 0
	for _, n := range value.Counts {
		sum += n
	}
	if r.code != 75 || sum != 7 || value.Counts["not_reached"] == 0 {
		t.Errorf("%s", r)
	}
}

// What befell a certificate befell each of its names.
func TestByCauseCountsNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, name := range []string{"a.example.com", "b.example.com"} {
		h.must(h.certonly(w.site(name, "www."+name), name, "www."+name)...)
		w.remove(w.dir + "/sites/" + name)
	}
	h.orderly("renew", "--force-renewal").says(t, 1, "webroot-missing: 4 names, 2 certificates")
}

// A limit of the CA's is told with the date until which it holds.
func TestByCauseTellsUntilWhen(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	h.lineages("a.example.com", "b.example.com")
	h.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "3600"})
	r := h.orderly("renew", "--force-renewal")
	_, causes, _ := strings.Cut(r.stderr, "By cause:\n")
	if first, _, _ := strings.Cut(causes, "\n"); r.code != 1 || !regexp.MustCompile(`: 2 names, 2 certificates \(.*\), until 20..-..-.. ..:..:.. UTC$`).MatchString(first) {
		t.Errorf("%s", r)
	}
}

// A dry run is told by the names of its certificates, also where it was stopped, and counts no renewals.
func TestADryRunOfManyIsToldInItsOwnWords(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	dry := []string{"renew", "--dry-run", "--server", h.ca.DirectoryURL()}
	for _, kind := range []string{"new-order", "finalize"} {
		ctx, stop := context.WithCancel(t.Context())
		h.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold})
		go func() {
			<-h.ca.Held()
			stop()
		}()
		r := h.run(ctx, append(dry, "--jobs", "1")...)
		h.ca.ClearFaults()
		h.ca.Release()
		if r.code != 75 || strings.Contains(r.stdout+r.stderr, "rehearsal/") {
			t.Errorf("stopped at %s: %s", kind, r)
		}
	}
	r := h.orderly(dry...)
	r.says(t, 0, "\n3 rehearsed.\n")
	if strings.Contains(r.stdout+r.stderr, "rehearsal/") {
		t.Errorf("%s", r)
	}
}

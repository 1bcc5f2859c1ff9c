package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// effects gives names to what a run does on disk. It has a memory: tokens are numbered as they come, and so are the
// ledger's commits, which end with a sync of its log.
type effects struct {
	world   string
	names   []naming
	tokens  map[string]int
	commits int
}

func newEffects(world string) *effects {
	return &effects{world: world, names: effectNames(), tokens: map[string]int{}, commits: 1}
}

// naming is the name of an effect by the path it concerns, below the host's or the test's directory.
type naming struct {
	path *regexp.Regexp
	name string
}

// effectNames are tried in turn. An empty name is no effect that anything depends on.
func effectNames() []naming {
	list := []struct{ path, name string }{
		{`^log(/|$)|^$`, ""},
		{`^(etc|lib|etc/renewal-hooks(/\w+)?|etc/orderly)$`, "directories"},
		{`\.certbot\.lock$|^etc/orderly/lock$`, "locks"},
		{`^etc/orderly/ledger\.db\.new`, "ledger, made"},
		{`^etc/orderly/ledger\.db-(wal|shm)$`, "ledger, commit"},
		{`^etc/orderly/ledger\.db$`, "ledger, checkpoint"},
		{`^etc/orderly/new-accounts(/|$)`, "account key"},
		{`^etc/accounts(/|$)`, "account"},
		{`^etc/orderly/retired(/|$)`, "put aside"},
		{`^etc/orderly/keys$`, "directory of keys"},
		{`^etc/orderly/keys/[^/]*\.key$`, "private key"},
		{`^etc/orderly/keys/[^/]*\.csr$`, "CSR"},
		{`/\.well-known(/acme-challenge)?$`, "directory for tokens"},
		{`/acme-challenge/orderly-[^/]*$`, "probe"},
		{`/acme-challenge/[^/]*$`, "token"},
		{`/\.[^/]*\.probe\d+\.\d\.orderly-new$`, ""}, // whether a certificate can be put in place
		{`^etc/archive/.*/privkey\d\.pem$`, "certificate, its key"},
		{`^etc/archive/.*/(cert|chain|fullchain)\d\.pem$`, "certificate"},
		{`^etc/archive(/|$)`, "certificate, directory"},
		{`^etc/live/.*/\w+\.pem$`, "links"},
		{`^etc/live/(.*/)?README$`, "README"},
		{`^etc/live(/|$)`, "links, directory"},
		{`^etc/renewal(/|$)`, "renewal file"},
		{`^hooks/(pre|deploy|post)$`, "hook"},
	}
	var all []naming
	for _, n := range list {
		all = append(all, naming{regexp.MustCompile(n.path), n.name})
	}
	return all
}

// deed names what a system call is about to do, nil if it is no effect.
func (e *effects) deed(call, path string) (*deed, error) {
	path, inside := strings.CutPrefix(filepath.Clean(path), e.world+"/")
	if !inside {
		return nil, nil
	}
	below := strings.TrimPrefix(strings.TrimPrefix(path, "host/one"), "/")
	for _, n := range e.names {
		if !n.path.MatchString(below) {
			continue
		}
		if n.name == "" || (call == "exec") != (n.name == "hook") {
			return nil, nil
		}
		return &deed{Effect: e.name(n.name, call, filepath.Base(below)), Call: call, Path: below}, nil
	}
	if call == "exec" || path == "host" || path == "hooks/log" {
		return nil, nil // the shell's own, and what the hook does
	}
	return nil, fmt.Errorf("nobody knows why %s is met with %s", path, call)
}

func (e *effects) name(name, call, base string) string {
	switch name {
	case "token":
		if e.tokens[base] == 0 {
			e.tokens[base] = len(e.tokens) + 1
		}
		name = fmt.Sprint("token ", e.tokens[base])
	case "ledger, commit":
		name = fmt.Sprint("ledger, commit ", e.commits)
		if call == "remove" {
			name = "ledger, its log" // by the last one who has it open
		}
	case "hook":
		return base + "-hook"
	}
	if call == "remove" {
		name += ", removed"
	}
	return name
}

// done ends what ends with a deed.
func (e *effects) done(d *deed) {
	if d.Call == "sync" && strings.HasSuffix(d.Path, ".db-wal") {
		e.commits++
	}
}

// blow is a kill before, within or after an effect of a command.
type blow struct {
	character
	command string // certonly or renew
	moment  string
	kill    kill
}

func (b blow) String() string {
	when := "before"
	if b.kill.After {
		when = "after"
	}
	return fmt.Sprintf("%s, %s, %s, %s %s %d", b.name, b.command, b.kill.Effect, when, b.kill.Call, b.kill.Nth)
}

// blowsOf makes kills of what a run was seen to do: one before each deed of an effect and one after the last. Of the many
// writes to the ledger only the first and the last deed count.
func blowsOf(ca character, command string, seen []deed) []blow {
	of := map[string][]deed{}
	var order []string
	for _, d := range seen {
		if of[d.Effect] == nil {
			order = append(order, d.Effect)
		}
		of[d.Effect] = append(of[d.Effect], d)
	}
	var all []blow
	for _, effect := range order {
		list := of[effect]
		if strings.HasPrefix(effect, "ledger") && len(list) > 2 {
			list = []deed{list[0], list[len(list)-1]}
		}
		for i, d := range list {
			moment := "within"
			if i == 0 {
				moment = "before"
			}
			if d.Call != "exit" { // a hook's end has only an after
				all = append(all, blow{ca, command, moment, kill{d.Effect, d.Call, d.Nth, false}})
			}
		}
		last := list[len(list)-1]
		all = append(all, blow{ca, command, "after", kill{last.Effect, last.Call, last.Nth, true}})
	}
	return all
}

// effectsWanted are those that a first issuance must be seen to have; with the others they are all in the matrix.
func effectsWanted() []string {
	return []string{"ledger, made", "ledger, commit 1", "ledger, commit 9", "account key", "account", "probe", "pre-hook", "directory for tokens",
		"token 1", "token 2", "token 1, removed", "private key", "CSR", "certificate, its key", "certificate", "certificate, directory",
		"links", "links, directory", "renewal file", "deploy-hook", "post-hook", "private key, removed", "ledger, checkpoint"}
}

func TestAKillAroundEveryEffect(t *testing.T) {
	t.Parallel()
	cas := []character{characters()[2]}
	if whole {
		cas = append(cas, characters()[0], characters()[1])
	}
	for i, ca := range cas {
		for _, command := range []string{"certonly", "renew"} {
			seen := ca.watchOnce(t, command)
			all := blowsOf(ca, command, seen)
			if command == "certonly" {
				hasEffects(t, all)
				hasDurableLedger(t, seen)
			}
			for _, b := range sliceOf(all) {
				if !whole && !b.chosen(all) || i > 0 && b.moment == "within" {
					continue
				}
				t.Run(b.String(), func(t *testing.T) {
					for key, value := range map[string]string{"effect": b.kill.Effect, "moment": b.moment, "call": b.kill.Call,
						"nth": strconv.Itoa(b.kill.Nth), "command": b.command, "ca": b.name, "fault": "SIGKILL"} {
						t.Attr(key, value)
					}
					t.Parallel()
					atSomePace(t, func(p pace) bool { return b.run(t, p) })
				})
			}
		}
	}
}

// chosen says whether a kill is in the choice: one for each effect, before and after it in turn.
func (b blow) chosen(all []blow) bool {
	var effects []string
	for _, other := range all {
		if !slices.Contains(effects, other.kill.Effect) {
			effects = append(effects, other.kill.Effect)
		}
	}
	return b.moment == []string{"before", "after"}[slices.Index(effects, b.kill.Effect)%2]
}

func hasEffects(t *testing.T, all []blow) {
	t.Helper()
	for _, effect := range effectsWanted() {
		for _, moment := range []string{"before", "after"} {
			if !slices.ContainsFunc(all, func(b blow) bool { return b.kill.Effect == effect && b.moment == moment }) {
				t.Errorf("no kill %s %q", moment, effect)
			}
		}
	}
}

// hasDurableLedger wants the name of the ledger's directory to be on the disk before anything is committed: a power cut would
// otherwise take the ledger away with it.
func hasDurableLedger(t *testing.T, seen []deed) {
	t.Helper()
	made := slices.IndexFunc(seen, func(d deed) bool { return d.Call == "mkdir" && d.Path == "etc/orderly" })
	committed := slices.IndexFunc(seen, func(d deed) bool { return d.Effect == "ledger, commit 1" })
	synced := func(d deed) bool { return d.Call == "sync" && d.Path == "etc" }
	if made < 0 || committed < made || !slices.ContainsFunc(seen[made:committed], synced) {
		t.Errorf("etc/orderly, made at %d, is not durable at %d: %+v", made, committed, seen[:max(committed, 0)])
	}
}

// hookedCommand is a first issuance with three hooks that leave a word in a log.
func (h *host) hookedCommand(names []string) []string {
	h.t.Helper()
	command := h.certonly(h.site(names...), names...)
	for _, kind := range []string{"pre", "deploy", "post"} {
		path := filepath.Join(h.dir, "hooks", kind)
		h.write(path, "#!/bin/sh\necho "+kind+" >> "+filepath.Join(h.dir, "hooks", "log")+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			h.t.Fatal(err)
		}
		command = append(command, "--"+kind+"-hook", path)
	}
	return command
}

// stage makes a host on which the command is about to be run, and returns its command line.
func (c character) stage(t *testing.T, command string, p pace) (*host, []string, []string) {
	w := newWorld(t, c.configFor(point{}, p))
	h := w.host("one").slowed(p)
	names := someNames(2)
	line := h.hookedCommand(names)
	if command == "renew" {
		h.must(line...)
		h.remove(filepath.Join(h.dir, "hooks", "log"))
		line = []string{"renew", "--force-renewal", "--longest-validation", h.longest.String()}
	}
	return h, line, names
}

// watchOnce sees what a run does that nobody kills.
func (c character) watchOnce(t *testing.T, command string) []deed {
	h, line, _ := c.stage(t, command, 1)
	r, seen := h.watched(nil, line...)
	if r.code != 0 {
		t.Fatalf("%s", r)
	}
	return seen
}

// run plays the kill, and reports whether times were in order: a CA that is done before it is looked at saves the run some of
// what it was seen to do.
func (b blow) run(t *testing.T, p pace) bool {
	h, line, names := b.stage(t, b.command, p)
	r, _ := h.watched(&b.kill, line...)
	if r.signal != syscall.SIGKILL {
		if r.code != 0 {
			t.Errorf("the moment to kill did not come: %s", r)
		}
		return false
	}
	h.nothingHalf(names[0])
	h.nothingUnknown()
	if b.command == "renew" {
		line = []string{"resume", "--longest-validation", h.longest.String()}
	}
	h.must(line...)
	if !h.inOrder() {
		return false
	}
	b.judge(h, names)
	return true
}

// judge wants what must be true after a kill at any instant, and each hook run at least once if it had to be (rule 14).
func (b blow) judge(h *host, names []string) {
	h.t.Helper()
	truth := h.ca.Truth()
	least, most := 1, 1
	if b.command == "renew" {
		most = 2 // the one there was, and the one the killed run was about, if it had come to order it
	}
	if n := len(truth.Issued); n < least || n > most {
		h.t.Errorf("%d certificates were issued, not %d to %d", n, least, most)
	}
	if n := truth.ValidatedTwice(); n > 0 {
		h.t.Errorf("%d authorizations were validated more than once", n)
	}
	if n := accounts(truth); n > 1 {
		h.t.Errorf("%d accounts were made", n)
	}
	phantoms := h.pending()
	unsent := b.command == "certonly" && asked(truth, "new-order") == 1 || b.command == "renew" && asked(truth, "new-order") == 2
	for _, entry := range phantoms {
		// A CA that neither lists nor hands back the order of a newOrder that was never sent cannot show
		// that there is none, where the next one came so much later that its order is not the first.
		inDoubt := !b.finds || unsent && !b.config.OrdersList
		if entry.State != "phantom" || !inDoubt {
			h.t.Errorf("orderly pending lists %+v", entry)
		}
	}
	if n := len(unfinished(truth)); n > len(phantoms) || truth.Pending() > len(phantoms)*len(names) {
		h.t.Errorf("%d orders are unfinished and %d authorizations pending, the ledger knows of %d", n, truth.Pending(), len(phantoms))
	}
	h.nothingUnknown()
	h.goodPair(names[0], names...)
	h.tidyButForProbes()
	b.judgeHooks(h, len(truth.Issued) == most)
}

// asked counts the requests of a kind that arrived at the CA.
func asked(truth testca.Truth, kind string) int {
	n := 0
	for _, r := range truth.Requests {
		if r.Kind == kind {
			n++
		}
	}
	return n
}

func (b blow) judgeHooks(h *host, issued bool) {
	h.t.Helper()
	text, _ := os.ReadFile(filepath.Join(h.dir, "hooks", "log")) // none, if the kill came before all hooks
	ran := strings.Fields(string(text))
	if issued && !slices.Contains(ran, "deploy") {
		h.t.Errorf("the deploy hook did not run: %q", ran)
	}
	if slices.Contains(ran, "pre") && !slices.Contains(ran, "post") {
		h.t.Errorf("the post-hook did not run: %q", ran)
	}
}

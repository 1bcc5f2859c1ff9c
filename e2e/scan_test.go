package e2e_test

// What Debian's certbot leaves at the CA, told from its logs alone: renewals without a document root,
// runs killed at any request, and whole ones. What the logs name open is asked about, finished and
// given up; at the end the CA holds nothing pending.

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// unrooted takes the document roots out of a renewal file, as the provider's were.
var unrooted = regexp.MustCompile(`(?m)^(webroot_path = .*|\[\[webroot_map\]\]|\S+ = /.*sites/.*)\n`)

func TestWhatCertbotsLogsLeaveOpen(t *testing.T) {
	t.Parallel()
	broken, killed, good := 6, 6, 3
	if whole {
		broken, killed, good = 50, 20, 30
	}
	w := newWorld(t, testca.Config{HideProcessing: true})
	h := w.host("one")
	var names []string
	for i := range broken + killed + good {
		names = append(names, fmt.Sprintf("n%d.example.com", i))
	}
	root := w.site(names...)
	for _, name := range names {
		h.must(h.certonly(root, name)...)
	}
	for _, name := range names[:broken] {
		conf := filepath.Join(h.config, "renewal", name+".conf")
		w.write(conf, unrooted.ReplaceAllString(w.read(conf), ""))
	}
	random := rand.New(rand.NewPCG(1, uint64(broken)))
	for _, name := range names[broken : broken+killed] {
		h.killCertbot(random, name)
	}
	// The rest at once: broken and good ones in one round, and those that were killed once more by
	// nobody: their orders stay as they are.
	for _, name := range names[broken : broken+killed] {
		conf := filepath.Join(h.config, "renewal", name+".conf")
		w.write(conf+".off", w.read(conf))
		if err := os.Remove(conf); err != nil {
			t.Fatal(err)
		}
	}
	h.certbot("renew", "--force-renewal", "--no-random-sleep-on-renew")
	for _, name := range names[broken : broken+killed] {
		conf := filepath.Join(h.config, "renewal", name+".conf")
		if err := os.Rename(conf+".off", conf); err != nil {
			t.Fatal(err)
		}
	}

	before := w.ca.Truth().RequestsByKind["authorization"]
	checked := h.must("pending", "scan", "--check", "--json", h.logs)
	asked := w.ca.Truth().RequestsByKind["authorization"] - before
	want := pendingAt(w.ca.Truth())
	got := h.pendingURLs()
	if !slices.Equal(got, want) {
		t.Errorf("pending by the ledger %q, at the CA %q; %s", got, want, checked)
	}
	if asked > 2*len(want) {
		t.Errorf("asked %d times about %d", asked, len(want))
	}
	t.Logf("%d pending found with %d questions; asking about every authorization logged takes %d", len(want), asked,
		len(h.logged(w.ca.Truth())))

	drained := h.orderly("pending", "drain")
	for _, o := range w.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if a.Status == "pending" && !slices.Contains(names[:broken], a.Name) {
				t.Errorf("%s was not finished: %s", a.Name, drained)
			}
		}
	}
	h.must("pending", "release", "--all", "--yes")
	if n := w.ca.Truth().Pending(); n != 0 {
		t.Errorf("%d are pending at the end", n)
	}
}

// killCertbot has certbot killed as the CA holds one of its requests.
func (h *host) killCertbot(random *rand.Rand, name string) {
	h.t.Helper()
	kinds := []string{"new-order", "authorization", "challenge", "authorization", "order", "finalize"}
	kind := kinds[random.IntN(len(kinds))]
	// An order of which the answer is lost is in no log; it is counted as such.
	nth := 1 + random.IntN(2)*boolInt(kind == "authorization")
	h.killCertbotAt(point{kind, nth, kind != "new-order" && random.IntN(2) == 0},
		"renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", name)
}

// killCertbotAt has certbot killed at a request, if it comes to it.
func (h *host) killCertbotAt(at point, args ...string) {
	h.t.Helper()
	h.hold(at.kind, at.nth, at.after)
	c := h.startCertbot(args...)
	if _, held := h.heldOrEnded(c); held {
		c.signal(syscall.SIGKILL)
	}
	c.wait()
	h.ca.ClearFaults()
	h.ca.Release()
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// pendingAt are the URLs of what the CA holds pending, in order.
func pendingAt(truth testca.Truth) []string {
	var all []string
	for _, o := range truth.Orders {
		for _, a := range o.Authorizations {
			if a.Status == "pending" && !a.Expired {
				all = append(all, a.URL)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// pendingURLs are those that `pending` lists as the ledger's own.
func (h *host) pendingURLs() []string {
	h.t.Helper()
	var list struct {
		Pending []struct {
			Order int    `json:"order"`
			URL   string `json:"authorization_url"`
		} `json:"pending"`
	}
	if err := json.Unmarshal([]byte(h.must("pending", "--json").stdout), &list); err != nil {
		h.t.Fatal(err)
	}
	var all []string
	for _, p := range list.Pending {
		if p.Order != 0 {
			all = append(all, p.URL)
		}
	}
	slices.Sort(all)
	return all
}

// logged are the authorizations of the CA's that certbot's logs name.
func (h *host) logged(truth testca.Truth) []string {
	h.t.Helper()
	var text strings.Builder
	files, err := filepath.Glob(filepath.Join(h.logs, "letsencrypt.log*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			h.t.Fatal(err)
		}
		_, err = io.Copy(&text, f)
		_ = f.Close()
		if err != nil {
			h.t.Fatal(err)
		}
	}
	var all []string
	for _, o := range truth.Orders {
		for _, a := range o.Authorizations {
			if strings.Contains(text.String(), a.URL) {
				all = append(all, a.URL)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

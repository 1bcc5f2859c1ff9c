package e2e_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"orderly/testca"
)

// pendingEntry is a line of `orderly pending --json`.
type pendingEntry struct {
	Order   int64     `json:"order"`
	State   string    `json:"order_state"`
	URL     string    `json:"authorization_url"`
	Names   []string  `json:"names"`
	Expires time.Time `json:"expires"`
	Age     float64   `json:"age_seconds"`
	Next    string    `json:"next"`
}

// decode reads the JSON that a command printed; its version must be 1.
func decode[T any](w *world, text string) T {
	w.t.Helper()
	var version struct{ Version int }
	var value T
	if err := json.Unmarshal([]byte(text), &version); err != nil || version.Version != 1 {
		w.t.Fatalf("no JSON with version 1 (%v): %s", err, text)
	}
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	return value
}

func (h *host) pending() []pendingEntry {
	h.t.Helper()
	return decode[struct{ Pending []pendingEntry }](h.world, h.must("pending", "--json").stdout).Pending
}

// promise is what must be true at the end of it all.
type promise struct {
	lineage string
	names   []string
	// certificates is how many were issued in all, 1 if 0.
	certificates int
	phantom      phantom
}

// phantom says whether an order may stand in the ledger, and at the CA, that nobody can find.
type phantom int

const (
	noPhantom  phantom = iota
	mayPhantom         // newOrder never arrived, but nobody can tell
	isPhantom          // newOrder was processed, and nobody can tell
)

// kept checks a promise against the CA's truth, the ledger's word and the disk.
func (h *host) kept(p promise) {
	h.t.Helper()
	if p.lineage == "" {
		p.lineage = p.names[0]
	}
	truth := h.ca.Truth()
	if want := max(p.certificates, 1); len(truth.Issued) != want {
		h.t.Errorf("%d certificates were issued, not %d", len(truth.Issued), want)
	}
	if n := truth.ValidatedTwice(); n > 0 {
		h.t.Errorf("%d authorizations were validated more than once", n)
	}
	if n := accounts(truth); n > 1 {
		h.t.Errorf("%d accounts were made", n)
	}
	h.accounted(truth, p)
	h.nothingUnknown()
	h.goodPair(p.lineage, p.names...)
	h.tidy()
}

// accounted checks that the ledger knows of everything that is open at the CA.
func (h *host) accounted(truth testca.Truth, p promise) {
	h.t.Helper()
	listed := h.pending()
	for _, entry := range listed {
		if entry.State != "phantom" || p.phantom == noPhantom {
			h.t.Errorf("orderly pending lists %+v", entry)
		}
		if !slices.Equal(entry.Names, sorted(p.names)) {
			h.t.Errorf("the phantom has the names %v, not %v", entry.Names, sorted(p.names))
		}
	}
	orders, open := 0, 0
	if p.phantom == isPhantom {
		orders, open = 1, len(p.names)
		if len(listed) != 1 {
			h.t.Errorf("%d phantoms are known, not the one", len(listed))
		}
	}
	if unfinished := unfinished(truth); len(unfinished) != orders {
		h.t.Errorf("%d orders are unfinished at the CA, not %d", len(unfinished), orders)
	}
	if n := truth.Pending(); n != open {
		h.t.Errorf("%d authorizations are pending at the CA, not %d", n, open)
	}
}

// nothingUnknown checks that what is pending at the CA is never more than what `orderly pending` shows, at whatever moment: each
// authorization stands there, or its order does, as a newOrder whose answer never came.
func (h *host) nothingUnknown() {
	h.t.Helper()
	truth := h.ca.Truth()
	if truth.Pending() == 0 {
		return
	}
	shown, unseen := map[string]bool{}, map[string]int{}
	for _, entry := range h.pending() {
		if entry.URL != "" {
			shown[path.Base(entry.URL)] = true // a CA may write its URLs in several forms
		} else {
			unseen[nameSet(entry.Names)]++
		}
	}
	for _, o := range truth.Orders {
		open := slices.ContainsFunc(o.Authorizations, func(a testca.TruthAuthorization) bool {
			return a.Status == "pending" && !a.Expired && !shown[path.Base(a.URL)]
		})
		if !open || o.Expired {
			continue
		}
		if unseen[nameSet(o.Names)]--; unseen[nameSet(o.Names)] < 0 {
			h.t.Errorf("order %s of %v has pending authorizations at the CA, and orderly pending does not show them", o.URL, o.Names)
		}
	}
}

// unfinished lists the orders that are neither issued nor dead.
func unfinished(truth testca.Truth) []testca.TruthOrder {
	return slices.DeleteFunc(slices.Clone(truth.Orders), func(o testca.TruthOrder) bool {
		return o.Serial != "" || o.Status == "invalid" || o.Expired
	})
}

func sorted(names []string) []string { return slices.Sorted(slices.Values(names)) }

// goodPair checks that a lineage's files are what certbot and a web server want.
func (h *host) goodPair(lineage string, names ...string) *x509.Certificate {
	h.t.Helper()
	live := filepath.Join(h.config, "live", lineage)
	pair, err := tls.LoadX509KeyPair(filepath.Join(live, "fullchain.pem"), filepath.Join(live, "privkey.pem"))
	if err != nil {
		h.t.Errorf("%s: %v", lineage, err)
		return nil
	}
	if len(names) > 0 && !slices.Equal(sorted(pair.Leaf.DNSNames), sorted(names)) {
		h.t.Errorf("the certificate of %s is for %v, not %v", lineage, pair.Leaf.DNSNames, names)
	}
	h.goodLinks(lineage)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(h.ca.IssuingRootPEM())
	between := x509.NewCertPool()
	between.AppendCertsFromPEM([]byte(h.read(filepath.Join(live, "chain.pem"))))
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between}); err != nil {
		h.t.Errorf("%s: %v", lineage, err)
	}
	if whole := h.read(filepath.Join(live, "cert.pem")) + h.read(filepath.Join(live, "chain.pem")); whole != h.read(filepath.Join(live, "fullchain.pem")) {
		h.t.Errorf("%s: fullchain.pem is not cert.pem and chain.pem", lineage)
	}
	return pair.Leaf
}

// goodLinks checks form and modes as certbot leaves them: relative links, all to one version, a key for its owner alone.
func (h *host) goodLinks(lineage string) {
	h.t.Helper()
	version := ""
	for _, kind := range []string{"cert", "chain", "fullchain", "privkey"} {
		to, err := os.Readlink(filepath.Join(h.config, "live", lineage, kind+".pem"))
		rest, ours := strings.CutPrefix(to, "../../archive/"+lineage+"/"+kind)
		number, numbered := strings.CutSuffix(rest, ".pem")
		if err != nil || !ours || !numbered || (version != "" && number != version) {
			h.t.Errorf("the link %s of %s leads to %q (%v)", kind, lineage, to, err)
		}
		version = number
	}
	h.mode(filepath.Join("archive", lineage, "privkey"+version+".pem"), 0o600)
	h.mode(filepath.Join("archive", lineage, "cert"+version+".pem"), 0o644)
	h.mode("archive", 0o700)
	h.mode("live", 0o700)
	h.mode(filepath.Join("renewal", lineage+".conf"), 0o644)
	h.mode("orderly", 0o700)
	h.mode("orderly/ledger.db", 0o600)
}

func (h *host) mode(path string, want fs.FileMode) {
	h.t.Helper()
	info, err := os.Stat(filepath.Join(h.config, path))
	if err != nil {
		h.t.Error(err)
		return
	}
	if got := info.Mode().Perm(); got != want {
		h.t.Errorf("%s has the mode %o, not %o", path, got, want)
	}
}

// tidy checks that nothing lies about: no token or directory of ours in a document root, no key of a settled order, no
// unfinished directory beside the lineages.
func (h *host) tidy() {
	h.t.Helper()
	for _, path := range below(filepath.Join(h.dir, "sites")) {
		if strings.Contains(path, "well-known") {
			h.t.Errorf("%s was left behind", path)
		}
	}
	h.tidyHome()
}

// tidyButForProbes is tidy for runs that may have been killed in preflight: the ledger knows nothing of probes, whose
// files go after an hour, and whose directories may stay.
func (h *host) tidyButForProbes() {
	h.t.Helper()
	for _, path := range below(filepath.Join(h.dir, "sites")) {
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() && filepath.Base(path) != "index.html" && !strings.HasPrefix(filepath.Base(path), "orderly-") {
			h.t.Errorf("%s was left behind", path)
		}
	}
	h.tidyHomeBut(func(name string) bool { return probeOfALineage.MatchString(name) })
}

// probeOfALineage is what a run that was killed as it tried whether a directory can be written leaves
// there: the next one that tries takes it away.
var probeOfALineage = regexp.MustCompile(`^\..+\.probe[0-9]+\.[12]\.orderly-new$`)

// tidyHome looks at the host's own directories alone.
func (h *host) tidyHome() {
	h.t.Helper()
	h.tidyHomeBut(func(string) bool { return false })
}

// tidyHomeBut is tidyHome without the files that may be there.
func (h *host) tidyHomeBut(may func(name string) bool) {
	h.t.Helper()
	for _, path := range below(filepath.Join(h.config, "orderly", "keys")) {
		if !may(filepath.Base(path)) {
			h.t.Errorf("%s was left behind", path)
		}
	}
	for _, dir := range []string{"live", "archive", "renewal"} {
		entries, _ := os.ReadDir(filepath.Join(h.config, dir))
		for _, entry := range entries {
			if may(entry.Name()) {
				continue
			}
			if strings.HasPrefix(entry.Name(), ".") || strings.HasSuffix(entry.Name(), ".new") {
				h.t.Errorf("%s/%s was left behind", dir, entry.Name())
			}
		}
	}
}

// below lists everything in a directory, recursively.
func below(dir string) []string {
	var paths []string
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil && path != dir {
			paths = append(paths, path)
		}
		return nil
	})
	return paths
}

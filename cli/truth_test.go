package cli_test

// What must be true in the end, judged by the CA and the disk, and by the ledger's word beside
// them.

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/testca"
)

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

// pending are the names that `orderly pending` shows.
func (h *host) pending() (names []string) {
	h.t.Helper()
	type entry struct{ Names []string }
	shown := decode[struct{ Pending []entry }](h.world, h.must("pending", "--json").stdout)
	for _, e := range shown.Pending {
		names = append(names, e.Names...)
	}
	return names
}

// unfinished are the orders that are neither issued nor dead.
func unfinished(truth testca.Truth) []testca.TruthOrder {
	return slices.DeleteFunc(slices.Clone(truth.Orders), func(o testca.TruthOrder) bool {
		return o.Serial != "" || o.Status == "invalid" || o.Expired
	})
}

// kept wants so many certificates, the last for these names in place, and nothing left open or
// lying about.
func (h *host) kept(certificates int, names ...string) {
	h.t.Helper()
	truth := h.ca.Truth()
	if len(truth.Issued) != certificates || truth.ValidatedTwice() > 0 || len(truth.Accounts) != 1 {
		h.t.Errorf("%d certificates, %d validated twice, %d accounts", len(truth.Issued),
			truth.ValidatedTwice(), len(truth.Accounts))
	}
	h.nothingOpen()
	h.goodPair(names[0], names...)
	for _, dir := range []string{filepath.Join(h.dir, "sites"),
		filepath.Join(h.config, "orderly", "keys")} {
		_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && (strings.Contains(path, "well-known") || filepath.Dir(path) == dir &&
				filepath.Base(dir) == "keys") {
				h.t.Errorf("%s was left behind", path)
			}
			return nil
		})
	}
}

// nothingOpen wants nothing pending at the CA, nor by the ledger.
func (h *host) nothingOpen() {
	h.t.Helper()
	truth := h.ca.Truth()
	if open := unfinished(truth); truth.Pending() != 0 || len(open) != 0 || len(h.pending()) != 0 {
		h.t.Errorf("%d authorizations are pending at the CA, with %d orders; orderly shows %v",
			truth.Pending(), len(open), h.pending())
	}
}

// goodPair checks that a lineage's certificate and key belong together and are for these names, as
// the CA issued them.
func (h *host) goodPair(lineage string, names ...string) *x509.Certificate {
	h.t.Helper()
	pair, err := tls.LoadX509KeyPair(h.live(lineage, "fullchain.pem"), h.live(lineage, "privkey.pem"))
	if err != nil {
		h.t.Errorf("%s: %v", lineage, err)
		return nil
	}
	if len(names) > 0 && !slices.Equal(slices.Sorted(slices.Values(pair.Leaf.DNSNames)),
		slices.Sorted(slices.Values(names))) {
		h.t.Errorf("the certificate of %s is for %v, not %v", lineage, pair.Leaf.DNSNames, names)
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AppendCertsFromPEM(h.ca.IssuingRootPEM())
	between.AppendCertsFromPEM([]byte(h.read(h.live(lineage, "chain.pem"))))
	if _, err := pair.Leaf.Verify(x509.VerifyOptions{Roots: roots,
		Intermediates: between}); err != nil {
		h.t.Errorf("%s: %v", lineage, err)
	}
	return pair.Leaf
}

// accountIDs are the names of the account directories for the CA.
func (h *host) accountIDs() []string {
	h.t.Helper()
	dir := strings.TrimPrefix(h.ca.DirectoryURL(), "https://")
	entries, err := os.ReadDir(filepath.Join(h.config, "accounts", dir))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Name())
	}
	return ids
}

// says wants a run's exit code, and lines on stdout and stderr.
func (h *host) says(r result, code int, stdout, stderr []string) {
	h.t.Helper()
	if r.code != code {
		h.t.Errorf("exit %d, not %d: %s", r.code, code, r)
	}
	for _, want := range stdout {
		if !strings.Contains(r.stdout, want) {
			h.t.Errorf("stdout lacks %q: %s", want, r)
		}
	}
	for _, want := range stderr {
		if !strings.Contains(r.stderr, want) {
			h.t.Errorf("stderr lacks %q: %s", want, r)
		}
	}
}

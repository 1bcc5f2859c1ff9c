package cli_test

import (
	"context"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/lock"
	"orderly/testca"
)

// remember puts what was seen of names into the host's ledger.
func (h *host) remember(sightings ...ledger.Sighting) {
	h.t.Helper()
	h.commit(&ledger.Change{Sightings: sightings})
}

// commit writes into the host's ledger.
func (h *host) commit(c *ledger.Change) {
	h.t.Helper()
	dir := filepath.Join(h.config, "orderly")
	locks, err := lock.Open(filepath.Join(dir, "lock"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer locks.Close()
	store, err := sqlite.Open(h.t.Context(), sqlite.Options{Dir: dir, Host: h.env["ORDERLY_HOST"], Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) { return locks.Lock(ctx, "ledger") }})
	if err != nil {
		h.t.Fatal(err)
	}
	defer store.Close()
	if err := store.Commit(h.t.Context(), c); err != nil {
		h.t.Fatal(err)
	}
}

func TestSitesThatHaveBeenAwayAreListedWithWhatWasSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	h.must("retire").says(t, 0, "No certificate whose sites have all been away for 30 days.")
	since := time.Now().Add(time.Hour).UTC().Truncate(time.Second)
	h.remember(ledger.Sighting{Name: "a.example.com", Addresses: []netip.Addr{netip.MustParseAddr("198.51.100.7")},
		ServedAt: since.Add(-24 * time.Hour), ElsewhereSince: since, LookedAt: since.Add(31 * 24 * time.Hour)})
	h.must("retire").says(t, 0, "AWAY", "a.example.com", since.Format("2006-01-02 15:04"), "a.example.com points to 198.51.100.7",
		"`orderly retire CERTIFICATE")
	var list struct {
		Version int
		Away    []struct {
			Lineage string
			Since   time.Time
			Names   []struct {
				Name, State string
				Addresses   []string
				ServedAt    time.Time `json:"served_at"`
			}
		}
		Retired []any
	}
	r := h.must("retire", "--json")
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil || list.Version != 1 || len(list.Away) != 1 || list.Retired == nil {
		t.Fatalf("%v: %s", err, r)
	}
	if a := list.Away[0]; a.Lineage != "a.example.com" || !a.Since.Equal(since) || len(a.Names) != 1 || a.Names[0].State != "elsewhere" ||
		len(a.Names[0].Addresses) != 1 || !a.Names[0].ServedAt.Equal(since.Add(-24*time.Hour)) {
		t.Errorf("%+v", a)
	}
	// whatever the list says, it is asked about right before
	h.orderly("retire", "a.example.com").says(t, 1, "a.example.com is served from here")
}

func TestWhatRetireIsToldIsChecked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.orderly("retire", "--undo").says(t, 2, "which certificate?")
	h.orderly("retire", "--force", "a.example.com").says(t, 2, "--force")
	h.orderly("retire", "--addresses", w.dir+"/none", "a.example.com").says(t, 1, "the addresses of the fleet cannot be read")
	h.lineages("a.example.com")
	h.orderly("retire", "a.example.com", "none.example.com").says(t, 1, "No certificate found with name none.example.com")
	h.orderly("retire", "--undo", "a.example.com").says(t, 1, "No certificate of the name a.example.com was put aside")
	w.ca.SetDead("a.example.com", true)
	h.must("retire", "--json", "a.example.com").says(t, 0, `"retired": [`)
	w.ca.SetDead("a.example.com", false)
	h.lineages("a.example.com")
	h.orderly("retire", "--undo", "a.example.com").says(t, 1, "a.example.com cannot come back", "renewal/a.example.com.conf exists")
}

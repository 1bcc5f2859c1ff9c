package e2e_test

// The server that a trial of `pending scan` is about: its lineages, its logs, and what the CA holds.

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	fieldwork "orderly/certbot/damage"
	"orderly/testca"
)

// unrooted takes the document roots out of a renewal file, as the provider's were.
var unrooted = regexp.MustCompile(`(?m)^(webroot_path = .*|\[\[webroot_map\]\]|\S+ = /.*sites/.*)\n`)

// prepare has certbot make its account, and makes lineages that are due, as certbot leaves them.
func (a *afternoon) prepare() {
	a.mustCertbot("register", "-n", "--agree-tos", "--register-unsafely-without-email", "--server",
		a.ca.DirectoryURL())
	for i, n := range a.random.Perm(a.broken + a.scanTrial.killed + a.good) {
		name := fmt.Sprintf("n%03d.example.com", i)
		d := fieldwork.Dir{Config: a.config, Name: name, Others: []string{"www." + name},
			Root: a.site(name, "www."+name), Server: a.ca.DirectoryURL(), Account: a.accountIDs()[0],
			Left: 20 * 24 * time.Hour}
		if err := d.Healthy(); err != nil {
			a.t.Fatal(err)
		}
		switch {
		case n < a.broken:
			a.write(d.Conf()+".whole", a.read(d.Conf()))
			a.write(d.Conf(), unrooted.ReplaceAllString(a.read(d.Conf()), ""))
			a.breaks = append(a.breaks, name)
		case n < a.broken+a.scanTrial.killed:
			a.dies = append(a.dies, name)
		default:
			a.works = append(a.works, name)
		}
	}
}

// setAside hides renewal files from certbot, or shows them again.
func (h *host) setAside(lineages []string, hide bool) {
	h.t.Helper()
	for _, name := range lineages {
		from, to := h.conf(name), h.conf(name)+".aside"
		if !hide {
			from, to = to, from
		}
		if err := os.Rename(from, to); err != nil {
			h.t.Fatal(err)
		}
	}
}

// logFiles are certbot's logs, as they are.
func (h *host) logFiles() []string {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.logs, "letsencrypt.log*"))
	if err != nil {
		h.t.Fatal(err)
	}
	return files
}

// named are the authorizations of the CA's that certbot's logs name.
func (h *host) named() []string {
	h.t.Helper()
	var text strings.Builder
	for _, path := range h.logFiles() {
		text.WriteString(h.read(path))
	}
	var all []string
	for _, o := range h.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			if strings.Contains(text.String(), a.URL) {
				all = append(all, a.URL)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// truth is what the CA holds pending, that which logs name and that which none does.
func (h *host) truth(named []string) (logged, unnamed []string) {
	for _, o := range h.ca.Truth().Orders {
		for _, a := range o.Authorizations {
			_, known := slices.BinarySearch(named, a.URL)
			switch {
			case a.Status != "pending" || a.Expired:
			case known:
				logged = append(logged, a.URL)
			default:
				unnamed = append(unnamed, a.URL)
			}
		}
	}
	slices.Sort(logged)
	slices.Sort(unnamed)
	return slices.Compact(logged), slices.Compact(unnamed)
}

// pack is logrotate: all but the last two logs are compressed.
func (h *host) pack() {
	h.t.Helper()
	for _, path := range h.logFiles() {
		if strings.HasSuffix(path, ".log") || strings.HasSuffix(path, ".1") {
			continue
		}
		out, err := os.Create(path + ".gz")
		if err != nil {
			h.t.Fatal(err)
		}
		z := gzip.NewWriter(out)
		_, err = io.WriteString(z, h.read(path))
		for _, err := range []error{err, z.Close(), out.Close(), os.Remove(path)} {
			if err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

// check is `pending scan --check`, with what it cost.
func (h *host) check() (scanReport, scanResult) {
	h.t.Helper()
	var cost scanResult
	for _, path := range h.logFiles() {
		info, err := os.Stat(path)
		if err != nil {
			h.t.Fatal(err)
		}
		cost.megabytes += float64(info.Size()) / 1e6
	}
	c := h.start("pending", "scan", "--check", "--json", h.logs)
	r := c.wait()
	if r.code != 0 {
		h.t.Fatal(r)
	}
	cost.seconds = r.took.Seconds()
	if used, ok := c.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		cost.memory = int64(used.Maxrss)
	}
	return decode[scanReport](h.world, r.stdout), cost
}

// pendingURLs are those that `pending` lists as the ledger's own.
func (h *host) pendingURLs() []string {
	h.t.Helper()
	type list struct {
		Pending []struct {
			Order int    `json:"order"`
			URL   string `json:"authorization_url"`
		} `json:"pending"`
	}
	var all []string
	for _, p := range decode[list](h.world, h.must("pending", "--json").stdout).Pending {
		if p.Order != 0 {
			all = append(all, p.URL)
		}
	}
	slices.Sort(all)
	return all
}

// recover: what was broken is repaired, and certbot's next renewal brings the certificate, of what was
// drained too. Nothing new is left behind.
func (a *afternoon) recover(unnamed int) {
	a.t.Helper()
	for _, name := range []string{a.breaks[0], a.dies[0], a.dies[len(a.dies)-1]} {
		if slices.Contains(a.breaks, name) {
			a.write(a.conf(name), a.read(a.conf(name)+".whole"))
		}
		made := len(a.ca.Truth().Orders)
		ready := slices.ContainsFunc(a.ca.Truth().Orders, func(o testca.TruthOrder) bool {
			return o.Status == "ready" && slices.Contains(o.Names, name)
		})
		a.mustCertbot("renew", "--no-random-sleep-on-renew", "--cert-name", name)
		if n := len(a.ca.Truth().Orders); a.authority.Reuse && ready && n != made {
			a.t.Errorf("the order for %s was ready, and certbot made another one", name)
		}
		if n := a.ca.Truth().Pending(); n > unnamed {
			a.t.Errorf("%d are pending after certbot's next renewal of %s, of which %d no log named", n, name,
				unnamed)
		}
	}
}

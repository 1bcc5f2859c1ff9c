package main

// What is looked at: hosts as certbot leaves them, of which each fiftieth certificate is broken, and
// reports of servers as the doctor writes them.

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/failure"
)

const day = 24 * time.Hour

func site(i int) string { return fmt.Sprintf("site%06d.example.com", i) }

// makeHost makes a configuration directory with many lineages, where there is none.
func makeHost(dir string, lineages int) error {
	config := filepath.Join(dir, "etc")
	if _, err := os.Stat(config); err == nil {
		return nil // of an earlier run
	}
	cases := damage.Cases()
	account, err := register(config)
	if err != nil {
		return err
	}
	return each(lineages, func(i int) error {
		name := site(i)
		d := damage.Dir{Config: config, Name: name, Others: []string{"www." + name},
			Root: filepath.Join(dir, "www", name), Server: server, Account: account,
			Left: time.Duration(31+i%59) * day}
		if err := os.MkdirAll(d.Root, 0o755); err != nil {
			return err
		}
		if i%50 == 7 {
			return cases[(i/50)%len(cases)].Make(d)
		}
		return d.Healthy()
	})
}

const server = "https://acme-v02.api.letsencrypt.org/directory"

// register puts an account there, without which no certificate could be renewed.
func register(config string) (id string, err error) {
	if err := os.MkdirAll(config, 0o755); err != nil {
		return "", err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: config}}
	account, err := disk.Accounts().Save(certbot.Account{Server: server, Key: key, Created: time.Now(), Host: "bench",
		URL: "https://acme-v02.api.letsencrypt.org/acme/acct/1"})
	return account.ID, err
}

// makeReports makes a directory with one report a server, where there is none. Each has the same
// number of names, two a certificate, of which every tenth has a finding; each server has one name of
// its neighbour's.
func makeReports(dir string, servers, names int) error {
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return err
	}
	now := time.Now().UTC().Truncate(time.Second)
	each1 := names / servers / 2
	return each(servers, func(s int) error {
		r := doctor.Report{Server: fmt.Sprintf("web%04d.example.net", s), At: now, Lineages: each1,
			Clean: each1 - each1/10}
		for i := range each1 {
			name := site(s*each1 + i)
			if i == 0 && s > 0 {
				name = site((s-1)*each1 + 1)
			}
			issued := now.Add(-time.Duration(i%60) * day)
			l := doctor.DocumentLineage{Name: name, Names: []string{name, "www." + name},
				Issued: issued, Expires: issued.Add(90 * day), Due: issued.Add(60 * day)}
			r.Held = append(r.Held, l)
			if i%10 == 3 {
				r.Findings = append(r.Findings, doctor.Finding{ID: "D21", Class: failure.WebrootGone,
					Severity: doctor.WillFail, Lineage: name, Names: []string{name},
					File: "/etc/letsencrypt/renewal/" + name + ".conf", Since: issued, HurtsAt: l.Due,
					Sentence: "document root /srv/www/" + name + " does not exist", Fix: doctor.FixNo,
					Remedy: failure.Remedy("Run `mkdir -p /srv/www/" + name + "`.")})
			}
		}
		text, err := json.MarshalIndent(r.Document(func(r failure.Remedy) string { return string(r) }), "", "  ")
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, r.Server+".json"), text, 0o644)
	})
}

// makeChannel makes a configuration directory whose digests nobody reads. The first run tells all that
// is in the reports, the others compare with it.
func makeChannel(dir string) (string, error) {
	if err := os.MkdirAll(filepath.Join(dir, "orderly"), 0o700); err != nil {
		return "", err
	}
	const channel = "[[channel]]\nname = \"nobody\"\nkind = \"command\"\nrun = \"cat >/dev/null\"\n"
	return dir, os.WriteFile(filepath.Join(dir, "orderly", "digest.toml"), []byte(channel), 0o600)
}

// each does something n times, on all processors.
func each(n int, do func(i int) error) error {
	var all sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	failed := make([]error, workers)
	for w := range workers {
		all.Go(func() {
			for i := w; i < n && failed[w] == nil; i += workers {
				failed[w] = do(i)
			}
		})
	}
	all.Wait()
	return errors.Join(failed...)
}

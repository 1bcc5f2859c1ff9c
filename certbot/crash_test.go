package certbot_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"orderly/certbot"
)

// killed is what a Trace panics with where a process would be killed.
type killed struct{ step string }

// dieAt runs install with a Trace that checks each step and ends everything at the k-th call. It reports the step at
// which it died, "" if it ended before.
func dieAt(s *certbot.Store, k int, check func(step string), install func()) (step string) {
	defer func() {
		s.Trace = nil
		if r := recover(); r != nil {
			death, ok := r.(killed)
			if !ok {
				panic(r)
			}
			step = death.step
		}
	}()
	n := 0
	s.Trace = func(step string) {
		check(step)
		if n++; n > k {
			panic(killed{step})
		}
	}
	install()
	return ""
}

// scenario is a change of a lineage that is to survive death at every step.
type scenario struct {
	name     string
	replace  bool // without exchanging directories
	former   int  // certificates before the new one
	extras   bool // the user keeps things in live/NAME
	certbot  bool // certbot reads (and repairs) the disk between the death and the second try
	versions int  // expected at the end
}

func (sc scenario) store(t *testing.T, former []certbot.Material) *certbot.Store {
	s := newStore(t)
	if sc.replace {
		s.WithoutExchange()
	}
	for _, m := range former[:sc.former] {
		_, err := s.Install("a.example", m, testParams)
		must(t, err)
	}
	if !sc.extras {
		return s
	}
	live := filepath.Join(s.Dirs.Config, "live", "a.example")
	must(t, os.Chmod(live, 0o750))
	must(t, os.Chown(live, -1, foreign(4242, os.Getegid())))
	write(t, filepath.Join(live, "combined.pem"), "mine", 0o640)
	must(t, os.Symlink("privkey.pem", filepath.Join(live, "key.pem")))
	key := filepath.Join(s.Dirs.Config, "archive", "a.example", fmt.Sprintf("privkey%d.pem", sc.former))
	must(t, os.Chown(key, -1, foreign(4343, os.Getegid())))
	must(t, os.Chmod(key, 0o647))
	return s
}

func TestAKillAtAnyStepLeavesAGoodPairAndIsHealed(t *testing.T) {
	former := []certbot.Material{issue(t, 10, "a.example"), issue(t, 20, "a.example")}
	next := issue(t, 90, "a.example", "www.a.example")
	for _, sc := range []scenario{
		{name: "new lineage", versions: 1},
		{name: "successor", former: 1, extras: true, versions: 2},
		{name: "successor after certbot looked", former: 2, certbot: true, versions: 3},
		{name: "successor without exchange", replace: true, former: 1, extras: true, versions: 2},
		{name: "successor without exchange after certbot looked", replace: true, former: 2, certbot: true, versions: 3},
	} {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			var dead []*certbot.Store
			var steps []string
			for k := 0; ; k++ {
				s := sc.store(t, former)
				step := dieAt(s, k, func(step string) { sc.checkPair(t, s, step) }, func() {
					_, err := s.Install("a.example", next, testParams)
					must(t, err)
				})
				if step == "" {
					sc.checkEnd(t, s, next, "no death")
					break
				}
				sc.checkPair(t, s, step)
				dead, steps = append(dead, s), append(steps, step)
			}
			if len(dead) < 20 {
				t.Fatalf("only %d steps were traced: %q", len(dead), steps)
			}
			if sc.certbot {
				certbotLooks(t, dead, steps)
			}
			for i, s := range dead {
				_, err := s.Install("a.example", next, testParams)
				if err != nil {
					t.Fatalf("again after death at %q: %v", steps[i], err)
				}
				sc.checkEnd(t, s, next, steps[i])
			}
			out := runCertbot(t, dead[len(dead)/2], "certificates")
			if !strings.Contains(out, "(VALID: 89 days)") || !strings.Contains(out, "Domains: a.example www.a.example") {
				t.Errorf("certbot certificates:\n%s", out)
			}
		})
	}
}

// checkPair checks that a server could start now, or, without exchange, that the former links are kept.
func (sc scenario) checkPair(t *testing.T, s *certbot.Store, step string) {
	t.Helper()
	live := filepath.Join(s.Dirs.Config, "live", "a.example")
	if _, err := os.Lstat(live); errors.Is(err, fs.ErrNotExist) && sc.former == 0 {
		return
	}
	wrong := pairAt(live, "")
	if wrong != "" && sc.replace {
		wrong = pairAt(live, "previous_")
	}
	if wrong != "" {
		t.Errorf("at %q: %s", step, wrong)
	}
	if _, err := os.Lstat(filepath.Join(live, "combined.pem")); sc.extras && err != nil {
		t.Errorf("at %q: the user's file is gone: %v", step, err)
	}
}

// checkEnd checks the state after an Install that was not cut short.
func (sc scenario) checkEnd(t *testing.T, s *certbot.Store, want certbot.Material, died string) {
	t.Helper()
	l, err := s.Open("a.example")
	if err != nil {
		t.Fatalf("after death at %q: %v", died, err)
	}
	if l.Version != sc.versions || len(l.Certificate.Names) != 2 || l.CheckPair() != nil {
		t.Errorf("after death at %q: version %d, names %q, pair %v", died, l.Version, l.Certificate.Names, l.CheckPair())
	}
	live := filepath.Dir(l.Renewal.Cert)
	if got := read(t, live, "fullchain.pem"); got != string(want.Chain) {
		t.Errorf("after death at %q: another certificate is in place", died)
	}
	entries, err := os.ReadDir(filepath.Join(s.Dirs.Config, "archive", "a.example"))
	must(t, err)
	if len(entries) != 4*sc.versions {
		t.Errorf("after death at %q: the archive holds %v", died, entries)
	}
	err = filepath.WalkDir(s.Dirs.Config, func(path string, _ fs.DirEntry, err error) error {
		if strings.Contains(path, "orderly-new") || strings.Contains(path, "previous_") {
			t.Errorf("after death at %q: %s is left", died, path)
		}
		return err
	})
	must(t, err)
	if sc.extras {
		sc.checkExtras(t, live, died)
	}
}

func (sc scenario) checkExtras(t *testing.T, live, died string) {
	t.Helper()
	if read(t, live, "combined.pem") != "mine" || mode(t, live, "combined.pem") != 0o640 || mode(t, live) != 0o750 {
		t.Errorf("after death at %q: file or mode of the user's is lost", died)
	}
	if to, err := os.Readlink(filepath.Join(live, "key.pem")); err != nil || to != "privkey.pem" {
		t.Errorf("after death at %q: link of the user's: %q, %v", died, to, err)
	}
	info, err := os.Stat(filepath.Join(live, "privkey.pem"))
	must(t, err)
	if gid := group(info); info.Mode().Perm() != 0o644 || int(gid) != foreign(4343, os.Getegid()) {
		t.Errorf("after death at %q: the key has mode %v, group %d", died, info.Mode(), gid)
	}
	if info, err = os.Stat(live); err != nil || int(group(info)) != foreign(4242, os.Getegid()) {
		t.Errorf("after death at %q: live has group %d, %v", died, group(info), err)
	}
}

// look lets certbot's own code open every lineage of many configuration directories, as each of its commands does: that
// repairs links and deploys what is complete. It prints what it could not open.
const look = `
import json, os, sys, types
from certbot._internal import storage
bad = []
for base in json.load(sys.stdin):
    for name in sorted(os.listdir(base + "/renewal")) if os.path.isdir(base + "/renewal") else []:
        if not name.endswith(".conf"):
            continue
        try:
            config = types.SimpleNamespace(default_archive_dir=base + "/archive")
            lineage = storage.RenewableCert(base + "/renewal/" + name, config)
            lineage.ensure_deployed()
            if not lineage._consistent() or lineage.has_pending_deployment():
                bad.append([base, "inconsistent"])
        except Exception as e:
            bad.append([base, repr(e)])
json.dump(bad, sys.stdout)
`

func certbotLooks(t *testing.T, stores []*certbot.Store, steps []string) {
	t.Helper()
	var dirs []string
	for _, s := range stores {
		dirs = append(dirs, s.Dirs.Config)
	}
	question, err := json.Marshal(dirs)
	must(t, err)
	cmd := exec.Command("/usr/bin/python3", "-c", look)
	cmd.Stdin = strings.NewReader(string(question))
	out, err := cmd.Output()
	must(t, err)
	if string(out) != "[]" {
		t.Errorf("certbot cannot read what was left at a death: %s\n(steps %q)", out, steps)
	}
	for i, s := range stores {
		if wrong := pairAt(filepath.Join(s.Dirs.Config, "live", "a.example"), ""); wrong != "" {
			t.Errorf("after death at %q and certbot: %s", steps[i], wrong)
		}
	}
}

package certbot_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
)

const day = 24 * time.Hour

// signsItself puts a version into the archive that somebody made with openssl req -x509.
func signsItself(d damage.Dir, version int, left time.Duration) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: d.Name}, DNSNames: d.Names(),
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(left)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return errors.Join(
		os.WriteFile(d.Archived("cert", version), cert, 0o644), os.WriteFile(d.Archived("chain", version), cert, 0o644),
		os.WriteFile(d.Archived("fullchain", version), append(bytes.Clone(cert), cert...), 0o644),
		os.WriteFile(d.Archived("privkey", version), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))
}

// A good pair gives way to a better one alone. The lineage is linked to version 2, which lives five days more.
func TestLinksThatAreInOrderLeadToABetterVersionAlone(t *testing.T) {
	for name, c := range map[string]struct {
		make    func(damage.Dir) error
		version int
		note    string
	}{
		"ends later":     {func(d damage.Dir) error { return d.Add(3, 60*day) }, 3, ""},
		"ends sooner":    {func(d damage.Dir) error { return d.Add(3, day) }, 2, "version 3 in .* does not end later than the one in use"},
		"has expired":    {func(d damage.Dir) error { return d.Add(3, -day) }, 2, "it has expired"},
		"not valid yet":  {func(d damage.Dir) error { return d.Add(3, 95*day) }, 2, "it is not valid before"},
		"signs itself":   {func(d damage.Dir) error { return signsItself(d, 3, 300*day) }, 2, "it is signed by itself"},
		"a later better": {func(d damage.Dir) error { return errors.Join(d.Add(3, 60*day), d.Add(4, day)) }, 3, ""},
		"other names": {func(d damage.Dir) error {
			d.Others = append(d.Others, "shop.a.example")
			return d.Add(3, 60*day)
		}, 2, "it has other names"},
		"fewer names": {func(d damage.Dir) error {
			d.Others = nil
			return d.Add(3, 60*day)
		}, 2, "it has other names"},
		"another key": {func(d damage.Dir) error {
			text, err := os.ReadFile(d.Archived("privkey", 1))
			return errors.Join(err, d.Add(3, 60*day), os.WriteFile(d.Archived("privkey", 3), text, 0o600))
		}, 2, "do not belong together"},
		"no chain": {func(d damage.Dir) error {
			err := errors.Join(d.Add(3, 60*day), os.WriteFile(d.Archived("chain", 3), nil, 0o644))
			text, readErr := os.ReadFile(d.Archived("cert", 3))
			return errors.Join(err, readErr, os.WriteFile(d.Archived("fullchain", 3), text, 0o644))
		}, 2, "its chain has not signed it"},
		"written half": {func(d damage.Dir) error {
			return errors.Join(d.Add(3, 60*day), os.Remove(d.Archived("fullchain", 3)))
		}, 2, ""},
		"kept links of a change that was done": {func(d damage.Dir) error {
			var all error
			for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
				all = errors.Join(all, os.Symlink(d.Archived(kind, 1), filepath.Join(filepath.Dir(d.Live("")), "previous_"+kind+".pem")))
			}
			return all
		}, 2, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := damagedDir(t)
			must(t, dir.Healthy())
			must(t, c.make(dir))
			for i := range 2 {
				done, err := s.Repair(dir.Name)
				must(t, err)
				l, err := s.Open(dir.Name)
				must(t, err)
				must(t, l.CheckPair())
				if l.Version != c.version || (i == 1 || c.version == 2) && done.Changed {
					t.Errorf("time %d: version %d, %+v", i, l.Version, done)
				}
				if i == 1 && c.version == 3 {
					break
				}
				if (c.note == "") != (done.LeftAlone == "") || !matched(c.note, done.LeftAlone) {
					t.Errorf("time %d: the note is %q, not %q", i, done.LeftAlone, c.note)
				}
			}
		})
	}
}

// matched reports whether the parts of a pattern stand in a text.
func matched(pattern, text string) bool {
	for part := range strings.SplitSeq(pattern, " .* ") {
		_, rest, found := strings.Cut(text, part)
		if !found {
			return false
		}
		text = rest
	}
	return true
}

// Links that are not in order are led to the best version with the lineage's own names.
func TestBrokenLinksLeadToTheBestVersion(t *testing.T) {
	other := func(d damage.Dir) damage.Dir { d.Name, d.Others = "b.example", nil; return d }
	elsewhere := func(d damage.Dir, from damage.Dir, version int) error {
		var all error
		for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
			all = errors.Join(all, os.Remove(d.Live(kind)), os.Symlink(from.Archived(kind, version), d.Live(kind)))
		}
		return all
	}
	for name, c := range map[string]struct {
		make    func(damage.Dir) error
		version int
		note    string
	}{
		"no directory": {func(d damage.Dir) error { return os.RemoveAll(filepath.Dir(d.Live(""))) }, 2, ""},
		"no directory and a newer one with other names": {func(d damage.Dir) error {
			err := os.RemoveAll(filepath.Dir(d.Live("")))
			d.Others = nil
			return errors.Join(err, d.Add(3, 60*day))
		}, 2, ""},
		"into another lineage": {func(d damage.Dir) error {
			return errors.Join(other(d).Healthy(), other(d).Add(2, 80*day), elsewhere(d, other(d), 2))
		}, 2, ""},
		"to a better pair elsewhere": {func(d damage.Dir) error {
			better := d
			better.Config += "-other"
			return errors.Join(better.Healthy(), better.Add(2, 80*day), elsewhere(d, better, 2))
		}, 0, "are left alone; of version 2 there: it does not end later"},
		"to a worse pair elsewhere": {func(d damage.Dir) error {
			worse := d
			worse.Config += "-other"
			return errors.Join(worse.Healthy(), elsewhere(d, worse, 1))
		}, 2, ""},
		"key and certificate of different versions": {func(d damage.Dir) error { return d.Lead(1, "privkey") }, 2, ""},
		"nowhere": {func(d damage.Dir) error { return d.Lead(9) }, 2, ""},
		"the linked one is torn and nothing else is valid": {func(d damage.Dir) error {
			return errors.Join(os.Truncate(d.Archived("cert", 2), 0), os.Truncate(d.Archived("fullchain", 2), 0))
		}, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, dir := damagedDir(t)
			must(t, dir.Healthy())
			must(t, c.make(dir))
			if bad := s.Troubled(dir.Names()); len(bad) != 1 || bad[0] != dir.Name {
				t.Errorf("troubled: %q", bad)
			}
			done, err := s.Repair(dir.Name)
			must(t, err)
			l, err := s.Open(dir.Name)
			must(t, err)
			must(t, l.CheckPair())
			if got := l.Renewal.Params; c.version > 0 && !inArchive(dir, c.version) || !matched(c.note, done.LeftAlone) || got.Server != dir.Server {
				t.Errorf("version %d, %+v", l.Version, done)
			}
			if fmt.Sprint(l.Certificate.Names) != fmt.Sprint(dir.Names()) {
				t.Errorf("names %q", l.Certificate.Names)
			}
		})
	}
}

func inArchive(d damage.Dir, version int) bool {
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		path, err := filepath.EvalSymlinks(d.Live(kind))
		if err != nil || path != d.Archived(kind, version) {
			return false
		}
	}
	return true
}

func TestALostKeyIsTold(t *testing.T) {
	s, dir := damagedDir(t)
	for name, c := range map[string]struct {
		do   func(path string) error
		want string
	}{
		"gone":  {os.Remove, "is gone"},
		"empty": {func(path string) error { return os.Truncate(path, 0) }, "is empty"},
		"NULs":  {func(path string) error { return os.WriteFile(path, make([]byte, 241), 0o600) }, "is empty"},
		"torn":  {func(path string) error { return os.Truncate(path, 100) }, "is torn"},
		"text":  {func(path string) error { return os.WriteFile(path, []byte("see the wiki"), 0o600) }, "holds no private key"},
		"of another certificate": {func(path string) error { return os.WriteFile(path, issue(t, 9, "x.example").Key, 0o600) },
			"do not belong together"},
		"encrypted": {func(path string) error {
			return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte("x")}), 0o600)
		}, ""},
		"in a token": {func(path string) error {
			return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "TSS2 PRIVATE KEY", Bytes: []byte("x")}), 0o600)
		}, ""},
		"good": {func(string) error { return nil }, ""},
	} {
		dir.Name = strings.ReplaceAll(name, " ", "-") + ".example"
		must(t, dir.Healthy())
		must(t, c.do(dir.Archived("privkey", 2)))
		l, err := s.Open(dir.Name)
		must(t, err)
		if (c.want == "") != (l.KeyLost == nil) || c.want != "" && !strings.Contains(l.KeyLost.Error(), c.want) {
			t.Errorf("%s: %v, not %q", name, l.KeyLost, c.want)
		}
		l.Renewal.Params.ReuseKey = true
		if err := l.Usable(); (err == nil) != (c.want == "") {
			t.Errorf("%s, to be used again: %v", name, err)
		}
	}
	for name, m := range map[string]certbot.Material{"rsa.example": issueRSA(t, "rsa.example"), "ec.example": issue(t, 9, "ec.example")} {
		install(t, s, name, m)
		if l, err := s.Open(name); err != nil || l.KeyLost != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

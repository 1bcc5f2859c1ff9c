package certbot_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"orderly/certbot"
	"orderly/failure"
)

func TestANewLineageIsLaidOutAsCertbotDoes(t *testing.T) {
	s := newStore(t)
	m := issue(t, 90, "a.example", "www.a.example")
	done := install(t, s, "a.example", m)
	base := s.Dirs.Config
	if done.Dir != base+"/live/a.example" || done.Version != 1 || done.Name != "a.example" {
		t.Errorf("%+v", done)
	}
	for path, want := range map[string]os.FileMode{
		"renewal": 0o755, "archive": 0o700, "live": 0o700, "archive/a.example": 0o755, "live/a.example": 0o755,
		"live/README": 0o644, "live/a.example/README": 0o644, "renewal/a.example.conf": 0o644,
		"archive/a.example/privkey1.pem": 0o600, "archive/a.example/cert1.pem": 0o644,
		"archive/a.example/chain1.pem": 0o644, "archive/a.example/fullchain1.pem": 0o644,
	} {
		if got := mode(t, base, path); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
	}
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		to, err := os.Readlink(filepath.Join(done.Dir, kind+".pem"))
		if want := "../../archive/a.example/" + kind + "1.pem"; err != nil || to != want {
			t.Errorf("%s leads to %q, %v", kind, to, err)
		}
	}
	if wrong := pairAt(done.Dir, ""); wrong != "" {
		t.Error(wrong)
	}
	want := strings.ReplaceAll(`version = 2.1.0
archive_dir = BASE/archive/a.example
cert = BASE/live/a.example/cert.pem
privkey = BASE/live/a.example/privkey.pem
chain = BASE/live/a.example/chain.pem
fullchain = BASE/live/a.example/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 0123456789abcdef0123456789abcdef
authenticator = webroot
server = https://ca.example:14000/dir
key_type = ecdsa
webroot_path = /srv/a,
[[webroot_map]]
a.example = /srv/a
`, "BASE", base)
	if got := read(t, base, "renewal/a.example.conf"); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	out := runCertbot(t, s, "certificates")
	for _, want := range []string{"Certificate Name: a.example\n", "Key Type: ECDSA", "Domains: a.example www.a.example", "(VALID: 89 days)", done.Dir + "/privkey.pem"} {
		if !strings.Contains(out, want) {
			t.Errorf("certbot certificates lacks %q:\n%s", want, out)
		}
	}
}

func TestThePrivateKeyKeepsModeAndGroup(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	key := filepath.Join(s.Dirs.Config, "archive/a.example/privkey1.pem")
	must(t, os.Chown(key, foreign(7, os.Geteuid()), foreign(4343, os.Getegid())))
	must(t, os.Chmod(key, 0o1666))
	done = install(t, s, "a.example", issue(t, 90, "a.example"))
	info, err := os.Stat(filepath.Join(done.Dir, "privkey.pem"))
	must(t, err)
	if info.Mode() != 0o664 || int(group(info)) != foreign(4343, os.Getegid()) || int(owner(info)) != os.Geteuid() {
		t.Errorf("mode %v, group %d, owner %d", info.Mode(), group(info), owner(info))
	}
}

func TestInstallingAgainChangesNothing(t *testing.T) {
	s := newStore(t)
	first, second := issue(t, 10, "a.example"), issue(t, 90, "a.example")
	install(t, s, "a.example", first)
	done := install(t, s, "a.example", second)
	before := snapshot(t, s.Dirs.Config)
	again := install(t, s, "a.example", second)
	if again.Version != done.Version || again.Superseded {
		t.Errorf("again: %+v", again)
	}
	late := install(t, s, "a.example", first)
	if late.Version != 1 || !late.Superseded {
		t.Errorf("an older one: %+v", late)
	}
	if after := snapshot(t, s.Dirs.Config); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// snapshot tells inode, mode and link of everything below dir.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		to, _ := os.Readlink(path)
		fmt.Fprintln(&all, path, inode(info), info.Mode(), to)
		return err
	})
	must(t, err)
	return all.String()
}

func TestMaterialThatDoesNotBelongTogetherIsRefused(t *testing.T) {
	s := newStore(t)
	good := issue(t, 90, "a.example")
	for name, m := range map[string]certbot.Material{
		"foreign key": {Key: issue(t, 90, "a.example").Key, Chain: good.Chain},
		"no key":      {Chain: good.Chain},
		"no chain":    {Key: good.Key},
		"torn":        {Key: good.Key, Chain: good.Chain[:100]},
		"key inside":  {Key: good.Key, Chain: append(append([]byte(nil), good.Chain...), good.Key...)},
	} {
		_, err := s.Install("a.example", m, testParams)
		if failure.ClassOf(err) != failure.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := os.Stat(s.Dirs.Config); !os.IsNotExist(err) {
		t.Error("something was written:", err)
	}
	_, err := (&certbot.Store{Dirs: certbot.Dirs{Config: "relative"}}).Install("a.example", good, testParams)
	class(t, err, failure.Internal)
	_, err = s.Install("../a", good, testParams)
	class(t, err, failure.Usage)
}

func TestDirectoriesThatBelongToNobodyAreNotTouched(t *testing.T) {
	for _, foreign := range []string{"archive/a.example/cert1.pem", "archive/a.example/mine", "live/a.example/cert.pem", "live/a.example/mine"} {
		s := newStore(t)
		path := filepath.Join(s.Dirs.Config, foreign)
		write(t, path, "foreign", 0o644)
		_, err := s.Install("a.example", issue(t, 90, "a.example"), testParams)
		class(t, err, failure.LineageTaken)
		if !strings.Contains(err.Error(), filepath.Dir(path)) || read(t, path) != "foreign" {
			t.Errorf("%s: %v", foreign, err)
		}
	}
	s := newStore(t)
	must(t, os.MkdirAll(filepath.Join(s.Dirs.Config, "archive/a.example"), 0o755))
	must(t, os.MkdirAll(filepath.Join(s.Dirs.Config, "live/a.example"), 0o755))
	install(t, s, "a.example", issue(t, 90, "a.example"))
}

func TestASubdirectoryInLiveIsKept(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	write(t, filepath.Join(done.Dir, "deployed", "combined.pem"), "mine", 0o600)
	before, err := os.Stat(done.Dir)
	must(t, err)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	after, err := os.Stat(done.Dir)
	must(t, err)
	if !os.SameFile(before, after) || read(t, done.Dir, "deployed", "combined.pem") != "mine" || pairAt(done.Dir, "") != "" {
		t.Errorf("same directory: %v; pair: %s", os.SameFile(before, after), pairAt(done.Dir, ""))
	}
}

func TestALiveDirectoryThatIsALinkStaysOne(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	elsewhere := filepath.Join(s.Dirs.Config, "deeper", "down", "a.example")
	must(t, os.MkdirAll(filepath.Dir(elsewhere), 0o755))
	must(t, os.Rename(done.Dir, elsewhere))
	must(t, os.Symlink(elsewhere, done.Dir))
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		link := filepath.Join(elsewhere, kind+".pem")
		must(t, os.Remove(link))
		must(t, os.Symlink("../../../archive/a.example/"+kind+"1.pem", link))
	}
	install(t, s, "a.example", issue(t, 90, "a.example"))
	to, err := os.Readlink(filepath.Join(elsewhere, "cert.pem"))
	if err != nil || to != "../../../archive/a.example/cert2.pem" || pairAt(done.Dir, "") != "" {
		t.Errorf("cert.pem leads to %s, %v; pair: %s", to, err, pairAt(done.Dir, ""))
	}
	if info, err := os.Lstat(done.Dir); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("live is no link any more: %v, %v", info, err)
	}
}

func TestWhatAppearsDuringTheExchangeIsCarriedOver(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	write(t, filepath.Join(done.Dir, "edited"), "old", 0o600)
	aside := filepath.Join(s.Dirs.Config, "live", ".a.example.orderly-new")
	s.ExchangeAnd(func() {
		write(t, filepath.Join(aside, "new"), "new", 0o600)
		write(t, filepath.Join(aside, "dir", "below"), "new", 0o600)
		must(t, os.Remove(filepath.Join(aside, "edited")))
		write(t, filepath.Join(aside, "edited"), "edited", 0o600)
	})
	install(t, s, "a.example", issue(t, 90, "a.example"))
	for name, want := range map[string]string{"new": "new", "dir/below": "new", "edited": "edited"} {
		if got := read(t, done.Dir, name); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if _, err := os.Stat(aside); !os.IsNotExist(err) {
		t.Error("the former directory is still there:", err)
	}
}

func TestSixVersionsStay(t *testing.T) {
	s := newStore(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
	for n := 1; n <= 8; n++ {
		m := issueFor(t, key, n, "a.example")
		if done := install(t, s, "a.example", m); done.Version != n {
			t.Fatalf("certificate %d is version %d", n, done.Version)
		}
		if n == 3 { // as certbot --reuse-key leaves it
			must(t, os.Remove(filepath.Join(archive, "privkey3.pem")))
			must(t, os.Symlink("privkey1.pem", filepath.Join(archive, "privkey3.pem")))
		}
	}
	entries, err := os.ReadDir(archive)
	must(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := "cert3.pem cert4.pem cert5.pem cert6.pem cert7.pem cert8.pem"
	if got := strings.Join(names[:6], " "); got != want {
		t.Errorf("kept %s, want %s", got, want)
	}
	if all := strings.Join(names, " "); !strings.Contains(all, "privkey1.pem privkey3.pem") || strings.Contains(all, "privkey2.pem") {
		t.Errorf("keys: %s", all)
	}
}

func TestRepairDeploysWhatIsCompleteAndGood(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 10, "a.example"))
	done := install(t, s, "a.example", issue(t, 90, "a.example"))
	lead := func(version int) {
		for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
			link := filepath.Join(done.Dir, kind+".pem")
			must(t, os.Remove(link))
			must(t, os.Symlink(fmt.Sprintf("../../archive/a.example/%s%d.pem", kind, version), link))
		}
	}
	check := func(changed bool, version int) {
		t.Helper()
		got, err := s.Repair("a.example")
		must(t, err)
		l, err := s.Open("a.example")
		must(t, err)
		if got.Changed != changed || l.Version != version || l.CheckPair() != nil {
			t.Errorf("changed %v, version %d, pair %v; want %v, %d", got, l.Version, l.CheckPair(), changed, version)
		}
	}
	check(false, 2)
	lead(1)
	check(true, 2)
	lead(1)
	archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
	must(t, os.Truncate(filepath.Join(archive, "fullchain2.pem"), 700))
	check(false, 1)
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} { // certbot was killed between two links
		must(t, os.Symlink("../../archive/a.example/"+kind+"1.pem", filepath.Join(done.Dir, "previous_"+kind+".pem")))
	}
	must(t, os.Remove(filepath.Join(done.Dir, "cert.pem")))
	must(t, os.Remove(filepath.Join(done.Dir, "privkey.pem")))
	must(t, os.Symlink("../../archive/a.example/privkey2.pem", filepath.Join(done.Dir, "privkey.pem")))
	check(true, 1)
	_, err := s.Repair("none")
	class(t, err, failure.RenewalFile)
}

func TestADiskThatCannotBeWrittenIsNamed(t *testing.T) {
	s := newStore(t)
	write(t, filepath.Join(s.Dirs.Config, "live"), "a file", 0o644)
	_, err := s.Install("a.example", issue(t, 90, "a.example"), testParams)
	class(t, err, failure.Config)
	if !strings.Contains(err.Error(), s.Dirs.Config+"/live") || failure.RemedyOf(err) == "" {
		t.Error(err)
	}
}

func TestARenewalFileFromAnotherMachineKeepsItsArchive(t *testing.T) {
	s := newStore(t)
	done := install(t, s, "a.example", issue(t, 10, "a.example"))
	moved := filepath.Join(s.Dirs.Config, "elsewhere")
	must(t, os.Rename(filepath.Join(s.Dirs.Config, "archive", "a.example"), moved))
	conf := s.Dirs.Renewal("a.example")
	write(t, conf, strings.Replace(read(t, conf), s.Dirs.Config+"/archive/a.example", moved, 1), 0o600)
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		link := filepath.Join(done.Dir, kind+".pem")
		must(t, os.Remove(link))
		must(t, os.Symlink(filepath.Join(moved, kind+"1.pem"), link))
	}
	install(t, s, "a.example", issue(t, 90, "a.example"))
	to, err := os.Readlink(filepath.Join(done.Dir, "privkey.pem"))
	if err != nil || to != filepath.Join(moved, "privkey2.pem") || mode(t, conf) != 0o600 || pairAt(done.Dir, "") != "" {
		t.Errorf("privkey.pem leads to %s, %v; mode %v; pair %s", to, err, mode(t, conf), pairAt(done.Dir, ""))
	}
}

func TestTheKeyTypeIsTheKeysIfNobodySays(t *testing.T) {
	for want, m := range map[string]certbot.Material{"rsa": issueRSA(t, "a.example"), "ecdsa": issue(t, 9, "a.example")} {
		s := newStore(t)
		done, err := s.Install("a.example", m, certbot.Params{Authenticator: "webroot"})
		must(t, err)
		if text := read(t, done.Renewal.Path); done.Renewal.Params.KeyType != want || !strings.Contains(text, "\nkey_type = "+want+"\n") {
			t.Errorf("%s: %s", want, text)
		}
	}
}

func TestFirstLineagesMayBeMadeAtOnce(t *testing.T) {
	s := newStore(t)
	m := issue(t, 90, "a.example")
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			if _, err := s.Install(fmt.Sprintf("lineage-%d", n), m, testParams); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if found, bad := s.All(); len(found) != 16 || bad != nil {
		t.Errorf("%d lineages, %v", len(found), bad)
	}
}

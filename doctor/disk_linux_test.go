package doctor_test

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/doctor"
	"orderly/failure"
)

// newAccount makes another account of the CA.
func (p *place) newAccount() certbot.Account {
	p.t.Helper()
	accounts := p.disk().Accounts()
	key, err := accounts.PendingKey(server)
	if err != nil {
		p.t.Fatal(err)
	}
	a, err := accounts.Save(certbot.Account{Server: server, URL: server + "/2", Key: key, Host: "here",
		Created: p.now})
	if err != nil {
		p.t.Fatal(err)
	}
	return a
}

// edited makes a healthy lineage and changes its renewal file.
func (p *place) edited(name, from, to string) damage.Dir {
	p.t.Helper()
	p.healthy(name)
	d := p.at(name)
	if err := p.edit(d, from, to); err != nil {
		p.t.Fatal(err)
	}
	return d
}

// A lost account is told of each certificate that is renewed with it, in one group, with the line and
// the only other one; of several, one has to be named.
func TestAccountsThatAreNotThereAreTold(t *testing.T) {
	p := newPlace(t)
	lost := strings.Repeat("9f", 16)
	for i := range 3 {
		p.edited(fmt.Sprintf("lost%d.example", i), "account = "+p.account, "account = "+lost)
	}
	p.edited("off.example", "account = "+p.account, "autorenew = False\naccount = "+lost)
	p.edited("unnamed.example", "account = "+p.account+"\n", "")
	r := p.examine()
	f := p.one(r, "lost1.example")
	if f.ID != "D11" || f.Class != failure.Account || f.Severity != doctor.WillFail || f.Line != 11 || f.Since.IsZero() ||
		!strings.Contains(f.Sentence, "the only other one there is "+p.account) || f.Fix != doctor.FixAsk {
		t.Errorf("%+v", f)
	}
	if groups := r.Groups(); len(groups) != 1 || len(groups[0].Findings) != 3 {
		t.Errorf("%+v", groups)
	}
	p.newAccount()
	f = p.one(p.examine(), "unnamed.example")
	if f.ID != "D12" || f.Severity != doctor.WillFail || !strings.Contains(f.Sentence, p.account) {
		t.Errorf("%+v", f)
	}
}

// A directory that is called otherwise than its key says serves Orderly and not certbot: a note.
func TestAnAccountUnderAnotherNameIsANote(t *testing.T) {
	p := newPlace(t)
	a := p.newAccount()
	other := strings.Repeat("41", 16)
	if err := os.Rename(a.Dir, filepath.Join(filepath.Dir(a.Dir), other)); err != nil {
		t.Fatal(err)
	}
	p.edited("a.example", "account = "+p.account, "account = "+other)
	f := p.told(p.examine(), "D11", "")
	if f.Severity != doctor.Note || !strings.Contains(f.Sentence, a.ID) {
		t.Errorf("%+v", f)
	}
}

// What is open to others is told only where they can come to it, and mended.
func TestKeysThatOthersCanReadAreTold(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	d := p.at("a.example")
	mode := func(path string, mode fs.FileMode) {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	account := filepath.Join(p.disk().Dirs.Config, "accounts/ca.example/directory", p.account, "private_key.json")
	mode(account, 0o644)
	mode(d.Archived("privkey", 2), 0o644)
	if r := p.examine(); len(r.Findings) > 0 {
		t.Errorf("nobody else may enter: %+v", r.Findings)
	}
	mode(filepath.Dir(p.dir), 0o755)
	mode(filepath.Join(p.dir, "etc/archive"), 0o755)
	for dir := filepath.Dir(account); dir != p.dir; dir = filepath.Dir(dir) {
		mode(dir, 0o755)
	}
	r := p.examine()
	if f := p.told(r, "D17", "a.example"); f.Severity != doctor.Note || f.Fix != doctor.FixYes || f.File != d.Archived("privkey", 2) {
		t.Errorf("%+v", f)
	}
	if f := p.told(r, "D13", ""); f.File != account || f.Fix != doctor.FixYes {
		t.Errorf("%+v", f)
	}
	p.mend(r, doctor.FixYes)
	if r := p.examine(); len(r.Findings) > 0 {
		t.Errorf("again: %+v", r.Findings)
	}
	if err := os.Chown(d.Archived("privkey", 2), 1600, 1600); err != nil {
		t.Fatal(err)
	}
	if f := p.told(p.examine(), "D17", "a.example"); f.Severity != doctor.Note || f.Cause != "owner" || f.Fix != doctor.FixAsk {
		t.Errorf("%+v", f)
	}
	mode(filepath.Join(p.dir, "etc/archive"), 0o777)
	if f := p.told(p.examine(), "D17", "a.example"); f.Fix != doctor.FixNo {
		t.Errorf("where anybody may put another file: %+v", f)
	}
	mode(filepath.Join(p.dir, "etc/archive"), 0o755)
	if err := os.Chown(filepath.Join(p.dir, "etc/archive"), 1600, -1); err != nil {
		t.Fatal(err)
	}
	if f := p.told(p.examine(), "D17", "a.example"); f.Fix != doctor.FixNo {
		t.Errorf("in somebody's directory: %+v", f)
	}
	if err := os.Chown(filepath.Join(p.dir, "etc/archive"), 0, -1); err != nil {
		t.Fatal(err)
	}
	if shown := p.mend(p.examine(), doctor.FixAsk); !slices.Equal(shown, []string{d.Archived("privkey", 2)}) {
		t.Errorf("shown %q", shown)
	}
	if r := p.examine(); len(r.Findings) > 0 {
		t.Errorf("taken back: %+v", r.Findings)
	}
}

// named makes a lineage with further names.
func (p *place) named(name string, others ...string) damage.Dir {
	p.t.Helper()
	d := p.at(name)
	d.Others = others
	if err := d.Healthy(); err != nil {
		p.t.Fatal(err)
	}
	return d
}

// Certificates with the same names, a part of another's, and some in common are told, each once;
// what is not renewed costs nothing and is none of them.
func TestCertificatesThatShareNamesAreTold(t *testing.T) {
	p := newPlace(t)
	p.named("a.example", "www.a.example", "old.a.example")
	p.named("old.a.example", "a.example") // a part
	p.named("b.example", "www.b.example")
	p.named("www.b.example", "B.example") // the same, in capitals
	p.named("c.example", "mail.example")
	p.named("d.example", "mail.example") // in common
	off := p.named("off.example", "d.example")
	if err := p.edit(off, "[renewalparams]\n", "[renewalparams]\nautorenew = False\n"); err != nil {
		t.Fatal(err)
	}
	p.named("alone.example")
	r := p.examine()
	causes := map[string]doctor.Finding{}
	for _, f := range r.Findings {
		causes[f.Cause] = f
		if f.ID != "D19" || f.Severity != doctor.Note {
			t.Errorf("%+v", f)
		}
	}
	if len(r.Findings) != 3 || len(causes) != 3 {
		t.Fatalf("%+v", r.Findings)
	}
	if f := causes["part"]; f.Lineage != "old.a.example" || !strings.Contains(f.Sentence, "those of a.example") {
		t.Errorf("%+v", f)
	}
	if f := causes["same"]; !strings.Contains(f.Sentence, "b.example, www.b.example") {
		t.Errorf("%+v", f)
	}
	if f := causes["common"]; f.Remedy != "If that is not meant, leave them out of one: "+
		failure.Do(failure.ObtainFor, "c.example", p.at("c.example").Root, "NAME")+"." {
		t.Errorf("not to be pasted: %q", f.Remedy)
	}
	if f := causes["common"]; !slices.Equal(f.Names, []string{"mail.example"}) || !strings.Contains(f.Sentence, "c.example, d.example") {
		t.Errorf("%+v", f)
	}
	if r := p.examine("alone.example"); len(r.Findings) != 0 {
		t.Errorf("of one that shares nothing: %+v", r.Findings)
	}
}

// What belongs to no renewal file is told, once for what has one name.
func TestFilesThatBelongToNoLineageAreTold(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	d := p.at("gone.example")
	if err := d.Healthy(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(d.Conf()); err != nil {
		t.Fatal(err)
	}
	p.write(filepath.Join(p.dir, "etc/live/README"), "a text")
	if err := os.Mkdir(filepath.Join(p.dir, "etc/archive/empty.example"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := p.examine()
	f := p.told(r, "D20", "")
	if len(r.Findings) != 1 || !strings.Contains(f.Sentence, "archive/gone.example and ") || f.Since.IsZero() {
		t.Errorf("%+v", r.Findings)
	}
	pasted := strings.Split(string(f.Remedy), "`")[1]
	if said, err := exec.CommandContext(t.Context(), "sh", "-c", pasted).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", pasted, err, said)
	}
	if r := p.examine(); len(r.Findings) != 0 {
		t.Errorf("after %s: %+v", pasted, r.Findings)
	}
}

// A hook that is not there is told with its line; what only the shell understands is not judged.
func TestHooksThatCannotRunAreTold(t *testing.T) {
	p := newPlace(t)
	for name, hook := range map[string]string{"lost.example": "/no/such/reload now", "sound.example": "/bin/true",
		"shell.example": `"[ -x /no/such ] && /no/such"`, "quoted.example": `"'/no/such dir/x' y"`, "word.example": "A=1 no-such"} {
		p.edited(name, "[renewalparams]\n", "[renewalparams]\nrenew_hook = "+hook+"\n")
	}
	p.edited("manual.example", "authenticator = webroot\n", "authenticator = manual\nmanual_auth_hook = /no/such/proof\n")
	p.write(filepath.Join(p.dir, "etc/renewal-hooks/deploy/reload.sh"), "#!/bin/sh\n")
	p.write(filepath.Join(p.dir, "etc/renewal-hooks/deploy/README"), "put scripts here\n")
	r := p.examine()
	if f := p.one(r, "lost.example"); f.ID != "D24" || f.Severity != doctor.Note || f.Line != 11 || f.Class != failure.Hook {
		t.Errorf("%+v", f)
	}
	if f := p.one(r, "manual.example"); f.ID != "D24" || f.Severity != doctor.WillFail {
		t.Errorf("%+v", f)
	}
	if f := p.told(r, "D24", ""); !strings.HasSuffix(f.File, "/deploy/reload.sh") || !strings.Contains(string(f.Remedy), "chmod +x") {
		t.Errorf("%+v", f)
	}
	if len(r.Findings) != 3 {
		t.Errorf("%+v", r.Findings)
	}
}

// Who may read nothing is told so once, and by an error: what is not seen must not look healthy.
func TestWhoMayReadNothingIsToldOnce(t *testing.T) {
	p := newPlace(t)
	for i := range 20 {
		p.healthy(fmt.Sprintf("a%d.example", i))
	}
	if err := os.Chmod(filepath.Dir(p.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(p.dir, "etc")
	out := p.as(1600, config)
	if strings.Count(out, "\n") != 1 || !strings.Contains(out, "error: none of the 20 certificates can be looked at") {
		t.Errorf("%s", out)
	}
	for _, dir := range []string{"live", "archive"} {
		if err := os.Chmod(filepath.Join(config, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		if err := os.Chmod(filepath.Join(config, fmt.Sprintf("live/a%d.example", i)), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	out = p.as(1600, config)
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, "D14 note  5 certificates cannot be looked at by this user: a0.example, ") ||
		!strings.Contains(out, "D11 note  the accounts of this host cannot be read") {
		t.Errorf("%s", out)
	}
}

// as is what another user is told of a configuration directory.
func (p *place) as(uid uint32, config string) string {
	p.t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{examineVariable + "=" + config}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	out, _ := cmd.CombinedOutput() // what it says tells
	return string(out)
}

// A configuration directory of another host has accounts and document roots that are not there: each
// certificate is told, in groups, and nothing is made.
func TestADirectoryOfAnotherHostIsTold(t *testing.T) {
	p := newPlace(t)
	const count = 50
	for i := range count {
		d := p.edited(fmt.Sprintf("a%d.example", i), "account = "+p.account, "account = "+strings.Repeat("9f", 16))
		if err := os.Remove(d.Root); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "etc/accounts")); err != nil {
		t.Fatal(err)
	}
	before := treeOf(t, p.dir)
	r := p.examine()
	found := map[string]int{}
	for _, f := range r.Findings {
		found[f.ID]++
	}
	if err := os.Remove(filepath.Join(p.dir, "www")); err != nil {
		t.Fatal(err)
	}
	for _, g := range p.examine().Groups() {
		if g.Check.ID == "D21" && (g.Cause != filepath.Join(p.dir, "www") || len(g.Findings) != count ||
			g.Findings[0].Remedy != g.Findings[count-1].Remedy) {
			t.Errorf("%+v", g)
		}
	}
	if err := os.Mkdir(filepath.Join(p.dir, "www"), 0o755); err != nil {
		t.Fatal(err)
	}
	if len(r.Groups()) != 2 || found["D11"] != count || found["D21"] != count || r.Clean != 0 {
		t.Errorf("%v in %d groups", found, len(r.Groups()))
	}
	if changed := differing(before, treeOf(t, p.dir)); len(changed) > 0 {
		t.Errorf("the look changed %q", changed)
	}
}

// Renewal files that were copied a thousand times are told in one group.
func TestThousandsOfCopiesAreOneGroup(t *testing.T) {
	p := newPlace(t)
	p.healthy("a.example")
	text, err := os.ReadFile(p.at("a.example").Conf())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2000 {
		p.write(filepath.Join(p.dir, fmt.Sprintf("etc/renewal/copy%d.conf", i)), string(text))
	}
	r := p.examine()
	if len(r.Findings) != 2000 || r.Findings[0].ID != "D19" || len(r.Groups()) != 1 {
		t.Errorf("%d findings in %d groups", len(r.Findings), len(r.Groups()))
	}
	if at := r.Findings[0].Since; time.Since(at) > time.Hour {
		t.Errorf("since %v", at)
	}
}

// Remedies that are commands of the shell's, followed to the letter, leave nothing of what was found.
func TestRemediesThatAreCommandsWork(t *testing.T) {
	for id, make := range map[string]func(p *place){
		"D3": func(p *place) { p.write(p.at("a.example").Conf()+".new", "torn") },
		"D17": func(p *place) {
			for _, dir := range []string{filepath.Dir(p.dir), filepath.Join(p.dir, "etc/archive")} {
				if err := os.Chmod(dir, 0o755); err != nil {
					p.t.Fatal(err)
				}
			}
			if err := os.Chmod(p.at("a.example").Archived("privkey", 2), 0o644); err != nil {
				p.t.Fatal(err)
			}
		},
		"D19": func(p *place) {
			text, err := os.ReadFile(p.at("a.example").Conf())
			if err != nil {
				p.t.Fatal(err)
			}
			p.write(filepath.Join(p.dir, "etc/renewal/it's a copy.conf"), string(text))
		},
		"D20": func(p *place) { p.write(filepath.Join(p.dir, "etc/live/gone.example/cert.pem"), "torn") },
		"D21": func(p *place) {
			if err := os.Remove(p.at("a.example").Root); err != nil {
				p.t.Fatal(err)
			}
		},
		"D22": func(p *place) { p.write(filepath.Join(p.at("a.example").Root, ".well-known"), "a file") },
		"D24": func(p *place) { p.write(filepath.Join(p.dir, "etc/renewal-hooks/post/reload"), "#!/bin/sh\n") },
	} {
		p := later(t)
		p.healthy("a.example")
		make(p)
		r := p.examine()
		if len(r.Findings) != 1 || r.Findings[0].ID != id {
			t.Errorf("%s: %+v", id, r.Findings)
			continue
		}
		_, command, _ := strings.Cut(string(r.Findings[0].Remedy), "`")
		command, _, _ = strings.Cut(command, "`")
		if out, err := exec.Command("/bin/sh", "-c", command).CombinedOutput(); command == "" || err != nil {
			t.Errorf("%s: %s: %v: %s", id, command, err, out)
		}
		if r := p.examine(); len(r.Findings) != 0 {
			t.Errorf("%s, after %s: %+v", id, command, r.Findings)
		}
	}
}

// Where a renewal is to listen itself, another program must not: a hook may stop it, another address
// is not in the way.
func TestAPortThatAnotherProgramHasIsTold(t *testing.T) {
	p := newPlace(t)
	listener, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	local, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer local.Close()
	standalone := func(of net.Listener, more string) string {
		return fmt.Sprintf("authenticator = standalone\nhttp01_port = %d\n%s", of.Addr().(*net.TCPAddr).Port, more)
	}
	p.edited("taken.example", "authenticator = webroot\n", standalone(listener, ""))
	p.edited("hook.example", "authenticator = webroot\n", standalone(listener, "pre_hook = true\n"))
	p.edited("local.example", "authenticator = webroot\n", standalone(local, "http01_address = 127.0.0.1\n"))
	p.edited("other.example", "authenticator = webroot\n", standalone(local, "http01_address = 192.0.2.1\n"))
	r := p.examine()
	var told []string
	for _, f := range r.Findings {
		if f.ID == "D54" && f.Severity == doctor.Note && f.Line > 0 && strings.Contains(f.Sentence, fmt.Sprint("(process ", os.Getpid(), ")")) {
			told = append(told, f.Lineage)
		}
	}
	slices.Sort(told)
	if len(told) != len(r.Findings) || !slices.Equal(told, []string{"local.example", "taken.example"}) {
		t.Errorf("%+v", r.Findings)
	}
	p.write(filepath.Join(p.dir, "etc/cli.ini"), "pre-hook = systemctl stop nginx\n")
	if r := p.examine(); len(r.Findings) != 0 {
		t.Errorf("with a hook for all: %+v", r.Findings)
	}
}

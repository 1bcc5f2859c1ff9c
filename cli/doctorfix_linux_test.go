package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/cli"
)

// clinic is a configuration directory that a doctor is sent to. It has one account.
type clinic struct {
	t            *testing.T
	dir, account string
}

func newClinic(t *testing.T) *clinic {
	t.Helper()
	c := &clinic{t: t, dir: t.TempDir()}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(c.dir, "etc")}}
	key, err := disk.Accounts().PendingKey(clinicServer)
	if err != nil {
		t.Fatal(err)
	}
	a, err := disk.Accounts().Save(certbot.Account{Server: clinicServer, URL: clinicServer + "/1",
		Key: key, Created: time.Now(), Host: "here"})
	if err != nil {
		t.Fatal(err)
	}
	c.account = a.ID
	return c
}

const clinicServer = "https://ca.example/directory"

// lineage makes a healthy lineage, and has it harmed.
func (c *clinic) lineage(name string, harm func(damage.Dir) error) damage.Dir {
	c.t.Helper()
	return c.lineageOf(name, 60*24*time.Hour, harm)
}

// lineageOf is lineage for a certificate that is valid for so long.
func (c *clinic) lineageOf(name string, left time.Duration, harm func(damage.Dir) error) damage.Dir {
	c.t.Helper()
	root := filepath.Join(c.dir, "www", name)
	if err := os.MkdirAll(root, 0o755); err != nil {
		c.t.Fatal(err)
	}
	d := damage.Dir{Config: filepath.Join(c.dir, "etc"), Name: name, Root: root,
		Server: clinicServer, Account: c.account, Left: left}
	err := d.Healthy()
	if err == nil && harm != nil {
		err = harm(d)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return d
}

// env is what a doctor sees of the world.
func (c *clinic) env(stdin io.Reader, args ...string) (cli.Env, *bytes.Buffer, *bytes.Buffer) {
	var out, errs bytes.Buffer
	places := []string{"--config-dir", filepath.Join(c.dir, "etc"), "--work-dir", filepath.Join(c.dir, "lib"),
		"--logs-dir", filepath.Join(c.dir, "log")}
	return cli.Env{Program: "orderly", Args: append(append([]string{"doctor"}, args...), places...), Stdin: stdin,
		Stdout: &out, Stderr: &errs, PID: os.Getpid(), Getenv: func(string) string { return "" }}, &out, &errs
}

// doctor sends a doctor; nobody answers questions.
func (c *clinic) doctor(args ...string) (code int, out string) {
	c.t.Helper()
	env, stdout, stderr := c.env(nil, args...)
	code = cli.Main(c.t.Context(), env)
	return code, stdout.String() + stderr.String()
}

func mixed(d damage.Dir) error { return d.Lead(1, "privkey") }

// leads reports where a link leads.
func (c *clinic) leads(d damage.Dir, kind string) string {
	text, _ := os.Readlink(d.Live(kind))
	return filepath.Base(text)
}

// --fix shows each change, makes it with -y, and says what is left.
func TestTheDoctorMends(t *testing.T) {
	c := newClinic(t)
	d := c.lineage("a.example", mixed)
	if code, out := c.doctor("--fix", "-n"); code != 3 || !strings.Contains(out, "link "+d.Live("privkey")+": from ") ||
		!strings.Contains(out, "Nothing was changed") || c.leads(d, "privkey") != "privkey1.pem" {
		t.Fatalf("-n: %d, %s", code, out)
	}
	if code, out := c.doctor("--fix", "-y"); code != 0 || !strings.Contains(out, "mended") ||
		!strings.Contains(out, "What was replaced is kept in "+d.Config+"/orderly/backup/") ||
		c.leads(d, "privkey") != "privkey2.pem" {
		t.Fatalf("-y: %d, %s", code, out)
	}
	if code, out := c.doctor("--fix", "-y"); code != 0 || !strings.Contains(out, "Nothing is found that --fix mends.") {
		t.Errorf("again: %d, %s", code, out)
	}
}

// Programs read what was mended.
func TestWhatWasMendedIsReadByPrograms(t *testing.T) {
	c := newClinic(t)
	c.lineage("a.example", mixed)
	code, out := c.doctor("--fix", "-y", "--json")
	var said struct {
		Findings []any
		Mended   []struct {
			ID, Lineage string
			Changes     []string
			Done        bool
		}
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil || code != 0 {
		t.Fatalf("%d, %v: %s", code, err, out)
	}
	if len(said.Findings) != 0 || len(said.Mended) != 1 || !said.Mended[0].Done || len(said.Mended[0].Changes) != 1 {
		t.Errorf("%+v", said)
	}
}

// What is marked ask is mended only where its id is named, behind the flag or within it.
func TestWhatIsAMatterOfTasteIsNamed(t *testing.T) {
	c := newClinic(t)
	moved := func(d damage.Dir) error {
		text, err := os.ReadFile(d.Conf())
		if err != nil {
			return err
		}
		return os.WriteFile(d.Conf(), []byte(strings.ReplaceAll(string(text), d.Config, d.Config+"-old")), 0o644)
	}
	d := c.lineage("a.example", moved)
	_, out := c.doctor("--json")
	var said struct{ Findings []struct{ ID, Fix string } }
	if err := json.Unmarshal([]byte(out), &said); err != nil || len(said.Findings) == 0 || said.Findings[0].Fix != "ask" {
		t.Fatalf("%v: %s", err, out)
	}
	id := said.Findings[0].ID
	if code, out := c.doctor("--fix", "-y"); code != 3 || !strings.Contains(out, "Nothing is found that --fix mends.") {
		t.Errorf("unnamed: %d, %s", code, out)
	}
	if code, out := c.doctor("--fix", id, "-y"); code != 0 || !strings.Contains(out, "+archive_dir = "+d.Config+"/archive") {
		t.Errorf("named: %d, %s", code, out)
	}
	for _, wrong := range [][]string{{"--fix=D9999"}, {"--fix=twelve"}, {"--fix", "D9999"}, {"-y"}} {
		if code, out := c.doctor(wrong...); code != 2 {
			t.Errorf("%q: %d, %s", wrong, code, out)
		}
	}
}

// typing is a terminal at which a person typed ahead. What is written to it is returned by closed.
func typing(t *testing.T, text string) (slave *os.File, closed func() string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err == nil {
		_, err = master.WriteString(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan string)
	go func() {
		said, _ := io.ReadAll(master) // ends with EIO when the slave is closed
		read <- string(said)
	}()
	return slave, func() string {
		slave.Close()
		defer master.Close()
		return <-read
	}
}

// A person at a terminal is asked for each.
func TestAPersonIsAskedForEachRepair(t *testing.T) {
	c := newClinic(t)
	first, second := c.lineage("a.example", mixed), c.lineage("b.example", mixed)
	slave, closed := typing(t, "n\ny\n")
	env, _, stderr := c.env(slave, "--fix")
	env.Stdout = slave
	code := cli.Main(t.Context(), env)
	said := closed()
	// which of the two hurts first depends on the second at which each was made
	if code != 3 || c.leads(first, "privkey") == c.leads(second, "privkey") {
		t.Errorf("%d: %s %s", code, said, stderr)
	}
	for _, want := range []string{"a.example so?", "b.example so?"} {
		if !strings.Contains(said, want) {
			t.Errorf("does not say %q: %s", want, said)
		}
	}
}

// Of what is named and cannot be mended it is said why, and what would let it be.
func TestWhatIsNamedAndLeftIsToldWhy(t *testing.T) {
	c := newClinic(t)
	for _, names := range [][2]string{{"a.example", "www.a.example"}, {"www.a.example", "a.example"}} {
		d := c.lineage(names[0], nil)
		d.Others = names[1:]
		if err := d.Healthy(); err != nil {
			t.Fatal(err)
		}
	}
	code, out := c.doctor("--fix", "D19", "-y")
	if code != 3 || !strings.Contains(out, "left: what is in use only the web servers can say") ||
		!strings.Contains(out, "--web") || !strings.Contains(out, "Nothing is found of D19 that --fix mends.") {
		t.Errorf("%d, %s", code, out)
	}
}

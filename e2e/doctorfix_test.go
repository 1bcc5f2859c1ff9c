package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	damaged "orderly/certbot/damage"
	"orderly/testca"
)

// mixed makes lineages whose key is linked to a former version.
func (h *host) mixed(many int) []damaged.Dir {
	h.t.Helper()
	var all []damaged.Dir
	for i := range many {
		name := fmt.Sprintf("site%d.example.com", i)
		d := damaged.Dir{Config: h.config, Name: name, Root: filepath.Join(h.dir, "www", name), Server: h.ca.DirectoryURL(),
			Account: "0123", Left: 60 * 24 * time.Hour}
		err := os.MkdirAll(d.Root, 0o755)
		if err == nil {
			err = d.Healthy()
		}
		if err == nil {
			err = d.Lead(1, "privkey")
		}
		if err != nil {
			h.t.Fatal(err)
		}
		all = append(all, d)
	}
	return all
}

// keyVersions says to which versions the keys are linked.
func keyVersions(t *testing.T, all []damaged.Dir) map[string]int {
	t.Helper()
	found := map[string]int{}
	for _, d := range all {
		text, err := os.Readlink(d.Live("privkey"))
		if err != nil {
			t.Fatal(err)
		}
		found[filepath.Base(text)]++
	}
	return found
}

// While certbot holds its lock the doctor looks, waits with a sentence and changes nothing; then it
// mends.
func TestTheDoctorMendsNothingBesideCertbot(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	all := h.mixed(1)
	unlock := h.lockAsCertbot()
	if r := h.orderly("doctor"); r.code != 1 && r.code != 3 || !strings.Contains(r.stdout, "D15") {
		t.Errorf("a look waits for nobody: %s", r)
	}
	run := h.start("doctor", "--fix", "-y")
	until(t, "it says whom it waits for", func() bool {
		return strings.Contains(run.err.String(), "Waiting for another instance of certbot (process ")
	})
	if now := keyVersions(t, all); now["privkey1.pem"] != 1 {
		t.Errorf("changed beside certbot: %v", now)
	}
	unlock()
	r := run.wait()
	if now := keyVersions(t, all); now["privkey2.pem"] != 1 || !strings.Contains(r.stdout, "mended") {
		t.Errorf("%v: %s", now, r)
	}
}

// Killed in the middle, the doctor leaves each lineage as it was or as it should be, and mends the
// rest the next time.
func TestADoctorThatIsKilledLeavesOldOrNew(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	all := h.mixed(120)
	c := exec.Command(program, append([]string{"doctor", "--fix", "-y"}, h.dirs()...)...)
	c.Env, c.Dir = h.env, h.dir
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out) // what is said of 120 does not fit the pipe: it is not at its end
	for lines.Scan() && strings.TrimSpace(lines.Text()) != "mended" {
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	now := keyVersions(t, all)
	if now["privkey1.pem"] == 0 || now["privkey2.pem"] == 0 || now["privkey1.pem"]+now["privkey2.pem"] != len(all) {
		t.Errorf("after the kill: %v", now)
	}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: h.config, Work: h.working, Logs: h.logs}}
	for _, d := range all {
		if l, err := disk.Open(d.Name); err != nil || l.Version != 2 {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
	if r := h.orderly("doctor", "--fix", "-y"); strings.Count(r.stdout, "\n    mended\n") != now["privkey1.pem"] {
		t.Errorf("%d were left: %s", now["privkey1.pem"], r.stdout[max(0, len(r.stdout)-2000):])
	}
	if now := keyVersions(t, all); now["privkey2.pem"] != len(all) {
		t.Errorf("in the end: %v", now)
	}
	kept, err := filepath.Glob(filepath.Join(h.config, "orderly", "backup", "*", "changes"))
	if err != nil || len(kept) != 2 || slices.ContainsFunc(kept, func(path string) bool {
		info, err := os.Stat(path)
		return err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0
	}) {
		t.Errorf("kept are %q, %v", kept, err)
	}
}

package doctor_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/doctor"
)

// What is found of each state of a lineage that the field has shown stands in a table: whoever changes
// what is found changes the table.

// tableFile is where it stands.
const tableFile = "../docs/doctor-findings.md"

// rowsOf reads the rows of the table by their first column: the last column is what is found.
func rowsOf(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([^|]+) \|.*\| ([^|]+) \|$`).FindAllStringSubmatch(string(text), -1) {
		if _, twice := rows[m[1]]; twice {
			t.Errorf("the row %s stands twice", m[1])
		}
		rows[m[1]] = m[2]
	}
	for _, head := range []string{"case", "row", "---"} {
		delete(rows, head)
	}
	return rows
}

// summary is what a report says, as the table has it: id, severity, fix.
func summary(r doctor.Report) string {
	var all []string
	for _, f := range r.Findings {
		all = append(all, fmt.Sprintf("%s %s %s", f.ID, f.Severity, f.Fix))
	}
	slices.Sort(all)
	if len(all) == 0 {
		return "–"
	}
	return strings.Join(all, ", ")
}

// later is a place an hour after all its files were written: what is written aside is nobody's work.
func later(t *testing.T) *place {
	p := newPlace(t)
	p.now = p.now.Add(time.Hour)
	return p
}

func TestEachKindOfDamageIsFoundAsTheTableSays(t *testing.T) {
	rows := rowsOf(t)
	for _, c := range damage.Cases() {
		p := later(t)
		if err := c.Make(p.at("a.example")); err != nil {
			t.Fatal(err)
		}
		r := p.examine()
		if got := summary(r); got != rows[c.Name] {
			t.Errorf("| %s | %s | %s |", c.Name, c.Sentence, got)
		}
		for _, f := range r.Findings {
			fails := f.Severity == doctor.WillFail || f.Severity == doctor.Fails
			if c.Serves && fails {
				t.Errorf("%s is renewed, and said to fail: %s", c.Name, f.Sentence)
			}
			if f.Class == "" || f.Sentence == "" || f.Remedy == "" || f.Fix == "" {
				t.Errorf("%s: %+v", c.Name, f)
			}
		}
	}
}

// trials are the states on disk of the trials' rows L and S; what is about behaviour has none.
func trials() map[string]func(p *place) error {
	healthy := func(p *place) (damage.Dir, error) {
		d := p.at("a.example")
		return d, d.Healthy()
	}
	return map[string]func(p *place) error{
		"L1": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, d.Add(3, 10*24*time.Hour))
		},
		"L2, live/NAME removed": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, os.RemoveAll(filepath.Dir(d.Live(""))))
		},
		"L2, one link missing": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, os.Remove(d.Live("fullchain")))
		},
		"L2, certificate emptied": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, os.Truncate(d.Archived("cert", 2), 0))
		},
		"L2, links to another place": func(p *place) error {
			d, err := healthy(p)
			err = errors.Join(err, os.Remove(d.Live("privkey")))
			return errors.Join(err, os.Symlink("/nowhere/privkey2.pem", d.Live("privkey")))
		},
		"L4": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, p.edit(d, "[renewalparams]\n", "[renewalparams]\ninstaller = nginx\n"))
		},
		"L5": func(p *place) error {
			d, err := healthy(p)
			text, readErr := os.ReadFile(d.Conf())
			return errors.Join(err, readErr, os.WriteFile(strings.TrimSuffix(d.Conf(), ".conf")+".bak.conf", text, 0o644))
		},
		"L6": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, p.edit(d, "[renewalparams]\n", "[renewalparams]\nmust_staple = True\n"))
		},
		"L7": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, p.edit(d, "version = 2.1.0", "renew_before_expiry = 89 days\nversion = 2.1.0"))
		},
		"L8": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, os.Remove(d.Archived("privkey", 1)), os.Remove(d.Archived("privkey", 2)))
		},
		"S1": func(p *place) error {
			d, err := healthy(p)
			err = errors.Join(err, os.Chmod(filepath.Dir(p.dir), 0o755)) // his is the way to his own
			release := d.Root + "-releases/1"
			return errors.Join(err, os.MkdirAll(release, 0o755), os.Chown(release, 1600, 1600), os.Remove(d.Root),
				os.Symlink(release, d.Root), os.Lchown(d.Root, 1600, 1600))
		},
		"S2": func(p *place) error {
			d, err := healthy(p)
			return errors.Join(err, p.edit(d, "[renewalparams]\n", "orderly_webroot_from = /bin/echo /srv\n[renewalparams]\n"),
				os.Remove(d.Root))
		},
		"S5": func(p *place) error {
			d, err := healthy(p)
			dir := filepath.Dir(d.Archived("", 0))
			p.t.Cleanup(func() { _ = exec.Command("chattr", "-i", dir).Run() })
			return errors.Join(err, exec.Command("chattr", "+i", dir).Run())
		},
		"S4": func(p *place) error {
			d, err := healthy(p)
			home := filepath.Dir(d.Root)
			return errors.Join(err, os.Chown(home, 1600, 1600), os.Remove(d.Root), os.Mkdir(d.Root, 0o755))
		},
	}
}

// edit changes a renewal file.
func (p *place) edit(d damage.Dir, from, to string) error {
	text, err := os.ReadFile(d.Conf())
	if err != nil {
		return err
	}
	after := strings.Replace(string(text), from, to, 1)
	if after == string(text) {
		return fmt.Errorf("nothing to change in %s", d.Conf())
	}
	return os.WriteFile(d.Conf(), []byte(after), 0o644)
}

func TestEachTrialIsFoundAsTheTableSays(t *testing.T) {
	rows := rowsOf(t)
	for name, make := range trials() {
		p := later(t)
		if err := make(p); err != nil {
			t.Fatal(err)
		}
		if got := summary(p.examine()); got != rows[name] {
			t.Errorf("%s: found %s, the table says %s", name, got, rows[name])
		}
	}
}

// Every row of the table is one of those that are made, or says why there is nothing to be found.
func TestTheTableHasNoOtherRows(t *testing.T) {
	made := map[string]bool{}
	for _, c := range damage.Cases() {
		made[c.Name] = true
	}
	for name := range trials() {
		made[name] = true
	}
	behaviour := regexp.MustCompile(`^(L|S)\d+$`)
	for name, found := range rowsOf(t) {
		if !made[name] && !(behaviour.MatchString(name) && strings.HasPrefix(found, "–: ")) {
			t.Errorf("the row %s is made by no test: %s", name, found)
		}
		delete(made, name)
	}
	for name := range made {
		t.Errorf("%s has no row", name)
	}
}

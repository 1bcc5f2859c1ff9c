package e2e_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// pieces are all that a lineage has on disk: modes, and what files hold and links say.
func (h *host) pieces(name string) string {
	h.t.Helper()
	text := ""
	for _, top := range []string{"renewal/" + name + ".conf", "live/" + name, "archive/" + name} {
		err := filepath.WalkDir(filepath.Join(h.config, top), func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			text += fmt.Sprintf("%s %s\n", strings.TrimPrefix(path, h.config), info.Mode())
			if e.Type() == fs.ModeSymlink {
				to, err := os.Readlink(path)
				text += to + "\n"
				return err
			}
			if e.Type().IsRegular() {
				text += h.read(path)
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			h.t.Fatal(err)
		}
	}
	return text
}

// The way of a site that its customer took away: it is not put aside while it is served, certbot does not know it
// afterwards, and all of it comes back.
func TestASiteThatMovedAwayIsPutAside(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	const name, kept = "a.example.com", "b.example.com"
	for _, one := range []string{name, kept} {
		h.must(h.certonly(w.site(one, "www."+one), one, "www."+one)...)
	}
	before := h.pieces(name)
	h.orderly("retire", name).says(t, 1, name+" is not put aside: ", "is served from here")
	w.ca.SetDead(name, true)
	h.orderly("retire", name).says(t, 1, "is not put aside: www."+name+" is served from here")
	if h.pieces(name) != before {
		t.Error("something was moved")
	}
	w.ca.SetDead("www."+name, true)
	said := h.must("retire", name)
	said.says(t, 0, "was put aside in "+h.config+"/orderly/retired/"+name, "fails at its next reload", "orderly retire --undo "+name)
	if left := h.pieces(name); left != "" {
		t.Errorf("left in its place:\n%s", left)
	}
	// what it says is to be pasted
	line := regexp.MustCompile("`(grep [^`]*)`").FindStringSubmatch(said.String())
	if line == nil || !strings.Contains(line[1], h.config+"/live/"+name+"/") {
		t.Errorf("no command that looks for its uses: %s", said)
	}
	h.must("renew").says(t, 0)
	h.must("certificates").says(t, 0, "Certificate Name: "+kept, "1 retired: `orderly retire")
	h.must("certificates", "--due").says(t, 0, "1 retired: `orderly retire")
	h.must("certificates", "--json").says(t, 0, `"retired": 1`)
	h.orderly("renew", "--cert-name", name).says(t, 1, "No certificate found with name "+name, "was put aside", "retire --undo "+name)
	if r := h.mustCertbot("certificates"); strings.Contains(r.stdout, name) || !strings.Contains(r.stdout, kept) {
		t.Errorf("certbot: %s", r)
	}
	h.must("retire").says(t, 0, "PUT ASIDE", name, "orderly retire --undo CERTIFICATE")
	var list struct {
		Retired []struct {
			Lineage, Directory string
			Names              []string
		}
		Away []any
	}
	if r := h.must("retire", "--json"); json.Unmarshal([]byte(r.stdout), &list) != nil || len(list.Retired) != 1 ||
		list.Retired[0].Lineage != name || len(list.Retired[0].Names) != 2 || list.Away == nil {
		t.Errorf("%s", r)
	}
	h.must("retire", "--undo", name).says(t, 0, "is back as it was")
	if after := h.pieces(name); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
	h.goodPair(name, name, "www."+name)
	h.orderly("retire", "--undo", name).says(t, 1, "No certificate of the name "+name+" was put aside")
}

// A kill -9 at any step of the move is finished by whatever runs next.
func TestAKillAtAnyStepOfAMoveIsFinished(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	const name = "a.example.com"
	h.must(h.certonly(w.site(name), name)...)
	w.ca.SetDead(name, true)
	before := h.pieces(name)
	for _, after := range []bool{false, true} {
		for nth := 1; nth <= 3; nth++ {
			r, _ := h.watched(&kill{"put aside", "rename", nth, after}, "retire", name)
			if r.signal != syscall.SIGKILL {
				t.Fatalf("rename %d, after it %t: the moment to kill did not come: %s", nth, after, r)
			}
			h.must("renew")
			if left := h.pieces(name); left != "" {
				t.Errorf("rename %d, after it %t: left in its place:\n%s", nth, after, left)
			}
			h.must("retire", "--undo", name)
			if h.pieces(name) != before {
				t.Errorf("rename %d, after it %t: it is not as it was", nth, after)
			}
		}
	}
}

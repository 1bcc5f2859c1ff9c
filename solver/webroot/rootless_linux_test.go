package webroot_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestWithoutRootTheRunIsItsOwnUser runs Orderly as a customer, as some do on hosts of their own.
func TestWithoutRootTheRunIsItsOwnUser(t *testing.T) {
	for name, test := range map[string]struct {
		root    func(g *ground) string
		refusal string
	}{
		"his directory": {func(g *ground) string { return g.root }, ""},
		"his link":      {func(g *ground) string { return g.link("htdocs", g.home+"/current", customer) }, ""},
		"root's link":   {func(g *ground) string { return g.link(g.root, g.base+"/www", 0) }, ""},
		"another's link": {func(g *ground) string {
			open := g.dir(g.base+"/open", neighbour, 0o755)
			return g.link(g.root, open+"/www", neighbour)
		}, "only root can act as another user"},
		"root's directory": {func(g *ground) string { return g.outside }, "may not write in"},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root := test.root(g)
			unchanged := g.unchanged(g.base)
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = []string{checkVariable + "=" + root}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: customer, Gid: customer}}
			out, err := cmd.CombinedOutput()
			if said := string(out); (err == nil) != (test.refusal == "") || !strings.Contains(said, test.refusal) {
				t.Errorf("%v: %s", err, said)
			}
			unchanged()
			if _, err := os.Stat(g.outside + "/.well-known"); err == nil {
				t.Error("something was made in root's")
			}
		})
	}
}

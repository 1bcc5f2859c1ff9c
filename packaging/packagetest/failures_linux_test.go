package packagetest

// Installations that fail or are killed half-way. What was there before is there again, or the next
// attempt brings all of it about; nobody's file, and nobody's diversion, is taken for ours.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// refused are installations of orderly-certbot that something on the host makes fail.
func refused(t *testing.T, b *bench) {
	for _, c := range []struct {
		what, before, after string
	}{
		{"another one diverts certbot", "dpkg-divert --local --rename --divert /usr/bin/certbot.mine --add /usr/bin/certbot",
			"dpkg-divert --local --rename --remove /usr/bin/certbot"},
		{"another one diverts its page", "dpkg-divert --local --rename --divert /usr/share/man/man1/mine.1.gz --add /usr/share/man/man1/certbot.1.gz",
			"dpkg-divert --local --rename --remove /usr/share/man/man1/certbot.1.gz"},
		{"another file has the name", "echo mine >/usr/bin/certbot.distrib", "grep -q mine /usr/bin/certbot.distrib; rm /usr/bin/certbot.distrib"},
		{"another package has one of its files", "dpkg -i " + another(b), "dpkg -P another"},
	} {
		t.Run(c.what, func(t *testing.T) {
			w := beside(t, b)
			w.tr.sh(c.before)
			if said, err := w.tr.try("/usr/bin/dpkg", "-i", b.packages["orderly-certbot"][0]); err == nil {
				t.Fatalf("it was installed: %s", said)
			}
			w.tr.sh(c.after)
			w.tr.run("/usr/bin/dpkg", "-P", "orderly-certbot") // dpkg keeps a note of the attempt
			w.look(t)
			w.goesOn(t)
		})
	}
}

// another makes a package that has the drop-in of orderly-certbot, so that this cannot be unpacked.
func another(b *bench) string {
	return b.variant("another.deb", filepath.Join(b.debs, "orderly-certbot-0.deb"), "", func(dir string) {
		b.change(filepath.Join(dir, "DEBIAN/control"), func(s string) string {
			return strings.ReplaceAll(s, "orderly-certbot", "another")
		})
		for _, name := range []string{"DEBIAN/preinst", "DEBIAN/postinst", "DEBIAN/postrm", "usr/bin", "usr/share"} {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				b.t.Fatal(err)
			}
		}
	})
}

// beside is a host with certbot and Orderly; what installed them is done once.
func beside(t *testing.T, b *bench) *walk {
	t.Helper()
	at := situation{installed, installed, absent}
	if b.both == nil {
		tr := b.tree(t)
		tr.do(b, step{"install", 0})
		tr.do(b, step{"install", 1})
		b.both = tr.below()
		tr.end()
	}
	return &walk{b: b, tr: b.treeAbove(t, b.both), at: at, done: map[string]bool{}}
}

// goesOn installs what failed, and removes it.
func (w *walk) goesOn(t *testing.T) {
	t.Helper()
	for _, does := range []string{"install", "purge"} {
		s := step{does, 2}
		w.tr.do(w.b, s)
		w.at, _ = s.from(w.at)
		w.look(t)
	}
}

// killed are installations and removals of orderly-certbot that end with dpkg being killed, at each
// end of each of its scripts.
func killed(t *testing.T, b *bench) {
	for _, script := range []string{"preinst", "postinst", "postrm"} {
		for _, at := range []string{"begins", "has ended"} {
			t.Run("as "+script+" "+at, func(t *testing.T) {
				w := beside(t, b)
				file := filepath.Base(script + strings.Fields(at)[0] + ".deb")
				b.variant(file, filepath.Join(b.debs, "orderly-certbot-0.deb"), "", func(dir string) {
					b.change(filepath.Join(dir, "DEBIAN", script), func(s string) string { return killing(s, at == "begins") })
				})
				_, first := w.tr.try("/usr/bin/dpkg", "-i", "/mnt/"+file)
				if script == "postrm" {
					_, first = w.tr.try("/usr/bin/dpkg", "-r", "orderly-certbot")
				}
				if first == nil || w.tr.sh("ls /tmp") != "killed\n" {
					t.Fatal("dpkg was not killed")
				}
				w.tr.run("/usr/bin/dpkg", "--configure", "-a")
				w.goesOn(t)
			})
		}
	}
}

// killing lets a script kill dpkg, once.
func killing(script string, first bool) string {
	kill := "if [ ! -e /tmp/killed ]; then : >/tmp/killed; kill -9 $PPID; fi\n"
	head, body, _ := strings.Cut(script, "\n")
	if first {
		return head + "\n" + kill + body
	}
	return head + "\n" + body + kill
}

// somebodysOwn are files of the administrator's in the places that are diverted.
func somebodysOwn(t *testing.T, b *bench) {
	t.Run("a link to a snap's certbot comes back", func(t *testing.T) {
		w := newWalk(t, b)
		w.tr.do(b, step{"install", 1})
		if err := os.Symlink("/snap/bin/certbot", w.tr.path("/usr/bin/certbot")); err != nil {
			t.Fatal(err)
		}
		w.tr.do(b, step{"install", 2})
		w.tr.sh("[ /usr/bin/certbot -ef /usr/bin/orderly ] && [ -L /usr/bin/certbot.distrib ]")
		w.tr.do(b, step{"purge", 2})
		w.tr.sh("[ $(readlink /usr/bin/certbot) = /snap/bin/certbot ] && [ ! -L /usr/bin/certbot.distrib ]")
	})
	t.Run("certbot's line in cron's table that was commented out", func(t *testing.T) {
		w := beside(t, b)
		w.tr.sh("sed -i 's/^0 /#&/' /etc/cron.d/certbot")
		w.tr.do(b, step{"install", 2})
		if calls := w.tr.cronCalls(t); len(calls) != 1 || calls[0] != "orderly renew -q --no-random-sleep-on-renew" {
			t.Errorf("%q renew", calls)
		}
		w.tr.do(b, step{"purge", 2})
		w.tr.sh("grep -q '^#0 ' /etc/cron.d/certbot")
	})
	t.Run("a timer that was disabled or masked stays so", func(t *testing.T) {
		for what, how := range map[string]string{ // as systemctl does it
			"disabled": "rm /etc/systemd/system/timers.target.wants/certbot.timer",
			"masked":   "ln -s /dev/null /etc/systemd/system/certbot.timer",
		} {
			w := beside(t, b)
			w.tr.sh(how)
			before := w.tr.manifest(b.pristine)
			w.tr.do(b, step{"install", 2})
			w.tr.do(b, step{"upgrade", 2})
			w.tr.do(b, step{"purge", 2})
			if d := w.tr.manifest(b.pristine).difference(before); d != "" {
				t.Errorf("%s: %s", what, d)
			}
		}
	})
	t.Run("without orderly it waits for it", func(t *testing.T) {
		w := newWalk(t, b)
		if said, err := w.tr.try("/usr/bin/dpkg", "-i", b.packages["orderly-certbot"][0]); err == nil {
			t.Errorf("it was configured: %s", said)
		}
		w.tr.do(b, step{"install", 1})
		w.tr.run("/usr/bin/dpkg", "--configure", "-a")
		w.at = situation{absent, installed, installed}
		w.look(t)
		if said, err := w.tr.try("/usr/bin/dpkg", "-r", "orderly"); err == nil {
			t.Errorf("orderly was removed from below it: %s", said)
		}
		w.look(t)
	})
}

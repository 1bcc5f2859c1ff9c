package webserver

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A process that may not be dumped has a directory of root's in /proc, whoever runs it: what it was
// started with must not be executed. This one's directory is the test's own.
func TestWhoRunsAProcessIsWhatTheKernelSaysOfItsIDs(t *testing.T) {
	me := strconv.Itoa(os.Geteuid())
	for _, c := range []struct {
		ids     string
		foreign bool
	}{
		{me + "\t" + me + "\t" + me + "\t" + me, false},
		{"33\t33\t33\t33", true},
		{"1000\t" + me + "\t" + me + "\t" + me, true}, // on its way into another program
		{"", true},
	} {
		proc := t.TempDir()
		dir := filepath.Join(proc, "4711")
		for _, d := range []string{filepath.Join(dir, "ns"), filepath.Join(proc, "self/ns")} {
			if err := os.MkdirAll(d, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("mnt:[1]", filepath.Join(d, "mnt")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("/usr/sbin/nginx", filepath.Join(dir, "exe")); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{"status": "Name:\tnginx\nUid:\t" + c.ids + "\n",
			"cmdline": "nginx\x00-c\x00/home/mallory/nginx.conf\x00", "stat": "4711 (nginx) S 1 1"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		all := running(proc)
		if len(all) != 1 {
			t.Fatalf("%d processes", len(all))
		}
		if got := all[0].Foreign == "it runs as another user"; got != c.foreign {
			t.Errorf("with the ids %q it is told %q", c.ids, all[0].Foreign)
		}
	}
}

// What a customer writes must have root read nothing that he names, and define nothing for others.
func TestACustomersRulesLeadToNoFile(t *testing.T) {
	f := newApacheFiles("/etc/apache2", map[string]string{"ROOT": "/srv"}, nil)
	var read []string
	f.read = func(file string) (string, bool) {
		read = append(read, file)
		return "ServerName main\nListen 80\n<VirtualHost *:80>\nServerName a.example\n" +
			"DocumentRoot ${ROOT}/a\n<Directory /srv>\nAllowOverride All\n</Directory>\n</VirtualHost>\n", true
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "x.conf"), []byte("Require all denied\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Survey{Servers: []*Server{apacheServer(f, "/etc/apache2/apache2.conf")},
		Read: func(_ context.Context, dir, name string) (string, bool) {
			return "Include " + dir + "/x.conf\nIncludeOptional " + dir + "/*.conf\nDefine ROOT /other\n" +
				"<IfFile \"" + dir + "/x.conf\">\nRequire all denied\n</IfFile>\n", dir == "/srv/a"
		}}
	if got := told(t, s, "a.example"); got != "?" {
		t.Errorf("it is told %q", got) // whether the file is there is not looked for
	}
	if len(read) != 1 || f.variables["ROOT"] != "/srv" {
		t.Errorf("read %v, ROOT is %s", read, f.variables["ROOT"])
	}
}

// Patterns are customers', and what looks ahead again and again takes years.
func TestAPatternThatTakesTooLongIsNotKnown(t *testing.T) {
	p, ok := compile(strings.Repeat(".*(?!,)", 30)+"ZZZ", false)
	if !ok {
		t.Fatal("it is not understood at all")
	}
	if got := p.matches(strings.Repeat("a", 900)); got != unknown {
		t.Errorf("it is told %v", got)
	}
	if _, ok := compile(strings.Repeat("(.{1000})?", 100), false); ok {
		t.Error("a program of a hundred thousand steps was compiled")
	}
	if _, ok := compile(`^[a-z]{2,63}(\.[a-z]{1,63})*$`, false); !ok {
		t.Error("what is modest was not compiled")
	}
}

// Ten thousand rules, each of them a doubt, are not kept, nor tried for ever.
func TestTenThousandRulesOfACustomerEnd(t *testing.T) {
	rules := "RewriteEngine on\n" + strings.Repeat("RewriteCond %{HTTP_COOKIE} x\nRewriteRule a /b [L]\n", 25_000)
	s := apacheOf("ServerName main\nListen 80\n<VirtualHost *:80>\nServerName a.example\nDocumentRoot /srv/a\n"+
		"<Directory /srv>\nAllowOverride All\n</Directory>\n</VirtualHost>\n", map[string]string{"/srv/a/.htaccess": rules})
	for _, a := range s.Ask(t.Context(), "a.example", 80) {
		if n := len(a.Doubts); n == 0 || n > mostDoubts {
			t.Errorf("%d doubts", n)
		}
	}
}

// Links that lead round and round multiply with each level of directories.
func TestAnIncludedDirectoryThatLeadsToItselfEnds(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b", "c", "d"} {
		if err := os.Symlink(".", filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	f := newApacheFiles("/", nil, nil)
	f.looked = mostIncludes - 1000
	f.matching(dir)
	if f.looked > 2*mostIncludes {
		t.Errorf("%d names were looked at", f.looked)
	}
}

// nginx prints each file once: a customer's, which is included, could have the line in it that begins
// another's, and speak for that.
func TestAFileThatNginxPrintsTwiceIsReadItself(t *testing.T) {
	const others = marker + "/etc/nginx/other.conf:\nserver { }\n"
	const printed = marker + "/etc/nginx/nginx.conf:\nhttp { }\n" + others
	if _, _, twice := dump(printed); twice {
		t.Error("all are printed once")
	}
	if _, _, twice := dump(printed + marker + "/home/mallory/a.conf:\n" + others); !twice {
		t.Error("one is printed twice")
	}
}

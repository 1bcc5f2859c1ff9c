package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// A web server that would not start again is told with the line that is wrong, before the reload that would show it; and one
// that is gone, by the port that nobody has.
func TestTheDoctorTellsOfAWebServerThatIsBrokenOrGone(t *testing.T) {
	t.Parallel()
	if !apartWith(t, syscall.CLONE_NEWPID) {
		return
	}
	port := freePort(t)
	w := newWorld(t, testca.Config{HTTPPort: port})
	w.web.port = port
	d := &ward{host: w.host("one")}
	site := d.site("a.example.com")
	front := nginxServer(filepath.Join(d.dir, "nginx"), port,
		blocks(" server { listen 127.0.0.1:%d; server_name %s; root %s; }\n", port, map[string]string{"a.example.com": site}))
	front.config = strings.Replace(front.config, "www-data", "root", 1)
	stop := front.start(t)
	d.must(d.certonly(site, "a.example.com")...)
	conf := filepath.Join(front.dir, "nginx.conf")
	d.write(conf, strings.Replace(front.config, " server {", " nonsense on;\n server {", 1))
	want := func(words string, line int) {
		t.Helper()
		found, code := d.doctor()
		if len(found) != 1 || found[0].ID != "D35" || code != 1 || !strings.Contains(found[0].Sentence, words) ||
			found[0].Line != line || line > 0 && found[0].File != conf {
			t.Errorf("not %q in line %d, exit %d: %+v", words, line, code, found)
		}
	}
	d.online = "--web"
	want(`unknown directive "nonsense"`, 1+strings.Count(front.config[:strings.Index(front.config, " server {")], "\n"))
	d.write(conf, front.config)
	if found, code := d.doctor(); code != 0 {
		t.Errorf("exit %d: %+v", code, found)
	}
	// a rule that a renewal has outlived is doubtful: it succeeded in spite of it
	d.write(conf, strings.Replace(front.config, " server {", " deny all;\n server {", 1))
	if found, code := d.doctor(); code != 1 || len(found) != 1 || found[0].ID != "D36" || found[0].Severity != "will-fail" {
		t.Errorf("exit %d: %+v", code, found)
	}
	past := time.Now().Add(-24 * time.Hour)
	if err := os.Chtimes(conf, past, past); err != nil {
		t.Fatal(err)
	}
	if found, code := d.doctor(); code != 3 || len(found) != 1 || found[0].ID != "D36" || found[0].Severity != "doubtful" {
		t.Errorf("exit %d: %+v", code, found)
	}
	d.write(conf, front.config)
	stop()
	want("nothing listens on port", 0)
}

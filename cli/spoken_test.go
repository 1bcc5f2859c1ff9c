package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/renewal"
	"orderly/schedule"
)

// Trial W3: what renews on this host is said of it, whatever cli.ini claims.
func TestANewCertificateComesWithWhatIsTrueOfItsRenewal(t *testing.T) {
	for _, c := range []struct {
		cron    string
		certbot bool
		want    []string
		not     []string
	}{
		{"", true, []string{"NEXT STEPS:", "Let a timer run `certbot renew` twice a day."}, []string{"scheduled task", "another program"}},
		{"0 3 * * * root /usr/bin/orderly renew", true, []string{"Certbot has set up a scheduled task to automatically renew"}, []string{"NEXT STEPS"}},
		{"0 3 * * * root orderly renew", false, []string{"It is renewed in the background by /etc/crontab."}, []string{"NEXT STEPS", "Certbot"}},
		{"0 3 * * * root certbot -q renew", true, []string{"NEXT STEPS:", "- /etc/crontab runs /usr/bin/certbot, which is another program: take the line out"}, []string{"scheduled task"}},
	} {
		root := t.TempDir()
		for path, text := range map[string]string{"etc/crontab": c.cron + "\n", "usr/bin/orderly": "us", "usr/bin/certbot": "python"} {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		p := &printer{out: &out, caller: caller{certbot: c.certbot}, renewals: schedule.Host{Root: root, Self: "/usr/bin/orderly"}}
		p.received(renewal.Result{Path: "/etc/letsencrypt/live/a/fullchain.pem"})
		for _, text := range c.want {
			if !strings.Contains(out.String(), text) {
				t.Errorf("%q: no %q in %s", c.cron, text, &out)
			}
		}
		for _, text := range c.not {
			if strings.Contains(out.String(), text) {
				t.Errorf("%q: %q in %s", c.cron, text, &out)
			}
		}
	}
}

// What is printed to be pasted names this run's directories, in the summary of a renewal and behind a new certificate too.
func TestWhatFollowsANewCertificateIsOfTheRunsDirectories(t *testing.T) {
	given := pflag.NewFlagSet("renew", pflag.ContinueOnError)
	given.String("config-dir", "/etc/letsencrypt", "")
	if err := given.Set("config-dir", "/srv/tls"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	p := &printer{out: &out, caller: caller{given: given}, renewals: schedule.Host{Root: t.TempDir(), Self: "/usr/bin/orderly"}, getenv: func(string) string { return "1" }}
	p.received(renewal.Result{Path: "/srv/tls/live/a/fullchain.pem"})
	if want := "Let a timer run `orderly renew --config-dir /srv/tls` twice a day."; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in %s", want, &out)
	}
	if got := p.remedy(failure.Do(failure.ShowSettings)); got != "`orderly limits --help`" {
		t.Errorf("help looks at no directory: %s", got)
	}
	out.Reset()
	summary(p, []renewal.Result{{Outcome: renewal.Issued, Path: "/srv/tls/live/a/fullchain.pem", Note: "run `orderly reconfigure --cert-name a`"}}, false, false, true)
	if want := "note: run `orderly reconfigure --cert-name a --config-dir /srv/tls`"; !strings.Contains(out.String(), want) {
		t.Errorf("no %q in %s", want, &out)
	}
}

// A timer that came with the package and is not enabled is named with what enables it.
func TestATimerThatIsNotEnabledIsTheNextStep(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{"usr/bin/orderly": "us", "run/systemd/system/x": "",
		"usr/lib/systemd/system/orderly-renew.timer":   "[Timer]\nOnCalendar=daily\n",
		"usr/lib/systemd/system/orderly-renew.service": "[Service]\nExecStart=/usr/bin/orderly renew -q\n"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	p := &printer{out: &out, renewals: schedule.Host{Root: root, Self: "/usr/bin/orderly"}}
	p.received(renewal.Result{})
	if !strings.Contains(out.String(), "Enable its timer: systemctl enable --now orderly-renew.timer.") {
		t.Errorf("%s", out.String())
	}
}

package doctor_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/doctor"
	"orderly/solver/webroot"
	"orderly/webserver"
)

// nginx is one that uses these lineages' files.
func (p *place) nginx(lineages ...string) *webserver.Survey {
	s := &webserver.Server{Kind: "nginx", PID: 1}
	for _, name := range lineages {
		live := p.at(name).Live
		s.Hosts = append(s.Hosts, &webserver.Host{Kind: "nginx", Names: []webserver.Name{{Text: name}},
			Certificates: []webserver.Certificate{{File: live("fullchain"), Key: live("privkey")}}})
	}
	return &webserver.Survey{Servers: []*webserver.Server{s}}
}

// web examines with the web servers' word, which may be another one each time.
func (p *place) web(say func() *webserver.Survey) doctor.Report {
	p.t.Helper()
	writer := &webroot.Writer{Tell: p.t.Logf}
	p.t.Cleanup(writer.Close)
	r, err := doctor.Examine(p.t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
		Now: func() time.Time { return p.now }, Tell: p.t.Logf,
		Web: &doctor.Web{Look: func(context.Context) *webserver.Survey { return say() }, Writer: writer, Port: 80}},
		doctor.Wanted{Needs: []doctor.Needs{doctor.WebServer}})
	if err != nil {
		p.t.Fatal(err)
	}
	return r
}

// asides lets a mender put lineages aside on the disk alone, and notes which.
func (p *place) asides(m *doctor.Mender) *[]string {
	var done []string
	m.PutAside = func(_ context.Context, name string, certain func() error) error {
		if err := certain(); err != nil {
			return err
		}
		done = append(done, name)
		return p.disk().Retire(name)
	}
	return &done
}

func found(r doctor.Report, id string) (all []doctor.Finding) {
	for _, f := range r.Findings {
		if f.ID == id {
			all = append(all, f)
		}
	}
	return all
}

// Of certificates with the same names, and of one within another, those go aside that nothing uses;
// the one that is served stays, and nothing else changes.
func TestWhatNothingUsesIsPutAside(t *testing.T) {
	p := newPlace(t)
	p.named("a.example", "www.a.example", "old.a.example")
	p.named("www.a.example", "a.example", "old.a.example")
	p.named("old.a.example", "a.example")
	p.named("alone.example")
	p.write(filepath.Join(p.dir, "etc/ssl.conf"), "cert = "+p.at("alone.example").Live("cert"))
	p.write(filepath.Join(p.dir, "etc/renewal-hooks/deploy/nginx"), // which gives nothing to anybody
		"#!/bin/sh\nset -e\n/usr/sbin/nginx -t 2>/dev/null && systemctl reload nginx || exit 1\n")
	p.write(filepath.Join(p.dir, "etc/cron.d/tls"), "1 1 * * * root orderly renew --deploy-hook 'systemctl reload nginx'\n")
	p.write(filepath.Join(p.dir, "root/.bash_history"), "rm -r "+filepath.Dir(p.at("old.a.example").Live("cert")))
	r := p.web(func() *webserver.Survey { return p.nginx("a.example", "alone.example") })
	before := treeOf(t, p.dir)
	m := p.mender(r)
	done := p.asides(m)
	for _, f := range found(r, "D19") {
		repair, err := m.Plan(t.Context(), f)
		if err != nil || f.Fix != doctor.FixAsk || len(repair.Edits) != 3 {
			t.Fatalf("%s: %v, %+v", f.Sentence, err, repair.Edits)
		}
		if shown := doctor.Shown(repair.Edits[0])[0]; !strings.HasPrefix(shown, "move ") {
			t.Error(shown)
		}
		if err := m.Mend(t.Context(), repair); err != nil {
			t.Errorf("%s: %v", f.Sentence, err)
		}
	}
	if slices.Sort(*done); !slices.Equal(*done, []string{"old.a.example", "www.a.example"}) {
		t.Errorf("%q", *done)
	}
	for _, name := range *done {
		if err := p.disk().Return(name); err != nil {
			t.Error(err)
		}
	}
	if differ := slices.DeleteFunc(differing(before, treeOf(t, p.dir)), func(path string) bool {
		return path == filepath.Join(p.dir, "etc") // in which orderly/ was made
	}); len(differ) > 0 {
		t.Errorf("changed beside what came back: %q", differ)
	}
}

// What may be in use, or is the only one with a name, is left, and why is said.
func TestWhatMayBeInUseIsNotPutAside(t *testing.T) {
	twins := func(p *place) {
		p.named("a.example", "www.a.example")
		p.named("www.a.example", "a.example")
	}
	for what, c := range map[string]struct {
		make func(p *place) *webserver.Survey
		want string
	}{
		"none is served":  {func(p *place) *webserver.Survey { return p.nginx() }, "no web server names"},
		"both are served": {func(p *place) *webserver.Survey { return p.nginx("a.example", "www.a.example") }, ""},
		"no web server":   {func(p *place) *webserver.Survey { return &webserver.Survey{} }, "no web server runs here"},
		"one in a container": {func(p *place) *webserver.Survey {
			s := p.nginx("a.example")
			s.Elsewhere = []webserver.Process{{}}
			return s
		}, "in a container"},
		"not understood": {func(p *place) *webserver.Survey {
			s := p.nginx("a.example")
			s.Servers[0].Puzzles = []webserver.Note{{}}
			return s
		}, "not wholly understood"},
		"a variable": {func(p *place) *webserver.Survey {
			s := p.nginx("a.example")
			s.Servers[0].Hosts[0].Certificates[0].File = "/etc/letsencrypt/live/$ssl_server_name/fullchain.pem"
			return s
		}, "is not understood"},
		"a mail server": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/postfix/main.cf"), "smtpd_tls_cert_file="+p.at("www.a.example").Live("fullchain"))
			return p.nginx("a.example")
		}, "main.cf"},
		"a script over all": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/cron.daily/tls"), "for d in "+p.dir+"/etc/live/*; do :; done")
			return p.nginx("a.example")
		}, "by a pattern"},
		"in words of haproxy's": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/haproxy/haproxy.cfg"), "crt-base "+p.dir+"/etc/live\nbind :443 ssl crt www.a.example/both.pem\n")
			return p.nginx("a.example")
		}, "all certificates"},
		"by a link to all": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/dovecot.conf"), "ssl_cert = <"+p.dir+"/etc/tls/www.a.example/fullchain.pem")
			live, tls := filepath.Join(p.dir, "etc/live"), filepath.Join(p.dir, "etc/tls")
			elsewhere := filepath.Join(p.dir, "data")
			if err := firstError(os.Rename(live, elsewhere), os.Symlink(elsewhere, live),
				os.Symlink(elsewhere, tls)); err != nil {
				p.t.Fatal(err)
			}
			return p.nginx("a.example")
		}, "leads to all certificates"},
		"by links of links": {func(p *place) *webserver.Survey {
			if err := firstError(os.Symlink(p.at("www.a.example").Live("fullchain"), filepath.Join(p.dir, "mail.pem")),
				os.Symlink("../mail.pem", filepath.Join(p.dir, "etc/mail.pem"))); err != nil {
				p.t.Fatal(err)
			}
			return p.nginx("a.example")
		}, "etc/mail.pem"},
		"a script of nobody's": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "usr/local/bin/tls"), "cp "+p.at("www.a.example").Live("fullchain")+" /srv")
			return p.nginx("a.example")
		}, "usr/local/bin/tls"},
		"in XML": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/jabber.xml"), "<dir>"+filepath.Dir(p.at("www.a.example").Live("cert"))+"</dir>")
			return p.nginx("a.example")
		}, "is named in"},
		"in JSON with a slash too many": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/tls.json"), `{"cert": "\/etc\/letsencrypt\/live\/\/www.a.example\/cert.pem"}`)
			return p.nginx("a.example")
		}, "etc/tls.json"},
		"given to other hosts": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/exports"), p.dir+"/etc 10.0.0.0/8(ro)\n")
			return p.nginx("a.example")
		}, "all certificates"},
		"a container's volume": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "opt/mail/compose.yml"), "volumes:\n - "+p.dir+"/etc:/etc/letsencrypt:ro\n")
			return p.nginx("a.example")
		}, "all certificates"},
		"a container's mount": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "var/lib/docker/containers/1/config.v2.json"), `{"Source":"`+p.dir+`/etc","Destination":"/x"}`)
			return p.nginx("a.example")
		}, "all certificates"},
		"a hook for all": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/renewal-hooks/deploy/mail"), "#!/bin/sh\n/root/bin/mail-tls\n")
			return p.nginx("a.example")
		}, "to somebody"},
		"a hook for all in the settings": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/cli.ini"), "deploy-hook = /root/bin/mail-tls\n")
			return p.nginx("a.example")
		}, "to somebody"},
		"a hook for all in a table": {func(p *place) *webserver.Survey {
			p.write(filepath.Join(p.dir, "etc/cron.d/tls"), "1 1 * * * root orderly renew --deploy-hook '/root/bin/mail-tls'\n")
			return p.nginx("a.example")
		}, "to somebody"},
		"a hook behind all of its own": {func(p *place) *webserver.Survey {
			if err := p.edit(p.at("www.a.example"), "[renewalparams]\n", "[renewalparams]\npost_hook = /bin/mail-tls\n"); err != nil {
				p.t.Fatal(err)
			}
			return p.nginx("a.example")
		}, "hook of its own"},
		"a hook of its own": {func(p *place) *webserver.Survey {
			if err := p.edit(p.at("www.a.example"), "[renewalparams]\n", "[renewalparams]\nrenew_hook = /bin/true\n"); err != nil {
				p.t.Fatal(err)
			}
			return p.nginx("a.example")
		}, "hook of its own"},
		"the served one is over": {func(p *place) *webserver.Survey {
			p.now = p.now.Add(200 * 24 * time.Hour)
			return p.nginx("a.example")
		}, "is not renewed"},
	} {
		t.Run(what, func(t *testing.T) {
			p := newPlace(t)
			twins(p)
			s := c.make(p)
			r := p.web(func() *webserver.Survey { return s })
			all := found(r, "D19")
			if len(all) != 1 || all[0].Fix != doctor.FixNo {
				t.Fatalf("%+v", all)
			}
			repair, err := p.mender(r).Plan(t.Context(), all[0])
			if len(repair.Edits) > 0 || (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, %+v", err, repair.Edits)
			}
		})
	}
	p := newPlace(t)
	twins(p)
	r := p.examine()
	if _, err := p.mender(r).Plan(t.Context(), r.Findings[0]); err == nil || !strings.Contains(err.Error(), "they were not asked") {
		t.Errorf("without --web: %v", err)
	}
}

// What changed since it was shown is left: the web server uses it by now, or a name went out of the
// one that is kept.
func TestWhatCameIntoUseMeanwhileIsNotPutAside(t *testing.T) {
	for _, change := range []func(*place, **webserver.Survey) error{
		func(p *place, s **webserver.Survey) error {
			*s = p.nginx("a.example", "www.a.example")
			return nil
		},
		func(p *place, _ **webserver.Survey) error {
			d := p.at("a.example")
			if err := os.RemoveAll(filepath.Dir(d.Archived("", 1))); err != nil {
				return err
			}
			if err := os.RemoveAll(filepath.Dir(d.Live(""))); err != nil {
				return err
			}
			return d.Healthy() // without the other name
		},
	} {
		p := newPlace(t)
		p.named("a.example", "www.a.example")
		p.named("www.a.example", "a.example")
		s := p.nginx("a.example")
		r := p.web(func() *webserver.Survey { return s })
		m := p.mender(r)
		done := p.asides(m)
		repair, err := m.Plan(t.Context(), found(r, "D19")[0])
		if err == nil {
			err = change(p, &s)
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Mend(t.Context(), repair); err == nil || len(*done) > 0 {
			t.Errorf("%v, %q", err, *done)
		}
	}
}

package deliver_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/deliver"
	"orderly/failure"
)

func hookTo(url, form string) deliver.Channel {
	return deliver.Channel{Name: "chat", Kind: deliver.Webhook, URL: url, Form: form}
}

func TestAWebhookGetsItsForm(t *testing.T) {
	for form, want := range map[string]string{"json": `{"version":1}`,
		"slack": `{"text":"*digest*\nSomebody must act \u0026lt;now\u0026gt; \u0026amp; then"}`} {
		var got string
		web := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			got = r.Method + " " + r.Header.Get("Content-Type") + " " + string(body)
		}))
		defer web.Close()
		o := newOffice(t, hookTo(web.URL+"/secret", form))
		o.put("digest")
		if outcome := o.run(); outcome.Delivered != 1 || got != "POST application/json "+want {
			t.Errorf("%s: %+v, %s", form, outcome, got)
		}
	}
}

// Whoever answers at a webhook sends root nowhere, and the address stays secret wherever it fails.
func TestAWebhookThatRedirectsInsideIsNotFollowed(t *testing.T) {
	inside := 0
	private := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inside++ }))
	defer private.Close()
	for _, code := range []int{301, 302, 303, 307, 308} {
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, private.URL+"/admin?token=hunter2", code)
		}))
		defer web.Close()
		o := newOffice(t, hookTo(web.URL+"/T000/s3cret?key=k3y", "slack"))
		o.put("digest")
		got := o.run()
		if got.Waiting != 1 || !strings.Contains(got.Problem, "it redirects to "+private.URL+", which is not followed") || inside != 0 {
			t.Errorf("%d: %+v, %d", code, got, inside)
		}
		for _, secret := range []string{"s3cret", "k3y", "hunter2"} {
			if strings.Contains(got.Problem, secret) {
				t.Errorf("%s is shown: %s", secret, got.Problem)
			}
		}
	}
}

func TestWhatAWebhookAnswersDecides(t *testing.T) {
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		givenUp bool
		problem string
	}{
		"refused":  {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "invalid_payload\x1b[2J", 400) }, true, "HTTP 400: invalid_payload [2J"},
		"unknown":  {func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no "+r.URL.RequestURI(), 404) }, false, "HTTP 404: no …"},
		"busy":     {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, false, "HTTP 503"},
		"closes":   {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false, "the connection was closed in the middle"},
		"floods":   {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500); flood(w) }, false, "HTTP 500: xxxx"},
		"hostless": {nil, false, "no answer"},
	} {
		t.Run(name, func(t *testing.T) {
			web := httptest.NewServer(c.answer)
			defer web.Close()
			if c.answer == nil {
				web.Close()
			}
			o := newOffice(t, hookTo(web.URL+"/s3cret?key=k3y", "json"))
			o.put("digest")
			got := o.run()
			if !strings.Contains(got.Problem, c.problem) || strings.Contains(got.Problem, "s3cret") || strings.Contains(got.Problem, "EOF") ||
				len(got.Problem) > 700 || (got.GivenUp == 1) != c.givenUp {
				t.Errorf("%+v", got)
			}
		})
	}
}

func flood(w http.ResponseWriter) {
	for range 1000 {
		if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
			return
		}
	}
}

func TestARetryAfterOfAWebhookIsObeyed(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7200")
		w.WriteHeader(429)
	}))
	defer web.Close()
	o := newOffice(t, hookTo(web.URL, "json"))
	o.put("digest")
	if got := o.run(); got.NextAt.Sub(o.now).Hours() != 2 {
		t.Errorf("%+v", got)
	}
}

// script writes a program.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSendmailIsJudgedByItsCode(t *testing.T) {
	for code, givenUp := range map[string]bool{"0": false, "75": false, "67": true, "65": true, "64": false, "1": false} {
		out := filepath.Join(t.TempDir(), "mail")
		program := script(t, `echo "$@" >`+out+`; cat >>`+out+`; echo "a word" >&2; exit `+code)
		o := newOffice(t, deliver.Channel{Name: "local", Kind: deliver.Sendmail, Program: program, From: "a@example.com", To: []string{"b@example.com"}})
		o.put("digest")
		got := o.run()
		mail, err := os.ReadFile(out)
		if err != nil || !strings.HasPrefix(string(mail), "-t -i\n") || !strings.Contains(string(mail), "\nTo: <b@example.com>\n") ||
			strings.Contains(string(mail), "\r") {
			t.Errorf("%v: %s", err, mail)
		}
		if (got.Delivered == 1) != (code == "0") || (got.GivenUp == 1) != givenUp ||
			code != "0" && !strings.Contains(got.Problem, "exit status "+code+": a word") {
			t.Errorf("%s: %+v", code, got)
		}
	}
}

func TestACommandGetsTheMessage(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	for form, want := range map[string]string{"text": "digest\ndigest\n\nSomebody must act.\n", "json": "digest\n{\"version\":1}"} {
		o := newOffice(t, deliver.Channel{Name: "pager", Kind: deliver.Command, Form: form,
			Run: `echo "$ORDERLY_SUBJECT" >` + out + `; cat >>` + out})
		o.put("digest")
		if got := o.run(); got.Delivered != 1 {
			t.Errorf("%+v", got)
		}
		if text, err := os.ReadFile(out); err != nil || string(text) != want {
			t.Errorf("%v: %q", err, text)
		}
	}
	o := newOffice(t, deliver.Channel{Name: "pager", Kind: deliver.Command, Run: "no-such-program"})
	o.put("digest")
	if got := o.run(); got.Waiting != 1 || !strings.Contains(got.Problem, "the command cannot be run: ") {
		t.Errorf("%+v", got)
	}
}

// A channel that fails keeps no other waiting, and one that is configured no more keeps nothing.
func TestChannelsAreOnTheirOwn(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	o := newOffice(t, deliver.Channel{Name: "bad", Kind: deliver.Command, Run: "exit 1"},
		deliver.Channel{Name: "good", Kind: deliver.Command, Run: "cat >" + out, Form: "text"})
	o.put("digest")
	outcomes, err := o.Deliver(t.Context(), nil)
	if err != nil || len(outcomes) != 2 || outcomes[0].Waiting != 1 || outcomes[1].Delivered != 1 {
		t.Errorf("%+v, %v", outcomes, err)
	}
	o.Channels = o.Channels[1:]
	if outcomes, err = o.Deliver(t.Context(), nil); err != nil || len(outcomes) != 0 || o.waiting() != 0 || len(o.troubles()) != 0 {
		t.Errorf("%+v, %v, %d wait, %+v", outcomes, err, o.waiting(), o.troubles())
	}
}

const good = `every = "20h"
[[channel]]
name = "admins"
kind = "smtp"
from = "orderly@example.com"
to = ["admins@example.com"]
server = "mail.example.com"
tls = "starttls"
login = "smtp-login"
[[channel]]
name = "chat"
kind = "webhook"
form = "slack"
url = "https://hooks.example.com/services/T0/B0/xyz"
`

func TestTheFileIsRead(t *testing.T) {
	c, err := deliver.Parse(good, "/etc/letsencrypt/orderly/digest.toml")
	if err != nil || len(c.Channels) != 2 || c.Every.Hours() != 20 || c.Channels[0].Server != "mail.example.com:587" ||
		c.Channels[0].Login != "/etc/letsencrypt/orderly/smtp-login" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAMistakeInTheFileIsToldWithItsLine(t *testing.T) {
	for from, c := range map[string]struct{ to, says string }{
		`kind = "smtp"`:                        {`kind = "mail"`, `line 4: kind = "mail": not one of smtp`},
		`server =`:                             {`servre =`, "line 7: there is no setting channel.servre"},
		`to = ["admins@example.com"`:           {`to = ["admins"`, `line 6: to = "admins": not an address`},
		`tls = "starttls"`:                     {`tls = "none"`, `line 8: tls = "none": only for a server on this host`},
		`"20h"`:                                {`"daily"`, `line 1: every = "daily": not a time`},
		`https://hooks`:                        {`http://hooks`, "line 14: url: plain HTTP"},
		`form = "slack"`:                       {`form = 7`, "line 13: channel.form must be a text"},
		`name = "chat"`:                        {`name = "admins"`, "line 11: a second channel with the name admins"},
		`form = "slack"` + "\n":                {"run = \"x\"\n", "line 13: run: a channel of kind webhook has no such setting"},
		`[[channel]]` + "\n" + `name = "chat"`: {"[[channel\nname = \"chat\"", "line 11: a heading is written as [[channel]]"},
	} {
		_, err := deliver.Parse(strings.Replace(good, from, c.to, 1), "digest.toml")
		if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "digest.toml, "+c.says) {
			t.Errorf("%s: %v", c.to, err)
		}
		if err != nil && strings.Contains(err.Error(), "xyz") {
			t.Errorf("the secret is told: %v", err)
		}
	}
}

func TestAFileThatOthersCanReadOrWriteIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), deliver.FileName)
	for mode, says := range map[os.FileMode]string{0o600: "", 0o644: "which is a secret", 0o622: "have root run a command"} {
		if err := os.WriteFile(path, []byte(good), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := deliver.Load(path)
		if (err == nil) != (says == "") || err != nil && (!strings.Contains(err.Error(), says) ||
			!strings.Contains(string(failure.RemedyOf(err)), "chmod ")) {
			t.Errorf("%o: %v", mode, err)
		}
	}
}

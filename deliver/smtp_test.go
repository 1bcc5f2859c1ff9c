package deliver_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderly/deliver"
	"orderly/ledger"
	"orderly/ledger/memory"
)

// server is a mail server that says what a test wants it to say.
type server struct {
	t     *testing.T
	at    string
	cert  tls.Certificate
	roots string
	mu    sync.Mutex
	heard []string
	mails []string
	// say answers a command; "" for what a good server says, "close" to close the connection.
	say      func(command string) string
	greeting string
	offers   []string
	implicit bool
}

func newServer(t *testing.T, s *server) *server {
	t.Helper()
	s.t = t
	web := httptest.NewTLSServer(nil)
	web.Close()
	s.cert = web.TLS.Certificates[0]
	s.roots = filepath.Join(t.TempDir(), "roots.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Certificate[0]})
	if err := os.WriteFile(s.roots, block, 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.at = l.Addr().String()
	var served sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); served.Wait() })
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() { s.serve(conn) })
		}
	})
	return s
}

func (s *server) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	if s.implicit {
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
	}
	in := bufio.NewReader(conn)
	say := func(text string) { fmt.Fprint(conn, text+"\r\n") }
	s.mu.Lock()
	greeting, replies := cmp.Or(s.greeting, "220 mail.example.com"), s.say
	s.mu.Unlock()
	say(greeting)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimSpace(line)
		s.mu.Lock()
		s.heard = append(s.heard, line)
		s.mu.Unlock()
		answer := ""
		if replies != nil {
			answer = replies(line)
		}
		word, _, _ := strings.Cut(strings.ToUpper(line), " ")
		switch {
		case answer == "close":
			return
		case answer != "":
			say(answer)
		case word == "EHLO":
			for _, offer := range append([]string{"mail.example.com"}, s.offers...) {
				say("250-" + offer)
			}
			say("250 HELP")
		case word == "STARTTLS":
			say("220 go on")
			conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{s.cert}})
			in = bufio.NewReader(conn)
		case word == "AUTH":
			say("235 welcome")
		case word == "DATA":
			say("354 go on")
			var mail strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				mail.WriteString(line)
			}
			end := "250 taken"
			if replies != nil && replies(".") != "" {
				end = replies(".")
			}
			if end[0] == '2' {
				s.mu.Lock()
				s.mails = append(s.mails, mail.String())
				s.mu.Unlock()
			}
			say(end)
		case word == "QUIT":
			say("221 bye")
			return
		default:
			say("250 fine")
		}
	}
}

// said is a server's answer to commands that begin so.
func said(answers ...string) func(string) string {
	return func(command string) string {
		for i := 0; i < len(answers); i += 2 {
			if strings.HasPrefix(command, answers[i]) {
				return answers[i+1]
			}
		}
		return ""
	}
}

// good makes it a good server, from the next connection on.
func (s *server) good() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greeting, s.say = "", nil
}

func (s *server) commands(word string) (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.heard {
		if strings.HasPrefix(line, word) {
			all = append(all, line)
		}
	}
	return all
}

// office is an outbox with a clock of its own.
type office struct {
	*deliver.Outbox
	t     *testing.T
	store *memory.Store
	now   time.Time
}

func newOffice(t *testing.T, channels ...deliver.Channel) *office {
	t.Helper()
	o := &office{t: t, store: memory.New(), now: time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)}
	o.Outbox = &deliver.Outbox{Store: o.store, Channels: channels,
		World: deliver.World{HTTP: http.DefaultClient, Host: "web1.example.com"},
		Now:   func() time.Time { return o.now }}
	return o
}

func (o *office) put(subject string) {
	o.t.Helper()
	l := deliver.Letter{Version: 1, ID: fmt.Sprintf("id-%d", len(subject)), Host: "web1.example.com",
		At: o.now, Subject: subject, Text: "Somebody must act.\n", HTML: "<p>Somebody must act.</p>",
		Brief: "Somebody must act <now> & then", Document: []byte(`{"version":1}`)}
	messages, err := o.Put(l)
	if err == nil {
		err = o.store.Commit(o.t.Context(), &ledger.Change{Messages: messages})
	}
	if err != nil {
		o.t.Fatal(err)
	}
}

// run delivers, and is the outcome of the one channel.
func (o *office) run() deliver.Outcome {
	o.t.Helper()
	outcomes, err := o.Deliver(o.t.Context(), nil)
	if err != nil || len(outcomes) != 1 {
		o.t.Fatalf("%+v, %v", outcomes, err)
	}
	return outcomes[0]
}

func (o *office) troubles() []deliver.Trouble {
	o.t.Helper()
	all, err := deliver.Troubles(o.t.Context(), o.store)
	if err != nil {
		o.t.Fatal(err)
	}
	return all
}

func (o *office) waiting() int {
	o.t.Helper()
	all, err := o.store.Messages(o.t.Context())
	if err != nil {
		o.t.Fatal(err)
	}
	return len(all)
}

func (s *server) channel(kind string) deliver.Channel {
	return deliver.Channel{Name: "admins", Kind: deliver.SMTP, From: "Orderly <orderly@example.com>",
		To: []string{"one@example.com", "Two <two@example.com>"}, Server: s.at, TLS: kind, Roots: s.roots}
}

func login(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "login")
	if err := os.WriteFile(path, []byte("user\nsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestALetterArrivesByEveryKindOfTLS(t *testing.T) {
	for kind, s := range map[string]*server{
		"none": {}, "implicit": {implicit: true}, "starttls": {offers: []string{"STARTTLS"}},
		"opportunistic": {offers: []string{"STARTTLS"}},
	} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, s)
			o := newOffice(t, s.channel(kind))
			o.put("Zertifikate laufen ab – 3 Änderungen\r\nBcc: evil@example.com")
			if got := o.run(); got.Delivered != 1 || got.Problem != "" || o.waiting() != 0 || len(o.troubles()) != 0 {
				t.Fatalf("%+v", got)
			}
			if len(s.mails) != 1 || len(s.commands("RCPT")) != 2 || len(s.commands("MAIL FROM:<orderly@example.com>")) != 1 {
				t.Fatalf("%q", s.heard)
			}
			head, _, _ := strings.Cut(s.mails[0], "\r\n\r\n")
			for _, want := range []string{"Auto-Submitted: auto-generated", "Message-ID: <id-", "Date: Sat, 28 Nov 2026 06:00:00",
				"=?UTF-8?", "multipart/alternative", "List-Id: <orderly.web1.example.com>"} {
				if !strings.Contains(head, want) {
					t.Errorf("no %s in %s", want, head)
				}
			}
			if strings.Contains(head, "\nBcc") {
				t.Error(head)
			}
			if encrypted := len(s.commands("STARTTLS")) == 1; encrypted != (kind == "starttls" || kind == "opportunistic") {
				t.Errorf("%q", s.heard)
			}
		})
	}
}

// A letter for two of which one is refused for now goes to the other once, and to the first later.
func TestAHalfAcceptedLetterReachesEverybodyOnce(t *testing.T) {
	s := newServer(t, &server{say: said("RCPT TO:<two@", "450 greylisted\x1b[31m")})
	o := newOffice(t, s.channel("none"))
	o.put("digest")
	got := o.run()
	if got.Waiting != 1 || got.Delivered != 0 || !strings.Contains(got.Problem, "450 greylisted") ||
		strings.Contains(got.Problem, "\x1b") || len(s.mails) != 1 {
		t.Fatalf("%+v, %d mails", got, len(s.mails))
	}
	s.good()
	if got := o.run(); got.Waiting != 1 || len(s.mails) != 1 { // it is let alone for minutes
		t.Fatalf("%+v, %d mails", got, len(s.mails))
	}
	o.now = got.NextAt
	if got := o.run(); got.Delivered != 1 || len(s.mails) != 2 || len(s.commands("RCPT TO:<one@")) != 1 {
		t.Fatalf("%+v, %q", got, s.heard)
	}
	if len(o.troubles()) != 0 {
		t.Errorf("%+v", o.troubles())
	}
}

// One recipient who is refused for good keeps the letter from nobody, and is told of.
func TestARecipientWhoIsRefusedIsTold(t *testing.T) {
	s := newServer(t, &server{say: said("RCPT TO:<two@", "550 no such user")})
	o := newOffice(t, s.channel("none"))
	o.put("digest")
	got := o.run()
	if got.Delivered != 1 || !strings.Contains(got.Problem, "two@example.com: 550 no such user") || o.waiting() != 0 {
		t.Fatalf("%+v", got)
	}
	if all := o.troubles(); len(all) != 1 || !strings.Contains(all[0].Problem, "550") {
		t.Errorf("%+v", all)
	}
}

func TestWhatAServerSaysDecides(t *testing.T) {
	endless := strings.Repeat("250-more\r\n", 60_000)
	for name, c := range map[string]struct {
		server  *server
		tls     string
		auth    bool
		givenUp bool
		problem string
		remedy  string
	}{
		"it refuses all for good": {&server{say: said("RCPT", "550 5.7.1 go away")}, "none", false, true, "550 5.7.1 go away", ""},
		"it refuses the mail":     {&server{say: said(".", "554 spam")}, "none", false, true, "the mail: 554 spam", ""},
		"it is busy":              {&server{say: said("MAIL", "421 later")}, "none", false, false, "421 later", ""},
		"it greets with trouble":  {&server{greeting: "554 no service"}, "none", false, false, "554 no service", ""},
		"it demands TLS":          {&server{say: said("MAIL", "530 Must issue a STARTTLS command first")}, "none", false, false, "530", "starttls"},
		"it offers no TLS":        {&server{}, "starttls", false, false, "it offers no TLS", "465"},
		"no TLS is spoken":        {&server{}, "implicit", false, false, "no TLS is spoken", "starttls"},
		"the login is wrong":      {&server{offers: []string{"AUTH PLAIN"}, say: said("AUTH", "535 wrong")}, "none", true, false, "535 wrong", "Correct the login"},
		"it has no login":         {&server{}, "none", true, false, "no way to log in", ""},
		"it closes in the middle": {&server{say: said("DATA", "close")}, "none", false, false, "closed in the middle", ""},
		"it closes at the end":    {&server{say: said(".", "close")}, "none", false, false, "close", ""},
		"it never stops talking":  {&server{say: said("EHLO", endless, "HELO", endless)}, "none", false, false, "never stops talking", ""},
		"one line without an end": {&server{greeting: strings.Repeat("2", 600_000)}, "none", false, false, "never stops talking", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, c.server)
			channel := s.channel(c.tls)
			if c.auth {
				channel.Login = login(t)
			}
			o := newOffice(t, channel)
			o.put("digest")
			got := o.run()
			if !strings.Contains(got.Problem, c.problem) || !strings.Contains(string(got.Remedy), c.remedy) ||
				strings.Contains(got.Problem, "EOF") {
				t.Errorf("%+v", got)
			}
			if want := map[bool]int{true: 0, false: 1}[c.givenUp]; o.waiting() != want || got.GivenUp != 1-want {
				t.Errorf("%d wait, %+v", o.waiting(), got)
			}
			all := o.troubles()
			if len(all) != 1 || all[0].Channel != "admins" || all[0].Since != o.now || (all[0].Lost == 1) != c.givenUp {
				t.Errorf("%+v", all)
			}
			if len(s.mails) != 0 {
				t.Errorf("%q", s.mails)
			}
		})
	}
}

// A login goes only where nobody can read it: not to an opportunistic server whose TLS was stripped.
func TestALoginIsNeverSentInClear(t *testing.T) {
	s := newServer(t, &server{offers: []string{"AUTH PLAIN LOGIN"}})
	channel := s.channel("opportunistic")
	channel.Login = login(t)
	o := newOffice(t, channel)
	o.World.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return distant{conn}, err
	}
	o.put("digest")
	if got := o.run(); !strings.Contains(got.Problem, "the login is not sent without TLS") || len(s.commands("AUTH")) != 0 {
		t.Errorf("%+v, %q", got, s.heard)
	}
}

// distant is a connection to another host, as far as it says.
type distant struct{ net.Conn }

// RemoteAddr implements net.Conn.
func (distant) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 25} }

func TestALoginIsGivenAsTheServerWants(t *testing.T) {
	for offer, want := range map[string]string{"PLAIN LOGIN CRAM-MD5": "AUTH PLAIN", "LOGIN": "AUTH LOGIN", "CRAM-MD5": "AUTH CRAM-MD5"} {
		s := newServer(t, &server{implicit: true, offers: []string{"AUTH " + offer}})
		channel := s.channel("implicit")
		channel.Login = login(t)
		o := newOffice(t, channel)
		o.put("digest")
		if got := o.run(); got.Delivered != 1 || len(s.commands(want)) != 1 {
			t.Errorf("%s: %+v, %q", offer, got, s.heard)
		}
	}
}

func TestALoginThatOthersCanReadIsRefused(t *testing.T) {
	s := newServer(t, &server{implicit: true, offers: []string{"AUTH PLAIN"}})
	channel := s.channel("implicit")
	channel.Login = login(t)
	if err := os.Chmod(channel.Login, 0o640); err != nil {
		t.Fatal(err)
	}
	o := newOffice(t, channel)
	o.put("digest")
	got := o.run()
	if !strings.Contains(got.Problem, "can be read by others") || !strings.Contains(string(got.Remedy), "chmod 600 "+channel.Login) ||
		len(s.commands("AUTH")) != 0 {
		t.Errorf("%+v", got)
	}
}

// A server that says nothing keeps a run for half a minute, whatever waits for it, and the other
// channels for no time; the message stays.
func TestAServerThatHangsHoldsNothingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, deliver.Channel{Name: "mute", Kind: deliver.SMTP, From: "a@example.com", To: []string{"b@example.com"},
			Server: "mail.example.com:25", TLS: "none"})
		tells := make(chan string, 9)
		o.Tell = func(format string, args ...any) { tells <- fmt.Sprintf(format, args...) }
		var ends []net.Conn
		o.World.Dial = func(context.Context, string, string) (net.Conn, error) {
			here, there := net.Pipe()
			ends = append(ends, there)
			return here, nil
		}
		o.Now = time.Now
		o.put("first")
		o.put("second")
		began := time.Now()
		got := o.run()
		if took := time.Since(began); took != deliver.Patience || len(ends) != 1 {
			t.Errorf("%s, %d connections", took, len(ends))
		}
		said := <-tells // once: the channel would hold another one
		if got.Waiting != 2 || !strings.Contains(got.Problem, "no answer in time") ||
			said != "Waiting for the channel mute: mail.example.com:25." || len(tells) != 0 {
			t.Errorf("%+v, %q", got, said)
		}
	})
}

// Who is told to end has not failed: nothing is counted against the channel.
func TestARunThatIsToldToEndBlamesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t, deliver.Channel{Name: "mute", Kind: deliver.SMTP, From: "a@example.com", To: []string{"b@example.com"},
			Server: "mail.example.com:25", TLS: "none"})
		o.World.Dial = func(context.Context, string, string) (net.Conn, error) {
			here, _ := net.Pipe()
			return here, nil
		}
		o.put("digest")
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		began := time.Now()
		if _, err := o.Deliver(ctx, nil); err != nil || time.Since(began) > 4*time.Second {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		all, err := o.store.Messages(t.Context())
		if err != nil || len(all) != 1 || all[0].Tries != 0 || len(o.troubles()) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

// A message whose channel fails is tried again after pauses that grow, and given up in the end.
func TestAMessageIsGivenUpInTheEnd(t *testing.T) {
	s := newServer(t, &server{greeting: "421 not today"})
	o := newOffice(t, s.channel("none"))
	began := o.now
	o.put("digest")
	tries := 0
	for o.waiting() > 0 {
		if tries++; tries > 50 {
			t.Fatal("it is tried for ever")
		}
		if got := o.run(); got.Waiting > 0 {
			o.now = got.NextAt
		}
	}
	if age := o.now.Sub(began); tries < 8 || age < deliver.GivenUpAfter || age > 2*deliver.GivenUpAfter {
		t.Errorf("%d tries, %s", tries, age)
	}
	if all := o.troubles(); len(all) != 1 || all[0].Lost != 1 || all[0].Since != began {
		t.Errorf("%+v", all)
	}
	s.good()
	o.put("the next")
	if got := o.run(); got.Delivered != 1 || len(o.troubles()) != 0 {
		t.Errorf("%+v, %+v", got, o.troubles())
	}
}

package deliver

// Mail to a server of SMTP. A server may take a letter for some of its recipients: who has it gets
// it once, the others are tried again. What a server says of the letter ends the letter; what it says
// of us (a login, TLS that it wants, its own trouble) is mended by somebody, and tried again.

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	netmail "net/mail"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"orderly/failure"
	"orderly/outside"
	"orderly/ownfile"
)

// mostOfServer is how much of what a mail server says is read in all: one that never ends a line
// must not fill the memory.
const mostOfServer = 256 << 10

// wire is a connection of which so much is read, and that ends with its context.
type wire struct {
	net.Conn
	left int
}

// errTalkative: a server says more than a mail server has to say.
var errTalkative = errors.New("the server never stops talking")

// Read implements io.Reader.
func (w *wire) Read(p []byte) (int, error) {
	if w.left <= 0 {
		return 0, errTalkative
	}
	n, err := w.Conn.Read(p[:min(len(p), w.left)])
	w.left -= n
	return n, err
}

func endOfAnswer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// talk is one conversation with a mail server.
type talk struct {
	ctx    context.Context
	c      *Channel
	client *smtp.Client
	host   string
	local  bool // the server is on this host
	secure bool // by TLS that was verified
}

func (c *Channel) sendSMTP(ctx context.Context, w World, l *Letter) receipt {
	text, err := c.mime(l)
	if err != nil {
		return rejected(trouble("", "the mail cannot be written: %v", err))
	}
	config, err := c.tlsConfig()
	if err != nil {
		return failed(err)
	}
	dial := w.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	conn, err := dial(ctx, "tcp", c.Server)
	if err != nil {
		return failed(trouble("", "%s: no connection: %s", c.Server, plainly(ctx, err)))
	}
	defer func() { _ = conn.Close() }() // the letter is judged by the server's answers alone
	// not by the context's own deadline: the connection could end before it, and be blamed for that
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	t := &talk{ctx: ctx, c: c}
	t.host, _, _ = net.SplitHostPort(c.Server)
	if address, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		t.local = address.IP.IsLoopback()
	}
	if r := t.begin(&wire{conn, mostOfServer}, config, w); r.err != nil {
		return r
	}
	r := t.letter(text, l)
	if r.err == nil || len(r.had) > 0 {
		_ = t.client.Quit() // the server has the letter, whatever it says to this
	}
	return r
}

// tlsConfig is whom the server must prove to be.
func (c *Channel) tlsConfig() (*tls.Config, error) {
	host, _, _ := net.SplitHostPort(c.Server)
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12,
		// without a proof, TLS still keeps a listener out; no login is sent through it
		InsecureSkipVerify: c.TLS == "opportunistic"}
	if c.Roots == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.Roots)
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "", "roots of the channel %s", c.Name)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, failure.New(failure.Config, "", "%s holds no certificate in PEM", c.Roots)
	}
	return config, nil
}

// begin greets, and comes to TLS and a login where they are wanted.
func (t *talk) begin(conn net.Conn, config *tls.Config, w World) receipt {
	if t.c.TLS == "implicit" {
		secured := tls.Client(conn, config)
		if err := secured.HandshakeContext(t.ctx); err != nil {
			return t.noTLS(err)
		}
		conn = secured
	}
	var err error
	if t.client, err = smtp.NewClient(conn, t.host); err != nil {
		return t.says("at its greeting", err)
	}
	t.client.SkipSMTPUTF8(!slices.ContainsFunc(append([]string{t.c.From}, t.c.To...), foreign))
	if err := t.client.Hello(hostName(w.Host)); err != nil {
		return t.says("at EHLO", err)
	}
	t.secure = t.c.TLS == "implicit"
	offered, _ := t.client.Extension("STARTTLS")
	switch {
	case t.c.TLS == "starttls" && !offered:
		return failed(trouble("Ask whoever runs the server for its port with TLS, which is mostly 465 "+
			`or 587, or write tls = "implicit".`, "%s: it offers no TLS (STARTTLS), without which "+
			"nothing is sent", t.c.Server))
	case t.c.TLS == "starttls", t.c.TLS == "opportunistic" && offered:
		if err := t.client.StartTLS(config); err != nil {
			return t.noTLS(err)
		}
		t.secure = t.c.TLS == "starttls"
	}
	if t.c.Login == "" {
		return receipt{}
	}
	return t.login()
}

// foreign reports an address that not every server takes.
func foreign(address string) bool {
	parsed, err := netmail.ParseAddress(address)
	return err == nil && strings.ContainsFunc(parsed.Address, func(r rune) bool { return r > '~' })
}

func (t *talk) noTLS(err error) receipt {
	if _, said := errors.AsType[*textproto.Error](err); said {
		return t.says("at STARTTLS", err)
	}
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
		return failed(trouble(`Write tls = "starttls" for this port, or name the port with TLS.`,
			"%s: no TLS is spoken there", t.c.Server))
	}
	remedy := failure.Remedy("")
	if _, doubt := errors.AsType[*tls.CertificateVerificationError](err); doubt {
		remedy = "Name the server as its certificate does, or give its root with roots = \"FILE\"."
	}
	return failed(trouble(remedy, "%s: no TLS: %s", t.c.Server, plainly(t.ctx, err)))
}

// says is what a server said to us, and not to a letter: another try may help.
func (t *talk) says(when string, err error) receipt {
	said, ok := errors.AsType[*textproto.Error](err)
	if !ok {
		return failed(trouble("", "%s: %s, %s", t.c.Server, plainly(t.ctx, err), when))
	}
	remedy := failure.Remedy("")
	switch said.Code {
	case 530, 538:
		remedy = `It wants TLS or a login: write tls = "starttls" (or "implicit"), and a login where ` +
			"it has one for you."
	case 534, 535:
		remedy = failure.Advise("Correct the login in %s.", t.c.Login)
	}
	return failed(trouble(remedy, "%s: it said %s, %s", t.c.Server, words(said), when))
}

// words are a server's, without what would do something.
func words(said *textproto.Error) string {
	return outside.Clean(fmt.Sprintf("%d %s", said.Code, said.Msg))
}

// login gives user and password, never where somebody could read them on the way.
func (t *talk) login() receipt {
	user, password, err := readLogin(t.c.Login)
	if err != nil {
		return failed(err)
	}
	if !t.secure && !t.local {
		return failed(trouble(`Write tls = "starttls" or tls = "implicit".`,
			"%s: the login is not sent without TLS", t.c.Server))
	}
	_, offered := t.client.Extension("AUTH")
	how := t.c.Auth
	if how == "" {
		how = preferred(strings.Fields(strings.ToLower(offered)), t.secure)
	}
	var auth smtp.Auth
	switch how {
	case "plain":
		auth = smtp.PlainAuth("", user, password, t.host, true) // whether it may is decided above
	case "login":
		auth = smtp.LoginAuth(user, password, t.host, true)
	case "cram-md5":
		auth = smtp.CRAMMD5Auth(user, password)
	default:
		return failed(trouble("", "%s: it offers no way to log in that Orderly knows (plain, login, "+
			"cram-md5)", t.c.Server))
	}
	if err := t.client.Auth(auth); err != nil {
		return t.says("at the login", err)
	}
	return receipt{}
}

// preferred is the way to log in that gives least away.
func preferred(offered []string, secure bool) string {
	order := []string{"plain", "login", "cram-md5"}
	if !secure {
		order = []string{"cram-md5", "plain", "login"}
	}
	for _, how := range order {
		if slices.Contains(offered, how) {
			return how
		}
	}
	return ""
}

// readLogin reads user and password, a line each, from a file that is nobody else's to read.
func readLogin(path string) (user, password string, err error) {
	file, err := ownfile.Open(path, os.O_RDONLY, 0)
	if err != nil {
		return "", "", failure.Wrap(err, failure.Config, failure.RemedyOf(err), "the login %s", path)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return "", "", failure.Wrap(err, failure.Config, "", "the login %s", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", "", failure.New(failure.Config, chmod("600", path),
			"the login %s can be read by others than its owner", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, mostLogin))
	if err != nil {
		return "", "", failure.Wrap(err, failure.Config, "", "the login %s", path)
	}
	lines := strings.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n")
	if len(lines) < 2 || lines[0] == "" || lines[1] == "" {
		return "", "", failure.New(failure.Config, "Write the user into the first line, and the "+
			"password into the second.", "the login %s has not a user and a password, a line each", path)
	}
	return lines[0], lines[1], nil
}

// letter hands over a letter to those who have it not yet.
func (t *talk) letter(text []byte, l *Letter) receipt {
	from, _ := netmail.ParseAddress(t.c.From) // checked when the file was read
	if err := t.client.Mail("<" + from.Address + ">"); err != nil {
		return t.judged("the sender", err)
	}
	var taken []string
	var later, refused error
	for _, to := range t.c.To {
		address, _ := netmail.ParseAddress(to) // checked, too
		if slices.Contains(l.Had, address.Address) {
			continue
		}
		switch r := t.rcpt(address.Address); {
		case r.err == nil:
			taken = append(taken, address.Address)
		case r.forGood:
			refused = errors.Join(refused, r.err)
		default:
			later = errors.Join(later, r.err)
		}
		if t.ctx.Err() != nil {
			break
		}
	}
	if len(taken) == 0 {
		if later != nil {
			return failed(later)
		}
		if refused != nil {
			return rejected(refused)
		}
		return receipt{} // all had it
	}
	if r := t.data(text); r.err != nil {
		return r
	}
	return receipt{had: taken, refused: refused, err: later}
}

func (t *talk) rcpt(address string) receipt {
	if err := t.client.Rcpt("<" + address + ">"); err != nil {
		return t.judged(address, err)
	}
	return receipt{}
}

func (t *talk) data(text []byte) receipt {
	w, err := t.client.Data()
	if err != nil {
		return t.judged("the mail", err)
	}
	if _, err := w.Write(text); err != nil {
		return t.says("in the middle of the mail", err)
	}
	if err := w.Close(); err != nil {
		return t.judged("the mail", err)
	}
	return receipt{}
}

// judged is what a server said of a letter or of whom it is for.
func (t *talk) judged(what string, err error) receipt {
	said, ok := errors.AsType[*textproto.Error](err)
	if !ok || said.Code < 500 || said.Code >= 530 && said.Code <= 538 {
		return t.says("at "+what, err)
	}
	return rejected(trouble("", "%s: it refuses %s: %s", t.c.Server, what, words(said)))
}

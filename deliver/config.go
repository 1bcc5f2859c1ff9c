package deliver

// What an operator says of the channels, in one file. It names programs that root runs and addresses
// with secrets in them: it is refused where others could have written it, or can read a secret.

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/mail"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/failure"
	"orderly/ownfile"
	"orderly/tomlfile"
)

// FileName is the file's name in the ledger's directory.
const FileName = "digest.toml"

// Bounds of what is read.
const (
	mostConfig   = 1 << 20
	mostLogin    = 4 << 10
	mostChannels = 50
)

// Kind is how a channel tells something.
type Kind string

// The kinds of channel.
const (
	SMTP     Kind = "smtp"
	Sendmail Kind = "sendmail"
	Webhook  Kind = "webhook"
	Command  Kind = "command"
)

// Config is what the file says.
type Config struct {
	Every    time.Duration // a digest is made at most once in this time; 0: with each run
	Channels []Channel
}

// Channel is one way to tell something.
type Channel struct {
	Name    string   `toml:"name"`
	Kind    Kind     `toml:"kind"`
	From    string   `toml:"from"`
	To      []string `toml:"to"`
	Server  string   `toml:"server"`  // of SMTP: host or host:port
	TLS     string   `toml:"tls"`     // implicit, starttls, opportunistic, none
	Login   string   `toml:"login"`   // file: user and password, a line each
	Auth    string   `toml:"auth"`    // plain, login, cram-md5; "" for what the server has
	Roots   string   `toml:"roots"`   // file of the roots that the server's certificate leads to
	Program string   `toml:"program"` // sendmail, where it is elsewhere
	URL     string   `toml:"url"`
	Form    string   `toml:"form"`     // of a webhook: json or slack; of a command: text or json
	Plain   bool     `toml:"insecure"` // the URL may be of plain HTTP
	Run     string   `toml:"run"`      // the command
}

func remedy() failure.Remedy {
	return "Mend that line; " + failure.Do(failure.ShowChannels) + " lists every setting."
}

// Load reads the file. It reports fs.ErrNotExist where there is none.
func Load(path string) (*Config, error) {
	file, err := ownfile.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, failure.RemedyOf(err), "%s cannot be read", path)
	}
	defer func() { _ = file.Close() }() // it was only read
	info, err := file.Stat()
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "", "%s cannot be read", path)
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, failure.New(failure.Config, chmod("go-w", path),
			"%s can be written by others than its owner, who could have root run a command", path)
	}
	text, err := io.ReadAll(io.LimitReader(file, mostConfig+1))
	if err != nil || len(text) > mostConfig {
		return nil, failure.Wrap(err, failure.Config, "", "%s cannot be read, or is longer than 1 MiB",
			path)
	}
	config, err := Parse(string(text), path)
	if err != nil {
		return nil, err
	}
	hook := slices.IndexFunc(config.Channels, func(c Channel) bool { return c.Kind == Webhook })
	if hook >= 0 && info.Mode().Perm()&0o044 != 0 {
		return nil, failure.New(failure.Config, chmod("600", path),
			"%s has the address of the webhook %s, which is a secret, and others can read it", path,
			config.Channels[hook].Name)
	}
	return config, nil
}

func chmod(mode, path string) failure.Remedy {
	return failure.Advise("Type `chmod %s %s`.", mode, failure.Shell(path))
}

// Parse reads the file's text; name is what errors call it.
func Parse(text, name string) (*Config, error) {
	in := tomlfile.File{Text: text, Name: name, Block: "channel", Remedy: remedy()}
	var file struct {
		Every    string    `toml:"every"`
		Channels []Channel `toml:"channel"`
	}
	if err := in.Decode(&file); err != nil {
		return nil, err
	}
	config := &Config{Channels: file.Channels}
	if file.Every != "" {
		var err error
		if config.Every, err = time.ParseDuration(file.Every); err != nil || config.Every < 0 {
			return nil, in.Wrong(fmt.Errorf("every = %q: not a time such as 20h", file.Every), -1, "every")
		}
	}
	if len(file.Channels) > mostChannels {
		return nil, in.Wrong(fmt.Errorf("more than %d channels", mostChannels), mostChannels, "name")
	}
	names := map[string]bool{}
	for i := range config.Channels {
		c := &config.Channels[i]
		if key, err := c.check(filepath.Dir(name)); err != nil {
			return nil, in.Wrong(err, i, key)
		}
		if names[c.Name] {
			return nil, in.Wrong(fmt.Errorf("a second channel with the name %s", c.Name), i, "name")
		}
		names[c.Name] = true
	}
	return config, nil
}

var channelName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$`)
})

// check refuses what can never tell anybody anything, with the key that is wrong, and fills in what
// is not said. Files are relative to dir.
func (c *Channel) check(dir string) (key string, err error) {
	if !channelName().MatchString(c.Name) {
		return "name", fmt.Errorf("name = %q: a channel has a name of letters, digits and -", c.Name)
	}
	checks := map[Kind]func(string) (string, error){
		SMTP: c.checkSMTP, Sendmail: c.checkSendmail, Webhook: c.checkWebhook, Command: c.checkCommand,
	}
	check, known := checks[c.Kind]
	if !known {
		return "kind", fmt.Errorf("kind = %q: not one of smtp, sendmail, webhook, command", c.Kind)
	}
	if key, err := c.onlyIts(); err != nil {
		return key, err
	}
	return check(dir)
}

// onlyIts refuses what another kind of channel has: it would be ignored.
func (c *Channel) onlyIts() (string, error) {
	all := []struct {
		key   string
		set   bool
		kinds []Kind
	}{
		{"from", c.From != "", []Kind{SMTP, Sendmail}},
		{"to", c.To != nil, []Kind{SMTP, Sendmail}},
		{"server", c.Server != "", []Kind{SMTP}},
		{"tls", c.TLS != "", []Kind{SMTP}},
		{"login", c.Login != "", []Kind{SMTP}},
		{"auth", c.Auth != "", []Kind{SMTP}},
		{"roots", c.Roots != "", []Kind{SMTP}},
		{"program", c.Program != "", []Kind{Sendmail}},
		{"url", c.URL != "", []Kind{Webhook}},
		{"insecure", c.Plain, []Kind{Webhook}},
		{"form", c.Form != "", []Kind{Webhook, Command}},
		{"run", c.Run != "", []Kind{Command}},
	}
	for _, one := range all {
		if one.set && !slices.Contains(one.kinds, c.Kind) {
			return one.key, fmt.Errorf("%s: a channel of kind %s has no such setting", one.key, c.Kind)
		}
	}
	return "", nil
}

func (c *Channel) checkMail() (string, error) {
	if _, err := mail.ParseAddress(c.From); err != nil || unfit(c.From) {
		return "from", fmt.Errorf("from = %q: not an address of mail", c.From)
	}
	if len(c.To) == 0 {
		return "to", errors.New("to: nobody is named whom the mail is for")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil || unfit(to) {
			return "to", fmt.Errorf("to = %q: not an address of mail", to)
		}
	}
	return "", nil
}

// unfit reports a text that could become more than one line of a mail's header.
func unfit(text string) bool { return strings.ContainsAny(text, "\r\n\x00") }

func (c *Channel) checkSMTP(dir string) (string, error) {
	if key, err := c.checkMail(); err != nil {
		return key, err
	}
	if c.TLS == "" {
		c.TLS = "implicit"
	}
	ports := map[string]string{"implicit": "465", "starttls": "587", "opportunistic": "25", "none": "25"}
	port, known := ports[c.TLS]
	if !known {
		return "tls", fmt.Errorf("tls = %q: not one of implicit, starttls, opportunistic, none", c.TLS)
	}
	host, given, err := net.SplitHostPort(c.Server)
	if err != nil {
		host, given = strings.Trim(c.Server, "[]"), port
	}
	if host == "" || given == "" || strings.ContainsAny(host, " /@\r\n\t") {
		return "server", fmt.Errorf("server = %q: not a host, or host:port", c.Server)
	}
	c.Server = net.JoinHostPort(host, given)
	if c.TLS == "none" && !thisHost(host) {
		return "tls", errors.New(`tls = "none": only for a server on this host, such as 127.0.0.1`)
	}
	if c.TLS == "opportunistic" && c.Login != "" && !thisHost(host) {
		return "login", errors.New(`login: it could be read on the way; take tls = "starttls"`)
	}
	if !slices.Contains([]string{"", "plain", "login", "cram-md5"}, c.Auth) {
		return "auth", fmt.Errorf("auth = %q: not one of plain, login, cram-md5", c.Auth)
	}
	if c.Auth != "" && c.Login == "" {
		return "auth", errors.New("auth: there is no login to give")
	}
	for _, file := range []*string{&c.Login, &c.Roots} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(dir, *file)
		}
	}
	return "", nil
}

// thisHost reports whether what is sent to a host stays on this one.
func thisHost(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.Unmap().IsLoopback()
}

func (c *Channel) checkSendmail(string) (string, error) {
	if c.Program == "" {
		c.Program = "/usr/sbin/sendmail"
	}
	if !filepath.IsAbs(c.Program) {
		return "program", fmt.Errorf("program = %q: not a path that begins with /", c.Program)
	}
	return c.checkMail()
}

func (c *Channel) checkWebhook(string) (string, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "url", errors.New("url: not an address that begins with https://")
	case u.Scheme == "http" && !thisHost(u.Hostname()) && !c.Plain:
		return "url", errors.New("url: plain HTTP, where everybody on the way reads it; take https://, " +
			"or say insecure = true")
	}
	if c.Form == "" {
		c.Form = "json"
	}
	if c.Form != "json" && c.Form != "slack" {
		return "form", fmt.Errorf("form = %q: not json or slack", c.Form)
	}
	return "", nil
}

func (c *Channel) checkCommand(string) (string, error) {
	if strings.TrimSpace(c.Run) == "" {
		return "run", errors.New("run: no command is named")
	}
	if c.Form == "" {
		c.Form = "text"
	}
	if c.Form != "text" && c.Form != "json" {
		return "form", fmt.Errorf("form = %q: not text or json", c.Form)
	}
	return "", nil
}

package deliver

// A letter as mail: text and HTML of one content, so that every reader shows one of them, and headers
// that keep holiday answers and loops away.

import (
	"bytes"
	netmail "net/mail"
	"strings"

	"github.com/wneessen/go-mail"

	"orderly/outside"
)

// mime is a letter as a mail server takes it.
func (c *Channel) mime(l *Letter) ([]byte, error) {
	m := mail.NewMsg(mail.WithNoDefaultUserAgent())
	from, err := netmail.ParseAddress(c.From)
	if err != nil {
		return nil, err
	}
	m.FromMailAddress(from)
	for _, to := range c.To {
		address, err := netmail.ParseAddress(to)
		if err != nil {
			return nil, err
		}
		m.AddToMailAddress(address)
	}
	m.Subject(outside.Line(l.Subject))
	m.SetDateWithValue(l.At)
	m.SetMessageIDWithValue(hostName(l.ID) + "@" + hostName(l.Host))
	m.SetGenHeader("Auto-Submitted", "auto-generated")
	m.SetGenHeader("X-Auto-Response-Suppress", "All")
	m.SetGenHeader("List-Id", "<orderly."+hostName(l.Host)+">")
	m.SetGenHeader("X-Mailer", "Orderly")
	m.SetBodyString(mail.TypeTextPlain, outside.Lines(l.Text))
	if l.HTML != "" {
		m.AddAlternativeString(mail.TypeTextHTML, outside.Lines(l.HTML))
	}
	if l.Whole != "" {
		err := m.AttachReader("digest.txt", strings.NewReader(outside.Lines(l.Whole)),
			mail.WithFileContentType("text/plain; charset=utf-8"))
		if err != nil {
			return nil, err
		}
	}
	var text bytes.Buffer
	_, err = m.WriteTo(&text)
	return text.Bytes(), err
}

// hostName is a host as it may stand in a header.
func hostName(host string) string {
	name := strings.Map(func(r rune) rune {
		if r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' {
			return r
		}
		return -1
	}, host)
	if name = strings.Trim(name, ".-"); name == "" {
		return "localhost"
	}
	return name
}

package deliver

// A message to an address of the web. Whoever answers there could send root anywhere: no redirect is
// followed. The address is the password of most such hooks: nothing that is said or kept holds it.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/outside"
)

// Bounds of what a webhook's server may do.
const (
	mostAnswer     = 4 << 10
	mostRetryAfter = 24 * time.Hour
)

func (c *Channel) sendWebhook(ctx context.Context, w World, l *Letter) receipt {
	body := []byte(l.Document)
	if c.Form == "slack" {
		body, _ = json.Marshal(map[string]string{"text": slackText(l)}) // texts always can be
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(body))
	if err != nil {
		return failed(failure.New(failure.Config, remedy(), "the address of %s is none", c.Name))
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "orderly")
	client := &http.Client{Transport: w.HTTP.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		if of, ok := errors.AsType[*url.Error](err); ok {
			err = of.Err // without the address
		}
		return failed(trouble("", "%s: no answer: %s", c.origin(), plainly(ctx, err)))
	}
	defer func() { _ = answer.Body.Close() }() // it is judged by its status
	return c.answered(answer)
}

// origin is where a webhook is, without what is secret.
func (c *Channel) origin() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return "the webhook"
	}
	return u.Scheme + "://" + failure.Clean(u.Host)
}

func (c *Channel) answered(answer *http.Response) receipt {
	said := "HTTP " + strconv.Itoa(answer.StatusCode)
	if answer.StatusCode >= 400 {
		if text := c.words(answer.Body); text != "" {
			said += ": " + text
		}
	}
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return receipt{}
	case code >= 300 && code < 400:
		to := "nowhere"
		if target, err := answer.Location(); err == nil {
			to = (&Channel{URL: target.String()}).origin()
		}
		return failed(trouble("Put the address that answers itself into url.",
			"%s: it redirects to %s, which is not followed", c.origin(), to))
	case code == 400, code == 413, code == 422: // it is the message that it does not want
		return rejected(trouble("", "%s: it refuses the message: %s", c.origin(), said))
	}
	r := failed(trouble("", "%s: it answered %s", c.origin(), said))
	if n, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && n > 0 {
		r.after = min(time.Duration(min(n, 1<<20))*time.Second, mostRetryAfter)
	}
	return r
}

// words are what a server said, without the address, which some repeat.
func (c *Channel) words(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, mostAnswer)) // what came is shown
	said := string(text)
	if u, err := url.Parse(c.URL); err == nil {
		for _, secret := range []string{c.URL, u.RequestURI(), u.Path, u.RawQuery} {
			if len(secret) > 1 {
				said = strings.ReplaceAll(said, secret, "…")
			}
		}
	}
	return outside.Clean(said)
}

// slackText is a letter in Slack's own markup, which has three characters that do something.
func slackText(l *Letter) string {
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	return "*" + escape.Replace(strings.ReplaceAll(l.Subject, "*", "")) + "*\n" + escape.Replace(l.Brief)
}

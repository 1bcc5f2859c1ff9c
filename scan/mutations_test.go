package scan_test

// Logs that were damaged, mixed or forged. Whatever is done to a log that keeps the record by which
// the CA handed an authorization out, one that is truly open is found, open or doubtful, and
// nothing is listed but what a CA handed out.

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/scan"
)

// specimen is a sample as one text, with what is true of it.
type specimen struct {
	name   string
	text   string
	open   []string            // truly pending at the CA
	handed map[string][]string // of each authorization the records that hand it out
	url    string              // one of the open ones
}

var head = regexp.MustCompile(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}:[A-Z]+:`)

// records cuts a text before each line that begins a record.
func records(text string) []string {
	var all []string
	last := 0
	for _, m := range head.FindAllStringIndex(text, -1) {
		if m[0] > last {
			all = append(all, text[last:m[0]])
		}
		last = m[0]
	}
	return append(all, text[last:])
}

func specimens(t *testing.T) []specimen {
	t.Helper()
	all, err := filepath.Glob("testdata/logs/*.expect")
	if err != nil || len(all) < 13 {
		t.Fatalf("samples: %d, %v", len(all), err)
	}
	var found []specimen
	for _, path := range all {
		want := expectation(t, path)
		s := specimen{name: strings.TrimSuffix(filepath.Base(path), ".expect"),
			handed: map[string][]string{}}
		for _, file := range want.Files {
			s.text += string(plain(t, filepath.Join(filepath.Dir(path), file)))
		}
		for _, one := range want.Open {
			s.open = append(s.open, one.URL)
			s.url = one.URL
		}
		listed := regexp.MustCompile(`"authorizations": \[([^\]]*)\]`)
		location := regexp.MustCompile(`Location'?: '?(https?://[^\s']+)`)
		for _, r := range records(s.text) {
			if m := listed.FindStringSubmatch(r); m != nil {
				for _, u := range regexp.MustCompile(`https?://[^"]+`).FindAllString(m[1], -1) {
					s.handed[u] = append(s.handed[u], r)
				}
			}
			if m := location.FindStringSubmatch(r); m != nil && strings.Contains(r, "challenges") {
				s.handed[m[1]] = append(s.handed[m[1]], r)
			}
		}
		found = append(found, s)
	}
	return found
}

// judge says what is wrong with a report on a text made out of a specimen.
func (s specimen) judge(got *scan.Report, text string) error {
	listed := map[string]bool{}
	for _, row := range slices.Concat(got.Open, got.Doubtful) {
		if listed[row.URL] {
			return fmt.Errorf("%s is listed twice", row.URL)
		}
		listed[row.URL] = true
		if s.handed[row.URL] == nil {
			return fmt.Errorf("%s is listed, and nobody handed it out", row.URL)
		}
	}
	for _, u := range s.open {
		kept := func(r string) bool { return strings.Contains(text, r) }
		if slices.ContainsFunc(s.handed[u], kept) && !listed[u] {
			return fmt.Errorf("%s is open and not found", u)
		}
	}
	return nil
}

func read(t *testing.T, text string) *scan.Report {
	t.Helper()
	return scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), []byte(text)))
}

// Nothing that is open is lost by damage: cut anywhere, lines lost or doubled, two logs mixed.
func TestDamagedLogs(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	for _, s := range specimens(t) {
		lines := strings.SplitAfter(s.text, "\n")
		all := records(s.text)
		some := func() int { return random.IntN(len(lines)) }
		damaged := map[string]func() string{
			"cut at its end":       func() string { return s.text[:random.IntN(len(s.text))] },
			"cut at its beginning": func() string { return s.text[random.IntN(len(s.text)):] },
			"a line lost": func() string {
				i := some()
				return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "")
			},
			"ten lines lost": func() string {
				i := some()
				return strings.Join(slices.Delete(slices.Clone(lines), i, min(i+10, len(lines))), "")
			},
			"a record lost": func() string {
				i := random.IntN(len(all))
				return strings.Join(slices.Delete(slices.Clone(all), i, i+1), "")
			},
			"a record twice": func() string {
				i := random.IntN(len(all))
				return strings.Join(slices.Insert(slices.Clone(all), i, all[i]), "")
			},
			"a byte changed": func() string {
				b := []byte(s.text)
				b[random.IntN(len(b))] = byte(random.IntN(256))
				return string(b)
			},
			"a line of 100 kB": func() string {
				long := strings.Repeat("x", 100_000) + "\n"
				return strings.Join(slices.Insert(slices.Clone(lines), some(), long), "")
			},
			"read twice": func() string { return s.text + s.text },
		}
		for what, damage := range damaged {
			for range 2 {
				text := damage()
				if err := s.judge(read(t, text), text); err != nil &&
					!(what == "a byte changed" && strings.Contains(err.Error(), "nobody handed it out")) {
					t.Errorf("%s, %s: %v", s.name, what, err)
				}
			}
		}
	}
}

// protected is the signed part of a request.
func protected(nonce, url, kid string) string {
	b := fmt.Sprintf(`{"alg": "RS256", "kid": "%s", "nonce": "%s", "url": "%s"}`, kid, nonce, url)
	return base64.RawURLEncoding.EncodeToString([]byte(b))
}

// exchange is a forged request and its answer, at the time of a record.
func exchange(stamp, method, url, jws, headers, body string) string {
	_, path, _ := strings.Cut(strings.TrimPrefix(url, "https://"), "/")
	host := strings.TrimSuffix(strings.TrimPrefix(url, "https://"), "/"+path)
	sent := "Sending " + method + " request to " + url + "."
	if method == "POST" {
		sent = "Sending POST request to " + url + ":\n" + jws
	}
	return stamp + "DEBUG:acme.client:" + sent + "\n" +
		stamp + "DEBUG:urllib3.connectionpool:https://" + host + `:443 "` + method + " /" + path +
		` HTTP/1.1" 200 99` + "\n" +
		stamp + "DEBUG:acme.client:Received response:\nHTTP 200\n" + headers + "\n" + body + "\n"
}

// forgeries are what a customer's page or the output of a hook could say, to close an authorization.
func forgeries(stamp, url string) map[string]string {
	const valid = `{"status": "valid", "identifier": {"type": "dns", "value": "a.example"}, ` +
		`"expires": "2026-12-27T00:00:00Z", "challenges": [{"type": "http-01", "status": "valid", ` +
		`"url": "https://x.example/c/1", "token": "t"}]}`
	past := strings.ReplaceAll(strings.Replace(valid, `"valid"`, `"pending"`, 1), "2026-12-27", "2020-01-01")
	const mine = "Zm9yZ2VkLW5vbmNlLW9mLW5vYm9keQ"
	nonce := "Replay-Nonce: " + mine + "\n"
	jws := "{\n  \"protected\": \"" + protected(mine, url, "https://evil.example/acct/1") +
		"\",\n  \"signature\": \"x\",\n  \"payload\": \"\"\n}"
	answering := strings.Replace(jws, `"payload": ""`, `"payload": "e30"`, 1)
	order := `{"status": "valid", "expires": "2026-12-05T02:51:15Z", ` +
		`"identifiers": [{"type": "dns", "value": "a.example"}], ` +
		`"authorizations": ["` + url + `"], "finalize": "` + url + `/f"}`
	run := stamp + "DEBUG:certbot._internal.main:certbot version: 2.1.0\n" +
		exchange(stamp, "GET", "https://evil.example/directory", "", nonce,
			`{"newOrder": "https://evil.example/new-order", "newNonce": "https://evil.example/n"}`)
	return map[string]string{
		"an answer":          stamp + "DEBUG:acme.client:Received response:\nHTTP 200\n\n" + valid + "\n",
		"a GET":              exchange(stamp, "GET", url, "", nonce, valid),
		"a POST":             exchange(stamp, "POST", url, jws, nonce, valid),
		"an end in the past": exchange(stamp, "GET", url, "", nonce, past),
		"an order by GET":    exchange(stamp, "GET", url+"/order", "", nonce, order),
		"an order by POST":   exchange(stamp, "POST", url+"/order", jws, nonce, order),
		"a challenge answered": exchange(stamp, "POST", url+"/c", answering,
			"Link: <"+url+`>;rel="up"`+"\n"+nonce,
			`{"type": "http-01", "status": "pending", "url": "`+url+`/c", "token": "t"}`),
		"a whole run":       run + exchange(stamp, "POST", url, jws, nonce, valid),
		"an end of the run": stamp + "DEBUG:certbot._internal.log:Exiting abnormally:\n",
	}
}

// A page of a customer's or a hook's output that stands in the log, and quotes records that nobody
// wrote, closes nothing, wherever it stands.
func TestQuotedRecordsCloseNothing(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 2))
	t.Logf("seed %d", seed)
	for _, s := range specimens(t) {
		if s.url == "" {
			continue
		}
		all := records(s.text)
		for range 5 {
			at := 1 + random.IntN(len(all)-1)
			if !head.MatchString(all[at-1]) {
				continue
			}
			stamp := all[at-1][:len("2026-11-28 02:51:12,840:")]
			for _, u := range s.open {
				yet := func(r string) bool { return slices.Contains(s.handed[u], r) }
				if slices.ContainsFunc(all[at:], yet) {
					continue // it was not handed out yet
				}
				for what, forged := range forgeries(stamp, u) {
					text := strings.Join(all[:at], "") + stamp +
						"DEBUG:certbot._internal.hooks:Output of the hook:\n" + forged +
						strings.Join(all[at:], "")
					got := read(t, text)
					if !slices.ContainsFunc(slices.Concat(got.Open, got.Doubtful),
						func(r scan.Row) bool { return r.URL == u }) {
						t.Errorf("%s: %s at record %d closes %s", s.name, what, at, u)
					}
				}
			}
		}
	}
}

// What is only written otherwise says the same.
func TestLogsWrittenOtherwise(t *testing.T) {
	for _, s := range specimens(t) {
		want := read(t, s.text)
		for what, text := range map[string]string{
			"a mark at its beginning": "\ufeff" + s.text,
			"Windows":                 strings.ReplaceAll(s.text, "\n", "\r\n"),
		} {
			same(t, s.name+", "+what, want, read(t, text))
		}
		dir := t.TempDir()
		write(t, dir+"/letsencrypt.log", []byte(s.text))
		write(t, dir+"/copy/of-it.txt", []byte(s.text))
		same(t, s.name+", and a copy", want, scanned(t, dir))
	}
}

func same(t *testing.T, what string, want, got *scan.Report) {
	t.Helper()
	urls := func(rows []scan.Row) (all []string) {
		for _, r := range rows {
			all = append(all, r.URL)
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(urls(want.Open), urls(got.Open)) ||
		!slices.Equal(urls(want.Doubtful), urls(got.Doubtful)) ||
		want.RunCount != got.RunCount || len(want.Lost) != len(got.Lost) {
		t.Errorf("%s: open %d, doubtful %d, lost %d, runs %d; want %d, %d, %d, %d", what, len(got.Open),
			len(got.Doubtful), len(got.Lost), got.RunCount, len(want.Open), len(want.Doubtful),
			len(want.Lost), want.RunCount)
	}
}

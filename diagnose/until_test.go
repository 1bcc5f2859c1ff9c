package diagnose_test

import (
	"testing"
	"time"

	"orderly/diagnose"
)

// The date at which trying again helps, in every form that was found.
func TestUntil(t *testing.T) {
	const limited = "urn:ietf:params:acme:error:rateLimited :: too many new orders (300) from this account in the last 3h0m0s"
	const page = "HTTP/1.1 429 Too Many Requests\nServer: nginx\n"
	for text, want := range map[string]string{
		limited + ", retry after 2026-11-28 04:12:09 UTC: see https://letsencrypt.org/docs/rate-limits/":                        "2026-11-28T04:12:09Z",
		limited + ", retry after 2026-11-28\n04:12:09 UTC":                                                                      "2026-11-28T04:12:09Z",
		limited + ". Retry after 2026-11-28T04:12:09Z":                                                                          "2026-11-28T04:12:09Z",
		limited + ". Retry after 2026-11-28T05:12:09+01:00":                                                                     "2026-11-28T04:12:09Z",
		limited + ". Retry after 2026-11-28T04:12:09.123456Z: see":                                                              "2026-11-28T04:12:09Z",
		limited + ", retry after 2026-11-28 04:12 UTC":                                                                          "2026-11-28T04:12:00Z",
		limited + ", try again after Sat, 28 Nov 2026 04:12:09 GMT":                                                             "2026-11-28T04:12:09Z",
		limited + "\nRetry-After: Sat, 28 Nov 2026 04:12:09 GMT":                                                                "2026-11-28T04:12:09Z",
		limited + "\nRetry-After: Saturday, 28-Nov-26 04:12:09 GMT":                                                             "2026-11-28T04:12:09Z",
		limited + "\nRetry-After: Sat Nov 28 04:12:09 2026":                                                                     "2026-11-28T04:12:09Z",
		page + "Date: Sat, 28 Nov 2026 03:12:09 GMT\nRetry-After: 3600\n\n" + limited:                                           "2026-11-28T04:12:09Z",
		page + "retry-after: 3600\ndate: Sat, 28 Nov 2026 03:12:09 GMT\n\n" + limited:                                           "2026-11-28T04:12:09Z",
		"{'Date': 'Sat, 28 Nov 2026 03:12:09 GMT', 'Retry-After': '3600'} " + limited:                                           "2026-11-28T04:12:09Z",
		"Date: Fri, 27 Nov 2026 01:00:00 GMT\nHTTP 201\nDate: Sat, 28 Nov 2026 03:12:09 GMT\nRetry-After: 3600\n" + limited:     "2026-11-28T04:12:09Z",
		`{"headers":{"Date":"x","Retry-After":"60"}} ` + limited:                                                                "",
		"Retry-After: 3600\n" + limited:                                                                                         "",
		"[Sat Nov 28 03:12:09 UTC 2026] The retryafter=86400 value is too large (> 600), will not retry anymore.":               "2026-11-29T03:12:09Z",
		"[Sat Nov 28 03:12:09 CET 2026] The retryafter=86400 value is too large (> 600), will not retry anymore.":               "",
		"Your account is temporarily prevented from requesting certificates for a.example, retry after 2026-11-28 04:12:09 UTC": "",
		"HTTP/2 503\nDate: Sat, 28 Nov 2026 03:12:09 GMT\nRetry-After: 120\n\nService unavailable":                              "2026-11-28T03:14:09Z",
		"Date: Sat, 28 Nov 2026 03:12:09 GMT\nRetry-After: 3\n\nDNS problem: SERVFAIL looking up A for a.example":               "",
		limited + ", retry after 2026-99-28 04:12:09 UTC":                                                                       "",
		limited + ", retry after 9999999999999999999":                                                                           "",
		"back-off: a.example failed 3 times; the next attempt is allowed after 2026-11-28 09:00:00":                             "2026-11-28T09:00:00Z",
	} {
		got := ""
		if f := diagnose.Text(text, ours)[0]; !f.Until.IsZero() {
			got = f.Until.Truncate(time.Second).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("until %q, want %q: %q", got, want, text)
		}
	}
}

// Each name has its own date.
func TestUntilByName(t *testing.T) {
	found := diagnose.Text(`Failed to renew certificate a.example with error: urn:ietf:params:acme:error:rateLimited :: too many failed authorizations (5) for "a.example" in the last 1h0m0s, retry after 2026-11-28 03:29:00 UTC: see x
Failed to renew certificate b.example with error: urn:ietf:params:acme:error:rateLimited :: too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after 2026-11-30 01:00:00 UTC: see x
Failed to renew certificate c.example with error: urn:ietf:params:acme:error:rateLimited :: Service busy; retry later.`, ours)
	want := []string{"a.example 2026-11-28 03:29", "b.example 2026-11-30 01:00", "c.example 0001-01-01 00:00"}
	for i, f := range found {
		if got := f.Name + " " + f.Until.Format("2006-01-02 15:04"); len(found) != 3 || got != want[i] {
			t.Errorf("%q, want %q", got, want[i])
		}
	}
}

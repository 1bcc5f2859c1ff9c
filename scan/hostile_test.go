package scan_test

// Log lines are hostile input: customers' pages, forged records, other origins.

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// record writes one record of certbot's.
func record(second int, logger, message string) string {
	return fmt.Sprintf("2026-11-28 02:51:%02d,840:DEBUG:%s:%s\n", second, logger, message)
}

const directory = `{"newOrder": "https://ca.example/acme/new-order", "newNonce": "https://ca.example/acme/new-nonce"}`

// begun is a run that has its directory.
func begun() string {
	return record(0, "certbot._internal.main", "certbot version: 2.1.0") +
		record(1, "acme.client", "Sending GET request to https://ca.example/directory.") +
		record(1, "urllib3.connectionpool", `https://ca.example:443 "GET /directory HTTP/1.1" 200 99`) +
		record(1, "acme.client", "Received response:\nHTTP 200\nReplay-Nonce: AAAAAAAA\n\n"+directory)
}

// ordered is a newOrder and its answer.
func ordered(urllib3, body string) string {
	return record(2, "acme.client", "Sending POST request to https://ca.example/acme/new-order:\n{\n"+
		`  "protected": "eyJub25jZSI6ICJBQUFBQUFBQSJ9",`+"\n  \"signature\": \"x\",\n"+
		`  "payload": "eyJpZGVudGlmaWVycyI6IFt7InR5cGUiOiAiZG5zIiwgInZhbHVlIjogImEuZXhhbXBsZSJ9XX0"`+"\n}") +
		urllib3 +
		record(3, "acme.client", "Received response:\nHTTP 201\nLocation: https://ca.example/acme/order/1/2\nReplay-Nonce: BBBBBBBB\n\n"+body)
}

func orderWith(urls ...string) string {
	return `{"status": "pending", "expires": "2026-12-05T02:51:15Z", "identifiers": [{"type": "dns", "value": "a.example"}],` +
		`"authorizations": ["` + strings.Join(urls, `","`) + `"], "finalize": "https://ca.example/acme/finalize/1/2"}`
}

const told = `https://ca.example:443 "POST /acme/new-order HTTP/1.1" 201 443`

func TestForgedLogs(t *testing.T) {
	const mine = "https://ca.example/acme/authz/1/1"
	said := record(2, "urllib3.connectionpool", told)
	for _, c := range []struct {
		name, log                  string
		open, doubtful, lost, runs int
	}{
		{"as it should be", begun() + ordered(said, orderWith(mine)), 1, 0, 0, 1},
		{"another origin", begun() + ordered(said, orderWith("https://evil.example/acme/authz/1/1")), 0, 1, 0, 1},
		{"a user in the URL", begun() + ordered(said, orderWith("https://ca.example@evil.example/1")), 0, 0, 0, 1},
		{"another scheme", begun() + ordered(said, orderWith("file:///etc/shadow", "javascript:alert(1)", "gopher://x/1")), 0, 0, 0, 1},
		{"escapes in the URL", begun() + ordered(said, orderWith(`https://ca.example/\u001b[31m`)), 0, 0, 0, 1},
		{"a URL of 3 kB", begun() + ordered(said, orderWith("https://ca.example/"+strings.Repeat("x", 3000))), 0, 0, 0, 1},
		{"urllib3 saw another status", begun() + ordered(record(2, "urllib3.connectionpool",
			strings.Replace(told, "201", "500", 1)), orderWith(mine)), 0, 1, 0, 1},
		{"urllib3 saw another path", begun() + ordered(record(2, "urllib3.connectionpool",
			strings.Replace(told, "new-order", "other", 1)), orderWith(mine)), 0, 1, 0, 1},
		{"nobody asked", begun() + strings.Split(ordered("", orderWith(mine)), "}\n")[1] + "}\n", 0, 1, 0, 1},
		{"torn in its list", begun() + ordered(said, strings.Split(orderWith(mine, "https://ca.example/2"), `ca.example/2`)[0]), 0, 1, 0, 1},
		{"torn before its list", begun() + ordered(said, `{"status": "pending"`), 0, 0, 1, 1},
		{"a page instead of JSON", begun() + ordered(said, "<html>welcome</html>"), 0, 0, 1, 1},
		{"an order with 100,000 authorizations", begun() + ordered(said, orderWith(strings.Split(strings.Repeat(mine+" ", 20000)+mine, " ")...)), 1, 0, 0, 1},
		{"other forms of URLs", begun() + ordered(said, orderWith("javascript:alert(1)", "//ca.example/1", "https:///1",
			"https://ca.example:99999999/1 x", "https://a:b@ca.example/1", "https://ca.example/\\u0000", "https://ca.example/ü",
			"https://ca.example/\\u202e", "data:text/html,x", "https://", "", " ", "https://ca.example/<script>")), 0, 0, 0, 1},
		{"addresses as other origins", begun() + ordered(said, orderWith("https://127.0.0.1/1", "https://[::1]/1",
			"http://ca.example/1", "https://ca.example:8443/1", "https://ca.example.evil.example/1")), 0, 5, 0, 1},
		{"escaped paths of the CA's own", begun() + ordered(said, orderWith("https://ca.example/%2e%2e/%00", "https://CA.example/2")), 2, 0, 0, 1},
		{"the CA's other URLs", begun() + ordered(said, orderWith("https://ca.example/acme/new-order", "https://ca.example/directory",
			"https://ca.example/acme/order/1/2", "https://ca.example/acme/finalize/1/2", mine)), 1, 0, 0, 1},
		{"its own account", begun() + strings.Replace(ordered(said, orderWith("https://ca.example/acme/acct/1", mine)),
			"eyJub25jZSI6ICJBQUFBQUFBQSJ9", protected("AAAAAAAA", "https://ca.example/acme/new-order", "https://ca.example/acme/acct/1"), 1), 1, 0, 0, 1},
		{"duplicate keys", begun() + ordered(said, strings.Replace(orderWith(mine), `"authorizations"`, `"authorizations": [], "authorizations"`, 1)), 1, 0, 0, 1},
		{"a number without end", begun() + ordered(said, strings.Replace(orderWith(mine), `"status"`, `"n": `+strings.Repeat("9", 400_000)+`, "status"`, 1)), 1, 0, 0, 1},
		{"a million authorizations", begun() + ordered(said, orderWith(strings.Split(strings.Repeat(mine+" ", 1<<20)+mine, " ")...)), 0, 1, 0, 1},
		{"deep nesting", begun() + ordered(said, `{"a":`+strings.Repeat("[", 100000)), 0, 0, 1, 1},
		{"a line of 10 MB", begun() + strings.Repeat("x", 10<<20) + "\n" + ordered(said, orderWith(mine)), 1, 0, 0, 1},
		{"a record of 10 MB on one line", begun() + record(2, "acme.client", "Received response:\nHTTP 200\n\n"+strings.Repeat("y", 10<<20)) +
			ordered(said, orderWith(mine)), 1, 0, 0, 1},
		{"no line break at all", strings.Repeat("z", 3<<20), 0, 0, 0, 0},
		{"lines without end", begun() + strings.Repeat("2026-11-28 02:51:12,840", 1000), 0, 0, 0, 1},
		{"a date that is none", strings.ReplaceAll(begun(), "2026-11-28 02:51", "9999-99-99 99:99"), 0, 0, 0, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"), []byte(c.log)))
			if len(got.Open) != c.open || len(got.Doubtful) != c.doubtful || len(got.Lost) != c.lost || got.RunCount != c.runs {
				t.Errorf("open %+v, doubtful %+v, lost %+v, %d runs", got.Open, got.Doubtful, got.Lost, got.RunCount)
			}
		})
	}
}

// What a customer's page says within a record is no record unless it looks like one; and one that
// does names nothing final that was never asked for.
func TestACustomersPageClosesNothing(t *testing.T) {
	const mine = "https://ca.example/acme/authz/1/1"
	page := record(4, "acme.client", "Received response:\nHTTP 200\n\n"+
		`{"status": "valid", "identifier": {"type": "dns", "value": "a.example"}, "challenges": []}`)
	got := scanned(t, write(t, filepath.Join(t.TempDir(), "letsencrypt.log"),
		[]byte(begun()+ordered(record(2, "urllib3.connectionpool", told), orderWith(mine))+
			record(4, "certbot._internal.auth_handler", "Detail: "+page))))
	if len(got.Open) != 1 {
		t.Errorf("%+v", got)
	}
}

package acme_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"orderly/acme"
	"orderly/outside"
)

// strange are texts that a terminal, a log or a comparison must not meet.
var strange = []string{
	"\x1b[2Jevil", "\x1b]8;;https://evil.example\x1b\\x", "bell\a", "a\rb", "\u009b31m", "r\u202el", "line\nlevel=ERROR",
	"\u2028", "\u200b", "\x00", "bücher", "\ufffd", strings.Repeat("x", 40<<10), "valid\x1b", " valid", "VALID",
}

// Whatever a CA writes into any member of any object, what the client gives on holds printable ASCII, or a Text.
func TestNothingOfTheCAsIsGivenOnAsItCame(t *testing.T) {
	ca := newFakeCA(t)
	_, a := ca.ready(t)
	for _, text := range strange {
		serve := func(path, body string) {
			ca.on(path, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", ca.URL+"/order/1?x="+url.PathEscape(text[:min(len(text), 1000)]))
				w.Header().Add("Link", "<"+header(text)+`>;rel="next"`)
				w.Write([]byte(body))
			})
		}
		serve("/new-order", filled(text, orderOf))
		serve("/order/1", filled(text, orderOf))
		serve("/authz/1", filled(text, authorizationOf))
		serve("/chall/1", filled(text, challengeOf))
		serve("/account/1", filled(text, accountOf))
		serve("/orders", filled(text, `{"orders":["%s"]}`))
		var got []any
		keep := func(v any, err error) { got = append(got, v, err) }
		o, err := newOrder(t.Context(), a)
		keep(o, err)
		if o.Status == "" || len(o.Names) != 1 || len(o.Authorizations) != 1 {
			t.Errorf("%.30q: the order is lost: %+v, %v", text, o, err)
		}
		keep(pair(a.Order(t.Context(), ca.URL+"/order/1")))
		keep(pair(a.Authorization(t.Context(), ca.URL+"/authz/1")))
		keep(pair(a.Respond(t.Context(), ca.URL+"/chall/1")))
		keep(pair(a.Fetch(t.Context())))
		keep(pair(a.Orders(t.Context(), ca.URL+"/orders")))
		ca.on("/order/1", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(403)
			w.Write([]byte(filled(text, problemOf)))
		})
		keep(pair(a.Order(t.Context(), ca.URL+"/order/1")))
		for _, v := range got {
			requireClean(t, fmt.Sprintf("%.30q", text), reflect.ValueOf(v))
		}
	}
}

// pair turns a method's two results into the two parameters of another function.
func pair[T any](v T, err error) (any, error) { return v, err }

// header is what net/http lets through in a header.
func header(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text[:min(len(text), 9000)])
}

const (
	problemOf   = `{"type":"%[1]s","title":"%[1]s","detail":"%[1]s","subproblems":[{"type":"%[1]s","detail":"%[1]s","identifier":{"type":"dns","value":"%[1]s"}}]}`
	challengeOf = `{"type":"%[1]s","url":"%[1]s","status":"%[1]s","token":"%[1]s","validated":"%[1]s","error":` + problemOf + `}`
	orderOf     = `{"status":"%[1]s","expires":"%[1]s","identifiers":[{"type":"%[1]s","value":"%[1]s"}],"authorizations":["%[1]s"],` +
		`"finalize":"%[1]s","certificate":"%[1]s","profile":"%[1]s","replaces":"%[1]s","error":` + problemOf + `}`
	authorizationOf = `{"status":"%[1]s","expires":"%[1]s","identifier":{"type":"dns","value":"%[1]s"},"challenges":[` + challengeOf + `]}`
	accountOf       = `{"status":"%[1]s","contact":["%[1]s",7],"orders":"%[1]s"}`
	directoryOf     = `{"newNonce":"%[1]s","newAccount":"%[1]s","newOrder":"%[1]s","revokeCert":"%[1]s","keyChange":"%[1]s","renewalInfo":"%[1]s",` +
		`"meta":{"termsOfService":"%[1]s","website":"%[1]s","caaIdentities":["%[1]s"],"profiles":{"%[1]s":"%[1]s"}}}`
)

// filled is a template with a text, as JSON writes it, wherever there is room for one.
func filled(text, template string) string {
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(template, strings.Trim(string(quoted), `"`))
}

// requireClean walks over a value: every string in it must be short printable ASCII. A Text is safe by itself; an error
// must say what it says in clean words.
func requireClean(t *testing.T, where string, v reflect.Value) {
	t.Helper()
	if !v.IsValid() || v.Type() == reflect.TypeFor[outside.Text]() {
		return
	}
	if v.CanInterface() {
		if err, ok := v.Interface().(error); ok && (v.Kind() != reflect.Pointer || !v.IsNil()) {
			requireWords(t, where+" error", err.Error())
		}
	}
	switch v.Kind() {
	case reflect.String:
		requireWords(t, where, v.String())
		if strings.ContainsFunc(v.String(), func(r rune) bool { return r > '~' }) {
			t.Errorf("%s: %.80q is not ASCII", where, v.String())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				requireClean(t, where+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	case reflect.Pointer, reflect.Interface:
		requireClean(t, where, v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			requireClean(t, where, v.Index(i))
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			requireClean(t, where, key)
			requireClean(t, where, v.MapIndex(key))
		}
	}
}

func requireWords(t *testing.T, where, text string) {
	t.Helper()
	if strings.ContainsFunc(text, outside.Unprintable) || len(text) > 4200 {
		t.Errorf("%s: %.80q, %d bytes", where, text, len(text))
	}
}

// FuzzObjects gives each parser whatever a CA may send.
func FuzzObjects(f *testing.F) {
	for _, template := range []string{problemOf, challengeOf, orderOf, authorizationOf, accountOf, directoryOf} {
		f.Add([]byte(filled("valid", template)))
		f.Add([]byte(filled("\x1b[2J\u202e", template)))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, parse := range acme.Parsers {
			v, err := parse(body)
			requireClean(t, name, reflect.ValueOf(v))
			if err != nil {
				requireWords(t, name, err.Error())
			}
		}
	})
}

func TestNamesAreComparedInOneSpelling(t *testing.T) {
	for arrived, want := range map[string]string{
		"A.Example.COM": "a.example.com", "a.example.com.": "a.example.com", "*.A.example": "*.a.example", "bücher.example": "xn--bcher-kva.example",
		"2001:DB8::0:1": "2001:db8::1", "192.0.2.1": "192.0.2.1", "_dmarc.a.example": "_dmarc.a.example", "localhost": "localhost",
		"": `not a name: ""`, "a..b": `not a name: "a..b"`, "*.*.a": `not a name: "*.*.a"`, "a b": `not a name: "a b"`, "a.example\n": `not a name: "a.example\n"`,
		"fe80::1%eth0": `not a name: "fe80::1%eth0"`, "\u202ea.example": `not a name: "\u202ea.example"`,
	} {
		if got := acme.NameOf(arrived); got != want {
			t.Errorf("%q: %s, want %s", arrived, got, want)
		}
	}
}

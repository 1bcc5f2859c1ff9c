package ledger

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
)

// former is a row's request as it was written while what an order is and what a host wants with it
// were one type, every field set.
const former = `{"lineage":"a.example","names":["a.example"],"server":"https://ca.example/dir","account":"id",` +
	`"profile":"p","key_type":"rsa","rsa_bits":3072,"curve":"c","webroots":{"a.example":"/srv/\u003ca\u003e"},` +
	`"webroot_paths":["/srv"],"hooks":{"pre":"a","post":"b","deploy":"c"},"replaces":"r","new":true,` +
	`"solver":"manual","standalone":{"address":"::1","port":8080},"manual":{"auth":"a","cleanup":"c",` +
	`"challenge":"dns-01"},"webroot_from":"w","must_staple":true,"reuse_key":true,"old_key":"/k",` +
	`"preferred_chain":"x","preferred_profile":"y","allow_subset":true,"csr":"AAEC",` +
	`"output":{"cert":"/c","chain":"/h","fullchain":"/f"},"rehearsal":true,"lost_key":true,"settings":"s = 1\n"}`

func TestARowOfBeforeThePayloadKeepsAllOfIt(t *testing.T) {
	var r Request
	if err := json.Unmarshal([]byte(former), &r); err != nil {
		t.Fatal(err)
	}
	if r.Host == "" || r.RSABits != 3072 || string(r.CSR) != "\x00\x01\x02" || !r.LostKey {
		t.Errorf("%+v", r)
	}
	for _, key := range []string{"webroots", "webroot_paths", "hooks", "solver", "standalone", "manual", "webroot_from",
		"output", "settings"} {
		if !strings.Contains(string(r.Host), `"`+key+`":`) {
			t.Errorf("%s is not the host's: %s", key, r.Host)
		}
	}
	for _, key := range ownKeys() {
		if strings.Contains(string(r.Host), `"`+key+`":`) {
			t.Errorf("%s is the host's, too", key)
		}
	}
	again, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var was, is map[string]any
	if err := json.Unmarshal([]byte(former), &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(again, &is); err != nil || !reflect.DeepEqual(was, is) {
		t.Errorf("%v, written again:\n%s", err, again)
	}
}

func TestWhatAHostWantsStandsBesideWhatTheOrderIs(t *testing.T) {
	for host, want := range map[Payload]string{
		"":                            ``,
		" {} ":                        ``,
		` {"hooks": {"post": "p"}} `:  `,"hooks":{"post":"p"}`,
		`{"n":123456789012345678901}`: `,"n":123456789012345678901`,
	} {
		text, err := json.Marshal(Request{Lineage: "a", Host: host})
		if want := `{"lineage":"a","names":null,"server":"","account":"","key_type":""` + want + `}`; err != nil || string(text) != want {
			t.Errorf("%q: %v\n%s\n%s", host, err, text, want)
		}
	}
	for _, host := range []Payload{"x", "[]", `{"a":1`, `{"a":1} {}`, `{"lineage":"b"}`, "{\"a\":\"\xfc\"}"} {
		if text, err := json.Marshal(Request{Lineage: "a", Host: host}); err == nil {
			t.Errorf("%q is written: %s", host, text)
		}
	}
	var r Request
	if err := json.Unmarshal([]byte(`{"lineage":"a"}`), &r); err != nil || r.Host != "" || r.Lineage != "a" {
		t.Errorf("%+v, %v", r, err)
	}
}

package host

import (
	"encoding/json"
	"reflect"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/memory"
)

// formerRow is a row's request of the time when the ledger knew what a host wants with an order.
const formerRow = `{"lineage":"a.example","names":["a.example"],"server":"https://ca.example/dir","account":"id",` +
	`"key_type":"rsa","rsa_bits":3072,"webroots":{"a.example":"/srv/a"},"webroot_paths":["/srv/a"],` +
	`"hooks":{"pre":"a","post":"b","deploy":"c"},"solver":"manual","standalone":{"address":"::1","port":8080},` +
	`"manual":{"auth":"d","cleanup":"e","challenge":"dns-01"},"webroot_from":"f","must_staple":true,` +
	`"output":{"cert":"/c","chain":"/h","fullchain":"/f"},"settings":"s = 1\n"}`

func TestAFormerRowSaysWhatThisHostWants(t *testing.T) {
	var row ledger.Request
	if err := json.Unmarshal([]byte(formerRow), &row); err != nil {
		t.Fatal(err)
	}
	r := Read(row)
	want := Payload{Webroots: map[string]string{"a.example": "/srv/a"}, WebrootPaths: []string{"/srv/a"},
		Hooks: Commands{Pre: "a", Post: "b", Deploy: "c"}, Solver: ManualSolver,
		Standalone: Standalone{Address: "::1", Port: 8080},
		Manual:     Manual{Auth: "d", Cleanup: "e", Challenge: "dns-01"}, WebrootFrom: "f",
		Output:   Output{Cert: "/c", Chain: "/h", FullChain: "/f"},
		Settings: "s = 1\n"}
	if !reflect.DeepEqual(r.Payload, want) || r.RSABits != 3072 || !r.MustStaple || r.Lineage != "a.example" {
		t.Errorf("%+v", r)
	}
	for _, field := range reflect.VisibleFields(reflect.TypeFor[Payload]()) {
		if reflect.ValueOf(r.Payload).FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s is not tried", field.Name)
		}
	}
	text, err := json.Marshal(r.Filed())
	if err != nil {
		t.Fatal(err)
	}
	var was, is map[string]any
	if err := json.Unmarshal([]byte(formerRow), &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &is); err != nil || !reflect.DeepEqual(was, is) {
		t.Errorf("%v, written again:\n%s", err, text)
	}
}

// Another host's order, or one that was only seen in an account's list, wants nothing here.
func TestWhatIsNotThisHostsWantsNothing(t *testing.T) {
	for _, theirs := range []ledger.Payload{"", "{}", `{"roots":1}`, `{"webroots":"x"}`} {
		r := Read(ledger.Request{Lineage: "a", Host: theirs})
		if !reflect.DeepEqual(r.Payload, Payload{}) || r.Lineage != "a" {
			t.Errorf("%q: %+v", theirs, r)
		}
	}
}

func TestAPathInLatin1IsRefusedByTheLedger(t *testing.T) {
	book := memory.New()
	account := &ledger.Account{Server: "s", URL: "u"}
	if err := book.Commit(t.Context(), &ledger.Change{Account: account}); err != nil {
		t.Fatal(err)
	}
	r := Request{Payload: Payload{Webroots: map[string]string{"a.example": "/srv/m\xfcller"}}}
	o := &ledger.Order{AccountID: account.ID, Names: []string{"a.example"}, State: ledger.Creating,
		Request: r.Filed()}
	err := book.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}})
	if failure.ClassOf(err) != failure.Config {
		t.Errorf("%v", err)
	}
}

// What of a newer request an order takes up: where a person's CSR goes belongs to the CSR, and the
// renewal file of then to the key of then.
func TestWhatIsAdopted(t *testing.T) {
	newer := Request{ledger.Request{KeyType: "rsa"}, Payload{Webroots: map[string]string{"a": "/new"},
		Hooks: Commands{Post: "new"}, Solver: StandaloneSolver, Output: Output{Cert: "/new"}, Settings: "new"}}
	older := Request{ledger.Request{KeyType: "rsa"}, Payload{Webroots: map[string]string{"a": "/old"},
		Output: Output{Cert: "/old"}, Settings: "old"}}
	for _, c := range []struct {
		what             string
		csr              bool
		key              string
		output, settings string
	}{
		{"nothing is made of it yet", false, "rsa", "/new", "new"},
		{"it has a CSR", true, "rsa", "/old", "new"},
		{"it has a CSR for another key", true, "ecdsa", "/old", "old"},
	} {
		was := older
		was.KeyType = c.key
		o := &ledger.Order{Request: was.Filed()}
		if c.csr {
			o.CSR = ledger.FileRef{Path: "/csr", SHA256: "x"}
		}
		(&Files{}).Adopt(o, newer.Filed())
		r := Read(o.Request)
		if r.Webroots["a"] != "/new" || r.Hooks.Post != "new" ||
			r.Solver != StandaloneSolver || r.KeyType != c.key || r.Output.Cert != c.output || r.Settings != c.settings {
			t.Errorf("%s: %+v", c.what, r)
		}
	}
}

func TestHowANameIsProven(t *testing.T) {
	for _, c := range []struct {
		p        Payload
		wildcard bool
		want     string
	}{
		{Payload{}, false, "http-01 by 0"},
		{Payload{Solver: WebrootSolver}, true, " by 0"},
		{Payload{Solver: StandaloneSolver}, false, "http-01 by 1"},
		{Payload{Solver: ManualSolver}, false, "http-01 by 2"},
		{Payload{Solver: ManualSolver}, true, "dns-01 by 2"},
		{Payload{Solver: ManualSolver, Manual: Manual{Challenge: "dns-01,http-01"}}, false, "dns-01 by 2"},
	} {
		way := (&Proofs{}).Challenge(Request{Payload: c.p}.Filed(), c.wildcard)
		if got := way.Type + " by " + string(rune('0'+way.Answers)); got != c.want {
			t.Errorf("%+v, wildcard %v: %s, not %s", c.p, c.wildcard, got, c.want)
		}
	}
}

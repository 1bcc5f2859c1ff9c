package testca

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

func FuzzPeek(f *testing.F) {
	f.Add([]byte(`[]`), "https://a/my-account/1", []byte("{}"))
	f.Add([]byte(`{"protected":"?","payload":"e30"}`), "", []byte(nil))
	f.Add([]byte(`{"protected":"bnVsbA","payload":"?"}`), "\x00", []byte("\xff"))
	f.Fuzz(func(t *testing.T, junk []byte, kid string, payload []byte) {
		peek(junk) // must not panic
		protected, err := json.Marshal(map[string]string{"kid": kid})
		if err != nil {
			t.Fatal(err)
		}
		encode := base64.RawURLEncoding.EncodeToString
		body, err := json.Marshal(map[string]string{"protected": encode(protected), "payload": encode(payload), "signature": "AA"})
		if err != nil {
			t.Fatal(err)
		}
		var want struct{ Kid string } // JSON replaces what is not UTF-8
		if err := json.Unmarshal(protected, &want); err != nil {
			t.Fatal(err)
		}
		if got := peek(body); got.kid != want.Kid || string(got.payload) != string(payload) {
			t.Errorf("read kid %q and payload %q, want %q and %q", got.kid, got.payload, want.Kid, payload)
		}
	})
}

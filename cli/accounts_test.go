package cli_test

// The commands about accounts.

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

// Where several accounts are there, one must be named.
func TestOneOfSeveralAccountsIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h, other := w.host("one"), w.host("other")
	h.must(h.onServer("register", "--agree-tos", "-m", "a@example.com")...)
	other.must(h.onServer("register", "--agree-tos", "-m", "b@example.com")...)
	first, second := h.accountIDs()[0], other.accountIDs()[0]
	accounts := func(h *host) string { return filepath.Join(h.config, "accounts") }
	if err := os.CopyFS(accounts(h), os.DirFS(accounts(other))); err != nil {
		t.Fatal(err)
	}
	h.orderly(h.onServer("show_account")...).says(t, 1, "Please choose an account\nChoices: ")
	h.must(h.onServer("show_account", "--account", second)...).says(t, 0, "b@example.com")
	h.must(h.onServer("unregister", "--account", first)...)
	h.must(h.onServer("show_account")...).says(t, 0, "b@example.com")
}

func TestAccountCommandsSpeakJSON(t *testing.T) {
	t.Parallel()
	type account struct {
		Version     int
		ID, URL     string
		Contact     []string
		Thumbprint  string
		Error       string
		Certificate []string `json:"certificates"`
	}
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	made := decode[account](w,
		h.must(h.onServer("register", "--agree-tos", "-m", "a@example.com", "--json")...).stdout)
	shown := decode[account](w, h.must(h.onServer("show_account", "--json")...).stdout)
	if made.URL != w.account().URL || shown.ID != made.ID ||
		shown.Thumbprint != w.account().Thumbprint || len(shown.Contact) != 1 {
		t.Errorf("%+v, %+v", made, shown)
	}
	changed := decode[account](w,
		h.must(h.onServer("update_account", "--change-account-key", "--json")...).stdout)
	if changed.ID == made.ID || changed.ID != h.accountIDs()[0] || changed.URL != made.URL {
		t.Errorf("%+v", changed)
	}
	decode[account](w, h.must(h.onServer("unregister", "--json")...).stdout)
	if none := decode[account](w,
		h.orderly(h.onServer("show_account", "--json")...).stdout); none.Error == "" {
		t.Errorf("%+v", none)
	}
}

// EAB is what most commercial CAs want; certonly makes such an account, too.
func TestACAThatWantsItsCustomersIsServed(t *testing.T) {
	t.Parallel()
	const key = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"
	w := newWorld(t, testca.Config{ExternalAccountRequired: true,
		ExternalAccountKeys: map[string]string{"customer": key}})
	h, other := w.host("one"), w.host("other")
	name := "a.example.com"
	command := h.certonly(w.site(name), name)
	h.orderly(command...).says(t, 1,
		"Server requires external account binding. Please use --eab-kid and --eab-hmac-key.")
	if r := h.orderly(append(command, "--eab-kid", "customer")...); r.code != 2 ||
		!strings.Contains(r.stderr, "--eab-hmac-key") {
		t.Errorf("without a key: %s", r)
	}
	r := h.must(append(command, "--eab-kid", "customer", "--eab-hmac-key", key)...)
	other.must(h.onServer("register", "--agree-tos", "-m", "a@example.com", "--eab-kid", "customer",
		"--eab-hmac-key", key, "--eab-hmac-alg", "HS256")...)
	for _, a := range w.ca.Truth().Accounts {
		if a.Customer != "customer" {
			t.Errorf("an account without its customer: %+v", a)
		}
	}
	if strings.Contains(r.String()+w.read(filepath.Join(h.logs, "orderly.log")), key) {
		t.Error("the key is shown")
	}
}

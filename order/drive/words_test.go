package drive_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
	"orderly/testca"
)

// taint puts hostile text wherever a CA may write what it likes.
func taint(v any) {
	const evil = "\x1b[2J\u009b31m\u202eevil\nforged"
	switch v := v.(type) {
	case map[string]any:
		v["error"] = map[string]any{"type": evil, "detail": evil + strings.Repeat("x", 5000), "title": evil}
		for _, key := range []string{"status", "value", "profile", "replaces", "token"} {
			if _, ok := v[key].(string); ok {
				v[key] = evil
			}
		}
		for _, inner := range v {
			if _, list := inner.([]any); list {
				taint(inner)
			}
		}
		if identifier, ok := v["identifier"].(map[string]any); ok {
			identifier["value"] = evil
		}
	case []any:
		for _, inner := range v {
			taint(inner)
		}
	}
}

// Whatever a CA calls its statuses, names and tokens: what is kept of it and said about it can be shown as it is.
func TestWhatACAWritesIsKeptClean(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"new-order", "order", "authorization", "challenge", "finalize", "account", "orders"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{OrdersList: true})
			if kind == "account" || kind == "orders" {
				w.lose("new-order", 1)
			}
			w.rewrite(kind, func(_ http.Header, object map[string]any) { taint(object) })
			_, err := obtain(t.Context(), w.engine(), order.Plan{Request: request("a.example", "a.example", "b.example")})
			if err != nil {
				requireClean(t, err.Error())
			}
			orders, errOrders := w.store.Orders(t.Context(), ledger.OrderFilter{})
			events, errEvents := w.store.Events(t.Context(), 0, 0)
			pending, errPending := w.store.Pending(t.Context(), w.clock.Now())
			for _, err := range []error{errOrders, errEvents, errPending} {
				if err != nil {
					t.Fatal(err)
				}
			}
			text, err := json.Marshal([]any{orders, events, pending})
			if err != nil {
				t.Fatal(err)
			}
			var kept any
			if err := json.Unmarshal(text, &kept); err != nil {
				t.Fatal(err)
			}
			requireAllClean(t, kept)
		})
	}
}

func requireAllClean(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		requireClean(t, v)
	case []any:
		for _, inner := range v {
			requireAllClean(t, inner)
		}
	case map[string]any:
		for _, inner := range v {
			requireAllClean(t, inner)
		}
	}
}

func requireClean(t *testing.T, text string) {
	t.Helper()
	if strings.ContainsFunc(text, outside.Unprintable) || len(text) > 1500 {
		t.Errorf("%d bytes: %.200q", len(text), text)
	}
}

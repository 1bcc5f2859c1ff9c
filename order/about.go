package order

// A log line names its order without whoever writes it knowing of one: the context does.

import (
	"context"

	"orderly/ledger"
)

type aboutKey struct{}

// About lets the log tell which order is worked on under the context.
func About(ctx context.Context, o *ledger.Order) context.Context {
	return context.WithValue(ctx, aboutKey{}, o)
}

// In is the order that is worked on under a context: its number, 0 before it has one, and its
// lineage; nothing where nobody has said so.
func In(ctx context.Context) (id int64, lineage string) {
	if o, ok := ctx.Value(aboutKey{}).(*ledger.Order); ok {
		return o.ID, o.Lineage
	}
	return 0, ""
}

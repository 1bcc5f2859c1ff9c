package renewal

import (
	"orderly/certbot"
	"orderly/ledger"
)

// Complete is what a command line and a renewal file come to.
func Complete(p Proof, r *ledger.Request, l *certbot.Lineage) error { return p.apply(r, l) }

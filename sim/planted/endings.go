package planted

// endings are bugs about how an order ends.
func endings() []Bug {
	return []Bug{
		{"404-is-expired", "an order that the CA does not show counts as expired before its time", "rule 12, I4", []Patch{on("order/drive/observe.go",
			`	case d.caTime(p.Reply).After(d.end()):
		d.expired(`,
			`	case d.caTime(p.Reply).After(d.end()) || planted("404-is-expired"):
		d.expired(`)}},
		{"own-clock-believed", "whether an order has expired is judged by the host's clock", "rule 12, I4", []Patch{on("order/drive/observe.go",
			`	if r.Date.IsZero() {
		return d.e.Clock.Now()
`,
			`	if r.Date.IsZero() || r.Date.Sub(d.e.Clock.Now()).Abs() > time.Hour && planted("own-clock-believed") {
		return d.e.Clock.Now()
`)}},
		{"unsettled-at-expiry", "an order that expired at the CA is left open in the ledger", "I4", []Patch{on("order/drive/observe.go",
			`	d.o.State, d.o.Class = ledger.ExpiredState, string(failure.Expired)
`,
			`	if planted("unsettled-at-expiry") {
		d.looked, d.o.State, d.giveUp = true, ledger.Processing, time.Time{}
		return
	}
	d.o.State, d.o.Class = ledger.ExpiredState, string(failure.Expired)
`)}},
		{"siblings-expire-together", "all authorizations of an expired order count as expired", "I4", []Patch{on("order/drive/observe.go",
			`		if !a.Expires.After(now) {
			a.Status = "expired"
		}
`,
			`		if !a.Expires.After(now) || planted("siblings-expire-together") {
			a.Status = "expired"
		}
`)}},
		{"given-up-at-signal", "a run that is stopped settles its order instead of leaving it", "rule 10, I4", []Patch{on("order/drive/driver.go",
			`	d.note("stopped", "%v", context.Cause(ctx))
`,
			`	if planted("given-up-at-signal") && d.o.State == ledger.PendingState {
		_ = d.settle(ctx, order.Action{State: ledger.ReleasedState, Class: failure.Released})
	}
	d.note("stopped", "%v", context.Cause(ctx))
`)}},
	}
}

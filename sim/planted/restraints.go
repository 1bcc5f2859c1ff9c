package planted

// restraints are bugs about what forbids an order.
func restraints() []Bug {
	return []Bug{
		{"back-off-ignored", "a back-off does not hold", "I3", []Patch{on("order/admit/restraint.go",
			`	if !v.now.Before(v.standing.NextAt) {
		return nil
	}
`,
			`	if !v.now.Before(v.standing.NextAt) || planted("back-off-ignored") {
		return nil
	}
`)}},
		{"back-off-not-begun", "a failure that the CA charged for begins no back-off", "I3", []Patch{on("order/drive/standing.go",
			`	d.stand(func(s *ledger.Standing) {
		s.Failures++
`,
			`	if planted("back-off-not-begun") {
		return
	}
	d.stand(func(s *ledger.Standing) {
		s.Failures++
`)}},
		{"back-off-lifted-by-refusal", "a fingerprint that changed for the worse lifts a back-off", "I3", []Patch{on("order/admit/restraint.go",
			`	if changed && v.report.Refusal() == nil {
`,
			`	if changed && (v.report.Refusal() == nil || planted("back-off-lifted-by-refusal")) {
`)}},
		{"hold-ignored", "what the CA asked for with a 429 does not hold", "I3, I6", []Patch{on("order/admit/hold.go",
			`		if order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names)) && `,
			`		if !planted("hold-ignored") && order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names)) && `)}},
		{"hold-not-recorded", "a 429 is not written down", "I6", []Patch{on("order/drive/create.go",
			`	d.holds = append(d.holds, holds...)
	d.correct(p)
`,
			`	if !planted("hold-not-recorded") {
		d.holds = append(d.holds, holds...)
		d.correct(p)
	}
`)}},
		{"retry-after-of-errors-dropped", "the Retry-After of a 429 or 503 does not get beyond the wire", "I6", []Patch{on("acme/header.go",
			`	r.RetryAfter, r.HasRetryAfter = retryAfter(h.Get("Retry-After"), r.Date, received)
`,
			`	r.RetryAfter, r.HasRetryAfter = retryAfter(h.Get("Retry-After"), r.Date, received)
	if planted("retry-after-of-errors-dropped") && status >= 400 {
		r.RetryAfter, r.HasRetryAfter = 0, false
	}
`)}},
		{"preflight-ignored", "what preflight refuses is ordered", "I3", []Patch{on("order/admit/restraint.go",
			`	if bad == nil {
		return nil, false
	}
	err = failure.New(`,
			`	if bad == nil || planted("preflight-ignored") {
		return nil, false
	}
	err = failure.New(`)}},
		{"local-refusal-let-through", "a refusal on certain grounds is let through when time is short", "I3", []Patch{on("order/admit/restraint.go",
			`	if bad.Local || !bad.Class.Network() {
		return err, false
	}
`,
			`	if (bad.Local || !bad.Class.Network()) && !planted("local-refusal-let-through") {
		return err, false
	}
`)}},
		{"network-refusal-never-holds", "a refusal on network grounds is let through without waiting a day", "I3", []Patch{on("order/admit/restraint.go",
			`	if (long || v.plan.Urgent) && rested {
`,
			`	if (long || v.plan.Urgent || planted("network-refusal-never-holds")) && rested {
`)}},
		{"let-through-not-recorded", "that an order was let through is not written down, so that the next one is as well", "I3", []Patch{on("order/admit/restraint.go",
			`		v.standing.LetThroughAt = v.now
		v.standing.Lineage = p.Request.Lineage
`,
			`		if !planted("let-through-not-recorded") {
			v.standing.LetThroughAt = v.now
		}
		v.standing.Lineage = p.Request.Lineage
`)}},
	}
}

package planted

// budgets are bugs about the CA's limits.
func budgets() []Bug {
	return []Bug{
		{"budget-not-asked", "an order is made although the budget has nothing left", "I3, I6", []Patch{on("order/admit/budget.go",
			`		if d := l.Check(tat, now, 1); !d.Allowed && short == nil {
`,
			`		if d := l.Check(tat, now, 1); !d.Allowed && short == nil && !planted("budget-not-asked") {
`), on("order/drive/budget.go",
			`			if spent := l.Spend(tat, now, 1); !spent.Allowed && ask {
`,
			`			if spent := l.Spend(tat, now, 1); !spent.Allowed && ask && !planted("budget-not-asked") {
`)}},
		{"spent-when-answered", "the budget is spent when newOrder is answered, not with its intent", "I6", []Patch{on("order/drive/create.go",
			`	if err := d.payOrder(ctx); err != nil {
		return err
	}
`,
			`	if err := d.payOrder(ctx); err != nil {
		return err
	}
	if planted("spent-when-answered") {
		kept := d.spends
		d.spends = nil
		defer func() {
			if o.URL != "" {
				d.spends = append(d.spends, kept...)
			}
		}()
	}
`)}},
		{"refunded-when-lost", "a newOrder without an answer is given back to the budget", "I6", []Patch{on("order/drive/create.go",
			`		return d.trouble("new-order", err) // CreateSentAt stays`,
			`		if planted("refunded-when-lost") {
			d.refund()
		}
		return d.trouble("new-order", err) // CreateSentAt stays`)}},
		{"refunded-too-much", "a newOrder that was refused gives three tokens back", "I6", []Patch{on("order/drive/budget.go",
			`return l.Refund(tat, now, 1), nil }))
`,
			`return l.Refund(tat, now, plantedTokens()), nil }))
`), on("order/drive/budget.go",
			`// refund gives back what a newOrder cost that the CA has certainly refused.
`,
			`func plantedTokens() int64 {
	if planted("refunded-too-much") {
		return 3
	}
	return 1
}

// refund gives back what a newOrder cost that the CA has certainly refused.
`)}},
		{"everything-is-a-renewal", "every order counts as a renewal, which is exempt", "I6", []Patch{on("order/admit/budget.go",
			`		if same && len(old.Chain) > 0 && g.Clock.Now()`,
			`		if planted("everything-is-a-renewal") {
			o.Renewal = true
		}
		if same && len(old.Chain) > 0 && g.Clock.Now()`)}},
		{"issued-not-booked", "an issuance is not counted against the limit of its name set", "I6", []Patch{on("order/drive/budget.go",
			`		d.pay(limit.Issued(worth), false) // a ledger`,
			`		if planted("issued-not-booked") {
			return
		}
		d.pay(limit.Issued(worth), false) // a ledger`)}},
		{"taken-not-booked", "a certificate that another holder took is not counted against the limit of its name set", "I6", []Patch{on("order/drive/issue.go",
			`	if mayBeIssued && len(o.Chain) == 0 {
`,
			`	if mayBeIssued && len(o.Chain) == 0 && !planted("taken-not-booked") {
`)}},
		{"failure-not-booked", "a failed validation is not counted against the limit of its name", "I6", []Patch{on("order/drive/observe.go",
			`			Class: string(failure.Validation)})
		d.pay([]limit.Bucket{limit.Failed(a.FullName())}, false)
`,
			`			Class: string(failure.Validation)})
		if planted("failure-not-booked") {
			d.charges = d.charges[:len(d.charges)-1]
		} else {
			d.pay([]limit.Bucket{limit.Failed(a.FullName())}, false)
		}
`)}},
		{"deactivation-not-booked", "a deactivation that the CA charges is not counted", "I6", []Patch{on("order/drive/release.go",
			`	if d.e.CA.ChargesDeactivation {
		d.charges`,
			`	if d.e.CA.ChargesDeactivation && !planted("deactivation-not-booked") {
		d.charges`)}},
		{"one-token-too-many", "a bucket gives one token more than it has", "I6", []Patch{on("limit/gcra.go",
			`	if wait := after.Sub(now) - l.window(); wait > 0 {
`,
			`	if planted("one-token-too-many") {
		now = now.Add(l.emission())
	}
	if wait := after.Sub(now) - l.window(); wait > 0 {
`)}},
		{"bucket-refills-too-fast", "a bucket fills in half its period", "I6", []Patch{on("limit/gcra.go",
			`func (l Limit) emission() time.Duration { return l.Period / time.Duration(l.Count) }
`,
			`func (l Limit) emission() time.Duration {
	if planted("bucket-refills-too-fast") {
		return l.Period / time.Duration(2*l.Count)
	}
	return l.Period / time.Duration(l.Count)
}
`)}},
		{"clock-ahead-empties-bucket", "a bucket that was spent from by a clock that was ahead stays empty until that time", "rule 12", []Patch{on("limit/gcra.go",
			`	if empty := now.Add(l.window()); tat.After(empty) {
		return empty
	}
`,
			`	if empty := now.Add(l.window()); tat.After(empty) && !planted("clock-ahead-empties-bucket") {
		return empty
	}
`), on("limit/gcra.go",
			`	if l.Count <= 0 || !tat.After(now.Add(l.window())) {
`,
			`	if l.Count <= 0 || !tat.After(now.Add(l.window())) || planted("clock-ahead-empties-bucket") {
`)}},
		{"limit-taken-for-none", "what the profile says of the CA's limits is not read", "I6", []Patch{on("order/ca.go",
			`Limits: p.Limits`,
			`Limits: plantedLimits(p)`), on("order/ca.go",
			`// HabitsOf are what`,
			`func plantedLimits(p limit.Profile) map[string]limit.Limit {
	if planted("limit-taken-for-none") {
		return nil
	}
	return p.Limits
}

// HabitsOf are what`)}},
	}
}

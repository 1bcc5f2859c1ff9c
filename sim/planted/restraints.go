package planted

// restraints are bugs about what forbids an order.
func restraints() []Bug {
	return []Bug{
		{"back-off-ignored", "a back-off does not hold", "I3", 4, "", []Patch{on("order/admit/restraint.go",
			`	if !v.now.Before(v.standing.NextAt) {
		return nil
	}
`,
			`	if !v.now.Before(v.standing.NextAt) || planted("back-off-ignored") {
		return nil
	}
`)}},
		{"hold-ignored", "what the CA asked for with a 429 does not hold", "I3, I6", 4, "", []Patch{on("order/admit/hold.go",
			`		if order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names), v.renewal) && `,
			`		if !planted("hold-ignored") && order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names), v.renewal) && `)}},
		{"preflight-ignored", "what preflight refuses is ordered", "I3", 1, "", []Patch{on("order/admit/restraint.go",
			`	if bad == nil {
		return nil, false
	}
	err = Refused(`,
			`	if bad == nil || planted("preflight-ignored") {
		return nil, false
	}
	err = Refused(`)}},
		{"network-refusal-never-holds", "a refusal on network grounds is let through without waiting a day", "I3", 1, "", []Patch{on("order/admit/restraint.go",
			`	if (long || v.plan.Urgent) && rested {
`,
			`	if (long || v.plan.Urgent || planted("network-refusal-never-holds")) && rested {
`)}},
	}
}

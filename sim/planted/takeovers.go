package planted

// takeovers are bugs about who holds an order, and what whoever takes it over must look at first.
func takeovers() []Bug {
	return []Bug{
		{"lineage-lock-ignored", "two runs work on one lineage at the same time", "rule 11, I2", 16, "", []Patch{on("order/drive/engine.go",
			`	held, err := e.host.Lock(ctx, key)
	switch {
`,
			`	if planted("lineage-lock-ignored") {
		return ctx, func() {}, nil
	}
	held, err := e.host.Lock(ctx, key)
	switch {
`)}},
		{"acted-without-a-look", "a run that takes an order over believes the ledger and does not ask the CA first", "rule 1", 1, "", []Patch{on("order/drive/core.go",
			`	c.patience.heldUntil = o.NotBefore
`,
			`	c.patience.heldUntil = o.NotBefore
	c.looked = planted("acted-without-a-look") && o.URL != ""
`)}},
		{"never-resumed", "a live order for exactly these names is not found again", "wall 3, I2", 1, "", []Patch{on("order/drive/engine.go",
			`			order.AdoptRequest(o, r)
`,
			`			if planted("never-resumed") {
				continue
			}
			order.AdoptRequest(o, r)
`)}},
		{"overlaps-not-settled", "live orders that share a name are not settled before another set is ordered", "rule 8", 4, "", []Patch{on("order/drive/settle.go",
			`		if o.Lineage == lineage {
`,
			`		if o.Lineage == lineage || planted("overlaps-not-settled") {
`)}},
		{"superseded-finalized", "an order for a name set that is not wanted any more is finalized", "rule 8", 9, "", []Patch{on("order/next.go",
			`	case o.Superseded:
`,
			`	case o.Superseded && !planted("superseded-finalized"):
`)}},
	}
}

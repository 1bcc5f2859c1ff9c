package planted

// takeovers are bugs about who holds an order, and what whoever takes it over must look at first.
func takeovers() []Bug {
	return []Bug{
		{"lineage-lock-ignored", "two runs work on one lineage at the same time", "rule 11, I2", []Patch{on("order/drive/engine.go",
			`	unlock, err := e.Locks.Lock(ctx, key)
	switch {
`,
			`	if planted("lineage-lock-ignored") && key == order.LineageLock(lineage) {
		return func() error { return nil }, nil
	}
	unlock, err := e.Locks.Lock(ctx, key)
	switch {
`)}},
		{"resume-without-lock", "resume goes on with an order although another run holds its lineage", "rule 11", []Patch{on("order/drive/engine.go",
			`	if err != nil || !ok {
		return false, err
	}
	defer func() { _ = unlock() }()
`,
			`	if err != nil || !ok && !planted("resume-without-lock") {
		return false, err
	}
	if ok {
		defer func() { _ = unlock() }()
	}
`)}},
		{"acted-without-a-look", "a run that takes an order over believes the ledger and does not ask the CA first", "rule 1", []Patch{on("order/drive/driver.go",
			`	d.giveUp = e.Clock.Now().Add(e.Patience)
`,
			`	d.giveUp = e.Clock.Now().Add(e.Patience)
	d.looked = planted("acted-without-a-look") && o != nil && o.URL != ""
`)}},
		{"never-resumed", "a live order for exactly these names is not found again", "wall 3, I2", []Patch{on("order/drive/engine.go",
			`			order.AdoptRequest(o, r)
`,
			`			if planted("never-resumed") {
				continue
			}
			order.AdoptRequest(o, r)
`)}},
		{"overlaps-not-settled", "live orders that share a name are not settled before another set is ordered", "rule 8", []Patch{on("order/drive/settle.go",
			`		if o.Lineage == lineage || !share(o.Names, wanted) {
`,
			`		if o.Lineage == lineage || !share(o.Names, wanted) || planted("overlaps-not-settled") {
`)}},
		{"superseded-finalized", "an order for a name set that is not wanted any more is finalized", "rule 8", []Patch{on("order/next.go",
			`	case o.Superseded:
`,
			`	case o.Superseded && !planted("superseded-finalized"):
`)}},
		{"earlier-order-left", "an order of the lineage for another name set is left when a new set is ordered", "rule 8, I4", []Patch{on("order/drive/settle.go",
			`		// In Processing, too: if finalize never arrived, the CA says`,
			`		if planted("earlier-order-left") && wanted != nil && o.State.Live() {
			continue
		}
		// In Processing, too: if finalize never arrived, the CA says`)}},
		{"deleted-lineage-comes-back", "an order of a lineage that was deleted meanwhile is finalized and installed", "rule 8", []Patch{on("order/drive/engine.go",
			` && !e.Wanted(o) {
`,
			` && !e.Wanted(o) && !planted("deleted-lineage-comes-back") {
`)}},
		{"order-owned-twice", "an order that the CA hands to a second lineage stays the first one's, too", "I2, I5", []Patch{on("order/drive/create.go",
			`		if other.ID == d.o.ID || other.AccountID != d.o.AccountID {
`,
			`		if other.ID == d.o.ID || other.AccountID != d.o.AccountID || planted("order-owned-twice") {
`)}},
		{"handed-over-without-history", "an order that is handed over leaves behind what is known of its challenges", "I5", []Patch{on("order/drive/create.go",
			`			d.o.Authorizations = append(d.o.Authorizations, &moved)
			a.Status,`,
			`			if !planted("handed-over-without-history") {
				d.o.Authorizations = append(d.o.Authorizations, &moved)
			}
			a.Status,`)}},
	}
}

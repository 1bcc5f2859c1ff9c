package planted

// certificates are bugs about keys, CSRs and what is put in place.
func certificates() []Bug {
	return []Bug{
		{"finalize-with-new-csr", "finalize is repeated with a new key and CSR", "rule 5, I5", []Patch{on("order/drive/issue.go",
			`	o.State, o.FinalizeSentAt = ledger.Processing, d.e.Clock.Now()
`,
			`	if planted("finalize-with-new-csr") && !o.FinalizeSentAt.IsZero() {
		if err := d.makeKey(); err != nil {
			return err
		}
	}
	o.State, o.FinalizeSentAt = ledger.Processing, d.e.Clock.Now()
`)}},
		{"finalize-without-a-look", "finalize whose answer was lost is sent again without a look at the order", "rule 5", []Patch{on("order/drive/issue.go",
			`	case effect == order.Undecided:
		d.looked = false
		return d.trouble("finalize", err)
`,
			`	case effect == order.Undecided:
		if planted("finalize-without-a-look") {
			d.o.State = ledger.Ready
			return d.trouble("finalize", err)
		}
		d.looked = false
		return d.trouble("finalize", err)
`)}},
		{"new-key-while-processing", "a key that is gone while the CA issues is made anew, and finalize sent with it", "rule 7, I5", []Patch{on("order/next.go",
			`	case ledger.Processing:
		return f.waitFor(Action{Kind: Look})
`,
			`	case ledger.Processing:
		if planted("new-key-while-processing") && !f.KeyReady {
			return f.ready()
		}
		return f.waitFor(Action{Kind: Look})
`), on("order/drive/issue.go",
			`	if !d.keyReady {
		return d.stop(failure.Config, "Look at`,
			`	if planted("new-key-while-processing") {
		d.o.State = ledger.Ready
	}
	if !d.keyReady {
		return d.stop(failure.Config, "Look at`)}},
		{"key-removed-at-download", "the key is removed when the certificate is in the ledger, before it is in place", "rule 7, I7", []Patch{on("order/drive/issue.go",
			`	return d.commit(ctx, ledger.Change{Certificate: d.certificate(leaf)})
`,
			`	if planted("key-removed-at-download") {
		defer d.e.Keys.Remove(d.o)
	}
	return d.commit(ctx, ledger.Change{Certificate: d.certificate(leaf)})
`)}},
		{"taken-for-lost", "an order that another holder of the account finalized counts as one whose key was lost", "rule 6", []Patch{on("order/next.go",
			`		return f.end(ledger.TakenState, failure.Taken, "another`,
			`		if planted("taken-for-lost") {
			return f.lost()
		}
		return f.end(ledger.TakenState, failure.Taken, "another`)}},
		{"installed-before-install", "the ledger calls an order installed before its certificate is in place", "wall 2, I7", []Patch{on("order/drive/issue.go",
			`	done, err := d.e.Installer.Install(ctx, d.o, d.material.PrivateKey, d.o.Chain)
`,
			`	if planted("installed-before-install") {
		d.o.State, d.o.InstalledAt = ledger.Installed, d.e.Clock.Now()
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	done, err := d.e.Installer.Install(ctx, d.o, d.material.PrivateKey, d.o.Chain)
`)}},
		{"deploy-skipped-after-takeover", "the deploy hooks of a certificate that an earlier run downloaded are not run", "rule 14", []Patch{on("order/drive/issue.go",
			`	const again = "deploy hooks again"
`,
			`	const again = "deploy hooks again"
	if planted("deploy-skipped-after-takeover") && d.inherited {
		d.o.DeployedAt = d.e.Clock.Now()
		return nil
	}
`)}},
		{"deployed-before-deploy", "hooks count as run when they are begun", "rule 14", []Patch{on("order/drive/issue.go",
			`	if err := d.e.Installer.Deploy(ctx, d.o); err != nil {
`,
			`	if planted("deployed-before-deploy") {
		d.o.DeployedAt = d.e.Clock.Now()
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	if err := d.e.Installer.Deploy(ctx, d.o); err != nil {
`)}},
		{"first-name-ordered", "of several names only the first is ordered", "I3, I7", []Patch{on("order/drive/engine.go",
			`		AccountID: e.Account.ID, Lineage: r.Lineage, Names: ledger.CanonicalNames(r.Names), Profile: r.Profile,
		State: ledger.Creating,`,
			`		AccountID: e.Account.ID, Lineage: r.Lineage, Names: plantedNames(r), Profile: r.Profile,
		State: ledger.Creating,`), on("order/drive/engine.go",
			`// liveOrder returns the live order for exactly this request,`,
			`func plantedNames(r ledger.Request) []string {
	names := ledger.CanonicalNames(r.Names)
	if planted("first-name-ordered") {
		return names[:1]
	}
	return names
}

// liveOrder returns the live order for exactly this request,`)}},
	}
}

package planted

// certificates are bugs about keys, CSRs and what is put in place.
func certificates() []Bug {
	return []Bug{
		{"finalize-with-new-csr", "finalize is repeated with a new key and CSR", "rule 5, I5", 1, "", []Patch{on("order/drive/issue.go",
			`	o.State, o.FinalizeSentAt = ledger.Processing, i.e.clock.Now()
`,
			`	if planted("finalize-with-new-csr") && !o.FinalizeSentAt.IsZero() {
		if err := i.makeKey(); err != nil {
			return err
		}
	}
	o.State, o.FinalizeSentAt = ledger.Processing, i.e.clock.Now()
`)}},
		{"finalize-without-a-look", "finalize whose answer was lost is sent again without a look at the order", "rule 5", 1, "", []Patch{on("order/drive/issue.go",
			`	case effect == order.Undecided:
		i.looked = false
		i.trouble("finalize", err)
`,
			`	case effect == order.Undecided:
		if planted("finalize-without-a-look") {
			i.o.State = ledger.Ready
			i.trouble("finalize", err)
			return
		}
		i.looked = false
		i.trouble("finalize", err)
`)}},
		{"key-removed-at-download", "the key is removed when the certificate is in the ledger, before it is in place", "rule 7, I7", 1, "", []Patch{on("order/drive/download.go",
			`	return i.commit(ctx, ledger.Change{Certificate: i.certificate(got.Leaf),
`,
			`	if planted("key-removed-at-download") {
		defer i.e.host.Keys().Remove(i.o)
	}
	return i.commit(ctx, ledger.Change{Certificate: i.certificate(got.Leaf),
`)}},
		{"first-is-the-leaf", "the first certificate that the CA serves is taken for the one that was asked for", "rule 6", 1, "", []Patch{on("order/received.go",
			`		if !SamePublicKey(leaf.PublicKey, a.Key) {
			continue
		}
`,
			`		if !SamePublicKey(leaf.PublicKey, a.Key) {
			if planted("first-is-the-leaf") {
				break
			}
			continue
		}
`)}},
		{"taken-for-lost", "an order that another holder of the account finalized counts as one whose key was lost", "rule 6", 14, "", []Patch{on("order/next.go",
			`		return f.end(ledger.TakenState, failure.Taken, "another`,
			`		if planted("taken-for-lost") {
			return f.lost()
		}
		return f.end(ledger.TakenState, failure.Taken, "another`)}},
		{"installed-before-install", "the ledger calls an order installed before its certificate is in place", "wall 2, I7", 1, "", []Patch{on("order/drive/issue.go",
			`	done, err := i.e.host.Install(ctx, i.o, i.material.PrivateKey, i.o.Chain)
`,
			`	if planted("installed-before-install") {
		i.o.State, i.o.InstalledAt = ledger.Installed, i.e.clock.Now()
		if err := i.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	done, err := i.e.host.Install(ctx, i.o, i.material.PrivateKey, i.o.Chain)
`)}},
		{"deployed-before-deploy", "hooks count as run when they are begun", "rule 14", 1, "", []Patch{on("order/drive/issue.go",
			`	if err := i.e.host.Deploy(ctx, i.o); err != nil {
`,
			`	if planted("deployed-before-deploy") {
		i.o.DeployedAt = i.e.clock.Now()
		if err := i.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	if err := i.e.host.Deploy(ctx, i.o); err != nil {
`)}},
	}
}

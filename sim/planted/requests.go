package planted

// requests are bugs about what must be durable around a request.
func requests() []Bug {
	return []Bug{
		{"new-order-before-intent", "newOrder is sent first, and its intent committed afterwards", "I1", 1, "", []Patch{on("order/drive/create.go",
			`	n.note("new-order intent", "attempt %d", o.CreateSends)
`,
			`	n.note("new-order intent", "attempt %d", o.CreateSends)
	if planted("new-order-before-intent") {
		reply, err := n.e.acme().NewOrder(ctx, acme.OrderRequest{Names: o.Names, Profile: o.Profile, Replaces: o.Replaces})
		if cerr := n.commit(ctx, ledger.Change{}); cerr != nil {
			return cerr
		}
		if err != nil {
			return n.notCreated(ctx, now, err)
		}
		return n.created(ctx, reply)
	}
`)}},
		{"new-order-answer-kept", "the answer to newOrder is kept in memory until the next intent", "I4, wall 2", 1, "", []Patch{on("order/drive/create.go",
			`	n.note("new-order answered", "%s, %s", reply.Status, reply.URL)
`,
			`	n.note("new-order answered", "%s, %s", reply.Status, reply.URL)
	if planted("new-order-answer-kept") && len(more.Orders) == 0 {
		return nil
	}
`)}},
		{"challenge-before-intent", "challenges are answered first, and the intents committed with what comes next", "I1", 1, "", []Patch{on("order/drive/authorize.go",
			`		az.note("challenge intent", "%s, attempt %d", failure.Clean(a.FullName()), a.Answers)
	}
	if err := az.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
`,
			`		az.note("challenge intent", "%s, attempt %d", failure.Clean(a.FullName()), a.Answers)
	}
	if !planted("challenge-before-intent") {
		if err := az.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
`)}},
		{"finalize-before-intent", "finalize is sent without a durable intent", "I1", 1, "", []Patch{on("order/drive/issue.go",
			`	i.note("finalize intent", "CSR %s", o.CSR.SHA256)
	if err := i.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
`,
			`	i.note("finalize intent", "CSR %s", o.CSR.SHA256)
	if !planted("finalize-before-intent") {
		if err := i.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
`)}},
		{"signal-drops-answer", "an answer to newOrder that arrives after a signal is not taken up", "rule 10, I4", 1, "", []Patch{on("order/drive/create.go",
			`	o, ctx := n.o, context.WithoutCancel(ctx)
	var more ledger.Change
	if o.CreateSends > 1 {
`,
			`	o := n.o
	if !planted("signal-drops-answer") {
		ctx = context.WithoutCancel(ctx)
	}
	var more ledger.Change
	if o.CreateSends > 1 {
`)}},
		{"signal-ignored", "a run goes on after a signal", "rule 10", 2, "", []Patch{on("order/drive/driver.go",
			`		case ctx.Err() != nil && act.Kind != order.Settle:
`,
			`		case ctx.Err() != nil && act.Kind != order.Settle && !planted("signal-ignored"):
`)}},
	}
}

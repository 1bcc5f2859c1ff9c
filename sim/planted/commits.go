package planted

// commits are bugs of the committer. The simulator plays it, too, but each has a test that knows its place.
func commits() []Bug {
	const batch, breaks = "ledger/committer/batch.go", "wall 2, the contract of ledger.Store"
	return []Bug{
		{Name: "durable-too-early", What: "a batch is told durable while its transaction is still being committed", Breaks: breaks,
			Test: "./ledger/committer TestNobodyIsToldBeforeItsCommitIsDurable",
			Patches: []Patch{on(batch,
				`	case err == nil && len(b.in) > 0:
`,
				`	case err == nil && len(b.in) > 0 && planted("durable-too-early"):
		go func() { _ = b.tx.Commit() }()
	case err == nil && len(b.in) > 0:
`)}},
		{Name: "one-of-two-lost", What: "the last change of a batch is not written, and told durable", Breaks: breaks,
			Test: "./ledger/committer TestThoseThatComeMeanwhileAreOneBatchInTheirOrder",
			Patches: []Patch{on(batch,
				`		b.let(m)
`,
				`		if several && m == b.members[len(b.members)-1] && planted("one-of-two-lost") {
			continue
		}
		b.let(m)
`)}},
		{Name: "errors-mixed-up", What: "an error of a change's own is told to the first of its batch", Breaks: breaks,
			Test: "./ledger/committer TestAnErrorOfAChangesOwnIsTheOwnersAlone",
			Patches: []Patch{on(batch,
				`	for _, m := range b.members {
		m.next <- told
`,
				`	for _, m := range b.members {
		if planted("errors-mixed-up") && m != b.leader && m.err != nil {
			b.leader.err, m.err = m.err, nil
		}
		m.next <- told
`)}},
		{Name: "change-half-written", What: "what a refused change has written until then stays in the batch", Breaks: breaks,
			Test: "./ledger/committer TestAnErrorOfAChangesOwnIsTheOwnersAlone",
			Patches: []Patch{on(batch,
				`		case m.err != nil && several:
`,
				`		case m.err != nil && several && planted("change-half-written"):
		case m.err != nil && several:
`)}},
		{Name: "batch-half-written", What: "of a batch that fails on the way, what it has written is committed", Breaks: breaks,
			Test: "./ledger/committer TestAPanicIsItsOwnersAlone",
			Patches: []Patch{on(batch,
				`func (b *batch[T]) undo() {
`,
				`func (b *batch[T]) undo() {
	if planted("batch-half-written") {
		_ = b.tx.Commit()
	}
`)}},
		{Name: "failed-batch-as-durable", What: "when a batch cannot be committed, all but the first are told that it was", Breaks: breaks,
			Test: "./ledger/committer TestACommitThatFailsLeavesEachByItself",
			Patches: []Patch{on(batch,
				`	if err != nil && len(b.members) > 1 {
`,
				`	if err != nil && len(b.members) > 1 && !planted("failed-batch-as-durable") {
`)}},
		{Name: "synced-in-an-unsynced-batch", What: "what is to be synced goes with a transaction that is not", Breaks: breaks,
			Test: "./ledger/committer TestWhatIsToBeSyncedWaitsForATransactionThatIs",
			Patches: []Patch{on("ledger/committer/committer.go",
				`		(synced || !c.waiting[n].change.Synced()) {
`,
				`		(synced || !c.waiting[n].change.Synced() || planted("synced-in-an-unsynced-batch")) {
`)}},
		{Name: "key-removed-unsynced", What: "the key of an order is removed before a power cut cannot take its end back", Breaks: "rule 7, I7",
			Test: "./order/drive TestAKeyIsKeptUntilTheEndOfItsOrderIsSynced",
			Patches: []Patch{on("order/drive/ending.go",
				`	if c.settled = true; more.Unsynced {
`,
				`	if c.settled = true; more.Unsynced && !planted("key-removed-unsynced") {
`)}},
		{Name: "error-of-a-failed-batch", What: "a change is refused because of another one that was never durable", Breaks: breaks,
			Test: "./ledger/committer TestAnErrorThatRestsOnAFailedBatchIsNotTold",
			Patches: []Patch{on(batch,
				`	b.members = slices.DeleteFunc(b.members, broken)
`,
				`	b.members = slices.DeleteFunc(b.members, func(m *member[T]) bool {
		refused := m.err != nil && m.own && planted("error-of-a-failed-batch")
		if refused {
			m.next <- told
		}
		return m.broken || refused
	})
`)}},
	}
}

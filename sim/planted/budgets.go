package planted

// budgets are bugs about the CA's limits.
func budgets() []Bug {
	return []Bug{
		{"refunded-when-lost", "a newOrder without an answer is given back to the budget", "I6", 9, "", []Patch{on("order/drive/create.go",
			`		n.trouble("new-order", err) // CreateSentAt stays`,
			`		if planted("refunded-when-lost") {
			n.refund()
		}
		n.trouble("new-order", err) // CreateSentAt stays`)}},
		{"issued-not-booked", "an issuance is not counted against the limit of its name set", "I6", 3, "", []Patch{on("order/drive/budget.go",
			`		c.pay(limit.Issued(worth), false) // a ledger`,
			`		if planted("issued-not-booked") {
			return
		}
		c.pay(limit.Issued(worth), false) // a ledger`)}},
		{"deactivation-not-booked", "a deactivation that the CA charges is not counted", "I6", 5, "", []Patch{on("order/drive/release.go",
			`done && az.e.known().ChargesDeactivation {`,
			`done && az.e.known().ChargesDeactivation && !planted("deactivation-not-booked") {`)}},
		{"bucket-refills-too-fast", "a bucket fills in half its period", "I6", 5, "", []Patch{on("limit/gcra.go",
			`func (l Limit) emission() time.Duration { return l.Period / time.Duration(l.Count) }
`,
			`func (l Limit) emission() time.Duration {
	if planted("bucket-refills-too-fast") {
		return l.Period / time.Duration(2*l.Count)
	}
	return l.Period / time.Duration(l.Count)
}
`)}},
	}
}

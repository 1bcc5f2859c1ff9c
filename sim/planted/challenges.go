package planted

// challenges are bugs about answering, tokens and siblings.
func challenges() []Bug {
	return []Bug{
		{"answered-again-at-once", "a challenge that a look shows pending is answered again though it may be being validated", "rule 4, I5", 1, "", []Patch{on("order/facts.go",
			`	if a.ChallengeStatus == "processing" || !a.SeenAt.After(a.AnswerSentAt) {
		return false
	}
`,
			`	if a.ChallengeStatus == "processing" || !a.SeenAt.After(a.AnswerSentAt) {
		return false
	}
	if planted("answered-again-at-once") {
		return true
	}
`)}},
		{"intent-taken-back", "an answer that was lost puts the challenge back as if it had not been sent", "rule 4, I5", 2, "", []Patch{on("order/drive/authorize.go",
			`	case effect == order.NotDone: // nothing was validated: the intent is taken back
`,
			`	case effect == order.NotDone || effect == order.Undecided && planted("intent-taken-back"): // nothing was validated: the intent is taken back
`)}},
		{"answered-before-token", "challenges are answered before their tokens stand", "rule 9", 2, "", []Patch{on("order/next.go",
			`	if len(bare) > 0 {
		return Action{Kind: Place, Authorizations: bare}, true
`,
			`	if len(bare) > 0 && len(due) > 0 && planted("answered-before-token") {
		return f.poll(Action{Kind: Answer, Authorizations: due}), true
	}
	if len(bare) > 0 {
		return Action{Kind: Place, Authorizations: bare}, true
`)}},
		{"answered-unchecked", "a run that takes an order over answers without a preflight of its own", "wall 1, rule 8", 1, "", []Patch{on("order/next.go",
			`	if len(due) > 0 && !f.Proofs.Checked {
`,
			`	if len(due) > 0 && !f.Proofs.Checked && !planted("answered-unchecked") {
`)}},
		{"token-not-removed", "tokens of settled authorizations stay in the document roots", "rule 9", 1, "", []Patch{on("order/drive/proofs.go",
			`		before := a.Placement
		stands, err := p.remove(ctx, a)
`,
			`		if planted("token-not-removed") {
			a.Placement = ""
			continue
		}
		before := a.Placement
		stands, err := p.remove(ctx, a)
`)}},
		{"placement-not-recorded", "where a token stands is not durable before it stands", "wall 2, rule 9", 5, "", []Patch{on("order/drive/proofs.go",
			`	if err := p.commit(ctx, ledger.Change{Unsynced: files}); err != nil {
		return err
	}
`,
			`	if !planted("placement-not-recorded") {
		if err := p.commit(ctx, ledger.Change{Unsynced: files}); err != nil {
			return err
		}
	}
`)}},
		{"fallen-answered-again", "a challenge that failed and stays pending is answered again by the same run", "rule 4, I5", 15, "", []Patch{on("order/drive/fallen.go",
			`	az.proofs.block(a, why)
	if !az.booked`,
			`	if !planted("fallen-answered-again") {
		az.proofs.block(a, why)
	}
	if !az.booked`)}},
		{"siblings-left", "the siblings of a failed name are left pending", "rule 9, I4", 2, "", []Patch{on("order/next.go",
			`	if len(open) > 0 {
		act, ok := f.authorize()
`,
			`	if len(open) > 0 && !planted("siblings-left") {
		act, ok := f.authorize()
`)}},
		{"valid-released", "valid authorizations are deactivated with the pending ones", "I11", 5, "", []Patch{on("order/drive/release.go",
			`	if err != nil || seen.Status != ledger.AuthorizationPending {
		return seen, err
`,
			`	if err != nil || seen.Status != ledger.AuthorizationPending && !(seen.Status == ledger.AuthorizationValid && planted("valid-released")) {
		return seen, err
`), on("order/next.go",
			`func (f *Facts) releasing() Action {
	open := Unfinished(f.Order)
`,
			`func (f *Facts) releasing() Action {
	open := Unfinished(f.Order)
	if planted("valid-released") {
		open = pick(f.Order.Authorizations, func(a *ledger.Authorization) bool {
			return !a.Final() || a.Status == ledger.AuthorizationValid
		})
	}
`)}},
	}
}

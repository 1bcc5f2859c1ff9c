package planted

// challenges are bugs about answering, tokens and siblings.
func challenges() []Bug {
	return []Bug{
		{"answered-again-at-once", "a challenge that a look shows pending is answered again though it may be being validated", "rule 4, I5", []Patch{on("order/facts.go",
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
		{"silence-believed", "a CA that hides processing is believed to show it", "rule 4, I5", []Patch{on("order/facts.go",
			`	if !a.Answered && f.ShowsProcessing && !f.CA.HidesProcessing {
`,
			`	if !a.Answered && (f.ShowsProcessing && !f.CA.HidesProcessing || planted("silence-believed")) {
`)}},
		{"answered-without-a-look", "a challenge whose answer may have arrived is answered again without a look", "rule 4, I5", []Patch{on("order/drive/authorize.go",
			`	// It may be under way, or the CA says that it is not pending any more: look at it before anything else.
`,
			`	if planted("answered-without-a-look") {
		a.AnswerSentAt = time.Time{}
		return false
	}
	// It may be under way, or the CA says that it is not pending any more: look at it before anything else.
`)}},
		{"intent-taken-back", "an answer that was lost puts the challenge back as if it had not been sent", "rule 4, I5", []Patch{on("order/drive/authorize.go",
			`	case effect == order.NotDone: // nothing was validated: the intent is taken back
`,
			`	case effect == order.NotDone || effect == order.Undecided && planted("intent-taken-back"): // nothing was validated: the intent is taken back
`)}},
		{"answered-before-token", "challenges are answered before their tokens stand", "rule 9", []Patch{on("order/next.go",
			`	if len(bare) > 0 {
		return Action{Kind: Place, Authorizations: bare}, true
`,
			`	if len(bare) > 0 && len(due) > 0 && planted("answered-before-token") {
		return f.poll(Action{Kind: Answer, Authorizations: due}), true
	}
	if len(bare) > 0 {
		return Action{Kind: Place, Authorizations: bare}, true
`)}},
		{"unplaceable-answered", "a challenge whose token could not be put in place is answered all the same", "wall 1, rule 9", []Patch{on("order/next.go",
			`	able := pick(open, func(a *ledger.Authorization) bool { return !f.Unplaceable[a.URL] })
	due := pick(able, f.unanswered)
`,
			`	able := pick(open, func(a *ledger.Authorization) bool { return !f.Unplaceable[a.URL] })
	due := pick(able, f.unanswered)
	if planted("unplaceable-answered") {
		due = pick(open, func(a *ledger.Authorization) bool { return a.Token != "" && f.unanswered(a) })
	}
`)}},
		{"answered-unchecked", "a run that takes an order over answers without a preflight of its own", "wall 1, rule 8", []Patch{on("order/next.go",
			`	if len(due) > 0 && !f.Checked {
`,
			`	if len(due) > 0 && !f.Checked && !planted("answered-unchecked") {
`)}},
		{"token-removed-early", "tokens are removed as soon as the challenges are answered", "rule 9", []Patch{on("order/drive/authorize.go",
			`	if accepted {
		d.progress()
	}
	d.pause(last)
	return nil
`,
			`	if accepted {
		d.progress()
	}
	if planted("token-removed-early") {
		return d.clear(ctx, list)
	}
	d.pause(last)
	return nil
`)}},
		{"token-not-removed", "tokens of settled authorizations stay in the document roots", "rule 9", []Patch{on("order/drive/authorize.go",
			`		before := a.Placement
		stands, err := d.remove(ctx, a)
`,
			`		if planted("token-not-removed") {
			a.Placement = ""
			continue
		}
		before := a.Placement
		stands, err := d.remove(ctx, a)
`)}},
		{"settled-over-tokens", "an order is settled while its tokens stand", "rule 9, I4", []Patch{on("order/next.go",
			`func (f *Facts) end(s ledger.State, class failure.Class, why string) Action {
	if left := f.standing(); len(left) > 0 {
`,
			`func (f *Facts) end(s ledger.State, class failure.Class, why string) Action {
	if left := f.standing(); len(left) > 0 && !planted("settled-over-tokens") {
`)}},
		{"placement-not-recorded", "where a token stands is not durable before it stands", "wall 2, rule 9", []Patch{on("order/drive/authorize.go",
			`			a.Placement = plan // which knows of the old one, if that still stands
			delete(d.left, a.URL)
		}
	}
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
`,
			`			a.Placement = plan // which knows of the old one, if that still stands
			delete(d.left, a.URL)
		}
	}
	if !planted("placement-not-recorded") {
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
`)}},
		{"siblings-left", "the siblings of a failed name are left pending", "rule 9, I4", []Patch{on("order/next.go",
			`	if len(open) > 0 {
		act, ok := f.authorize()
`,
			`	if len(open) > 0 && !planted("siblings-left") {
		act, ok := f.authorize()
`)}},
		{"adopted-twice", "an authorization that is known already is taken for another one", "I5", []Patch{on("order/drive/observe.go",
			`		known := func(a *ledger.Authorization) bool { return a.URL == url }
`,
			`		known := func(a *ledger.Authorization) bool { return a.URL == url && !planted("adopted-twice") }
`)}},
		{"valid-released", "valid authorizations are deactivated with the pending ones", "I11", []Patch{on("order/drive/release.go",
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

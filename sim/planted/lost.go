package planted

// lost are bugs about requests whose fate is not known.
func lost() []Bug {
	return []Bug{
		{"phantom-forgotten", "no phantom stands for a lost newOrder whose order nobody can find", "rule 2, I4", []Patch{on("order/drive/earlier.go",
			`	if result == order.Unknown {
`,
			`	if result == order.Unknown && !planted("phantom-forgotten") {
`)}},
		{"phantom-too-short", "a phantom expires after a day", "rule 2, I4", []Patch{on("order/drive/earlier.go",
			`		Expires: sent.Add(d.e.CA.OrderLifetime), Class: string(failure.AnswerLost),
		Sentence: fmt.Sprintf("newOrder of %s was never`,
			`		Expires: sent.Add(plantedLifetime(d.e.CA.OrderLifetime)), Class: string(failure.AnswerLost),
		Sentence: fmt.Sprintf("newOrder of %s was never`),
			on("order/drive/earlier.go",
				`// phantom makes the record of an order that may exist unseen since sent.
`,
				`func plantedLifetime(life time.Duration) time.Duration {
	if planted("phantom-too-short") {
		return 24 * time.Hour
	}
	return life
}

// phantom makes the record of an order that may exist unseen since sent.
`)}},
		{"withdrawn-without-phantom", "a newOrder that is refused makes an earlier, lost one be forgotten", "rule 2, I4", []Patch{on("order/drive/create.go",
			`	if !d.o.CreateSentAt.IsZero() {
		act.State = ledger.Phantom
	}
`,
			`	if !d.o.CreateSentAt.IsZero() && !planted("withdrawn-without-phantom") {
		act.State = ledger.Phantom
	}
`)}},
		{"lost-as-unsent", "a newOrder without an answer counts as not sent", "rule 2, I4", []Patch{on("order/drive/create.go",
			`	if effect == order.Undecided {
		d.listWalked = false `,
			`	if effect == order.Undecided && !planted("lost-as-unsent") {
		d.listWalked = false `)}},
		{"reset-as-unsent", "a connection that breaks after the request was written counts as one that was never made", "rule 2, I4", []Patch{on("acme/exchange.go",
			`	if p.asked.Load() && !p.got.Load() {
`,
			`	if p.asked.Load() && !p.got.Load() || planted("reset-as-unsent") {
`)}},
		{"500-as-refusal", "a 500 counts as the CA's no, though it may have done what was asked", "rule 2, I4", []Patch{on("order/effect.go",
			`	case p.Status >= 500:
`,
			`	case p.Status >= 500 && !planted("500-as-refusal"):
`)}},
		{"location-ignored", "a newOrder answered with a Location and an unreadable body counts as lost", "I4", []Patch{on("order/drive/create.go",
			`	if e, ok := errors.AsType[*acme.Lost](err); ok && e.Location != "" {
`,
			`	if e, ok := errors.AsType[*acme.Lost](err); ok && e.Location != "" && !planted("location-ignored") {
`)}},
		{"list-not-walked", "the account's orders list is not searched for the order of a lost newOrder", "rule 2, I4", []Patch{on("order/next.go",
			`	case !f.NoList && !f.ListWalked:
`,
			`	case !f.NoList && !f.ListWalked && !planted("list-not-walked"):
`)}},
		{"already-replaced-forgets", "alreadyReplaced makes the lost newOrder, which is what replaces it, be forgotten", "rule 3, I4", []Patch{on("order/drive/create.go",
			`		d.note("new-order without replaces", "%s", p.Error())
`,
			`		if planted("already-replaced-forgets") {
			d.o.CreateSends, d.o.CreateSentAt, d.admitted = 0, time.Time{}, true
		}
		d.note("new-order without replaces", "%s", p.Error())
`)}},
		{"shadow-ignored", "reuse is relied on although a dead order of the name set ends it", "rule 2, I4", []Patch{on("order/resend.go",
			`	if r.Reuses && !r.Shadowed && r.SentReplaces == "" {
`,
			`	if r.Reuses && (!r.Shadowed || planted("shadow-ignored")) && r.SentReplaces == "" {
`)}},
		{"birth-misjudged", "an order that was born with the second newOrder counts as the first one's", "rule 2, I4", []Patch{on("order/resend.go",
			`	case second:
		return Unknown
`,
			`	case second && planted("birth-misjudged"):
		return Recovered
	case second:
		return Unknown
`)}},
		{"resent-unadmitted", "a lost newOrder is sent again without looking at preflight, holds and back-off again", "I3", []Patch{on("order/next.go",
			`	case !f.Admitted:
		return Action{Kind: Check} // an earlier`,
			`	case !f.Admitted && !planted("resent-unadmitted"):
		return Action{Kind: Check} // an earlier`)}},
		{"already-replaced-is-final", "alreadyReplaced ends the order instead of a newOrder without replaces", "rule 3", []Patch{on("order/drive/create.go",
			`	if effect == order.Refused && d.o.Replaces != "" {`,
			`	if !planted("already-replaced-is-final") && effect == order.Refused && d.o.Replaces != "" {`)}},
		{"patience-without-end", "a run waits for the CA for as long as it takes", "liveness", []Patch{on("order/next.go",
			`	if f.Now.After(f.GiveUp) || f.NextPoll.After(f.GiveUp) {
`,
			`	if (f.Now.After(f.GiveUp) || f.NextPoll.After(f.GiveUp)) && !planted("patience-without-end") {
`)}},
		{"retry-after-ignored", "a Retry-After beside an error is not obeyed", "rule 9, ca-behaviour", []Patch{on("order/drive/request.go",
			`	if p != nil && p.HasRetryAfter {
		pause = max(p.RetryAfter, 100*time.Millisecond)
	}
`,
			`	if p != nil && p.HasRetryAfter && !planted("retry-after-ignored") {
		pause = max(p.RetryAfter, 100*time.Millisecond)
	}
`)}},
	}
}

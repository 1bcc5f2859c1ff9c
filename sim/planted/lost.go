package planted

// lost are bugs about requests whose fate is not known.
func lost() []Bug {
	return []Bug{
		{"phantom-forgotten", "no phantom stands for a lost newOrder whose order nobody can find", "rule 2, I4", 6, "", []Patch{on("order/drive/earlier.go",
			`	if result == order.Unknown {
`,
			`	if result == order.Unknown && !planted("phantom-forgotten") {
`)}},
		{"500-as-refusal", "a 500 counts as the CA's no, though it may have done what was asked", "rule 2, I4", 1, "", []Patch{on("order/effect.go",
			`	case p.Status >= 500:
`,
			`	case p.Status >= 500 && !planted("500-as-refusal"):
`)}},
		{"list-not-walked", "the account's orders list is not searched for the order of a lost newOrder", "rule 2, I4", 17, "", []Patch{on("order/next.go",
			`	case !f.List.None && !f.List.Walked:
`,
			`	case !f.List.None && !f.List.Walked && !planted("list-not-walked"):
`)}},
		{"birth-misjudged", "an order that was born with the second newOrder counts as the first one's", "rule 2, I4", 15, "", []Patch{on("order/resend.go",
			`	case second:
		return Unknown
`,
			`	case second && planted("birth-misjudged"):
		return Recovered
	case second:
		return Unknown
`)}},
		{"already-replaced-is-final", "alreadyReplaced ends the order instead of a newOrder without replaces", "rule 3", 3, "", []Patch{on("order/unmade.go",
			`	case u.Effect == Refused && f.Order.Replaces != "":`,
			`	case u.Effect == Refused && f.Order.Replaces != "" && !planted("already-replaced-is-final"):`)}},
		{"patience-without-end", "a run waits for the CA for as long as it takes", "liveness", 8, "", []Patch{on("order/pace.go",
			`	if !f.Now.After(f.Wait.GiveUp) && !f.Wait.NextPoll.After(f.Wait.GiveUp) {
`,
			`	if !f.Now.After(f.Wait.GiveUp) && !f.Wait.NextPoll.After(f.Wait.GiveUp) || planted("patience-without-end") {
`)}},
		{"retry-after-ignored", "a Retry-After beside an error is not obeyed", "rule 9, ca-behaviour", 1, "", []Patch{on("order/trouble.go",
			`	if p != nil && p.HasRetryAfter {
`,
			`	if p != nil && p.HasRetryAfter && !planted("retry-after-ignored") {
`)}},
	}
}

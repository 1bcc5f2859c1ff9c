package planted

// What CAs were seen to answer oddly, each handled wrongly in the way in which it once was: a bug for
// each of these that no other list has. The habits of the simulator's CAs find some of them; what no
// simulated CA does is found by a test of the engine.

// oddities are bugs about answers that are odd.
func oddities() []Bug {
	return []Bug{
		{Name: "former-urls-kept", What: "the authorizations that an order named first are asked for, whatever it names now",
			Breaks: "what the order names now counts", Test: "./order/drive TestWhatTheOrderNamesNowCounts",
			Patches: []Patch{on("order/drive/named.go",
				`	if len(urls) == 0 {
		return
	}
`,
				`	if len(urls) == 0 || planted("former-urls-kept") && len(az.o.Authorizations) > 0 {
		return
	}
`)}},
		{Name: "doubt-is-proof", What: "a list that does not show clearly what it has proves that nothing was made",
			Breaks: "rule 2, I4", Test: "./order/drive TestWhatAListDoesNotShowClearlyProvesNothing",
			Patches: []Patch{on("order/drive/list.go",
				`	n.listing.walked, n.listing.proves = true, seen.doubt == ""
`,
				`	n.listing.walked, n.listing.proves = true, seen.doubt == "" || planted("doubt-is-proof")
`)}},
		{Name: "turns-are-progress", What: "each change of an order's status is progress, so that two that take turns are waited for without end",
			Breaks: "patience counts from new states only", Test: "./order/drive TestStatesThatTakeTurnsAreNoProgress",
			Patches: []Patch{on("order/drive/observe.go",
				`	fresh := !s.patience.met[reply.Status] && before != reply.Status
`,
				`	fresh := (!s.patience.met[reply.Status] || planted("turns-are-progress")) && before != reply.Status
`)}},
		{Name: "wildcard-without-mark", What: "the name that a CA shows without a wildcard's mark is taken for the name alone",
			Breaks: "what comes from the CA is checked against what was asked", Test: "./order/drive TestNamesAsTheCAShowsThem",
			Patches: []Patch{on("order/drive/named.go",
				`	if marked || shown.Wildcard || !slices.Contains(o.Names, "*."+name) {
`,
				`	if marked || shown.Wildcard || !slices.Contains(o.Names, "*."+name) || planted("wildcard-without-mark") {
`)}},
		{Name: "missing-name-installed", What: "a certificate without an ordered name is put in place",
			Breaks: "rule 6, I7", Test: "./order TestACertificateIsWhatWasAskedFor",
			Patches: []Patch{on("order/received.go",
				`		if !covered(name, has) {
`,
				`		if !covered(name, has) && !planted("missing-name-installed") {
`)}},
		{Name: "damage-kept", What: "a certificate whose issuers are damaged is kept",
			Breaks: "rule 6", Test: "./order/drive TestADamagedChainIsNotKept",
			Patches: []Patch{on("order/received.go",
				`	if damaged != "" && len(chain) == 1 {
`,
				`	if damaged != "" && len(chain) == 1 && !planted("damage-kept") {
`), on("order/received.go",
				`	if len(chain) == 1 {
`,
				`	if len(chain) == 1 && !planted("damage-kept") {
`)}},
		{Name: "orders-into-the-void", What: "newOrder is sent to a CA that answers none, again and again",
			Breaks: "rule 2", Test: "./order/drive TestALongOutageOfNewOrderLeavesOneRow",
			Patches: []Patch{on("order/facts.go",
				`	case (many >= mostUnanswered || f.NewOrder.Crowded) && !f.NewOrder.Sound:
`,
				`	case (many >= mostUnanswered || f.NewOrder.Crowded) && !f.NewOrder.Sound && !planted("orders-into-the-void"):
`)}},
		{Name: "death-without-back-off", What: "an order that dies at finalize is followed by another one at once",
			Breaks: "a new order has a back-off", Test: "./order/drive TestAnOrderThatDiesAtFinalizeHasABackOff",
			Patches: []Patch{on("order/drive/ending.go",
				`		c.fell(c.lastDeed())
`,
				`		if !planted("death-without-back-off") {
			c.fell(c.lastDeed())
		}
`)}},
		{Name: "nonce-after-intent", What: "the nonce of newOrder is fetched when its intent stands already",
			Breaks: "rule 2", Test: "./order/drive TestWhoDiesBeforeNewOrderLeavesNoPhantom",
			Patches: []Patch{on("order/drive/create.go",
				`	if ready, err := n.nonceAtHand(ctx); !ready || ctx.Err() != nil {
`,
				`	if planted("nonce-after-intent") {
		// It is fetched with the request.
	} else if ready, err := n.nonceAtHand(ctx); !ready || ctx.Err() != nil {
`)}},
		{Name: "no-shadows", What: "the answer to the second newOrder is the first one's order though another profile's ends reuse",
			Breaks: "rule 2, I4", Test: "./order/drive TestAShadowedOrderIsNotTakenForTheLostOne",
			Patches: []Patch{on("order/resend.go",
				`	elsewhere := o.AccountID != wanted.AccountID || o.Profile != wanted.Profile
`,
				`	elsewhere := (o.AccountID != wanted.AccountID || o.Profile != wanted.Profile) && !planted("no-shadows")
`)}},
		{Name: "covered-is-ordered", What: "a name beside a wildcard that covers it is ordered where the CA refuses it",
			Breaks: "no order in vain", Test: "./order/drive TestANameThatAWildcardCovers",
			Patches: []Patch{on("order/wish.go",
				`	if !ca.RefusesCovered {
`,
				`	if !ca.RefusesCovered || planted("covered-is-ordered") {
`)}},
		{Name: "missing-is-final", What: "an order that is missing for a moment is left at once",
			Breaks: "what a CA does not show clearly proves nothing", Test: "./order/drive TestWhatIsMissingForAMomentIsAskedForAgain",
			Patches: []Patch{on("order/drive/missing.go",
				`	if s.patience.troubles["order"] < mostMissing-1 && !given {
`,
				`	if s.patience.troubles["order"] < mostMissing-1 && !given && !planted("missing-is-final") {
`)}},
		{Name: "early-is-refused", What: "a finalize that comes too early counts as refused",
			Breaks: "no state has one action whose failure is permanent", Test: "./order/drive TestAFinalizeThatIsTooEarlyIsSentAgain",
			Patches: []Patch{on("order/drive/issue.go",
				`	case p.IsType("orderNotReady"):
`,
				`	case p.IsType("orderNotReady") && !planted("early-is-refused"):
`)}},
		{Name: "removed-but-placed", What: "a token that was removed counts as standing when its authorization must be proven again",
			Breaks: "rule 9", Test: "./order/drive TestATokenStandsAgainBeforeItsChallengeIsAnsweredAgain",
			Patches: []Patch{on("order/drive/proofs.go",
				`		delete(p.placed, a.URL) // the CA`,
				`		if planted("removed-but-placed") {
			continue
		}
		delete(p.placed, a.URL) // the CA`)}},
		{Name: "over-by-our-clock", What: "an order without a URL is over by this host's clock",
			Breaks: "rule 12, I4", Test: "./order/drive TestAClockThatJumpedDoesNotEndAnOrderWithoutAURL",
			Patches: []Patch{on("order/drive/unaddressed.go",
				`	now := s.caTime(s.dated) // with`,
				`	if planted("over-by-our-clock") {
		s.dated.Date = s.e.clock.Now()
	}
	now := s.caTime(s.dated) // with`)}},
		{Name: "dead-is-forgotten", What: "a lost order that the list shows dead is no order",
			Breaks: "I4", Test: "./order/drive TestALostOrderThatDiedIsKnown",
			Patches: []Patch{on("order/drive/list.go",
				`	if o.Status != string(ledger.Invalid) {
`,
				`	if o.Status != string(ledger.Invalid) || planted("dead-is-forgotten") {
`)}},
		{Name: "no-location-no-order", What: "an order without a Location counts as lost",
			Breaks: "rule 2", Test: "./order/drive TestAnOrderWithoutAURLIsBroughtToItsEnd",
			Patches: []Patch{on("order/drive/create.go",
				`	if err == nil {
		err = n.anothers(`,
				`	if err == nil && reply.URL == "" && planted("no-location-no-order") {
		err = &acme.Lost{Kind: acme.KindNewOrder, Cause: errors.New("no Location")}
	}
	if err == nil {
		err = n.anothers(`)}},
		{Name: "list-without-end-blocks", What: "a list that fails for good is asked for by every run",
			Breaks: "no state has one action whose failure is permanent", Test: "./order/drive TestAListThatIsOfNoUseIsDoneWithout",
			Patches: []Patch{on("order/drive/list.go",
				`	l.changeAccount(func(a *ledger.Account) { a.UnlistedAt = l.e.clock.Now() })
`,
				`	if planted("list-without-end-blocks") {
		return
	}
	l.changeAccount(func(a *ledger.Account) { a.UnlistedAt = l.e.clock.Now() })
`)}},
	}
}

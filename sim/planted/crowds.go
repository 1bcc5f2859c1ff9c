package planted

import "slices"

// crowds are bugs about many orders at once in one run: slots and turns, who comes first, and what one of them must not do to
// the others. Slots are not simulated, so that tests have to find theirs.
func crowds() []Bug {
	return slices.Concat(slots(), crews(), togethers())
}

func slots() []Bug {
	const file, breaks = "slot/slot.go", "rule 10"
	return []Bug{
		{Name: "slot-lost-at-the-end-of-a-wait", What: "whoever is told to end while it waits for a slot stays in the queue, and the slot goes to it", Breaks: breaks,
			Test: "./slot TestTheEndEndsEveryWait",
			Patches: []Patch{on(file,
				`	default:
		queue.Remove(at)
	}
`,
				`	default:
		if !planted("slot-lost-at-the-end-of-a-wait") {
			queue.Remove(at)
		}
	}
`)}},
		{Name: "slot-given-back-twice", What: "a slot that was given back for a wait is given back once more at the end", Breaks: breaks,
			Test: "./slot TestTheSlotOfPartsThatWaitIsGivenBackOnce",
			Patches: []Patch{on(file,
				`	h.has = false
	h.slots.mu.Lock()
`,
				`	h.has = planted("slot-given-back-twice")
	h.slots.mu.Lock()
`)}},
		{Name: "slot-kept-while-waiting", What: "a lineage that waits keeps its slot", Breaks: breaks,
			Test: "./slot TestWhoWaitsHoldsNoSlot",
			Patches: []Patch{on(file,
				`	if h == nil {
		wait()
`,
				`	if h == nil || planted("slot-kept-while-waiting") {
		wait()
`)}},
		{Name: "slot-kept-while-a-ca-hangs", What: "a request that is not answered keeps its slot", Breaks: breaks,
			Test: "./slot TestWhoWaitsHoldsNoSlot",
			Patches: []Patch{on(file,
				`	if h == nil {
		f()
`,
				`	if h == nil || planted("slot-kept-while-a-ca-hangs") {
		f()
`)}},
		{Name: "end-not-heard-in-the-queue", What: "SIGTERM does not reach those that wait for a slot", Breaks: breaks,
			Test: "./slot TestTheEndEndsEveryWait",
			Patches: []Patch{on(file,
				`	at := queue.PushBack(mine)
	s.mu.Unlock()
`,
				`	at := queue.PushBack(mine)
	s.mu.Unlock()
	if planted("end-not-heard-in-the-queue") {
		<-mine
		return nil
	}
`)}},
		{Name: "those-who-begin-come-first", What: "what comes back from a wait is served after those that begin", Breaks: breaks,
			Test: "./slot TestSlotsAreCountedAndServedInOrder",
			Patches: []Patch{on(file,
				`	for _, queue := range []*list.List{&s.back, &s.anew} {
`,
				`	queues := []*list.List{&s.back, &s.anew}
	if planted("those-who-begin-come-first") {
		queues[0], queues[1] = queues[1], queues[0]
	}
	for _, queue := range queues {
`)}},
	}
}

func crews() []Bug {
	return []Bug{
		{Name: "one-name-at-once", What: "lineages that share a name are worked on at the same time", Breaks: "rule 8",
			Test: "./renewal TestLineagesThatShareANameTakeTurns",
			Patches: []Patch{on("renewal/crew.go",
				`		for _, name := range p.names {
			if first, taken := chainOf[name]; taken {
`,
				`		for _, name := range p.names {
			if first, taken := chainOf[name]; taken && !planted("one-name-at-once") {
`)}},
		{Name: "panic-of-all", What: "a panic of one lineage ends the run, and all others with it", Breaks: "wall 3",
			Test: "./renewal TestAPanicIsOneLineages",
			Patches: []Patch{on("renewal/crew.go",
				`		broken := recover()
		if broken == nil {
			return
		}
`,
				`		broken := recover()
		if broken == nil {
			return
		}
		if planted("panic-of-all") {
			panic(broken)
		}
`)}},
		{Name: "deploy-hooks-beside", What: "a deploy hook runs beside another one", Breaks: "rule 14",
			Test: "./host TestHooksOfManyOrdersAtOnce",
			Patches: []Patch{on("host/hooks.go",
				`			"stopped before the deploy hooks of %s ran", lineage)
	}
	defer done()
`,
				`			"stopped before the deploy hooks of %s ran", lineage)
	}
	if planted("deploy-hooks-beside") {
		done()
		done = func() {}
	}
	defer done()
`)}},
		{Name: "last-to-expire-first", What: "what expires last is renewed first", Breaks: "wall 3",
			Test: "./renewal TestWhatExpiresFirstComesFirst",
			Patches: []Patch{on("renewal/going.go",
				`		return cmp.Or(cmp.Compare(ranks[a].last, ranks[b].last), ranks[a].expires.Compare(ranks[b].expires))
`,
				`		if planted("last-to-expire-first") {
			return cmp.Or(cmp.Compare(ranks[a].last, ranks[b].last), ranks[b].expires.Compare(ranks[a].expires))
		}
		return cmp.Or(cmp.Compare(ranks[a].last, ranks[b].last), ranks[a].expires.Compare(ranks[b].expires))
`)}},
		{Name: "failed-comes-first", What: "what failed last time keeps its place before what did not", Breaks: "wall 3",
			Test: "./renewal TestInWhichOrderManyAreWorkedOn",
			Patches: []Patch{on("renewal/going.go",
				`			ranks[i] = rank{1, v.ends}
`,
				`			ranks[i] = rank{1, v.ends}
			if planted("failed-comes-first") {
				ranks[i] = rank{0, v.ends}
			}
`)}},
		{Name: "beside-a-pre-hook", What: "a lineage whose pre-hook stops a server is worked on beside others", Breaks: "rule 14",
			Test: "./renewal TestInWhichOrderManyAreWorkedOn",
			Patches: []Patch{on("renewal/crew.go",
				`		if p.alone {
`,
				`		if p.alone && !planted("beside-a-pre-hook") {
`)}},
	}
}

func togethers() []Bug {
	return []Bug{
		{Name: "budget-admitted-twice", What: "orders that are made at once are not asked for what the others have spent since they were admitted", Breaks: "I6",
			Test: "./order/drive TestManyAtOnceKeepToTheBudget",
			Patches: []Patch{on("order/drive/budget.go",
				`	n.pay(limit.Spent(worth), !n.plan.Force)
`,
				`	n.pay(limit.Spent(worth), !n.plan.Force && !planted("budget-admitted-twice"))
`)}},
		{Name: "room-taken-twice", What: "two orders take the last room for what is pending", Breaks: "I6",
			Test: "./order/drive TestManyAtOnceLeaveRoomForWhatIsPending",
			Patches: []Patch{on("order/admit/restraint.go",
				`	if err = v.held(); err == nil {
		err = g.affordPending(ctx, g.CA, p.Request)
`,
				`	if err = v.held(); err == nil && !planted("room-taken-twice") {
		err = g.affordPending(ctx, g.CA, p.Request)
`)}},
		{Name: "refusal-of-another-not-heard", What: "a 429 that one order gets does not hold back those that were admitted before it", Breaks: "I6",
			Test: "./order/drive TestA429HoldsBackWhatWasAdmittedBeforeIt",
			Patches: []Patch{on("order/admit/restraint.go",
				`	v := evidence{now: g.Clock.Now(), plan: p}
	var err error
	if err = g.readHolds`,
				`	v := evidence{now: g.Clock.Now(), plan: p}
	var err error
	if planted("refusal-of-another-not-heard") {
		return g.affordPending(ctx, g.CA, p.Request)
	}
	if err = g.readHolds`)}},
		{Name: "turn-kept", What: "an order that ends in the moment in which its turn comes keeps the turn", Breaks: "wall 3",
			Test: "./order/drive TestWhoEndsWhileItsTurnComesGivesItBack",
			Patches: []Patch{on("order/drive/create.go",
				`	done, err := n.room(ctx)
	defer done()
`,
				`	done, err := n.room(ctx)
	if planted("turn-kept") && ctx.Err() != nil {
		return err
	}
	defer done()
`)}},
	}
}

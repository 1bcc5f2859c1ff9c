package drive

// Changed is an engine made of what another one is made of, but for what change changes.
func Changed(e *Engine, change func(*Config)) *Engine {
	c := Config{Store: e.store, Session: e.session, Profiles: e.profiles, LongestValidation: e.longestValidation,
		Host: e.host, Clock: e.clock, Log: e.log, Run: e.run, AllChains: e.allChains, Effort: e.effort}
	change(&c)
	changed, err := New(c)
	if err != nil {
		panic(err)
	}
	return changed
}

// HostOf is the host of an engine.
func HostOf(e *Engine) Host { return e.host }

package planted

// endings are bugs about how an order ends.
func endings() []Bug {
	return []Bug{
		{"404-is-expired", "an order that the CA does not show counts as expired before its time", "rule 12, I4", 2, "", []Patch{on("order/drive/observe.go",
			`	case answered && s.caTime(reply).After(s.end()): // CAs have other words for it than 404
		s.expired(`,
			`	case answered && (s.caTime(reply).After(s.end()) || planted("404-is-expired")):
		s.expired(`)}},
	}
}

package planted

// endings are bugs about how an order ends.
func endings() []Bug {
	return []Bug{
		{"404-is-expired", "an order that the CA does not show counts as expired before its time", "rule 12, I4", 2, []Patch{on("order/drive/observe.go",
			`	case answered && d.caTime(reply).After(d.end()): // CAs have other words for it than 404
		d.expired(`,
			`	case answered && (d.caTime(reply).After(d.end()) || planted("404-is-expired")):
		d.expired(`)}},
	}
}

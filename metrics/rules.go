package metrics

import (
	_ "embed" // orderly.rules.yml
)

// The rules stand beside what they are about: a metric that is renamed here alone would silence an
// alert, which the tests of the rules would tell.

//go:embed orderly.rules.yml
var rules string

// Rules are alerting rules for Prometheus.
func Rules() string { return rules }

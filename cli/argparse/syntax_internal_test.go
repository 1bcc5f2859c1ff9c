package argparse

import (
	"regexp"
	"testing"
)

// argparse's own expression (_negative_number_matcher).
func TestNegativeNumbersAreToldAsArgparseTellsThem(t *testing.T) {
	want := regexp.MustCompile(`^-\d+$|^-\d*\.\d+$`)
	for _, arg := range []string{"", "-", "-1", "-12", "-1.5", "-.5", "-1.", "-.", "-1.2.3", "--1", "1", "1.5", ".5",
		"-a", "-1a", "-1 ", "- 1", "-1\n", "-1.5a", "-1e5", "-٣", "-+1", "-1-", "--"} {
		if got := isNegative(arg); got != want.MatchString(arg) {
			t.Errorf("%q: %v", arg, got)
		}
	}
}

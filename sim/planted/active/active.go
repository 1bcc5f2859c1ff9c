// Package active says which planted bug is switched on. Only code that an overlay changed asks it (see package planted);
// nothing of the product may import it.
package active

import (
	"os"
	"slices"
	"sync"
)

var name = sync.OnceValue(func() string { return os.Getenv("ORDERLY_PLANTED") })

// asked are the bugs that were asked for since the last call of Asked.
var asked sync.Map

// Is reports whether this bug is switched on.
func Is(bug string) bool {
	if _, known := asked.Load(bug); !known {
		asked.Store(bug, true)
	}
	return bug != "" && name() == bug
}

// Asked lists the bugs that Is was asked for since Asked was called before. A year in which a bug was not asked for is the
// same year with it.
func Asked() []string {
	var bugs []string
	asked.Range(func(bug, _ any) bool {
		bugs = append(bugs, bug.(string))
		return true
	})
	asked.Clear()
	slices.Sort(bugs)
	return bugs
}

// Package active says which planted bug is switched on. Only code that an overlay changed asks it (see package planted);
// nothing of the product may import it.
package active

import (
	"os"
	"sync"
)

var name = sync.OnceValue(func() string { return os.Getenv("ORDERLY_PLANTED") })

// Is reports whether this bug is switched on.
func Is(bug string) bool { return bug != "" && name() == bug }

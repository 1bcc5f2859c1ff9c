package manual

import (
	"encoding/json"
	"fmt"
)

// Decode reads a record.
func Decode(placement string) (Placement, error) {
	var p Placement
	if err := json.Unmarshal([]byte(placement), &p); err != nil {
		return p, fmt.Errorf("a recorded hook cannot be read: %w", err)
	}
	return p, nil
}

// String is the record's form in the ledger.
func (p Placement) String() string {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers alone
	}
	return string(text)
}

package memory_test

import (
	"testing"

	"orderly/ledger"
	"orderly/ledger/ledgertest"
	"orderly/ledger/memory"
)

func TestMemoryKeepsTheContract(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Opener {
		store := memory.New()
		return func(*testing.T) ledger.Store { return store }
	})
}

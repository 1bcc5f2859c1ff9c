package sim_test

import (
	"testing"

	"orderly/ledger"
	"orderly/ledger/ledgertest"
	"orderly/sim"
)

func TestTheBookKeepsTheContractOfALedger(t *testing.T) {
	ledgertest.Run(t, func(*testing.T) ledgertest.Opener {
		book := sim.NewBook()
		return func(*testing.T) ledger.Store { return book }
	})
}

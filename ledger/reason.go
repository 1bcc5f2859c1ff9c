package ledger

// Why an order ended, or a lineage is not renewed, is found in one place, told in another, and told
// again by every run until something changes. It is one value, which rows pass on and take back
// whole: a remedy beside another failure's sentence would send somebody to mend what is not broken.

import "orderly/failure"

// Reason is why something is as it is.
type Reason struct {
	Class    string `json:"class,omitempty"`  // of failure, for machines
	Sentence string `json:"error,omitempty"`  // the same for people, fit to be shown
	Remedy   string `json:"remedy,omitempty"` // as failure.Remedy.Keep makes it
}

// Because is a reason as a row keeps it.
func Because(class failure.Class, remedy failure.Remedy, sentence string) Reason {
	return Reason{Class: string(class), Sentence: failure.Clean(sentence), Remedy: remedy.Keep()}
}

// Err is the reason as an error, to be passed on or shown.
func (r Reason) Err() *failure.Error {
	return failure.New(failure.Class(r.Class), failure.Kept(r.Remedy), "%s", r.Sentence)
}

package failure

// What a class leads to. Two failures that need the same done by the same people are of one class,
// however they are worded; so whose it is to mend and whether trying again helps belong to the class
// and not to the text.

import (
	"errors"
	"maps"
	"slices"
	"sync"
	"syscall"
)

// Who is whose it is to mend a failure.
type Who string

// Whoever can mend something.
const (
	Provider Who = "provider" // whoever runs this server
	Customer Who = "customer" // whoever owns the name or the site
	CA       Who = "ca"
	Nobody   Who = "nobody"
)

// Retry is whether trying again helps.
type Retry string

// What trying again leads to.
const (
	RetryNo    Retry = "no"    // the same answer until somebody has mended it
	RetryLater Retry = "later" // time mends it: at the date said, otherwise after a back-off
	RetryOnce  Retry = "once"  // once more, then look
)

type mending struct {
	who   Who
	retry Retry
}

// mendings are what each class leads to. Nothing writes it.
var mendings = sync.OnceValue(func() map[Class]mending {
	return map[Class]mending{
		WebrootUnset:   {Provider, RetryNo},
		WebrootGone:    {Provider, RetryNo},
		WebrootLocked:  {Provider, RetryNo},
		DiskFull:       {Provider, RetryNo},
		RenewalFile:    {Provider, RetryNo},
		LineageBroken:  {Provider, RetryNo},
		Account:        {Provider, RetryNo},
		Usage:          {Provider, RetryNo},
		SolverUnfit:    {Provider, RetryNo},
		PortTaken:      {Provider, RetryNo},
		Hook:           {Provider, RetryNo},
		Locked:         {Nobody, RetryLater},
		Killed:         {Provider, RetryOnce},
		BadName:        {Customer, RetryNo},
		BadCSR:         {Provider, RetryNo},
		ClientOutdated: {Provider, RetryNo},
		DNSMissing:     {Customer, RetryNo},
		DNSElsewhere:   {Customer, RetryNo},
		DNSBroken:      {Customer, RetryLater},
		CAAForbids:     {Customer, RetryNo},
		HTTPUnreached:  {Provider, RetryLater},
		IPv6Broken:     {Customer, RetryNo},
		BlockedAbroad:  {Provider, RetryNo},
		HTTPWrong:      {Provider, RetryNo},
		HTTPError:      {Customer, RetryNo},
		Redirect:       {Customer, RetryNo},
		RateLimited:    {Nobody, RetryLater},
		LimitFailures:  {Provider, RetryLater},
		LimitSet:       {Provider, RetryLater},
		LimitPending:   {Provider, RetryLater},
		Paused:         {Provider, RetryNo},
		CAUnavailable:  {CA, RetryLater},
		CAUnreachable:  {Provider, RetryLater},
		AnswerLost:     {Nobody, RetryOnce},
		Validation:     {Provider, RetryNo},
		CARefused:      {Provider, RetryOnce},

		// what only Orderly itself says
		Config:        {Provider, RetryNo},
		WebrootUnsafe: {Provider, RetryNo},
		LineageTaken:  {Provider, RetryNo},
		DNSSilent:     {Provider, RetryLater},
		AddressRefuse: {Customer, RetryNo},
		BackOff:       {Nobody, RetryLater},
		Taken:         {Nobody, RetryOnce},
		KeyLost:       {Nobody, RetryOnce},
		Expired:       {Nobody, RetryOnce},
		Released:      {Nobody, RetryOnce},
		Stopped:       {Nobody, RetryOnce},
		Ledger:        {Provider, RetryNo},
		Clock:         {Provider, RetryNo},
		Internal:      {Provider, RetryOnce},
		Undelivered:   {Provider, RetryLater},
	}
})

// Classes are all classes that a failure can have, in the order of the alphabet.
func Classes() []Class {
	all := append(slices.Collect(maps.Keys(mendings())), Unclassified)
	slices.Sort(all)
	return slices.Compact(all)
}

// Known reports whether this is a class at all.
func (c Class) Known() bool {
	_, known := mendings()[c]
	return known || c == Unclassified
}

// Who is whose it is to mend a failure of this class. Where nothing is known, whoever runs the
// server has to look.
func (c Class) Who() Who {
	if m, known := mendings()[c]; known {
		return m.who
	}
	return Provider
}

// Retry is whether trying again helps.
func (c Class) Retry() Retry {
	if m, known := mendings()[c]; known {
		return m.retry
	}
	return RetryOnce
}

// ofCause is the class of a failure whose cause needs something else to be done than what befell: no
// file is repaired where there is no room.
func ofCause(cause error, class Class) Class {
	switch class {
	case Config, RenewalFile, LineageBroken, WebrootLocked:
		if errors.Is(cause, syscall.ENOSPC) || errors.Is(cause, syscall.EDQUOT) {
			return DiskFull
		}
	}
	return class
}

// Fallible reports whether a CA counts a validation that failed this way (Boulder:
// FailedAuthorizationsPerDomainPerAccount). Whether one took place at all is another question: the
// same may be found before anything is ordered.
func (c Class) Fallible() bool {
	switch c {
	case DNSMissing, DNSElsewhere, DNSBroken, CAAForbids, HTTPUnreached, IPv6Broken, BlockedAbroad,
		HTTPWrong, HTTPError, Redirect, Validation:
		return true
	}
	return false
}

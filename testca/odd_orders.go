package testca

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/net/idna"
)

// How CAs, and what stands before them, are known to answer newOrder, an order and the account's list of orders otherwise
// than RFC 8555 says. A client that takes any of it for more than it shows sends a second order and leaves the first one
// pending, unknown to everybody.

// Shape is what a Misshape fault makes of an answer. The request has been processed all the same. What a Rewrite can do, a
// member or a header more or less, is no shape.
type Shape string

// The shapes.
const (
	PageInstead  Shape = "page"          // a page of a proxy with Fault.Status (502 if 0), without a nonce: nothing of the CA's is shown
	BareArray    Shape = "bare-array"    // a list of orders is the array itself
	NullList     Shape = "null-list"     // a list of orders is null
	NoWildcard   Shape = "no-wildcard"   // an order's names lack their "*."
	TrailingDot  Shape = "trailing-dot"  // an order's names end with a dot
	UpperCase    Shape = "upper-case"    // an order's names are in upper case
	UnicodeNames Shape = "unicode-names" // an order's names are in Unicode
	OddNames     Shape = "odd-names"     // an order's names are no names
)

func shapes() []Shape {
	return []Shape{PageInstead, BareArray, NullList, NoWildcard, TrailingDot, UpperCase, UnicodeNames, OddNames}
}

// misshaped is what a client sees of an answer.
func (f *Fault) misshaped(answer *reply) *reply {
	if f.Shape == PageInstead {
		page := *f
		page.Problem = ""
		if page.Status == 0 {
			page.Status = http.StatusBadGateway
		}
		return page.fabricated(nil)
	}
	if answer.status >= 300 {
		return answer
	}
	switch f.Shape {
	case BareArray:
		return answer.bareArray()
	case NullList:
		return answer.json(answer.status, nil)
	}
	return answer.amend(func(members map[string]any) { f.rename(members["identifiers"]) })
}

// bareArray puts the list of orders in the place of the object that holds it.
func (r *reply) bareArray() *reply {
	var list struct{ Orders []string }
	if json.Unmarshal(r.body.Bytes(), &list) != nil {
		return r
	}
	return r.json(r.status, append([]string{}, list.Orders...)) // none is [], not null
}

// rename writes the names of an order in another way.
func (f *Fault) rename(identifiers any) {
	list, _ := identifiers.([]any)
	for i, one := range list {
		member, ok := one.(map[string]any)
		if !ok {
			continue
		}
		name := fmt.Sprint(member["value"])
		switch f.Shape {
		case NoWildcard:
			name = strings.TrimPrefix(name, "*.")
		case TrailingDot:
			name += "."
		case UpperCase:
			name = strings.ToUpper(name)
		case UnicodeNames:
			if unicode, err := idna.ToUnicode(name); err == nil {
				name = unicode
			}
		case OddNames:
			name = fmt.Sprintf("(name %d)", i)
		}
		member["value"] = name
	}
}

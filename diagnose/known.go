package diagnose

// Where a failure's cause is known already, no text has to be read: a CA's problem has its type and
// its detail apart, and a failure of Orderly's own has its class.

import (
	"strings"

	"orderly/failure"
)

// Problem is what a CA says of one name that it could not validate.
func Problem(name, kind, detail string, here Here) Finding {
	found := Text("Domain: "+name+"\nType: "+kind+"\nDetail: "+detail, here)
	for _, f := range found {
		if strings.EqualFold(f.Name, name) {
			return f
		}
	}
	f := found[0]
	f.Name, _ = cleanName(name)
	return f
}

// Known is what there is to say of a failure whose class is known by its cause.
func Known(class failure.Class, name string) Finding {
	f := Finding{Class: class}
	f.Name, _ = cleanName(name)
	f.Sentence, f.Customer, f.Remedy = say(class, facts{}, f)
	return f
}

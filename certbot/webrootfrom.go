package certbot

import "orderly/certbot/configobj"

// Whom to ask for document roots is a setting that certbot does not know. It stands where certbot
// leaves it alone.

// webrootFromKey is where a renewal file keeps whom to ask for document roots. It stands above
// [renewalparams]: in there certbot deletes at its next save what it does not know (storage.py),
// and leaves alone what stands above.
const webrootFromKey = "orderly_webroot_from"

// webrootFrom reads it. What commas made a list of is a command, too.
func webrootFrom(root *configobj.Section) string {
	v, ok := root.Get(webrootFromKey)
	switch {
	case !ok || v.Err != nil || v.String() == "None":
		return ""
	case v.IsList && len(v.List()) != 1:
		text, _ := root.Raw(webrootFromKey)
		return text
	}
	return v.String()
}

func applyWebrootFrom(root *configobj.Section, current, p Params) error {
	if p.WebrootFrom == "" || p.WebrootFrom == current.WebrootFrom {
		return nil
	}
	return root.Set(webrootFromKey, p.WebrootFrom)
}

// CanHold says why a renewal file cannot hold a value: certbot could not read it back. It is asked
// before anything is ordered.
func CanHold(value string) error { return configobj.New().Root().Set("value", value) }

package testca

import (
	"encoding/json"
	"fmt"
	"maps"
)

// What a CA does is one thing, what it says of it another. A Rewrite fault lets the request be
// processed and then changes the answer, so that the Truth stays what it is while the client is
// told something odd: members of another type, a missing one, another content type, a header.
// Respond is rewritten as well, for what its problem document has beside type and detail.

// rewrite changes an answer: Patch is merged into its JSON object (RFC 7396: null takes a member
// away), then Header is set, an empty value taking the header away.
func (f *Fault) rewrite(answer *reply) *reply {
	if answer == nil {
		return nil
	}
	if len(f.Patch) > 0 {
		var body any
		if json.Unmarshal(answer.body.Bytes(), &body) != nil {
			body = map[string]any{}
		}
		var patch any
		_ = json.Unmarshal(f.Patch, &patch) // check has read it
		kind := answer.header.Get("Content-Type")
		answer.json(answer.status, merged(body, patch))
		answer.header.Set("Content-Type", kind)
	}
	for name, value := range f.Header {
		if answer.header.Del(name); value != "" {
			answer.header.Set(name, value)
		}
	}
	return answer
}

// merged is RFC 7396's MergePatch.
func merged(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	object, _ := target.(map[string]any)
	result := map[string]any{}
	maps.Copy(result, object)
	for name, value := range changes {
		if value == nil {
			delete(result, name)
		} else {
			result[name] = merged(result[name], value)
		}
	}
	return result
}

// checkRewrite finds what of a fault could not be done to an answer.
func (f Fault) checkRewrite() error {
	if len(f.Patch) == 0 && len(f.Header) == 0 {
		if f.Action == Rewrite {
			return fmt.Errorf("a %s without patch and header changes nothing", Rewrite)
		}
		return nil
	}
	if f.Action != Rewrite && f.Action != Respond {
		return fmt.Errorf("patch and header belong to %s and %s, not to %s", Rewrite, Respond, f.Action)
	}
	if len(f.Patch) > 0 && !json.Valid(f.Patch) {
		return fmt.Errorf("the patch %.100q is no JSON", f.Patch)
	}
	return nil
}

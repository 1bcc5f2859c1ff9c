package testca

import "encoding/json"

// Of many orders that are under way at once a fault is to befall one: whose a request is must be known
// before anything is done about it.

// about are the names that a request is about, none for one that belongs to no order.
func (c *CA) about(r *request) []string {
	switch r.kind {
	case kindNewOrder:
		var want wanted
		if json.Unmarshal(r.payload, &want) != nil {
			return nil
		}
		return want.names()
	case kindOrder:
		return c.namesOfOrder(func(s *state) *order { return s.byOrder[r.id(orderPath)] })
	case kindFinalize:
		return c.namesOfOrder(func(s *state) *order { return s.byOrder[r.id(finalizePath)] })
	case kindCertificate:
		return c.namesOfOrder(func(s *state) *order { return s.bySerial[r.id(certPath)] })
	}
	if name := c.nameOf(r); name != "" {
		return []string{name}
	}
	return nil
}

func (c *CA) namesOfOrder(find func(*state) *order) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := find(c.state); o != nil {
		return o.names()
	}
	return nil
}

package preflight

// Certain reports whether there is a refusal that cannot be wrong.
func (r Report) Certain() bool {
	refusal := r.Refusal()
	return refusal != nil && refusal.Local
}

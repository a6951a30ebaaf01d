package proxy

// extras is the state that only few exchanges have. It is separate, because the memory of
// each exchange counts while goodgate waits for many clients.
type extras struct {
	shadow   *shadow         // the mirrored request; nil = none
	identity string          // the new cookie for its split; empty = none
	asker    []identityField // identity fields from access control
	found    lookup          // the search for a kept response
	harm     *harm           // by injected faults; nil = none
}

// few returns the exchange's extras for reading.
func (x *exchange) few() extras {
	if x.extras == nil {
		return extras{}
	}
	return *x.extras
}

// more returns the exchange's extras for writing.
func (x *exchange) more() *extras {
	if x.extras == nil {
		x.extras = new(extras)
	}
	return x.extras
}

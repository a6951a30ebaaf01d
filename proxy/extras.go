package proxy

// extras is what only a few exchanges have. The others do without its memory, which
// counts while many clients are waited for.
type extras struct {
	shadow   *shadow         // that follows the request; nil = none
	identity string          // that the client gets for its split; empty = none
	asker    []identityField // by the word of who let the request in
	found    lookup          // of the request in what is kept
	harm     *harm           // by faults on purpose; nil = none
}

// few returns the exchange's extras, to be read.
func (x *exchange) few() extras {
	if x.extras == nil {
		return extras{}
	}
	return *x.extras
}

// more returns the exchange's extras, to be changed.
func (x *exchange) more() *extras {
	if x.extras == nil {
		x.extras = new(extras)
	}
	return x.extras
}

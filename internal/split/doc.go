// Package split runs the split of a route between pools while goodgate runs: what
// its weights are and why, which way its schedule goes, and what its guard has
// seen.
//
// A [Split] counts the requests of its route and judges its pools once a second
// (package verdict). It decides, by [Split.Tick], when the next step of the
// schedule is due and when everything goes back to the first pool. It does not
// write that down: whoever runs it keeps each [Order], and gives it back by
// [Split.Apply], also after a restart. So there is one record of why weights are
// what they are.
//
//	declared ──schedule──▶ stepped ──schedule──▶ stepped
//	   │ │                   │ │
//	   │ └──guard──▶ guarded ◀─┘        no step follows on an order, nor on guarded
//	   └──operator──▶ ordered ◀──operator── any;  reset ──▶ declared
//
// It is safe for concurrent use.
package split

// Package split runs the split of a route between pools: its present weights and their
// reason, the progress of its schedule, and the results of its guard.
//
// A [Split] counts the requests of its route and judges its pools once a second
// (package verdict). [Split.Tick] decides when the next step of the schedule is due,
// and when all requests go back to the first pool. It does not store that: its caller
// keeps each [Order], and passes it back to [Split.Apply], also after a restart. So
// there is one record of the reason for the weights.
//
//	declared ──schedule──▶ stepped ──schedule──▶ stepped
//	   │ │                   │ │
//	   │ └──guard──▶ guarded ◀─┘        no step follows on an order, nor on guarded
//	   └──operator──▶ ordered ◀──operator── any;  reset ──▶ declared
//
// It is safe for concurrent use.
package split

// Package fleet connects the instances of goodgate that serve the same traffic, through
// an engine that they share: Redis or Valkey, see package redis below this one.
//
// Information from other instances is advice. Only requests of an exact rate wait for the
// engine, for at most 20 ms. Without the engine each instance continues alone with its
// last information. An engine that is slow, stopped, empty or wrong costs freshness,
// never a request.
//
//   - [Engine] is the interface of a store. [Memory] is one for tests, and package
//     fleettest has the laws that every engine obeys.
//   - [Fleet] is one instance's part: it announces that it lives, knows the other
//     members, and watches the engine.
//   - [Words] are values with a copy at all instances, for example the operators'
//     changes. The last writer wins, independent of the clocks.
//   - [Claim] is the exclusive right of one instance to do something for all, for
//     example to order a certificate.
//   - [Rate] is a rate for all instances together.
//   - [Portion] is each instance's part of a number that they divide.
//   - [Probes] lets two instances check each upstream and tell the others.
//
// [Fleet.Run] runs the goroutines of an instance. All exported types are safe for
// concurrent use, unless they are plain data.
//
// Everything in the engine but the state of rates is sealed with a key derived from the
// fleet's secret, and the names of the rates' buckets are keyed hashes. A reader of the
// engine learns nothing but how full nameless buckets are. A writer can make the fleet
// forget, and change the state of rates, but cannot make it act otherwise.
package fleet

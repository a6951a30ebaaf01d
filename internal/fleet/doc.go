// Package fleet connects the instances of goodgate that serve the same traffic, through
// an engine that they share: Redis or Valkey, see package redis below this one.
//
// What an instance learns from the others is advice: no request waits for the engine but
// those of an exact rate, for 20 ms at most, and without the engine each instance goes on
// alone by what it knew last. An engine that is slow, stopped, empty or wrong costs
// freshness, never a request.
//
//   - [Engine] is what is needed of a store. [Memory] is one for tests, and the package
//     fleettest has the laws that each one keeps.
//   - [Fleet] is one instance's part: it says that it lives, knows the other members, and
//     says how the engine does.
//   - [Words] are values of which all instances have a copy, such as the operator's
//     changes. The last writer wins, whatever the clocks say.
//   - [Claim] is the sole right of one instance to do something for all, such as to order
//     a certificate.
//   - [Rate] is a rate for all instances together.
//   - [Portion] is what falls to each instance of a number that they divide.
//   - [Probes] has two instances check each upstream, and tell the others.
//
// Everything in the engine is sealed with a key of the fleet's secret: who can read the
// engine learns nothing, and who can write it can make the fleet forget, but not do
// anything. The names of the buckets of rates are keyed hashes.
package fleet

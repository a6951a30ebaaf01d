// Package deploy replaces an old version of an application by a new one. It adds the new
// upstreams to a pool and sends them more and more requests, while a judge compares them
// with the old ones. Then either the new version takes over, or everything returns to the
// old one automatically.
//
// A deploy is a state machine ([Stage]), whose progress is a change in the book of
// package changes. It needs no other stored state: a process that starts in the middle of
// a deploy reads the progress, brings the pool into the state of the stage, and
// continues. See [Engine.Resume] for the rule.
//
// The table wanted in stage.go has the state of the pool in each stage. The function next
// in machine.go decides about each transition. observe.go turns requests into samples for
// the judge in judge.go, which has one rule (rule.go) for each kind of failure; see
// evidence for its statistics.
//
// Each deploy runs in one goroutine of [Engine.Run]. [Engine.Observe] and the API may be
// called concurrently.
package deploy

// Package deploy puts a new version of an application in the place of the old one: its
// upstreams are added to a pool, get more and more of the requests while a judge compares
// them with the old ones, and take over, or everything goes back by itself.
//
// A deploy is a state machine ([Stage]) whose progress is a change in the book of package
// changes. It remembers nothing else that it needs: a process that starts in the middle of a
// deploy reads the progress, brings the pool to what its stage wants, and goes on. See
// [Engine.Resume] for the rule.
//
// What a stage wants is in one table (wanted), what leads from one to the next in one function
// (next). The judge knows only samples: see evidence for its statistics.
package deploy

package balancer

import (
	"sync/atomic"
	"time"
)

// stage is the state of a breaker. gobreaker has three states. The early end of an open
// time, because the pool has no other upstream, adds two.
//
//	             trip                hasten
//	closed ---------------> open ---------------> hastened
//	 ^  ^                  ^ |  ^                    |
//	 |  |             trip | |  | trip               |
//	 |  |                  | |  |                    |
//	 |  |             wake | |  |                    | wake
//	 |  |                  | v  |                    v
//	 |  +------ heal ----- trial +----------------- early
//	 |                                              |
//	 +-------------------- heal --------------------+
//
// anew leads from each stage to closed.
type stage uint8

const (
	stageClosed   stage = iota // requests pass
	stageOpen                  // none passes until the open time is over
	stageHastened              // none passes, but the open time ends in a moment
	stageTrial                 // a few requests pass as trials
	stageEarly                 // like stageTrial, but before the end of the open time
)

// event moves a breaker. The first three come from gobreaker.
type event uint8

const (
	onTrip   event = iota // too many requests have failed, or a trial has
	onWake                // the open time is over
	onHeal                // the trials have succeeded
	onHasten              // the pool has no other upstream
	onAnew                // there are new options, or the upstream was not the cause
)

// step is the key of a move.
type step struct {
	from stage
	on   event
}

// moves are all possible moves. In a stage without a move for it, an event changes
// nothing.
var moves = map[step]stage{
	{stageClosed, onTrip}:   stageOpen,
	{stageClosed, onAnew}:   stageClosed,
	{stageOpen, onWake}:     stageTrial,
	{stageOpen, onHasten}:   stageHastened,
	{stageOpen, onAnew}:     stageClosed,
	{stageHastened, onWake}: stageEarly,
	{stageHastened, onAnew}: stageClosed,
	{stageTrial, onTrip}:    stageOpen,
	{stageTrial, onHeal}:    stageClosed,
	{stageTrial, onAnew}:    stageClosed,
	{stageEarly, onTrip}:    stageOpen,
	{stageEarly, onHeal}:    stageClosed,
	{stageEarly, onAnew}:    stageClosed,
}

// stages is the state of a breaker. Requests read it without a lock. The zero value is
// closed.
//
// One word has the stage and the trials in flight. Its lowest bits are the stage. Above
// them are the number of trials in flight and the number of moves. The word without the
// trials is a round. A request keeps the round of its admission as its pass, and its result
// counts only during that round.
type stages struct {
	word atomic.Uint64
	// trialSince is the time in Unix nanoseconds from which a half-open upstream waits for
	// Replayable requests: see trialPatience. It is set before the move.
	trialSince atomic.Int64
}

const (
	stageMask = 7
	oneTrial  = stageMask + 1
	trialMask = 3 * oneTrial // room for trialRequests
	oneMove   = trialMask + oneTrial
)

func stageIn(word uint64) stage   { return stage(word & stageMask) }
func trialsIn(word uint64) uint64 { return word & trialMask / oneTrial }
func roundOf(word uint64) uint64  { return word &^ trialMask }

func (s *stages) stage() stage          { return stageIn(s.word.Load()) }
func (s *stages) round() uint64         { return roundOf(s.word.Load()) }
func (s *stages) current() BreakerState { return stageIn(s.word.Load()).state() }

// state returns the breaker state that corresponds to the stage.
func (s stage) state() BreakerState {
	switch s {
	case stageOpen, stageHastened:
		return Open
	case stageTrial, stageEarly:
		return HalfOpen
	}
	return Closed
}

// turn makes the move of an event, and so starts a new round. It reports whether the
// stage has such a move. Calls must not overlap.
func (s *stages) turn(e event) bool {
	word := s.word.Load()
	to, ok := moves[step{stageIn(word), e}]
	if !ok {
		return false
	}
	if to.state() == HalfOpen {
		s.trialSince.Store(time.Now().UnixNano())
	}
	// A trial that starts or ends during this call belongs to the old round.
	s.word.Store(roundOf(word)&^stageMask + oneMove | uint64(to))
	return true
}

// hasPlace reports whether one more request may pass.
func hasPlace(word uint64) bool {
	switch stageIn(word).state() {
	case Closed:
		return true
	case HalfOpen:
		return trialsIn(word) < trialRequests
	}
	return false
}

// admits reports whether admit is likely to succeed.
func (s *stages) admits() bool { return hasPlace(s.word.Load()) }

// admit asks to let one request pass. The caller gives the pass to report, with the
// result.
func (s *stages) admit() (pass uint64, ok bool) {
	for {
		word := s.word.Load()
		switch {
		case !hasPlace(word):
			return 0, false
		case stageIn(word) == stageClosed:
			return word, true
		case s.word.CompareAndSwap(word, word+oneTrial):
			return roundOf(word), true
		}
	}
}

// free lets other requests take the places of all trials in flight. The results of those
// trials still count.
func (s *stages) free() { s.word.And(^uint64(trialMask)) }

// giveBack frees the place of a trial whose result counts neither way. After free, the
// place may be another trial's.
func (s *stages) giveBack(pass uint64) {
	for {
		word := s.word.Load()
		if roundOf(word) != pass || trialsIn(word) == 0 || s.word.CompareAndSwap(word, word-oneTrial) {
			return
		}
	}
}

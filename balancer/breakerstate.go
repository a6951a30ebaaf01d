package balancer

import "sync/atomic"

// stage is where a breaker is. gobreaker knows three states; an open time that
// is ended early, since the pool has nobody else, makes two more of them.
//
//	             trip                hasten
//	closed ---------------> open ---------------> hastened
//	 ^  ^                  ^ |  ^                    |
//	 |  |             trip | |  | trip               |
//	 |  |                  | |  |                    |
//	 |  |             wake | |  |                    | wake
//	 |  |                  | v  |                    v
//	 |  +------ heal ----- trial +----------------- early
//	 |                     |  ^                     | |  ^
//	 |                     +--+ lost           heal | +--+ lost
//	 |                                              |
//	 +----------------------------------------------+
//
// anew leads from each of them to closed.
type stage uint8

const (
	stageClosed   stage = iota // requests pass
	stageOpen                  // none passes until the open time is over
	stageHastened              // none passes, and the open time is as good as over
	stageTrial                 // a few pass as a trial
	stageEarly                 // as stageTrial, but before its time
)

// event is what moves a breaker. gobreaker says the first three.
type event uint8

const (
	onTrip   event = iota // too much has failed, or a trial has
	onWake                // the open time is over
	onHeal                // the trials have succeeded
	onHasten              // the pool has nobody else
	onLost                // the trials have not come back; others may have their places
	onAnew                // there are new options, or the upstream was not to blame
)

// step is what a move depends on.
type step struct {
	from stage
	on   event
}

// moves are all the moves there are. An event that has none in a stage changes
// nothing there.
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
	{stageTrial, onLost}:    stageTrial,
	{stageTrial, onAnew}:    stageClosed,
	{stageEarly, onTrip}:    stageOpen,
	{stageEarly, onHeal}:    stageClosed,
	{stageEarly, onLost}:    stageEarly,
	{stageEarly, onAnew}:    stageClosed,
}

// stages is the state of a breaker: its stage and the trials that are under way,
// in one word, so that requests ask without a lock. The zero value is closed.
//
// The stage is in the lowest bits, above it how many trials have a place, and
// above these the number of moves. The word without the trials is a round. A
// request keeps the round that it was admitted in as its pass, and its result
// counts only while that round lasts.
type stages struct{ word atomic.Uint64 }

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

// state is the stage as the rest of the world knows it.
func (s stage) state() BreakerState {
	switch s {
	case stageOpen, stageHastened:
		return Open
	case stageTrial, stageEarly:
		return HalfOpen
	}
	return Closed
}

// turn makes the move of an event, and with it a new round, and reports whether
// there is one. Only one goroutine at a time may call it.
func (s *stages) turn(e event) bool {
	word := s.word.Load()
	to, ok := moves[step{stageIn(word), e}]
	if ok { // a trial that comes or goes meanwhile is one of the old round
		s.word.Store(roundOf(word)&^stageMask + oneMove | uint64(to))
	}
	return ok
}

// hasPlace reports whether there is a place for one more request.
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

// admit asks for one request. The pass goes with its result to report.
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

// giveBack gives another request the place of a trial that says nothing.
func (s *stages) giveBack(pass uint64) {
	for {
		word := s.word.Load()
		if roundOf(word) != pass || trialsIn(word) == 0 || s.word.CompareAndSwap(word, word-oneTrial) {
			return
		}
	}
}

package reason

// Decision is what the attempt loop did after an attempt, and why.
type Decision uint8

const (
	Answered       Decision = iota // the client gets this attempt's answer
	Retried                        // sent again
	NotSafe                        // it may have been executed, and its method does not allow that twice
	BodyGone                       // its body was larger than what is kept
	NoAttemptsLeft                 // the limit of attempts is reached
	BudgetSpent                    // the pool has retried too much
	Strained                       // the pool is overloaded, and a retry would add to it
	NobodyLeft                     // no other upstream is available
	OutOfTime                      // the request's deadline, or its time to wait, has passed
	ClientsFault                   // the client left or sent a bad body
	Deadly                         // it has ended connections on two upstreams, and is kept from a third
	Resumed                        // its answer broke off, and the rest of it was asked for elsewhere
	LostRace                       // another upstream was asked too, and answered before
	Hedged                         // it failed, but another upstream had been asked already
	OwnFault                       // goodgate itself could not carry it out
	numDecisions
)

var decisions = [numDecisions]string{
	Answered:       "answered",
	Retried:        "retried",
	NotSafe:        "not_safe",
	BodyGone:       "body_gone",
	NoAttemptsLeft: "no_attempts_left",
	BudgetSpent:    "budget_spent",
	Strained:       "strained",
	NobodyLeft:     "nobody_left",
	OutOfTime:      "out_of_time",
	ClientsFault:   "clients_fault",
	Deadly:         "deadly",
	Resumed:        "resumed",
	LostRace:       "lost_race",
	Hedged:         "hedged",
	OwnFault:       "own_fault",
}

func (d Decision) String() string { return decisions[d] }

// Decisions returns all decisions.
func Decisions() []Decision {
	all := make([]Decision, numDecisions)
	for d := range all {
		all[d] = Decision(d)
	}
	return all
}

// Unretried tells why a failure that no upstream is to blame for is not tried
// again; [Retried] for one that an upstream is to blame for.
func (r Reason) Unretried() Decision {
	switch {
	case r.Fault() == FaultUpstream:
		return Retried
	case r.Fault() == FaultClient:
		return ClientsFault
	case r == ShuttingDown:
		return OutOfTime
	case r == Overloaded: // there was nothing left to connect with
		return Strained
	}
	return OwnFault
}

// Again reports whether another attempt follows.
func (d Decision) Again() bool { return d == Retried || d == Resumed }

package reason

// Decision is what the attempt loop did after an attempt, and why.
type Decision uint8

const (
	Answered       Decision = iota // the client gets this attempt's answer
	Retried                        // the request was sent again
	NotSafe                        // the upstream may have executed the request, and its method does not allow that twice
	BodyGone                       // the request's body is larger than goodgate keeps for a retry
	NoAttemptsLeft                 // the request has reached its limit of attempts
	BudgetSpent                    // the pool has used up its retry budget
	Strained                       // the pool is overloaded, and a retry would add to its load
	NobodyLeft                     // no other upstream is available
	OutOfTime                      // the request's deadline, or its longest wait, has passed
	ClientsFault                   // the client left or sent a bad body
	Deadly                         // the request has ended connections on two upstreams, and must not reach a third
	Resumed                        // the answer broke off, and another upstream was asked for the rest
	LostRace                       // another upstream, asked at the same time, answered first
	Hedged                         // the attempt failed while another upstream was working on a hedge
	OwnFault                       // goodgate itself could not send the request
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

// Unretried returns why goodgate does not retry a failure. It returns [Retried] if the
// failure is the fault of an upstream.
func (r Reason) Unretried() Decision {
	switch {
	case r.Fault() == FaultUpstream:
		return Retried
	case r.Fault() == FaultClient:
		return ClientsFault
	case r == ShuttingDown:
		return OutOfTime
	case r == Overloaded: // goodgate had no resource left for a connection
		return Strained
	}
	return OwnFault
}

// Again reports whether another attempt follows.
func (d Decision) Again() bool { return d == Retried || d == Resumed }

package main

import "time"

// step is a change of the backends at a time after the load began.
type step struct {
	at  time.Duration
	who int // index of the backend, or everyone
	do  action
}

// action changes a backend.
type action func(*backend) error

const everyone = -1

const second = time.Second

// schedule returns the steps for a pool of n backends, in the order of time. Most cases
// begin with a step after 1 s.
type schedule func(n int) []step

// at returns the steps of a scenario for its pool.
func (s *scenario) at() []step {
	if s.steps == nil {
		return nil
	}
	all := s.steps(s.size())
	for i := range all {
		all[i].at += s.calm
	}
	return all
}

// loneFor is the duration of a fault of the only backend of a pool.
const loneFor = 4 * second

// one and all return the steps of most cases: the fault begins after 1 s and stays. In
// a pool of one it ends, so that the recovery can be judged.
func one(f fault) schedule { return only(become(f), become(healthy)) }

// only is [one] with any two actions.
func only(do, undo action) schedule {
	return func(n int) []step {
		if n == 1 {
			return []step{{second, 0, do}, {second + loneFor, 0, undo}}
		}
		return []step{{second, 0, do}}
	}
}

func all(f fault) schedule {
	return func(int) []step { return []step{{second, everyone, become(f)}} }
}

// during applies an action to backend who after 1 s, and reverts it after a time.
func during(d time.Duration, who int, do, undo action) schedule {
	return func(int) []step { return []step{{second, who, do}, {second + d, who, undo}} }
}

func restart() schedule {
	return during(1500*time.Millisecond, everyone, become(refuse), become(healthy))
}

// rolling takes each backend down for 1 s with a fault.
func rolling(f fault) schedule {
	return func(n int) (steps []step) {
		for i := range n {
			at := second + time.Duration(i)*1500*time.Millisecond
			steps = append(steps, step{at, i, become(f)}, step{at + second, i, become(healthy)})
		}
		return steps
	}
}

func killOne() schedule { return during(2*second, 0, (*backend).kill, (*backend).start) }

// freezeTwo freezes the first two backends for the rest of the case.
func freezeTwo(int) []step {
	return []step{{second, 0, (*backend).freeze}, {second, 1, (*backend).freeze}}
}

// move replaces the first n backends by the second n.
func move(n int) (steps []step) {
	for i := range n {
		steps = append(steps, step{second, n + i, (*backend).join}, step{second, i, (*backend).leave})
	}
	for i := range n {
		steps = append(steps, step{second, i, become(refuse)})
	}
	return steps
}

package demo

import (
	"errors"
	"fmt"
	"time"
)

// The script defines the faults, their times, and whether the load sends POSTs
// meanwhile.
//
// A POST that a backend accepted and did not answer cannot be hidden: it may have been
// executed, and sending it again could execute it twice. Such a failure shows nothing
// about a proxy. So during a fault the script sends POSTs only if the fault never makes
// one ambiguous, for example because the connection is refused or the answer is only
// late. The load always sends GET, PUT and DELETE, because they may be executed twice
// (RFC 9110, section 9.2.2). It sends no POST within [quiet] of the start and the end
// of a fault, so that none is caught in between. Any failure that still reaches a
// client is counted and shown.

// Step is one fault in the script. The script repeats after its last step.
type Step struct {
	At      time.Duration // time since the script's beginning
	For     time.Duration
	Backend int // index from 0; everyBackend = all at the same time
	Fault   Fault
	Posts   bool   // send POSTs during the fault
	Text    string // one sentence for the view
}

const (
	backendCount = 3
	everyBackend = -1

	quiet = 300 * time.Millisecond // time without POSTs, before and after a change
	rest  = 2 * time.Second        // pause between the last fault and the script's beginning
)

// Script returns the demo's own script.
func Script() []Step {
	const s = time.Second
	return []Step{
		{3 * s, 4 * s, 0, Refuse, true, "Backend 1 refuses connections, as after a crash: goodgate sends requests to another backend, POSTs too, because nothing was sent."},
		{9 * s, 4 * s, 1, BadGateway, false, "Backend 2 answers 502 to everything while its health check passes: goodgate does not relay the answer, but asks another backend."},
		{15 * s, 4 * s, 2, Unavailable, false, "Backend 3 answers 503 to one request in three: goodgate retries these on another backend, and then sends backend 3 fewer."},
		{21 * s, 4 * s, 0, CloseEarly, false, "Backend 1 accepts the request and closes before it responds, like a killed worker."},
		{27 * s, 4 * s, 1, CutHeader, false, "Backend 2 breaks off in the middle of its response header."},
		{33 * s, 4 * s, 2, Slow, true, "Backend 3 takes 200 ms longer: nothing fails, but the load moves to the faster ones."},
		{39 * s, 2 * s, 0, Freeze, false, "Backend 1 freezes: it accepts connections and answers nothing. After 500 ms goodgate asks another backend."},
		{45 * s, 4 * s, 1, CloseIdle, false, "Backend 2 closes connections idle for 5 ms just as the next request arrives: the usual keep-alive race."},
		{51 * s, 3 * s / 2, everyBackend, Restart, true, "All backends restart at the same time: requests wait until the first is back."},
		{56 * s, 4 * s, everyBackend, SickHealth, true, "Every health endpoint answers 500 while the application works: live traffic outranks the checks."},
	}
}

// checkScript returns all errors in a script.
func checkScript(script []Step) error {
	var errs []error
	end := time.Duration(0)
	for i, s := range script {
		if s.At < end {
			errs = append(errs, fmt.Errorf("step %d begins at %v, before the one before it ends at %v", i, s.At, end))
		}
		if s.For <= 0 {
			errs = append(errs, fmt.Errorf("step %d lasts %v", i, s.For))
		}
		if s.Backend < everyBackend || s.Backend >= backendCount {
			errs = append(errs, fmt.Errorf("step %d is for backend %d of %d", i, s.Backend, backendCount))
		}
		if s.Fault == NoFault || s.Fault >= numFaults {
			errs = append(errs, fmt.Errorf("step %d has no fault", i))
		}
		if s.Text == "" {
			errs = append(errs, fmt.Errorf("step %d is not explained", i))
		}
		end = s.At + s.For
	}
	return errors.Join(errs...)
}

// length returns the duration of one pass through the script; zero if it is empty.
func length(script []Step) time.Duration {
	if len(script) == 0 {
		return 0
	}
	last := script[len(script)-1]
	return last.At + last.For + rest
}

// stepAt returns the step at a time since the beginning of the demo, nil between steps.
func stepAt(script []Step, t time.Duration) *Step {
	if len(script) == 0 {
		return nil
	}
	t %= length(script)
	for i := range script {
		if s := &script[i]; s.At <= t && t < s.At+s.For {
			return s
		}
	}
	return nil
}

// postsAt reports whether the load sends POSTs at a time since the beginning.
func postsAt(script []Step, t time.Duration) bool {
	if len(script) == 0 {
		return true
	}
	t %= length(script)
	for _, s := range script {
		from, to := s.At-quiet, s.At+s.For+quiet
		if t < from || t >= to {
			continue
		}
		if !s.Posts || t < s.At+quiet || t >= s.At+s.For-quiet {
			return false
		}
	}
	return true
}

package deploy

import "fmt"

// Stage is where a deploy is.
//
//	adding ─ probing ─ warming ─ shifting ─ watching ─ draining ─ done
//	   └────────┴─────────┴─────────┴──────────┴──────────┴─ returning ─ back
//
// Shifting has several steps. In all stages before done the old upstreams still run, so
// that going back takes no longer than a request.
type Stage uint8

const (
	Adding    Stage = iota // the new upstreams become members of the pool
	Probing                // their health checks have to pass
	Warming                // they get the requests of the order's Warm
	Shifting               // they get a share of the clients' requests, step by step
	Watching               // they get all; the old ones still run
	Draining               // the old ones finish what they have
	Done                   // the old ones have left the pool
	Returning              // the new ones get nothing as long as an old one takes it, and finish what they have
	Back                   // the new ones have left the pool

	stages
)

var stageNames = [stages]string{"adding", "probing", "warming", "shifting", "watching", "draining", "done", "returning", "back"}

// String returns the stage's word.
func (s Stage) String() string { return stageNames[s] }

// MarshalText is for JSON.
func (s Stage) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (s *Stage) UnmarshalText(text []byte) error {
	for i, name := range stageNames {
		if name == string(text) {
			*s = Stage(i)
			return nil
		}
	}
	return fmt.Errorf("%q is no stage of a deploy", text)
}

// Over reports whether nothing happens any more.
func (s Stage) Over() bool { return s == Done || s == Back }

// wants is what a stage makes of the pool.
type wants struct {
	fresh, settled standing
	share          float64 // of the requests that go to the new upstreams; below 0 = there is no introduction
}

// standing is what upstreams are to be.
type standing uint8

const (
	member  standing = iota
	drained          // a member that gets no new requests
	gone
)

// wanted is what each stage wants. Shifting has the share of its step.
var wanted = [stages]wants{
	Adding:    {member, member, 0},
	Probing:   {member, member, 0},
	Warming:   {member, member, 0},
	Shifting:  {member, member, 0},
	Watching:  {member, member, 1},
	Draining:  {member, drained, 1},
	Done:      {member, gone, -1},
	Returning: {member, member, 0},
	Back:      {gone, member, -1},
}

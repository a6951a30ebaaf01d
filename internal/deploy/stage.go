package deploy

import "fmt"

// Stage is the stage of a deploy.
//
//	adding ─ probing ─ warming ─ shifting ─ watching ─ draining ─ done
//	   └────────┴─────────┴─────────┴──────────┴──────────┴─ returning ─ back
//
// Shifting has several steps. In all stages before done the old upstreams still run, so
// that returning takes no longer than a request.
type Stage uint8

const (
	Adding    Stage = iota // the new upstreams become members of the pool
	Probing                // their health checks must pass
	Warming                // they get the requests of the order's Warm
	Shifting               // they get a share of the clients' requests, step by step
	Watching               // they get all requests; the old ones still run
	Draining               // the old ones finish their requests
	Done                   // the old ones have left the pool
	Returning              // as long as an old one takes requests, the new ones get none; they finish theirs
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
	return fmt.Errorf("%q is not a stage of a deploy", text)
}

// Over reports whether the deploy has ended.
func (s Stage) Over() bool { return s == Done || s == Back }

// wants is the state of the pool in a stage.
type wants struct {
	fresh, settled standing
	share          float64 // share of the new upstreams; below 0 = no introduction
}

// standing is the wanted state of upstreams.
type standing uint8

const (
	member  standing = iota
	drained          // a member that gets no new requests
	gone
)

// wanted has the state of the pool in each stage. Shifting has the share of its step.
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

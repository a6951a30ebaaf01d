//go:build minimal

package redis

import (
	"errors"

	"github.com/goodgate/goodgate/internal/fleet"
)

// Present reports whether this build has the engine.
const Present = false

// Open returns an error: this build does not have the engine.
func Open(Options) (fleet.Engine, error) {
	return nil, errors.New("the minimal edition of goodgate does not have fleets")
}

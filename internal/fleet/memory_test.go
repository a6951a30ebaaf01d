package fleet_test

import (
	"testing"

	"github.com/goodgate/goodgate/internal/fleet"
	"github.com/goodgate/goodgate/internal/fleet/fleettest"
)

func TestMemory(t *testing.T) {
	fleettest.Run(t, true, func(*testing.T) func() fleet.Engine {
		m := fleet.NewMemory()
		return func() fleet.Engine { return m }
	})
}

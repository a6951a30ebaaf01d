//go:build minimal

package assemble

import (
	"errors"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

// registrySource is not reached: the configuration of such a source is refused.
func registrySource(config.Upstream, config.DNS, discovery.Target) (discovery.Source, error) {
	return nil, errors.New("the minimal edition has no sources that ask another program")
}

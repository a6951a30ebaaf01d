//go:build minimal

package assemble

import (
	"errors"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/internal/discovery"
)

var errNoRegistry = errors.New("the minimal edition of goodgate has no sources that ask another program: use the full edition")

// registrySource is never called: the minimal edition refuses a configuration with such a
// source.
func registrySource(config.Upstream, config.DNS, discovery.Target) (discovery.Source, error) {
	return nil, errNoRegistry
}

func checkSecret(string) error { return errNoRegistry }

func checkKubeconfig(*config.KubernetesSource) error { return errNoRegistry }

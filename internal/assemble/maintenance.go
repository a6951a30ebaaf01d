package assemble

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"slices"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// Maintenance returns a pool's response in place of its upstreams, nil without a
// maintenance.
func Maintenance(c *config.Maintenance) (*proxy.Maintenance, error) {
	if c == nil || !c.Enabled {
		return nil, nil
	}
	m := &proxy.Maintenance{RetryAfter: c.RetryAfter, Clients: c.Allow}
	for _, name := range slices.Sorted(maps.Keys(c.AllowHeaders)) {
		m.Passes = append(m.Passes, proxy.Pass{Of: proxy.FromHeader, Name: name, Sum: sha256.Sum256([]byte(c.AllowHeaders[name]))})
	}
	if c.Page == "" {
		return m, nil
	}
	info, err := os.Stat(c.Page)
	if err == nil && info.Size() > admin.MaxPage {
		err = fmt.Errorf("%s has %d bytes, the limit is %d", c.Page, info.Size(), admin.MaxPage)
	}
	if err == nil {
		m.Page, err = os.ReadFile(c.Page)
	}
	if err != nil {
		return nil, fmt.Errorf("maintenance.page: %w", err)
	}
	return m, nil
}

package gate

import (
	"maps"
	"reflect"
	"slices"

	"github.com/goodgate/goodgate/internal/admin"
	"github.com/goodgate/goodgate/internal/assemble"
	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// mirrors are the mirrors of the routes, by route name. A reload keeps an unchanged
// mirror, with its findings.
type mirrors map[string]liveMirror

type liveMirror struct {
	*proxy.MirrorWork
	config *config.Mirror
}

// planMirrors connects routes to their mirrors.
func planMirrors(c *config.Config, routes []proxy.Route, before *present) mirrors {
	all := mirrors{}
	for i, r := range c.Routes {
		if r.Mirror == nil {
			continue
		}
		live, kept := before.mirrors[r.Name]
		if !kept || !reflect.DeepEqual(live.config, r.Mirror) {
			live = liveMirror{proxy.NewMirrorWork(assemble.MirrorLimits(r.Mirror)), r.Mirror}
		}
		all[r.Name] = live
		routes[i].Mirror.Work = live.MirrorWork
	}
	return all
}

// closeMirrors ends the mirrors that are not in next, and returns when they have ended.
func (m mirrors) closeMirrors(next mirrors) {
	for name, live := range m {
		if next[name].MirrorWork != live.MirrorWork {
			live.Close()
		}
	}
}

// mirrorReports returns the findings of the mirrors, by route name.
func (g *Gate) mirrorReports() []admin.Mirror {
	all := g.current.Load().mirrors
	var list []admin.Mirror
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, admin.Mirror{Route: name, Pool: all[name].config.Pool, Share: float64(all[name].config.Share), MirrorReport: all[name].Report()})
	}
	return list
}

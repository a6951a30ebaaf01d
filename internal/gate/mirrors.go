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

// mirrors are those of the routes, by name. They are kept by reloads that do not
// change them, with all that they have found.
type mirrors map[string]liveMirror

type liveMirror struct {
	*proxy.MirrorWork
	config *config.Mirror
}

// planMirrors gives routes the work of their mirrors.
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

// closeMirrors ends those that next does not have, and returns when they have ended.
func (m mirrors) closeMirrors(next mirrors) {
	for name, live := range m {
		if next[name].MirrorWork != live.MirrorWork {
			live.Close()
		}
	}
}

// mirrorReports returns what mirrors have found, by the names of their routes.
func (g *Gate) mirrorReports() []admin.Mirror {
	all := g.current.Load().mirrors
	var list []admin.Mirror
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, admin.Mirror{Route: name, Pool: all[name].config.Pool, Share: float64(all[name].config.Share), MirrorReport: all[name].Report()})
	}
	return list
}

package assemble

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/goodgate/goodgate/internal/config"
	"github.com/goodgate/goodgate/proxy"
)

// addAnswers adds to r the treatment of responses.
func addAnswers(r *proxy.Route, c config.Route) {
	r.Intercept = statuses(c.Intercept)
	for _, f := range c.Faults {
		r.Faults = append(r.Faults, proxy.Fault{
			Share: float64(f.Share), Headers: f.Headers, Until: f.Ends(),
			Delay: f.Delay, Abort: f.Abort, Cut: int64(f.Cut), Throttle: int64(f.Throttle),
		})
	}
	if h := c.Cache; h != nil {
		r.Cache = proxy.RouteCache{
			Off:         !h.Enabled,
			Rules:       proxy.CacheRules{Fresh: h.DefaultAge, Longest: h.MaxAge, MaxBody: int64(h.MaxBody), Vary: h.Vary},
			IgnoreQuery: h.IgnoreQuery,
		}
	}
	if z := c.Compress; z != nil && z.Enabled {
		r.Compress = &proxy.Compress{Types: z.Types, MinSize: int64(z.MinSize)}
		for _, name := range z.Encodings {
			if e := encoding(name); e != nil {
				r.Compress.Encodings = append(r.Compress.Encodings, e)
			}
		}
	}
}

const (
	maxPages    = 1000    // files in a folder of error pages
	maxPageSize = 1 << 20 // bytes of one
)

// pageFiles reads the error pages in a folder; others lists all other files there.
func pageFiles(dir string) (pages map[string]string, others []string, err error) {
	if dir == "" {
		return nil, nil, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, nil, err
	}
	pages = map[string]string{}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		if !proxy.IsPageName(e.Name()) {
			others = append(others, e.Name())
			continue
		}
		file := filepath.Join(dir, e.Name())
		info, err := os.Stat(file)
		if err != nil {
			return nil, nil, err
		}
		if info.Size() > maxPageSize || len(pages) == maxPages {
			return nil, nil, fmt.Errorf("%s: at most %d pages of %d bytes are allowed", file, maxPages, maxPageSize)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, nil, err
		}
		pages[e.Name()] = string(text)
	}
	return pages, others, nil
}

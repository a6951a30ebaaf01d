package stale

import "strings"

// Selection selects the resources to purge. The zero value means all.
type Selection struct {
	Host   string // empty = any; case does not matter
	Path   string // as clients send it, or as the upstream gets it; with a query only that one. Empty = any
	Prefix bool   // Path is a prefix that ends before or after a slash
}

// Purge drops the resources of a selection, and returns their number.
func (c *Cache) Purge(s Selection) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range c.all.Keys() {
		r, _ := c.all.Peek(k)
		if s.has(k, r) {
			c.all.Remove(k)
			n++
		}
	}
	c.opts.Counts.Purged.Add(int64(n))
	return n
}

func (s *Selection) has(k Key, r *resource) bool {
	if s.Host != "" && !strings.EqualFold(k.Host, s.Host) {
		return false
	}
	if s.Path == "" || s.hasTarget(k.Target) {
		return true
	}
	for _, v := range r.variants {
		if v.public != "" && s.hasTarget(v.public) {
			return true
		}
	}
	return false
}

func (s *Selection) hasTarget(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	switch {
	case s.Prefix:
		rest, ok := strings.CutPrefix(path, s.Path)
		return ok && (rest == "" || rest[0] == '/' || strings.HasSuffix(s.Path, "/"))
	case strings.Contains(s.Path, "?"):
		return target == s.Path
	}
	return path == s.Path
}

package stale

import "strings"

// Selection says which resources are purged. The zero value stands for all.
type Selection struct {
	Host   string // empty = any; without regard to case
	Path   string // as clients or the upstream have it; with a query it stands for that alone. Empty = any
	Prefix bool   // Path is the beginning of paths, which ends before a slash or with one
}

// Purge drops what is kept of a selection, and returns how many resources that were.
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
